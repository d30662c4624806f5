"""Bottom-k samples: of all keys those with the smallest fixed hash. No order of the rows and no cut of them changes what is kept.

A key that is not among the k smallest now can never be later, so what is dropped need not be remembered, and samples of parts
merge to the sample of the whole. Up to k keys nothing is dropped, and every figure taken from the sample is exact.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.uint64]
_LEAST_BUFFER: Final = 1 << 16


def hashed(text: str) -> int:
    """64 bits of a text, the same on every machine."""
    return int.from_bytes(blake2b(text.encode("utf8", "surrogatepass"), digest_size=8).digest(), "big")


class Smallest:
    """Rows by key: of every key the row of smallest rank, of all keys the ``limit`` smallest.

    Args:
        limit: how many keys are kept.
        columns: the names of what is kept of a row, with its type in numpy.
    """

    def __init__(self, limit: int, columns: Mapping[str, Any]) -> None:
        self.limit = limit
        self._types = {"key": np.uint64, "rank": np.uint64, **columns}
        self._parts: list[dict[str, NDArray[Any]]] = []
        self._buffered = 0
        self._kept = self._nothing()
        self.cut = False

    def _nothing(self) -> dict[str, NDArray[Any]]:
        return {name: np.empty(0, dtype) for name, dtype in self._types.items()}

    def may_enter(self, keys: Numbers) -> NDArray[np.bool_]:
        """Which keys are not too large already: most of what comes late is, and need not be made ready."""
        return keys <= self._kept["key"][-1] if self.cut else np.ones(len(keys), bool)

    def add(self, **columns: NDArray[Any]) -> None:
        """Some rows: ``key`` (hashed already), ``rank``, and the columns."""
        self._parts.append(columns)
        self._buffered += len(columns["key"])
        if self._buffered > max(_LEAST_BUFFER, len(self._kept["key"]) // 2):
            self._compact()

    def merge(self, other: "Smallest") -> None:
        """The rows of another."""
        other._compact()
        self.cut |= other.cut
        self._parts.append(other._kept)
        self._buffered += len(other._kept["key"])
        self._compact()

    def _compact(self) -> None:
        if not self._parts:
            return
        parts = [self._kept, *self._parts]
        joined = {name: np.concatenate([part[name] for part in parts]) for name in self._types}
        self._parts, self._buffered = [], 0
        order = np.lexsort((joined["rank"], joined["key"]))
        keys = joined["key"][order]
        first = np.ones(len(keys), bool)
        first[1:] = keys[1:] != keys[:-1]
        chosen = order[first]
        self.cut |= len(chosen) > self.limit
        self._kept = {name: column[chosen[: self.limit]] for name, column in joined.items()}

    def columns(self) -> dict[str, NDArray[Any]]:
        """What is kept, in the order of the keys."""
        self._compact()
        return self._kept

    def __len__(self) -> int:
        return len(self.columns()["key"])

    def distinct(self) -> tuple[int, float]:
        """How many distinct keys there were, and the relative standard error of that number: 0 where it was counted.

        The k-th smallest of n even numbers lies near k/n: Bar-Yossef et al., "Counting distinct elements" (2002).
        """
        keys = self.columns()["key"]
        if not self.cut:
            return len(keys), 0.0
        return round((self.limit - 1) / (float(keys[-1]) / 2.0**64)), (self.limit - 2) ** -0.5

    def __getstate__(self) -> dict[str, Any]:
        self._compact()
        return self.__dict__


def numbers(values: Sequence[int]) -> Numbers:
    """Python's numbers as 64 bits, whatever their sign."""
    return np.array(values, np.int64).view(np.uint64)
