"""A fault that stays ends the sync with an error that says what to do; what was stored stays, and the next sync goes on there."""

import time
from pathlib import Path
from typing import Any

import pytest

from lmsys_store import AsyncStore, Query, seeds
from lmsys_store.errors import (
    DatasetMismatchError,
    DatasetNotFoundError,
    LmsysStoreError,
    RateLimitedError,
    RemoteAnswerError,
    RemoteError,
    RemoteNotReadyError,
    RemoteUnavailableError,
    SourceSchemaError,
)
from lmsys_store.intervals import Interval
from tests.remote.runs import ROWS, assert_equal, covered, overlap, queried, settings, spans, stand_in, synced
from tests.standin import StandIn, rule
from tests.standin import faults as f
from tests.standin.answers import CACHED_CODES, LIVE_CODES
from tests.standin.wire import Action

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("token")]
PATIENCE: dict[str, Any] = {"attempts": 2, "not_ready_seconds": 0.1, "rate_wait_seconds": 0.005}

STAYING: dict[str, tuple[Action, type[LmsysStoreError], dict[str, Any]]] = {
    "429": (f.too_many(), RateLimitedError, {"retry_seconds": 0.1}),
    "429 for an hour": (f.too_many("3600"), RateLimitedError, {}),
    "503": (f.html(503), RemoteUnavailableError, {}),
    "500 without JSON": (f.html(500), RemoteUnavailableError, {}),
    "a reset before the headers": (f.reset_before_headers(), RemoteUnavailableError, {}),
    "a reset amid the body": (f.reset_mid_body(), RemoteUnavailableError, {}),
    "a short body": (f.short_body(), RemoteUnavailableError, {}),
    "a stall": (f.stall(), RemoteUnavailableError, {"request_seconds": 0.1}),
    "a body too slow": (f.slow_body(500), RemoteUnavailableError, {"request_seconds": 0.1}),
    "truncated JSON": (f.truncated_json(), RemoteUnavailableError, {}),
    "a wrong content type": (f.wrong_type(), RemoteUnavailableError, {}),
    "invalid UTF-8": (f.invalid_utf8(), RemoteUnavailableError, {}),
    "not ready": (f.error(500, "ResponseNotReady"), RemoteNotReadyError, {}),
    "unexpected": (f.error(500, "UnexpectedApiError"), RemoteUnavailableError, {}),
    "too big even for one row": (f.too_big(0), RemoteAnswerError, {}),
    "a column gone": (f.missing_column("model"), SourceSchemaError, {}),
    "a redirect in a circle": (f.redirect("/rows"), RemoteAnswerError, {}),
}


async def failed(path: Path, standin: StandIn, changes: dict[str, Any] | None = None) -> LmsysStoreError:
    """The error a sync ends in."""
    with pytest.raises(LmsysStoreError) as caught:
        await synced(path, standin, PATIENCE | (changes or {}))
    return caught.value


@pytest.mark.parametrize("name", STAYING)
async def test_a_fault_that_stays_ends_the_run_and_the_next_goes_on_there(
    name: str, store_path: Path, undisturbed: Path
) -> None:
    action, kind, changes = STAYING[name]
    async with stand_in(rule(action, "rows", offset=200, times=None)) as standin:
        standin.script.rules += [rule(action, "rows", offset=offset, times=None) for offset in range(201, 300)]
        started = time.monotonic()
        error = await failed(store_path, standin, changes)
        assert (type(error) is kind or isinstance(error, kind)) and time.monotonic() - started < 5
        held = covered(store_path)
        assert held == [Interval(0, 200)], "the pages before it are kept"
        standin.script.rules.clear()
        since = len(standin.log)
        assert (await synced(store_path, standin)).complete
        assert overlap(spans(standin, since), held) == []
    await assert_equal(store_path, undisturbed)


RETRIED = (
    "ResponseNotReady", "PreviousStepStillProcessingError", "AuthCheckHubRequestError", "UnprocessableIndexError",
    "DownloadIndexError", "UnexpectedApiError", "CreateCommitError", "ExternalServerError", "HfHubError",
    "RetryableConfigNamesError", "StreamingRowsError",
)  # fmt: skip
FINAL = [(status, code) for codes in (LIVE_CODES, CACHED_CODES) for code, status in codes.items()]
FINAL = [one for one in FINAL if one[1] not in RETRIED and one != (500, "TooBigContentError")]


async def test_a_code_that_no_waiting_changes_is_asked_for_once(store_path: Path, undisturbed: Path) -> None:
    """Each code in a sync of its own, all on one page; the pages before it are fetched by the first of them only."""
    async with stand_in() as standin:
        for status, code in FINAL:
            standin.script.rules[:] = [rule(f.error(status, code, "why"), "rows", offset=200, times=None)]
            since = len(standin.log)
            error = await failed(store_path, standin)
            refused = [seen for seen in standin.log[since:] if (seen.endpoint, seen.status) == ("/rows", status)]
            assert len(refused) == 1, code
            assert isinstance(error, RemoteError) and code in f"{code}{error}", code
            assert "\n" not in str(error) and len(str(error)) > 30, code
            assert covered(store_path) == [Interval(0, 200)], code
            assert since == 0 or overlap(spans(standin, since), [Interval(0, 200)]) == [], code
        standin.script.rules.clear()
        assert (await synced(store_path, standin)).complete
    await assert_equal(store_path, undisturbed)


