"""The three models: what each reads of its examples, and how it is trained."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from lmsys_store.labels.facts import Likeness, message_facts, reply_facts
from lmsys_store.labels.reading import PROMPT, Texts, part_of, read
from lmsys_store.labels.replies import ends_with_question
from lmsys_store.labels.table import Table
from lmsys_store.vocabulary import DOMAINS, TASKS
from training.examples import (
    KINDS,
    OWN,
    REPLY_KINDS,
    Example,
    chat_messages,
    exam_prompts,
    own_messages,
    own_prompts,
    own_replies,
    own_terms,
    plain_replies,
    public_messages,
    public_prompts,
    public_replies,
)
from training.learning import Design, Recipe

RECIPES: Final = {
    "prompt": Recipe(
        axes={"domain": (tuple(DOMAINS), 0.7), "task": (tuple(TASKS), 1.0)},
        strengths={"domain": (20.0, 1.0), "task": (20.0, 0.5)},
        by_rarity=True,
    ),
    "message": Recipe(axes={"feedback": (KINDS, 1.0)}, strengths={"feedback": (20.0, 0.25)}, first_words=3.0),
    "reply": Recipe(axes={"reply": (REPLY_KINDS, 1.0)}, strengths={"reply": (5.0, 0.5)}),
}
"""Temperatures change no prediction: at 0.7 the scores of domains say how often they are right."""


def prompt_design(table: Table, examples: Sequence[Example]) -> Design:
    """Prompts, for domain and task."""
    parts = [part_of(example.messages[0], PROMPT) for example in examples]
    numbers = {part: number for number, part in enumerate(dict.fromkeys(parts))}
    texts = Texts(table, list(numbers))
    places = np.array([numbers[part] for part in parts])
    return Design(examples, texts.features(places), texts.vectors, places, (), texts.known[places])


def message_design(table: Table, examples: Sequence[Example]) -> Design:
    """Later messages, for feedback."""
    texts, _, rounds = read(table, [example.messages for example in examples])
    asked = np.array([ends_with_question(example.messages[1]) for example in examples])
    facts = message_facts(texts, rounds, Likeness(texts, rounds), asked)
    messages = rounds[:, 2]
    return Design(examples, texts.features(messages), texts.vectors, messages, facts, texts.known[messages])


def reply_design(table: Table, examples: Sequence[Example]) -> Design:
    """Replies, for refusals and disclaimers."""
    texts, _, rounds = read(table, [example.messages for example in examples])
    replies = rounds[:, 1]
    sizes = np.array([len(example.messages[1]) for example in examples])
    return Design(examples, texts.features(replies), texts.vectors, replies, reply_facts(sizes), texts.known[replies])


DESIGNS: Final[Mapping[str, Callable[[Table, Sequence[Example]], Design]]] = {
    "prompt": prompt_design, "message": message_design, "reply": reply_design,
}  # fmt: skip


def prompt_examples(folder: Path) -> list[Example]:
    """All prompts that teach."""
    return [*own_prompts(), *own_terms(), *exam_prompts(folder), *public_prompts(folder)]


def message_examples(folder: Path) -> list[Example]:
    """All later messages that teach."""
    chats = [*chat_messages(OWN / "chats.jsonl", "chats"), *chat_messages(folder / "feedback_dev.jsonl", "hard chats")]
    return [*own_messages(), *chats, *public_messages(folder)]


def reply_examples(folder: Path) -> list[Example]:
    """All replies that teach."""
    return [*public_replies(folder), *own_replies(), *plain_replies(folder)]


EXAMPLES: Final[Mapping[str, Callable[[Path], list[Example]]]] = {
    "prompt": prompt_examples, "message": message_examples, "reply": reply_examples,
}  # fmt: skip
