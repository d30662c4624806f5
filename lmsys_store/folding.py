"""Folds over a query's stored rows in several processes: each of them reads ranges of rows through a store of its own.

What crosses to another process is a path, a query, a range of row indexes and a fresh analyzer; what comes back is the analyzer
with its rows. The hazards: processes are spawned, so a program that asks for them needs its ``if __name__ == "__main__":``; and
neither a thread nor a process ends because its caller is cancelled, so each asks before every page whether it is to stop.
"""

import asyncio
import pickle
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Final

import anyio

from lmsys_store.errors import QueryError, StoreRestartedError
from lmsys_store.folds import Analyzer
from lmsys_store.query import Query, fields
from lmsys_store.records import Conversation
from lmsys_store.storage.codec import conversation_of
from lmsys_store.storage.engine import Database
from lmsys_store.storage.reader import Reader, StoreState

PAGE: Final = 1000
_PARTS_A_PROCESS: Final = 4
"""Rows of a query lie unevenly: each process has ranges from all over the split."""
_SPAWN: Final = get_context("spawn")


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


async def fold_in_processes(analyzer: Analyzer[Any], parts: Sequence[Part], processes: int) -> None:
    """Let each part be folded by a copy of an analyzer that has seen nothing, and merge the copies into it.

    Cancelled, it ends when each process is done with its page.

    Raises:
        QueryError: the analyzer cannot be sent to another process, or has rows already.
    """
    stopped = _SPAWN.Event()
    work = asyncio.ensure_future(asyncio.to_thread(_merged, analyzer, parts, processes, stopped))
    try:
        await asyncio.shield(work)
    finally:
        stopped.set()
        with anyio.CancelScope(shield=True):
            await asyncio.wait([work])


def _fresh(analyzer: Analyzer[Any]) -> bytes:
    """An analyzer as it is sent: one without rows, or each process would begin with them and they would count as often.

    An analyzer is not asked whether it has any (its protocol has no word for that): what has none is unchanged by its like.
    """
    name = type(analyzer).__name__
    try:
        fresh = pickle.dumps(analyzer)
        one, same = pickle.loads(fresh), pickle.loads(fresh)
    except Exception as error:  # pickling raises what each class pleases
        raise QueryError(
            f"{name} cannot be sent to another process: {type(error).__name__}; fold with processes=1"
        ) from error
    one.merge(pickle.loads(fresh))
    if _settled(one) != _settled(same):
        raise QueryError(f"this {name} has rows already; fold a new one and merge it into this, or use processes=1")
    return fresh


def _settled(analyzer: Analyzer[Any]) -> bytes:
    """An analyzer's bytes as after a journey: what it shares with others or with itself by chance is not told any more."""
    return pickle.dumps(pickle.loads(pickle.dumps(analyzer)))


def _merged(analyzer: Analyzer[Any], parts: Sequence[Part], processes: int, stopped: Event) -> None:
    fresh = _fresh(analyzer)
    # Each process folds every so-manieth part and answers once: what it sends back costs as much as folding thousands of rows.
    shares = [share for at in range(processes) if (share := parts[at::processes])]
    if not shares:
        return
    with ProcessPoolExecutor(max(len(shares) - 1, 1), _SPAWN, _begin, (stopped,)) as pool:
        pending: list[Future[Any]] = [pool.submit(_folded_there, fresh, share) for share in shares[1:]]
        try:
            folded = [_folded(fresh, shares[0], stopped)]  # this process is one of them, and need not be started
            folded += [future.result() for future in pending]
            if stopped.is_set():
                return  # parts of pages: the analyzer is left as it came
        finally:
            stopped.set()  # what failed in one of them is waited for by none
            for future in pending:
                future.cancel()
    for one in folded:
        analyzer.merge(one)


class _Here:
    """What a process that was started for a fold is told once: an Event cannot be sent with the work."""

    stopped: Event


def _begin(stopped: Event) -> None:
    _Here.stopped = stopped


def _folded_there(fresh: bytes, parts: Sequence[Part]) -> Any:
    return _folded(fresh, parts, _Here.stopped)


def _folded(fresh: bytes, parts: Sequence[Part], stopped: Event) -> Any:
    """The analyzer with the rows of some parts, read in a loop of its own; in another process, or in a thread of this one."""
    analyzer: Analyzer[Any] = pickle.loads(fresh)  # what our own parent process pickled
    asyncio.run(_read(analyzer, parts, stopped))
    return analyzer


async def _read(analyzer: Analyzer[Any], parts: Sequence[Part], stopped: Event) -> None:
    database = Database(parts[0].path)
    await database.open(create=False)
    try:
        reader = Reader(database)
        state = await reader.state()
        if state is not None:
            for part in parts:
                await _read_part(analyzer, part, reader, state, stopped)
    finally:
        with anyio.CancelScope(shield=True):
            await database.close()


async def _read_part(analyzer: Analyzer[Any], part: Part, reader: Reader, state: StoreState, stopped: Event) -> None:
    statement, last = reader.select(part.rows, state=state, with_moderation=part.with_moderation), part.start - 1
    while not stopped.is_set():
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
