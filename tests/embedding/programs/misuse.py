"""An AsyncStore in another loop, and both classes after close.

Arguments: Store, AsyncStore, close or purge; a store, its source."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from lmsys_store import AsyncStore, Store
from tests.embedding.resources import Held, report

what, path, source = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
AsyncUse = Callable[[], Awaitable[object]]


def file_is_there() -> bool:
    return path.exists()


async def name_of(use: AsyncUse) -> str:
    """The name of what a use raises, and whether that took its time."""
    began = time.monotonic()
    try:
        await asyncio.wait_for(use(), 5)
    except Exception as error:
        return type(error).__name__ + (" late" if time.monotonic() - began > 1 else "")
    return "nothing"


def uses_of(store: AsyncStore, half: Any) -> dict[str, AsyncUse]:
    results = store.select()
    return {
        "half-read": lambda: anext(half), "first": results.first, "count": results.count, "get": lambda: store.get(0),
        "facet": lambda: store.facet("model"), "explain": store.explain, "status": store.status,
        "rejects": lambda: anext(store.rejects()), "check": store.check, "sync": lambda: store.sync(source),
        "delete": lambda: store.delete(language="en"),
    }  # fmt: skip


async def names_of(uses: dict[str, AsyncUse]) -> dict[str, str]:
    return {name: await name_of(use) for name, use in uses.items()}


async def in_another_loop(uses: dict[str, AsyncUse]) -> dict[str, str]:
    return await asyncio.to_thread(lambda: asyncio.run(names_of(uses)))


async def half_read(store: AsyncStore) -> Any:
    """An iterator at a page's end: its next row must be fetched."""
    half = aiter(store.select())
    for _ in range(50):
        await anext(half)
    return half


async def awaiting() -> dict[str, object]:
    store = await AsyncStore(path).open()
    await store.sync(source)  # the writer task exists, so that closing it from elsewhere would have something to break
    half = await half_read(store)
    elsewhere = await in_another_loop(uses_of(store, half))
    usable = await store.get(0) is not None
    await store.close()
    await store.close()
    closed = await names_of(uses_of(store, half) | {"purge": store.purge})
    return {"elsewhere": elsewhere, "usable": usable, "closed": closed, "file": file_is_there()}


async def meddling() -> dict[str, object]:
    """Close, or purge, in another loop: the two uses that could end the store under its owner."""
    store = await AsyncStore(path).open()
    await store.sync(source)
    use = {"close": store.close, "purge": store.purge}[what]
    found = await in_another_loop({what: use})
    file, usable = file_is_there(), await name_of(lambda: store.get(0))
    await store.close()
    return {"elsewhere": found, "file": file, "usable": usable}


def blocking() -> dict[str, object]:
    store = Store(path).open()
    half = iter(store.select())
    for _ in range(50):
        next(half)
    store.close()
    store.close()
    results = store.select()
    uses: dict[str, Callable[[], object]] = {
        "half-read": lambda: next(half), "first": results.first, "count": results.count, "get": lambda: store.get(0),
        "facet": lambda: store.facet("model"), "explain": store.explain, "status": store.status,
        "rejects": lambda: next(store.rejects()), "check": store.check, "sync": lambda: store.sync(source),
        "delete": lambda: store.delete(language="en"), "purge": store.purge,
    }  # fmt: skip
    found = {}
    for name, use in uses.items():
        try:
            use()
            found[name] = "nothing"
        except Exception as error:
            found[name] = type(error).__name__
    with Store(path, create=False) as again:
        rows = again.select().count()
    return {"store": found, "rows": rows}


before = Held.now()
if what == "Store":
    found = blocking()
else:
    found = asyncio.run(awaiting() if what == "AsyncStore" else meddling())
report(**found, excess=before.excess())
