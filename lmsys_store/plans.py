"""Plans: the row indexes of an answer in their final order, worked out on arrays. Pure; numpy alone.

Whoever asks again with the same rows gets the same plan, on any machine: hashes are splitmix64, sorts have no ties left, and
shares are whole numbers. Its hazard is memory: a plan has 8 bytes a row, and a shuffle is sorted where it lies.
"""

import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isqrt
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lmsys_store.expressions import FIELDS
from lmsys_store.funnel import Funnel
from lmsys_store.operations import Allocation, Operations, OrderBy, Sample
from lmsys_store.parts import GOLDEN, LOW_31, LOW_32, PLACES, SPLITS, UNLABELLED, Split

Integers = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]
Truths = npt.NDArray[np.bool_]

_BLOCK: Final = 1 << 16
_ALL_64: Final = (1 << 64) - 1
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_FRACTIONS: Final = ("rating", "domain_score")
"""Number fields whose values need not be whole; the scores of moderation are others."""


# ------------------------------------------------------------------------------------------------- what is known


class Column:
    """One field of all rows: whole numbers, fractions, or texts as places in a list of words; gathered page by page."""

    def __init__(self, name: str) -> None:
        kind = FIELDS[name].kind
        fraction = name in _FRACTIONS or name.startswith("moderation_score.")
        self.name = name
        self._words: dict[str, int] | None = {} if kind == "text" else None
        self._values: array[Any] = array("d" if fraction else "q")
        self._missing = bytearray()

    def extend(self, values: Sequence[Any]) -> None:
        """Add the values of more rows."""
        self._missing.extend([value is None for value in values])
        words = self._words
        if words is None:
            self._values.extend([0 if value is None else value for value in values])
        else:
            self._values.extend([0 if word is None else words.setdefault(word, len(words)) for word in values])

    @property
    def missing(self) -> Truths:
        """Which rows have no value."""
        return np.frombuffer(self._missing, np.bool_)

    @property
    def ranks(self) -> npt.NDArray[Any]:
        """Numbers that compare as the values do."""
        values: npt.NDArray[Any] = np.frombuffer(self._values, self._values.typecode)
        if self._words is None:
            return values
        rank_of = np.zeros(max(len(self._words), 1), np.int64)
        rank_of[[self._words[word] for word in sorted(self._words)]] = np.arange(len(self._words))
        return np.asarray(rank_of[values])

    def text(self, at: int) -> str:
        """The value of a row, for a note."""
        if self._missing[at]:
            return f"no {self.name}"
        value = self._values[at]
        shown = next(word for word, code in self._words.items() if code == value) if self._words is not None else value
        return f"{self.name} {shown}"


@dataclass
class Columns:
    """The row indexes of a query's rows, ascending, and those fields of them that its operations ask for."""

    fields: dict[str, Column]
    _row_indexes: "array[int]" = field(default_factory=lambda: array("q"))

    @classmethod
    def needed_by(cls, operations: Operations) -> "Columns":
        """Columns to be filled."""
        names: list[str] = []
        if operations.sample is not None:
            names += [*operations.sample.by, *(["family"] if operations.sample.per_family else [])]
        if operations.distinct is not None:
            names.append(_KEYS[operations.distinct])
        if operations.split is not None and operations.narrows_in_order:
            names.append("family")
        if operations.order_by is not None:
            names.append(operations.order_by.field)
        return cls({name: Column(name) for name in dict.fromkeys(names)})

    def extend(self, rows: Sequence[Sequence[Any]]) -> None:
        """Add rows, each its row index and its fields in order."""
        self._row_indexes.extend([row[0] for row in rows])
        for place, column in enumerate(self.fields.values(), 1):
            column.extend([row[place] for row in rows])

    @property
    def row_indexes(self) -> Integers:
        """The row indexes: the memory itself, to be used once."""
        return np.frombuffer(self._row_indexes, np.int64)


_KEYS: Final = {"prompt": "prompt_key", "family": "family"}


@dataclass(frozen=True)
class Bookmark:
    """The row handed over last, and what it was ordered by then."""

    row_index: int
    value: str | float | None = None


@dataclass
class Plan:
    """Row indexes in order, ``start`` of them handed over already, and how many each step left."""

    row_indexes: Integers
    start: int
    funnel: Funnel


def planned(columns: Columns, operations: Operations, bookmark: Bookmark | None, funnel: Funnel) -> Plan:
    """Do the operations to the rows; split and shard only where they could not be asked of the rows before."""
    row_indexes = columns.row_indexes
    at: Integers | None = None
    funnel = funnel.then(len(row_indexes), "matching")
    if operations.sample is not None:
        at, notes = drawn(columns, operations.sample)
        funnel = funnel.then(len(at), "sampled", *notes)
    if operations.distinct is not None:
        at = _first_of_each(columns.fields[_KEYS[operations.distinct]], at)
        funnel = funnel.then(len(at), f"distinct {'prompts' if operations.distinct == 'prompt' else 'families'}")
    if operations.narrows_in_order and at is not None:
        if operations.split is not None:
            at = at[_in_split(columns.fields["family"], row_indexes, operations.split)[at]]
            funnel = funnel.then(len(at), f"in {operations.split}")
        if operations.shard is not None:
            at = at[in_shard(row_indexes[at], *operations.shard)]
            funnel = funnel.then(len(at), shard_name(operations.shard))
    keys = row_indexes if at is None else row_indexes[at]
    if operations.order_by is not None:
        keys, start = _by_field(keys, at, columns.fields[operations.order_by.field], operations.order_by, bookmark)
    elif (seed := seed_of(operations)) is not None:
        start = _shuffle(keys, seed, bookmark)
    else:
        start = 0 if bookmark is None else int(np.searchsorted(keys, bookmark.row_index, "right"))
    return Plan(keys, start, funnel)


