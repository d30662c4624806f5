"""How many requests a chain makes: no more than the rows need, none twice, none to a remote that failed a moment ago."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from lmsys_store import AsyncResults, Query, fields
from lmsys_store.errors import IncompleteResultError, LmsysStoreError
from tests.chain.conftest import HELD, ROWS, Stores
from tests.chain.stores import (
    FILTERED,
    OTHER,
    SCANNED,
    asked,
    asked_twice,
    chats_of,
    in_chain_order,
    indexes,
    matching,
    short_rows,
    store_of,
)
from tests.standin import Script, StandIn, rule, serving
from tests.standin import faults as f
from tests.standin.faults import html, stall, too_many

pytestmark = pytest.mark.anyio

CHATS = chats_of(ROWS)
LONG = short_rows(1000)
LONG_CHATS = chats_of(LONG)
RARE = Query().where(fields.prompt_chars >= 10_000)
"""A local condition that no row meets."""


# -- limits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("limit", "pages"), [(0, 0), (1, 1), (99, 1), (100, 1), (101, 2), (250, 3)])
async def test_requests_stop_as_soon_as_the_limit_is_met(limit: int, pages: int, store_path: Path) -> None:
    async with StandIn(ROWS) as standin, store_of(store_path, standin) as store:
        results = store.select(fallback="remote").limit(limit)
        assert await indexes(results) == list(range(limit))
        assert results.complete is True
        assert asked(standin) == [("/rows", 100 * page) for page in range(pages)]


@pytest.mark.parametrize("query", [FILTERED, SCANNED], ids=["filtered", "scanned"])
@pytest.mark.parametrize("limit", [10, 60, 130])
async def test_a_limit_gives_the_first_rows_of_the_whole_and_no_others(
    query: Query, limit: int, store_path: Path
) -> None:
    """Pages of the remote are larger than the first pages of the store: nothing of them may fall away."""
    async with StandIn(LONG) as standin, store_of(store_path, standin) as store:
        rows = await indexes(store.select(query, fallback="remote").limit(limit))
        assert rows == matching(LONG_CHATS, query)[:limit]


async def test_a_limit_met_by_stored_rows_asks_nothing(holes: Path) -> None:
    async with StandIn(ROWS) as standin, store_of(holes, standin) as store:
        results = store.select(fallback="remote").limit(120)
        assert await indexes(results) == in_chain_order(CHATS, Query(), *HELD)[:120]
        assert (results.complete, standin.log) == (True, [])


async def test_the_count_of_a_limit_asks_for_no_more_than_the_limit(store_path: Path) -> None:
    async with StandIn(LONG) as standin, store_of(store_path, standin) as store:
        assert await store.select(fallback="remote").limit(50).count() == 50
        assert asked(standin) == [("/rows", 0)]


async def test_the_first_row_takes_one_request_and_a_second_select_none(store_path: Path) -> None:
    async with StandIn(ROWS) as standin, store_of(store_path, standin) as store:
        first = await store.select(fallback="remote").first()
        assert first is not None and first.row_index == 0
        assert asked(standin) == [("/rows", 0)]
        assert await indexes(store.select(fallback="remote").limit(100)) == list(range(100))
        assert len(standin.log) == 1


async def test_only_what_the_holes_miss_is_asked_for(holes: Path) -> None:
    async with StandIn(ROWS) as standin, store_of(holes, standin) as store:
        assert await indexes(store.select(fallback="remote")) == in_chain_order(CHATS, Query(), *HELD)
        spans = [(int(seen.params["offset"]), int(seen.params["length"])) for seen in standin.log]
        assert spans == [(0, 100), (200, 100), (320, 30)]
        assert await indexes(store.select(fallback="remote")) == list(range(350))
        assert len(standin.log) == 3


# -- breaking off ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", [Query(), FILTERED, SCANNED], ids=["all rows", "filtered", "scanned"])
async def test_a_break_leaves_no_request_and_no_task_and_keeps_the_pages(query: Query, store_path: Path) -> None:
    with serving(StandIn(LONG, page_seconds=0.02)) as standin:
        async with store_of(store_path, standin) as store:
            before = asyncio.all_tasks()
            rows = await indexes(store.select(query, fallback="remote"), 70)
            requests = len(standin.log)
            assert all(seen.ended for seen in standin.log)
            assert asyncio.all_tasks() == before
            assert rows == matching(LONG_CHATS, query)[:70]
            kept = await indexes(store.select(query, fallback="cache"))
            assert kept[:70] == rows and len(standin.log) == requests
            assert (await store.check()).problems == ()


async def test_a_cancelled_loop_leaves_no_task_and_keeps_the_pages(store_path: Path) -> None:
    """Cancelled while the second page is under way."""
    with serving(StandIn(LONG, script=Script(rule(too_many("50"), "rows", offset=100, times=None)))) as standin:
        async with store_of(store_path, standin) as store:
            before = asyncio.all_tasks()
            reading = asyncio.create_task(indexes(store.select(fallback="remote")))
            while len(standin.log) < 2 or standin.log[1].ended is None:
                done, _ = await asyncio.wait([reading], timeout=0.01)
                assert not done
            reading.cancel()
            await asyncio.wait([reading])
            await asyncio.sleep(0)  # the request's own task sees its cancellation
            assert reading.cancelled() and asyncio.all_tasks() == before
            assert await indexes(store.select(fallback="cache")) == list(range(100))


# -- the scan's budget -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [0, 100, 300])
async def test_a_search_that_the_remote_cannot_do_stops_after_its_budget(most: int, store_path: Path) -> None:
    async with StandIn(LONG) as standin, store_of(store_path, standin, max_remote_rows=most) as store:
        results = store.select(RARE, fallback="mock")
        assert await indexes(results) == []
        assert results.complete is False
        assert any("LMSYS_STORE_MAX_REMOTE_ROWS" in note for note in results.notes), results.notes
        assert asked(standin) == [("/rows", start) for start in range(0, most, 100)]


async def test_the_budget_is_for_what_is_scanned_not_for_what_is_stored(holes: Path) -> None:
    """120 rows are stored: 100 more are looked at, and that is said."""
    async with StandIn(ROWS) as standin, store_of(holes, standin, max_remote_rows=100) as store:
        results = store.select(SCANNED, fallback="remote")
        looked_at = [*range(100, 200), *range(300, 320), *range(100)]
        wanted = [number for number in looked_at if SCANNED.matches(CHATS[number])]
        assert await indexes(results) == wanted
        assert results.complete is False
        assert any("100 rows" in note for note in results.notes)


async def test_the_budget_binds_counts_and_facets_too(store_path: Path) -> None:
    async with StandIn(LONG) as standin, store_of(store_path, standin, max_remote_rows=200) as store:
        results = store.select(SCANNED, fallback="remote")
        assert await results.count() == len(matching(LONG_CHATS[:200], SCANNED))
        assert results.complete is False and results.notes
        assert len(standin.log) == 2


async def test_the_budget_is_not_for_queries_that_the_remote_answers_or_that_ask_for_all(store_path: Path) -> None:
    async with StandIn(LONG) as standin, store_of(store_path, standin, max_remote_rows=100) as store:
        found = store.select(FILTERED, fallback="remote")
        assert await indexes(found) == matching(LONG_CHATS, FILTERED)
        everything = store.select(fallback="remote")
        assert sorted(await indexes(everything)) == list(range(1000))
        assert (found.complete, everything.complete) == (True, True)


# -- completeness that is required -------------------------------------------------------------------------------------


async def test_required_completeness_holds_for_counting_too(store_path: Path) -> None:
    """A number that may be too small is a result cut short."""
    async with StandIn(LONG) as standin, store_of(store_path, standin, max_remote_rows=100) as store:
        with pytest.raises(IncompleteResultError):
            await indexes(store.select(SCANNED, fallback="remote", require_complete=True))
        with pytest.raises(IncompleteResultError):
            await store.select(SCANNED, fallback="remote", require_complete=True).count()


# -- the circuit breaker -----------------------------------------------------------------------------------------------


FAILING: dict[str, dict[str, Any]] = {
    "down": {"script": [rule(html(503), times=None)]},
    "refusing": {"script": [rule(too_many("3600"), times=None)]},
    "no access": {"tokens": {"hf_good": 403}},
    "another revision": {"revision": OTHER},
}


@pytest.mark.parametrize("failure", FAILING)
async def test_a_loop_of_selects_pays_once_for_a_remote_that_fails(failure: str, holes: Path) -> None:
    options = dict(FAILING[failure])
    script = Script(*options.pop("script", ()))
    async with StandIn(ROWS, script=script, **options) as standin, store_of(holes, standin) as store:
        await indexes(store.select(fallback="remote"))
        paid = len(standin.log)
        assert paid > 0
        for _ in range(300 if failure == "down" else 30):
            results = store.select(fallback="remote").limit(121)
            assert len(await indexes(results)) == 120
            assert results.complete is False and results.notes
            assert len(standin.log) == paid


async def test_a_loop_with_deadlines_does_not_spend_each_of_them_on_a_remote_that_never_answers(holes: Path) -> None:
    """Packets that vanish are a dead remote too, though every deadline ends before the request's own time limit."""
    silent = Script(rule(stall(), times=None))
    async with StandIn(ROWS, script=silent) as standin, store_of(holes, standin) as store:
        for _ in range(4):
            results = store.select(fallback="remote", deadline=0.2)
            assert len(await indexes(results)) == 120
            assert results.complete is False and results.notes
        assert len(standin.log) == 1


