"""Every fault that passes is survived: each row arrives, only what failed is asked for again, the store is as if undisturbed."""

import time
from collections import Counter
from email.utils import formatdate
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lmsys_store import AsyncStore
from tests.remote.runs import PAGES, ROWS, TOKEN, asked, assert_equal, once_each, settings, stand_in, synced
from tests.standin import OtherHost, StandIn, Window, rule
from tests.standin import faults as f
from tests.standin.wire import Action

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("token")]
HIT = ((0, 100), (200, 100), (400, 50))
"""The first page, one amid others, and the last: all of them meet the fault."""

AGAIN: dict[str, list[Action]] = {
    "429": [f.too_many(), f.too_many("0"), f.too_many(formatdate(0, usegmt=True)), f.too_many("soon")],
    "502, 503, 504": [f.html(502), f.html(503), f.html(504)],
    "breaks": [f.reset_before_headers(), f.reset_mid_body(), f.short_body()],
    "a stall": [f.stall()],
    "no JSON of the API": [f.truncated_json(), f.wrong_type(), f.invalid_utf8()],
    "an empty page": [f.empty_page()],
    "another revision": [f.delay(0), f.revision("b" * 40), f.revision("c" * 40)],
    "codes to wait for": [f.error(500, "ResponseNotReady"), f.error(500, "PreviousStepStillProcessingError")],
    "codes like a 503": [
        f.error(500, code) for code in ("AuthCheckHubRequestError", "UnprocessableIndexError", "DownloadIndexError")
    ],
    "unexpected codes": [
        f.error(500, code) for code in ("UnexpectedApiError", "CreateCommitError", "ExternalServerError", "HfHubError")
    ],
    "more of them": [f.error(500, code) for code in ("RetryableConfigNamesError", "StreamingRowsError")],
    "several at once": [f.together(f.empty_page(), f.extra_column("x"), f.total(450), f.delay(0.01))],
}
"""Faults that cost the same request once more: one on each of the first pages, and the first of them on the last page too."""


@pytest.mark.parametrize("name", AGAIN)
async def test_what_failed_is_asked_for_once_more_and_nothing_else(
    name: str, store_path: Path, undisturbed: Path
) -> None:
    pages = [(offset, min(100, len(ROWS) - offset)) for offset in PAGES]
    hit = [*zip(pages, AGAIN[name], strict=False), (pages[-1], AGAIN[name][0])]
    async with stand_in(*(rule(action, "rows", offset) for (offset, _), action in hit)) as standin:
        report = await synced(store_path, standin, {"request_seconds": 0.2} if name == "a stall" else {})
        assert (report.complete, report.rows_added, report.rows_rejected) == (True, len(ROWS), 0)
        again = [page for page, action in hit if type(action) is not type(f.delay(0))]
        assert Counter(asked(standin)) == once_each(*again)
    await assert_equal(store_path, undisturbed)


HARMLESS: dict[str, tuple[Action, dict[str, Any]]] = {
    "more rows than asked": (f.more_rows(7), {}),
    "shuffled rows": (f.shuffled_page(), {}),
    "an extra column": (f.extra_column("more"), {}),
    "a slow answer": (f.delay(0.25), {"request_seconds": 0.5}),
    "a slow body": (f.slow_body(50_000), {"request_seconds": 0.15}),
}


@pytest.mark.parametrize("name", HARMLESS)
async def test_what_is_odd_but_whole_costs_nothing(name: str, store_path: Path, undisturbed: Path) -> None:
    action, changes = HARMLESS[name]
    async with stand_in(*(rule(action, "rows", offset) for offset, _ in HIT)) as standin:
        report = await synced(store_path, standin, changes)
        assert (report.complete, report.rows_added) == (True, len(ROWS))
        assert Counter(asked(standin)) == once_each()
    await assert_equal(store_path, undisturbed)


async def test_of_a_page_with_fewer_rows_the_rest_alone_is_asked_for(store_path: Path, undisturbed: Path) -> None:
    async with stand_in(*(rule(f.fewer_rows(3), "rows", offset) for offset, _ in HIT)) as standin:
        assert (await synced(store_path, standin)).complete
        assert Counter(asked(standin)) == once_each((97, 3), (297, 3), (447, 3))
    await assert_equal(store_path, undisturbed)


async def test_a_page_that_came_before_is_not_taken_for_the_one_asked_for(store_path: Path, undisturbed: Path) -> None:
    async with stand_in(*(rule(f.duplicated_page(), "rows", offset) for offset in (200, 400))) as standin:
        assert (await synced(store_path, standin)).complete
        assert Counter(asked(standin)) == once_each((200, 100), (400, 50))
    await assert_equal(store_path, undisturbed)


async def test_a_bad_row_is_set_aside_and_counted_and_its_neighbours_are_kept(store_path: Path) -> None:
    async with stand_in(rule(f.bad_row(7), "rows", offset=200)) as standin:
        report = await synced(store_path, standin)
        assert (report.complete, report.rows_added, report.rows_rejected) == (True, len(ROWS) - 1, 1)
        assert Counter(asked(standin)) == once_each()
    async with AsyncStore(store_path) as store:
        (reject,) = [reject async for reject in store.rejects()]
        assert (reject.row_index, "not a list" in reject.raw) == (207, True)
        assert [row.row_index async for row in store.select()] == [n for n in range(len(ROWS)) if n != 207]
        assert (await store.check()).problems == ()


