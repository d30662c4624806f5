"""C2 under kill -9, Ctrl-C, cancellation and a second sync: nothing lost, nothing twice, nothing left in the way."""

import os
import re
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from lmsys_store import Store
from tests.embedding.conftest import ROWS
from tests.embedding.running import (
    LIMIT_SECONDS,
    contents,
    facts_of,
    finish,
    rows_in,
    run_cli,
    started_cli,
    wait_for_rows,
)

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are counted in /proc")


@pytest.mark.parametrize("rows", [1, 1000, 3000])
def test_a_killed_sync_goes_on_where_it_stood(rows: int, store_path: Path, chats: Path, whole_store: Path) -> None:
    """At the kill as many rows are committed, or the tables are just being made; afterwards all is as if it never happened."""
    with started_cli("sync", chats, "--store", store_path) as process:
        wait_for_rows(process, store_path, rows)
        process.kill()
        assert finish(process).code == -signal.SIGKILL
    committed = rows_in(store_path)
    assert rows <= committed < ROWS
    with Store(store_path) as store:
        again = store.sync(chats)
        assert (again.rows_skipped, again.rows_added, again.complete) == (committed, ROWS - committed, True)
        assert store.check().problems == ()
    assert contents(store_path) == contents(whole_store)


def test_a_sync_killed_while_its_tables_are_made_leaves_a_file_that_the_next_one_fills(
    store_path: Path, chats: Path, whole_store: Path
) -> None:
    with started_cli("sync", chats, "--store", store_path) as process:
        while not store_path.exists():
            assert process.poll() is None
        process.kill()
        assert finish(process).code == -signal.SIGKILL
    with Store(store_path) as store:
        assert store.sync(chats).complete
        assert store.check().problems == ()
    assert contents(store_path) == contents(whole_store)


@pytest.mark.parametrize("rows", [0, 2000])
def test_ctrl_c_ends_a_sync_with_130_and_one_line(rows: int, store_path: Path, chats: Path) -> None:
    with started_cli("sync", chats, "--store", store_path) as process:
        wait_for_rows(process, store_path, rows) if rows else _wait_for_lock(process, store_path)
        process.send_signal(signal.SIGINT)
        ended = finish(process, 10)
    assert (ended.code, ended.out) == (130, ""), ended
    assert re.fullmatch(r"lmsys-store: interrupted[^\n]*\n", ended.err), ended
    with Store(store_path) as store:
        assert rows <= store.select().count() < ROWS
        assert store.check().problems == ()
        assert store.sync(chats).complete
        assert store.select().count() == ROWS


def _wait_for_lock(process: "subprocess.Popen[str]", store: Path) -> None:
    lock = Path(f"{store}.lock")
    while not (lock.exists() and lock.stat().st_size):
        assert process.poll() is None, finish(process)


def test_ctrl_c_ends_a_sync_that_waits_for_another(store_path: Path, chats: Path) -> None:
    with started_cli("sync", chats, "--store", store_path) as holder:
        wait_for_rows(holder, store_path, 1000)
        holder.send_signal(signal.SIGSTOP)  # it holds the lock for as long as the test needs
        with started_cli("sync", chats, "--store", store_path, "--wait", 60) as waiter:
            _wait_until_it_waits(waiter, store_path)
            waiter.send_signal(signal.SIGINT)
            ended = finish(waiter, 10)
        holder.send_signal(signal.SIGCONT)
        assert finish(holder).code == 0
    assert ended.code == 130, ended
    assert ended.err.count("\n") == 1, ended


def _wait_until_it_waits(process: "subprocess.Popen[str]", store: Path) -> None:
    """Until a process has the store open and has all but stopped computing: then it waits for the lock."""
    used, until = -1, time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < until:
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
            raise AssertionError(finish(process))
        before, used = used, _ticks(process.pid)
        if used - before <= 1 and str(store) in _open_files(process.pid):
            return
    raise AssertionError("it never came to rest")


def _ticks(pid: int) -> int:
    """The processor time a process has used, in hundredths of a second."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _open_files(pid: int) -> set[str]:
    return {os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir() if entry.is_symlink()}


@pytest.mark.parametrize(("what", "rounds"), [("sync", 20), ("select", 60)])
def test_cancelled_at_any_moment_a_store_stays_usable(what: str, rounds: int, filled: Path, chats: Path) -> None:
    seed = os.urandom(4).hex()
    facts = facts_of("cancel", what, filled, chats, seed, rounds)
    assert facts["problems"] == [], f"seed {seed}"
    assert facts["excess"] == [], f"seed {seed}"
    assert facts["cancelled"] >= rounds // 3, "most rounds should end by their cancellation"
    for store in {filled, *filled.parent.glob("store-*.db")}:
        assert facts_of("write_lock", store) == {"free": True}


def test_a_second_sync_process_is_refused_with_the_pid_of_the_first_or_waits(store_path: Path, chats: Path) -> None:
    with started_cli("sync", chats, "--store", store_path) as first:
        wait_for_rows(first, store_path, 1000)
        first.send_signal(signal.SIGSTOP)  # it holds the lock for as long as the test needs
        refused = run_cli("sync", chats, "--store", store_path)
        assert refused.code == 1, refused
        assert f"process {first.pid} " in refused.err and refused.err.count("\n") == 1, refused
        with started_cli("sync", chats, "--store", store_path, "--wait", 30) as second:
            _wait_until_it_waits(second, store_path)
            first.send_signal(signal.SIGCONT)
            ends = finish(first), finish(second)
    assert [end.code for end in ends] == [0, 0], ends
    assert rows_in(store_path) == ROWS


@pytest.mark.parametrize("how", ["tasks", "stores"])
def test_a_second_sync_in_the_same_process_is_refused_by_name_or_waits(how: str, store_path: Path, chats: Path) -> None:
    facts = facts_of("two_syncs", how, store_path, chats)
    assert facts == {"named": True, "beside": True, "complete": True, "added": 0}


def test_a_wait_for_another_sync_that_is_given_up_ends_at_once_and_takes_no_lock(store_path: Path, chats: Path) -> None:
    assert facts_of("two_syncs", "cancelled-wait", store_path, chats) == {"ended": True, "complete": True}
