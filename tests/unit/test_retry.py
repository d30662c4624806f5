"""What a failed answer means, how long its headers ask to wait, and how often and how long the retry policy waits."""

import math
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmsys_store.errors import (
    RateLimitedError,
    RemoteAnswerError,
    RemoteError,
    RemoteNotReadyError,
    RemoteUnavailableError,
)
from lmsys_store.settings import Settings
from lmsys_store.sources.retry import (
    LONGEST_WAIT,
    MOST_REFUSALS,
    MOST_UNEXPECTED,
    Failure,
    Kind,
    Retries,
    TooBigError,
    asked_wait,
    failure_of,
)
from tests.standin.answers import CACHED_CODES, LIVE_CODES

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()

# ------------------------------------------------------------------------------------------------ what an answer means

NOT_READY = ("ResponseNotReady", "PreviousStepStillProcessingError")
LIKE_503 = ("AuthCheckHubRequestError", "UnprocessableIndexError", "DownloadIndexError")
A_FEW_TIMES = (
    "UnexpectedApiError", "CreateCommitError", "ExternalServerError", "HfHubError", "RetryableConfigNamesError",
    "StreamingRowsError",
)  # fmt: skip


def _expected_kind(status: int, code: str) -> Kind | None:
    """The reference's own table (2.2, 2.4 and 2.6), told once more."""
    if code in NOT_READY:
        return "not_ready"
    if code in LIKE_503:
        return "transient"
    if code in A_FEW_TIMES:
        return "unexpected"
    return "final" if status >= 500 or status == 422 else None


def _meaning(status: int, code: str | None = None, said: str | None = "said", **headers: str) -> Failure | None:
    named = {name.replace("_", "-"): text for name, text in headers.items()} | ({"X-Error-Code": code} if code else {})
    return failure_of(status, named, said, NOW)


EVERY_CODE = sorted({*LIVE_CODES.items(), *CACHED_CODES.items()})


@pytest.mark.parametrize(("code", "status"), EVERY_CODE, ids=[f"{code}-{status}" for code, status in EVERY_CODE])
def test_every_code_of_the_server_has_its_class_of_failure(code: str, status: int) -> None:
    failure = _meaning(status, code)
    expected = _expected_kind(status, code)
    assert (failure and failure.kind) == expected
    if failure is None:
        assert status in (400, 401, 404), "only access, a wrong address and a bad request are another's to explain"
        return
    message = str(failure.error)
    assert code in message, "a report must be able to name what the server said"
    errors: dict[Kind, type[RemoteError]] = {
        "transient": RemoteUnavailableError, "not_ready": RemoteNotReadyError, "unexpected": RemoteUnavailableError,
        "final": RemoteAnswerError,
    }  # fmt: skip
    assert isinstance(failure.error, errors[failure.kind])
    assert failure.error.transient == (failure.kind != "final")


def test_only_the_live_too_big_page_may_be_asked_in_parts() -> None:
    live, cached = _meaning(500, "TooBigContentError"), _meaning(501, "TooBigContentError")
    assert live is not None and type(live.error) is TooBigError
    assert cached is not None and type(cached.error) is RemoteAnswerError
    assert "Parquet" in str(live.error) and "Parquet" in str(cached.error)


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 520, 599])
def test_a_server_error_that_is_not_the_apis_is_transient(status: int) -> None:
    failure = _meaning(status, said=None)
    assert failure is not None and failure.kind == "transient"
    assert type(failure.error) is RemoteUnavailableError and str(status) in str(failure.error)


@pytest.mark.parametrize("status", [408, 502, 503, 504])
def test_an_edge_status_is_transient_whatever_its_body_says(status: int) -> None:
    failure = _meaning(status, said="Service unavailable", Retry_After="7")
    assert failure is not None
    assert (failure.kind, failure.server_wait) == ("transient", 7.0)


@pytest.mark.parametrize("said", [None, "too many requests"])
def test_every_429_is_a_refusal_for_now_and_carries_what_its_headers_ask(said: str | None) -> None:
    plain, asked = _meaning(429, said=said), _meaning(429, said=said, Retry_After="30")
    assert plain is not None and asked is not None
    assert plain.kind == asked.kind == "rate"
    assert (plain.server_wait, asked.server_wait) == (None, 30.0)
    assert type(plain.error) is RateLimitedError


@pytest.mark.parametrize("status", [500, 501, 422, 507])
def test_the_apis_own_refusal_without_a_code_is_final_and_repeats_what_it_said(status: int) -> None:
    failure = _meaning(status, said="no such column")
    assert failure is not None and failure.kind == "final"
    assert "no such column" in str(failure.error) and str(status) in str(failure.error)


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 405, 410, 451])
@pytest.mark.parametrize("said", [None, "Not found."])
def test_what_no_waiting_changes_is_left_to_others(status: int, said: str | None) -> None:
    assert _meaning(status, said=said) is None


# ------------------------------------------------------------------------------------------------------------- headers


