"""Running programs and the command line as processes, always with a time limit; looking into a store from outside."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).with_name("programs")
LIMIT_SECONDS = 30.0
_POLL_SECONDS = 0.002


@dataclass(frozen=True)
class Finished:
    """A process that has ended."""

    code: int
    out: str
    err: str

    @property
    def facts(self) -> dict[str, Any]:
        """What the program reported in its last line."""
        found: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        return found


def environment() -> dict[str, str]:
    """The test's environment, in which a program also finds these tests."""
    return os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"}


def run_program(name: str, *arguments: object, limit: float = LIMIT_SECONDS) -> Finished:
    """Run a program with every warning shown; subprocess.TimeoutExpired if it hangs."""
    return _run(["-W", "always", str(PROGRAMS / f"{name}.py"), *map(str, arguments)], limit)


def facts_of(name: str, *arguments: object) -> dict[str, Any]:
    """Run a program that must succeed in silence; gives what it reported."""
    ended = run_program(name, *arguments)
    assert (ended.code, ended.err) == (0, ""), ended
    return ended.facts


def run_cli(*arguments: object, limit: float = LIMIT_SECONDS) -> Finished:
    """Run ``python -m lmsys_store``."""
    return _run(["-m", "lmsys_store", *map(str, arguments)], limit)


def _run(arguments: list[str], limit: float) -> Finished:
    ended = subprocess.run(
        [sys.executable, *arguments], env=environment(), capture_output=True, text=True, timeout=limit, check=False
    )
    return Finished(ended.returncode, ended.stdout, ended.stderr)


@contextmanager
def started_cli(*arguments: object) -> Iterator["subprocess.Popen[str]"]:
    """The command line running in the background; killed at the end if it still runs."""
    command = [sys.executable, "-m", "lmsys_store", *map(str, arguments)]
    process = subprocess.Popen(
        command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate(timeout=LIMIT_SECONDS)


def finish(process: "subprocess.Popen[str]", limit: float = LIMIT_SECONDS) -> Finished:
    """Wait for a process to end; subprocess.TimeoutExpired if it does not."""
    out, err = process.communicate(timeout=limit)
    return Finished(process.returncode, out, err)


def rows_in(store: Path) -> int:
    """How many rows a store has committed; 0 while there is no table yet."""
    try:
        with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=1)) as connection:
            rows: int = connection.execute("SELECT count(*) FROM conversation").fetchone()[0]
            return rows
    except sqlite3.OperationalError:
        return 0


def wait_for_rows(process: "subprocess.Popen[str]", store: Path, rows: int) -> None:
    """Wait until a running sync has committed so many rows; AssertionError if it ends before."""
    until = time.monotonic() + LIMIT_SECONDS
    while rows_in(store) < rows:
        assert time.monotonic() < until, f"{store} never held {rows} rows"
        try:
            process.wait(_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(f"the sync ended before it was caught: {finish(process)}")


def contents(store: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every table that holds something of rows, but for what two runs may differ in: seq and times."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        names = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        ]
        # The full-text index's own pages are laid out by transaction; its words per row are in docsize.
        shown = [
            name for name in names if not name.startswith(("sqlite_", "sync_run")) and not name.endswith(_FTS_INTERNAL)
        ]
        return {name: sorted(connection.execute(_selected(connection, name)), key=repr) for name in shown}


_FTS_INTERNAL = ("conversation_fts", "_fts_data", "_fts_idx", "_fts_config")
_RUN_COLUMNS = ("seq", "first_fetch", "last_fetch", "deleted_at")


def _selected(connection: sqlite3.Connection, table: str) -> str:
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[1] not in _RUN_COLUMNS]
    return f"SELECT {', '.join(columns)} FROM {table}"
