"""Everything that is written to a store, each method one transaction run by the writer task.

A page's rows, texts, moderation, full-text entries, rejects and coverage interval commit together, so a stored row is
always a searchable and a covered one. SQL for many rows is written out (`_insert_many`): Core's own executemany costs four
times as much a row.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection, Table, func, insert, select, text, update
from sqlalchemy.schema import CreateIndex, DropIndex

from lmsys_store.intervals import Interval, missing
from lmsys_store.query import Query
from lmsys_store.storage import removal
from lmsys_store.storage.codec import (
    CONVERSATION_COLUMNS,
    now,
)
from lmsys_store.storage.engine import Database
from lmsys_store.storage.pages import FTS_COLUMNS, MODERATION_COLUMNS, TEXT_COLUMNS, PreparedPage
from lmsys_store.storage.reader import StoreState, read_state
from lmsys_store.storage.tables import (
    conversation,
    coverage,
    predicate,
    rejected_row,
    store,
    sync_run,
    tombstone,
)

KEEP_SECONDS: Final = 1.0
"""How long a select waits for the write lock, to keep what it fetched."""
BULK_ROWS: Final = 10_000


# Rows go many to a statement: SQLite gives up Python's interpreter lock at every statement, and beside a busy thread has to
# wait 5 ms to get it back. A statement a row then stores 230 rows/s instead of 9,000 (measured); alone both are equally fast.
_ROWS_A_STATEMENT: Final = (1000, 100, 10, 1)
_MOST_PARAMETERS: Final = 32_000  # SQLite's own default limit is 32,766


def _insert_many(
    connection: Connection, table: str, columns: Sequence[str], values: Sequence[Any], *, with_seq: bool = False
) -> None:
    """Insert flat values, row after row; few distinct statements, so that SQLite compiles each once."""
    driver = connection.connection.driver_connection
    assert driver is not None
    width, at = len(columns), 0
    for size in _ROWS_A_STATEMENT:
        while size * width <= _MOST_PARAMETERS and at + size * width <= len(values):
            sql = _insert_sql(table, tuple(columns), size, with_seq)
            driver.execute(sql, values[at : at + size * width])
            at += size * width


@cache
def _insert_sql(table: str, columns: tuple[str, ...], size: int, with_seq: bool) -> str:
    names, rows = ", ".join(columns), ", ".join([f"({', '.join('?' * len(columns))})"] * size)
    if with_seq:
        return f"INSERT INTO {table} ({names}, seq) SELECT page.*, store.seq FROM (VALUES {rows}) AS page, store"
    return f"INSERT INTO {table} ({names}) VALUES {rows}"


@dataclass(frozen=True)
class Stored:
    """What a page's transaction added; rows held already, or deleted for good, are skipped."""

    added: int
    rejected: int
    skipped: int
    turn_mismatches: int


NOTHING_STORED: Final = Stored(0, 0, 0, 0)


