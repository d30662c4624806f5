"""Trains the table of word weights: ``make labels``. Prints what it is worth, cross-validated, before it writes anything.

Learns from the prompts and the terms written for it (training/prompts, training/terms) and, where the folder is given, from
labelled public prompts; the table holds weights of words, no text. The same input gives the same table.
"""

import argparse
import json
import math
import random
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from lmsys_store.labels.domains import DOMAIN_AND_TASK, TABLE
from lmsys_store.labels.linear import scores_of, table_of
from lmsys_store.labels.words import words_of

SEED = 20240611
TEMPERATURES = (0.7, 1.0)
"""Of domain and task. Scores of domains are too modest as they come: at 1.0 those of 0.7 and more were right 94 times in 100
and a third of the prompts had one; at 0.7 they are right 91 times, and 45 in 100 do. No prediction changes with it."""
FOLDS = 5
PROMPTS = Path(__file__).parent / "prompts"
TERMS = Path(__file__).parent / "terms"
SHIPPED = Path(__file__).parents[1] / "lmsys_store" / "labels" / TABLE
SUBJECTS = {
    "business": "business", "law": "legal", "psychology": "humanities", "biology": "science", "chemistry": "science",
    "history": "humanities", "health": "healthcare", "economics": "finance", "math": "mathematics", "physics": "science",
    "computer science": "software-development", "philosophy": "humanities", "engineering": "science",
}  # fmt: skip
"""Exam subjects to domains; formal questions, so they count little (see `weight`)."""


@dataclass(frozen=True)
class Example:
    """A labelled prompt; ``domains`` and ``tasks`` are all that a careful person could choose, the first the likeliest."""

    prompt: str
    labels: Mapping[str, Sequence[str]]
    weight: float = 1.0
    words: tuple[str, ...] = field(default=(), compare=False)


