"""Hosts on local sockets: the life cycle that every server here has, a host that only records, and a thread to serve from."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, Self, TypeVar

from aiohttp import web
from anyio.from_thread import start_blocking_portal
from multidict import CIMultiDictProxy

ADDRESS = "127.0.0.1"
_GRACE_SECONDS = 0.1
"""How long a request under way may go on when its host closes."""

Server = TypeVar("Server", bound=AbstractAsyncContextManager[Any])


class Host:
    """One aiohttp app behind one handler. A client that goes away, or the closing of the host, cancels its request."""

    def __init__(self, handler: Callable[[web.Request], Awaitable[web.StreamResponse]], port: int = 0) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        self._runner = web.AppRunner(
            app, handler_cancellation=True, shutdown_timeout=_GRACE_SECONDS, access_log=None, max_line_size=1 << 16
        )
        self._wanted_port = port
        self.url = ""

    async def start(self) -> None:
        """Listen; ``url`` says where."""
        await self._runner.setup()
        await web.TCPSite(self._runner, ADDRESS, self._wanted_port).start()
        self.url = f"http://{ADDRESS}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Drop every connection, stalled ones too."""
        await self._runner.cleanup()


class OtherHost:
    """A host nobody should send a token to: it keeps the headers of every request in ``log`` and answers ``{}``."""

    def __init__(self) -> None:
        self.log: list[CIMultiDictProxy[str]] = []
        self._host = Host(self._answer)

    @property
    def url(self) -> str:
        return self._host.url

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.log.append(request.headers)
        return web.json_response({})

    async def __aenter__(self) -> Self:
        await self._host.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._host.stop()


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Run a server in a thread and an event loop of its own, for callers that block or are other processes."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(server):
        yield server