def _date(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(NOW + seconds, UTC), usegmt=True)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("30", 30.0), (" 30 ", 30.0), ("1.5", 1.5), ("0.25", 0.25), ("3600", 3600.0),
        ("0", None), ("0.0", None), ("-5", None), ("nan", None), ("inf", None), ("-inf", None), ("1e999", None),
        ("", None), ("soon", None), ("30 s", None), ("1,5", None), ("\x00", None), ("٣٠ seconds", None),
        (_date(90), 90.0), (_date(1), 1.0), (_date(0), None), (_date(-90), None),
        ("Wed, 21 Oct 99999 07:28:00 GMT", None), ("1 Jan 2026 99:99:99", None), ("Sun, 31 Feb 2026 12:00:00 GMT", None),
        ("1 Jan 2026 00:00:00 +999999999999", None),
    ],
)  # fmt: skip
def test_retry_after_in_every_form(header: str, seconds: float | None) -> None:
    assert asked_wait({"Retry-After": header}, NOW) == seconds


def test_a_date_counts_in_its_own_zone_and_without_one_in_utc() -> None:
    east = datetime.fromtimestamp(NOW + 60, timezone(timedelta(hours=5, minutes=30)))
    assert asked_wait({"Retry-After": format_datetime(east)}, NOW) == 60
    assert asked_wait({"Retry-After": "Sun, 01 Mar 2026 12:01:00 -0000"}, NOW) == 60


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ('"api";r=0;t=42', 43.0), ('"api"; r=0; t=42', 43.0), ('"api" ; r=0 ; t=0', 1.0), ("r=0;t=2", 3.0),
        ('"api";r=1;t=42', None), ('"api";r=10;t=42', None), ('"api";r=00;t=5', 6.0),
        ('"api";t=42', None), ('"api";r=0', None), ("", None), ("r=zero;t=1", None), ('"bar=0;t=9";r=3;t=1', None),
        ('"fixed window";"api";q=500;w=300', None),
    ],
)  # fmt: skip
def test_rate_limit_asks_for_the_rest_of_the_window_and_a_second_once_nothing_remains(
    header: str, seconds: float | None
) -> None:
    assert asked_wait({"RateLimit": header}, NOW) == seconds


@pytest.mark.parametrize(
    "header",
    ['"api";r=0;t=42, "pages";r=9;t=100', '"api";r=9;t=100, "pages";r=0;t=42', '"a";r=0;t=5,"b";r=0;t=42,"c";r=3;t=99'],
)
def test_of_several_rate_limits_the_longest_that_is_used_up_counts(header: str) -> None:
    assert asked_wait({"RateLimit": header}, NOW) == 43


def test_retry_after_goes_before_rate_limit_unless_it_says_nothing() -> None:
    rate_limit = {"RateLimit": '"api";r=0;t=9'}
    assert asked_wait({"Retry-After": "4", **rate_limit}, NOW) == 4
    assert asked_wait({"Retry-After": _date(4), **rate_limit}, NOW) == 4
    for silent in ("0", "soon", _date(-4), "-1"):
        assert asked_wait({"Retry-After": silent, **rate_limit}, NOW) == 10
    assert asked_wait({"Retry-After": "0", "RateLimit": '"api";r=4;t=9'}, NOW) is None
    assert asked_wait({}, NOW) is None


_DATES = st.from_regex(
    r"\A(Mon, )?[0-9]{1,22} (Jan|Feb|foo) -?[0-9]{1,22} [0-9]{1,22}:[0-9]{1,3}(:[0-9]{1,3})? ([+-][0-9]{1,22}|GMT|X)\Z"
)
_LIMITS = st.from_regex(r'\A("[a-z]*")?;r=\d{1,40};t=\d{1,400}\Z')


@given(st.one_of(st.text(), st.floats().map(str), _DATES), st.one_of(st.none(), st.text(), _LIMITS))
def test_no_header_raises_or_asks_for_a_wait_that_is_none(retry_after: str, rate_limit: str | None) -> None:
    headers = {"Retry-After": retry_after} | ({} if rate_limit is None else {"RateLimit": rate_limit})
    wait = asked_wait(headers, NOW)
    assert wait is None or wait > 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "1 Jan 99999999999999999999 00:00:00 GMT"}, {"Retry-After": "9" * 6000},
        {"RateLimit": f"r={'0' * 6000};t=1"}, {"RateLimit": f"r=0;t={'9' * 6000}"},
    ],
    ids=["year", "seconds", "remaining", "reset"],
)  # fmt: skip
def test_numbers_beyond_any_size_do_not_raise(headers: dict[str, str]) -> None:
    wait = asked_wait(headers, NOW)
    assert wait is None or wait > 0


# --------------------------------------------------------------------------------------------------------------- waits


def _settings(**changed: float) -> Settings:
    known: dict[str, Any] = {
        "attempts": 6, "retry_seconds": 1000, "not_ready_seconds": 5000, "backoff_seconds": 1, "rate_wait_seconds": 20,
        "poll_seconds": 10,
    }  # fmt: skip
    return Settings(**known | changed)


def _failure(kind: Kind, server_wait: float | None = None) -> Failure:
    return Failure(kind, RemoteUnavailableError(f"a failure of kind {kind}"), server_wait)


