"""An iteration stands open after one row while a sync runs. Arguments: Store or AsyncStore, a store of 1,000 rows, its source."""

import asyncio
import sys
from pathlib import Path

from lmsys_store import AsyncStore, Store
from tests.embedding.resources import checkpoint_is_busy, report

kind, path, source = sys.argv[1], Path(sys.argv[2]), sys.argv[3]


def blocking() -> dict[str, object]:
    with Store(path) as store:
        rows = iter(store.select())
        next(rows)
        added = store.sync(source).rows_added
        return {"added": added, "busy": checkpoint_is_busy(path), "rest": [chat.row_index for chat in rows]}


async def awaiting() -> dict[str, object]:
    async with AsyncStore(path) as store:
        rows = aiter(store.select())
        await anext(rows)
        added = (await store.sync(source)).rows_added
        return {"added": added, "busy": checkpoint_is_busy(path), "rest": [chat.row_index async for chat in rows]}


facts = blocking() if kind == "Store" else asyncio.run(awaiting())
report(**facts | {"rest": facts["rest"] == list(range(1, 1000))})
