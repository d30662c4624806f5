"""How the stand-in's own tests ask it: one plain client, an answer as it came."""

import asyncio
import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from tests.standin.server import StandIn

PAGE = {"dataset": "lmsys/lmsys-chat-1m", "config": "default", "split": "train"}
GOOD = {"Authorization": "Bearer hf_good"}


@dataclass(frozen=True)
class Reply:
    """Status, headers and the bytes that travelled."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> bytes:
        return gzip.decompress(self.raw) if self.headers.get("Content-Encoding") == "gzip" else self.raw

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str | None, str]:
        """Status, code and text of an error of the viewer."""
        return self.status, self.headers.get("X-Error-Code"), self.json["error"]

    @property
    def row_indexes(self) -> list[int]:
        return [row["row_idx"] for row in self.json["rows"]]


async def ask_url(url: str, method: str = "GET", **headers: str) -> Reply:
    """One request on a connection of its own; nothing is followed and nothing is inflated."""
    timeout = aiohttp.ClientTimeout(total=5)
    skipped = ("Accept-Encoding", "User-Agent", "Accept")
    async with (
        aiohttp.ClientSession(auto_decompress=False, timeout=timeout, skip_auto_headers=skipped) as session,
        session.request(method, url, headers=headers, allow_redirects=False) as response,
    ):
        return Reply(response.status, response.headers, await response.read())


async def ask(
    server: StandIn, path: str, headers: Mapping[str, str] = GOOD, method: str = "GET", /, **params: str | int
) -> Reply:
    """One request for the data set's one split, with a good token; ``params`` may replace what that takes."""
    query = {name: str(text) for name, text in {**PAGE, **params}.items()}
    url = str(URL(server.url + path).with_query(query))
    return await ask_url(url, method, **headers)


async def until(condition: Callable[[], object]) -> None:
    """Let the others run until it is so, for five seconds at most."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  # the server knows nothing of its tests
            await asyncio.sleep(0)
