"""What a conversation is about (domain) and what is asked of the model (task): by the weights of its words.

They come from ``make labels`` (training/domains.py); the table is read when the first row is classified.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from lmsys_store.labels.linear import Scores, deciding_words, scores_of, shipped_table
from lmsys_store.labels.words import SUBJECTS, words_of
from lmsys_store.vocabulary import DOMAINS, TASKS

TABLE: Final = "words.json.z"
_ENOUGH: Final = 60
"""Characters of prompts that are read at least, if there are so many: a chat that opens with "hi" is about what comes next."""
_SECOND: Final = 0.6
"""How near the second choice must come to the first to be named, as a share of its score."""
_DIGITS: Final = 2


class Classified(NamedTuple):
    """Domain and task of a prompt with their scores (0 to 1), close seconds, and tags."""

    domain: str
    domain_score: float
    second_domain: str | None
    task: str
    task_score: float
    second_task: str | None
    tags: tuple[str, ...]


def text_of(prompts: Sequence[str]) -> str:
    """The prompts that say what a chat is about: the first, and further ones while they are very short."""
    text = prompts[0]
    for prompt in prompts[1:]:
        if len(text) >= _ENOUGH:
            break
        text = f"{text}\n{prompt}"
    return text


def classify(chats: Sequence[Sequence[str]]) -> list[Classified]:
    """Domain, task and subject tags of conversations, each given as its prompts."""
    features = [words_of(text_of(prompts)) for prompts in chats]
    found = scores_of(features, shipped_table(TABLE))
    return [
        Classified(*domain, *task, tuple(tag for rule, tag in SUBJECTS.items() if rule in words))
        for domain, task, words in zip(_choices(found["domain"]), _choices(found["task"]), features, strict=True)
    ]


def words_that_decided(prompts: Sequence[str], axis: str) -> tuple[str, ...]:
    """The words that spoke most for the domain (or the task) of a conversation."""
    words, table = words_of(text_of(prompts)), shipped_table(TABLE)
    return deciding_words(words, table, axis, scores_of([words], table)[axis].ranked()[0][0])


def _choices(scores: Scores) -> list[tuple[str, float, str | None]]:
    """Of each text: the first class with its score, and the second where it comes close."""
    names = scores.axis.names
    return [
        (names[first], round(score, _DIGITS), names[second] if other >= _SECOND * score else None)
        for first, score, second, other in scores.best_two()
    ]


DOMAIN_AND_TASK: Final = {"domain": DOMAINS, "task": TASKS}
"""The axes of the table."""
