"""Two syncs of one store in one process. Arguments: tasks or stores or cancelled-wait, store, source."""

import asyncio
import os
import sys
from pathlib import Path

from lmsys_store import AsyncStore
from lmsys_store.errors import StoreLockedError
from tests.embedding.resources import report

how, path, source = sys.argv[1], Path(sys.argv[2]), sys.argv[3]


async def begun(store: AsyncStore) -> "asyncio.Task[object]":
    """A sync that holds the lock."""
    told = asyncio.Event()
    task = asyncio.create_task(store.sync(source, on_progress=lambda _: told.set()))
    await told.wait()
    return task


async def both(first: AsyncStore, second: AsyncStore) -> dict[str, object]:
    running = await begun(first)
    try:
        await second.sync(source)
        refused = ""
    except StoreLockedError as error:
        refused = str(error)
    beside = not running.done()
    waited = await second.sync(source, wait=20)
    await running
    return {
        "named": f"process {os.getpid()} " in refused, "beside": beside, "complete": waited.complete, "added": waited.rows_added,
    }  # fmt: skip


async def waiting_cancelled(store: AsyncStore) -> dict[str, object]:
    """A wait given up neither goes on in secret nor takes the lock once it is free."""
    running = await begun(store)
    waiting = asyncio.create_task(store.sync(source, wait=60))
    for _ in range(200):
        await asyncio.sleep(0)
    waiting.cancel()
    ended, _ = await asyncio.wait([waiting], timeout=5)
    await running
    again = [(await store.sync(source)).complete for _ in range(20)]
    return {"ended": bool(ended), "complete": all(again)}


async def main() -> dict[str, object]:
    async with AsyncStore(path) as store:
        if how == "tasks":
            return await both(store, store)
        if how == "stores":
            async with AsyncStore(path) as other:
                return await both(store, other)
        return await waiting_cancelled(store)


report(**asyncio.run(main()))
