"""A real headless browser, driven by its own protocol: what a page looks like, how wide it is, what it complains of.

Tests that need one skip where none is installed; ``make test-report`` installs Debian's.
"""

import asyncio
import base64
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-port=0",
)  # fmt: skip


@dataclass
class Seen:
    """A page as the browser shows it at one width."""

    width: int
    scroll_width: int
    overflowing: list[str]
    """What reaches beyond the right edge outside a part that scrolls by itself."""
    marks: int
    """Marks of charts that have a size."""
    picture: bytes
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


_OVERFLOWING = """[...document.querySelectorAll('body *')].filter(e => !e.closest('.wide') &&
  e.getBoundingClientRect().right > document.documentElement.clientWidth + 1 && e.getBoundingClientRect().width > 0
  ).map(e => e.outerHTML.slice(0, 120))"""
_MARKS = """[...document.querySelectorAll('svg .mark, svg .interval')].filter(e => {
  const box = e.getBoundingClientRect(); return box.width + box.height > 0 }).length"""


async def look(page: Path, width: int, *, dark: bool = False) -> Seen:
    """Open a file and look at it."""
    async with _browser() as (session, address), session.ws_connect(address, max_msg_size=0) as socket:
        tab = _Tab(socket)
        for domain in ("Page", "Runtime", "Log", "Network"):
            await tab.call(f"{domain}.enable")
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await tab.call("Emulation.setEmulatedMedia", features=[scheme])
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        await tab.call("Emulation.setDeviceMetricsOverride", **size)
        await tab.call("Page.navigate", url=page.as_uri())
        await tab.until("Page.loadEventFired")
        picture = (await tab.call("Page.captureScreenshot", captureBeyondViewport=True))["data"]
        seen = Seen(
            width, await tab.value("document.documentElement.scrollWidth"), await tab.value(_OVERFLOWING),
            await tab.value(_MARKS), base64.b64decode(picture),
        )  # fmt: skip
        seen.messages, seen.requests = tab.messages, tab.requests
        return seen


class _Tab:
    def __init__(self, socket: "aiohttp.ClientWebSocketResponse") -> None:
        self._socket, self._number = socket, 0
        self._events: list[str] = []
        self.messages: list[str] = []
        self.requests: list[str] = []

    async def call(self, method: str, **parameters: object) -> dict[str, Any]:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        while (answer := await self._next()).get("id") != self._number:
            pass
        assert "error" not in answer, answer
        found: dict[str, Any] = answer["result"]
        return found

    async def until(self, event: str) -> None:
        while event not in self._events:
            await self._next()

    async def value(self, expression: str) -> Any:
        found = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"]["value"]

    async def _next(self) -> dict[str, Any]:
        message: dict[str, Any] = await self._socket.receive_json(timeout=30)
        method = message.get("method", "")
        self._events.append(method)
        if method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
            self.messages.append(json.dumps(message["params"])[:400])
        if method == "Network.requestWillBeSent":
            self.requests.append(message["params"]["request"]["url"])
        return message


@asynccontextmanager
async def _browser() -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    """A browser with a profile of its own, and the address of its one tab."""
    assert PROGRAM is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            PROGRAM, *_FLAGS, f"--user-data-dir={profile}", "about:blank",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            port = await asyncio.wait_for(_port(process), 40)
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                    tabs = [tab for tab in await answer.json(content_type=None) if tab["type"] == "page"]
                yield session, tabs[0]["webSocketDebuggerUrl"]
        finally:
            process.terminate()
            await process.wait()


async def _port(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    async for line in process.stderr:
        if b"DevTools listening on" in line:
            return line.decode().split("/devtools")[0].rsplit(":", 1)[1]
    raise AssertionError("the browser ended before it listened")