async def test_a_page_too_big_for_the_server_is_halved_until_it_fits(store_path: Path, undisturbed: Path) -> None:
    async with stand_in(rule(f.too_big(30), "rows", times=None)) as standin:
        report = await synced(store_path, standin)
        assert (report.complete, report.rows_added) == (True, len(ROWS))
        served = [seen for seen in standin.log if seen.endpoint == "/rows" and seen.status == 200]
        assert max(int(seen.params["length"]) for seen in served) <= 30
        starts = Counter(row for seen in served for row in _rows_of(dict(seen.params)))
        assert set(starts.values()) == {1}, "no row was served twice"
    await assert_equal(store_path, undisturbed)


def _rows_of(params: dict[str, str]) -> range:
    offset = int(params["offset"])
    return range(offset, offset + int(params["length"]))


# -- waits that the server asks for ------------------------------------------------------------------------------------


def _date(seconds: float) -> str:
    return formatdate(time.time() + seconds, usegmt=True)


@pytest.mark.parametrize(("form", "seconds"), [("seconds", 1.0), ("date", 0.9), ("ratelimit", 1.0), ("none", 0.05)])
async def test_after_a_429_nothing_is_asked_until_the_server_allows_it(
    form: str, seconds: float, store_path: Path, undisturbed: Path
) -> None:
    """The whole process waits, not the refused request alone; what was on its way already may arrive."""
    said: dict[str, Action] = {
        "seconds": f.too_many("1"), "date": f.too_many(_date(2.0)), "none": f.too_many(),
        "ratelimit": f.too_many(ratelimit='"api";r=0;t=0'),
    }  # fmt: skip
    async with stand_in(rule(said[form], "rows", offset=200), page_seconds=0.02) as standin:
        assert (await synced(store_path, standin)).complete
        (refusal,) = [seen for seen in standin.log if seen.status == 429]
        assert refusal.ended is not None
        later = [seen.started - refusal.ended for seen in standin.log if seen.started > refusal.ended + 0.04]
        assert min(later) >= seconds * 0.95
        assert Counter(asked(standin)) == once_each((200, 100))
    await assert_equal(store_path, undisturbed)


async def test_a_limit_of_requests_in_a_window_is_kept_to_by_waiting(store_path: Path, undisturbed: Path) -> None:
    async with stand_in(requests_per_window=Window(5, 1, retry_after=True)) as standin:
        assert (await synced(store_path, standin)).complete
        refused = [seen for seen in standin.log if seen.status == 429]
        assert 0 < len(refused) <= 4, "those on their way when the window was full"
        served = [int(seen.params["offset"]) for seen in standin.log if seen.endpoint == "/rows" and seen.status == 200]
        assert sorted(served) == list(PAGES)
    await assert_equal(store_path, undisturbed)


async def test_a_long_row_of_refusals_does_not_slow_down_all_that_comes_after(
    store_path: Path, undisturbed: Path
) -> None:
    """Refused again and again while it asks one at a time, it learns nothing about how fast the server bears to be asked."""
    async with stand_in(rule(f.too_many(), "rows", offset=200, times=10)) as standin:
        assert (await synced(store_path, standin, {"rate_wait_seconds": 0.02, "pace_seconds": 0.02})).complete
        last = max(seen.started for seen in standin.log if seen.status == 429)
        after = sorted(seen.started for seen in standin.log if seen.started > last)
        assert max(later - earlier for earlier, later in pairwise([last, *after])) < 0.3, (
            "15 times the first distance is plenty"
        )
    await assert_equal(store_path, undisturbed)


# -- another host ------------------------------------------------------------------------------------------------------


async def test_a_redirect_on_the_same_host_is_followed(store_path: Path, undisturbed: Path) -> None:
    async with stand_in() as standin:
        place = "dataset=lmsys%2Flmsys-chat-1m&config=default&split=train&offset=200&length=100&moved=1"
        standin.script.rules.append(rule(f.redirect(f"{standin.url}/rows?{place}"), "rows", offset=200))
        assert (await synced(store_path, standin)).complete
    await assert_equal(store_path, undisturbed)


async def _redirected(standin: StandIn, path: Path) -> str:
    async with AsyncStore(path, settings=settings(standin)) as store:
        try:
            await store.sync()
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return "no error"


@pytest.mark.parametrize("offset", [0, 200])
async def test_a_redirect_to_another_host_is_an_error_and_that_host_hears_nothing(
    offset: int, store_path: Path, undisturbed: Path
) -> None:
    async with OtherHost() as other, stand_in() as standin:
        standin.script.rules.append(rule(f.redirect(f"{other.url}/rows"), "rows", offset=offset, times=None))
        told = await _redirected(standin, store_path)
        assert told.startswith("RemoteAnswerError: ") and "another host" in told and TOKEN not in told
        assert other.log == []
        standin.script.rules.clear()
        assert (await synced(store_path, standin)).complete
    await assert_equal(store_path, undisturbed)
