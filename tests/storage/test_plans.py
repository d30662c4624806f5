"""How SQLite answers our queries on 100,000 skewed rows: by index where that is less, else in row order; never by sorting."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from lmsys_store import Query, Store, fields
from lmsys_store.storage.codec import select_listed
from lmsys_store.storage.engine import Database
from lmsys_store.storage.reader import PageStatement, Reader, StoreState
from lmsys_store.storage.writer import Writer

ROWS = 100_000
# Hashes of the row number stand for chance; the shares are those of the data set: one model has half of all rows.
_FILL = (
    f"""
    CREATE TEMP TABLE number AS WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS - 1})
    SELECT i, (i * 2654435761 >> 8) % 1000 AS a, (i * 40503 + 12345) * 69069 % 1000 AS b, (i * 7919) % 997 AS c FROM n
    """,
    """
    INSERT INTO conversation (row_index, seq, conversation_id, model, language, turn, redacted, prompt_chars, reply_chars,
        domain, rating, labels_version, flagged, category_bits)
    SELECT i, 1 + i / 1000, printf('%032x', i * 2654435761),
        CASE WHEN a < 490 THEN 'vicuna-13b' WHEN a < 990 THEN 'model-' || (a % 20) ELSE 'claude-2' END,
        CASE WHEN b < 780 THEN 'English' WHEN b < 995 THEN 'language-' || (b % 9) ELSE 'Welsh' END,
        1 + c % 7, a % 3 = 0, c * 3, c * 9,
        CASE WHEN c < 600 THEN 'general' WHEN c < 990 THEN 'education' ELSE 'legal' END,
        CASE WHEN b % 10 < 8 THEN NULL ELSE 1.0 + b % 5 END, '1', c % 50 = 0, 0
    FROM number
    """,
    """
    INSERT INTO conversation_text (row_index, summary, record)
    SELECT i, zeroblob(90), '{"row_index":' || i || ',"conversation_id":"c","model":"m","messages":[{"role":"user","content":"'
        || printf('%.*c', 1000, 'x') || '"}]}' FROM number
    """,
    """
    INSERT INTO conversation_fts (rowid, prompts, replies)
    SELECT i, CASE WHEN i % 5000 = 17 THEN 'quetzal' ELSE 'common' END, '' FROM number
    """,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    path = tmp_path_factory.mktemp("plans") / "store.db"
    asyncio.run(_fill(path))
    with Store(path) as opened:
        yield opened


async def _fill(path: Path) -> None:
    database = Database(path)
    await database.open(create=True)
    writer = Writer(database)
    state = StoreState(
        dataset="local/plans", config="default", split="train", revision="r1", total_rows=ROWS, licence=None,
        licence_url=None, index_replies=False, seq=ROWS, generation=0, first_fetch=None,
        last_fetch=None,
    )  # fmt: skip

    def insert(connection: Connection) -> None:
        for statement in _FILL:
            connection.exec_driver_sql(statement)

    try:
        await writer.begin(state, "a test", rows=ROWS)
        await database.write(insert)
        await writer.settle(changed=True)
    finally:
        await database.close()


def _plan(store: Store, query: Query) -> tuple[str, ...]:
    return store.explain(query).plan


def _by_index(name: str) -> Callable[[str], bool]:
    return lambda line: f"INDEX ix_conversation_{name}" in line


def _by_rows(line: str) -> bool:
    return line.startswith(("SEARCH conversation USING INTEGER PRIMARY KEY", "SCAN conversation"))


def _sorts(plan: tuple[str, ...]) -> bool:
    return any("TEMP B-TREE" in line for line in plan)


RARE = {
    "model": Query.of(model="claude-2"),
    "language": Query.of(language="Welsh"),
    "domain": Query.of(domain="legal"),
    "flagged": Query.of(flagged=True),
    "conversation_id": Query.of(conversation_id=f"{4711 * 2654435761:032x}"),
}
COMMON = {
    "model": Query.of(model="vicuna-13b"),
    "language": Query.of(language="English"),
    "domain": Query.of(domain="general"),
    "rating": Query.of(min_rating=4),
    "several models": Query.of(model=["vicuna-13b", "model-1"]),
    "rating or none": Query.of(min_rating=3),
}


@pytest.mark.parametrize("field", RARE)
def test_a_rare_value_is_found_by_its_index_in_row_order(store: Store, field: str) -> None:
    """An index entry ends with the row index, so one value's entries need no sorting."""
    plan = _plan(store, RARE[field])
    assert any(map(_by_index(field), plan)), plan
    assert not _sorts(plan), plan


@pytest.mark.parametrize("field", COMMON)
def test_a_common_value_is_found_without_sorting(store: Store, field: str) -> None:
    plan = _plan(store, COMMON[field])
    assert any(map(_by_index(field), plan)) or any(map(_by_rows, plan)), plan
    assert not _sorts(plan), plan


