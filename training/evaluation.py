"""What the models are worth: cross-validated by group, by the code that will use them, with 95 % bootstrap intervals."""

import json
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from lmsys_store.labels.domains import classify
from lmsys_store.labels.feedback import decided
from lmsys_store.labels.reading import read
from lmsys_store.labels.replies import REFUSES
from lmsys_store.labels.structure import prompt_tags
from lmsys_store.labels.table import Model, Table
from training.designs import (
    RECIPES,
    message_design,
    message_examples,
    prompt_design,
    prompt_examples,
    reply_design,
    reply_examples,
)
from training.examples import KINDS, OWN, SEED, Example, kept_apart_replies
from training.learning import Design, Learner

FOLDS: Final = 5
_ROUNDS: Final = 1000
_REPEATS: Final = 3
_FEEDBACK_REPEATS: Final = 5
_CLASS_SIZE: Final = 9
"""A class with fewer rows has no F1 of its own in a macro F1."""
_SURE_SCORE: Final = 0.7
_LANGUAGES: Final = ("German", "French", "Spanish", "Italian", "Portuguese", "Dutch")
_LOWERS: Final = frozenset({"rephrase", "user_correction", "user_rejection"})
_NAMES: Final = OWN.parent / "tests" / "data"


def folds(examples: Sequence[Example], chosen: Iterable[int], seed: int = SEED) -> list[list[int]]:
    """The chosen examples in parts, no group in two of them."""
    places = list(chosen)
    groups = sorted({examples[at].group for at in places})
    random.Random(seed).shuffle(groups)
    part = {group: number % FOLDS for number, group in enumerate(groups)}
    return [[at for at in places if part[examples[at].group] == number] for number in range(FOLDS)]


