"""A sync of a query's rows through ``/filter``: exactly these rows, a predicate remembered, going on where it stood."""

from pathlib import Path
from typing import Any

import pytest

from lmsys_store import AsyncStore, Query, fields
from lmsys_store.errors import QueryError, RemoteUnavailableError
from lmsys_store.syncing import SyncPlan
from tests.remote.runs import ROWS, asked, assert_equal, covered, queried, settings, stand_in, synced
from tests.standin import Seen, rule
from tests.standin import faults as f

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("token")]
VICUNA = Query.of(model="vicuna-13b")
MATCHES = [number for number, row in enumerate(ROWS) if row["model"] == "vicuna-13b"]
PAGED = range(0, len(MATCHES), 100)
assert len(PAGED) >= 3


async def held(path: Path) -> list[int]:
    async with AsyncStore(path) as store:
        assert (await store.check()).problems == ()
        return [row.row_index async for row in store.select()]


def pages(log: list[Seen]) -> list[int]:
    """The offsets of the requests to ``/filter`` that were for rows, not for their number."""
    calls = [seen.params for seen in log if seen.endpoint == "/filter" and seen.params["length"] != "0"]
    return sorted(int(call["offset"]) for call in calls)


async def test_exactly_the_matching_rows_are_stored(store_path: Path) -> None:
    plans: list[SyncPlan] = []
    async with stand_in() as standin:
        report = await synced(store_path, standin, query=VICUNA, on_plan=plans.append)
        assert (report.complete, report.rows_added) == (True, len(MATCHES))
        assert pages(standin.log) == list(PAGED)
        assert len(standin.log) <= len(PAGED) + 4
    assert (plans[0].rows, plans[0].held, plans[0].requests) == (len(MATCHES), 0, len(PAGED))
    assert await held(store_path) == MATCHES
    assert covered(store_path) == []
    predicates = queried(store_path, "SELECT total_rows, done_rows, last_row, complete FROM predicate")
    assert predicates == [(len(MATCHES), len(MATCHES), MATCHES[-1], 1)]


@pytest.mark.parametrize(
    "query",
    [
        Query.of(language="de"),
        Query.of(model=["gpt-4", "claude-1", "claude-2"]),
        Query.of(turns=(2, 4), redacted=True),
        ~Query.of(model="vicuna-13b"),
        Query.of(model="no such model"),
        Query.of(conversation_id=ROWS[17]["conversation_id"]),
        Query.of().where(fields.turn >= 3, fields.language != "English"),
    ],
    ids=str,
)
async def test_the_remote_means_by_a_query_what_the_store_means(query: Query, store_path: Path, tmp_path: Path) -> None:
    async with stand_in() as standin:
        assert (await synced(store_path, standin, query=query)).complete
        await synced(tmp_path / "whole.db", standin)
    async with AsyncStore(tmp_path / "whole.db") as whole:
        wanted = [row.row_index async for row in whole.select(query)]
    assert await held(store_path) == wanted


async def test_repeated_it_makes_no_request(store_path: Path) -> None:
    async with stand_in() as standin:
        await synced(store_path, standin, query=VICUNA)
        made = len(standin.log)
        report = await synced(store_path, standin, query=VICUNA)
        assert (report.complete, report.rows_added, len(standin.log)) == (True, 0, made)


@pytest.mark.parametrize("offset", PAGED)
async def test_interrupted_it_goes_on_without_a_page_that_was_finished(offset: int, store_path: Path) -> None:
    fault = rule(f.html(503), "filter", offset=offset, times=None)
    async with stand_in(fault) as standin:
        # The question for the number of rows is at offset 0 too: spare it, or nothing would begin.
        standin.script.rules[0] = rule(f.html(503), "filter", offset=offset, after=1, times=None)
        with pytest.raises(RemoteUnavailableError):
            await synced(store_path, standin, {"attempts": 2}, query=VICUNA)
        assert await held(store_path) == MATCHES[:offset]
        standin.script.rules.clear()
        since = len(standin.log)
        assert (await synced(store_path, standin, query=VICUNA)).complete
        assert pages(standin.log[since:]) == [start for start in PAGED if start >= offset]
    assert await held(store_path) == MATCHES


async def test_a_limit_of_matches_then_more(store_path: Path) -> None:
    async with stand_in() as standin:
        for limit in (50, 120, None):
            report = await synced(store_path, standin, query=VICUNA, limit=limit)
            assert report.complete
            assert len(await held(store_path)) >= min(limit or len(MATCHES), len(MATCHES))
        made = len(standin.log)
        assert (await synced(store_path, standin, query=VICUNA, limit=10)).complete and len(standin.log) == made
    assert await held(store_path) == MATCHES


@pytest.mark.parametrize(
    "action",
    [f.too_many(), f.html(502), f.reset_mid_body(), f.truncated_json(), f.shuffled_page(), f.revision("b" * 40)],
)
async def test_a_fault_that_passes_is_survived(action: Any, store_path: Path) -> None:
    async with stand_in(rule(action, "filter", offset=100)) as standin:
        assert (await synced(store_path, standin, query=VICUNA)).complete
    assert await held(store_path) == MATCHES