def seed_of(operations: Operations) -> int | None:
    """The seed of the order, if one says it."""
    return operations.shuffle if operations.sample is None else operations.sample.seed


def shard_name(shard: tuple[int, int]) -> str:
    """A shard as a funnel calls it."""
    return f"in shard {shard[0]} of {shard[1]}"


# ------------------------------------------------------------------------------------------------------- orders


def hashed(row_indexes: Integers, seed: int) -> Hashes:
    """A hash of each row index, different for different ones; a row's hash does not depend on the others."""
    hashes = row_indexes.astype(np.uint64)
    _mix(hashes, _salt(seed))
    return hashes


def _shuffle(keys: Integers, seed: int, bookmark: Bookmark | None) -> int:
    """Order keys by their hashes, in place: they are hashed, sorted, and hashed back. Gives how many are behind the bookmark."""
    hashes, salt = keys.view(np.uint64), _salt(seed)
    _mix(hashes, salt)
    hashes.sort()
    mark = None if bookmark is None else hashed(np.array([bookmark.row_index], np.int64), seed)[0]
    start = 0 if mark is None else int(np.searchsorted(hashes, mark, "right"))
    _unmix(hashes, salt)
    return start


def _salt(seed: int) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.sha256(str(seed).encode()).digest()[:8], "big"))


def _mix(values: Hashes, salt: np.uint64) -> None:
    """The finalizer of splitmix64 (Steele, Lea and Flood 2014), in place, block by block: one to one on 64 bits."""
    for start in range(0, len(values), _BLOCK):
        block = values[start : start + _BLOCK]
        block ^= salt
        for shift, factor in ((30, _FIRST), (27, _SECOND)):
            block ^= block >> np.uint64(shift)
            block *= np.uint64(factor)
        block ^= block >> np.uint64(31)


def _unmix(values: Hashes, salt: np.uint64) -> None:
    """The inverse of :func:`_mix`."""
    for start in range(0, len(values), _BLOCK):
        block = values[start : start + _BLOCK]
        block ^= (block >> np.uint64(31)) ^ (block >> np.uint64(62))
        for shift, factor in ((27, _SECOND), (30, _FIRST)):
            block *= np.uint64(pow(factor, -1, _ALL_64 + 1))
            block ^= (block >> np.uint64(shift)) ^ (block >> np.uint64(2 * shift))
        block ^= salt


def _by_field(
    keys: Integers, at: Integers | None, column: Column, order: OrderBy, bookmark: Bookmark | None
) -> tuple[Integers, int]:
    """Keys in the order of a field. The bookmark takes its place by what it was ordered by then, whatever became of its row."""
    held = bookmark is not None and bool(np.any(keys == bookmark.row_index))
    if bookmark is not None:
        column.extend([bookmark.value])
    ranks, missing = column.ranks, column.missing
    if bookmark is not None:
        chosen = np.arange(len(ranks) - 1) if at is None else at
        others = keys != bookmark.row_index
        keys, chosen = np.append(keys[others], bookmark.row_index), np.append(chosen[others], len(ranks) - 1)
        ranks, missing = ranks[chosen], missing[chosen]
    elif at is not None:
        ranks, missing = ranks[at], missing[at]
    if order.descending:
        ranks = -ranks if ranks.dtype.kind == "f" else ~ranks  # minus the least integer would be itself
    keys = keys[np.lexsort((keys, ranks, missing))]
    if bookmark is None:
        return keys, 0
    start = int(np.flatnonzero(keys == bookmark.row_index)[0])
    return (keys, start + 1) if held else (np.delete(keys, start), start)


# ---------------------------------------------------------------------------------------------- which of the rows


def _first_of_each(column: Column, at: Integers | None) -> Integers:
    """The first row of each key; a row without a key is like no other."""
    at = np.arange(len(column.missing)) if at is None else at
    missing = column.missing[at]
    keyed = at[~missing]
    _, first = np.unique(column.ranks[keyed], return_index=True)
    return np.sort(np.concatenate([keyed[first], at[missing]]))


def _in_split(family: Column, row_indexes: Integers, split: Split) -> Truths:
    start, stop = SPLITS[split]
    places = np.where(family.missing, row_indexes * UNLABELLED, family.ranks) & (PLACES - 1)
    return np.asarray((start <= places) & (places < stop))


