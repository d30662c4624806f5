"""One rate budget and circuit breaker per remote host, for all requests of the process, whichever store or thread makes them.

Additive increase, multiplicative decrease: requests in flight grow while the server bears it and are halved when it refuses
one; after a first refusal requests also keep a distance in time, which is tuned from there. The one global state besides
the migration lock (contract C11), guarded by a lock because stores live in loops of their own.
"""

import asyncio
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from lmsys_store.errors import RemoteError

FIRST_IN_FLIGHT: Final = 2
_EASED_AFTER: Final = 30
"""Successes in a row after which the distance between requests is made a tenth shorter."""

_LONGEST_DISTANCE: Final = 10.0


@dataclass(frozen=True)
class Limits:
    """What the caller's settings allow."""

    in_flight: int
    max_rate: float | None
    pace_seconds: float


class Budget:
    """How many requests a host is sent at once, and how far apart."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = deque()
        self._in_flight = 0
        self._allowed = FIRST_IN_FLIGHT
        self._successes = 0
        self._distance = 0.0
        self._too_close = 0.0
        self._next_start = 0.0
        self._refused_at = 0.0
        self._broken_until = 0.0
        self._broken_by: RemoteError | None = None

    def allowed(self, limits: Limits) -> int:
        """How many requests may be in flight now."""
        return max(1, min(self._allowed, limits.in_flight))

    async def enter(self, limits: Limits) -> None:
        """Wait for a request's turn; :meth:`leave` must follow."""
        while (turn := self._turn(limits)) is not None:
            if isinstance(turn, asyncio.Future):
                await turn
            else:
                await asyncio.sleep(turn)

    def _turn(self, limits: Limits) -> float | asyncio.Future[None] | None:
        """None: go; else what to wait for first: some seconds, or the end of another request."""
        with self._lock:
            if self._in_flight >= self.allowed(limits):
                loop = asyncio.get_running_loop()
                future: asyncio.Future[None] = loop.create_future()
                self._waiting.append((loop, future))
                return future
            now = time.monotonic()
            if now < self._next_start:
                return self._next_start - now
            distance = max(self._distance, 1 / limits.max_rate if limits.max_rate else 0.0)
            self._next_start = now + distance
            self._in_flight += 1
            return None

    def leave(self) -> None:
        """A request is over, however it ended: another may start."""
        with self._lock:
            self._in_flight -= 1
            waiting, self._waiting = self._waiting, deque()
        for loop, future in waiting:
            with suppress(RuntimeError):  # its loop was closed meanwhile
                loop.call_soon_threadsafe(lambda future=future: future.done() or future.set_result(None))  # type: ignore[misc]

    def succeeded(self, limits: Limits) -> None:
        """A request was answered: more may be sent."""
        with self._lock:
            self._broken_until = 0.0
            self._successes += 1
            if self._allowed < limits.in_flight and not self._distance:
                self._allowed += 1  # until a first refusal there is nothing to be careful about
            if self._distance and self._successes % _EASED_AFTER == 0:
                eased = max(self._distance * 0.9, self._too_close * 1.05)
                self._distance = eased if eased > limits.pace_seconds / 10 else 0.0  # a stray refusal is forgotten

    def refused(self, limits: Limits, started: float, wait: float) -> None:
        """A request that began at ``started`` was refused: halve, keep a distance, and let all wait so many seconds."""
        with self._lock:
            now = time.monotonic()
            self._next_start = max(self._next_start, now + wait)
            if started < self._refused_at:
                return  # it left together with one whose refusal is counted already
            # A server that refuses all there is says little about the distance: without a success it grows a few times only.
            most = _LONGEST_DISTANCE if self._successes else 4 * limits.pace_seconds
            self._refused_at, self._successes = now, 0
            self._allowed = max(1, self._allowed // 2)
            self._too_close = self._distance
            self._distance = min(max(self._distance * 1.5, limits.pace_seconds), max(most, self._distance))

    # ------------------------------------------------------------------------------------------- circuit breaker

    def broke(self, error: RemoteError, seconds: float) -> None:
        """The remote failed for good: selects leave it alone for a while."""
        with self._lock:
            self._broken_until, self._broken_by = time.monotonic() + seconds, error

    def broken(self) -> RemoteError | None:
        """The failure for which the remote is left alone; None if it may be asked."""
        with self._lock:
            return self._broken_by if time.monotonic() < self._broken_until else None


_budgets: dict[str, Budget] = {}
_budgets_lock = threading.Lock()


def budget_of(url: str) -> Budget:
    """The one budget in this process of the host that an address names."""
    parts = urlsplit(url)
    host = f"{parts.hostname}:{parts.port or {'http': 80}.get(parts.scheme, 443)}"
    with _budgets_lock:
        return _budgets.setdefault(host, Budget())
