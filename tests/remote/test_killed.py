"""``lmsys-store sync`` as a process: killed at any page, interrupted, twice at once; what it prints, and how it ends."""

import json
import re
import signal
from pathlib import Path

import pytest

from lmsys_store import Query
from lmsys_store.intervals import Interval
from tests.embedding.running import finish, rows_in, run_cli, started_cli, wait_for_rows
from tests.remote.processes import peak_megabytes, wait_until
from tests.remote.runs import ROWS, asked, assert_equal, covered, overlap, queried, spans, synced
from tests.standin import StandIn, rule
from tests.standin import faults as f

pytestmark = pytest.mark.anyio


def stalled_at(served: StandIn, offset: int) -> None:
    """From this page on no answer comes."""
    served.script.rules[:] = [rule(f.stall(), "rows", offset=start, times=None) for start in range(offset, 500, 100)]


@pytest.mark.parametrize("offset", [0, 200])
async def test_killed_at_a_page_it_goes_on_there(
    offset: int, served: StandIn, store_path: Path, undisturbed: Path
) -> None:
    stalled_at(served, offset)
    with started_cli("sync", "--store", store_path) as process:
        wait_until(process, lambda: offset in [start for start, _ in asked(served)])
        wait_for_rows(process, store_path, offset) if offset else None
        process.kill()
        assert finish(process).code == -signal.SIGKILL
    held = covered(store_path) if offset else []
    assert held == ([Interval(0, offset)] if offset else [])
    served.script.rules.clear()
    since = len(served.log)
    assert (await synced(store_path, served)).complete
    assert overlap(spans(served, since), held) == []
    assert len(served.log) - since <= 9 - len(range(0, offset, 100))
    await assert_equal(store_path, undisturbed)


async def test_killed_again_and_again_at_any_moment_it_comes_to_its_end(
    served: StandIn, store_path: Path, undisturbed: Path
) -> None:
    served.page_seconds = 0.08
    for rows in (1, 250):
        with started_cli("sync", "--store", store_path, "--concurrency", 2) as process:
            wait_for_rows(process, store_path, rows)
            process.kill()
            finish(process)
        held, since = covered(store_path), len(served.log)
    assert held and held[0].stop >= 300
    assert run_cli("sync", "--store", store_path).code == 0
    assert overlap(spans(served, since), held) == []
    await assert_equal(store_path, undisturbed)


async def test_a_killed_filter_goes_on_there(served: StandIn, store_path: Path) -> None:
    served.script.rules.append(rule(f.stall(), "filter", offset=100, times=None))
    with started_cli("sync", "--model", "vicuna-13b", "--store", store_path) as process:
        wait_for_rows(process, store_path, 100)
        process.kill()
        finish(process)
    served.script.rules.clear()
    since = len(served.log)
    assert (await synced(store_path, served, query=Query.of(model="vicuna-13b"))).complete
    rows = [call for call in asked(served, "/filter", since) if call[1]]
    assert rows and min(rows)[0] == 100
    wanted = [(number,) for number, row in enumerate(ROWS) if row["model"] == "vicuna-13b"]
    assert queried(store_path, "SELECT row_index FROM conversation ORDER BY row_index") == wanted


async def test_a_second_one_names_the_first_and_ctrl_c_keeps_what_was_stored(
    served: StandIn, store_path: Path, undisturbed: Path
) -> None:
    stalled_at(served, 200)
    with started_cli("sync", "--store", store_path) as first:
        wait_for_rows(first, store_path, 200)
        made = len(served.log)
        second = run_cli("sync", "--store", store_path)
        assert (second.code, second.out) == (1, "")
        assert re.fullmatch(rf"lmsys-store: another sync holds [^\n]* process {first.pid} [^\n]*\n", second.err)
        assert len(served.log) == made, "the second asked for nothing"
        first.send_signal(signal.SIGINT)
        ended = finish(first, 10)
    assert (ended.code, ended.out) == (130, "")
    assert ended.err.splitlines()[-1].startswith("lmsys-store: interrupted; what was stored is kept")
    assert "Traceback" not in ended.err
    assert covered(store_path) == [Interval(0, 200)]
    served.script.rules.clear()
    assert (await synced(store_path, served)).complete
    await assert_equal(store_path, undisturbed)


async def test_ctrl_c_ends_a_wait_that_the_server_asked_for(served: StandIn, store_path: Path) -> None:
    served.script.rules.append(rule(f.too_many("500"), "rows", times=None))
    with started_cli("sync", "--store", store_path) as process:
        wait_until(process, lambda: any(seen.status == 429 for seen in served.log))
        process.send_signal(signal.SIGINT)
        assert finish(process, 10).code == 130


# -- what it prints ----------------------------------------------------------------------------------------------------


def test_the_plan_goes_to_stderr_and_the_sum_to_stdout(served: StandIn, store_path: Path) -> None:
    done = run_cli("sync", "--store", store_path)
    assert done.code == 0
    assert "450 rows to fetch, 0 held already" in done.err and "5 requests" in done.err and "free" in done.err
    assert done.out.startswith("450 rows added, 0 rejected, 0 held already") and "complete: " in done.out


def test_json_is_one_object_of_this_shape(served: StandIn, store_path: Path) -> None:
    done = run_cli("sync", "--store", store_path, "--json", "--limit", 150, "--max-rate", 50)
    assert done.code == 0 and done.out.count("\n") == 1
    found = json.loads(done.out)
    assert {name: type(value) for name, value in found.items()} == {
        "rows_added": int, "rows_rejected": int, "rows_skipped": int, "turn_mismatches": int, "seconds": float,
        "requests": int, "bytes": int, "complete": bool,
    }  # fmt: skip
    assert (found["rows_added"], found["complete"]) == (150, True)
    assert 2 <= found["requests"] <= 6 and found["bytes"] > 30_000


def test_a_dry_run_prints_the_plan_and_fetches_nothing(served: StandIn, store_path: Path) -> None:
    done = run_cli("sync", "--store", store_path, "--dry-run")
    assert done.code == 0 and "450 rows to fetch" in done.err and "nothing was fetched" in done.out
    assert rows_in(store_path) == 0
    assert len(asked(served)) <= 1


# -- how it ends -------------------------------------------------------------------------------------------------------


def test_an_error_is_one_line_and_exit_code_1(
    served: StandIn, store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LMSYS_STORE_ATTEMPTS", "2")
    served.script.rules[:] = [rule(f.revision("b" * 40), "rows", offset=200, times=None)]
    ended = run_cli("sync", "--store", store_path)
    assert (ended.code, ended.out) == (1, ""), ended
    lines = [line for line in ended.err.splitlines() if not line.startswith("note: ")]
    assert len(lines) == 1 and lines[0].startswith("lmsys-store: ") and "--restart" in lines[0], ended
    assert covered(store_path) == [Interval(0, 200)]


async def test_an_answer_without_end_is_an_error_in_bounded_memory(
    served: StandIn, store_path: Path, undisturbed: Path
) -> None:
    served.script.rules.append(rule(f.endless_body(), "rows", offset=200, times=None))
    code, megabytes = peak_megabytes("sync", "--store", store_path)
    assert code == 1 and megabytes < 600, megabytes
    assert covered(store_path) == [Interval(0, 200)]
    served.script.rules.clear()
    assert (await synced(store_path, served)).complete
    await assert_equal(store_path, undisturbed)
