"""A script of faults: which request meets which, and the faults, one small factory each.

``Script(rule(too_many("30"), endpoint="/rows", offset=300), rule(delay(1), times=None))``: the first rule that fits a request
and is not used up acts on it, alone; ``together`` makes one fault of several.
"""

import asyncio
import random
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web

from tests.standin.answers import Answer, error_answer, html_answer, too_many_answer
from tests.standin.features import value
from tests.standin.parameters import Call
from tests.standin.rows import Row
from tests.standin.wire import Action, Page, Sending, never, with_body

NOTHING = Action()
_SLICES_A_SECOND = 20


@dataclass
class Rule:
    """An action, the requests it is for, and how often it still acts (None: always)."""

    action: Action
    endpoint: str | None
    offset: int | None
    after: int
    left: int | None

    def fits(self, call: Call, before: int) -> bool:
        """Whether this request, with so many of its endpoint before it, is one of them."""
        return (
            (self.left is None or self.left > 0)
            and (self.endpoint == call.endpoint or (self.endpoint is None and call.endpoint != "/auth-check"))
            and self.offset in (None, call.offset)
            and before >= self.after
            and self.action.applies(call)
        )


def rule(
    action: Action, endpoint: str | None = None, offset: int | None = None, after: int = 0, times: int | None = 1
) -> Rule:
    """``action`` for ``times`` requests (None: all) to ``endpoint`` at ``offset``, after the endpoint's first ``after``.

    Without an endpoint it is for all of the viewer; the Hub's is called ``/auth-check``.
    """
    return Rule(action, f"/{endpoint.lstrip('/')}" if endpoint else None, offset, after, times)


class Script:
    """Rules in order; more may be added while the server runs."""

    def __init__(self, *rules: Rule) -> None:
        self.rules = list(rules)

    def action(self, call: Call, before: int) -> Action:
        """The action for a request, whose rule is used up by one."""
        for found in self.rules:
            if found.fits(call, before):
                found.left = None if found.left is None else found.left - 1
                return found.action
        return NOTHING


@dataclass(frozen=True)
class _Instead(Action):
    """An answer in place of the true one."""

    other: Answer

    def instead(self, call: Call) -> Answer | None:
        return self.other


def too_many(retry_after: str | None = None, ratelimit: str | None = None) -> Action:
    """429; ``retry_after`` is the header's text (seconds or an HTTP date), ``ratelimit`` one like ``"api";r=0;t=2``."""
    return _Instead(too_many_answer(retry_after, ratelimit))


def error(status: int, code: str | None = None, text: str | None = None) -> Action:
    """An error of the viewer; ``answers.LIVE_CODES`` and ``answers.CACHED_CODES`` have all codes with their status."""
    return _Instead(error_answer(status, code, text))


def html(status: int) -> Action:
    """502, 503 or 504 in the load balancer's HTML."""
    return _Instead(html_answer(status))


def wrong_type() -> Action:
    """200, and HTML."""
    return _Instead(
        Answer(200, b"<!doctype html><title>Welcome</title><p>Sign in to go on.", {"Content-Type": "text/html"})
    )


def redirect(url: str) -> Action:
    """307 to ``url``."""
    return _Instead(Answer(307, b"", {"Location": url}))


@dataclass(frozen=True)
class _TooBig(Action):
    above_length: int

    def applies(self, call: Call) -> bool:
        return call.length > self.above_length

    def instead(self, call: Call) -> Answer | None:
        return error_answer(500, "TooBigContentError")


def too_big(above_length: int) -> Action:
    """500 ``TooBigContentError`` for more than so many rows at once; requests for fewer do not use the rule up."""
    return _TooBig(above_length)


@dataclass(frozen=True)
class _Delay(Action):
    seconds: float

    async def before(self) -> None:
        await asyncio.sleep(self.seconds)


def delay(seconds: float) -> Action:
    """The true answer, later."""
    return _Delay(seconds)


@dataclass(frozen=True)
class _Held(Action):
    until: asyncio.Event

    async def before(self) -> None:
        await self.until.wait()


def held(until: asyncio.Event) -> Action:
    """The true answer, once the event has come (of the loop that the server runs in)."""
    return _Held(until)


@dataclass(frozen=True)
class _Asked(Action):
    change: Callable[[Call], Call]

    def asked(self, call: Call) -> Call:
        return self.change(call)


def fewer_rows(count: int) -> Action:
    """A page of ``count`` rows fewer than asked."""
    return _Asked(lambda call: replace(call, length=max(0, call.length - count)))


def more_rows(count: int) -> Action:
    """A page of ``count`` rows more than asked, if the data has them."""
    return _Asked(lambda call: replace(call, length=call.length + count))


def duplicated_page() -> Action:
    """The rows of the page before the one asked, under their own indexes."""
    return _Asked(lambda call: replace(call, offset=max(0, call.offset - call.length)))


@dataclass(frozen=True)
class _Page(Action):
    change: Callable[[Page], Page]

    def page(self, page: Page) -> Page:
        return self.change(page)


def empty_page() -> Action:
    """No rows."""
    return _Page(lambda page: replace(page, rows=[]))


def shuffled_page() -> Action:
    """The rows in another order, each under its own index."""
    return _Page(lambda page: replace(page, rows=_shuffled(page.rows)))


def bad_row(position: int, column: str = "conversation", value: object = "not a list") -> Action:
    """One cell of the page's row at ``position`` replaced."""

    def spoil(page: Page) -> Page:
        rows = list(page.rows)
        if position < len(rows):
            row_index, row = rows[position]
            rows[position] = row_index, {**row, column: value}
        return replace(page, rows=rows)

    return _Page(spoil)


