"""The statistics against statsmodels, and what they say of tables whose answer is known."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import StratifiedTable

from lmsys_store.analyze.limits import events_needed
from lmsys_store.analyze.stratified import (
    Tables,
    false_discovery,
    holds_without_any,
    homogeneity,
    pooled,
    share_interval,
    tables_of,
)

_CLOSE = 1e-9
cells = st.lists(st.tuples(*[st.integers(1, 400)] * 4), min_size=2, max_size=8)


def _tables(strata: Sequence[tuple[int, ...]]) -> Tables:
    columns = np.array(strata, np.float64).T[:, None, :]
    return Tables(*columns)


@given(cells)
def test_pooled_odds_and_tests_agree_with_statsmodels(strata: list[tuple[int, ...]]) -> None:
    tables = _tables(strata)
    oracle = StratifiedTable([np.array([[a, b], [c, d]], float) for a, b, c, d in strata])
    found = pooled(tables)
    low, high = found.interval(0.05)
    assert found.log_odds[0] == pytest.approx(oracle.logodds_pooled, rel=_CLOSE, abs=_CLOSE)
    assert found.error[0] == pytest.approx(oracle.logodds_pooled_se, rel=_CLOSE)
    assert (low[0], high[0]) == pytest.approx(oracle.oddsratio_pooled_confint(0.05), rel=_CLOSE)
    assert found.p[0] == pytest.approx(oracle.test_null_odds().pvalue, abs=_CLOSE)
    assume(abs(oracle.logodds_pooled) > 1e-6)  # at a ratio of 1 statsmodels divides by zero
    same = homogeneity(tables, found.log_odds)
    assert same[0] == pytest.approx(oracle.test_equal_odds(adjust=True).pvalue, abs=_CLOSE)


def test_many_features_at_once_are_what_each_is_alone() -> None:
    rng = np.random.default_rng(3)
    features, strata = rng.random((900, 7)) < 0.3, rng.integers(0, 5, 900)
    outcome = rng.random(900) < 0.2
    whole = pooled(tables_of(features, outcome, strata))
    for at in range(7):
        alone = pooled(tables_of(features[:, [at]], outcome, strata))
        assert alone.log_odds[0] == whole.log_odds[at] and alone.p[0] == whole.p[at]


def test_tables_count_rows_in_their_strata() -> None:
    features = np.array([[True], [True], [False], [False], [True]])
    outcome = np.array([True, False, True, False, True])
    tables = tables_of(features, outcome, np.array([0, 0, 0, 0, 1]))
    assert [part.tolist() for part in (tables.a, tables.b, tables.c, tables.d)] == [
        [[1, 1]],
        [[1, 0]],
        [[1, 0]],
        [[1, 0]],
    ]


def test_a_stratum_without_contrast_changes_nothing() -> None:
    strata = [(20, 30, 10, 60), (15, 20, 9, 41)]
    with_empty = [*strata, (0, 0, 5, 50), (7, 0, 3, 0), (0, 0, 0, 0)]
    one, other = pooled(_tables(strata)), pooled(_tables(with_empty))
    assert other.log_odds[0] == pytest.approx(one.log_odds[0], abs=_CLOSE)
    assert other.p[0] == pytest.approx(one.p[0], abs=_CLOSE)
    assert other.strata[0] == one.strata[0] == 2


def test_the_paradox_of_pooling_is_not_fallen_for() -> None:
    """A feature that is frequent where the outcome is, and does nothing, is told from one that does something."""
    tables = _tables([(80, 20, 40, 10), (4, 46, 8, 92)])
    assert pooled(tables).log_odds[0] == pytest.approx(0.0, abs=_CLOSE)
    crude = pooled(_tables([(84, 66, 48, 102)]))
    assert crude.p[0] < 1e-4


def test_what_one_domain_alone_shows_does_not_hold_without_it() -> None:
    lonely = _tables([(90, 110, 30, 170), (30, 170, 30, 170), (31, 169, 30, 170), (29, 171, 30, 170)])
    everywhere = _tables([(60, 140, 30, 170)] * 4)
    groups = np.arange(4)
    assert not holds_without_any(lonely, groups)[0]
    assert holds_without_any(everywhere, groups)[0]
    assert not holds_without_any(_tables([(60, 140, 30, 170)] * 2), np.array([0, 0]))[0]


def test_q_values_are_benjamini_and_hochbergs() -> None:
    assert false_discovery(np.array([0.01, 0.02, 0.03, 0.5])).tolist() == pytest.approx([0.04, 0.04, 0.04, 0.5])
    assert false_discovery(np.array([])).tolist() == []


def test_intervals_and_numbers_of_rows_are_the_textbooks() -> None:
    assert share_interval(5, 100) == pytest.approx((0.0215, 0.1118), abs=1e-4)
    assert share_interval(0, 0) == (0.0, 1.0)
    assert events_needed(1) < events_needed(60) < events_needed(1000)
