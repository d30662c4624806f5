"""Which features of a prompt go with which outcomes: like compared with like, the whole family held to one rate of error.

One row a (family, model), so that a template sent three hundred times is one observation; strata of model, domain and whether the
user wrote again, so that what a domain or a model is like is not taken for what a feature does. See stratified.py for the tests.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lmsys_store.analyze.evidence import Association, Untested
from lmsys_store.analyze.stratified import (
    Floats,
    Pooled,
    Tables,
    false_discovery,
    holds_without_any,
    homogeneity,
    pooled,
    tables_of,
)

CELL: Final = 30
"""Rows with the feature, and without it, in strata with contrast."""
EXPECTED: Final = 5.0
"""The least count that must be expected in each of the four cells, all strata together."""
FLOOR: Final = 0.02
"""The smallest risk difference worth telling; of a rare outcome half its rate is enough."""
MOST_FALSE: Final = 0.03
"""The share of false findings aimed at: a margin below 5 %, for what the tests' normal approximation misses in small strata."""
PAIRS: Final = 20
PAIR_ROWS: Final = 100
NAMED: Final = 3
"""How many chats each finding names for and against it."""


@dataclass(frozen=True)
class Observations:
    """Rows to test: a row a chat, a column a feature."""

    features: NDArray[np.bool_]
    names: Sequence[str]
    outcomes: Mapping[str, NDArray[np.bool_]]
    strata: NDArray[np.int64]
    groups: NDArray[np.int64]
    """The domain of each stratum."""
    ids: NDArray[np.object_]
    """Conversation ids, in the order in which they are to be named."""


@dataclass(frozen=True, eq=False)
class _Test:
    """One contrast: a feature (or, among the rows that have the first of a pair, its second) and an outcome."""

    features: tuple[str, ...]
    outcome: str
    tables: Tables
    pooled: Pooled
    at: int
    among: NDArray[np.bool_] | None
    column: int


def associate(seen: Observations, level: str, *, pairs: int = PAIRS) -> tuple[list[Association], list[Untested]]:
    """Every feature, and the most frequent pairs of them, against every outcome; what has too few rows is told apart.

    Args:
        seen: the rows.
        level: what these rows are called.
        pairs: how many pairs of features to try at most.
    """
    tests = [test for outcome in seen.outcomes for test in _singles(seen, outcome)]
    tests += list(_pairs(seen, tests, pairs))
    enough = [test for test in tests if _needed(test) == 0]
    untested = [
        Untested(feature=test.features[0], outcome=test.outcome, rows=_rows_with(test), needed=_needed(test))
        for test in tests
        if _needed(test) and len(test.features) == 1
    ]
    q = false_discovery(np.array([test.pooled.p[test.at] for test in enough]))
    base = {name: float(outcome.mean()) if len(outcome) else 0.0 for name, outcome in seen.outcomes.items()}
    passed = [_passes(test, found, base[test.outcome]) for test, found in zip(enough, q.tolist(), strict=True)]
    # Intervals of what was selected miss as seldom as asked only if they are wider: Benjamini and Yekutieli, 2005.
    adjusted = MOST_FALSE * max(sum(passed), 1) / max(len(enough), 1)
    independent = _independent(seen, [test for test, passes in zip(enough, passed, strict=True) if passes])
    found = [
        # A pair that only accompanies a stronger feature is none.
        _association(seen, test, level, one_q, passes and (test.among is None or alone), adjusted, alone)
        for test, one_q, passes in zip(enough, q.tolist(), passed, strict=True)
        for alone in (test in independent,)
    ]
    return sorted(found, key=lambda one: (not one.found, one.q, one.p, one.features, one.outcome)), untested


def _singles(seen: Observations, outcome: str) -> Iterator[_Test]:
    tables = tables_of(seen.features, seen.outcomes[outcome], seen.strata, len(seen.groups))
    together = pooled(tables)
    for at, name in enumerate(seen.names):
        yield _Test((name,), outcome, tables, together, at, None, at)


def _pairs(seen: Observations, singles: Sequence[_Test], limit: int) -> Iterator[_Test]:
    """Of two features that occur together: the weaker among the rows that have the stronger, so that one alone is no pair."""
    features = seen.features.astype(np.float32)
    both = features.T @ features
    alone = np.diag(both)
    count = len(seen.names)
    candidates = [
        (-int(both[i, j]), i, j)
        for i in range(count)
        for j in range(i + 1, count)
        if both[i, j] >= PAIR_ROWS and min(alone[i], alone[j]) - both[i, j] >= PAIR_ROWS
    ]
    strength = {(test.column, test.outcome): _strength(test) for test in singles}
    for _, i, j in sorted(candidates)[:limit]:
        for outcome, happened in seen.outcomes.items():
            first, second = (i, j) if strength[i, outcome] >= strength[j, outcome] else (j, i)
            among = seen.features[:, first]
            tables = tables_of(
                seen.features[among, second][:, None], happened[among], seen.strata[among], len(seen.groups)
            )
            yield _Test((seen.names[first], seen.names[second]), outcome, tables, pooled(tables), 0, among, second)


