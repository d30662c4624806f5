"""What a conversation is about (domain) and what is asked of the model (task): one linear model over its first prompt. Pure."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from lmsys_store.labels.features import FACT, KIND_BITS, describe
from lmsys_store.labels.reading import Pages, Texts, read, subject_of
from lmsys_store.labels.table import Model, norms, shipped_table

MODEL: Final = "prompt"
_SECOND: Final = 0.6
"""How near the second choice must come to the first to be named, as a share of its score."""
_DIGITS: Final = 2
_DECIDING: Final = 5
_UNREAD: Final = "general"
"""The domain of a prompt in a language that the table does not know."""


class Classified(NamedTuple):
    """Domain and task of a prompt with their scores (0 to 1), and close seconds."""

    domain: str
    domain_score: float
    second_domain: str | None
    task: str
    task_score: float
    second_task: str | None


def classify(pages: Pages) -> list[Classified]:
    """Domain and task of each conversation."""
    texts, subjects = pages.texts, pages.subjects
    model = texts.table.models[MODEL]
    scores = model.scores(texts.features(subjects), texts.vectors, subjects)
    domains, tasks = (_choices(model.axes[axis].names, scores[axis]) for axis in ("domain", "task"))
    known = texts.known[subjects].tolist()
    return [
        Classified(*(domain if read else (_UNREAD, 0.0, None)), *task)
        for domain, task, read in zip(domains, tasks, known, strict=True)
    ]


def _choices(names: Any, scores: Any) -> list[tuple[str, float, str | None]]:
    """Of each text the first class with its score, and the second where it comes close; ties in the order of the names."""
    rows = np.arange(len(scores))
    first = scores.argmax(axis=1)
    best = scores[rows, first]
    others = scores.copy()
    others[rows, first] = -1.0
    second = others.argmax(axis=1)
    close = others[rows, second] >= _SECOND * best
    return [
        (names[one], score, names[two] if near else None)
        for one, score, two, near in zip(
            first.tolist(), np.round(best, _DIGITS).tolist(), second.tolist(), close.tolist(), strict=True
        )
    ]


def words_that_decided(prompts: Sequence[str], axis: str) -> tuple[str, ...]:
    """The words and pairs that spoke most for the domain (or the task) of a conversation, the strongest first.

    The model is linear: what a word speaks for a class is its own weight and its share of the text's vector.
    """
    table = shipped_table()
    texts, subjects, _ = read(table, [(subject_of(prompts),)])
    model = table.models[MODEL]
    features = texts.features(subjects)
    best = int(model.scores(features, texts.vectors, subjects)[axis][0].argmax())
    column = model.axes[axis].columns.start + best
    shares = model.shares(features.keys, column)
    for word, share in zip(texts.words.keys.tolist(), _shares_of_vectors(texts, model, column), strict=True):
        shares[word] = shares.get(word, 0.0) + share
    spoken = [(share, key) for key, share in shares.items() if share > 0 and key >> KIND_BITS != FACT]
    strongest = sorted(spoken, key=lambda pair: (-pair[0], pair[1]))[:_DECIDING]
    return tuple(describe(key, table.tokenizer.words) for _, key in strongest)


def _shares_of_vectors(texts: Texts, model: Model, column: int) -> list[float]:
    """What the vector of each word of the only text speaks for a class."""
    direction = model.directions[:, column] * model.direction_scale / norms(texts.vectors)[0]
    shares: list[float] = (texts.table.word_vectors(texts.words.keys) @ direction).tolist()
    return shares
