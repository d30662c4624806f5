"""The HTTP client of the remote: one session, one retry policy, foreign errors in ours. Every wait can be seen and cancelled.

The hazard is the token: it goes to the configured hosts only, so redirects are never followed to another host, and it is in no
message, log line or repr.
"""

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from pydantic_core import from_json
from yarl import URL

from lmsys_store.errors import (
    AccessError,
    RemoteAnswerError,
    RemoteError,
    RemoteUnavailableError,
)
from lmsys_store.settings import Settings
from lmsys_store.sources import access
from lmsys_store.sources.budget import Budget, Limits, budget_of
from lmsys_store.sources.retry import Failure, Retries, failure_of

LARGEST_BODY: Final = 256 << 20
"""Bytes of one answer, inflated: a page of 100 of the longest rows stays far below."""
_CHUNK: Final = 256 << 10
_MOST_REDIRECTS: Final = 3
_RECENT_SECONDS: Final = 2.0
_MOST_RECENT: Final = 4
"""Answers that are kept a moment for whoever wants the same: a few, since a page parsed takes some MB."""
_log = logging.getLogger("lmsys_store")


@dataclass(frozen=True)
class Answer:
    """A JSON answer of the API: the value, the commit it was made of, and its size in bytes."""

    value: Mapping[str, Any]
    revision: str | None
    byte_count: int


_Key = tuple[str, tuple[tuple[str, str], ...], bool]
_Flight = tuple["asyncio.Task[Answer]", list[object]]
"""A request under way, and who waits for it."""


