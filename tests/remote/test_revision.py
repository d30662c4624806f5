"""C7: rows of two revisions never mix; a server that wavers is asked again, and a restart fills the store anew."""

from pathlib import Path

import pytest

from lmsys_store import AsyncStore
from lmsys_store.errors import RemoteUnavailableError, RevisionChangedError, StoreRestartedError
from lmsys_store.intervals import Interval
from lmsys_store.syncing import SyncPlan
from tests.remote.runs import (
    OTHER,
    ROWS,
    asked,
    assert_equal,
    covered,
    overlap,
    queried,
    row_contents,
    settings,
    short,
    spans,
    stand_in,
    synced,
)
from tests.standin import GeneratedRows, rule
from tests.standin import faults as f

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("token")]
NEWER = [short(row) for row in GeneratedRows(320, seed=1, moderation=False)]


async def revision_of(path: Path) -> tuple[str | None, int]:
    async with AsyncStore(path) as store:
        status = await store.status()
    return status.revision, status.rows


@pytest.mark.parametrize("offset", [100, 200, 300, 400])
async def test_a_revision_that_changes_for_good_on_a_page_stops_the_sync_there(
    offset: int, store_path: Path, undisturbed: Path
) -> None:
    async with stand_in(rule(f.revision(OTHER), "rows", offset=offset, times=None)) as standin:
        with pytest.raises(RevisionChangedError, match=f"{OTHER}.*--restart"):
            await synced(store_path, standin)
        assert asked(standin).count((offset, min(100, len(ROWS) - offset))) == 4, "once, and three times again"
        held = covered(store_path)
        assert held == [Interval(0, offset)]
        assert await revision_of(store_path) == ("a" * 40, offset)
        standin.script.rules.clear()
        since = len(standin.log)
        assert (await synced(store_path, standin)).complete
        assert overlap(spans(standin, since), held) == []
    await assert_equal(store_path, undisturbed)


async def test_servers_that_differ_for_a_while_are_borne(store_path: Path, undisturbed: Path) -> None:
    async with stand_in(*(rule(f.revision(OTHER), "rows", offset=100 * k, times=2) for k in (1, 3, 4))) as standin:
        assert (await synced(store_path, standin)).complete
    await assert_equal(store_path, undisturbed)


async def test_a_data_set_that_was_changed_leaves_the_store_as_it_is(store_path: Path) -> None:
    async with stand_in() as standin:
        await synced(store_path, standin, limit=200)
        before = row_contents(store_path)
        standin.rows, standin.revision = NEWER, OTHER
        for _ in range(2):
            with pytest.raises(RevisionChangedError):
                await synced(store_path, standin)
    assert row_contents(store_path) == before


async def test_a_filter_that_answers_of_another_revision_stops_the_sync(store_path: Path) -> None:
    from lmsys_store import Query

    async with stand_in(rule(f.revision(OTHER), "filter", times=None)) as standin:
        with pytest.raises(RevisionChangedError):
            await synced(store_path, standin, query=Query.of(model="vicuna-13b"))
    assert queried(store_path, "SELECT * FROM predicate") == []
    assert queried(store_path, "SELECT count(*) FROM conversation") == [(0,)]


# -- restart -----------------------------------------------------------------------------------------------------------


async def test_a_restart_drops_all_and_fills_the_store_at_the_new_revision(store_path: Path, tmp_path: Path) -> None:
    plans: list[SyncPlan] = []
    async with stand_in() as standin:
        await synced(store_path, standin)
        standin.rows, standin.revision = NEWER, OTHER
        report = await synced(store_path, standin, restart=True, on_plan=plans.append)
        assert (report.complete, report.rows_added) == (True, len(NEWER))
        whole = tmp_path / "whole.db"
        await synced(whole, standin)
    assert (plans[0].drops, plans[0].rows, plans[0].held) == (len(ROWS), len(NEWER), 0)
    assert await revision_of(store_path) == (OTHER, len(NEWER))
    ours, theirs = row_contents(store_path), row_contents(whole)
    assert queried(store_path, "SELECT generation FROM store") == [(1,)]
    ours.pop("store"), theirs.pop("store")  # the generation differs
    assert ours == theirs
    async with AsyncStore(store_path) as store:
        assert (await store.check()).problems == ()


async def test_a_restart_planned_dry_drops_nothing(store_path: Path, undisturbed: Path) -> None:
    plans: list[SyncPlan] = []
    async with stand_in() as standin:
        await synced(store_path, standin)
        standin.rows, standin.revision = NEWER, OTHER
        await synced(store_path, standin, restart=True, dry_run=True, on_plan=plans.append)
    assert (plans[0].drops, plans[0].rows) == (len(ROWS), len(NEWER))
    await assert_equal(store_path, undisturbed)


async def test_a_restart_whose_remote_is_down_drops_nothing(store_path: Path, undisturbed: Path) -> None:
    async with stand_in() as standin:
        await synced(store_path, standin)
        standin.script.rules.append(rule(f.html(503), times=None))
        with pytest.raises(RemoteUnavailableError):
            await synced(store_path, standin, {"attempts": 2}, restart=True)
    await assert_equal(store_path, undisturbed)


async def test_a_restart_that_was_cut_short_is_gone_on_with_by_a_plain_sync(store_path: Path) -> None:
    async with stand_in() as standin:
        await synced(store_path, standin)
        standin.rows, standin.revision = NEWER, OTHER
        standin.script.rules.append(rule(f.html(503), "rows", offset=200, times=None))
        with pytest.raises(RemoteUnavailableError):
            await synced(store_path, standin, {"attempts": 2}, restart=True)
        assert await revision_of(store_path) == (OTHER, 200)
        standin.script.rules.clear()
        since = len(standin.log)
        assert (await synced(store_path, standin)).complete
        assert overlap(spans(standin, since), [Interval(0, 200)]) == []
    assert await revision_of(store_path) == (OTHER, len(NEWER))


async def test_an_iteration_over_rows_that_a_restart_drops_ends_with_an_error(store_path: Path) -> None:
    async with stand_in() as standin, AsyncStore(store_path, settings=settings(standin)) as store:
        await store.sync()
        rows = aiter(store.select())
        await anext(rows)
        await store.sync(restart=True, limit=100)
        with pytest.raises(StoreRestartedError):
            async for _ in rows:
                pass


async def test_two_revisions_are_kept_in_two_stores(store_path: Path, tmp_path: Path) -> None:
    async with stand_in() as standin:
        await synced(store_path, standin)
        standin.rows, standin.revision = NEWER, OTHER
        await synced(tmp_path / "second.db", standin)
    assert await revision_of(store_path) == ("a" * 40, len(ROWS))
    assert await revision_of(tmp_path / "second.db") == (OTHER, len(NEWER))
