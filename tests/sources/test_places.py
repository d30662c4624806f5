"""Where a store lies: things that are not stores, newer schemas, places that cannot be written, full disks, two syncs at once."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from lmsys_store import AsyncStore, Store
from lmsys_store.errors import NotAStoreError, SchemaTooNewError, StoreLockedError
from lmsys_store.sources.base import Identity, Page
from tests.cli.program import PROGRAM, assert_one_line, run, run_all
from tests.generated import write_parquet
from tests.sources.chats import SECRET, contents, ids, numbered, row, small_jsonl, small_parquet

AS_ROOT = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to drop to a user who may not write"
)


def _foreign_files(folder: Path) -> list[Path]:
    """A text, an SQLite database of another program, a Parquet file, a torn header."""
    text, other, torn = folder / "notes.txt", folder / "other.db", folder / "torn.db"
    text.write_text(SECRET * 99)
    with closing(sqlite3.connect(other)) as connection, connection:
        connection.execute("CREATE TABLE conversation (id)")
    torn.write_bytes(b"SQLite format 3\x00" + b"\x00" * 60)
    return [text, other, small_parquet(folder / "chats.parquet", 0, 5), torn]


def test_a_file_that_is_no_store_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    source = small_jsonl(tmp_path / "a.jsonl", [row(0)])
    for path in _foreign_files(tmp_path):
        before = path.read_bytes()
        for create in (False, True):
            with pytest.raises(NotAStoreError, match="--store") as caught:
                Store(path, create=create).open()
            assert SECRET not in str(caught.value) and str(path) in str(caught.value)
        assert path.read_bytes() == before
    with pytest.raises(NotAStoreError, match="directory; a store is one file"):
        Store(tmp_path).open()
    for done in run_all(
        ("sync", source, "--store", tmp_path / "notes.txt"), ("query", "--store", tmp_path / "other.db")
    ):
        assert_one_line(done, 1, "not an lmsys_store", "--store")


def test_a_store_of_a_newer_schema_is_refused_and_left_as_it_was(tmp_path: Path, store_path: Path) -> None:
    source = small_jsonl(tmp_path / "a.jsonl", [row(0)])
    with Store(store_path) as store:
        store.sync(source)
    with closing(sqlite3.connect(store_path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = store_path.read_bytes()
    with pytest.raises(SchemaTooNewError, match=r"9999.*upgrade"):
        Store(store_path).open()
    for done in run_all(("sync", source, "--store", store_path), ("status", "--json", "--store", store_path)):
        assert_one_line(done, 1, "9999", "pip install --upgrade lmsys-store")
    assert store_path.read_bytes() == before


# ---------------------------------------------------------------------------------------- places without permission

UNPRIVILEGED = """
import os, sys
from pathlib import Path
from lmsys_store import Store
place, warm = Path(sys.argv[1]), Path(sys.argv[2])
with Store(warm / "warm.db") as store:  # every import is done while the packages can surely be read
    store.sync(warm / "a.jsonl")
    list(store.select())
with Store(warm / "warm2.db") as store:
    store.sync(warm / "a.parquet")
os.setgroups([]); os.setgid(65534); os.setuid(65534)

def outcome(call):
    try:
        return call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