def in_shard(row_indexes: Integers, number: int, count: int) -> Truths:
    """Whether each row is in a shard; parts.py says the same of one."""
    return np.asarray(((row_indexes & LOW_31) * GOLDEN & LOW_32) * count >> 32 == number)


def drawn(columns: Columns, sample: Sample) -> tuple[Integers, list[str]]:
    """The places of a sample's rows, ascending, and why a stratum gave fewer than its share, a note each."""
    row_indexes = columns.row_indexes
    hashes = hashed(row_indexes, sample.seed)
    at: Integers = np.arange(len(row_indexes))
    if sample.per_family is not None:
        at = _capped(columns.fields["family"], hashes, sample.per_family)
    all_strata = _strata([columns.fields[name] for name in sample.by], len(row_indexes))
    strata = all_strata[at]
    sizes = np.bincount(strata, minlength=int(all_strata.max(initial=-1)) + 1).tolist()
    given = allotted(sizes, sample.number, sample.allocation)
    order = np.lexsort((hashes[at], strata))
    rank = _rank_in_group(strata[order])
    chosen = np.sort(at[order[rank < np.array(given, np.int64)[strata[order]]]])
    return chosen, _shortfalls(columns, sample, all_strata, sizes, given)


def allotted(sizes: Sequence[int], number: int, allocation: Allocation) -> list[int]:
    """How many of ``number`` each stratum gives: by largest remainders, what a small one cannot give going to the others.

    >>> allotted([60, 30, 10], 10, "proportional"), allotted([60, 30, 1], 10, "equal"), allotted([100, 25, 4], 17, "sqrt")
    ([6, 3, 1], [5, 4, 1], [10, 5, 2])
    """
    weights = _weights(sizes, allocation)
    given, left = [0] * len(sizes), min(number, sum(sizes))
    unfilled = [at for at, size in enumerate(sizes) if size]
    while unfilled:
        total = sum(weights[at] for at in unfilled)
        full = [at for at in unfilled if left * weights[at] > sizes[at] * total]
        if not full:
            for at, share in zip(unfilled, _shares([weights[at] for at in unfilled], left), strict=True):
                given[at] = share
            break
        for at in full:
            given[at] = sizes[at]
            left -= sizes[at]
        unfilled = [at for at in unfilled if at not in set(full)]
    return given


def _weights(sizes: Sequence[int], allocation: Allocation) -> list[int]:
    """Whole numbers, so that no machine rounds otherwise."""
    if allocation == "equal":
        return [int(size > 0) for size in sizes]
    return [isqrt(size << 40) if allocation == "sqrt" else size for size in sizes]


def _shares(weights: Sequence[int], number: int) -> list[int]:
    """A number cut by weights: whole parts, then one more for the largest remainders; of equal ones, for the first."""
    total = sum(weights)
    shares = [number * weight // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda at: (-(number * weights[at] % total), at))
    for at in by_remainder[: number - sum(shares)]:
        shares[at] += 1
    return shares


def _capped(family: Column, hashes: Hashes, cap: int) -> Integers:
    """The places of at most ``cap`` rows of each family, those of the smallest hashes; ascending."""
    ranks, missing = family.ranks, family.missing
    order = np.lexsort((hashes, ranks, missing))
    rank = _rank_in_group(ranks[order])
    return np.sort(order[(rank < cap) | missing[order]])


def _rank_in_group(sorted_groups: npt.NDArray[Any]) -> Integers:
    """The place of each within its run of equal ones."""
    places = np.arange(len(sorted_groups))
    begins = np.ones(len(sorted_groups), np.bool_)
    begins[1:] = sorted_groups[1:] != sorted_groups[:-1]
    return np.asarray(places - np.maximum.accumulate(np.where(begins, places, 0)), np.int64)


def _strata(columns: Sequence[Column], count: int) -> Integers:
    """The stratum of each row: numbered in the order of the values, a missing one first."""
    strata = np.zeros(count, np.int64)
    for column in columns:
        _, codes = np.unique(column.ranks, return_inverse=True)
        codes = np.where(column.missing, 0, codes + 1)
        _, strata = np.unique(strata * (int(codes.max(initial=0)) + 1) + codes, return_inverse=True)
    return strata


def _shortfalls(
    columns: Columns, sample: Sample, strata: Integers, sizes: Sequence[int], given: Sequence[int]
) -> list[str]:
    if not sizes:
        return []
    weights = _weights(sizes, sample.allocation)
    wanted = _shares(weights, sample.number) if sum(weights) else [0] * len(sizes)
    before = np.bincount(strata, minlength=len(sizes))
    notes = []
    for stratum, (share, number) in enumerate(zip(wanted, given, strict=True)):
        if number < share:
            one = int(np.argmax(strata == stratum))
            name = ", ".join(columns.fields[by].text(one) for by in sample.by) or "all rows"
            capped = f" ({before[stratum]:,} before the cap)" if before[stratum] > sizes[stratum] else ""
            notes.append(f"{name}: {number:,} of {share:,} asked for, all there are{capped}")
    return notes
