"""Cancels at random moments and looks at what is left. Arguments: sync or select, store, source, seed, rounds."""

import asyncio
import random
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from lmsys_store import AsyncStore
from tests.embedding.resources import Held, descriptors_of, report, write_lock_is_free

what, path, source, seed, rounds = sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5])
STEPS = 11  # powers of two
CONNECTIONS = 5  # four readers and the writer
random_ = random.Random(seed)


async def cut_short(work: Callable[[], Awaitable[object]]) -> bool:
    """Cancel the work after 0 to 2,000 steps of the loop, most often early; whether it was cancelled indeed."""
    task = asyncio.ensure_future(work())
    for _ in range(int(2 ** random_.uniform(0, STEPS)) - 1):
        await asyncio.sleep(0)
        if task.done():
            break
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return task.cancelled()


async def sync_rounds() -> dict[str, object]:
    cancelled = 0
    problems = []
    for number in range(rounds):
        place = path.with_name(
            f"{path.stem}-{number // 10}.db"
        )  # a new store from time to time, so that rows are missing
        async with AsyncStore(place) as store:
            cancelled += await cut_short(lambda store=store: store.sync(source))  # type: ignore[misc]
            problems += await left_over(store, place, number)
        if not write_lock_is_free(place):
            problems.append(f"round {number}: after closing, the write lock is held")
        if number % 10 == 9:
            problems += await finished(place)
    return {"cancelled": cancelled, "problems": problems}


async def left_over(store: AsyncStore, place: Path, number: int) -> list[str]:
    """What a cancelled sync left: nothing of it may be in the way of the next, which stores a page at most."""
    await store.sync(source, limit=1000)
    problems = []
    if not write_lock_is_free(place):
        problems.append(f"round {number}: the write lock is held")
    if (open_ones := descriptors_of(place)) > CONNECTIONS:
        problems.append(f"round {number}: {open_ones} connections")
    return problems


async def finished(place: Path) -> list[str]:
    async with AsyncStore(place) as store:
        whole = (await store.sync(source)).complete
        return [*(await store.check()).problems, *([] if whole else [f"{place} is not complete"])]


async def select_rounds() -> dict[str, object]:
    cancelled = 0
    problems = []
    async with AsyncStore(path) as store:
        total = await store.select().count()
        for number in range(rounds):
            query = store.select(turns=(1 + number % 3, None), search="python" if number % 2 else "code")

            async def iterate(query: object = query) -> None:
                async for _ in query:  # type: ignore[attr-defined]
                    pass

            cancelled += await cut_short(iterate)
            if await store.select().count() != total or not write_lock_is_free(path):
                problems.append(f"round {number}: not usable")
            if (open_ones := descriptors_of(path)) > CONNECTIONS:
                problems.append(f"round {number}: {open_ones} connections")
    return {"cancelled": cancelled, "problems": problems}


before = Held.now()
found = asyncio.run(sync_rounds() if what == "sync" else select_rounds())
report(**found, excess=before.excess())
