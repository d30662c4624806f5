"""Charts as HTML with inline SVG for the marks: labels are text that wraps and prints, marks stretch to the room there is.

Every text that comes from outside passes :func:`escaped`; numbers are formatted here. Pure.
"""

import math
import unicodedata
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final, NamedTuple

_TICKS: Final = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)


def escaped(text: str) -> str:
    """A text as HTML shows it: no markup, no control characters, nothing that turns the direction of what follows.

    >>> escaped("<b>" + chr(0x202E))
    '&lt;b&gt;\\\\u202e'
    """
    return escape(
        "".join(
            char
            if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cf", "Cs")
            else char.encode("unicode_escape").decode()
            for char in text
        )
    )


class Bar(NamedTuple):
    """A bar: its label and number as texts, its length as a share of the longest possible, a class for its colour."""

    label: str
    value: str
    share: float
    kind: str = ""
    note: str = ""
    other_share: float | None = None
    """A second bar below the first, in grey."""


def bars(rows: Iterable[Bar], title: str) -> str:
    """Horizontal bars, a row each."""
    lines = [
        f'<div class="bar {row.kind}"><span class="label">{escaped(row.label)}{_note(row.note)}</span>'
        f'<svg class="track" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="ground" width="100" height="10"/>{_marks(row)}'
        f'</svg><span class="value">{escaped(row.value)}</span></div>'
        for row in rows
    ]
    return f'<div class="bars" role="group" aria-label="{escaped(title)}">{"".join(lines)}</div>'


def _marks(row: Bar) -> str:
    if row.other_share is None:
        return f'<rect class="mark" width="{_number(100 * row.share)}" height="10"/>'
    return (
        f'<rect class="mark" width="{_number(100 * row.share)}" height="5"/>'
        f'<rect class="mark other" y="5" width="{_number(100 * row.other_share)}" height="5"/>'
    )


def _note(note: str) -> str:
    return f'<span class="note">{escaped(note)}</span>' if note else ""


class Effect(NamedTuple):
    """A row of a forest plot: what, an odds ratio with its interval, which way it speaks, and what it rests on."""

    label: str
    ratio: float
    low: float
    high: float
    kind: str
    note: str


def forest(effects: Sequence[Effect], title: str) -> str:
    """Odds ratios with their intervals on one logarithmic axis, the line of no effect through all rows."""
    ends = [value for one in effects for value in (one.low, one.high)]
    low, high = min([0.5, *ends]) / 1.15, max([2.0, *ends]) * 1.15
    scale = _Scale(max(low, 0.01), min(high, 100.0))
    ticks = [tick for tick in _TICKS if scale.low <= tick <= scale.high]
    grid = "".join(f'<line class="grid{" one" if tick == 1 else ""}" {_vertical(scale.at(tick))}/>' for tick in ticks)
    rows = "".join(_effect(one, scale, grid) for one in effects)
    marks = "".join(f'<span style="left:{_number(scale.at(tick))}%">{tick:g}</span>' for tick in ticks)
    ticks_row = f'<div class="ticks">{marks}</div>'
    axis = f'<div class="effect axis"><span class="label"></span>{ticks_row}<span class="value">odds</span></div>'
    return f'<div class="forest" role="group" aria-label="{escaped(title)}">{rows}{axis}</div>'


class _Scale(NamedTuple):
    low: float
    high: float

    def at(self, value: float) -> float:
        """Where a ratio lies, from 0 to 100."""
        inside = min(max(value, self.low), self.high)
        return 100 * math.log(inside / self.low) / math.log(self.high / self.low)


def _effect(one: Effect, scale: _Scale, grid: str) -> str:
    left, middle, right = (scale.at(value) for value in (one.low, one.ratio, one.high))
    # A line of no length with round ends is a dot that stays round however the picture is stretched.
    marks = (
        f'<line class="interval" x1="{_number(left)}" x2="{_number(right)}" y1="50" y2="50"/>'
        f'<line class="dot" x1="{_number(middle)}" x2="{_number(middle)}" y1="50" y2="50"/>'
    )
    return (
        f'<div class="effect {one.kind}"><span class="label">{escaped(one.label)}{_note(one.note)}</span>'
        f'<div class="plot"><svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">{grid}{marks}</svg></div>'
        f'<span class="value">{one.ratio:.2f}<small>{one.low:.2f}–{one.high:.2f}</small></span></div>'
    )


def _vertical(at: float) -> str:
    return f'x1="{_number(at)}" x2="{_number(at)}" y1="0" y2="100"'


def columns(names: Sequence[str], counts: Sequence[int], title: str) -> str:
    """A histogram: a column a class, the first, the largest and the last named."""
    most, width = max([*counts, 1]), 100 / max(len(counts), 1)
    marks = "".join(
        f'<rect class="mark" x="{_number(at * width + width * 0.06)}" width="{_number(width * 0.88)}" '
        f'y="{_number(100 - 100 * count / most)}" height="{_number(100 * count / most)}">'
        f"<title>{escaped(name)}: {count:,}</title></rect>"
        for at, (name, count) in enumerate(zip(names, counts, strict=True))
    )
    peak = counts.index(max(counts)) if counts else 0
    legend = (
        f"<span>{escaped(names[0])}</span><span>most: {escaped(names[peak])}</span><span>{escaped(names[-1])}</span>"
    )
    return (
        f'<figure class="columns"><figcaption>{escaped(title)}</figcaption>'
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label="{escaped(title)}">{marks}</svg>'
        f'<div class="legend">{legend}</div></figure>'
    )


def heat_map(rows: Sequence[str], names: Sequence[str], counts: Sequence[Sequence[int]], title: str) -> str:
    """A table whose cells are the darker the more rows they stand for, on a logarithmic scale."""
    most = math.log1p(max((count for row in counts for count in row), default=1))
    head = "".join(f'<th scope="col"><span>{escaped(name)}</span></th>' for name in names)
    body = "".join(
        f'<tr><th scope="row">{escaped(name)}</th>'
        + "".join(_heat_cell(count, math.log1p(count) / max(most, 1e-9)) for count in row)
        + "</tr>"
        for name, row in zip(rows, counts, strict=True)
    )
    caption = f"<caption>{escaped(title)}</caption>"
    return f'<table class="heat">{caption}<thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>'


def _heat_cell(count: int, share: float) -> str:
    tone = " dark" if share > 0.55 else ""
    return f'<td class="cell{tone}" style="--v:{_number(100 * share)}%" title="{count:,} rows">{_short(count)}</td>'


def _short(count: int) -> str:
    """A count in three characters or four.

    >>> _short(0), _short(999), _short(1200), _short(45000)
    ('·', '999', '1.2k', '45k')
    """
    if count == 0:
        return "·"
    if count < 1000:
        return str(count)
    return f"{count / 1000:.1f}k" if count < 9950 else f"{count / 1000:.0f}k"


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
