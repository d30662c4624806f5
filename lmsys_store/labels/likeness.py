"""Whether two prompts ask the same: what an exchange of one word says, for a user who asks again and for near-duplicates alike."""

from collections.abc import Set as AbstractSet
from typing import Final

from rapidfuzz import fuzz

_OTHER: Final = 60.0
"""Words less alike than this (0 to 100) are no two spellings or forms of one."""


def word_exchanged(ones: AbstractSet[str], others: AbstractSet[str]) -> bool:
    """Whether the words of two prompts differ in one, and that in more than a slip of the finger: the same asked about something else.

    >>> word_exchanged({"poem", "about", "cats"}, {"poem", "about", "houses"}), word_exchanged({"poem", "cats"}, {"poem", "cast"})
    (True, False)
    """
    gone, new = ones - others, others - ones
    return len(gone) == len(new) == 1 and fuzz.ratio(*gone, *new) < _OTHER
