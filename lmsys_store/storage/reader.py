"""Everything that is read from a store: pages of rows, one row, counts, coverage, state. Short reads, nothing held between.

A reader never writes; the numbers that concern the whole store come from one `StoreState` read.
"""

import difflib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, func, literal_column, select, text
from sqlalchemy.dialects import sqlite

from lmsys_store.expressions import FIELDS
from lmsys_store.intervals import Interval
from lmsys_store.query import Query
from lmsys_store.records import Conversation, Origin
from lmsys_store.storage.codec import (
    EPOCH,
    MICROSECOND,
    conversation_of,
    page_statement,
    search_page_statement,
    select_by_key,
    select_columns,
    select_conversations,
    select_listed,
)
from lmsys_store.storage.compile import alternatives, column_of, compile_query, leading_search, search_condition
from lmsys_store.storage.engine import Database
from lmsys_store.storage.tables import conversation, coverage, predicate, rejected_row, store, sync_run, tombstone

Row = Sequence[Any]
MOCK_DATASET = "mock/seeds"
EMPTYING = ""
"""The revision of a store that is being emptied, to be filled anew."""


@dataclass(frozen=True)
class StoreState:
    """The one row that says what the store is; what a store without rows yet has not is None."""

    dataset: str
    config: str
    split: str
    revision: str
    total_rows: int | None
    licence: str | None
    licence_url: str | None
    index_replies: bool
    seq: int
    generation: int
    first_fetch: str | None
    last_fetch: str | None

    @property
    def origin(self) -> Origin:
        """What rows of this store say they are: the bundled seeds stay mock wherever they lie."""
        return Origin.MOCK if self.dataset == MOCK_DATASET else Origin.CACHE


@dataclass(frozen=True)
class PageStatement:
    """A query's page, compiled once for all pages of an iteration; ``last``, ``bound`` and ``size`` are still to be given."""

    sql: str
    parameters: Mapping[str, Any]

    @classmethod
    def of(cls, statement: Select[Any]) -> "PageStatement":
        """Compile a statement of :func:`page_statement`."""
        compiled = statement.compile(dialect=sqlite.dialect(paramstyle="named"))
        expanded = compiled.construct_expanded_state({"last": -1, "bound": 0, "size": 0, "floor": -1, "listed": "[]"})
        return cls(expanded.statement, expanded.parameters)

    def at(self, last: int, bound: int, size: int, floor: int = -1) -> dict[str, Any]:
        """The parameters of one page."""
        return {**self.parameters, "last": last, "bound": bound, "size": size, "floor": floor}

    def rows(self, listed: Sequence[int], bound: int) -> dict[str, Any]:
        """The parameters of rows by their row indexes."""
        return {**self.parameters, "listed": json.dumps(listed), "bound": bound}


@dataclass(frozen=True)
class Predicate:
    """How far the rows of an expression are fetched through the remote's filter: its first ``done_rows`` matches."""

    expression: str
    remote_where: str
    total_rows: int
    done_rows: int
    last_row: int
    complete: bool
    source: str


@dataclass(frozen=True)
class Reject:
    """A row that failed validation: where, why, and the row as ASCII JSON."""

    row_index: int
    reason: str
    raw: str


def read_state(connection: Connection) -> StoreState | None:
    """The store's state; None before the first sync."""
    row = connection.execute(select(store).where(store.c.id == 1)).mappings().one_or_none()
    if row is None:
        return None
    values = {name: row[name] for name in row if name != "id"}
    return StoreState(**values | {"index_replies": bool(values["index_replies"])})


