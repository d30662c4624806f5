"""``python -m tests.bench``: every figure of the benchmark, as medians and as ratios to the peers measured beside it."""

import argparse
import os
import platform
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read on import: a benchmark of local files contacts nobody

from tests.bench import analyzing, cases, labels, ordering, reading, remote, writing
from tests.bench.data import Bench
from tests.bench.measure import Line, table

PACKAGES = ("lmsys-store", "sqlalchemy", "pyarrow", "datasets", "duckdb")
FIGURES: dict[str, Callable[[Bench], list[Line]]] = {
    "iterate": reading.iteration,
    "filter": reading.filtered,
    "first": reading.first,
    "closed": reading.closed,
    "sample": ordering.sampling,
    "shuffle": ordering.shuffling,
    "sync": writing.syncing,
    "labels": labels.labels,
    "memory": writing.memory,
    "held": ordering.holding,
    "size": writing.size,
    "cases": cases.exporting,
    "remote": remote.remote,
    "analyze": analyzing.analysis,
}


def main() -> None:
    """Parse the options, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="generated rows (default 100,000)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds whose median is taken (default 5)")
    parser.add_argument("--only", action="append", choices=FIGURES, help="only this figure; repeatable")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the generated file and the stores there")
    options = parser.parse_args()
    with _folder(options.keep) as folder:
        measure(Bench(Path(folder), options.rows, options.rounds), options.only or list(FIGURES))


def measure(bench: Bench, names: list[str]) -> None:
    """Measure and print the figures; each appears as soon as it is known, all together at the end."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    print(f"{bench.row_count:,} rows, medians of {bench.rounds} rounds, {os.cpu_count()} cores, {platform.machine()}")
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {packages}\n", flush=True)
    lines: list[Line] = []
    for name in names:
        start = time.monotonic()
        found = FIGURES[name](bench)
        print(f"{table(found)}\n({name}: {time.monotonic() - start:.0f} s)\n", flush=True)
        lines += found
    print(table([line for line in lines if line.met is not None]))


def _folder(kept: Path | None) -> AbstractContextManager[str | Path]:
    if kept is None:
        return tempfile.TemporaryDirectory(prefix="lmsys-store-bench-")
    kept.mkdir(parents=True, exist_ok=True)
    return nullcontext(kept)


if __name__ == "__main__":
    main()
