"""The figures of writing: sync against the bare read, peak memory of sync and iteration, and the size on disk."""

import asyncio
import sqlite3
from functools import partial
from pathlib import Path
from unittest import mock

from lmsys_store.labelling import Labelling
from tests.bench import peers
from tests.bench.data import Bench, remove_store, sync
from tests.bench.measure import Line, at_least, at_most, medians, rate, seconds
from tests.bench.task import megabytes

SMALL = 10_000
FLAT = 1.15
"""How much more memory ten times the rows may take, and still be called flat."""


def syncing(bench: Bench) -> list[Line]:
    """The Parquet file into a new store, the full-text index over prompts included: as shipped, and without labelling."""
    scratch = bench.scratch("sync.db")

    def ours() -> float:
        remove_store(scratch)
        return seconds(lambda: asyncio.run(sync(bench.parquet, scratch)))

    def unlabelled() -> float:
        with mock.patch.object(Labelling, "__call__", lambda self, rows: list(rows)):
            return ours()

    found = medians(
        {
            "lmsys_store": ours,
            "without labels": unlabelled,
            "iter_batches, to_pylist": lambda: seconds(lambda: peers.read_parquet(bench.parquet)),
        },
        bench.rounds,
    )
    remove_store(scratch)
    mine, plain, bare = found.values()
    return [
        *(Line("sync", name, rate(bench.row_count, value)) for name, value in found.items()),
        Line("sync", "lmsys_store", "", *at_least(bare / mine, 0.2, 0.35, "bare read")),
        Line("sync", "without labels", "", *at_least(bare / plain, 0.35, 0.7, "bare read")),
    ]


def memory(bench: Bench) -> list[Line]:
    """Peak memory of sync and of iteration, each in a process of its own, for a tenth of the rows and for all."""
    sizes = (min(SMALL, bench.row_count // 10), bench.row_count)
    found = {
        (task, size): partial(_peak, bench, task, size) for task in ("import", "sync", "iterate") for size in sizes
    }
    peaks = medians({f"{task} {size}": work for (task, size), work in found.items()}, bench.rounds)
    remove_store(bench.folder / "memory.db")
    lines = [Line("memory", f"import alone, {sizes[1]:,} rows", f"{peaks[f'import {sizes[1]}']:.0f} MB")]
    for task, wanted in (("sync", 300), ("iterate", 150)):
        small, large = (peaks[f"{task} {size}"] for size in sizes)
        lines.append(Line("memory", f"{task}, {sizes[0]:,} rows", f"{small:.0f} MB"))
        lines.append(Line("memory", f"{task}, {sizes[1]:,} rows", f"{large:.0f} MB", *at_most(large, wanted, "MB")))
        lines.append(Line("memory", task, "", *at_most(large / small, FLAT, "x the small one (flat)")))
    return lines


def _peak(bench: Bench, task: str, row_count: int) -> float:
    store = bench.store_of(row_count) if task == "iterate" else bench.scratch("memory.db")
    return megabytes(task, str(bench.parquet_of(row_count)), store)


def size(bench: Bench) -> list[Line]:
    """The store without its full-text index against the Arrow cache of HF ``datasets``, all columns each."""
    peers.hf_dataset(bench.parquet, bench.arrow_cache / "all", None)
    arrow = sum(file.stat().st_size for file in (bench.arrow_cache / "all").rglob("*.arrow"))
    whole, index = _store_bytes(bench.store)
    lines = [
        ("Parquet file", bench.parquet.stat().st_size),
        ("Arrow cache of HF datasets", arrow),
        ("store, whole", whole),
        ("store, full-text index", index),
    ]
    return [
        *(Line("size", name, f"{value / 1e6:.0f} MB = {value / bench.row_count:,.0f} B/row") for name, value in lines),
        Line("size", "store without index", "", *at_most((whole - index) / arrow, 1.5, "x Arrow cache")),
    ]


def _store_bytes(path: Path) -> tuple[int, int]:
    """Bytes of the store and of its full-text index."""
    connection = sqlite3.connect(path)
    try:
        (index,) = connection.execute("SELECT sum(pgsize) FROM dbstat WHERE name LIKE 'conversation_fts%'").fetchone()
    except sqlite3.OperationalError:
        return _store_bytes_by_copy(connection, path)
    finally:
        connection.close()
    return path.stat().st_size, index


def _store_bytes_by_copy(connection: sqlite3.Connection, path: Path) -> tuple[int, int]:
    """The same where SQLite was built without ``dbstat``: the size of a copy that lacks the index."""
    copy = path.with_suffix(".copy")
    connection.execute("VACUUM INTO ?", [str(copy)])
    try:
        copied = sqlite3.connect(copy, isolation_level=None)
        copied.execute("DROP TABLE conversation_fts")
        copied.execute("VACUUM")
        copied.close()
        return path.stat().st_size, path.stat().st_size - copy.stat().st_size
    finally:
        copy.unlink(missing_ok=True)
