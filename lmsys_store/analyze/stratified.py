"""2 by 2 tables in strata: Cochran-Mantel-Haenszel, for many features at once. scipy gives the distributions.

Tables are four arrays of counts, a feature a row and a stratum a column: ``a`` with feature and outcome, ``b`` with the feature
alone, ``c`` with the outcome alone, ``d`` with neither. Strata without contrast (an empty margin) add nothing to any sum.
"""

from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lmsys_store.errors import MissingExtraError

Floats = NDArray[np.float64]
LEVEL: Final = 0.05
_TELLING: Final = 1.0
"""The least count expected in each cell of a stratum that is said to point one way or the other."""
_INSTALL: Final = "what the patterns are tested with needs scipy; install it with: pip install scipy"


@dataclass(frozen=True)
class Tables:
    """Counts in strata; see the module for what the four are."""

    a: Floats
    b: Floats
    c: Floats
    d: Floats

    @property
    def with_feature(self) -> Floats:
        """Rows with the feature."""
        return self.a + self.b

    @property
    def with_outcome(self) -> Floats:
        """Rows with the outcome."""
        return self.a + self.c

    @property
    def rows(self) -> Floats:
        """All rows."""
        return self.a + self.b + self.c + self.d

    @property
    def contrast(self) -> NDArray[np.bool_]:
        """Whether a stratum has rows with and without the feature, and with and without the outcome."""
        with_both = (self.a + self.b > 0) & (self.c + self.d > 0)
        return with_both & (self.a + self.c > 0) & (self.b + self.d > 0)

    def only(self, strata: NDArray[np.bool_]) -> "Tables":
        """The tables of some strata."""
        return Tables(self.a[:, strata], self.b[:, strata], self.c[:, strata], self.d[:, strata])


def tables_of(
    features: NDArray[np.bool_], outcome: NDArray[np.bool_], strata: NDArray[np.int64], count: int | None = None
) -> Tables:
    """The tables of rows.

    Args:
        features: a row a chat, a column a feature.
        outcome: of each chat.
        strata: the stratum of each chat, 0 and up.
        count: how many strata there are; default as many as occur.
    """
    count = int(strata.max(initial=-1)) + 1 if count is None else count
    size = np.bincount(strata, minlength=count)[None, :]
    positive = np.bincount(strata[outcome], minlength=count)[None, :]
    with_feature = _counted(features, strata, count)
    a = _counted(features[outcome], strata[outcome], count)
    b, c = with_feature - a, positive - a
    return Tables(*(part.astype(np.float64) for part in (a, b, c, size - with_feature - c)))