"""


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that any user may enter: pytest's own are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def _unprivileged(place: Path, program: str) -> list[str]:
    """What a program printed that ran as a user who owns nothing here."""
    warm = place / "warm"
    small_jsonl(warm / "a.jsonl", [row(0)])
    small_parquet(warm / "a.parquet", 0, 1)
    command = [sys.executable, "-c", UNPRIVILEGED + program, str(place), str(warm)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@AS_ROOT
def test_a_store_that_cannot_be_written_is_read_as_an_immutable_file_and_says_so(public: Path) -> None:
    path = public / "readonly" / "a.db"
    with Store(path) as store:
        store.sync(small_jsonl(public / "a.jsonl", [row(number) for number in range(120)]))
    for name in ("-wal", "-shm", ".lock"):
        Path(f"{path}{name}").unlink(missing_ok=True)
    path.parent.chmod(0o755)
    path.chmod(0o644)
    printed = _unprivileged(
        public,
        "path = place / 'readonly' / 'a.db'\n"
        "with Store(path) as store:\n"
        "    chats = store.select()\n"
        "    print(sum(1 for _ in chats), store.get('id-7').row_index, store.check().ok)\n"
        "    print(chats.notes)\n"
        "    print(outcome(lambda: store.sync(place / 'a.jsonl')))\n"
        "    print(outcome(lambda: store.delete(model='gpt-4')))\n"
        "    print(outcome(store.purge))\n",
    )
    assert printed[0] == "120 7 True"
    assert "immutable" in printed[1] and str(path) in printed[1]
    for refused in printed[2:4]:
        assert refused.startswith("StoreReadOnlyError: ") and "place you can write" in refused
    assert printed[4].startswith(("StoreReadOnlyError: ", "StoreError: "))
    assert [entry.name for entry in path.parent.iterdir()] == ["a.db"]
    assert ids(path) == numbered(120)


@AS_ROOT
def test_rows_in_a_log_that_cannot_be_used_are_an_error_and_not_missing(public: Path) -> None:
    """Opened as immutable the file would lack what is only in its -wal; the error says how to read it all."""
    path = public / "readonly" / "a.db"
    with Store(path) as store:
        store.sync(small_jsonl(public / "a.jsonl", [row(number) for number in range(120)]))
        with closing(sqlite3.connect(path)) as other, other:
            other.execute("UPDATE conversation SET model = 'changed' WHERE row_index = 3")
        for file in path.parent.iterdir():
            file.chmod(0o644)
        path.parent.chmod(0o755)
        assert Path(f"{path}-wal").stat().st_size > 0
        Path(f"{path}-shm").chmod(0o600)
        printed = _unprivileged(
            public,
            "def read():\n"
            "    with Store(place / 'readonly' / 'a.db') as store:\n"
            "        return [chat.model for chat in store.select()][3]\n"
            "print(outcome(read))\n",
        )
    assert printed[0] == "changed" or printed[0].startswith("StoreReadOnlyError: ")
    assert printed[0] == "changed" or ("-wal" in printed[0] and "copy" in printed[0])


@AS_ROOT
def test_a_place_where_no_store_can_be_created_is_a_clear_error(public: Path) -> None:
    (public / "closed").mkdir(mode=0o755)
    (public / "secret").mkdir(mode=0o700)
    (public / "file").write_text("a file, not a folder")
    hidden = public / "hidden.db"
    with Store(hidden):
        pass
    printed = _unprivileged(
        public,
        "for name in ('closed/a.db', 'closed/deeper/a.db', 'secret/a.db', 'file/a.db', 'hidden.db'):\n"
        "    print(outcome(Store(place / name).open))\n"
        "os.environ['LMSYS_STORE_PATH'] = str(place / 'closed' / 'b.db')\n"
        "print(outcome(Store().open))\n",
    )
    assert len(printed) == 6
    for name, error in zip(("closed/a.db", "closed/deeper/a.db", "secret/a.db", "file/a.db"), printed, strict=False):
        assert str(public / name) in error and "Error: " in error and "--store" in error, error
        assert error.startswith(("StoreReadOnlyError: ", "StoreError: ", "NotAStoreError: ")), error
    assert printed[4].startswith("StoreReadOnlyError: ") and "owner and mode" in printed[4]
    assert printed[5].startswith("StoreReadOnlyError: ") and "--store" in printed[5]
    assert list((public / "closed").iterdir()) == []


@AS_ROOT
def test_a_source_that_this_user_may_not_read_is_a_clear_error(public: Path) -> None:
    small_parquet(public / "a.parquet", 0, 3).chmod(0o600)
    small_jsonl(public / "b.jsonl", [row(0)]).chmod(0o600)
    (public / "open").mkdir()
    (public / "open").chmod(0o777)
    printed = _unprivileged(
        public,
        "with Store(place / 'open' / 'a.db') as store:\n"
        "    print(outcome(lambda: store.sync(place / 'a.parquet')))\n"
        "    print(outcome(lambda: store.sync(place / 'b.jsonl')))\n",
    )
    for name, error in zip(("a.parquet", "b.jsonl"), printed, strict=True):
        assert error.startswith("Source") and str(public / name) in error, error
        assert "owner and mode" in error, error


# ----------------------------------------------------------------------------------------------------- a full disk

LIMITED = """
import sys
from sqlalchemy import event
from sqlalchemy.engine import Engine

