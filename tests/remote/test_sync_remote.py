"""What a sync of the remote costs and promises: requests, order, plan, progress, going on, and never asking twice."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any

import anyio
import pytest

from lmsys_store import AsyncStore
from lmsys_store.errors import DatasetMismatchError, DatasetNotFoundError, StoreClosedError
from lmsys_store.ingest import Progress
from lmsys_store.syncing import SyncPlan
from tests.remote.runs import (
    ROWS,
    asked,
    assert_equal,
    covered,
    once_each,
    queried,
    row_contents,
    settings,
    stand_in,
    synced,
)
from tests.standin import GeneratedRows, Seen, StandIn, rule
from tests.standin import faults as f

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("token")]


@pytest.mark.parametrize("total", [0, 1, 99, 100, 101, 450])
async def test_a_sync_makes_a_request_a_page_and_at_most_four_more(total: int, store_path: Path) -> None:
    async with stand_in(rows=ROWS[:total]) as standin:
        report = await synced(store_path, standin)
        assert (report.complete, report.rows_added) == (True, total)
        assert report.requests <= len(standin.log) <= ceil(total / 100) + 4
        assert max(Counter(asked(standin)).values()) == 1
        assert {seen.accept_encoding for seen in standin.log} == {"gzip"}
        made = len(standin.log)
        again = await synced(store_path, standin)
        assert (again.complete, again.rows_added, again.requests) == (True, 0, 0)
        assert len(standin.log) == made, "a second sync makes no request"


@pytest.mark.parametrize("limit", [1, 100, 101, 250])
async def test_a_limit_costs_no_more_than_its_own_pages(limit: int, store_path: Path) -> None:
    async with stand_in() as standin:
        report = await synced(store_path, standin, limit=limit)
        assert (report.complete, report.rows_added) == (True, limit)
        assert len(standin.log) <= ceil(limit / 100) + 4
        made = len(standin.log)
        assert (await synced(store_path, standin, limit=limit)).complete and len(standin.log) == made
    assert [(start, stop) for start, stop in covered(store_path)] == [(0, limit)]


async def test_after_a_limit_the_next_sync_goes_on_behind_it(store_path: Path, undisturbed: Path) -> None:
    async with stand_in() as standin:
        for limit, added in ((130, 130), (200, 70), (50, 0), (None, 250)):
            report = await synced(store_path, standin, limit=limit)
            assert (report.complete, report.rows_added) == (True, added)
        ends = [offset + length for offset, length in asked(standin)]
        assert [offset for offset, _ in asked(standin)] == [0, 100, 130, 200, 300, 400]
        assert ends[-1] <= len(ROWS)
    await assert_equal(store_path, undisturbed)


async def test_every_historical_form_of_the_features_gives_the_same_store(tmp_path: Path) -> None:
    rows = list(GeneratedRows(120))
    stores = []
    for form in ("list", "legacy", "sequence"):
        async with stand_in(rows=rows, features=form) as standin:
            stores.append(tmp_path / f"{form}.db")
            assert (await synced(stores[-1], standin)).rows_added == len(rows)
    one, *others = (row_contents(store) for store in stores)
    assert one["moderation"] and all(other == one for other in others)


# -- several at once ---------------------------------------------------------------------------------------------------


def most_at_once(log: Sequence[Seen]) -> int:
    """How many requests were under way together, at most."""
    moments = [(seen.started, 1) for seen in log] + [(seen.ended or 0.0, -1) for seen in log]
    now = most = 0
    for _, change in sorted(moments):
        now += change
        most = max(most, now)
    return most


@pytest.mark.parametrize(("concurrency", "least"), [(1, 1), (2, 2), (4, 3)])
async def test_never_more_requests_at_once_than_allowed_and_pages_in_order(
    concurrency: int, least: int, store_path: Path
) -> None:
    late = [rule(f.delay(0.15), "rows", offset=offset) for offset in (100, 400)]
    async with stand_in(*late, rows=GeneratedRows(1200, moderation=False), page_seconds=0.02) as standin:
        report = await synced(store_path, standin, {"concurrency": concurrency})
        assert report.complete
        assert least <= most_at_once(standin.log) <= concurrency
        assert Counter(asked(standin)) == once_each(total=1200)
    starts = queried(store_path, "SELECT start FROM coverage ORDER BY seq")
    assert starts == [(start,) for start in range(0, 1200, 100)], "stored in row order, though two came late"


async def test_requests_keep_the_distance_of_a_rate(store_path: Path) -> None:
    async with stand_in() as standin:
        assert (await synced(store_path, standin, {"max_rate": 20})).complete
        starts = sorted(seen.started for seen in standin.log)
        assert min(later - earlier for earlier, later in pairwise(starts)) > 0.03
        assert starts[-1] - starts[0] >= 0.04 * (len(starts) - 1)


async def test_two_stores_of_one_process_share_the_budget_of_a_host(tmp_path: Path) -> None:
    async with stand_in(page_seconds=0.03) as standin:
        async with anyio.create_task_group() as group:
            for name in ("one", "other"):
                group.start_soon(synced, tmp_path / f"{name}.db", standin, {"concurrency": 2})
        assert most_at_once(standin.log) <= 2
    assert row_contents(tmp_path / "one.db") == row_contents(tmp_path / "other.db")


# -- plan and progress -------------------------------------------------------------------------------------------------


async def test_the_plan_says_what_is_about_to_be_done(store_path: Path) -> None:
    plans: list[SyncPlan] = []
    async with stand_in() as standin:
        await synced(store_path, standin, limit=130)
        await synced(store_path, standin, on_plan=plans.append)
    (plan,) = plans
    assert (plan.rows, plan.held, plan.requests, plan.drops, plan.notes) == (320, 130, 4, 0, ())
    assert "lmsys/lmsys-chat-1m" in plan.source
    assert plan.minutes is not None and 0 < plan.minutes < 1
    assert plan.disk_bytes is not None and 320 * 500 < plan.disk_bytes < 320 * 20_000
    assert plan.free_bytes > 0


async def test_a_dry_run_makes_the_plan_and_stores_nothing(store_path: Path) -> None:
    plans: list[SyncPlan] = []
    async with stand_in() as standin:
        report = await synced(store_path, standin, dry_run=True, on_plan=plans.append)
        assert (report.complete, report.rows_added) == (False, 0)
        assert (plans[0].rows, plans[0].requests) == (len(ROWS), 5)
        assert asked(standin) in ([(0, 100)], [(0, 1)], [(0, 0)])
    assert queried(store_path, "SELECT count(*) FROM conversation") == [(0,)]
    assert queried(store_path, "SELECT count(*) FROM store") == [(0,)]
    assert queried(store_path, "SELECT count(*) FROM sync_run") == [(0,)]


@pytest.mark.parametrize(("total", "named"), [(50_000, False), (50_001, True)])
async def test_for_many_rows_the_plan_names_the_quicker_way(total: int, named: bool, store_path: Path) -> None:
    plans: list[SyncPlan] = []
    async with stand_in(rows=GeneratedRows(total, moderation=False)) as standin:
        await synced(store_path, standin, dry_run=True, on_plan=plans.append)
    assert any("hf download lmsys/lmsys-chat-1m" in note for note in plans[0].notes) is named


async def test_progress_says_why_it_waits(store_path: Path) -> None:
    told: list[Progress] = []
    async with stand_in(rule(f.too_many("1"), "rows", offset=200)) as standin:
        await synced(store_path, standin, {"concurrency": 1}, on_progress=told.append)
    waits = {progress.waiting for progress in told if progress.waiting}
    assert waits == {"waiting 1 s: the server asked for it"}
    assert (told[-1].phase, told[-1].done, told[-1].total, told[-1].waiting) == ("done", len(ROWS), len(ROWS), None)
    assert all(later.done >= earlier.done for earlier, later in pairwise(told))


async def test_a_wait_beside_another_is_still_told_when_the_shorter_one_ends(store_path: Path) -> None:
    """Two pages wait; the one that waits longer is the reason that nothing comes."""
    told: list[Progress] = []
    late = f.together(f.delay(0.2), f.html(503))
    faults = [rule(f.error(500, "ResponseNotReady"), "rows", offset=100), rule(late, "rows", offset=200)]
    async with stand_in(*faults) as standin:
        await synced(store_path, standin, {"poll_seconds": 1.2}, on_progress=told.append)
    assert any("still preparing" in (progress.waiting or "") for progress in told)


async def test_a_wait_can_be_cancelled_and_what_was_stored_stays(store_path: Path, undisturbed: Path) -> None:
    """The scope is cancelled around the whole store, so that leaving it is cancelled too: it is closed all the same."""
    async with stand_in(rule(f.too_many("3600"), "rows", offset=200, times=None)) as standin:
        store = AsyncStore(store_path, settings=settings(standin, retry_seconds=9999))
        with anyio.move_on_after(0.6) as scope:
            async with store:
                await store.sync()
        assert scope.cancelled_caught
        assert covered(store_path) == [(0, 200)]
        try:
            with pytest.raises(StoreClosedError):
                await store.status()
        finally:
            await store.close()
    async with stand_in() as fresh:  # the other host is to be left alone for an hour
        assert (await synced(store_path, fresh)).complete
        assert min(offset for offset, _ in asked(fresh)) == 200
    await assert_equal(store_path, undisturbed)


# -- which data set ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [{"config": "other"}, {"split": "test"}])
async def test_a_config_or_split_that_is_not_there_is_an_error_that_names_those_that_are(
    place: dict[str, Any], store_path: Path
) -> None:
    async with stand_in() as standin:
        with pytest.raises(DatasetNotFoundError, match="default/train"):
            await synced(store_path, standin, place)
        assert len(standin.log) < 12
    assert queried(store_path, "SELECT count(*) FROM store") == [(0,)]


async def test_a_store_of_local_files_is_not_filled_from_the_remote(store_path: Path, tmp_path: Path) -> None:
    from tests.generated import write_jsonl

    async with stand_in() as standin, AsyncStore(store_path, settings=settings(standin)) as store:
        await store.sync(write_jsonl(tmp_path / "chats.jsonl", ROWS[:5]), limit=3)
        with pytest.raises(DatasetMismatchError, match="--store"):
            await store.sync()
        assert standin.log == []


async def test_an_empty_store_is_filled_with_the_data_set_of_the_settings_a_full_one_with_its_own(
    store_path: Path,
) -> None:
    async with stand_in(dataset="demo/generated", gated=False) as standin:
        await synced(store_path, standin, {"dataset": "demo/generated"}, limit=100)
        assert (await synced(store_path, standin)).rows_added == len(ROWS) - 100
        assert {seen.params["dataset"] for seen in standin.log} == {"demo/generated"}


async def test_a_damaged_count_of_the_remote_beside_the_rows_is_noted(store_path: Path) -> None:
    async with stand_in(rule(f.total(7), "size")) as standin:
        report = await synced(store_path, standin)
    assert report.complete and any("/size" in note for note in report.notes)


@pytest.mark.parametrize("endpoint", ["size", "splits"])
async def test_what_is_asked_beside_the_pages_may_fail(endpoint: str, store_path: Path, undisturbed: Path) -> None:
    async with stand_in(rule(f.stall(), endpoint, times=None)) as standin:
        report = await synced(store_path, standin, {"request_seconds": 20})
    assert report.complete and report.seconds < 5
    await assert_equal(store_path, undisturbed)


async def test_the_first_page_is_not_waited_for_by_what_is_asked_beside_it(store_path: Path) -> None:
    """A cold store's first row is the thing waited for: its page goes out first."""
    firsts = []
    for _ in range(3):
        standin: StandIn = stand_in()
        async with standin:
            await synced(store_path, standin, {"concurrency": 1}, dry_run=True)
            firsts.append(standin.log[0].endpoint)
    assert firsts == ["/rows"] * 3
