"""Interval arithmetic of the coverage map, held against sets of row indexes."""

import random

from hypothesis import given
from hypothesis import strategies as st

from lmsys_store.intervals import Interval, merged, missing, size

_ends = st.integers(0, 60)
_interval = st.tuples(_ends, _ends)
_intervals = st.lists(_interval, max_size=12)


def rows(intervals: list[Interval] | list[tuple[int, int]]) -> set[int]:
    return {row for start, stop in intervals for row in range(start, stop)}


def is_canonical(intervals: list[Interval]) -> bool:
    """Ascending, none empty, with a gap between any two."""
    ends = [end for interval in intervals for end in interval]
    return ends == sorted(set(ends))


@given(_intervals)
def test_merging_keeps_the_rows_in_the_fewest_intervals(intervals: list[tuple[int, int]]) -> None:
    result = merged(intervals)
    assert rows(result) == rows(intervals)
    assert is_canonical(result)


@given(_intervals, st.integers(0, 99))
def test_merging_does_not_mind_order_or_repetition(intervals: list[tuple[int, int]], seed: int) -> None:
    shuffled = intervals + intervals[:3]
    random.Random(seed).shuffle(shuffled)
    assert merged(shuffled) == merged(intervals)
    assert merged(merged(intervals)) == merged(intervals)


@given(_interval, _intervals)
def test_missing_is_the_whole_less_what_is_covered(whole: tuple[int, int], covered: list[tuple[int, int]]) -> None:
    gaps = missing(whole, covered)
    assert rows(gaps) == rows([whole]) - rows(covered)
    assert is_canonical(gaps)


@given(_interval, _intervals)
def test_nothing_is_missing_once_the_gaps_are_filled(whole: tuple[int, int], covered: list[tuple[int, int]]) -> None:
    assert missing(whole, [*covered, *missing(whole, covered)]) == []


@given(_intervals)
def test_size_counts_the_rows(intervals: list[tuple[int, int]]) -> None:
    assert size(merged(intervals)) == len(rows(intervals))


def test_a_whole_split_of_unknown_end_needs_no_memory() -> None:
    assert missing((0, 2**62), [(0, 5), (10, 2**61)]) == [Interval(5, 10), Interval(2**61, 2**62)]
