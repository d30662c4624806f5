"""Folds over a query's stored rows in several processes: each of them reads ranges of rows through a store of its own.

What crosses to another process is a path, a query, a range of row indexes and a fresh analyzer; what comes back is the analyzer
with its rows. The hazard: processes are spawned, so a program that asks for them needs its ``if __name__ == "__main__":``.
"""

import asyncio
import pickle
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, TypeVar

import anyio
from anyio import to_thread

from lmsys_store.errors import QueryError, StoreRestartedError
from lmsys_store.folds import Analyzer
from lmsys_store.query import Query, fields
from lmsys_store.records import Conversation
from lmsys_store.storage.codec import conversation_of
from lmsys_store.storage.engine import Database
from lmsys_store.storage.reader import Reader, StoreState

A = TypeVar("A", bound=Analyzer[Any])
PAGE: Final = 1000
_PARTS_A_PROCESS: Final = 4
"""Rows of a query lie unevenly: each process has ranges from all over the split."""


@dataclass(frozen=True)
class Part:
    """A range of row indexes of a query in a store, as it was at a ``seq``."""

    path: Path
    query: Query
    start: int
    stop: int
    bound: int
    generation: int
    with_moderation: bool = False

    @classmethod
    def of(cls, path: Path, query: Query, state: StoreState, span: tuple[int, int]) -> "Part":
        """All of a query's rows, between two row indexes."""
        return cls(path, query, *span, state.seq, state.generation)

    def cut(self, processes: int) -> "list[Part]":
        """The same in ranges for so many processes."""
        size = max(PAGE, -(-(self.stop - self.start) // (processes * _PARTS_A_PROCESS)))
        starts = range(self.start, self.stop, size)
        return [replace(self, start=at, stop=min(at + size, self.stop)) for at in starts]

    @property
    def rows(self) -> Query:
        """The query of this range alone."""
        return self.query.where(fields.row_index.between(self.start, self.stop - 1))


async def fold_in_processes(analyzer: A, parts: Sequence[Part], processes: int) -> None:
    """Let each part be folded by a copy of an analyzer that has seen nothing, and merge the copies into it.

    Raises:
        QueryError: the analyzer cannot be sent to another process.
    """
    try:
        fresh = pickle.dumps(analyzer)
    except Exception as error:  # pickling raises what each class pleases
        raise QueryError(
            f"{type(analyzer).__name__} cannot be sent to another process: {type(error).__name__}; fold with processes=1"
        ) from error
    await to_thread.run_sync(_merged, analyzer, fresh, parts, processes, abandon_on_cancel=False)


def _merged(analyzer: A, fresh: bytes, parts: Sequence[Part], processes: int) -> None:
    # Each process folds every so-manieth part and answers once: what it sends back costs as much as folding thousands of rows.
    shares = [share for at in range(processes) if (share := parts[at::processes])]
    if not shares:
        return
    with ProcessPoolExecutor(max(len(shares) - 1, 1), mp_context=get_context("spawn")) as pool:
        pending: list[Future[A]] = [pool.submit(_folded, fresh, share) for share in shares[1:]]
        try:
            analyzer.merge(_folded(fresh, shares[0]))  # this process is one of them, and need not be started
            for future in pending:
                analyzer.merge(future.result())
        finally:
            for future in pending:
                future.cancel()


def _folded(fresh: bytes, parts: Sequence[Part]) -> Any:
    """The analyzer with the rows of some parts, read in a loop of its own; in another process, or in a thread of this one."""
    analyzer: Analyzer[Any] = pickle.loads(fresh)  # what our own parent process pickled
    asyncio.run(_read(analyzer, parts))
    return analyzer


async def _read(analyzer: Analyzer[Any], parts: Sequence[Part]) -> None:
    database = Database(parts[0].path)
    await database.open(create=False)
    try:
        reader = Reader(database)
        state = await reader.state()
        if state is not None:
            for part in parts:
                await _read_part(analyzer, part, reader, state)
    finally:
        with anyio.CancelScope(shield=True):
            await database.close()


async def _read_part(analyzer: Analyzer[Any], part: Part, reader: Reader, state: StoreState) -> None:
    statement, last = reader.select(part.rows, state=state, with_moderation=part.with_moderation), part.start - 1
    while True:
        rows, generation = await reader.page(statement, last, part.bound, PAGE)
        if generation != part.generation:
            raise StoreRestartedError("the store was emptied while it was being read; fold its new rows anew")
        if not rows:
            return
        batch = [conversation_of(row, state.origin) for row in rows]
        analyzer.update(batch)
        last = batch[-1].row_index


def batches(rows: Sequence[Conversation]) -> Iterator[Sequence[Conversation]]:
    """Rows in hand, a page at a time."""
    return (rows[at : at + PAGE] for at in range(0, len(rows), PAGE))
