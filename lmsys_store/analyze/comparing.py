"""Two reports side by side: model against model, domain against domain, flagged against not.

Outcomes are compared within strata of what the two have in common (domain, model, whether the user wrote again), so
that two models are not told apart by what they are asked.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np

from lmsys_store.analyze.columns import OUTCOMES
from lmsys_store.analyze.evidence import Cell, Count, Word
from lmsys_store.analyze.report import PatternReport
from lmsys_store.analyze.stratified import LEVEL, Tables, false_discovery, pooled
from lmsys_store.analyze.structures import distinctive
from lmsys_store.analyze.wording import feature_words, outcome_words, percent
from lmsys_store.records import Record

_LEAST_ROWS, _LEAST_EXPECTED = 30, 5.0
_SHARES: Final = 12
_LEAST_SHARE: Final = 0.005


class OutcomeDifference(Record):
    """An outcome in two reports; the odds are the first's over the second's, pooled over what they share."""

    outcome: str
    rate: float
    other_rate: float
    odds_ratio: float
    low: float
    high: float
    q: float
    strata: int
    found: bool

    def __str__(self) -> str:
        verdict = "" if self.found else "; no difference shown"
        return (
            f"{outcome_words(self.outcome)}: {percent(self.rate)} against {percent(self.other_rate)}, odds {self.odds_ratio:.2g} "
            f"times (95 % {self.low:.2g} to {self.high:.2g}; {self.strata} strata){verdict}"
        )


class ShareDifference(Record):
    """How frequent something is in two reports, as shares of their rows."""

    name: str
    share: float
    other_share: float

    @property
    def difference(self) -> float:
        """The first's share less the second's."""
        return self.share - self.other_share

    def __str__(self) -> str:
        return f"{self.name}: {percent(self.share)} against {percent(self.other_share)}"


class Comparison(Record):
    """What sets two sets of rows apart; outcomes with too few rows are left out, and said in ``caveats``."""

    one: str
    other: str
    rows: int
    other_rows: int
    outcomes: tuple[OutcomeDifference, ...]
    shares: tuple[ShareDifference, ...]
    words: tuple[Word, ...]
    other_words: tuple[Word, ...]
    caveats: tuple[str, ...]


def compare(one: PatternReport, other: PatternReport) -> Comparison:
    """Lay two reports side by side; each is called by its level.

    Raises:
        MissingExtraError: scipy is not installed.
    """
    if not one.rows or not other.rows:
        empty = [report.level for report in (one, other) if not report.rows]
        return Comparison(
            one=one.level, other=other.level, rows=one.rows, other_rows=other.rows, outcomes=(), shares=(), words=(),
            other_words=(), caveats=(f"no rows of {' and '.join(empty)}: there is nothing to compare",),
        )  # fmt: skip
    outcomes, lacking = _outcomes(one, other)
    caveats = [f"too few chats of both to compare: {', '.join(map(outcome_words, lacking))}"] if lacking else []
    return Comparison(
        one=one.level, other=other.level, rows=one.rows, other_rows=other.rows, outcomes=outcomes, shares=_shares(one, other),
        words=_words(one, other), other_words=_words(other, one),
        caveats=(*caveats, "observed, not caused: other users may ask these than those; shares count every row, duplicates too"),
    )  # fmt: skip


def _outcomes(one: PatternReport, other: PatternReport) -> tuple[tuple[OutcomeDifference, ...], list[str]]:
    tables = _tables(one, other)
    together = pooled(tables)
    low, high = together.interval()
    contrast = tables.contrast
    enough = [
        at
        for at in range(len(OUTCOMES))
        if together.expected[at] >= _LEAST_EXPECTED
        and min(tables.with_feature[at, contrast[at]].sum(), (tables.c + tables.d)[at, contrast[at]].sum())
        >= _LEAST_ROWS
        and np.isfinite(together.log_odds[at])
    ]
    q = false_discovery(together.p[enough]) if enough else np.array([])
    totals = [float(part.sum()) for part in (tables.with_feature[0], (tables.c + tables.d)[0])]
    found = [
        OutcomeDifference(
            outcome=OUTCOMES[at], rate=float(tables.a[at].sum()) / max(totals[0], 1.0),
            other_rate=float(tables.c[at].sum()) / max(totals[1], 1.0), odds_ratio=float(np.exp(together.log_odds[at])),
            low=float(low[at]), high=float(high[at]), q=float(one_q), strata=int(together.strata[at]),
            found=bool(one_q <= LEVEL and (low[at] > 1 or high[at] < 1)),
        )
        for at, one_q in zip(enough, q.tolist(), strict=True)
    ]  # fmt: skip
    return tuple(found), [name for at, name in enumerate(OUTCOMES) if at not in enough]


def _tables(one: PatternReport, other: PatternReport) -> Tables:
    """An outcome a row, a stratum a column; the first report's rows are those with the feature."""
    shared = [name for name in ("model", "domain") if _values(one.cells, name) & _values(other.cells, name)]
    places: dict[tuple[object, ...], int] = {}
    for cell in (*one.cells, *other.cells):
        places.setdefault(_stratum(cell, shared), len(places))
    counts = np.zeros((2, 2, len(OUTCOMES), max(len(places), 1)))
    for side, cells in enumerate((one.cells, other.cells)):
        for cell in cells:
            at = places[_stratum(cell, shared)]
            for number, name in enumerate(OUTCOMES):
                counts[side, 0, number, at] += cell.outcomes[name]
                counts[side, 1, number, at] += cell.rows - cell.outcomes[name]
    return Tables(counts[0, 0], counts[0, 1], counts[1, 0], counts[1, 1])


def _values(cells: Sequence[Cell], name: str) -> set[str]:
    return {getattr(cell, name) for cell in cells}


def _stratum(cell: Cell, shared: Sequence[str]) -> tuple[object, ...]:
    return (*(getattr(cell, name) for name in shared), cell.answered)


def _shares(one: PatternReport, other: PatternReport) -> tuple[ShareDifference, ...]:
    found = []
    for name, words in (("features", feature_words), ("languages", str), ("domains", str)):
        mine, theirs = _by_name(getattr(one, name)), _by_name(getattr(other, name))
        for value in sorted({*mine, *theirs}):
            share, other_share = mine.get(value, 0) / max(one.rows, 1), theirs.get(value, 0) / max(other.rows, 1)
            found.append(ShareDifference(name=words(value), share=share, other_share=other_share))
    # All of one and none of the other is what was asked for, not what was found.
    told = [pair for pair in found if _LEAST_SHARE <= abs(pair.difference) < 1]
    return tuple(sorted(told, key=lambda pair: (-abs(pair.difference), pair.name))[:_SHARES])


def _by_name(counts: Sequence[Count]) -> dict[str, int]:
    return {one.name: one.rows for one in counts}


def _words(one: PatternReport, other: PatternReport) -> tuple[Word, ...]:
    mine, theirs = Counter(_by_name(one.words)), Counter(_by_name(other.words))
    return distinctive(mine, mine + theirs)
