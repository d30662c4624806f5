"""An aiohttp server with one AsyncStore in its lifespan answers 200 requests at once while a sync fills the same store.

Arguments: store, source. The store must hold the first 1,000 rows already.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from aiohttp import web

from lmsys_store import AsyncStore
from lmsys_store.errors import StoreError
from tests.embedding.resources import report

STORE = web.AppKey("store", AsyncStore)
REQUESTS = 200
LANGUAGES = ("English", "Portuguese", "Russian", "Chinese", "German")
MODELS = ("vicuna-13b", "koala-13b", "alpaca-13b", "gpt-4")


async def lifespan(app: web.Application) -> AsyncIterator[None]:
    async with AsyncStore(Path(sys.argv[1])) as store:
        app[STORE] = store
        yield


async def answer(request: web.Request) -> web.Response:
    results = request.app[STORE].select(language=request.query["language"], model=request.query["model"]).limit(5)
    return web.json_response([chat.row_index async for chat in results])


async def ask(session: aiohttp.ClientSession, url: str, number: int) -> dict[str, object]:
    asked = {"language": LANGUAGES[number % len(LANGUAGES)], "model": MODELS[number % len(MODELS)]}
    async with session.get(url, params=asked) as response:
        return asked | {"status": response.status, "rows": await response.json()}


async def main() -> None:
    app = web.Application()
    app.cleanup_ctx.append(lifespan)
    app.router.add_get("/chats", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/chats"
    begun = asyncio.Event()
    sync = asyncio.create_task(app[STORE].sync(sys.argv[2], on_progress=lambda _: begun.set()))
    await begun.wait()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        beside = not sync.done()
        answers = await asyncio.gather(*(ask(session, url, number) for number in range(REQUESTS)))
    synced = await sync
    store = app[STORE]
    await runner.cleanup()
    try:
        await store.status()
        closed = False
    except StoreError:
        closed = True
    report(answers=answers, beside=beside, added=synced.rows_added, complete=synced.complete, closed=closed)


asyncio.run(main())
