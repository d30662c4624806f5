"""Whether two prompts ask the same: what an exchange of one word says, for users who ask again and for near-duplicates."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from rapidfuzz import fuzz

_FRAME: Final = 0.6
"""The share of words, each at its place, that make a frame."""
_SHORTEST_FRAME: Final = 4
_OTHER: Final = 60.0
"""Words less alike than this (0 to 100) are no two spellings or forms of one."""


def word_exchanged(ones: AbstractSet[str], others: AbstractSet[str]) -> bool:
    """Whether the words of two prompts differ in one, and in more than a slip of the finger: another thing is asked about.

    >>> word_exchanged({"poem", "about", "cats"}, {"poem", "about", "houses"}), word_exchanged({"poem", "cats"}, {"poem", "cast"})
    (True, False)
    """
    gone, new = ones - others, others - ones
    return len(gone) == len(new) == 1 and fuzz.ratio(*gone, *new) < _OTHER


def things_exchanged(words: Sequence[str], others: Sequence[str]) -> bool:
    """Whether two prompts have one frame around other things: as many words, most of them the same, the rest nothing alike.

    >>> things_exchanged("how far is rome from nice".split(), "how far is paris from lyon".split())
    True
    """
    if len(words) != len(others) or len(words) < _SHORTEST_FRAME:
        return False
    exchanged = [(one, other) for one, other in zip(words, others, strict=True) if one != other]
    if not exchanged or len(exchanged) > (1 - _FRAME) * len(words):
        return False
    return all(fuzz.ratio(one, other) < _OTHER for one, other in exchanged)