def example(row: Mapping[str, Any], weight: float = 1.0) -> Example:
    """An example of a row with domain, domains, task, tasks."""
    labels = {
        "domain": [row["domain"], *(one for one in row["domains"] if one != row["domain"])],
        "task": [row["task"], *(one for one in row["tasks"] if one != row["task"])],
    }
    return Example(row["prompt"], labels, weight, tuple(dict.fromkeys(words_of(row["prompt"]))))


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON Lines file."""
    # Not splitlines: a text may hold a line separator (U+2028), which JSON does not escape.
    return [json.loads(line) for line in path.read_text(encoding="utf8").split("\n") if line.strip()]


def own_examples() -> list[Example]:
    """The prompts written for training."""
    return [example(row) for path in sorted(PROMPTS.glob("*.jsonl")) for row in read_rows(path)]


def term_examples(weight: float) -> list[Example]:
    """The terms of each domain, an example each: prompts alone name most of them too seldom. They say nothing of tasks."""
    return [
        Example(term.strip(), {"domain": [path.stem]}, weight, tuple(dict.fromkeys(words_of(term.strip()))))
        for path in sorted(TERMS.glob("*.txt"))
        for line in path.read_text(encoding="utf8").splitlines()
        for term in line.split(",")
        if term.strip()
    ]


def public_examples(folder: Path, weight: float) -> list[Example]:
    """The labelled public prompts."""
    return [example(row, weight) for row in read_rows(folder / "domains_dev.jsonl")]


def exam_examples(folder: Path, each: int, weight: float) -> list[Example]:
    """Some exam questions of each subject, for their words; they say nothing about tasks."""
    rows = read_rows(folder / "subjects_mmlu_pro.jsonl")
    random.Random(SEED).shuffle(rows)
    taken: Counter[str] = Counter()
    found = []
    for row in rows:
        domain = SUBJECTS.get(row["subject"])
        taken[row["subject"]] += 1
        if domain is not None and taken[row["subject"]] <= each:
            words = tuple(dict.fromkeys(words_of(row["prompt"])))
            found.append(Example(row["prompt"], {"domain": [domain]}, weight, words))
    return found


# -------------------------------------------------------------------------------------------------------- learning


def train(
    examples: Sequence[Example],
    *,
    strength: float,
    least: float,
    temperatures: Mapping[str, float],
    questions: Mapping[str, Sequence[str]] = DOMAIN_AND_TASK,
    weigh_rarity: bool = True,
) -> dict[str, Any]:
    """The table as JSON: words (by rarity), rows of length 1, one logistic regression an axis, weights rounded to 8 bits."""
    counted: Counter[str] = Counter()
    for one in examples:
        counted.update(one.words)
    words = sorted(word for word, count in counted.items() if count >= least)
    columns = {word: at for at, word in enumerate(words)}
    rarity = np.ones(len(words))
    if weigh_rarity:
        rarity = np.array([math.log((1 + len(examples)) / (1 + counted[word])) + 1 for word in words])
    parts, axes = [], {}
    for axis, names in questions.items():
        weights, bias = _regression(examples, columns, rarity, axis, names, strength)
        parts.append(weights * rarity[:, None])
        axes[axis] = {
            "names": list(names),
            "temperature": temperatures[axis],
            "bias": [round(float(one), 4) for one in bias],
        }
    whole = np.hstack(parts)
    scale = float(np.abs(whole).max()) / 127
    rounded = np.rint(whole / scale).astype(np.int8)
    kept = np.abs(rounded).max(axis=1) > 1
    return {
        "words": [word for word, keep in zip(words, kept, strict=True) if keep],
        "scale": scale,
        "squares": [round(float(one), 2) for one in rarity[kept] ** 2],
        "axes": axes,
        "weights": rounded[kept].tobytes().hex(),
    }


def _regression(
    examples: Sequence[Example],
    columns: Mapping[str, int],
    rarity: Any,
    axis: str,
    names: Sequence[str],
    strength: float,
) -> tuple[Any, Any]:
    """Weights (words x classes) and bias. A prompt with two defensible labels counts for both, mostly for the first."""
    rows, labels, counts = [], [], []
    for one in examples:
        choices = [name for name in one.labels.get(axis, ()) if name in names]
        for number, name in enumerate(choices):
            rows.append(one)
            labels.append(names.index(name))
            share = 1.0 if len(choices) == 1 else 0.7 if number == 0 else 0.3 / (len(choices) - 1)
            counts.append(one.weight * share)
    matrix = _matrix(rows, columns, rarity)
    model = LogisticRegression(C=strength, max_iter=300, tol=1e-3)
    model.fit(matrix, labels, sample_weight=counts)
    weights = np.zeros((len(columns), len(names)), dtype=np.float64)
    bias = np.full(len(names), -9.0)
    if len(model.classes_) == 2:  # one column for two classes: what speaks for the second
        weights[:, model.classes_[1]], bias[model.classes_] = model.coef_[0], [0.0, model.intercept_[0]]
        return weights, bias
    for at, label in enumerate(model.classes_):
        weights[:, label] = model.coef_[at]
        bias[label] = model.intercept_[at]
    return weights, bias


def _matrix(examples: Iterable[Example], columns: Mapping[str, int], rarity: Any) -> Any:
    at, values, starts = [], [], [0]
    for one in examples:
        known = [columns[word] for word in one.words if word in columns]
        at += known
        found = rarity[known]
        values += list(found / max(float((found**2).sum()), 1.0) ** 0.5)
        starts.append(len(at))
    return csr_matrix((values, at, starts), shape=(len(starts) - 1, len(columns)))


# ------------------------------------------------------------------------------------------------------ evaluation


@dataclass(frozen=True)
class Judged:
    """One prediction: the labels that are right, what was said, with which score."""

    right: Sequence[str]
    said: str
    score: float

    @property
    def ok(self) -> bool:
        """Whether it is among the right ones."""
        return self.said in self.right


def judge(value: Mapping[str, Any], examples: Iterable[Example]) -> dict[str, list[Judged]]:
    """A table's predictions, by axis."""
    table = table_of(value)
    found: dict[str, list[Judged]] = {axis: [] for axis in DOMAIN_AND_TASK}
    examples = list(examples)
    for axis, scores in scores_of([one.words for one in examples], table).items():
        for one, values, (best, *_) in zip(examples, scores.values.tolist(), scores.ranked(), strict=True):
            found[axis].append(Judged(one.labels[axis], scores.axis.names[best], values[best]))
    return found


def cross_validated(
    examples: Sequence[Example], learn: Callable[[Sequence[Example]], dict[str, Any]]
) -> dict[str, list[Judged]]:
    """Predictions of every example, in their order, by a table that has not seen it."""
    order = shuffled(len(examples))
    found: dict[str, dict[int, Judged]] = {axis: {} for axis in DOMAIN_AND_TASK}
    for fold in range(FOLDS):
        held = order[fold::FOLDS]
        value = learn([one for at, one in enumerate(examples) if at not in set(held)])
        for axis, judged in judge(value, [examples[at] for at in held]).items():
            found[axis] |= dict(zip(held, judged, strict=True))
    return {axis: [judged[at] for at in range(len(examples))] for axis, judged in found.items()}