@pytest.mark.parametrize(
    "action",
    [f.fewer_rows(3), f.empty_page(), f.duplicated_page(), f.partial(), f.total(7)],
    ids=["fewer rows", "an empty page", "a duplicated page", "partial", "another total"],
)
async def test_a_page_that_proves_nothing_leaves_the_predicate_open_and_the_next_sync_closes_it(
    action: Any, store_path: Path
) -> None:
    async with stand_in(rule(action, "filter", offset=100)) as standin:
        report = await synced(store_path, standin, query=VICUNA)
        whole = await held(store_path) == MATCHES
        assert whole or not report.complete, "complete is not said of rows that did not come"
        again = await synced(store_path, standin, query=VICUNA)
        assert again.complete
    assert await held(store_path) == MATCHES
    assert queried(store_path, "SELECT complete, total_rows FROM predicate") == [(1, len(MATCHES))]


async def test_a_bad_row_among_matches_is_set_aside_and_counted(store_path: Path) -> None:
    async with stand_in(rule(f.bad_row(3), "filter", offset=100)) as standin:
        report = await synced(store_path, standin, query=VICUNA)
    assert (report.complete, report.rows_added, report.rows_rejected) == (True, len(MATCHES) - 1, 1)
    assert queried(store_path, "SELECT row_index FROM rejected_row") == [(MATCHES[103],)]


async def test_what_the_remote_cannot_filter_at_all_is_a_query_error_before_any_request(store_path: Path) -> None:
    async with stand_in() as standin:
        with pytest.raises(QueryError, match="model, language"):
            await synced(store_path, standin, query=Query.of(domain="coding"))
        assert standin.log == []


async def test_of_a_query_in_part_remote_that_part_is_fetched_and_said_so(store_path: Path) -> None:
    query = Query.of(model="vicuna-13b", min_prompt_chars=300)
    async with stand_in() as standin:
        report = await synced(store_path, standin, query=query)
    assert any("what the remote can filter" in note for note in report.notes)
    assert await held(store_path) == MATCHES


async def test_it_asks_again_while_the_index_is_built_with_its_cookie_kept(store_path: Path) -> None:
    """Each cookie is a server that builds its index while it is asked: without it the wait would never end."""
    async with stand_in(index_ready_after=3) as standin:
        assert (await synced(store_path, standin, query=VICUNA)).complete
        calls = [seen for seen in standin.log if seen.endpoint == "/filter"]
        cookies = {seen.cookies.get("AWSALB") for seen in calls[1:]}
    assert len(cookies) == 1 and None not in cookies
    assert await held(store_path) == MATCHES


async def test_after_it_a_whole_sync_brings_the_rest(store_path: Path, undisturbed: Path) -> None:
    async with stand_in() as standin:
        await synced(store_path, standin, query=VICUNA)
        report = await synced(store_path, standin)
    assert (report.complete, report.rows_added) == (True, len(ROWS) - len(MATCHES))
    await assert_equal(store_path, undisturbed)


async def test_of_a_whole_store_nothing_is_asked_for(store_path: Path) -> None:
    """No row that is held is fetched again: the coverage map says that all matches are there."""
    async with stand_in() as standin, AsyncStore(store_path, settings=settings(standin)) as store:
        await store.sync()
        made = len(standin.log)
        report = await store.sync(query=VICUNA)
        assert (report.complete, report.rows_added) == (True, 0)
        assert len(standin.log) == made


async def test_of_a_query_that_a_fetched_one_implies_nothing_is_asked_for(store_path: Path) -> None:
    async with stand_in() as standin:
        await synced(store_path, standin, query=VICUNA)
        made = len(standin.log)
        narrower = Query.of(model="vicuna-13b").where(fields.turn >= 3)
        assert (await synced(store_path, standin, query=narrower)).complete
        assert len(standin.log) == made


async def test_a_dry_run_of_a_filter_stores_nothing(store_path: Path) -> None:
    plans: list[SyncPlan] = []
    async with stand_in() as standin:
        await synced(store_path, standin, query=VICUNA, dry_run=True, on_plan=plans.append)
        assert pages(standin.log) == [] and len(asked(standin)) <= 1
    assert (plans[0].rows, plans[0].requests) == (len(MATCHES), len(PAGED))
    assert queried(store_path, "SELECT count(*) FROM conversation") == [(0,)]
    assert queried(store_path, "SELECT count(*) FROM predicate") == [(0,)]


async def test_a_restart_by_a_filter_keeps_the_matching_rows_only(store_path: Path) -> None:
    async with stand_in() as standin:
        await synced(store_path, standin, limit=100)
        await synced(store_path, standin, query=VICUNA, restart=True)
    assert await held(store_path) == MATCHES
    assert covered(store_path) == []