def _waits(kind: Kind, server_wait: float | None = None, **changed: float) -> list[float]:
    """All waits of a request that fails and fails, on a clock that never moves, until its error is raised."""
    retries, failure, waits = Retries(_settings(**changed), 0.0), _failure(kind, server_wait), []
    with pytest.raises(RemoteUnavailableError) as raised:
        for _ in range(20_000):
            waits.append(retries.wait_after(failure, 0.0))
    assert raised.value is failure.error
    return waits


@pytest.mark.parametrize("attempts", [1, 2, 6, 30])
def test_a_transient_failure_is_met_with_as_many_attempts_as_set(attempts: int) -> None:
    assert len(_waits("transient", attempts=attempts)) == attempts - 1


def test_the_wait_after_a_transient_failure_doubles_up_to_a_minute_and_is_drawn_from_nought_to_that() -> None:
    drawn = [_waits("transient", attempts=12, backoff_seconds=1.0) for _ in range(400)]
    for number in range(11):
        bound = min(2.0**number, LONGEST_WAIT)
        waits = [one[number] for one in drawn]
        assert all(0 <= wait <= bound for wait in waits)
        assert min(waits) < 0.1 * bound and max(waits) > 0.9 * bound, "full jitter uses the whole range"
        assert 0.4 * bound < sum(waits) / len(waits) < 0.6 * bound


def test_a_servers_wait_is_the_least_after_a_transient_failure() -> None:
    waits = [wait for _ in range(50) for wait in _waits("transient", 8.0, attempts=7)]
    assert min(waits) == 8.0 and max(waits) > 8.0
    assert _waits("transient", 300.0, attempts=3) == [300.0, 300.0], "longer than a minute, if the server says so"


def test_a_refusal_waits_as_long_as_the_server_says_and_otherwise_somewhat_longer_than_set() -> None:
    assert _waits("rate", 7.0) == [7.0] * (MOST_REFUSALS - 1)
    waits = _waits("rate", rate_wait_seconds=20.0)
    assert len(waits) == MOST_REFUSALS - 1
    assert all(20 <= wait <= 30 for wait in waits) and len(set(waits)) > 1
    assert len(_waits("rate", 1.0, attempts=1)) == MOST_REFUSALS - 1, "attempts are for failures, not for refusals"


def test_an_answer_that_is_not_ready_is_polled_slower_and_slower_up_to_a_minute() -> None:
    retries = Retries(_settings(), 0.0)
    assert [retries.wait_after(_failure("not_ready"), 0.0) for _ in range(8)] == [
        10.0, 15.0, 22.5, 33.75, 50.625, 60.0, 60.0, 60.0,
    ]  # fmt: skip


def test_not_ready_has_a_budget_of_its_own() -> None:
    retries = Retries(_settings(retry_seconds=1, attempts=1), 0.0)
    assert retries.wait_after(_failure("not_ready"), 4980.0) == 10
    with pytest.raises(RemoteUnavailableError):
        retries.wait_after(_failure("not_ready"), 4990.0)
    other = Retries(_settings(not_ready_seconds=1), 0.0)
    assert other.wait_after(_failure("transient"), 500.0) <= 1
    with pytest.raises(RemoteUnavailableError):
        other.wait_after(_failure("not_ready"), 0.0)


def test_an_unexpected_error_is_met_three_times_at_most_each_after_the_same_wait() -> None:
    assert MOST_UNEXPECTED == 3
    assert _waits("unexpected", attempts=50) == [10.0, 10.0]


def test_a_final_failure_is_raised_at_once() -> None:
    assert _waits("final", 3.0) == []


def test_no_wait_is_begun_that_would_end_after_the_time_allowed() -> None:
    retries = Retries(_settings(), 50.0)
    assert retries.wait_after(_failure("rate", 100.0), 950.0) == 100.0, "exactly the time allowed is allowed"
    with pytest.raises(RemoteUnavailableError):
        retries.wait_after(_failure("rate", 100.0), 950.1)
    with pytest.raises(RemoteUnavailableError):
        Retries(_settings(), 0.0).wait_after(_failure("rate", math.inf), 0.0)


def test_kinds_of_failure_are_counted_apart() -> None:
    retries = Retries(_settings(attempts=2), 0.0)
    met: list[Kind] = ["transient", "unexpected", "unexpected", "rate", "not_ready", "rate", "not_ready"]
    for kind in met:
        retries.wait_after(_failure(kind), 0.0)
    for kind in met[:2]:
        with pytest.raises(RemoteUnavailableError, match=kind):
            retries.wait_after(_failure(kind), 0.0)


@pytest.mark.parametrize("kind", ["transient", "not_ready"])
def test_growth_ends_at_a_minute_however_often_a_request_is_made(kind: Kind) -> None:
    """A first preparation may take a day, and attempts are the user's to set: the power must not leave a float's range."""
    retries = Retries(_settings(attempts=10_000, retry_seconds=1e9, not_ready_seconds=1e9), 0.0)
    assert all(retries.wait_after(_failure(kind), 0.0) <= LONGEST_WAIT for _ in range(3000))