def _counted(features: NDArray[np.bool_], strata: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Rows with each feature in each stratum."""
    columns = [np.bincount(strata[features[:, at]], minlength=count) for at in range(features.shape[1])]
    return np.array(columns, np.int64).reshape(features.shape[1], count)


@dataclass(frozen=True)
class Pooled:
    """What the strata say together, an entry a feature; NaN where they say nothing.

    ``log_odds`` is the Mantel-Haenszel estimate, ``error`` its standard error (Robins, Breslow and Greenland, 1986), ``p`` of
    the Cochran-Mantel-Haenszel test without correction for continuity, ``difference`` the Mantel-Haenszel risk difference.
    """

    log_odds: Floats
    error: Floats
    p: Floats
    difference: Floats
    expected: Floats
    """The smallest of the four expected counts, each summed over the strata."""
    strata: NDArray[np.int64]
    """How many strata are large enough to point one way or the other."""
    held: NDArray[np.int64]
    """How many of them point the way of the whole."""

    def interval(self, level: float = LEVEL) -> tuple[Floats, Floats]:
        """The odds ratio's interval that misses the truth at most so often."""
        half = normal_quantile(1 - level / 2) * self.error
        return np.exp(self.log_odds - half), np.exp(self.log_odds + half)


def pooled(tables: Tables) -> Pooled:
    """Pool tables over their strata."""
    a, b, c, d, n = tables.a, tables.b, tables.c, tables.d, tables.rows
    with np.errstate(divide="ignore", invalid="ignore"):
        with_feature, positive = a + b, a + c
        without, negative = n - with_feature, n - positive
        expected = _zero(with_feature * positive / n)
        variance = _zero(with_feature * without * positive * negative / (n * n * (n - 1)))
        statistic = (a.sum(1) - expected.sum(1)) ** 2 / variance.sum(1)
        up, down = _zero(a * d / n), _zero(b * c / n)
        same, other = _zero((a + d) / n), _zero((b + c) / n)
        ups, downs = up.sum(1), down.sum(1)
        error = (
            (same * up).sum(1) / (2 * ups**2)
            + (same * down + other * up).sum(1) / (2 * ups * downs)
            + (other * down).sum(1) / (2 * downs**2)
        ) ** 0.5
        difference = _zero((a * without - c * with_feature) / n).sum(1) / _zero(with_feature * without / n).sum(1)
        log_odds = np.log(ups / downs)
        contrast = tables.contrast
        products = [with_feature * positive, with_feature * negative, without * positive, without * negative]
        cells = np.array([np.where(contrast, _zero(product / n), 0.0) for product in products])
        least = cells.sum(axis=2).min(axis=0)
        telling = cells.min(axis=0) >= _TELLING
        agrees = telling & (np.sign(a * d - b * c) == np.sign(log_odds)[:, None])
    p = np.asarray(_stats().chi2.sf(statistic, 1))
    return Pooled(log_odds, error, p, difference, least, telling.sum(1), agrees.sum(1))


def homogeneity(tables: Tables, log_odds: Floats, *, least_expected: float = 0.0) -> Floats:
    """The p-value that the odds ratio is the same in every stratum: Breslow and Day's test with Tarone's correction.

    Args:
        tables: the counts.
        log_odds: the pooled estimates.
        least_expected: strata where a count is expected to be smaller are left out: the test needs their numbers.
    """
    ratio = np.exp(log_odds)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        n, row, column = tables.rows, tables.with_feature, tables.with_outcome
        # The count a stratum would have at this ratio: a(n - row - column + a) = ratio (row - a)(column - a).
        square, linear, constant = 1 - ratio, n - row - column + ratio * (row + column), -ratio * row * column
        root = np.sqrt(linear**2 - 4 * square * constant)
        fitted = np.where(np.abs(square) < 1e-12, -constant / linear, (-linear + root) / (2 * square))
        cells = np.array([fitted, row - fitted, column - fitted, n - row - column + fitted])
        used = tables.contrast & (cells.min(axis=0) >= max(least_expected, 1e-12))
        variance = np.where(used, 1 / (1 / cells).sum(axis=0), 0.0)
        away = np.where(used, tables.a - fitted, 0.0)
        statistic = np.where(used, away**2 / variance, 0.0).sum(1) - away.sum(1) ** 2 / variance.sum(1)
    degrees = used.sum(1) - 1
    return np.where(degrees > 0, _stats().chi2.sf(np.maximum(statistic, 0.0), np.maximum(degrees, 1)), np.nan)


def holds_without_any(tables: Tables, groups: NDArray[np.int64], level: float = LEVEL) -> NDArray[np.bool_]:
    """Whether a feature's effect remains, the interval on the same side of 1, when any one group of strata is left out.

    What one domain alone shows is not evidence for another.
    """
    whole = pooled(tables)
    kept = np.isfinite(whole.log_odds) & (len(np.unique(groups)) > 2)
    for group in np.unique(groups):
        rest = pooled(tables.only(groups != group))
        low, high = rest.interval(level)
        with np.errstate(invalid="ignore"):
            kept &= np.where(whole.log_odds > 0, low > 1, high < 1)
    return np.asarray(kept)


def false_discovery(p: Floats) -> Floats:
    """The p-values of one family as q-values (Benjamini and Hochberg, 1995)."""
    return np.asarray(_stats().false_discovery_control(p)) if len(p) else p


def share_interval(count: int, rows: int) -> tuple[float, float]:
    """A share's 95 % interval (Wilson, 1927); 0 to 1 where there is nothing."""
    if not rows:
        return 0.0, 1.0
    found = _stats().binomtest(count, rows).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


@lru_cache(maxsize=256)
def normal_quantile(share: float) -> float:
    """Below which value this share of a standard normal lies."""
    return float(_stats().norm.ppf(share))


def _zero(values: Floats) -> Floats:
    """The values with 0 for what an empty stratum gives."""
    return np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)


def _stats() -> Any:
    try:
        import scipy.stats as stats
    except ImportError as error:
        raise MissingExtraError(_INSTALL) from error
    assert isinstance(stats, ModuleType)
    return stats