class Writer:
    """The writing half of an open store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, state: StoreState, source: str, *, rows: int | None) -> tuple[StoreState, int]:
        """Enter a sync run of so many rows, and the identity of an empty store; gives the state and the run's number.

        A run of many rows does without the indexes, and :meth:`settle` builds them anew: kept up row by row, ids in no order
        rewrite nearly every page of their index in every transaction.
        """

        def operation(connection: Connection) -> tuple[StoreState, int]:
            held = _entered(connection, state)
            run = insert(sync_run).values(source=source, started_at=now(), rows_added=0, rows_rejected=0)
            run_id = connection.execute(run).inserted_primary_key[0]  # type: ignore[index]
            if rows is not None and rows >= BULK_ROWS:
                for index in conversation.indexes:
                    connection.execute(DropIndex(index, if_exists=True))
            return held, run_id

        return await self._database.write(operation)

    async def store_page(self, page: PreparedPage, run_id: int) -> Stored:
        """Store one page; what of it is held or deleted already is left alone, so storing it twice changes nothing."""
        return await self._database.write(lambda connection: _counted(connection, run_id, _store(connection, page)))

    async def keep(self, page: PreparedPage, state: StoreState) -> Stored:
        """Store what a select fetched, in one short transaction beside whatever else writes.

        Raises:
            StoreBusyError: the write lock was not had within a second.
        """

        def operation(connection: Connection) -> Stored:
            held = _entered(connection, state)
            if (held.revision, held.generation) != (state.revision, state.generation):
                return NOTHING_STORED  # the store was filled anew meanwhile
            return _store(connection, page)

        return await self._database.write(operation, busy_seconds=KEEP_SECONDS)

    async def restart(self, state: StoreState) -> None:
        """Empty the store, to be filled anew at another revision; iterations over it end with an error.

        In short batches; until the last of them the revision is empty, so that whoever finds it so goes on emptying.
        """

        await self._database.write(removal.begin_emptying)
        while await self._database.write(removal.empty_batch):
            pass
        await self._database.write(lambda connection: removal.end_emptying(connection, state))

    async def end(self, run_id: int, outcome: str, total_rows: int | None) -> None:
        """Close a sync run."""

        def operation(connection: Connection) -> None:
            connection.execute(update(sync_run).where(sync_run.c.id == run_id).values(ended_at=now(), outcome=outcome))
            if total_rows is not None:
                connection.execute(update(store).values(total_rows=total_rows))

        await self._database.write(operation)

    async def settle(self, *, changed: bool) -> None:
        """After a sync: the indexes that a bulk run (or a killed one) left out, statistics, the log folded into the file."""
        built = await self._database.write(_build_indexes)
        if not built and not changed:
            return
        # The planner's statistics decide between the index of a rare value and a scan: 30 ms against 126 ms. Of a small store
        # they would say that everything is small, and a reader that has loaded them keeps them while the store grows.
        statements = ["PRAGMA wal_checkpoint(TRUNCATE)"]
        if await self._database.read(_is_worth_statistics):
            statements = ["ANALYZE", *statements]  # whole: with a limit all values look equally frequent
        await self._database.maintain(*statements)

    async def delete(self, query: Query, reason: str, *, forget: bool) -> int:
        """Delete the rows of a query in short batches, texts overwritten; gives how many.

        Each row leaves a tombstone; with ``forget`` its coverage is given up instead, so that a sync fetches it again.
        """
        return await self._delete(lambda connection: removal.delete_batch(connection, query, reason, forget=forget))

    async def delete_rejects(self, row_indexes: Sequence[int], reason: str) -> int:
        """Delete rejected rows, their raw text overwritten; each leaves a tombstone. Gives how many there were."""
        return await self._delete(lambda connection: removal.delete_rejects(connection, row_indexes, reason))

    async def _delete(self, delete_batch: Callable[[Connection], int]) -> int:
        """Delete batch after batch until one is empty; nothing of what went can be read from the file afterwards."""
        deleted = 0
        await self._database.write(lambda connection: connection.exec_driver_sql("PRAGMA secure_delete = ON"))
        try:
            while batch := await self._database.write(delete_batch):
                deleted += batch
            if deleted:
                await self._database.write(removal.clean_free_space)
        finally:
            await self._database.write(lambda connection: connection.exec_driver_sql("PRAGMA secure_delete = FAST"))
        await self._database.maintain("PRAGMA wal_checkpoint(TRUNCATE)")
        return deleted


def _is_worth_statistics(connection: Connection) -> bool:
    rows = select(conversation.c.row_index).limit(_ROWS_FOR_STATISTICS).subquery()
    return int(connection.execute(select(func.count()).select_from(rows)).scalar_one()) == _ROWS_FOR_STATISTICS


_ROWS_FOR_STATISTICS: Final = 1000


def _build_indexes(connection: Connection) -> bool:
    """Build the indexes that are not there; gives whether any was missing."""
    names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'index'")).scalars().all()
    lacking = [index for index in sorted(conversation.indexes, key=str) if index.name not in names]
    for index in lacking:
        connection.execute(CreateIndex(index))
    return bool(lacking)


def _entered(connection: Connection, state: StoreState) -> StoreState:
    """The store's state; of an empty store, which takes it, the given one."""
    held = read_state(connection)
    if held is None:
        values = {name: getattr(state, name) for name in state.__dataclass_fields__}
        connection.execute(insert(store).values(id=1, **values))
        return state
    if state.total_rows is not None and held.total_rows is None:
        connection.execute(update(store).values(total_rows=state.total_rows))
    return held


def _store(connection: Connection, page: PreparedPage) -> Stored:
    return _store_matches(connection, page) if page.interval is None else _store_span(connection, page, page.interval)


