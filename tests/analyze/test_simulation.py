"""It finds what is there and nothing else: simulated logs whose truth is known. Seeds are fixed, and named where one fails."""

from dataclasses import replace

import numpy as np
import pytest

from lmsys_store.analyze.associations import Observations, associate
from lmsys_store.analyze.patterns import Patterns
from tests.analyze.chats import chat, labelled
from tests.analyze.simulation import once_each, simulated

RUNS = 12
_SHOWN = 12


def _found(seen: Observations) -> set[str]:
    associations, _ = associate(seen, "these rows", pairs=0)
    return {one.features[0] for one in associations if one.found}


def test_planted_effects_are_found_and_others_are_not() -> None:
    found = [_found(once_each(simulated(seed))) for seed in range(RUNS)]
    planted = [sum(name.startswith("planted") for name in names) for names in found]
    false = [len(names) - hits for names, hits in zip(found, planted, strict=True)]
    assert np.mean(planted) >= 4.5, planted
    assert np.mean(false) <= 0.5, false


def test_without_strata_the_same_logs_are_full_of_findings() -> None:
    """Why there are strata: the other way round the simulation would prove nothing."""
    seen = once_each(simulated(0))
    pooled = replace(seen, strata=np.zeros(len(seen.strata), np.int64), groups=np.zeros(1, np.int64))
    assert len(_found(pooled)) > 15


def test_a_template_repeated_three_hundred_times_raises_no_false_alarms() -> None:
    alarms, with_repeats, runs = 0, 0, 60
    for seed in range(runs):
        log = simulated(5000 + seed, 2000, ratio=1.0, repeated=300)
        alarms += bool(_found(once_each(log)))
        with_repeats += seed < _SHOWN and bool(_found(log.observations))
    assert alarms / runs < 0.05, alarms
    assert with_repeats / _SHOWN > 0.3, "the repeats do no harm, so this shows nothing"


def test_pairs_are_told_from_single_features() -> None:
    """Two features that only work together are found as a pair; one that works alone makes no pair."""
    rng = np.random.default_rng(11)
    features = rng.random((12_000, 4)) < 0.4
    strata = rng.integers(0, 6, 12_000)
    chance = 0.1 + 0.25 * (features[:, 0] & features[:, 1]) + 0.15 * features[:, 2]
    seen = Observations(
        features, ("a", "b", "c", "d"), {"rated-4": rng.random(12_000) < chance}, strata, np.arange(6) // 2,
        np.array([str(number) for number in range(12_000)], np.object_),
    )  # fmt: skip
    associations, _ = associate(seen, "these rows")
    pairs = {frozenset(one.features) for one in associations if one.found and len(one.features) == 2}
    assert frozenset("ab") in pairs
    assert frozenset("cd") not in pairs


def test_what_only_accompanies_an_effect_is_not_independent() -> None:
    rng = np.random.default_rng(12)
    works = rng.random(9000) < 0.3
    follows = np.where(works, rng.random(9000) < 0.9, rng.random(9000) < 0.05)
    outcome = rng.random(9000) < 0.08 + 0.15 * works
    seen = Observations(
        np.column_stack([works, follows]), ("works", "follows"), {"rated-4": outcome}, rng.integers(0, 4, 9000), np.arange(4),
        np.array([str(number) for number in range(9000)], np.object_),
    )  # fmt: skip
    found = {one.features: one for one in associate(seen, "these rows")[0]}
    assert found["works",].found and found["works",].independent
    assert found["follows",].found and not found["follows",].independent


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_planted_templates_are_recovered_from_noise(seed: int) -> None:
    """Twelve templates of 8 to 30 prompts each among 2,500 unrelated ones: precision and recall of at least 0.9."""
    rng = np.random.default_rng(seed)
    words = [_word(number) for number in rng.permutation(4000)]
    nouns = iter(words)
    templates = [f"{_verb(at)} {next(nouns)} {next(nouns)} about {{}} in {{}} {next(nouns)}" for at in range(12)]
    prompts = [
        template.format(f"{next(nouns).capitalize()}", int(rng.integers(2, 900)))
        for template in templates
        for _ in range(int(rng.integers(8, 31)))
    ]
    planted = {template.split(" about")[0] for template in templates}
    noise = [" ".join(rng.choice(words[1000:], 7)) for _ in range(2500)]
    chats = labelled([chat(at, prompt, "So it is.") for at, prompt in enumerate([*prompts, *noise])])
    patterns = Patterns()
    patterns.update(chats)
    shown = [one.name.split(" about")[0] for one in patterns.result().structures("template")]
    hits = len(planted & set(shown))
    assert hits / len(shown) >= 0.9 and hits / len(planted) >= 0.9, (seed, shown)


def _word(number: int) -> str:
    syllables = "ba de fi go lu ma ne pi ro su ta ve wi zo ka je".split()  # noqa: SIM905
    return "".join(syllables[number // 16**place % 16] for place in range(3))


def _verb(at: int) -> str:
    return ("write", "explain", "describe", "compare")[at % 4]