async def test_selects_with_nothing_stored_get_the_same_error_at_no_cost(store_path: Path) -> None:
    async with StandIn(ROWS, tokens={"hf_good": 403}) as standin, store_of(store_path, standin) as store:
        kinds = set()
        for _ in range(50):
            with pytest.raises(LmsysStoreError) as caught:
                await indexes(store.select(fallback="remote"))
            kinds.add(type(caught.value).__name__)
        assert kinds == {"TermsNotAcceptedError"}
        assert asked(standin) == [("/rows", 0), ("/auth-check", 0)]


async def test_the_breaker_is_said_in_the_notes_and_a_sync_asks_all_the_same(holes: Path) -> None:
    down = rule(html(503), times=2)
    async with StandIn(ROWS, script=Script(down)) as standin, store_of(holes, standin) as store:
        await indexes(store.select(fallback="remote"))
        assert down.left == 0
        results = store.select(fallback="remote")
        await indexes(results)
        assert any("left alone" in note for note in results.notes), results.notes
        assert (await store.sync()).complete
        after = store.select(fallback="remote")
        assert await indexes(after) == list(range(350)) and after.complete is True


async def test_a_sync_that_succeeds_closes_the_breaker(holes: Path) -> None:
    async with StandIn(ROWS, script=Script(rule(html(503), times=2))) as standin, store_of(holes, standin) as store:
        await indexes(store.select(fallback="remote"))
        await store.sync(limit=250)
        results = store.select(fallback="remote")
        assert len(await indexes(results)) == 350 and results.complete is True


