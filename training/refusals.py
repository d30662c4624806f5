"""Trains the table that tells refusals from what only sounds like one: ``make labels``. Cross-validated figures first.

Learns from labelled replies of a public set; the table holds weights of words, no text.
"""

import argparse
import json
import random
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from unittest import mock

from lmsys_store.labels import replies
from lmsys_store.labels.linear import WordTable, table_of
from lmsys_store.labels.replies import TABLE, head_of, refusal_words, reply_signals
from training.domains import FOLDS, SEED, Example, read_rows, train

SHIPPED = Path(__file__).parents[1] / "lmsys_store" / "labels" / TABLE
REFUSED, ANSWERED = "rejected", ("complied", "disclaimed")
QUESTIONS = {"refusal": ("no", "yes")}
STRENGTH = 5.0
LEAST = 3


def examples_of(folder: Path) -> list[Example]:
    """The replies that were clearly refused or answered, the reply as the prompt of an example."""
    rows = [row for row in read_rows(folder / "refusals_dev.jsonl") if row["tone"] in (REFUSED, *ANSWERED)]
    return [
        Example(
            row["reply"],
            {"refusal": ["yes" if row["tone"] == REFUSED else "no"]},
            words=tuple(dict.fromkeys(refusal_words(row["reply"], head_of(row["reply"])))),
        )
        for row in rows
    ]


def learned(examples: Sequence[Example]) -> dict[str, object]:
    """The table of some replies."""
    return train(
        examples, strength=STRENGTH, least=LEAST, temperatures={"refusal": 1.0}, questions=QUESTIONS, weigh_rarity=False
    )


def refused(reply: str, table: WordTable) -> bool:
    """Whether a reply is taken for a refusal with this table."""
    with mock.patch.object(replies, "shipped_table", lambda name: table):
        return any(one.id == "refusal" for one in reply_signals([reply])[0])


def figures(pairs: Iterable[tuple[bool, bool]]) -> str:
    """Precision, recall and F1 of (found, right) pairs."""
    pairs = list(pairs)
    hits = sum(found and right for found, right in pairs)
    found, right = sum(found for found, _ in pairs), sum(right for _, right in pairs)
    return f"precision {hits / found:.3f}, recall {hits / right:.3f}, F1 {2 * hits / (found + right):.3f}"


def main() -> None:
    """Print what cross-validation says, then train on everything and write the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--labels", type=Path, required=True, help="the folder of refusals_dev.jsonl")
    options.add_argument("--dry-run", action="store_true", help="write nothing")
    given = options.parse_args()
    examples = examples_of(given.labels)
    order = list(range(len(examples)))
    random.Random(SEED).shuffle(order)
    pairs = []
    for fold in range(FOLDS):
        held = set(order[fold::FOLDS])
        table = table_of(learned([one for at, one in enumerate(examples) if at not in held]))
        pairs += [(refused(examples[at].prompt, table), examples[at].labels["refusal"] == ["yes"]) for at in held]
    print(f"refusals, {FOLDS}-fold on {len(examples)} replies: {figures(pairs)}")
    packed = zlib.compress(json.dumps(learned(examples), separators=(",", ":")).encode(), 9)
    print(f"{len(packed)} bytes")
    if not given.dry_run:
        SHIPPED.write_bytes(packed)


if __name__ == "__main__":
    main()