def _strength(test: _Test) -> float:
    with np.errstate(invalid="ignore"):
        return float(np.nan_to_num(abs(test.pooled.log_odds[test.at] / test.pooled.error[test.at]), posinf=0.0))


def _row(test: _Test) -> Tables:
    at = slice(test.at, test.at + 1)
    return Tables(test.tables.a[at], test.tables.b[at], test.tables.c[at], test.tables.d[at])


def _rows_with(test: _Test) -> int:
    return int(test.tables.with_feature[test.at].sum())


def _needed(test: _Test) -> int:
    """How many more rows like these it would take to test this; 0 where there are enough."""
    tables = _row(test)
    informative = tables.only(tables.contrast[0])
    rows = float(informative.rows.sum())
    with_feature = float(informative.with_feature.sum())
    expected = float(test.pooled.expected[test.at])
    least = min(with_feature, rows - with_feature)
    total = float(tables.rows.sum())
    if least >= CELL and expected >= EXPECTED and np.isfinite(test.pooled.log_odds[test.at]):
        return 0
    if least <= 0 or expected <= 0:
        return max(CELL, round(total))
    return max(1, round(total * (max(CELL / least, EXPECTED / expected) - 1)))


def _passes(test: _Test, q: float, base: float) -> bool:
    low, high = test.pooled.interval()
    excluded = bool(low[test.at] > 1 or high[test.at] < 1)
    return q <= MOST_FALSE and excluded and abs(test.pooled.difference[test.at]) >= min(FLOOR, base / 2)


def _independent(seen: Observations, passed: Sequence[_Test]) -> list[_Test]:
    """Of what passed, strongest first, what still shows among prompts alike in the features before it; pairs last.

    Words that one prompt in five has bring others with them: what only accompanies an effect is no part to recommend.
    """
    found: list[_Test] = []
    for outcome in seen.outcomes:
        before: list[int] = []
        tests = [test for test in passed if test.outcome == outcome]
        for test in sorted(tests, key=lambda test: (test.among is not None, -_strength(test))):
            own = [at for at in before if seen.names[at] not in test.features]
            if _shows_among(seen, test, own[:_ALIKE]):
                found.append(test)
                before += [test.column] if test.among is None else []
    return found


def _shows_among(seen: Observations, test: _Test, alike: Sequence[int]) -> bool:
    """Whether a contrast is there, the same way, among prompts alike in some features."""
    strata = seen.strata
    for at in alike:
        strata = strata * 2 + seen.features[:, at]
    rows = np.ones(len(strata), bool) if test.among is None else test.among
    column = seen.features[rows, test.column][:, None]
    again = pooled(tables_of(column, seen.outcomes[test.outcome][rows], strata[rows], len(seen.groups) << len(alike)))
    same_way = np.sign(again.log_odds[0]) == np.sign(test.pooled.log_odds[test.at])
    return bool(same_way and again.p[0] <= _ALIKE_LEVEL and again.expected[0] >= EXPECTED)


_ALIKE_LEVEL: Final = 0.01
_ALIKE: Final = 3
"""In how many features prompts are held alike at most: more would leave too few of each."""


def _association(
    seen: Observations, test: _Test, level: str, q: float, passes: bool, adjusted: float, independent: bool
) -> Association:
    at, together = test.at, test.pooled
    low, high = together.interval()
    wide_low, wide_high = together.interval(adjusted)
    tables = _row(test)
    a, b, c, d = (float(part.sum()) for part in (tables.a, tables.b, tables.c, tables.d))
    same = float(homogeneity(tables, together.log_odds[at : at + 1], least_expected=1.0)[0])
    return Association(
        features=test.features, outcome=test.outcome, level=level, rows=round(a + b), others=round(c + d),
        rate=a / (a + b) if a + b else 0.0, other_rate=c / (c + d) if c + d else 0.0,
        difference=float(together.difference[at]), odds_ratio=_exp(together.log_odds, at),
        low=float(low[at]), high=float(high[at]), adjusted_low=float(wide_low[at]), adjusted_high=float(wide_high[at]),
        p=float(together.p[at]), q=q, strata=int(together.strata[at]), held=int(together.held[at]),
        homogeneity=None if np.isnan(same) else same, found=passes, independent=independent,
        holds_elsewhere=passes and bool(holds_without_any(tables, seen.groups)[0]),
        shown_by=_named(seen, test, happened=True) if passes else (),
        countered_by=_named(seen, test, happened=False) if passes else (),
    )  # fmt: skip


def _exp(values: Floats, at: int) -> float:
    return float(np.exp(values[at]))


def _named(seen: Observations, test: _Test, *, happened: bool) -> tuple[str, ...]:
    has = seen.features[:, test.column] & (seen.outcomes[test.outcome] == happened)
    if test.among is not None:
        has = has & test.among
    return tuple(map(str, seen.ids[np.flatnonzero(has)[:NAMED]]))
