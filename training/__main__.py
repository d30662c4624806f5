"""Trains the table of labels: ``make labels ARGS="--labels FOLDER"``. Every figure is printed before anything is written.

The folder holds the labelled public sets that docs/labels.md names. Without it nothing is trained. What the teacher said is kept
in ``--cache``, by text, so that a second run asks nothing twice. The same input on one machine gives the same bytes.
"""

import argparse
import hashlib
import sys
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

from lmsys_store.labels.features import words_of
from lmsys_store.labels.table import FILE, Table
from training.designs import DESIGNS, EXAMPLES, RECIPES
from training.evaluation import feedback_figures, name_figures, prompt_figures, reply_figures
from training.examples import OWN, natural_texts
from training.learning import Learner, arrays_of
from training.teacher import Teacher
from training.vectors import fitted_vectors, spans_of, whole_numbers
from training.vocabulary import vocabulary

SHIPPED = Path(__file__).parents[1] / "lmsys_store" / "labels" / FILE


def main() -> None:
    """Build the words and vectors, print what the models are worth, train on everything, write the table."""
    options = argparse.ArgumentParser(prog="make labels", description=__doc__.split("\n")[0])
    options.add_argument("--labels", type=Path, help="the folder of labelled public sets")
    options.add_argument(
        "--cache", type=Path, default=OWN.parent / ".labels", help="where the teacher's vectors are kept"
    )
    options.add_argument("--no-figures", action="store_true", help="write the table without saying what it is worth")
    options.add_argument("--dry-run", action="store_true", help="print the figures and write nothing")
    given = options.parse_args()
    if given.labels is None or not (given.labels / "domains_dev.jsonl").exists():
        sys.exit(
            'the labelled sets are missing: say make labels ARGS="--labels FOLDER" with the folder of domains_dev.jsonl'
        )
    arrays = base_arrays(given.labels, Teacher(given.cache / "teacher.npz"))
    table = Table(arrays | {"models": np.array("")})
    for figures in () if given.no_figures else (prompt_figures, feedback_figures, reply_figures):
        print(figures(table, given.labels), flush=True)
    for name in RECIPES:
        examples = EXAMPLES[name](given.labels)
        learner = Learner(DESIGNS[name](table, examples), RECIPES[name])
        arrays |= arrays_of(name, learner.learned(range(len(examples))))
    arrays["models"] = np.array(",".join(RECIPES))
    print(name_figures(Table(arrays)), flush=True)
    if not given.dry_run:
        with SHIPPED.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        content = SHIPPED.read_bytes()
        print(f"{SHIPPED.name}: {len(content):,} bytes, SHA-256 {hashlib.sha256(content).hexdigest()[:16]}")


def base_arrays(folder: Path, teacher: Teacher) -> dict[str, np.ndarray]:
    """Words, characters and vectors: everything but the models."""
    texts = natural_texts(folder)
    words = vocabulary(teacher.pieces(), texts.all)
    size = len(words.words)
    empty = {"vectors": np.zeros((size, 1), np.int8), "multipliers": np.ones(size, np.uint8), "models": np.array("")}
    spans = spans_of(texts.unheld)
    found = words_of(Table(words.arrays() | empty).tokenizer.cut(spans))
    known = found.keys < size
    ones = np.ones(int(known.sum()), np.float32)
    occurs = csr_matrix((ones, (found.texts[known], found.keys[known])), shape=(len(spans), size))
    print(f"{size:,} words, {len(spans):,} texts and parts of texts that their vectors are fitted on", flush=True)
    return words.arrays() | whole_numbers(fitted_vectors(words, teacher, spans, occurs))


if __name__ == "__main__":
    main()
