"""What shows in the messages of one conversation: the signals of its replies and of what the user said next, with their places.

The hazard: evidence from silence. A reply without a message after it has only what it shows itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from lmsys_store.labels.patterns import Found
from lmsys_store.labels.rating import Evidence, weight_of
from lmsys_store.labels.replies import has_apology

_NO_WEIGHT: Final = frozenset({"truncated-weak"})
"""Recorded by the detectors, too weak to be evidence: one ordinary reply in 25 ends without a mark."""


def evidence_of(
    contents: Sequence[str],
    shown: Iterable[Sequence[Found]],
    said: Iterable[Found | None],
    flagged: Sequence[bool] | None,
    weights: Mapping[str, tuple[float, float]],
) -> list[Evidence]:
    """All evidence in the messages' texts, the user's first, in the order of the messages.

    Args:
        contents: the texts; roles alternate, the user's first.
        shown: what each reply shows by itself, in their order (:func:`reply_signals`).
        said: what each later message of the user says of the reply before it, in their order (:func:`feedback`).
        flagged: whether moderation flagged each message; None if nobody asked it. Refusing a flagged prompt may be right: it
            is recorded, and weighs nothing.
        weights: log-odds by signal, about the last round and about an earlier one.
    """
    found: list[Evidence] = []
    answers = iter(said)
    last_reply = len(contents) // 2 * 2 - 1
    last_prompt = (len(contents) - 1) // 2 * 2
    for at, signals in zip(range(1, len(contents), 2), shown, strict=True):
        for one in signals:
            evidence = _evidence(one, at, at, weights, last=at == last_reply)
            if evidence is not None and evidence.id == "refusal" and flagged is not None and flagged[at - 1]:
                evidence = evidence.model_copy(update={"weight": 0.0})
            found += [] if evidence is None else [evidence]
        if at + 1 < len(contents):
            found += _said_next(contents, at, next(answers), weights, last=at + 1 == last_prompt)
    return found


def _said_next(
    contents: Sequence[str],
    at: int,
    said: Found | None,
    weights: Mapping[str, tuple[float, float]],
    *,
    last: bool,
) -> list[Evidence]:
    """What the user's next message says about the reply, and whether the assistant then apologised."""
    sorry = has_apology(contents[at + 2]) if at + 2 < len(contents) else None
    both = [
        None if said is None else _evidence(said, at, at + 1, weights, last=last),
        None if sorry is None else _evidence(sorry, at, at + 2, weights, last=last),
    ]
    return [one for one in both if one is not None]


def _evidence(
    found: Found, reply: int, message: int, weights: Mapping[str, tuple[float, float]], *, last: bool
) -> Evidence | None:
    signal = found.id.replace("_", "-")
    if signal in _NO_WEIGHT:
        return None
    # Built by hand and valid: checking it would cost as much as finding it.
    return Evidence.assembled({
        "id": signal, "turn": reply // 2 + 1, "message": message, "role": "user" if message % 2 == 0 else "assistant",
        "start": found.start, "end": found.end, "weight": weight_of(weights, signal, last=last),
    })  # fmt: skip