def share(values: Sequence[bool], repeats: int = 1) -> str:
    """The share of true values, with its interval and how many there are; of so many runs, as of one of them."""
    if not values:
        return "none"
    chance = np.random.default_rng(SEED)
    numbers, count = np.array(values, float), max(round(len(values) / repeats), 1)
    means = numbers[chance.integers(0, len(numbers), (_ROUNDS, count))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return f"{numbers.mean():.3f} ({low:.3f} to {high:.3f}, n={count})"


def _f1(hits_said: float, said: int, hits_right: float, right: int) -> float:
    precision, recall = hits_said / max(said, 1), hits_right / max(right, 1)
    return 2 * precision * recall / max(precision + recall, 1e-9)


# -------------------------------------------------------------------------------------------------------------- prompts


_Said = dict[str, dict[int, tuple[str, float]]]
"""By axis and example the class that a run of the cross-validation gave, with its score."""


def prompt_figures(table: Table, folder: Path) -> str:
    """Domain and task, 5-fold on the English prompts; in other languages by a model that has seen none of the questions."""
    examples = prompt_examples(folder)
    design = prompt_design(table, examples)
    learner = Learner(design, RECIPES["prompt"])
    english = [at for at, one in enumerate(examples) if one.source == "domains"]
    others = [at for at, one in enumerate(examples) if one.source == "multilingual"]
    taught = [at for at, one in enumerate(examples) if one.source not in ("domains", "multilingual")]
    asked = {examples[at].group for at in others}
    lines = []
    runs: list[_Said] = []
    for seed in range(_REPEATS):
        runs.append({"domain": {}, "task": {}})
        for part in folds(examples, english, seed):
            _predict(learner, design, [*taught, *sorted(set(english) - set(part))], part, runs[-1])
    for axis in ("domain", "task"):
        found = [(run[axis][at], examples[at].right[axis]) for run in runs for at in english]
        right = [name in names for (name, _), names in found]
        sure = [name in names for (name, score), names in found if score >= _SURE_SCORE]
        macro = np.mean([_macro_f1([(run[axis][at][0], examples[at].right[axis]) for at in english]) for run in runs])
        lines.append(
            f"{axis}, 5-fold on the English prompts: {share(right, _REPEATS)}, macro-F1 {macro:.3f}; "
            f"with a score >= {_SURE_SCORE}: {share(sure, _REPEATS)}"
        )
    lines += [_score_curve(examples, runs[0]["domain"])]
    said: _Said = {"domain": {}, "task": {}}
    _predict(learner, design, [*taught, *[at for at in english if examples[at].group not in asked]], others, said)
    for axis, answers in said.items():
        correct = {at: answers[at][0] in examples[at].right[axis] for at in others}
        six = [correct[at] for at in others if examples[at].language in _LANGUAGES]
        by_language = ", ".join(
            f"{language} {np.mean([correct[at] for at in others if examples[at].language == language]):.2f}"
            for language in sorted({examples[at].language for at in others})
        )
        lines.append(f"{axis}, in other languages: the six together {share(six)}; {by_language}")
    return "\n".join(lines)


def _predict(
    learner: Learner,
    design: Design,
    taught: Sequence[int],
    asked: Sequence[int],
    said: dict[str, dict[int, tuple[str, float]]],
) -> None:
    model = Model(**learner.learned(taught))
    for axis, scores in design.scores(model, asked).items():
        names = model.axes[axis].names
        best = scores.argmax(axis=1)
        said[axis] |= {at: (names[one], float(row[one])) for at, one, row in zip(asked, best, scores, strict=True)}


def _score_curve(examples: Sequence[Example], found: dict[int, tuple[str, float]]) -> str:
    """How often the domain is right from a score on, and how many prompts keep that score."""
    parts = []
    for least in (0.0, 0.25, 0.35, 0.5, 0.7):
        kept = [name in examples[at].right["domain"] for at, (name, score) in found.items() if score >= least]
        below = [name in examples[at].right["domain"] for at, (name, score) in found.items() if score < least]
        wrong = f", below it {np.mean(below):.2f} of {len(below)} right" if below else ""
        parts.append(f"{least:.2f}: {np.mean(kept):.3f} of {len(kept) / len(found):.0%}{wrong}")
    return "domain by least score: " + "; ".join(parts)


def _macro_f1(pairs: Sequence[tuple[str, Sequence[str]]]) -> float:
    """The mean F1 of the classes with enough rows; a defensible prediction counts as the row's class."""
    gold = [name if name in right else right[0] for name, right in pairs]
    sizes, said = Counter(gold), Counter(name for name, _ in pairs)
    hits = Counter(name for (name, _), right in zip(pairs, gold, strict=True) if name == right)
    return float(np.mean([2 * hits[name] / (said[name] + size) for name, size in sizes.items() if size >= _CLASS_SIZE]))


# ------------------------------------------------------------------------------------------------------------- feedback


def feedback_figures(table: Table, folder: Path) -> str:
    """Feedback, 5-fold on all messages, shuffled five times: a few dozen rows are feedback, and one cut in parts is chance."""
    examples = message_examples(folder)
    design = message_design(table, examples)
    learner = Learner(design, RECIPES["message"])
    runs = []
    for seed in range(_FEEDBACK_REPEATS):
        said: dict[int, str] = {}
        for part in folds(examples, range(len(examples)), seed):
            model = Model(**learner.learned(sorted(set(range(len(examples))) - set(part))))
            kinds = decided(design.scores(model, part)["feedback"], KINDS)
            said |= {at: KINDS[kind] if design.known[at] else KINDS[0] for at, kind in zip(part, kinds, strict=True)}
        runs.append(said)
    by_source: dict[str, list[int]] = {}
    for at, one in enumerate(examples):
        by_source.setdefault(one.source, []).append(at)
    return "\n".join(
        [
            *_by_task(examples, runs, by_source["by task"]),
            *_natural(examples, runs, by_source["natural"]),
            *_second_prompts(examples, runs, by_source["second prompt"]),
            *(_kinds(name, examples, runs, by_source[name]) for name in ("chats", "hard chats", "own natural")),
        ]
    )


_Runs = Sequence[Mapping[int, str]]
"""What each run of the cross-validation said of each example."""


def _by_task(examples: Sequence[Example], runs: _Runs, places: Sequence[int]) -> list[str]:
    none = [at for at in places if set(examples[at].right["feedback"]) == {"none"}]
    doubt = sorted(set(places) - set(none))
    flagged = [said[at] != "none" for said in runs for at in none]
    found = [said[at] in ("user_correction", "user_rejection", "clarification") for said in runs for at in doubt]
    return [
        f"follow-ups known by how they were made: no feedback, but flagged {share(flagged, len(runs))}; "
        f"doubt found {share(found, len(runs))}"
    ]


def _natural(examples: Sequence[Example], runs: _Runs, places: Sequence[int]) -> list[str]:
    right = {at: examples[at].right["feedback"] for at in places}
    none = [said[at] != "none" for said in runs for at in places if set(right[at]) == {"none"}]
    lowers = [bool(_LOWERS & set(right[at])) for said in runs for at in places if said[at] in _LOWERS]
    lowered = [said[at] in _LOWERS for said in runs for at in places if right[at][0] in _LOWERS]
    groups = (("praise",), ("clarification",), ("user_correction", "user_rejection"), ("rephrase",))
    scores = {group[0]: _group_f1(runs, right, group) for group in groups}
    kinds = ", ".join(f"{name} {score:.2f}" for name, score in scores.items())
    return [
        f"natural follow-ups: no feedback, but flagged {share(none, len(runs))}",
        f"  what lowers a rating: right {share(lowers, len(runs))}, found {share(lowered, len(runs))}",
        f"  mean F1 {np.mean(list(scores.values())):.3f} ({kinds})",
    ]


def _group_f1(runs: _Runs, right: Mapping[int, Sequence[str]], group: Sequence[str]) -> float:
    """The F1 of some kinds taken as one: a flag is right if any of them could be defended, a row is theirs by its first label."""
    flagged = [bool(set(group) & set(right[at])) for said in runs for at in right if said[at] in group]
    found = [said[at] in group for said in runs for at in right if right[at][0] in group]
    return _f1(sum(flagged), len(flagged), sum(found), len(found))


def _second_prompts(examples: Sequence[Example], runs: _Runs, places: Sequence[int]) -> list[str]:
    languages = sorted({examples[at].language for at in places})
    flagged = [(examples[at].language, said[at] != "none") for said in runs for at in places]
    each = ", ".join(
        f"{language} {np.mean([flag for one, flag in flagged if one == language]):.2f}" for language in languages
    )
    every = share([flag for _, flag in flagged], len(runs))
    return [f"second prompts written before any reply: flagged {every}; {each}"]


def _kinds(title: str, examples: Sequence[Example], runs: _Runs, places: Sequence[int]) -> str:
    right = {at: examples[at].right["feedback"] for at in places}
    scores = {kind: _group_f1(runs, right, (kind,)) for kind in KINDS[1:]}
    kinds = ", ".join(f"{name} {score:.2f}" for name, score in scores.items())
    none = [said[at] != "none" for said in runs for at in places if right[at][0] == "none"]
    mean = np.mean(list(scores.values()))
    return f"{title} (own text): mean F1 {mean:.3f} ({kinds}); flagged {share(none, len(runs))}"


# -------------------------------------------------------------------------------------------------------------- replies


def reply_figures(table: Table, folder: Path) -> str:
    """Refusals, 5-fold on the public replies; and on replies that decline and then answer, which no model has seen."""
    examples, apart = reply_examples(folder), kept_apart_replies()
    design = reply_design(table, [*examples, *apart])
    learner = Learner(design, RECIPES["reply"])
    everything = range(len(examples))
    refused: dict[int, bool] = {}

    def judge(taught: Sequence[int], asked: Sequence[int]) -> None:
        model = Model(**learner.learned(taught))
        column = model.axes["reply"].names.index("refusal")
        refused.update(zip(asked, (design.scores(model, asked)["reply"][:, column] >= REFUSES).tolist(), strict=True))

    for part in folds(examples, everything):
        judge(sorted(set(everything) - set(part)), part)
    judge(everything, range(len(examples), len(examples) + len(apart)))
    lines = []
    for source, title in (("refusals", "public replies"), ("own replies", "own replies (own text)")):
        places = [at for at in everything if examples[at].source == source]
        right = [refused[at] for at in places if "refusal" in examples[at].right["reply"]]
        said = ["refusal" in examples[at].right["reply"] for at in places if refused[at]]
        lines.append(
            f"refusals, 5-fold on {title}: F1 {_f1(sum(said), len(said), sum(right), len(right)):.3f}, "
            f"right {share(said)}, found {share(right)}"
        )
    plain = [refused[at] for at in everything if examples[at].source == "plain"]
    lines.append(f"  ordinary replies called refusals: {share(plain)}")
    declined = [refused[len(examples) + at] for at in range(len(apart))]
    lines.append(f"  replies that decline and then answer (own text, kept apart), called refusals: {share(declined)}")
    return "\n".join(lines)


# ---------------------------------------------------------------------------------------------------------------- names


def name_figures(table: Table) -> str:
    """The names that a domain may be asked for by, on prompts kept apart from training."""
    lines = []
    for file, title in (("domain_names.jsonl", "English"), ("domain_names_languages.jsonl", "six languages")):
        figures = name_scores(table, _NAMES / file)
        worst = min(min(pair) for pair in figures.values())
        each = ", ".join(f"{name} {recall:.2f}/{precision:.2f}" for name, (recall, precision) in figures.items())
        lines.append(f"names of domains, {title} (own text), recall/precision: worst {worst:.2f}; {each}")
    return "\n".join(lines)


def name_scores(table: Table, path: Path) -> dict[str, tuple[float, float]]:
    """By name the recall and the precision of a query for it over that name's prompts."""
    from lmsys_store import Conversation, Query
    from lmsys_store.records import Labels

    rows = [json.loads(line) for line in path.read_text(encoding="utf8").split("\n") if line]
    pages = read(table, [(row["prompt"],) for row in rows])
    counts: dict[str, Counter[str]] = {}
    for row, found in zip(rows, classify(pages), strict=True):
        labels = Labels(domain=found.domain, task=found.task, tags=tuple(sorted(prompt_tags(row["prompt"]))))
        message = {"role": "user", "content": row["prompt"]}
        chat = Conversation.model_validate(
            {
                "row_index": 0,
                "conversation_id": "",
                "model": "",
                "messages": (message,),
                "packed_labels": labels.packed(),
            }
        )
        matches = Query.of(domain=row["name"]).matches(chat)
        count = counts.setdefault(row["name"], Counter())
        count["said"] += matches
        count["right"] += row["belongs"]
        count["both"] += matches and row["belongs"]
    return {
        name: (count["both"] / count["right"], count["both"] / max(count["said"], 1)) for name, count in counts.items()
    }
