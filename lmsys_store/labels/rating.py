"""From evidence to a rating between 1 and 5. An additive log-odds model: every step of it can be read and redone by hand.

``z`` is the sum of the weights, one piece of evidence (the strongest) for each round and group, and at most 3 either way;
``rating = 1 + 4 / (1 + exp(-z))``. No evidence is 3.0; (rating - 1) / 4 reads as the estimated chance that the user was
served, from an even start. It is *not* a human vote, nor correctness, nor a ranking of models: a reply nobody answered has no
evidence, a longer one earns nothing, and detectors find more refusals in one model family's style than in another's.
"""

import hashlib
import json
import math
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

from lmsys_store.errors import LabelError
from lmsys_store.records import Evidence, Record

VERSION: Final = "4"
"""Of all labelling code: raised whenever a label of some row may change."""
MOST: Final = 3.0
_DIGITS: Final = 4

WEIGHTS: Final[Mapping[str, tuple[float, float]]] = {
    # id: (about the last round, about an earlier one)
    "empty-or-canned": (-3.0, -1.5),
    "repetition-loop": (-2.0, -1.0),
    "user-rejection": (-1.8, -0.9),
    "user-correction": (-1.6, -0.8),
    "refusal": (-1.6, -0.8),
    "rephrase": (-1.0, -0.5),
    "assistant-apology": (-0.8, -0.4),
    "partial-refusal": (-0.7, -0.35),
    "capability-disclaimer": (-0.7, -0.35),
    "truncated": (-0.6, -0.3),
    "resend": (-0.4, -0.2),
    "clarification": (-0.3, -0.15),
    "user-builds-on": (0.4, 0.2),
    "praise": (2.0, 1.1),
}
"""In log-odds. What is certain (an empty reply) weighs most, what users also do for other reasons (asking again in an arena)
least; praise in the middle of a chat was followed by another wish, at its end by none."""
ONLY_WITH_COMPLAINT: Final = frozenset({"partial-refusal", "capability-disclaimer"})
"""Signals of a reply that may be just what the user needed: they weigh only where the user complains of that reply."""
COMPLAINTS: Final = frozenset({"user-rejection", "user-correction", "rephrase"})

_GROUPS: Final = {
    "empty-or-canned": "reply", "repetition-loop": "reply", "truncated": "reply",
    "refusal": "refusal", "partial-refusal": "refusal", "capability-disclaimer": "refusal",
}  # fmt: skip
_FEEDBACK: Final = "feedback"
_REPLY_GROUPS: Final = frozenset(_GROUPS.values())


class Rating(Record):
    """A rating between 1 and 5 with what it rests on.

    ``basis`` is ``none``, ``user`` (what the user said next), ``reply`` (the reply alone), ``mixed`` or ``external``;
    ``confidence`` between 0 and 1 is low where there is little evidence, or evidence for both.
    """

    value: float
    basis: str
    confidence: float
    z: float
    evidence: tuple[Evidence, ...]
    version: str


def rate(evidence: Iterable[Evidence], version: str) -> Rating:
    """The rating of what was found in one conversation."""
    found = tuple(evidence)
    return _rated(found, version) if found else _unrated(version)


@cache
def _unrated(version: str) -> Rating:
    """The rating of most conversations: nothing was found in them."""
    return _rated((), version)


def _rated(found: tuple[Evidence, ...], version: str) -> Rating:
    strongest: dict[tuple[int, str], Evidence] = {}
    for one in found:
        place = one.turn, _GROUPS.get(one.id, _FEEDBACK)
        if one.weight and abs(one.weight) > abs(strongest[place].weight if place in strongest else 0.0):
            strongest[place] = one
    weights = [one.weight for one in strongest.values()]
    z = max(-MOST, min(MOST, math.fsum(weights)))
    value = 1 + 4 / (1 + math.exp(-z))
    confidence = abs(z) / (1 + math.fsum(map(abs, weights)))
    basis = _basis({group in _REPLY_GROUPS for _, group in strongest})
    return Rating.assembled(
        {
            "value": round(value, _DIGITS), "basis": basis, "confidence": round(confidence, _DIGITS), "z": round(z, _DIGITS),
            "evidence": found, "version": version,
        }
    )  # fmt: skip


def _basis(from_reply: set[bool]) -> str:
    if not from_reply:
        return "none"
    return "mixed" if len(from_reply) == 2 else "reply" if from_reply.pop() else "user"


def version_of(weights: Mapping[str, tuple[float, float]]) -> str:
    """The version of labels made with these weights: the code's, and a digest of the weights where they are not ours."""
    if weights == WEIGHTS:
        return VERSION
    return f"{VERSION}+{hashlib.sha256(json.dumps(dict(weights), sort_keys=True).encode()).hexdigest()[:8]}"


def weight_of(weights: Mapping[str, tuple[float, float]], signal: str, *, last: bool) -> float:
    """The weight of a signal about the last round, or an earlier one."""
    return weights[signal][0 if last else 1]


def parse_weights(toml: str, place: str) -> Mapping[str, tuple[float, float]]:
    """The table with a user's own weights in place of ours: TOML, a line a signal, ``praise = [2.0, 1.1]`` or one number.

    Raises:
        LabelError: not TOML, an unknown signal, or a weight that is not a number; ``place`` names where it stands.
    """
    try:
        given = tomllib.loads(toml)
    except ValueError as error:
        raise LabelError(f"the weights in {place} are not TOML: {error}") from error
    if unknown := set(given) - set(WEIGHTS):
        raise LabelError(f"{place} weighs unknown signals: {', '.join(sorted(unknown))}; known: {', '.join(WEIGHTS)}")
    return {**WEIGHTS, **{signal: _pair(place, signal, value) for signal, value in given.items()}}


def _pair(place: str, signal: str, value: Any) -> tuple[float, float]:
    pair = value if isinstance(value, list) else [value, value / 2 if isinstance(value, int | float) else value]
    if len(pair) != 2 or not all(isinstance(one, int | float) and not isinstance(one, bool) for one in pair):
        raise LabelError(f"{place}: {signal} needs a number, or two: for the last round and for an earlier one")
    return float(pair[0]), float(pair[1])
