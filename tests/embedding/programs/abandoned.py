"""200 iterations broken off after one row, kept, then dropped. Arguments: Store or AsyncStore, a store."""

import asyncio
import gc
import sys
from pathlib import Path

from lmsys_store import AsyncStore, Store
from tests.embedding.resources import Held, descriptors_of, report

ITERATORS = 200
kind, path = sys.argv[1], Path(sys.argv[2])


def blocking() -> dict[str, object]:
    with Store(path) as store:
        kept = [iter(store.select()) for _ in range(ITERATORS)]
        rows = [next(rows).row_index for rows in kept]
        facts: dict[str, object] = {"rows": set(rows) == {0}, "connections": descriptors_of(path)}
        kept.clear()
        gc.collect()
        return facts | {"after": descriptors_of(path), "usable": store.select().count()}


async def awaiting() -> dict[str, object]:
    async with AsyncStore(path) as store:
        kept = [aiter(store.select()) for _ in range(ITERATORS)]
        rows = await asyncio.gather(*(anext(rows) for rows in kept))
        found = {chat.row_index for chat in rows}
        facts: dict[str, object] = {"rows": found == {0}, "connections": descriptors_of(path)}
        kept.clear()
        gc.collect()
        return facts | {"after": descriptors_of(path), "usable": await store.select().count()}


before = Held.now()
facts = blocking() if kind == "Store" else asyncio.run(awaiting())
report(**facts, excess=before.excess())
