"""One road to the schema: the migrations build what the tables say, however many do so at once; what is no store is refused."""

import asyncio
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from lmsys_store import Store
from lmsys_store.errors import NotAStoreError, SchemaTooNewError, StoreNotFoundError
from lmsys_store.storage.schema import HEAD, PAGE_SIZE, scripts_path
from lmsys_store.storage.tables import FTS_DDL, metadata

_OPEN = "import sys; from lmsys_store import Store\nwith Store(sys.argv[1]) as store: print(store.check().problems)"


def _pragma(path: Path, name: str) -> object:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"PRAGMA {name}").fetchone()[0]


def _altered(path: Path, statement: str) -> Path:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)
    return path


@pytest.fixture
def new_store(store_path: Path) -> Path:
    with Store(store_path):
        return store_path


# ------------------------------------------------------------------------------------------------- what is built


def test_the_scripts_have_one_head_and_it_is_the_packages() -> None:
    config = Config()
    config.set_main_option("script_location", str(scripts_path()))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_the_migrations_build_what_the_tables_describe(new_store: Path) -> None:
    engine = create_engine(f"sqlite:///{new_store}")
    with engine.connect() as connection:
        options = {"include_name": _not_full_text, "compare_type": True, "compare_server_default": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
    engine.dispose()


def _not_full_text(name: str | None, kind: str, _: object) -> bool:
    return not (kind == "table" and (name or "").startswith("conversation_fts"))


def test_the_full_text_index_is_built_as_described(new_store: Path) -> None:
    with closing(sqlite3.connect(new_store)) as connection:
        ((sql,),) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'conversation_fts'").fetchall()
    assert sql == FTS_DDL


def test_alembic_upgrade_and_check_work_from_a_clone(store_path: Path) -> None:
    top = Path(__file__).parents[2]
    assert (top / "alembic.ini").is_file()
    for words in (["upgrade", "head"], ["check"]):
        command = [sys.executable, "-m", "alembic", "-x", f"store={store_path}", *words]
        ran = subprocess.run(command, cwd=top, capture_output=True, text=True, timeout=40)
        assert ran.returncode == 0, ran.stderr


def test_a_store_has_large_pages_and_a_write_ahead_log(new_store: Path) -> None:
    assert _pragma(new_store, "page_size") == PAGE_SIZE == 16384
    assert _pragma(new_store, "journal_mode") == "wal"


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_only_the_owner_may_read_a_store(tmp_path: Path) -> None:
    """Whatever the umask; a directory that was there keeps its mode."""
    (tmp_path / "there").mkdir(mode=0o755)
    (tmp_path / "there").chmod(0o755)
    umask = os.umask(0)
    try:
        for path in (tmp_path / "new" / "store.db", tmp_path / "there" / "store.db"):
            with Store(path):
                assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    finally:
        os.umask(umask)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("new", "there")]
    assert modes == [0o700, 0o755]


# --------------------------------------------------------------------------------------------------- all at once


def test_eight_threads_create_five_stores_each_at_once(tmp_path: Path) -> None:
    def create(number: int) -> None:
        for round_ in range(5):
            with Store(tmp_path / f"{number}-{round_}.db") as store:
                assert store.status().rows == 0

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(create, range(8)))
    for path in tmp_path.glob("*.db"):
        assert _pragma(path, "integrity_check") == "ok"
    assert len(list(tmp_path.glob("*.db"))) == 40


def test_one_loop_creates_many_stores_at_once(tmp_path: Path) -> None:
    from lmsys_store import AsyncStore

    async def create(number: int) -> int:
        async with AsyncStore(tmp_path / f"{number}.db") as store:
            return (await store.status()).rows

    async def create_all() -> list[int]:
        return await asyncio.gather(*map(create, range(6)))

    assert asyncio.run(create_all()) == [0] * 6


def test_four_processes_create_one_store_at_once(store_path: Path) -> None:
    command = [sys.executable, "-c", _OPEN, str(store_path)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    outputs = [process.communicate(timeout=50) for process in running]
    assert outputs == [("()\n", "")] * 4
    assert _pragma(store_path, "page_size") == PAGE_SIZE


# -------------------------------------------------------------------------------------------------------- refused


def test_a_newer_schema_is_refused_and_left_alone(new_store: Path) -> None:
    _altered(new_store, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaTooNewError, match=f"9999.*{HEAD}.*upgrade the package"), Store(new_store):
        pass
    with closing(sqlite3.connect(new_store)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("9999",)]


def _other_application(path: Path) -> None:
    _altered(path, "CREATE TABLE bookmark (url TEXT)")


def _other_alembic_application(path: Path) -> None:
    _altered(path, "CREATE TABLE alembic_version (version_num TEXT)")
    _altered(path, "INSERT INTO alembic_version VALUES ('0001')")


def _text_file(path: Path) -> None:
    path.write_text("no database, but somebody's notes\n" * 100)


def _short_file(path: Path) -> None:
    path.write_bytes(b"short")


def _directory(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("make", [_other_application, _other_alembic_application, _text_file, _short_file, _directory])
def test_what_is_not_a_store_is_refused_and_left_as_it_is(store_path: Path, make: Callable[[Path], None]) -> None:
    make(store_path)
    before = store_path.read_bytes() if store_path.is_file() else b""
    with pytest.raises(NotAStoreError, match=str(store_path)), Store(store_path):
        pass
    assert before == (store_path.read_bytes() if store_path.is_file() else b"")


def test_an_empty_file_becomes_a_store(store_path: Path) -> None:
    store_path.touch()
    with Store(store_path) as store:
        assert store.status().rows == 0


def test_a_store_that_is_not_there_is_not_created_where_that_was_not_wanted(store_path: Path) -> None:
    with pytest.raises(StoreNotFoundError, match=str(store_path)), Store(store_path, create=False):
        pass
    assert list(store_path.parent.iterdir()) == []


def test_a_creation_that_was_killed_before_its_commit_is_done_anew(store_path: Path, tmp_path: Path) -> None:
    """What such a kill leaves: an empty file, or one with a header and pages but no table."""
    with closing(sqlite3.connect(store_path)) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
        connection.execute("PRAGMA journal_mode = WAL")
    assert store_path.stat().st_size > 0
    shutil.copy(store_path, tmp_path / "copy.db")
    with Store(tmp_path / "copy.db") as store:
        assert store.check().problems == ()
    assert _pragma(tmp_path / "copy.db", "page_size") == PAGE_SIZE
