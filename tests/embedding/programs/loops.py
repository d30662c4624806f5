"""asyncio.run fifty times, each with an AsyncStore of its own that reads and writes. Arguments: store, its source."""

import asyncio
import sys

from lmsys_store import AsyncStore
from tests.embedding.resources import Held, report

RUNS = 50


async def visit() -> int:
    async with AsyncStore(sys.argv[1]) as store:
        assert (await store.sync(sys.argv[2])).complete
        return sum([1 async for _ in store.select().limit(60)])


first = asyncio.run(visit())
before = Held.now()
seen = [asyncio.run(visit()) for _ in range(RUNS - 1)]
report(seen=[first, *seen] == [60] * RUNS, excess=before.excess())