async def test_the_breaker_closes_after_its_time(holes: Path) -> None:
    async with (
        StandIn(ROWS, script=Script(rule(html(503), times=2))) as standin,
        store_of(holes, standin, breaker_seconds=0.3) as store,
    ):
        started = asyncio.get_running_loop().time()
        rows = await indexes(store.select(fallback="remote"))
        assert len(rows) == 120 and len(standin.log) == 2
        while len(rows) == 120:
            assert asyncio.get_running_loop().time() < started + 10
            rows = await indexes(store.select(fallback="remote"))
        assert len(rows) == 350
        assert standin.log[2].started - (standin.log[1].ended or 0) >= 0.25


# -- sharing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page_seconds", [0.0, 0.05])
@pytest.mark.parametrize("query", [Query(), FILTERED, SCANNED], ids=["all rows", "filtered", "scanned"])
async def test_ten_selects_at_once_share_their_requests(query: Query, page_seconds: float, store_path: Path) -> None:
    with serving(StandIn(ROWS, page_seconds=page_seconds)) as standin:
        async with store_of(store_path, standin) as store:
            results: list[AsyncResults] = [store.select(query, fallback="remote") for _ in range(10)]
            found = await asyncio.gather(*map(indexes, results))
            assert found == [matching(CHATS, query)] * 10
            assert {one.complete for one in results} == {True}
            assert asked_twice(standin) == []
            assert (await store.check()).problems == ()