class _Failed(Exception):
    """An attempt failed in a way that the retry policy knows."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure


class RemoteClient:
    """Asks the dataset viewer; belongs to one event loop. Nothing is connected before the first request."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.requests = 0
        self.failing = False
        """Whether the latest attempt got no answer, or a failing server's."""
        self._waits: dict[object, tuple[float, str]] = {}
        self._base = URL(settings.viewer_url.rstrip("/"))
        self._limits = Limits(settings.concurrency, settings.max_rate, settings.pace_seconds)
        self._session: aiohttp.ClientSession | None = None
        self._flights: dict[_Key, _Flight] = {}
        self._recent: dict[_Key, tuple[float, Answer]] = {}

    def __repr__(self) -> str:
        return f"<RemoteClient {self._base}>"

    @property
    def budget(self) -> Budget:
        """The host's budget, shared by the whole process."""
        return budget_of(self.settings.viewer_url)

    @property
    def waiting(self) -> str | None:
        """Why the request that waits longest is waiting; None while none is."""
        return max(self._waits.values())[1] if self._waits else None

    @property
    def allowed(self) -> int:
        """How many requests may be in flight now."""
        return self.budget.allowed(self._limits)

    async def close(self) -> None:
        """Drop what is in flight and close the session; calling it again does nothing."""
        for task, _ in list(self._flights.values()):
            task.cancel()
        await asyncio.gather(*(task for task, _ in self._flights.values()), return_exceptions=True)
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def get(
        self, endpoint: str, params: Mapping[str, str | int], *, poll: bool = True, recent: bool = False
    ) -> Answer:
        """Ask once for all who want the same at the same time, and as often as the retry policy says.

        Whoever waits may be cancelled at any moment; the request ends with the last who waits for it.

        Args:
            poll: wait for an answer that is not ready; else its error is raised at once.
            recent: an answer of a moment ago will do, which whoever asked for it may not have stored yet.

        Raises:
            RemoteError: of the kind that says what to do.
        """
        if (refusal := access.offline(self.settings)) is not None:
            raise refusal
        key = (endpoint, tuple(sorted((name, str(value)) for name, value in params.items())), poll)
        if recent and (answer := self._recent_answer(key)) is not None:
            return answer
        task, waiters = self._flights.get(key) or self._start(key)
        waiter = object()
        waiters.append(waiter)
        try:
            return await asyncio.shield(task)
        finally:
            waiters.remove(waiter)
            if not waiters and not task.done():  # nobody wants it any more
                task.cancel()

    def _recent_answer(self, key: "_Key") -> Answer | None:
        now = time.monotonic()
        self._recent = {one: held for one, held in self._recent.items() if now - held[0] < _RECENT_SECONDS}
        return self._recent[key][1] if key in self._recent else None

    def _remember(self, key: "_Key", answer: Answer) -> None:
        while len(self._recent) >= _MOST_RECENT:
            del self._recent[next(iter(self._recent))]
        self._recent[key] = time.monotonic(), answer

    def _start(self, key: "_Key") -> "_Flight":
        task = asyncio.create_task(self._ask(key))
        flight: _Flight = (task, [])
        self._flights[key] = flight
        task.add_done_callback(lambda done: (self._flights.pop(key, None), done.cancelled() or done.exception()))
        return flight

    async def _ask(self, key: "_Key") -> Answer:
        endpoint, params, poll = key
        retries = Retries(self.settings, time.monotonic())
        while True:
            await self.budget.enter(self._limits)
            started = time.monotonic()
            try:
                answer = await self._once(self._base / endpoint, dict(params))
            except _Failed as failed:
                failure = failed.failure
                self.failing = failure.kind == "transient"
            else:
                self.failing = False
                self.budget.succeeded(self._limits)
                self._remember(key, answer)
                return answer
            finally:
                self.budget.leave()
            if failure.kind == "not_ready" and not poll:
                raise failure.error
            await self.pause(self._wait_after(failure, retries, started), _reason(failure))

    def _wait_after(self, failure: Failure, retries: Retries, started: float) -> float:
        try:
            wait = retries.wait_after(failure, time.monotonic())
        except RemoteUnavailableError as error:
            self.budget.broke(error, self.settings.breaker_seconds)
            raise
        _log.info("remote: %s; asking again in %.1f s", failure.error, wait)
        if failure.kind == "rate":
            self.budget.refused(self._limits, started, wait)
        return wait

    async def pause(self, seconds: float, reason: str) -> None:
        """Wait before asking again, and say so meanwhile."""
        wait = object()
        self._waits[wait] = seconds, f"waiting {seconds:.0f} s: {reason}"
        try:
            await asyncio.sleep(seconds)
        finally:
            del self._waits[wait]

    # ------------------------------------------------------------------------------------------------- one attempt

    async def _once(self, url: URL, params: Mapping[str, str]) -> Answer:
        url = url.update_query(params)
        broken: Exception | None = None
        for _ in range(_MOST_REDIRECTS):
            try:
                async with self._opened().get(url, headers=self._headers(), allow_redirects=False) as response:
                    self.requests += 1
                    if 300 <= response.status < 400:
                        url = self._redirected(url, response)
                        continue
                    return await self._answer(response, await _whole_body(response))
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                broken = error
                break
        if broken is not None:
            text = f"the remote at {self._base} cannot be reached ({type(broken).__name__}); try again later"
            # An answer's error carries the request's headers, and with them the token: it goes no further.
            cause = None if isinstance(broken, aiohttp.ClientResponseError) else broken
            unavailable = RemoteUnavailableError(text)
            unavailable.__cause__ = cause
            raise _Failed(Failure("transient", unavailable)) from cause
        raise RemoteAnswerError(f"{self._base} redirects in a circle; check LMSYS_STORE_VIEWER_URL")

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            wait = self.settings.request_seconds
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=4 * wait, sock_connect=wait, sock_read=wait),
                cookie_jar=aiohttp.CookieJar(unsafe=True),  # the load balancer's, also of a host named by address
            )
        return self._session

    def _headers(self) -> dict[str, str]:
        headers = {"Accept-Encoding": "gzip", "Accept": "application/json", "User-Agent": "lmsys-store"}
        token = self.settings.token()
        if token is not None:
            headers["Authorization"] = f"Bearer {token.get_secret_value()}"
        return headers

    def _redirected(self, url: URL, response: aiohttp.ClientResponse) -> URL:
        try:
            target = url.join(URL(response.headers.get("Location", "")))
            elsewhere = target.origin() != url.origin()
        except ValueError:
            raise RemoteAnswerError(
                f"{self._base} redirects to what is no address; check LMSYS_STORE_VIEWER_URL"
            ) from None
        if elsewhere:
            raise RemoteAnswerError(
                f"{self._base} redirects to another host ({target.host}), which is not followed with a token; "
                "check LMSYS_STORE_VIEWER_URL"
            )
        return target

    async def _answer(self, response: aiohttp.ClientResponse, body: bytes) -> Answer:
        value = _parsed(body) if "json" in response.content_type else None
        if response.status == 200:
            if isinstance(value, Mapping):
                return Answer(value, response.headers.get("X-Revision"), len(body))
            text = "the remote sent something that is not the API's JSON; try again later"
            raise _Failed(Failure("transient", RemoteUnavailableError(text)))
        said = str(value["error"]) if isinstance(value, Mapping) and "error" in value else None
        failure = failure_of(response.status, response.headers, said, time.time())
        if failure is not None:
            if failure.kind == "final":
                raise failure.error
            raise _Failed(failure)
        raise await self._denied(response, said)

    async def _denied(self, response: aiohttp.ClientResponse, said: str | None) -> RemoteError:
        """The error of an answer that no waiting changes; the Hub is asked where the viewer cannot tell."""
        code = response.headers.get("X-Error-Code")
        if response.status in (401, 404) and code in access.VIEWER_CODES:
            dataset = response.url.query.get("dataset", "")
            verdict = await self._auth_check(dataset)
            error = access.denial(dataset, self.settings, code, verdict)
            if isinstance(error, AccessError):
                self.budget.broke(error, self.settings.breaker_seconds)
            return error
        if response.status == 404 and said is None:
            return RemoteAnswerError(
                f"{self._base} is not the address of a dataset viewer (404 for {response.url.path}); the right one is "
                "https://datasets-server.huggingface.co, without /api: set LMSYS_STORE_VIEWER_URL, or unset it"
            )
        return RemoteAnswerError(f"the remote answers {response.status}{f' {code}' if code else ''}; report this")

    async def _auth_check(self, dataset: str) -> access.Verdict | None:
        """What the Hub says of this token and data set; None where it does not answer."""
        url = URL(self.settings.hub_url.rstrip("/")) / "api/datasets" / dataset / "auth-check"
        try:
            async with self._opened().get(url, headers=self._headers(), allow_redirects=False) as response:
                self.requests += 1
                return access.Verdict(response.status, response.headers.get("X-Error-Code", ""))
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None


def _reason(failure: Failure) -> str:
    match failure.kind:
        case "rate":
            return "the server asked for it"
        case "not_ready":
            return "the server is still preparing the answer"
    return "the server failed" if isinstance(failure.error, RemoteUnavailableError) else str(failure.error)


async def _whole_body(response: aiohttp.ClientResponse) -> bytes:
    """The body, inflated. Raises RemoteAnswerError where it grows without end."""
    parts: list[bytes] = []
    size = 0
    try:
        async for part in response.content.iter_chunked(_CHUNK):
            parts.append(part)
            size += len(part)
            if size > LARGEST_BODY:
                response.close()
                raise RemoteAnswerError(
                    f"an answer of {response.url.host} is larger than {LARGEST_BODY >> 20} MB, which no page is; "
                    "check LMSYS_STORE_VIEWER_URL"
                )
        return b"".join(parts)
    finally:
        parts.clear()  # an error keeps this frame alive until its request was tried again


def _parsed(body: bytes) -> object:
    """The body as JSON; None where it is none."""
    try:
        return from_json(body)
    except ValueError:
        pass
    try:  # slower, and lenient about lone surrogates: which row holds one is found out row by row
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
