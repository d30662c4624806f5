"""A sync of many rows builds the indexes at its end: whatever ends it, the store has all of them afterwards."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from lmsys_store import Progress, Store
from lmsys_store.errors import InvalidRowError, StoreFullError
from lmsys_store.sources.files import FileSource
from lmsys_store.storage import writer
from lmsys_store.storage.engine import Database
from lmsys_store.storage.reader import StoreState
from lmsys_store.storage.tables import conversation
from tests import generated

ALL = {str(index.name) for index in conversation.indexes}


@pytest.fixture(autouse=True)
def _few_rows_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "BULK_ROWS", 100)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return generated.write_jsonl(tmp_path / "rows.jsonl", generated.rows(1500, moderation=False))


def _indexes(store: Path) -> set[str]:
    with closing(sqlite3.connect(store)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL").fetchall()
    return {name for (name,) in names}


def test_a_sync_of_many_rows_leaves_every_index_and_the_same_definitions(
    store_path: Path, tmp_path: Path, rows: Path
) -> None:
    def definitions(path: Path) -> set[str]:
        with closing(sqlite3.connect(path)) as connection:
            return {
                " ".join(sql.split())
                for (sql,) in connection.execute(
                    "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
                )
            }

    during: list[set[str]] = []

    def look(progress: Progress) -> None:
        during.append(_indexes(store_path))

    with Store(store_path) as store, Store(tmp_path / "new.db"):
        assert store.sync(rows, on_progress=look).rows_added == 1500
    assert set() in during, "the indexes were there all along: this test no longer tests a bulk run"
    assert definitions(store_path) == definitions(tmp_path / "new.db")
    assert _indexes(store_path) == ALL


def test_a_store_is_read_the_same_while_its_indexes_are_left_out(store_path: Path, rows: Path) -> None:
    with Store(store_path) as store:
        store.sync(rows)
        models, chats = store.facet("model"), list(store.select(model="gpt-4"))
        with closing(sqlite3.connect(store_path)) as connection, connection:
            for name in ALL:
                connection.execute(f"DROP INDEX {name}")
        assert (store.facet("model"), list(store.select(model="gpt-4"))) == (models, chats)
        assert store.check().ok


def test_a_failed_sync_leaves_every_index(store_path: Path, tmp_path: Path) -> None:
    broken: list[object] = [*generated.rows(1200, moderation=False), "{"]
    path = generated.write_jsonl(tmp_path / "broken.jsonl", broken)
    with Store(store_path) as store, pytest.raises(InvalidRowError):
        store.sync(path, on_invalid="raise")
    assert _indexes(store_path) == ALL


def test_the_next_sync_builds_what_a_killed_one_left_out(store_path: Path, rows: Path) -> None:
    """Also a sync that finds nothing to fetch."""
    with Store(store_path) as store:
        store.sync(rows)
    asyncio.run(_begin_and_die(store_path, rows))
    assert _indexes(store_path) == set()
    with Store(store_path) as store:
        assert store.sync(rows).rows_added == 0
    assert _indexes(store_path) == ALL


async def _begin_and_die(path: Path, rows: Path) -> None:
    """What a kill leaves that comes right after a run of many rows began."""
    database = Database(path)
    await database.open(create=False)
    source = await FileSource.open(rows)
    state = StoreState(
        source.identity.dataset, "default", "train", source.identity.revision, 1500, None, None, False, 0, 0, None, None
    )  # fmt: skip
    await writer.Writer(database).begin(state, source.name, rows=1500)
    await database.close()


def test_a_disk_that_fills_up_while_the_indexes_are_built_is_told(store_path: Path, rows: Path) -> None:
    connections: list[sqlite3.Connection] = []

    @event.listens_for(Engine, "connect")
    def keep(connection: object, _record: object) -> None:
        if isinstance(connection, sqlite3.Connection):  # the writer's; a reader's is the asynchronous driver's
            connections.append(connection)

    def fill_the_disk(progress: Progress) -> None:
        if progress.phase != "finishing":
            return
        for connection in connections:
            (free,) = connection.execute("PRAGMA freelist_count").fetchone()
            connection.execute("CREATE TABLE ballast AS SELECT zeroblob(?) AS bytes", (16_384 * free,))
            connection.execute("PRAGMA max_page_count = 1")

    try:
        with Store(store_path) as store:
            with pytest.raises(StoreFullError, match="no space left"):
                store.sync(rows, on_progress=fill_the_disk)
            held = store.status()
    finally:
        event.remove(Engine, "connect", keep)
    assert (held.rows, held.complete) == (1500, True)
    with Store(store_path) as store:
        assert store.sync(rows).rows_skipped == 1500
    assert _indexes(store_path) == ALL