@event.listens_for(Engine, "connect")
def limit(connection, record):
    cursor = connection.cursor()
    cursor.execute("PRAGMA max_page_count = 420")
    cursor.close()

from lmsys_store.cli import main
main()
"""


def test_a_full_disk_keeps_what_was_committed_and_the_next_sync_completes(tmp_path: Path, store_path: Path) -> None:
    source = write_parquet(tmp_path / "a.parquet", 3000, group=500)
    with Store(tmp_path / "whole.db") as store:
        store.sync(source)
    command = [sys.executable, "-c", LIMITED, "sync", str(source), "--store", str(store_path)]
    for _ in range(2):  # and again while the disk is still full
        full = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
        assert_one_line(full, 1, store_path, "no space left", "free space")
        held = contents(store_path)
        assert 0 < len(held["rows"]) < 3000 and held["coverage"] == ((0, len(held["rows"])),)
    with Store(store_path) as store:
        report = store.sync(source)
        assert (report.rows_skipped, report.complete) == (len(held["rows"]), True)
    assert contents(store_path) == contents(tmp_path / "whole.db")


# ------------------------------------------------------------------------------------------------- two syncs at once


class SlowSource:
    """Delivers one page, then waits until it is let on: a sync caught in the middle."""

    name, requests, notes, waiting = "slow", 0, (), None
    identity = Identity("test/slow", "1")
    total_rows: int | None = 20

    def __init__(self) -> None:
        self.begun, self.let_on = anyio.Event(), anyio.Event()

    async def aclose(self) -> None:
        self.let_on.set()

    async def pages(self, wanted: Sequence[tuple[int, int]]) -> AsyncIterator[Page]:
        for start, stop in wanted:
            half = (start + stop) // 2
            yield Page(start, [row(number) for number in range(start, half)], 1)
            self.begun.set()
            await self.let_on.wait()
            yield Page(half, [row(number) for number in range(half, stop)], 1)


@pytest.mark.anyio
async def test_a_second_sync_is_told_who_holds_the_store_and_disturbs_nothing(tmp_path: Path, store_path: Path) -> None:
    """From the same store object, another one, and another process; readers go on meanwhile."""
    slow, other = SlowSource(), small_jsonl(tmp_path / "a.jsonl", [row(0)])
    async with AsyncStore(store_path) as store, AsyncStore(store_path) as second, anyio.create_task_group() as group:
        group.start_soon(store.sync, slow)
        with anyio.fail_after(20):
            await slow.begun.wait()
        for mine in (store, second):
            with pytest.raises(StoreLockedError, match=f"process {os.getpid()} on .*; ") as caught:
                await mine.sync(other)
            assert caught.value.transient
        done = await anyio.to_thread.run_sync(lambda: run("sync", other, "--store", store_path))
        assert_one_line(done, 1, f"process {os.getpid()}", "wait for it")
        assert (await second.status()).last_sync is None
        slow.let_on.set()
    assert ids(store_path) == numbered(20)
    async with AsyncStore(store_path) as store:
        assert (await store.sync(SlowSource())).rows_skipped == 20


def test_two_processes_that_wait_for_each_other_store_every_row_once(tmp_path: Path, store_path: Path) -> None:
    source = small_parquet(tmp_path / "a.parquet", 0, 3000)
    command = [*PROGRAM, "sync", str(source), "--store", str(store_path), "--wait", "30", "--json"]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=50) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert [stderr for _, stderr in outputs] == ["", ""]
    assert ids(store_path) == numbered(3000)
    assert contents(store_path)["coverage"] == ((0, 3000),)


def test_a_lock_left_by_a_process_that_was_killed_holds_nothing(tmp_path: Path, store_path: Path) -> None:
    Path(f"{store_path}.lock").write_text("process 999999 on elsewhere, since yesterday\n")
    with Store(store_path) as store:
        assert store.sync(small_jsonl(tmp_path / "a.jsonl", [row(0)])).complete
    copied = tmp_path / "copied.db"
    shutil.copy(store_path, copied)
    assert ids(copied) == numbered(1)