@pytest.mark.parametrize(
    "query",
    [
        Query(),
        Query.of(turns=(4, None)),
        Query.of(min_prompt_chars=2900),
        Query.of(redacted=True, max_reply_chars=9),
        Query().where(fields.row_index.between(90_000, 90_010)),
        Query().where(fields.model.startswith("claude")),
        ~Query.of(model="vicuna-13b"),
        Query().where(fields.moderation("hate") == False),  # noqa: E712
    ],
    ids=str,
)
def test_what_no_index_serves_scans_the_narrow_table_in_row_order(store: Store, query: Query) -> None:
    plan = _plan(store, query)
    assert _by_rows(plan[0]), plan
    assert [line for line in plan if "conversation_text" in line] == [
        "SEARCH conversation_text USING INTEGER PRIMARY KEY (rowid=?)"
    ], "texts are fetched one by one, for rows that match"
    assert not _sorts(plan), plan


def test_a_search_asks_the_full_text_index(store: Store) -> None:
    plan = _plan(store, Query.of(search="quetzal"))
    assert any("conversation_fts VIRTUAL TABLE" in line for line in plan), plan
    assert [chat.row_index for chat in store.select(search="quetzal").limit(3)] == [17, 5017, 10017]


def test_turn_mismatches_are_counted_by_their_partial_index(store: Store) -> None:
    plans = _plans_of(store.status)
    assert any("ix_conversation_source_turn" in line for line in plans), plans


@pytest.mark.parametrize("field", ["model", "language", "domain", "rating"])
def test_a_facet_of_an_indexed_field_reads_the_index_alone(store: Store, field: str) -> None:
    plans = _plans_of(lambda: store.facet(field))
    assert any(f"COVERING INDEX ix_conversation_{field}" in line for line in plans), plans


def test_a_count_by_one_indexed_value_reads_the_index_alone(store: Store) -> None:
    plans = _plans_of(lambda: store.select(model="claude-2").count())
    assert any("COVERING INDEX ix_conversation_model" in line for line in plans), plans


def test_an_order_reads_its_fields_off_the_narrow_table_and_looks_up_the_rows(store: Store) -> None:
    """Pages of row indexes come without sorting and without texts; a page of rows is a look-up of each."""
    state = asyncio.run(_state(store.path))
    columns = Reader(Database(store.path)).columns(Query.of(model="vicuna-13b"), ["domain", "family"], state)
    plan = _explained(store.path, columns.sql, columns.at(-1, ROWS, 1000))
    assert not _sorts(plan) and not any("conversation_text" in line for line in plan), plan
    listed = PageStatement.of(select_listed(with_moderation=True))
    plan = _explained(store.path, listed.sql, listed.rows([5, 3], ROWS))
    assert plan[0].startswith("SCAN listed"), plan
    assert all(line.startswith("SEARCH") and "INTEGER PRIMARY KEY" in line for line in plan[1:]), plan


async def _state(path: Path) -> StoreState:
    database = Database(path)
    await database.open(create=False)
    try:
        state = await Reader(database).state()
        assert state is not None
        return state
    finally:
        await database.close()


def _explained(path: Path, sql: str, parameters: dict[str, Any]) -> tuple[str, ...]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return tuple(row[-1] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters))


def _plans_of(use: Callable[[], object]) -> list[str]:
    """The plans of all statements that a call runs."""
    plans: list[str] = []

    def explain(
        connection: Connection, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool
    ) -> None:
        if statement.lstrip().startswith("SELECT"):
            cursor = connection.connection.cursor()
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.extend(row[-1] for row in cursor.fetchall())
            cursor.close()

    event.listen(Engine, "before_cursor_execute", explain)
    try:
        use()
    finally:
        event.remove(Engine, "before_cursor_execute", explain)
    return plans


@pytest.mark.parametrize(
    "query",
    [
        Query.of(model="claude-2", language="Welsh", domain="legal"),
        Query.of(model="vicuna-13b", language="English", domain="legal", turns=7, redacted=True, flagged=True),
        Query.of(language="Welsh", min_rating=5),
        Query.of(turns=7, min_prompt_chars=2980, max_reply_chars=10),
        Query.of(search="quetzal", model="claude-2"),
        Query.of(model="no such model"),
        Query.of(model=["claude-2", "model-3"], language=["Welsh", "language-2"], max_rating=1),
    ],
    ids=str,
)
def test_the_first_page_of_a_rare_combination_comes_at_once(store: Store, query: Query) -> None:
    """A bound that only a plan gone wrong breaks (texts read for rows that do not match): the real figure is about 10 ms."""
    store.select(query).first()
    began = time.perf_counter()
    next(store.select(query).pages(), None)
    assert time.perf_counter() - began < 1.0
