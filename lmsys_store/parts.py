"""Which part of all rows a row belongs to: its split and its shard. Pure: a function of the row alone, so that it never changes.

The same arithmetic stands three times, here for a row, in storage.compile for SQL, in plans.py for arrays; a test holds them
equal. The hazard: whoever changes it moves rows between train and test, and between the workers of a running loop.
"""

from dataclasses import dataclass
from typing import Final, Literal

from lmsys_store.expressions import Expression
from lmsys_store.records import Conversation

Split = Literal["train", "dev", "test"]

PLACES: Final = 1 << 16
"""The low bits of a family say its place: alike prompts of different families mostly share it (see labels.keys)."""
SPLITS: Final[dict[Split, tuple[int, int]]] = {"train": (0, 52_429), "dev": (52_429, 58_982), "test": (58_982, PLACES)}
"""Of the places, 80 %, 10 % and 10 %."""
UNLABELLED: Final = 40_503
"""A row without labels has no family: its row index times this number, as prime as it is near the golden ratio, stands in."""
GOLDEN: Final = 2_654_435_769
"""2**32 divided by the golden ratio: multiples of it spread row indexes evenly over 32 bits, whatever their steps are."""
LOW_31: Final = (1 << 31) - 1
LOW_32: Final = (1 << 32) - 1


@dataclass(frozen=True)
class Part(Expression):
    """The rows of one split, of one shard, or of both."""

    split: Split | None = None
    shard: tuple[int, int] | None = None

    def matches(self, chat: Conversation) -> bool:
        """Whether the row is in this part."""
        if self.split is not None and split_of(chat.labels.family, chat.row_index) != self.split:
            return False
        return self.shard is None or shard_of(chat.row_index, self.shard[1]) == self.shard[0]


def split_of(family: int | None, row_index: int) -> Split:
    """The split of a family; of the row itself where it has none.

    >>> split_of(0x7FFF_0000_0000_0000, 5), split_of(-1, 5)
    ('train', 'test')
    """
    place = (row_index * UNLABELLED if family is None else family) % PLACES
    return next(name for name, (start, stop) in SPLITS.items() if start <= place < stop)


def shard_of(row_index: int, count: int) -> int:
    """The shard of a row out of ``count``: neighbouring rows, and rows at any regular distance, are spread over all.

    >>> [shard_of(row_index, 3) for row_index in range(9)]
    [0, 1, 0, 2, 1, 0, 2, 0, 2]
    """
    return ((row_index & LOW_31) * GOLDEN & LOW_32) * count >> 32