@pytest.mark.parametrize("code", ["TransformRowsProcessingError", "JWTExpiredSignature", "DatasetInBlockListError"])
async def test_a_final_error_names_the_code_that_the_server_gave(code: str, store_path: Path) -> None:
    status = (dict(LIVE_CODES) | dict(CACHED_CODES))[code]
    async with stand_in(rule(f.error(status, code), "rows", times=None)) as standin:
        error = await failed(store_path, standin)
    assert isinstance(error, RemoteAnswerError) and code in str(error) and str(status) in str(error)


async def test_unexpected_errors_are_retried_a_few_times_only(store_path: Path) -> None:
    """A misspelt split looks the same, so patience would be endless."""
    async with stand_in(rule(f.error(500, "UnexpectedApiError"), "rows", times=None)) as standin:
        with pytest.raises(RemoteUnavailableError):
            await synced(store_path, standin)
        assert 2 <= len(spans(standin)) <= 4


async def test_without_a_required_column_nothing_is_stored(store_path: Path) -> None:
    async with stand_in(rule(f.missing_column("conversation"), times=None)) as standin:
        error = await failed(store_path, standin)
    assert isinstance(error, SourceSchemaError) and "conversation" in str(error)
    assert queried(store_path, "SELECT count(*) FROM conversation") == [(0,)]
    assert covered(store_path) == []


async def test_a_split_that_is_gone_in_the_middle_is_said_so(store_path: Path) -> None:
    async with stand_in(rule(f.error(404, "ResponseNotFound"), "rows", offset=200, times=None)) as standin:
        assert isinstance(await failed(store_path, standin), DatasetNotFoundError)
    assert covered(store_path) == [Interval(0, 200)]


# -- rows that never come ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "gap"),
    [
        (f.empty_page(), Interval(200, 300)),
        (f.duplicated_page(), Interval(200, 300)),
        (f.fewer_rows(3), Interval(297, 300)),
    ],
    ids=["an empty page", "a duplicated page", "fewer rows"],
)
async def test_rows_that_never_come_leave_a_gap_that_the_next_sync_fills_alone(
    action: Action, gap: Interval, store_path: Path, undisturbed: Path
) -> None:
    async with stand_in() as standin:
        standin.script.rules += [rule(action, "rows", offset=offset, times=None) for offset in range(200, 300)]
        report = await synced(store_path, standin)
        assert (report.complete, report.rows_added) == (False, len(ROWS) - (gap.stop - gap.start))
        assert any("did not deliver" in note for note in report.notes)
        held = covered(store_path)
        assert held == [Interval(0, gap.start), Interval(gap.stop, len(ROWS))]
        standin.script.rules.clear()
        since = len(standin.log)
        again = await synced(store_path, standin)
        assert (again.complete, again.rows_added) == (True, gap.stop - gap.start)
        assert overlap(spans(standin, since), held) == [], "no committed row is fetched again"
    await assert_equal(store_path, undisturbed)


@pytest.mark.parametrize("told", [7, 250, 5000])
@pytest.mark.parametrize("offset", [100, 200, 400])
async def test_a_total_that_one_answer_misstates_loses_no_row(
    told: int, offset: int, store_path: Path, undisturbed: Path
) -> None:
    """The run may end incomplete, and says so then; the next one does not believe the wrong number."""
    async with stand_in(rule(f.total(told), "rows", offset=offset)) as standin:
        report = await synced(store_path, standin, {"concurrency": 1})  # so that answers come in row order
        assert any("number of rows changed" in note for note in report.notes)
        assert report.complete is (covered(store_path) == [Interval(0, len(ROWS))])
        assert (await synced(store_path, standin)).complete
    await assert_equal(store_path, undisturbed)


async def test_a_total_that_the_last_answer_of_a_run_misstates_does_not_end_the_data_set_there(
    store_path: Path, undisturbed: Path
) -> None:
    async with stand_in(rule(f.total(7), "rows", offset=100)) as standin:
        await synced(store_path, standin, {"concurrency": 1}, limit=200)
        assert (await synced(store_path, standin)).rows_added == len(ROWS) - 200
    await assert_equal(store_path, undisturbed)


async def test_a_total_that_one_answer_misstates_on_the_first_page_is_noticed(store_path: Path) -> None:
    """Nothing contradicts it there but the pages after it and /size, which counts the rows in another way."""
    async with stand_in(rule(f.total(250), "rows", offset=0)) as standin:
        report = await synced(store_path, standin)
        assert report.notes and any("450" in note for note in report.notes)
        assert not report.complete or covered(store_path) == [Interval(0, len(ROWS))]


async def test_a_split_served_in_part_is_said_so(store_path: Path) -> None:
    async with stand_in(partial=True) as standin:
        report = await synced(store_path, standin)
    assert any("part of this split" in note for note in report.notes)


async def test_a_remote_that_is_not_there_is_an_error_that_says_where_it_looked(store_path: Path) -> None:
    async with stand_in() as standin:
        gone = standin.url
    async with AsyncStore(store_path) as store:
        assert (await store.status()).rows == 0
    async with stand_in() as other:
        error = await failed(store_path, other, {"viewer_url": gone})
    assert isinstance(error, RemoteUnavailableError) and error.transient and gone in str(error)


@pytest.mark.parametrize("query", [None, Query.of(model="mock")], ids=["whole", "by query"])
async def test_a_store_of_the_seeds_is_not_said_to_be_a_complete_copy_of_the_remote(
    query: Query | None, store_path: Path
) -> None:
    async with stand_in() as standin, AsyncStore(store_path, settings=settings(standin)) as store:
        await store.sync(seeds)
        with pytest.raises(DatasetMismatchError, match="mock/seeds, which is on no remote"):
            await store.sync(query=query)
        assert standin.log == []
