"""The layer in front that counts requests: so many a second, or so many in a window."""

import math
import time
from typing import NamedTuple

from tests.standin.answers import Answer, too_many_answer

BURST = 2.0


class Window(NamedTuple):
    """At most ``requests`` requests in ``seconds``; a refusal may say when the window ends."""

    requests: int
    seconds: float
    retry_after: bool = False


class Limits:
    """Both limits; the rate is a bucket of two, refilled evenly."""

    def __init__(self, max_rate: float | None, window: Window | None) -> None:
        self.max_rate = max_rate
        self.window = window
        self._tokens, self._refilled = BURST, time.monotonic()
        self._window_ends, self._in_window = 0.0, 0

    def refusal(self) -> Answer | None:
        """A 429, or None and the request is counted."""
        now = time.monotonic()
        return self._too_fast(now) or self._window_full(now)

    def _too_fast(self, now: float) -> Answer | None:
        if self.max_rate is None:
            return None
        self._tokens = min(BURST, self._tokens + (now - self._refilled) * self.max_rate)
        self._refilled = now
        if self._tokens < 1:
            return too_many_answer()
        self._tokens -= 1
        return None

    def _window_full(self, now: float) -> Answer | None:
        if self.window is None:
            return None
        if now >= self._window_ends:
            self._window_ends, self._in_window = now + self.window.seconds, 0
        if self._in_window >= self.window.requests:
            return too_many_answer(str(math.ceil(self._window_ends - now)) if self.window.retry_after else None)
        self._in_window += 1
        return None
