"""Ends without closing its store. Arguments: how (a function's name), store, source."""

import asyncio
import sys

from lmsys_store import AsyncStore, Store
from tests.embedding.resources import report

how, path, source = sys.argv[1:]
kept: list[object] = []


def opened() -> None:
    kept.append(Store(path).open())


def dropped() -> None:
    Store(path).open().get(0)


def synced() -> None:
    store = Store(path).open()
    assert store.sync(source, limit=1000).complete
    kept.append(store)


def iterating() -> None:
    store = Store(path).open()
    rows = iter(store.select())
    next(rows)
    kept.extend((store, rows))


async def async_opened() -> None:
    kept.append(await AsyncStore(path).open())


async def async_synced() -> None:
    store = await AsyncStore(path).open()
    assert (await store.sync(source, limit=1000)).complete
    kept.append(store)


async def async_iterating() -> None:
    store = await AsyncStore(path).open()
    rows = aiter(store.select())
    await anext(rows)
    kept.extend((store, rows))


async def async_dropped() -> None:
    await (await AsyncStore(path).open()).get(0)


if how.startswith("async_"):
    asyncio.run(
        {"opened": async_opened, "synced": async_synced, "iterating": async_iterating, "dropped": async_dropped}[
            how[6:]
        ]()
    )
else:
    {"opened": opened, "synced": synced, "iterating": iterating, "dropped": dropped}[how]()
report(reached_the_end=True)