async def test_who_has_a_deadline_does_not_impose_it_on_who_shares_the_request(store_path: Path) -> None:
    """The server asks for a wait that the one cannot afford and the other can."""
    async with (
        StandIn(ROWS, script=Script(rule(too_many("1"), "rows"))) as standin,
        store_of(store_path, standin) as store,
    ):
        hurried = store.select(fallback="remote", deadline=0.3)
        patient = store.select(fallback="remote")
        some, whole = await asyncio.gather(indexes(hurried), indexes(patient))
        assert some == [] and hurried.complete is False
        assert (len(whole), patient.complete) == (350, True)


HICCUPS = {
    "an empty page": f.empty_page(),
    "the page before": f.duplicated_page(),
    "a short page": f.fewer_rows(30),
    "another revision": f.revision(OTHER),
    "truncated JSON": f.truncated_json(),
    "a reset": f.reset_mid_body(),
}


@pytest.mark.parametrize("hiccup", HICCUPS)
@pytest.mark.parametrize("at_once", [1, 3])
async def test_a_page_that_came_wrong_once_is_asked_for_again(hiccup: str, at_once: int, store_path: Path) -> None:
    """Answers are shared among selects; a wrong one must not be taken for the answer to the second question."""
    once = rule(HICCUPS[hiccup], "rows", offset=100)
    async with StandIn(ROWS, script=Script(once)) as standin, store_of(store_path, standin, attempts=4) as store:
        results = [store.select(fallback="remote") for _ in range(at_once)]
        assert await asyncio.gather(*map(indexes, results)) == [list(range(350))] * at_once
        assert {one.complete for one in results} == {True}
        assert once.left == 0


@pytest.mark.parametrize("query", [Query(), FILTERED], ids=["all rows", "filtered"])
async def test_a_store_filled_while_a_select_waits_for_its_first_answer_says_the_revision(
    query: Query, store_path: Path
) -> None:
    """The first answer that a select of an empty store gets is of another revision than what others stored meanwhile."""
    filled = asyncio.Event()
    late = rule(f.together(f.held(filled), f.revision(OTHER)), offset=0)
    async with (
        StandIn(ROWS, script=Script(late)) as standin,
        store_of(store_path, standin, attempts=4) as store,
        store_of(store_path, standin, attempts=4) as other,
    ):
        slow = store.select(query, fallback="remote")
        reading = asyncio.create_task(indexes(slow))
        while not standin.log:
            done, _ = await asyncio.wait([reading], timeout=0.01)
            assert not done
        assert (await other.sync(limit=150)).complete
        filled.set()
        assert (await reading, slow.complete) == (matching(CHATS, query), True)
        status = await store.status()
        assert (status.revision, (await store.check()).problems) == ("a" * 40, ())


async def test_a_row_deleted_a_moment_after_it_was_fetched_does_not_come_back(store_path: Path) -> None:
    """Forgotten, not buried: the next select fetches it anew, as often as asked."""
    async with StandIn(ROWS) as standin, store_of(store_path, standin) as store:
        assert len(await indexes(store.select(fallback="remote"))) == 350
        assert await store.delete(fields.row_index == 5) == 1
        assert 5 not in await indexes(store.select(fallback="remote"))
        assert await store.delete(fields.row_index == 6, forget=True) == 1
        assert await indexes(store.select(fallback="remote")) == [*range(5), *range(7, 350), 6]


async def test_a_sync_by_query_waits_for_an_index_though_a_select_does_not(store_path: Path) -> None:
    """Both want the same first page of matches at the same time."""
    async with StandIn(ROWS, index_ready_after=2) as standin, store_of(store_path, standin) as store:
        rows, report = await asyncio.gather(
            indexes(store.select(FILTERED, fallback="remote")), store.sync(query=FILTERED)
        )
        assert rows == matching(CHATS, FILTERED)
        assert report.complete


async def test_two_loops_at_different_places_of_one_store(stores: Stores) -> None:
    """One stands in the middle of the remote's rows while the other takes all: both give everything once."""
    async with StandIn(ROWS) as standin, store_of(stores("holes"), standin) as store:
        whole = in_chain_order(CHATS, Query(), *HELD)
        slow = aiter(store.select(fallback="remote"))
        rows = [(await anext(slow)).row_index for _ in range(150)]
        fast = store.select(fallback="remote")
        assert await indexes(fast) == sorted(whole[:220]) + whole[220:]
        rows += [chat.row_index async for chat in slow]
        assert rows == whole
        assert asked_twice(standin) == []
