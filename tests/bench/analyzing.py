"""The figures of the pattern analysis: speed and memory over a labelled store, and what it finds in logs whose truth is known."""

import os
from pathlib import Path

import numpy as np

from lmsys_store import Store
from lmsys_store.analyze import Patterns
from lmsys_store.analyze.associations import Observations, associate
from lmsys_store.insights import analyze_domain
from tests.analyze.simulation import once_each, simulated
from tests.bench.data import Bench
from tests.bench.measure import Line, at_least, at_most, medians, rate, seconds
from tests.bench.task import megabytes

RUNS, ALARM_RUNS = 20, 100
_ENOUGH = 50_000
"""With fewer rows the second that a report and a process take is most of what is measured."""
_CORES = os.cpu_count() or 1


def analysis(bench: Bench) -> list[Line]:
    """The whole default set: one process, two, its memory, the look-up of what is kept; then what it finds."""
    store = bench.store
    _fold(store, 1)  # a warm store, and scipy loaded
    found = medians({"one process": lambda: _fold(store, 1), "two processes": lambda: _fold(store, 2)}, bench.rounds)
    one, two = found.values()
    with Store(store) as opened:
        opened.run(lambda inner: analyze_domain(inner, "coding"))
        look_up = seconds(lambda: opened.run(lambda inner: analyze_domain(inner, "coding")).to_promptloop())
    enough = bench.row_count >= _ENOUGH
    return [
        *(Line("analyze", name, rate(bench.row_count, value)) for name, value in found.items()),
        *(
            [Line("analyze", "one process", "", *at_least(bench.row_count / one / 10_000, 1, 2, "10,000 rows/s"))]
            * enough
        ),
        *([Line("analyze", "two processes", "", *at_least(one / two, 1.6, 1.8, "one"))] * (enough and _CORES > 1)),
        Line("analyze", "memory", "", *at_most(megabytes("analyze", "", store), 400, "MB")),
        Line("analyze", "a kept domain", "", *at_most(look_up, 1, "s")),
        *_findings(),
    ]


def _fold(store: Path, processes: int) -> float:
    with Store(store) as opened:
        return seconds(lambda: opened.select(fallback="cache").fold(Patterns(), processes=processes))


def _findings() -> list[Line]:
    """The simulation of 5 planted and 55 null features, and the false alarms beside a template sent 300 times."""
    found = [_found(once_each(simulated(seed))) for seed in range(RUNS)]
    planted = [sum(name.startswith("planted") for name in names) for names in found]
    false = [len(names) - hits for names, hits in zip(found, planted, strict=True)]
    logs = (simulated(5000 + seed, 2000, ratio=1.0, repeated=300) for seed in range(ALARM_RUNS))
    alarms = sum(bool(_found(once_each(log))) for log in logs) / ALARM_RUNS
    return [
        Line(
            "analyze",
            "planted effects found",
            "",
            f"{np.mean(planted):.2f} of 5",
            ">= 4.5",
            bool(np.mean(planted) >= 4.5),
        ),
        Line("analyze", "false findings", "", f"{np.mean(false):.2f} of 55", "<= 0.5", bool(np.mean(false) <= 0.5)),
        Line("analyze", "false alarms, repeats", "", f"{100 * alarms:.1f} %", "< 5 %", alarms < 0.05),
    ]


def _found(seen: Observations) -> set[str]:
    return {one.features[0] for one in associate(seen, "these rows", pairs=0)[0] if one.found}