class Reader:
    """The reading half of an open store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def refuse_after_fork(self) -> None:
        """Raise ForkedStoreError in a forked child."""
        self._database.refuse_after_fork()

    async def state(self) -> StoreState | None:
        """The store's state; None before the first sync."""
        return await self._database.read(read_state)

    def select(
        self, query: Query, *, state: StoreState, with_moderation: bool, after_floor: bool = False
    ) -> PageStatement:
        """The page statement of a query; ``after_floor`` leaves out what was stored until the parameter ``floor``.

        Raises:
            QueryError: it searches replies, and the store does not index them.
        """
        floor = (conversation.c.seq > bindparam("floor"),) if after_floor else ()
        return self._paged(select_conversations(with_moderation=with_moderation), query, state.index_replies, *floor)

    def columns(self, query: Query, names: Sequence[str], state: StoreState) -> PageStatement:
        """The page statement of the row indexes of a query with some fields, as they are stored.

        Raises:
            QueryError: it searches replies, and the store does not index them.
        """
        return self._paged(select_columns([column_of(name) for name in names]), query, state.index_replies)

    def _paged(self, selected: Select[Any], query: Query, indexed: bool, *also: ColumnElement[bool]) -> PageStatement:
        search, rest = leading_search(query.expression)
        if search is not None:
            match = search_condition(search, replies_indexed=indexed)
            return PageStatement.of(
                search_page_statement(selected, match, and_(compile_query(rest, replies_indexed=indexed), *also))
            )
        parts = alternatives(query.expression)
        return PageStatement.of(
            page_statement(selected, *(and_(compile_query(part, replies_indexed=indexed), *also) for part in parts))
        )

    async def page(
        self, statement: PageStatement, last: int, bound: int, size: int, floor: int = -1
    ) -> tuple[Sequence[Row], int]:
        """Up to ``size`` rows after row index ``last``, with the store's generation as it was after reading them."""
        return await self._rows_and_generation(statement.sql, statement.at(last, bound, size, floor))

    async def listed(
        self, row_indexes: Sequence[int], bound: int, *, with_moderation: bool
    ) -> tuple[Sequence[Row], int]:
        """Those of the rows, at most a page, that are there, in any order; the store's generation as for a page."""
        statement = _listed(with_moderation)
        return await self._rows_and_generation(statement.sql, statement.rows(sorted(row_indexes), bound))

    async def _rows_and_generation(self, sql: str, parameters: Mapping[str, Any]) -> tuple[Sequence[Row], int]:
        rows, generation = await self._database.fetch((sql, parameters), _GENERATION)
        return rows, generation[0][0] if generation else 0

    async def get(self, key: str | int, origin: Origin) -> Conversation | None:
        """The row of a row index, or the first of a conversation id, with its per-message moderation."""
        statement = select_by_key(key)

        def operation(connection: Connection) -> Row | None:
            found: Row | None = connection.execute(statement).one_or_none()
            return found

        row = await self._database.read(operation)
        return None if row is None else conversation_of(row, origin)

    async def count(self, query: Query, state: StoreState, bound: int | None = None) -> int:
        """How many rows the store has of a query, now; of those stored until a ``seq``."""
        where = compile_query(query.expression, replies_indexed=state.index_replies)
        if bound is not None:
            where = and_(where, conversation.c.seq <= bound)
        statement = select(func.count()).select_from(conversation).where(where)

        def operation(connection: Connection) -> int:
            return int(connection.execute(statement).scalar_one())

        return await self._database.read(operation)

    @property
    def path(self) -> Path:
        """The store's file."""
        return self._database.path

    async def span(self) -> tuple[int, int]:
        """The row indexes that rows have, from the first to after the last; equal where there are none."""
        column = conversation.c.row_index
        # One lookup each: asked for both at once, SQLite would read the whole table.
        ends = (select(func.min(column)), select(func.max(column)))

        def operation(connection: Connection) -> tuple[int, int]:
            first, last = (connection.execute(end).scalar_one() for end in ends)
            return (0, 0) if first is None else (first, last + 1)

        return await self._database.read(operation)

    async def facet(self, field: str, query: Query, state: StoreState) -> list[tuple[Any, int]]:
        """Each value of a field with its number of rows, most frequent first; a row counts once for each of its tags."""
        where = compile_query(query.expression, replies_indexed=state.index_replies)
        if FIELDS[field].kind == "tags":
            tags = func.json_each(column_of(field)).table_valued("value").alias("tag")
            value: Any = tags.c.value
            grouped = select(value, func.count()).select_from(conversation.join(tags, literal_column("1"))).where(where)
        else:
            value = column_of(field)
            grouped = select(value, func.count()).select_from(conversation).where(where)
        decode = _FACET_VALUES.get(FIELDS[field].kind, lambda found: found)
        statement = grouped.group_by(value).order_by(func.count().desc(), value)

        def operation(connection: Connection) -> list[tuple[Any, int]]:
            rows = connection.execute(statement).all()
            return [(None if found is None else decode(found), count) for found, count in rows]

        return await self._database.read(operation)

    async def plan(self, query: Query, state: StoreState) -> list[str]:
        """SQLite's own plan for a page of the query, a line a step."""
        statement = self.select(query, state=state, with_moderation=False)
        (steps,) = await self._database.fetch((f"EXPLAIN QUERY PLAN {statement.sql}", statement.at(-1, state.seq, 50)))
        return [str(step[-1]) for step in steps]

    async def unknown_values(self, query: Query) -> list[str]:
        """A note for every model or language the query names that no row has, with the nearest that some row has."""

        def operation(connection: Connection) -> list[str]:
            notes = []
            for field in ("model", "language"):
                for value in query.named_values(field):
                    found = select(conversation.c.row_index).where(conversation.c[field] == value).limit(1)
                    if connection.execute(found).one_or_none() is None:
                        notes.append(_unknown_note(field, value, _distinct(connection, field)))
            return notes

        return await self._database.read(operation)

    async def coverage(self, bound: int | None = None, *, within: Interval | None = None) -> list[Interval]:
        """The covered intervals, ascending, as they were stored.

        Args:
            bound: as they were at that ``seq``.
            within: only those that have a row in common with this one.
        """
        statement = select(coverage.c.start, coverage.c.stop).order_by(coverage.c.start)
        if within is not None:
            statement = statement.where(coverage.c.start < within.stop, coverage.c.stop > within.start)
        if bound is not None:
            statement = statement.where(coverage.c.seq <= bound)

        def operation(connection: Connection) -> list[Interval]:
            rows = connection.execute(statement)
            return [Interval(*row) for row in rows.all()]

        return await self._database.read(operation)

    async def predicates(self, bound: int | None = None) -> list[Predicate]:
        """What was fetched through the remote's filter, whole or in part, until that ``seq``."""
        statement = select(*(predicate.c[name] for name in Predicate.__dataclass_fields__))
        if bound is not None:
            statement = statement.where(predicate.c.seq <= bound)

        def operation(connection: Connection) -> list[Predicate]:
            rows = connection.execute(statement.order_by(predicate.c.expression)).mappings()
            return [Predicate(**{**row, "complete": bool(row["complete"])}) for row in rows]

        return await self._database.read(operation)

    async def held(self, row_indexes: Sequence[int], bound: int) -> set[int]:
        """Which of these row indexes, at most a page, the store had at that ``seq`` as rows, or has deleted since."""

        def operation(connection: Connection) -> set[int]:
            rows = select(conversation.c.row_index).where(
                conversation.c.row_index.in_(row_indexes), conversation.c.seq <= bound
            )
            deleted = select(tombstone.c.row_index).where(tombstone.c.row_index.in_(row_indexes))
            return {*connection.execute(rows).scalars(), *connection.execute(deleted).scalars()}

        return await self._database.read(operation)

    async def totals(self) -> dict[str, int]:
        """Row counts of the tables: rows, rejected, deleted, and rows whose source had another ``turn``."""
        counts = select(
            *(
                select(func.count()).select_from(table).scalar_subquery().label(name)
                for name, table in (("rows", conversation), ("rejected", rejected_row), ("deleted", tombstone))
            ),
            select(func.count())
            .select_from(conversation)
            .where(conversation.c.source_turn.is_not(None))
            .scalar_subquery()
            .label("turn_mismatches"),
        )

        def operation(connection: Connection) -> dict[str, int]:
            return dict(connection.execute(counts).mappings().one())

        return await self._database.read(operation)

    async def last_run(self) -> str | None:
        """How the last sync ended; None if there was none, or it runs, or it was killed."""

        def operation(connection: Connection) -> str | None:
            statement = select(sync_run.c.outcome).order_by(sync_run.c.id.desc()).limit(1)
            return connection.execute(statement).scalar_one_or_none()

        return await self._database.read(operation)

    async def rejects(self, after: int, size: int) -> list[Reject]:
        """Up to ``size`` rejected rows after a row index, in row order."""
        columns = (rejected_row.c.row_index, rejected_row.c.reason, rejected_row.c.raw)
        statement = select(*columns).where(rejected_row.c.row_index > after).order_by(columns[0]).limit(size)

        def operation(connection: Connection) -> list[Reject]:
            return [Reject(*row) for row in connection.execute(statement).all()]

        return await self._database.read(operation)

    async def reject_reasons(self) -> dict[str, int]:
        """Each reason with its number of rejected rows, most frequent first."""
        statement = select(rejected_row.c.reason, func.count()).group_by(rejected_row.c.reason)

        def operation(connection: Connection) -> dict[str, int]:
            rows = connection.execute(statement.order_by(func.count().desc())).all()
            return dict(map(tuple, rows))

        return await self._database.read(operation)


