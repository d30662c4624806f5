"""What a user's next message shares with the prompt and the reply before it: words, never meaning."""

import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from lmsys_store.labels.likeness import things_exchanged, word_exchanged
from lmsys_store.search import tokens

_COMPARED: Final = 400
"""Characters of prompt and message that are compared."""
_ANSWER: Final = 800
_TERM_WITHIN: Final = 60
_TERM_WORDS: Final = 3
_SHARED: Final = 0.6
_NOTHING: Final = 9
_SHORTEST: Final = 8
_CJK: Final = "\u2e80"
_TERM: Final = re.compile(
    r"\W*(?:and |so )?(?:what(?:'s|s| is| are| does)|who(?:'s| is| are)|meaning of|define|was ist|qué es|que es|o que é|c'est quoi|что такое)\b(.*)",
    re.IGNORECASE,
)
_COMMON: Final = frozenset(
    (
        "the and for that this with what how you can are was is it its from have has had not but all any out get got "
        "use about into your our their his her they them who why when where which will would could should does did "
        "do please make write give tell want need just like one some more other than then there here que los las una "
        "por para con como der die das und ein eine ist wie was les des une est pour dans comment как что это для "
        "или the mean"
    ).split()
)


@dataclass(frozen=True)
class Round:
    """A prompt, the reply, and the user's next message."""

    earlier: str
    reply: str
    message: str

    @cached_property
    def stripped(self) -> str:
        """The message without white space around it."""
        return self.message.strip()

    @cached_property
    def words(self) -> list[str]:
        """The message's words."""
        return tokens(self.stripped[:_COMPARED])

    @cached_property
    def asked_first(self) -> list[str]:
        """The earlier prompt's words."""
        return tokens(self.earlier.strip()[:_COMPARED])

    @cached_property
    def answered(self) -> AbstractSet[str]:
        """The words of the reply's beginning."""
        return set(tokens(self.reply[:_ANSWER]))

    @cached_property
    def _carrying(self) -> AbstractSet[str]:
        return _stems(self.words)

    @cached_property
    def _carried_first(self) -> AbstractSet[str]:
        return _stems(self.asked_first)

    @property
    def reply_asks(self) -> bool:
        """Whether the reply ends with a question."""
        return self.reply.rstrip().endswith(("?", "？"))

    @property
    def _comparable(self) -> bool:
        return max(len(self.earlier), len(self.stripped)) <= _COMPARED

    def is_resent(self) -> bool:
        """Whether the earlier prompt is sent again, in the same words."""
        return self.stripped == self.earlier.strip() or (self._comparable and self.words == self.asked_first)

    def is_of_other_things(self) -> bool:
        """Whether the earlier prompt is asked again about something else: another question."""
        return things_exchanged(self.asked_first, self.words)

    def is_asked_again(self) -> bool:
        """Whether the message has most of the words that carry the earlier prompt."""
        if not self._comparable or min(len(self.earlier), len(self.stripped)) < _SHORTEST:
            return False
        ones, others = self._carried_first, self._carrying
        shared = len(ones & others)
        return shared > 1 and shared >= _SHARED * min(len(ones), len(others)) and not word_exchanged(ones, others)

    def asks_of_term(self) -> bool:
        """Whether a short question is about a word that the reply brought up."""
        match = _TERM.match(self.stripped) if len(self.stripped) < _TERM_WITHIN else None
        asked = set() if match is None else {word for word in tokens(match[1]) if _carries(word)}
        return 0 < len(asked) <= _TERM_WORDS and asked <= self.answered and not asked <= set(self.asked_first)

    def brings_number(self) -> bool:
        """Whether the message has a number that the reply has not."""
        return any(word not in self.answered for word in self.words if word[0] in "0123456789" and word.isdigit())

    def taken_up(self) -> float | None:
        """The share of the message's longer words that the reply has; None where there are too few to tell."""
        words = {word for word in self.words if len(word) > 4}
        return len(words & self.answered) / len(words) if len(words) > 2 else None

    def shares(self) -> tuple[int, int, int]:
        """How much of the message stands in the prompt and in the reply, and of the prompt in the message; 0 to 4, 9 for nothing."""
        carrying, before = self._carrying, self._carried_first
        answer = {word[:4] for word in self.answered}
        return _share(carrying, before), _share(carrying, answer), _share(before, carrying)


def _share(some: AbstractSet[str], others: AbstractSet[str]) -> int:
    if not some:
        return _NOTHING
    share = len(some & others) / len(some)
    return (share > 0) + (share >= 0.25) + (share >= 0.5) + (share >= 0.75)


def _carries(word: str) -> bool:
    """Whether a word carries a meaning; each CJK character does."""
    return word not in _COMMON and (len(word) > 2 or word > _CJK)


def _stems(words: Iterable[str]) -> set[str]:
    """The beginnings of the words that carry a meaning."""
    return {word[:4] for word in words if word not in _COMMON and (len(word) > 2 or word > _CJK)}
