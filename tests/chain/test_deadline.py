"""A deadline bounds the time spent on the remote, waits and retries included; then the iteration ends with what there is."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from lmsys_store import Query
from lmsys_store.errors import IncompleteResultError
from tests.chain.conftest import HELD, ROWS, Stores
from tests.chain.stores import FILTERED, SCANNED, chats_of, in_chain_order, indexes, matching, short_rows, store_of
from tests.standin import Script, StandIn, rule
from tests.standin import faults as f
from tests.standin.wire import Action

pytestmark = pytest.mark.anyio

CHATS = chats_of(ROWS)
QUERIES = {"all rows": Query(), "filtered": FILTERED, "scanned": SCANNED}
SLACK = 0.35
"""Seconds that a deadline may be passed by on a busy machine."""


async def test_the_measured_line_of_the_issue(store_path: Path) -> None:
    """1.5 s a page, 429 with Retry-After 30 after page 3, the filter not ready: real rows within 9 s, kept for the next time."""
    rules = Script(rule(f.too_many("30"), "rows", after=3, times=None))
    rows, chats = short_rows(1000), chats_of(short_rows(1000))
    async with (
        StandIn(rows, page_seconds=1.5, index_ready_after=10_000, script=rules) as standin,
        store_of(store_path, standin, poll_seconds=10.0, rate_wait_seconds=20.0, attempts=6) as store,
    ):
        started = time.monotonic()
        results = store.select(FILTERED, deadline=8, fallback="mock")
        found = await indexes(results)
        assert time.monotonic() - started < 9
        assert found == matching(chats[:300], FILTERED)
        assert (results.complete, set(results.origins)) == (False, {"remote"})
        assert any("not ready" in note for note in results.notes), results.notes
        assert any("429" in note or "deadline" in note or "time given" in note for note in results.notes), results.notes
        again = store.select(FILTERED, fallback="cache")
        assert len(await indexes(again)) >= len(found)
        assert again.complete is False


WAITS: dict[str, tuple[Callable[[], Action], dict[str, Any]]] = {
    "a page that never comes": (f.stall, {}),
    "a late page": (lambda: f.delay(30), {}),
    "a slow body": (lambda: f.slow_body(500), {}),
    "a refusal for an hour": (lambda: f.too_many("3600"), {}),
    "refusals without end": (f.too_many, {"rate_wait_seconds": 0.05}),
    "failures without end": (lambda: f.html(503), {"attempts": 1000, "backoff_seconds": 0.05}),
    "an answer that does not get ready": (lambda: f.error(500, "ResponseNotReady"), {"poll_seconds": 0.05}),
    "another revision": (lambda: f.revision("b" * 40), {"backoff_seconds": 60.0}),
}


@pytest.mark.parametrize("wait", WAITS)
async def test_it_ends_any_wait(wait: str, store_path: Path) -> None:
    """The first page comes; every later request meets what would keep the caller waiting."""
    action, changes = WAITS[wait]
    rules = Script(rule(action(), "rows", after=1, times=None))
    async with StandIn(ROWS, script=rules) as standin, store_of(store_path, standin, **changes) as store:
        started = time.monotonic()
        results = store.select(fallback="mock", deadline=0.5)
        assert await indexes(results) == list(range(100))
        assert time.monotonic() - started < 0.5 + SLACK
        assert results.complete is False and results.notes
        assert await store.select(fallback="cache").count() == 100


@pytest.mark.parametrize("name", QUERIES)
@pytest.mark.parametrize("cache", ["empty", "holes"])
async def test_it_ends_before_the_first_page_without_an_error(name: str, cache: str, stores: Stores) -> None:
    """The stored rows come; the deadline is a reason that the notes give, and no case for the seeds."""
    async with StandIn(ROWS, page_seconds=30) as standin, store_of(stores(cache), standin) as store:
        started = time.monotonic()
        results = store.select(QUERIES[name], fallback="mock", deadline=0.2)
        held = HELD if cache == "holes" else ()
        whole = in_chain_order(CHATS, QUERIES[name], *held)
        stored = [number for number in whole if any(start <= number < stop for start, stop in held)]
        assert await indexes(results) == stored
        assert time.monotonic() - started < 0.2 + SLACK
        assert results.complete is False
        assert any("deadline" in note for note in results.notes), results.notes


async def test_it_bounds_counts_facets_and_first(holes: Path) -> None:
    async with StandIn(ROWS, page_seconds=30) as standin, store_of(holes, standin) as store:
        started = time.monotonic()
        results = store.select(fallback="remote", deadline=0.2)
        assert await results.count() == 120
        assert results.complete is False and results.notes
        facets = await store.facet("model", fallback="remote", deadline=0.2)
        assert sum(count for _, count in facets) == 120
        nothing = Query.of(model="no-such-model")
        assert await store.select(nothing, fallback="remote", deadline=0.2).first() is None
        assert time.monotonic() - started < 0.6 + 3 * SLACK


async def test_it_counts_no_time_that_the_loop_itself_takes(store_path: Path) -> None:
    """The caller works for longer than the deadline between two rows: the remote has not used it up."""
    async with StandIn(ROWS) as standin, store_of(store_path, standin) as store:
        results = store.select(fallback="remote", deadline=0.8)
        rows = []
        async for chat in results:
            rows.append(chat.row_index)
            if chat.row_index == 50:
                worked_from = time.monotonic()
                while time.monotonic() - worked_from < 0.9:
                    sum(range(10_000))
        assert rows == list(range(350))
        assert results.complete is True


async def test_it_sums_over_the_pages(store_path: Path) -> None:
    """Pages that are quick enough each, and not together."""
    async with StandIn(ROWS, page_seconds=0.2) as standin, store_of(store_path, standin) as store:
        results = store.select(fallback="remote", deadline=0.5)
        started = time.monotonic()
        rows = await indexes(results)
        assert rows in (list(range(100)), list(range(200)))
        assert time.monotonic() - started < 0.5 + SLACK
        assert results.complete is False


async def test_without_a_second_to_spend_the_store_alone_answers(holes: Path) -> None:
    async with StandIn(ROWS) as standin, store_of(holes, standin) as store:
        results = store.select(fallback="remote", deadline=0)
        assert await indexes(results) == in_chain_order(CHATS, Query(), *HELD)[:120]
        assert results.complete is False and results.notes


async def test_a_deadline_that_is_not_reached_changes_nothing(holes: Path) -> None:
    async with StandIn(ROWS) as standin, store_of(holes, standin) as store:
        results = store.select(fallback="remote", deadline=60)
        assert await indexes(results) == in_chain_order(CHATS, Query(), *HELD)
        assert results.complete is True
        assert not any("deadline" in note for note in results.notes)


async def test_required_completeness_beats_the_quiet_end(holes: Path) -> None:
    async with StandIn(ROWS, page_seconds=30) as standin, store_of(holes, standin) as store:
        rows: list[int] = []
        with pytest.raises(IncompleteResultError):
            async for chat in store.select(fallback="remote", deadline=0.2, require_complete=True):
                rows.append(chat.row_index)
        assert rows == in_chain_order(CHATS, Query(), *HELD)[:120]


async def test_a_token_of_the_early_end_goes_on_later(store_path: Path) -> None:
    """Each call spends its own time; together they give everything once."""
    rows: Sequence[int] = []
    token = None
    async with StandIn(ROWS, page_seconds=0.1) as standin, store_of(store_path, standin) as store:
        for _ in range(20):
            results = store.select(fallback="remote", deadline=0.25, resume=token)
            rows = [*rows, *await indexes(results)]
            token = results.token
            if results.complete:
                break
    assert rows == list(range(350))


@pytest.mark.filterwarnings("ignore::lmsys_store.phases.MockRowsWarning")
@pytest.mark.parametrize(
    ("fault", "seeds"), [(f.html(503), True), (f.reset_before_headers(), True), (f.too_many("30"), False)]
)
async def test_a_remote_that_failed_until_the_deadline_is_down_and_one_that_asks_for_patience_is_not(
    fault: Action, seeds: bool, store_path: Path
) -> None:
    """Down, the seeds come in its place, and at once the next time; reached, an end with what there is."""
    async with (
        StandIn(ROWS, script=Script(rule(fault, times=None))) as standin,
        store_of(store_path, standin, attempts=1000, retry_seconds=600, backoff_seconds=0.05) as store,
    ):
        for _ in range(2):
            results = store.select(deadline=0.4, fallback="mock").limit(3)
            assert len(await indexes(results)) == (3 if seeds else 0)
            assert set(results.origins) == ({"mock"} if seeds else set())
        ends = store.select(deadline=0.4, fallback="remote")
        assert (await indexes(ends), ends.complete) == ([], False)