@lru_cache(maxsize=2)
def _listed(with_moderation: bool) -> PageStatement:
    return PageStatement.of(select_listed(with_moderation=with_moderation))


_GENERATION: Final[tuple[str, Mapping[str, Any]]] = ("SELECT generation FROM store", {})
_FACET_VALUES: Final[Mapping[str, Callable[[Any], Any]]] = {
    "bool": bool,
    "time": lambda found: EPOCH + found * MICROSECOND,
}
"""How the values of a kind of field leave SQL, where it is not as they are."""


def _distinct(connection: Connection, field: str) -> list[str]:
    """The distinct values of an indexed column: one index seek a value, not a scan."""
    statement = text(
        f"WITH RECURSIVE v(x) AS (SELECT min({field}) FROM conversation UNION ALL "
        f"SELECT (SELECT min({field}) FROM conversation WHERE {field} > x) FROM v WHERE x IS NOT NULL LIMIT 2000) "
        "SELECT x FROM v WHERE x IS NOT NULL"
    )
    return list(connection.execute(statement).scalars().all())


def _unknown_note(field: str, value: str, known: list[str]) -> str:
    near = difflib.get_close_matches(value, known, n=2, cutoff=0.6)
    return f"no row has {field} {value!r}" + (f"; did you mean {' or '.join(map(repr, near))}?" if near else "")
