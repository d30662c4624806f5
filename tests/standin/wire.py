"""How an answer travels: whole, and the base of every fault, which may change each step from the question to the last byte."""

import asyncio
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NoReturn

from aiohttp import web

from tests.standin.answers import Answer
from tests.standin.features import Features
from tests.standin.parameters import Call
from tests.standin.rows import Row

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass
class Seen:
    """A request that arrived. ``status`` and ``ended`` are None while it is under way; ``status`` stays so without an answer."""

    endpoint: str
    params: Mapping[str, str]
    started: float
    authorization: str | None
    cookies: Mapping[str, str]
    accept_encoding: str | None
    status: int | None = None
    ended: float | None = None
    bytes_sent: int = 0


@dataclass(frozen=True)
class Page:
    """The rows of one answer, each with its index, before they are JSON."""

    features: Features
    rows: list[tuple[int, Row]] = field(default_factory=list)


@dataclass
class Sending:
    """An answer on its way to the client that asked."""

    request: web.Request
    answer: Answer
    seen: Seen

    async def whole(self) -> web.StreamResponse:
        """The answer as it is."""
        response = web.Response(status=self.answer.status, body=self.answer.body, headers=dict(self.answer.headers))
        self.seen.status = self.answer.status
        await response.prepare(self.request)
        await response.write_eof()
        if self.request.method != "HEAD":
            self.seen.bytes_sent = len(self.answer.body)
        return response

    async def start(self, content_length: int | None, **headers: str) -> web.StreamResponse:
        """The headers; the body is the caller's. Without a length it goes in chunks."""
        answer = self.answer.with_headers(**headers)
        response = web.StreamResponse(status=answer.status, headers=dict(answer.headers))
        response.content_length = content_length
        self.seen.status = answer.status
        await response.prepare(self.request)
        return response

    async def write(self, response: web.StreamResponse, piece: bytes) -> None:
        """More of the body."""
        await response.write(piece)
        self.seen.bytes_sent += len(piece)

    def reset(self) -> web.StreamResponse:
        """Break the connection: what lies in buffers is lost, and the client is told."""
        transport = self.request.transport
        if transport is not None:
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            transport.abort()
        return web.Response()

    def hang_up(self, response: web.StreamResponse) -> web.StreamResponse:
        """End the connection after what was written, promised or not."""
        response.force_close()
        if self.request.transport is not None:
            self.request.transport.close()
        return response


class Action:
    """One fault. Each method is a step of an answer, in this order; as they stand here they change nothing."""

    def applies(self, call: Call) -> bool:
        """Whether the fault has anything to say of this request; if not, its rule is not used up."""
        return True

    async def before(self) -> None:
        """Wait."""

    def instead(self, call: Call) -> Answer | None:
        """An answer in place of the true one."""
        return None

    def asked(self, call: Call) -> Call:
        """What to answer, where that is not what was asked."""
        return call

    def page(self, page: Page) -> Page:
        """The page to send."""
        return page

    def total(self, total: int) -> int:
        """How many rows to announce."""
        return total

    def partial(self, partial: bool) -> bool:
        """Whether to call the data partial."""
        return partial

    def answer(self, answer: Answer) -> Answer:
        """The answer to send, not compressed yet."""
        return answer

    async def send(self, sending: Sending) -> web.StreamResponse:
        """Send it."""
        return await sending.whole()


async def never() -> NoReturn:
    """Wait until cancelled."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError


def with_body(answer: Answer, body: bytes) -> Answer:
    """The same answer around another body."""
    return replace(answer, body=body)
