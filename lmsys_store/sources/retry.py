"""When to ask a server again: what its answers mean, what its headers ask for, how long to wait. Pure.

The classes of failure and their waits follow the dataset viewer's own source: its machine-readable code is the header
``X-Error-Code``, and edge answers (429, 502, 503, 504) have none.
"""

import math
import random
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, Literal

from lmsys_store.errors import (
    RateLimitedError,
    RemoteAnswerError,
    RemoteError,
    RemoteNotReadyError,
    RemoteUnavailableError,
)
from lmsys_store.settings import Settings

Kind = Literal["transient", "rate", "not_ready", "unexpected", "final"]
LONGEST_WAIT: Final = 60.0
MOST_UNEXPECTED: Final = 3
"""How often a request is made that meets "unexpected" errors: a misspelt split looks the same as a hiccup."""
MOST_REFUSALS: Final = 20

_NOT_READY: Final = ("ResponseNotReady", "PreviousStepStillProcessingError")
_LIKE_503: Final = ("AuthCheckHubRequestError", "UnprocessableIndexError", "DownloadIndexError")
_UNEXPECTED: Final = (
    "UnexpectedApiError", "CreateCommitError", "ExternalServerError", "HfHubError", "RetryableConfigNamesError",
    "StreamingRowsError",
)  # fmt: skip


class TooBigError(RemoteAnswerError):
    """The server cannot read that many rows at once; fewer may do."""


@dataclass(frozen=True)
class Failure:
    """A request that failed: of what kind, the error it ends in if nothing helps, how long the server asks to wait."""

    kind: Kind
    error: RemoteError
    server_wait: float | None = None


def failure_of(status: int, headers: Mapping[str, str], said: str | None, now: float) -> Failure | None:
    """What an answer's status and headers mean; None where they call for more than waiting (access, wrong address).

    Args:
        said: the server's own ``error`` text, None where the body is not the API's JSON.
        now: the time, seconds since 1970, against which dates in headers are held.
    """
    code = headers.get("X-Error-Code", "")
    if status == 429:
        error = RateLimitedError("the remote refuses requests for now (429); go on later, what was fetched is kept")
        return Failure("rate", error, asked_wait(headers, now))
    if status in (408, 502, 503, 504) or code in _LIKE_503 or (status >= 500 and said is None):
        return Failure("transient", _unavailable(status, code), asked_wait(headers, now))
    if code in _NOT_READY:
        text = f"the remote is still preparing this answer ({code}); try again in a few minutes"
        return Failure("not_ready", RemoteNotReadyError(text))
    if code in _UNEXPECTED:
        return Failure("unexpected", _unavailable(status, code))
    if status in (422, 501) or status >= 500:
        return Failure("final", _refused(status, code, said))
    return None


def _unavailable(status: int, code: str) -> RemoteUnavailableError:
    return RemoteUnavailableError(
        f"the remote answers {status}{f' {code}' if code else ''}; try again later, what was fetched is kept"
    )


def _refused(status: int, code: str, said: str | None) -> RemoteAnswerError:
    reason = f"{status}{f' {code}' if code else ''}{f': {said}' if said else ''}"
    kind = TooBigError if (status, code) == (500, "TooBigContentError") else RemoteAnswerError
    return kind(f"the remote cannot answer this ({reason}); sync the data set's Parquet files instead")


# ------------------------------------------------------------------------------------------------------- headers


def asked_wait(headers: Mapping[str, str], now: float) -> float | None:
    """How many seconds the server asks to wait: ``Retry-After`` in either form, else ``RateLimit``; None if it does not say.

    ``Retry-After: 0`` says nothing: servers send it with every refusal, and obeying it burns all attempts at once.
    """
    return _retry_after(headers.get("Retry-After"), now) or _rate_limit_wait(headers.get("RateLimit"))


def _retry_after(value: str | None, now: float) -> float | None:
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        seconds = (date - datetime.fromtimestamp(now, UTC)).total_seconds()
    return seconds if math.isfinite(seconds) and seconds > 0 else None


_RATE_LIMIT = re.compile(r"(?:^|;)\s*r=(?P<remaining>\d{1,9})\s*;\s*t=(?P<seconds>\d{1,9})(?!\d)")


def _rate_limit_wait(value: str | None) -> float | None:
    """The IETF header ``RateLimit: "api";r=0;t=42``: nothing remains for 42 seconds (and one, for the rounding).

    Of several limits the longest that is used up counts.
    """
    found = _RATE_LIMIT.finditer(value or "")
    return max((float(one["seconds"]) + 1.0 for one in found if not int(one["remaining"])), default=None)


# --------------------------------------------------------------------------------------------------------- waits


@dataclass
class Retries:
    """The attempts of one request, and how long to wait before the next."""

    settings: Settings
    started: float
    failed: Counter[Kind] = field(default_factory=Counter)

    def wait_after(self, failure: Failure, now: float) -> float:
        """Seconds to wait before the next attempt.

        Raises:
            RemoteError: the failure's own; there is to be no other attempt.
        """
        self.failed[failure.kind] += 1
        count = self.failed[failure.kind]
        wait = self._wait(failure, count)
        seconds = self.settings.not_ready_seconds if failure.kind == "not_ready" else self.settings.retry_seconds
        if wait is None or now + wait - self.started > seconds:
            raise failure.error
        return wait

    def _wait(self, failure: Failure, count: int) -> float | None:
        settings = self.settings
        match failure.kind:
            case "transient" if count < settings.attempts:
                # Full jitter: whoever failed together does not come back together.
                grown = min(settings.backoff_seconds * 2 ** min(count - 1, 30), LONGEST_WAIT)
                return max(failure.server_wait or 0.0, random.uniform(0, grown))
            case "rate" if count < MOST_REFUSALS:
                return failure.server_wait or settings.rate_wait_seconds * random.uniform(1, 1.5)
            case "not_ready":
                return min(settings.poll_seconds * 1.5 ** min(count - 1, 30), LONGEST_WAIT)
            case "unexpected" if count < MOST_UNEXPECTED:
                return settings.poll_seconds
        return None
