"""What every figure works on: the generated Parquet file, which may be kept, and the store filled from it, made by every run."""

import asyncio
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lmsys_store import AsyncStore
from lmsys_store.convert.writing import lmsys_schema
from tests.generated import rows

GROUP = 1000


@dataclass(frozen=True)
class Bench:
    """The rows, the rounds and the folder of one run of the benchmark."""

    folder: Path
    row_count: int
    rounds: int
    _filled: set[Path] = field(default_factory=set)

    @cached_property
    def parquet(self) -> Path:
        """The generated rows."""
        return self.parquet_of(self.row_count)

    def parquet_of(self, row_count: int) -> Path:
        """The first ``row_count`` generated rows as a Parquet file."""
        path = self.folder / f"rows-{row_count}.parquet"
        if not path.exists():
            write_parquet(path, row_count)
        return path

    @cached_property
    def store(self) -> Path:
        """A store synced from the generated rows."""
        return self.store_of(self.row_count)

    def store_of(self, row_count: int) -> Path:
        """A store synced from the first ``row_count`` generated rows, once a run: an older run may have been older code."""
        path = self.folder / f"rows-{row_count}.db"
        if path not in self._filled:
            remove_store(path)
            asyncio.run(sync(self.parquet_of(row_count), path))
            self._filled.add(path)
        return path

    @cached_property
    def arrow_cache(self) -> Path:
        """Where HF ``datasets`` keeps what it makes of the Parquet file."""
        return self.folder / f"arrow-{self.row_count}"

    def scratch(self, name: str) -> Path:
        """A store path with nothing there: what an earlier round left is removed."""
        path = self.folder / name
        remove_store(path)
        return path


async def sync(parquet: Path, store_path: Path) -> None:
    """Sync a file to a store."""
    async with AsyncStore(store_path) as store:
        await store.sync(parquet)


def remove_store(path: Path) -> None:
    """Remove a store file and all that stands beside it."""
    for suffix in ("", "-wal", "-shm", ".lock"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def write_parquet(path: Path, count: int) -> None:
    """The same file as ``tests.generated.write_parquet``, its rows made by all cores; appears whole or not at all."""
    half_written = path.with_suffix(".part")
    with pq.ParquetWriter(half_written, lmsys_schema(), compression="snappy") as writer:
        for table in _tables(count):
            writer.write_table(table, row_group_size=GROUP)
    half_written.replace(path)


def _tables(count: int) -> Iterator[Any]:
    jobs = iter([(first, min(GROUP, count - first)) for first in range(0, count, GROUP)])
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        # Only a few groups ahead of the writer: the executor's own map would hold every table at once.
        pending = [pool.submit(_table, *job) for job in islice(jobs, 2 * (os.cpu_count() or 1))]
        while pending:
            yield pending.pop(0).result()
            pending.extend(pool.submit(_table, *job) for job in islice(jobs, 1))


def _table(first: int, count: int) -> Any:
    return pa.Table.from_pylist(list(rows(count, first=first)), schema=lmsys_schema())
