"""Forks with a store open; the child tries everything it should not.

Arguments: Store or AsyncStore, a store of 9,000 rows, its source."""

import asyncio
import json
import os
import signal
import sys
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from lmsys_store import AsyncStore, Store
from tests.embedding.resources import report

# Python 3.12 warns of any fork beside threads; that it is a bad idea is what this program is about.
warnings.filterwarnings("ignore", message=".*multi-threaded.*fork", category=DeprecationWarning)
kind, path, source = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
CHILD_SECONDS = 15


def name_of(use: Callable[[], object]) -> str:
    """The name of what a use raises, and whether that took its time."""
    began = time.monotonic()
    try:
        use()
    except BaseException as error:
        return type(error).__name__ + (" late" if time.monotonic() - began > 1 else "")
    return "nothing"


def in_child(work: Callable[[], Mapping[str, object]]) -> dict[str, Any]:
    """What a forked child finds; it is killed by an alarm if it hangs."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(CHILD_SECONDS)
        try:
            found = dict(work())
        except BaseException as error:
            found = {"error": repr(error)}
        os.write(writing, json.dumps(found).encode())
        os._exit(0)
    os.close(writing)
    return answer_of(child, reading)


def answer_of(child: int, reading: int) -> dict[str, Any]:
    with os.fdopen(reading, "rb") as file:
        answer = file.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    found: dict[str, Any] = json.loads(answer) if answer else {"error": f"the child ended with {status}"}
    return found


def anew(token: str | None) -> dict[str, object]:
    """A child opens the store itself and resumes by token, reads and writes."""
    with Store(path) as store:
        rest = [chat.row_index for chat in store.select(resume=token)]
        return {"rest": rest == list(range(60, 9000)), "complete": store.sync(source).complete}


def blocking() -> dict[str, object]:
    with Store(path) as store:
        results = store.select()
        in_page, at_page_end = iter(results), iter(store.select())
        for _ in range(60):
            next(in_page)
        for _ in range(50):
            next(at_page_end)
        uses: dict[str, Callable[[], object]] = {
            "half-read": lambda: next(in_page), "at a page's end": lambda: next(at_page_end),
            "new iteration": lambda: next(iter(results)), "pages": lambda: next(results.pages()), "first": results.first,
            "count": results.count, "get": lambda: store.get(0), "facet": lambda: store.facet("model"),
            "explain": store.explain, "status": store.status, "rejects": lambda: next(store.rejects()), "check": store.check,
            "sync": lambda: store.sync(source), "delete": lambda: store.delete(language="en"), "purge": store.purge,
        }  # fmt: skip
        token = results.token
        found = in_child(lambda: {name: name_of(use) for name, use in uses.items()} | {"close": name_of(store.close)})
        if not path.exists():
            return {"uses": found, "file": False}
        opened = in_child(lambda: anew(token))
        rest = [chat.row_index for chat in in_page] == list(range(60, 9000))
        return {"uses": found, "anew": opened, "file": True, "parent": rest and store.sync(source).complete}


def uses_of(store: AsyncStore, half: AsyncIterator[Any], results: Any) -> dict[str, Callable[[], Awaitable[object]]]:
    return {
        "half-read": half.__anext__, "new iteration": lambda: anext(aiter(results)), "pages": lambda: anext(results.pages()),
        "first": results.first, "count": results.count, "get": lambda: store.get(0), "facet": lambda: store.facet("model"),
        "explain": store.explain, "status": store.status, "rejects": lambda: anext(store.rejects()), "check": store.check,
        "sync": lambda: store.sync(source), "delete": lambda: store.delete(language="en"), "purge": store.purge,
    }  # fmt: skip


def driven(use: Callable[[], Awaitable[object]]) -> object:
    """Run a coroutine in a new loop of the child: the forked one is not running there."""

    async def run() -> object:
        return await use()

    return asyncio.run(run())


async def going_on(uses: dict[str, Callable[[], Awaitable[object]]]) -> dict[str, Any]:
    """What a child finds that simply goes on in the forked coroutine."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(CHILD_SECONDS)
        found = {}
        for name, use in uses.items():
            try:
                await use()
                found[name] = "nothing"
            except BaseException as error:
                found[name] = type(error).__name__
        os.write(writing, json.dumps(found).encode())
        os._exit(0)
    os.close(writing)
    return answer_of(child, reading)


async def awaiting() -> dict[str, object]:
    async with AsyncStore(path) as store:
        results = store.select()
        half: Any = aiter(results)
        for _ in range(60):
            await anext(half)
        uses = uses_of(store, half, results)
        token = results.token
        on = await going_on({name: use for name, use in uses.items() if name != "purge"})
        found = in_child(lambda: {name: name_of(lambda use=use: driven(use)) for name, use in uses.items()})  # type: ignore[misc]
        if not os.path.exists(path):  # noqa: ASYNC240  # nothing else runs in this loop
            return {"uses": found, "going on": on, "file": False}
        opened = in_child(lambda: anew(token))
        rest = [chat.row_index async for chat in half] == list(range(60, 9000))
        whole = (await store.sync(source)).complete
        return {"uses": found, "going on": on, "anew": opened, "file": True, "parent": rest and whole}


report(**(blocking() if kind == "Store" else asyncio.run(awaiting())))
