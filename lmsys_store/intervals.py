"""Intervals of row indexes: what is covered, what is missing. Pure arithmetic; the table is read and written elsewhere."""

from collections.abc import Iterable
from typing import Final, NamedTuple


class Interval(NamedTuple):
    """Row indexes from ``start`` (included) to ``stop`` (excluded)."""

    start: int
    stop: int


def merged(intervals: Iterable[tuple[int, int]]) -> list[Interval]:
    """The same rows as few ascending intervals.

    >>> merged([(5, 7), (0, 2), (2, 5), (9, 10)])
    [Interval(start=0, stop=7), Interval(start=9, stop=10)]
    """
    result: list[Interval] = []
    for start, stop in sorted(intervals):
        if start >= stop:
            continue
        if result and start <= result[-1].stop:
            result[-1] = Interval(result[-1].start, max(stop, result[-1].stop))
        else:
            result.append(Interval(start, stop))
    return result


def missing(whole: tuple[int, int], covered: Iterable[tuple[int, int]]) -> list[Interval]:
    """What of ``whole`` is in none of the covered intervals.

    >>> missing((0, 10), [(2, 4), (3, 6)])
    [Interval(start=0, stop=2), Interval(start=6, stop=10)]
    """
    start, stop = whole
    gaps = []
    for held in merged(covered):
        if held.stop <= start:
            continue
        if held.start >= stop:
            break
        if held.start > start:
            gaps.append(Interval(start, held.start))
        start = max(start, held.stop)
    if start < stop:
        gaps.append(Interval(start, stop))
    return gaps


UNKNOWN_END: Final = 2**62
"""Stands for the end of a split whose number of rows nobody has said yet."""


def earliest(*ends: int | None) -> int:
    """The smallest of the ends that are known.

    >>> earliest(None, 7, 3), earliest(None) == UNKNOWN_END
    (3, True)
    """
    return min((end for end in ends if end is not None), default=UNKNOWN_END)


def size(intervals: Iterable[tuple[int, int]]) -> int:
    """How many rows the intervals hold; they must not overlap."""
    return sum(stop - start for start, stop in intervals)
