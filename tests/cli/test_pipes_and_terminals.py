"""Pipes whose reader leaves, progress bars on a terminal alone, and what is removed only when it was said."""

import os
import pty
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from lmsys_store import Store
from tests.cli.program import CHATS, PROGRAM, SENTENCE, assert_one_line, chat, run, write_rows


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash for pipefail")
def test_a_reader_that_leaves_early_ends_the_program_quietly(tmp_path: Path, store_path: Path) -> None:
    with Store(store_path) as store:
        store.sync(
            write_rows(tmp_path / "many.jsonl", [chat(n, "gpt-4", "English", [f"{n} " * 400] * 2) for n in range(400)])
        )
    for command in ("query --json", "query", "export --format jsonl"):
        script = f"{' '.join(PROGRAM)} {command} --store {store_path} | head -1"
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", script], capture_output=True, text=True, timeout=50, check=False
        )
        assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1), command


def _with_terminal(*args: object, listing: bool = False) -> tuple[int, str, str]:
    """Exit code, stdout (a pipe, unless it is to be the terminal too), and what a terminal on stderr was sent."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        [*PROGRAM, *map(str, args)], stdout=theirs if listing else subprocess.PIPE, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        seen = b""
        with suppress(OSError):  # Linux says EIO where the other end is closed
            while part := os.read(ours, 4096):
                seen += part
        os.close(ours)
        stdout = process.stdout.read() if process.stdout else b""
        code = process.wait(50)
    return code, stdout.decode(), seen.decode()


def test_a_bar_is_drawn_on_a_terminal_and_nothing_where_there_is_none(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "chats.jsonl", [*CHATS])
    code, stdout, terminal = _with_terminal("sync", source, "--store", tmp_path / "a.db", "--json")
    assert code == 0 and stdout.startswith('{"rows_added": 10,') and "\x1b" not in stdout
    assert "syncing" in terminal and "\x1b[" in terminal
    piped = run("sync", source, "--store", tmp_path / "b.db")
    assert (piped.returncode, piped.stderr) == (0, "")
    assert "10 rows added" in piped.stdout and "\x1b" not in piped.stdout and "syncing" not in piped.stdout


def test_a_terminal_gets_20_rows_and_the_number_of_the_others(tmp_path: Path, store_path: Path) -> None:
    """But not of all rows where it went on behind some of them."""
    with Store(store_path) as store:
        store.sync(write_rows(tmp_path / "many.jsonl", [chat(n, "gpt-4", "English", [f"{n}"]) for n in range(50)]))
        page = store.select().limit(20)
        assert len(list(page)) == 20
    code, _, terminal = _with_terminal("query", "--store", store_path, listing=True)
    assert code == 0 and "chat-19" in terminal and "chat-20" not in terminal and "30 more" in terminal
    code, _, terminal = _with_terminal("query", "--store", store_path, "--resume", page.next_token, listing=True)
    assert code == 0 and "chat-20" in terminal and "chat-39" in terminal and " more" not in terminal


def test_purge_without_yes_and_without_a_terminal_removes_nothing(store_path: Path, filled: Path) -> None:
    shutil.copy(filled, store_path)
    assert_one_line(run("purge", "--store", store_path, input="y\n"), 1, "nothing was removed", "--yes")
    assert store_path.read_bytes() == filled.read_bytes()


def test_purge_leaves_no_byte_of_a_chat_in_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    with Store(folder / "a.db") as store:
        store.sync(write_rows(tmp_path / "chats.jsonl", [*CHATS]))
        store.delete(language="ar")
    for name in ("a.db-wal", "a.db-shm", "a.db.lock"):
        (folder / name).touch()  # as they are left by a process that was killed
    assert any(SENTENCE.encode() in path.read_bytes() for path in folder.iterdir())
    kept = {path: path.open("rb") for path in folder.iterdir()}
    try:
        done = run("purge", "--yes", "--store", folder / "a.db")
        assert (done.returncode, done.stderr) == (0, "") and str(folder / "a.db") in done.stdout
        assert list(folder.iterdir()) == []
        for path, file in kept.items():
            assert SENTENCE.encode() not in file.read(), f"{path} was unlinked but not overwritten"
    finally:
        for file in kept.values():
            file.close()


@pytest.mark.parametrize(
    "content", [b"notes of mine, not a store\n" * 100, b"SQLite format 3\x00"], ids=["text", "other-sqlite"]
)
def test_purge_refuses_a_file_that_is_not_a_store(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes"
    if content.startswith(b"SQLite"):
        import sqlite3

        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE notes (text)")
        connection.close()
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    done = run("purge", "--yes", "--store", path)
    assert path.exists() and path.read_bytes() == before, "a file that is no store was destroyed"
    assert_one_line(done, 1, path)
