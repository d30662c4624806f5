"""Rounds, medians and ratios.

Competitors take turns in every round, so a slow minute of the machine hits all of them.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

Competitor = Callable[[], float]
"""Does the work once and gives what was measured: seconds, or megabytes."""


@dataclass(frozen=True)
class Line:
    """One line of the printed table: what was measured, and the target it is held to, if any."""

    figure: str
    name: str
    value: str
    ratio: str = ""
    target: str = ""
    met: bool | None = None


def interleaved(competitors: Mapping[str, Competitor], rounds: int) -> dict[str, list[float]]:
    """What each competitor measured in each round, round by round."""
    measured: dict[str, list[float]] = {name: [] for name in competitors}
    for _ in range(rounds):
        for name, compete in competitors.items():
            measured[name].append(compete())
    return measured


def medians(competitors: Mapping[str, Competitor], rounds: int) -> dict[str, float]:
    """The median of each competitor over interleaved rounds."""
    return {name: median(values) for name, values in interleaved(competitors, rounds).items()}


def seconds(work: Callable[[], object]) -> float:
    """How long the work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def rate(row_count: int, duration: float) -> str:
    """Seconds with the rows a second they come to."""
    return f"{duration:.3f} s = {row_count / duration:,.0f} rows/s"


def at_least(ratio: float, wanted: float, aim: float, peer: str) -> tuple[str, str, bool]:
    """The last columns of a line whose ratio should be high."""
    return f"{ratio:.2f} x {peer}", f">= {wanted:g} (aim {aim:g})", ratio >= wanted


def at_most(value: float, wanted: float, unit: str) -> tuple[str, str, bool]:
    """The last columns of a line whose value should be low."""
    return f"{value:.2f} {unit}", f"<= {wanted:g}", value <= wanted


def table(lines: list[Line]) -> str:
    """The lines as an aligned table."""
    shown = [("figure", "competitor", "median", "ratio", "target", "")]
    for line in lines:
        verdict = "" if line.met is None else "met" if line.met else "MISSED"
        shown.append((line.figure, line.name, line.value, line.ratio, line.target, verdict))
    widths = [max(len(row[column]) for row in shown) for column in range(6)]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in shown]
    return "\n".join("  ".join(row).rstrip() for row in padded)
