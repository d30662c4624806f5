"""What an assistant's reply shows by itself: refusal, partial refusal, disclaimer, nothing, a loop, a cut. Pure.

A refusal means that the user did not get what was asked. A linear model over the beginning of the reply tells it from a reply
that declines a part and then answers, and from a disclaimer. The hazard: an apology is no refusal, nor is "As an AI".
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from lmsys_store.labels.facts import reply_facts
from lmsys_store.labels.pattern_data import patterns
from lmsys_store.labels.reading import Pages, Round

MODEL: Final = "reply"
REFUSES: Final = 0.4
"""The score of a refusal from which a reply is one: the best F1 on labelled replies."""
_FEWEST: Final = 2
"""One word declines nothing."""
_PARTLY: Final = 0.5
"""The score of the other kinds."""
_SIGNALS: Final = {"partial": "partial-refusal", "disclaimer": "capability-disclaimer"}
_HEAD: Final = 300
_OWNED: Final = 120
"""Characters in which a reply owns a mistake, if it does."""
_CANNED: Final = "empty-or-canned"
_LOOP_CHARS: Final = 200
_LOOP_DISTINCT: Final = 0.5
"""A reply with more different words than this share of all goes round in no circle."""
_LOOP_TIMES: Final = 3
_LOOP_LINE: Final = 13
_LOOP_LINE_SHARE: Final = 1 / 3
_LONGEST_UNIT: Final = 12
"""Characters that a run of characters repeats, at most."""
_LOOP_SHARE: Final = 0.25
_LOOP_WORDS: Final = 6
_ENDINGS: Final = tuple(".!?…:;)]}\"'”’»*`~>|。！？」』）】।؟-—_")


class Shown(NamedTuple):
    """A signal and where in the reply it shows: ``reply[start:end]``, characters."""

    id: str
    start: int
    end: int


def reply_signals(pages: Pages, rounds: Any, texts: Sequence[Round]) -> list[list[Shown]]:
    """What each reply shows, each at most once.

    The ids: ``empty-or-canned``, ``refusal``, ``partial-refusal`` (declines a part, then answers), ``capability-disclaimer``,
    ``repetition-loop``, ``truncated`` (plain to see) or ``truncated-weak`` (no mark at the end: one ordinary reply in 25).
    """
    if not len(rounds):
        return []
    declined = _declined(pages, rounds, texts)
    return [list(_shown(one.reply, kind)) for one, kind in zip(texts, declined, strict=True)]


def _declined(pages: Pages, rounds: Any, texts: Sequence[Round]) -> list[str | None]:
    """Of each reply: refusal, partial refusal or disclaimer, if it is one."""
    read = pages.texts
    replies = rounds[:, 1]
    model = read.table.models[MODEL]
    sizes = np.fromiter((len(one.reply) for one in texts), np.int64, len(texts))
    scores = model.scores(read.features(replies), read.vectors, replies, reply_facts(sizes))["reply"]
    names = model.axes["reply"].names
    refusal = names.index("refusal")
    best = scores.argmax(axis=1)
    signals = [_SIGNALS.get(name) for name in names]
    refuses = scores[:, refusal] >= REFUSES
    partly = scores.max(axis=1) >= _PARTLY
    known = read.known[replies] & (read.word_counts[replies] >= _FEWEST)
    return [
        None if not read_ else "refusal" if refused else signals[kind] if sure else None
        for kind, refused, sure, read_ in zip(
            best.tolist(), refuses.tolist(), partly.tolist(), known.tolist(), strict=True
        )
    ]


def _shown(reply: str, declined: str | None) -> Iterator[Shown]:
    stripped = reply.strip()
    if not stripped or (len(reply) <= _HEAD and patterns("canned").ids(reply)):
        yield Shown(_CANNED, 0, min(len(reply), _HEAD))
        return
    if declined is not None:
        yield Shown(declined, 0, _first_sentence(reply))
    yield from (one for one in (_loop(reply), _cut(reply, stripped)) if one is not None)


def _first_sentence(reply: str) -> int:
    """Where the first sentence of a reply ends."""
    ends = [reply.find(mark, 1, _HEAD) + 1 for mark in (". ", ".\n", "\n\n", "。", "! ")]
    return min((end for end in ends if end), default=min(len(reply), _HEAD))


def has_apology(reply: str) -> Shown | None:
    """Where a later reply begins by owning a mistake."""
    found = patterns("apology").find(reply[:_OWNED]).get("assistant-apology")
    return None if found is None else Shown(*found)


def _loop(reply: str) -> Shown | None:
    """One run of words (or characters) that fills a good part of a reply and reaches its end."""
    if len(reply) < _LOOP_CHARS:
        return None
    return _word_loop(reply) or _line_loop(reply) or _character_loop(reply)


def _word_loop(reply: str) -> Shown | None:
    """The words a little before the end, again and again."""
    before = reply.rstrip().rsplit(None, _LOOP_WORDS)[0]
    unit = before[len(before.rsplit(None, _LOOP_WORDS)[0]) :].strip()
    times = reply.count(unit) if unit else 0
    if times < _LOOP_TIMES:
        return None
    words = reply.split()
    if len(set(words)) > _LOOP_DISTINCT * len(words) or times * _LOOP_WORDS <= _LOOP_SHARE * len(words):
        return None
    return Shown("repetition-loop", reply.find(unit), len(reply))


def _line_loop(reply: str) -> Shown | None:
    """The last line but one, again and again, perhaps with another number before it."""
    before = reply.rstrip().rpartition("\n")[0]
    line = _bare_line(before.rstrip().rpartition("\n")[2])
    if len(line) < _LOOP_LINE or reply.count(line) <= _LOOP_TIMES:
        return None
    lines = [_bare_line(one) for one in reply.splitlines() if one.strip()]
    same = lines.count(line)
    if same <= _LOOP_TIMES or same <= _LOOP_LINE_SHARE * len(lines):
        return None
    return Shown("repetition-loop", reply.find(line), len(reply))


def _bare_line(line: str) -> str:
    return line.lstrip(" 0123456789.)-*").rstrip()


def _character_loop(reply: str) -> Shown | None:
    """One or a few characters over and over at the end."""
    tail = reply[-120:]
    if len(set(tail[-40:])) > _LONGEST_UNIT or len(set(tail)) > _LONGEST_UNIT:
        return None
    for size in range(1, _LONGEST_UNIT + 1):
        unit = tail[-size:]
        if unit.strip() and not set(unit) <= set("-=_*#. \n|~") and tail.endswith(unit * (100 // size)):
            return Shown("repetition-loop", len(reply) - 100, len(reply))
    return None


def _cut(reply: str, stripped: str) -> Shown | None:
    """A reply that stops in the middle."""
    end = len(reply)
    if reply.count("```") % 2:
        return Shown("truncated", reply.rfind("```"), end)
    if stripped.endswith(_ENDINGS) or len(stripped) < 80:
        return None
    line = stripped.rsplit("\n", 1)[-1]
    words = line.rsplit(None, 9)
    prose = len(stripped) > 400 and len(words) > 8 and any(mark in stripped for mark in ".。!?")
    joining = words[-1].casefold() in _JOINING if words else False
    if joining or (prose and stripped[-1] == ","):
        return Shown("truncated", max(end - 40, 0), end)
    if prose and stripped[-1].isalpha() and line.count(". ") + stripped.count(".\n") >= 1:
        return Shown("truncated", max(end - 40, 0), end)
    return Shown("truncated-weak", max(end - 40, 0), end)


_JOINING: Final = frozenset(
    (
        "the a an and or of to in for with by that which is are was as at from on but if when because this these "
        "their its your our my el la los las un una de y que der die das und ein eine zu le les des et du à в и на с "
        "не что"
    ).split()
)
"""Words after which no sentence ends."""


def ends_with_question(reply: str) -> bool:
    """Whether the reply ends with a question."""
    return reply.rstrip().endswith(("?", "？"))