def shuffled(count: int) -> list[int]:
    """The numbers below ``count`` in the one order that folds and halves are cut from."""
    order = list(range(count))
    random.Random(SEED).shuffle(order)
    return order


def unread(count: int) -> list[int]:
    """The half of the public prompts whose errors nobody looked at while terms and rules were written."""
    return shuffled(count)[count // 2 :]


def accuracy(judged: Sequence[Judged]) -> float:
    """The share that is right."""
    return sum(one.ok for one in judged) / len(judged)


def macro_f1(judged: Sequence[Judged], least: int = 9) -> float:
    """The mean F1 of the classes with so many rows; a defensible prediction counts as the row's class."""
    gold = [one.said if one.ok else one.right[0] for one in judged]
    sizes = Counter(gold)
    values = []
    for name in sorted(name for name, size in sizes.items() if size >= least):
        hits = sum(one.said == name == right for one, right in zip(judged, gold, strict=True))
        said = sum(one.said == name for one in judged)
        values.append(2 * hits / (said + sizes[name]))
    return sum(values) / len(values)


def interval(judged: Sequence[Judged], rounds: int = 1000) -> tuple[float, float]:
    """The 95 % bootstrap interval of the accuracy."""
    chance = random.Random(SEED)
    values = sorted(accuracy(chance.choices(judged, k=len(judged))) for _ in range(rounds))
    return values[round(0.025 * rounds)], values[round(0.975 * rounds) - 1]


def report(title: str, judged: Mapping[str, Sequence[Judged]]) -> str:
    """The figures of some predictions, a line an axis."""
    lines = []
    for axis, found in judged.items():
        low, high = interval(found)
        sure = [one for one in found if one.score >= 0.7]
        kept = (
            f"{accuracy(sure):.3f} on the {len(sure) / len(found):.0%} with score >= 0.7"
            if sure
            else "none with score >= 0.7"
        )
        lines.append(
            f"{title}: {axis} {accuracy(found):.3f} ({low:.3f} to {high:.3f}), macro-F1 {macro_f1(found):.3f}, {kept}"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the cross-validated figures, then train on everything and write the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--labels", type=Path, help="the folder of domains_dev.jsonl and subjects_mmlu_pro.jsonl")
    options.add_argument("--strength", type=float, default=20.0)
    options.add_argument("--dev-weight", type=float, default=2.0)
    options.add_argument("--exams", type=int, default=60)
    options.add_argument("--exam-weight", type=float, default=0.3)
    options.add_argument("--term-weight", type=float, default=1.0)
    options.add_argument("--least", type=int, default=2)
    options.add_argument("--temperature", type=float, nargs=2, default=TEMPERATURES)
    options.add_argument("--dry-run", action="store_true", help="write nothing")
    given = options.parse_args()
    own, terms = own_examples(), term_examples(given.term_weight)
    public = public_examples(given.labels, given.dev_weight) if given.labels else []
    extra = exam_examples(given.labels, given.exams, given.exam_weight) if given.labels else []
    temperatures = dict(zip(DOMAIN_AND_TASK, given.temperature, strict=True))

    def learn(examples: Sequence[Example]) -> dict[str, Any]:
        return train(
            [*examples, *own, *terms, *extra], strength=given.strength, least=given.least, temperatures=temperatures
        )

    print(f"{len(own)} own prompts, {len(terms)} terms, {len(public)} public ones, {len(extra)} exam questions")
    if public and own:
        print(report("own prompts alone, on the public ones", judge(learn([]), public)))
    if public:
        found = cross_validated(public, learn)
        print(report(f"{FOLDS}-fold, on the public ones", found))
        half = {axis: [judged[at] for at in unread(len(public))] for axis, judged in found.items()}
        print(report("of these, the half that terms and rules were not written on", half))
    value = learn(public)
    packed = zlib.compress(json.dumps(value, separators=(",", ":")).encode(), 9)
    print(f"{len(value['words'])} words, {len(packed)} bytes")
    if not given.dry_run:
        SHIPPED.write_bytes(packed)


if __name__ == "__main__":
    main()
