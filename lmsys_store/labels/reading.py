"""One pass over the texts of many chats: each is cut into words once, and all models read the same words. Pure.

A text is read in part: what a chat is about stands at its beginning and its end, and what is said of a reply is said at once.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np

from lmsys_store.labels.features import Features, features_of, words_of
from lmsys_store.labels.table import Table
from lmsys_store.labels.tokenizer import places_within

PROMPT: Final = (900, 300)
MESSAGE: Final = (260, 120)
REPLY: Final = (300, 0)
"""Characters that are read of a first prompt, a later message and a reply: at the beginning, and at the end."""
_ENOUGH: Final = 60
"""Characters of prompts that are read at least, if there are so many: a chat that opens with "hi" is about what comes next."""
_FEWEST_LETTERS: Final = 2
_KNOWN: Final = 0.5
"""The share of a text's letters that must stand in known words: of a language that nobody taught, nothing is said."""


class Round(NamedTuple):
    """A prompt, the reply, and the user's next message if there is one."""

    prompt: str
    reply: str
    message: str | None = None


def part_of(text: str, size: tuple[int, int]) -> str:
    """The part of a text that is read: its beginning and its end."""
    head, tail = size
    if len(text) <= head + tail:
        return text
    return f"{text[:head]}\n{text[-tail:]}" if tail else text[:head]


def subject_of(prompts: Sequence[str]) -> str:
    """The prompts that say what a chat is about: the first, and further ones while they are very short."""
    text = prompts[0]
    for prompt in prompts[1:]:
        if len(text) >= _ENOUGH:
            break
        text = f"{text}\n{prompt}"
    return text


class Texts:
    """Different texts as words: the words of each, and its vector. ``count`` of them, by number."""

    def __init__(self, table: Table, texts: Sequence[str]) -> None:
        self.table, self.count = table, len(texts)
        self._tokens = table.tokenizer.cut(texts)
        self.words = words_of(self._tokens)
        self.vectors = table.vectors(self.words, self.count)
        self.last_marks = [text.rstrip()[-1:] for text in texts]
        self.sizes = np.fromiter(map(len, texts), np.int64, self.count)
        self.word_counts = self._tokens.counts
        self.known = self._known_share() >= _KNOWN

    def _known_share(self) -> Any:
        """The share of each text's letters that stand in known words; 0 where there is no word to speak of."""
        tokens = self._tokens
        meaning = np.flatnonzero(tokens.ids < self.table.meanings)
        covered = np.bincount(tokens.texts[meaning], (tokens.ends - tokens.starts)[meaning], self.count)
        return np.where(tokens.letters < _FEWEST_LETTERS, 0.0, covered / np.maximum(tokens.letters, 1))

    def features(self, numbers: Any) -> Features:
        """What a model weighs in the texts of these numbers."""
        wanted = np.zeros(self.count, bool)
        wanted[numbers] = True
        return features_of(self._tokens, wanted)

    @cached_property
    def _by_rarity(self) -> tuple[Any, Any, Any, Any]:
        """How much each word counts, and each text; where a text's words begin; text and word as one number, -1 at the end."""
        words = self.words
        rarity = self.table.rarity[words.keys]
        starts = np.searchsorted(words.texts, np.arange(self.count + 1))
        places = np.append(words.texts << 32 | words.keys, -1)
        return rarity, np.bincount(words.texts, rarity, self.count), starts, places

    def shared(self, ones: Any, others: Any) -> tuple[Any, Any]:
        """For pairs of texts: how much of the first stands in the second, and of the second in the first. 0 to 1, by rarity."""
        rarity, whole, starts, places = self._by_rarity
        sizes = (starts[1:] - starts[:-1])[ones]
        pairs = np.repeat(np.arange(len(ones)), sizes)
        at = places_within(sizes) + starts[ones][pairs]
        looked_for = others[pairs] << 32 | self.words.keys[at]
        found = np.searchsorted(places[:-1], looked_for)
        hits = places[found] == looked_for
        common = np.bincount(pairs[hits], rarity[at[hits]], len(ones))
        return common / np.maximum(whole[ones], 1), common / np.maximum(whole[others], 1)


class Pages(NamedTuple):
    """The texts of some chats, and which of them are what: numbers of texts, a round in a row of ``rounds``.

    ``subjects`` has a number a chat. ``rounds`` are all rounds with a reply, chat by chat: columns prompt, reply, next message
    (-1: none).
    """

    texts: Texts
    subjects: Any
    rounds: Any


def read(table: Table, chats: Iterable[Sequence[str]]) -> Pages:
    """The texts of chats, each given as its messages, the user's first."""
    numbers: dict[str, int] = {}
    subjects, rounds = [], []

    def number(text: str, size: tuple[int, int]) -> int:
        return numbers.setdefault(part_of(text, size), len(numbers))

    for messages in chats:
        subjects.append(number(subject_of(messages[::2]), PROMPT))
        prompt = number(messages[0], PROMPT)
        for place in range(1, len(messages), 2):
            message = number(messages[place + 1], MESSAGE) if place + 1 < len(messages) else -1
            rounds.append((prompt, number(messages[place], REPLY), message))
            prompt = message
    texts = Texts(table, list(numbers))
    return Pages(texts, np.array(subjects, np.int64), np.array(rounds, np.int64).reshape(-1, 3))