def _store_span(connection: Connection, page: PreparedPage, interval: Interval) -> Stored:
    gaps = missing(interval, _overlapping(connection, interval))
    if not gaps:
        return Stored(0, 0, len(page.row_indexes) + len(page.rejects), 0)
    wanted = None
    if gaps != [interval]:
        wanted = {row_index for start, stop in gaps for row_index in range(start, stop)}
    fresh, seq = _insert_fresh(connection, page, wanted)
    for start, stop in gaps:
        values = {"start": start, "stop": stop, "seq": seq, "digest": page.digest, "source": page.source}
        connection.execute(insert(coverage).values(values))
    return _stored(page, fresh)


def _store_matches(connection: Connection, page: PreparedPage) -> Stored:
    fresh, seq = _insert_fresh(connection, page, None)
    progress = page.progress
    if progress is None:
        return _stored(page, fresh)
    held = connection.execute(select(predicate).where(predicate.c.expression == progress.expression)).one_or_none()
    if held is None or held.done_rows < progress.done_rows:  # two selects may fetch one predicate side by side
        values = asdict(progress) | {"complete": int(progress.complete), "seq": seq, "fetched_at": now()}
        connection.execute(insert(predicate).prefix_with("OR REPLACE").values(values))
    return _stored(page, fresh)


def _insert_fresh(connection: Connection, page: PreparedPage, wanted: set[int] | None) -> tuple[PreparedPage, int]:
    """Insert what of a page is neither held nor deleted for good (as a rule, all of it); also gives its ``seq``."""
    indexes = [*page.row_indexes, *(reject.row_index for reject in page.rejects)]
    held = set().union(*(_held(connection, table, indexes) for table in (conversation, rejected_row, tombstone)))
    fresh = page if not held and wanted is None else page.only((set(indexes) if wanted is None else wanted) - held)
    seq = _next_seq(connection)
    _insert_page(connection, fresh)
    return fresh, seq


def _stored(page: PreparedPage, fresh: PreparedPage) -> Stored:
    added, rejected = len(fresh.row_indexes), len(fresh.rejects)
    skipped = len(page.row_indexes) + len(page.rejects) - added - rejected
    return Stored(added, rejected, skipped, len(fresh.turn_differs))


def _counted(connection: Connection, run_id: int, stored: Stored) -> Stored:
    """The same, added to the counts of a sync run."""
    counted = {
        "rows_added": sync_run.c.rows_added + stored.added,
        "rows_rejected": sync_run.c.rows_rejected + stored.rejected,
    }
    connection.execute(update(sync_run).where(sync_run.c.id == run_id).values(counted))
    return stored


def _insert_page(connection: Connection, page: PreparedPage) -> None:
    rejected = [value for reject in page.rejects for value in (reject.row_index, reject.reason, reject.raw)]
    _insert_many(connection, "conversation", CONVERSATION_COLUMNS, page.conversations, with_seq=True)
    _insert_many(connection, "conversation_text", TEXT_COLUMNS, page.texts)
    _insert_many(connection, "moderation", MODERATION_COLUMNS, page.moderation)
    _insert_many(connection, "conversation_fts", FTS_COLUMNS, page.entries)
    _insert_many(connection, "rejected_row", ("row_index", "reason", "raw"), rejected, with_seq=True)


def _overlapping(connection: Connection, interval: Interval) -> list[Interval]:
    where = (coverage.c.start < interval.stop) & (coverage.c.stop > interval.start)
    rows = connection.execute(select(coverage.c.start, coverage.c.stop).where(where))
    return [Interval(*row) for row in rows.all()]


def _held(connection: Connection, table: Table, indexes: Sequence[int]) -> set[int]:
    """Which of these row indexes, at most a page of them, a table has."""
    if not indexes:
        return set()
    column, low, high = table.c.row_index, min(indexes), max(indexes)
    dense = high - low < 2 * len(indexes)
    where = column.between(low, high) if dense else column.in_(indexes)
    return set(indexes).intersection(connection.execute(select(column).where(where)).scalars())


def _next_seq(connection: Connection) -> int:
    first = func.coalesce(store.c.first_fetch, now())
    raised = update(store).values(seq=store.c.seq + 1, last_fetch=now(), first_fetch=first).returning(store.c.seq)
    return int(connection.execute(raised).scalar_one())


def raw_json(row: object) -> str:
    """A rejected row as ASCII JSON, whatever it holds; bytes and other strangers as their repr."""
    return json.dumps(row, ensure_ascii=True, default=repr)
