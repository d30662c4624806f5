"""The evidence in one conversation: what its replies show, and what the user said of them next, with places and weights. Pure.

The hazard: evidence from silence. A reply without a message after it has only what it shows itself.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from lmsys_store.labels.rating import COMPLAINTS, ONLY_WITH_COMPLAINT, weight_of
from lmsys_store.labels.replies import Shown, has_apology
from lmsys_store.records import Evidence

_NO_EVIDENCE: Final = frozenset({"truncated-weak"})
"""Recorded by the detectors, too weak to be evidence: one ordinary reply in 25 ends without a mark."""


def evidence_of(
    contents: Sequence[str],
    shown: Sequence[Sequence[Shown]],
    feedback: Sequence[str | None],
    flagged: Sequence[bool] | None,
    weights: Mapping[str, tuple[float, float]],
) -> list[Evidence]:
    """All evidence in a conversation, in the order of its messages.

    Args:
        contents: the messages; roles alternate, the user's first.
        shown: what each reply shows by itself (:func:`reply_signals`).
        feedback: what each later message of the user says of the reply before it (:func:`feedback`).
        flagged: whether moderation flagged each message; None if nobody asked it. Refusing a flagged prompt may be right: it
            is recorded, and weighs nothing.
        weights: log-odds by signal, about the last round and about an earlier one.
    """
    found: list[Evidence] = []
    last = len(shown)
    for turn, signals in enumerate(shown, 1):
        said = feedback[turn - 1] if turn <= len(feedback) else None
        reply = 2 * turn - 1
        for signal in signals:
            if signal.id in _NO_EVIDENCE:
                continue
            weight = weight_of(weights, signal.id, last=turn == last)
            excused = signal.id == "refusal" and flagged is not None and flagged[reply - 1]
            if excused or (signal.id in ONLY_WITH_COMPLAINT and said not in COMPLAINTS):
                weight = 0.0
            found.append(_evidence(signal, turn, reply, weight))
        if turn <= len(feedback):
            found += _said_next(contents, turn, said, weights, last=turn == len(feedback))
    return found


def _said_next(
    contents: Sequence[str], turn: int, said: str | None, weights: Mapping[str, tuple[float, float]], *, last: bool
) -> list[Evidence]:
    """What the user's next message says about the reply of a round, and whether the assistant then apologised."""
    message = 2 * turn
    found = []
    if said is not None:
        whole = Shown(said, 0, len(contents[message]))
        found.append(_evidence(whole, turn, message, weight_of(weights, said, last=last)))
    apology = has_apology(contents[message + 1]) if message + 1 < len(contents) else None
    if apology is not None:
        found.append(_evidence(apology, turn, message + 1, weight_of(weights, apology.id, last=last)))
    return found


def _evidence(signal: Shown, turn: int, message: int, weight: float) -> Evidence:
    return Evidence.of_packed((signal.id, turn, message, signal.start, signal.end, weight))
