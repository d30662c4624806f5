"""Store called without await inside a running event loop, as a notebook does. Arguments: store, source."""

import asyncio
import sys

from lmsys_store import Store
from tests.embedding.resources import Held, report


async def main() -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    before = Held.now()
    with Store(sys.argv[1]) as store:
        synced = store.sync(sys.argv[2], limit=2000)
        seen = [chat.row_index for chat in store.select()]
        await asyncio.sleep(0)  # the program's own loop goes on between two cells
        one = store.get(1999)
        counted = store.select(language="English").count()
        english = sum(1 for _ in store.select(language="en"))
    excess = before.excess()
    ticking.cancel()
    report(
        added=synced.rows_added,
        seen=seen == list(range(2000)),
        got=one is not None and one.row_index == 1999,
        same=counted == english > 0,
        ticks=ticks,
        excess=excess,
    )


asyncio.run(main())
