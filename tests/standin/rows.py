"""The rows a stand-in serves: any sequence of LMSYS-shaped mappings, or generated ones that exist only while looked at."""

from collections.abc import Mapping, Sequence
from typing import Any, overload

from tests.generated import row

Row = Mapping[str, Any]


class GeneratedRows(Sequence[Row]):
    """``total`` generated rows; row k is made from ``seed`` and k each time it is asked for, and kept nowhere."""

    def __init__(self, total: int, seed: int = 0, *, moderation: bool = True) -> None:
        self._total = total
        self.seed = seed
        self.moderation = moderation

    def __len__(self) -> int:
        return self._total

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(self._total))]
        if not -self._total <= index < self._total:
            raise IndexError(index)
        return row(index % self._total, seed=self.seed, moderation=self.moderation)
