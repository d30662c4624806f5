"""Simulated logs whose truth is known: 5 features with an effect, 55 without, all more frequent in some domains and models.

The outcome's rate differs by domain and model too, so whoever pools without strata finds dozens of the 55.
"""

from dataclasses import dataclass, field

import numpy as np

from lmsys_store.analyze.associations import Observations

PLANTED, NULL = 5, 55
NAMES = (*(f"planted-{number}" for number in range(PLANTED)), *(f"null-{number}" for number in range(NULL)))
DOMAINS, MODELS = 8, 6


@dataclass(frozen=True)
class Simulated:
    """Rows before any is set aside: as :class:`Observations` has them, with the (template, model) of each row."""

    observations: Observations
    keys: "np.ndarray[tuple[int], np.dtype[np.int64]]" = field(repr=False)


def simulated(seed: int, rows: int = 8000, *, ratio: float = 1.9, repeated: int = 0) -> Simulated:
    """A log.

    Args:
        seed: of everything.
        rows: different prompts.
        ratio: the planted features' odds ratio.
        repeated: how often one more prompt is sent again to one model, with one answer each time.
    """
    rng = np.random.default_rng(seed)
    domain = rng.choice(DOMAINS, rows, p=rng.dirichlet(np.full(DOMAINS, 4.0)))
    model = rng.choice(MODELS, rows, p=rng.dirichlet(np.full(MODELS, 4.0)))
    prevalence = _logistic(
        rng.normal(-1.4, 0.4, (len(NAMES), 1, 1))
        + rng.normal(0, 0.8, (len(NAMES), DOMAINS, 1))
        + rng.normal(0, 0.4, (len(NAMES), 1, MODELS))
    )
    features = rng.random((rows, len(NAMES))) < prevalence[:, domain, model].T
    base = -1.6 + rng.normal(0, 0.9, DOMAINS)[domain] + rng.normal(0, 0.4, MODELS)[model]
    chance = _logistic(base + np.log(ratio) * features[:, :PLANTED].sum(axis=1))
    happened = rng.random(rows) < chance
    keys = np.arange(rows, dtype=np.int64)
    if repeated:
        features = np.vstack([features, np.repeat(features[:1], repeated, axis=0)])
        happened = np.concatenate([happened, np.repeat(rng.random(1) < 0.5, repeated)])
        domain, model, keys = (np.concatenate([one, np.repeat(one[:1], repeated)]) for one in (domain, model, keys))
    return Simulated(_observations(features, happened, domain, model), keys)


def once_each(log: Simulated) -> Observations:
    """The log with one row of every (template, model), as the analysis takes it."""
    seen = log.observations
    _, first = np.unique(log.keys, return_index=True)
    return Observations(
        seen.features[first], seen.names, {name: one[first] for name, one in seen.outcomes.items()}, seen.strata[first],
        seen.groups, seen.ids[first],
    )  # fmt: skip


def _observations(features, happened, domain, model) -> Observations:  # type: ignore[no-untyped-def]
    strata = domain * MODELS + model
    ids = np.array([f"chat-{number}" for number in range(len(happened))], np.object_)
    return Observations(features, NAMES, {"rated-4": happened}, strata, np.arange(DOMAINS * MODELS) // MODELS, ids)


def _logistic(
    values: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]",
) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    return np.asarray(1 / (1 + np.exp(-values)))