def missing_column(name: str) -> Action:
    """A page whose features and rows lack a column."""
    return _Page(lambda page: _columns(page, lambda found: {key: found[key] for key in found if key != name}))


def extra_column(name: str) -> Action:
    """A page with one more column of text."""
    cells = {name: "extra"}
    return _Page(
        lambda page: Page(
            {**page.features, name: value("string")}, [(index, {**row, **cells}) for index, row in page.rows]
        )
    )


@dataclass(frozen=True)
class _Total(Action):
    value: int

    def total(self, total: int) -> int:
        return self.value


def total(value: int) -> Action:
    """Another number of rows announced."""
    return _Total(value)


class _Partial(Action):
    def partial(self, partial: bool) -> bool:
        return True


def partial() -> Action:
    """The data called partial."""
    return _Partial()


@dataclass(frozen=True)
class _Changed(Action):
    change: Callable[[Answer], Answer]

    def answer(self, answer: Answer) -> Answer:
        return self.change(answer)


def revision(value: str) -> Action:
    """The answer of another revision."""
    return _Changed(lambda answer: answer.with_headers(X_Revision=value))


def truncated_json() -> Action:
    """Half of the body, and headers that fit it: only parsing can tell."""
    return _Changed(lambda answer: with_body(answer, answer.body[: len(answer.body) // 2]))


def invalid_utf8() -> Action:
    """Two bytes no UTF-8 has, inside a text of the body."""

    def spoil(answer: Answer) -> Answer:
        start = max(answer.body.find(b'"rows"'), 0)
        place = answer.body.find(b'":"', start) + 3
        return with_body(answer, answer.body[:place] + b"\xff\xfe" + answer.body[place:])

    return _Changed(spoil)


class _ResetBeforeHeaders(Action):
    async def send(self, sending: Sending) -> web.StreamResponse:
        return sending.reset()


def reset_before_headers() -> Action:
    """The connection breaks where the answer should begin."""
    return _ResetBeforeHeaders()


class _ResetMidBody(Action):
    async def send(self, sending: Sending) -> web.StreamResponse:
        body = sending.answer.body
        response = await sending.start(len(body))
        await sending.write(response, body[: len(body) // 2])
        return sending.reset()


def reset_mid_body() -> Action:
    """The connection breaks in the middle of the body."""
    return _ResetMidBody()


class _ShortBody(Action):
    async def send(self, sending: Sending) -> web.StreamResponse:
        body = sending.answer.body
        response = await sending.start(len(body))
        await sending.write(response, body[: len(body) // 2])
        return sending.hang_up(response)


def short_body() -> Action:
    """Half of what Content-Length says, and an orderly end of the connection."""
    return _ShortBody()


class _Stall(Action):
    async def send(self, sending: Sending) -> web.StreamResponse:
        return await never()


def stall() -> Action:
    """Nothing comes until the client or the server gives up."""
    return _Stall()


@dataclass(frozen=True)
class _SlowBody(Action):
    bytes_a_second: float

    async def send(self, sending: Sending) -> web.StreamResponse:
        body = sending.answer.body
        response = await sending.start(len(body))
        size = max(1, int(self.bytes_a_second / _SLICES_A_SECOND))
        for start in range(0, len(body), size):
            await sending.write(response, body[start : start + size])
            await asyncio.sleep(size / self.bytes_a_second)
        return response


def slow_body(bytes_a_second: float) -> Action:
    """The body as it travels, compressed or not, at so many bytes a second."""
    return _SlowBody(bytes_a_second)


class _EndlessBody(Action):
    async def send(self, sending: Sending) -> web.StreamResponse:
        packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
        response = await sending.start(None, Content_Encoding="gzip")
        piece = packer.compress(b'{"features":[],"rows":[')
        while True:
            await sending.write(response, piece + packer.flush(zlib.Z_SYNC_FLUSH))
            piece = packer.compress(b" " * 1_000_000)
            # A write to a client that reads at once does not wait; others want their turn.
            await asyncio.sleep(0)


def endless_body() -> Action:
    """JSON in gzip that inflates a thousandfold and never ends."""
    return _EndlessBody()


@dataclass(frozen=True)
class _Together(Action):
    actions: tuple[Action, ...]

    def applies(self, call: Call) -> bool:
        return all(action.applies(call) for action in self.actions)

    async def before(self) -> None:
        for action in self.actions:
            await action.before()

    def instead(self, call: Call) -> Answer | None:
        return next((found for action in self.actions if (found := action.instead(call))), None)

    def asked(self, call: Call) -> Call:
        for action in self.actions:
            call = action.asked(call)
        return call

    def page(self, page: Page) -> Page:
        for action in self.actions:
            page = action.page(page)
        return page

    def total(self, total: int) -> int:
        for action in self.actions:
            total = action.total(total)
        return total

    def partial(self, partial: bool) -> bool:
        return any(action.partial(partial) for action in self.actions)

    def answer(self, answer: Answer) -> Answer:
        for action in self.actions:
            answer = action.answer(answer)
        return answer

    async def send(self, sending: Sending) -> web.StreamResponse:
        """The last action that sends in its own way decides."""
        own = [action for action in self.actions if type(action).send is not Action.send]
        return await (own[-1] if own else NOTHING).send(sending)


def together(*actions: Action) -> Action:
    """Several faults in one answer, in this order."""
    return _Together(actions)


def _columns(page: Page, change: Callable[[Any], Any]) -> Page:
    return Page(change(page.features), [(index, change(row)) for index, row in page.rows])


def _shuffled(rows: Iterable[tuple[int, Row]]) -> list[tuple[int, Row]]:
    found = list(rows)
    shuffled = random.Random(0).sample(found, len(found))
    return shuffled if shuffled != found else found[::-1]
