"""Goes on with iterations that other processes broke off: reads a list of them as JSON, prints the row indexes of each."""

import asyncio
import json
import sys
from typing import Any

from lmsys_store import AsyncStore, Query, Settings


async def resumed(settings: dict[str, Any], store: str, token: str, query: dict[str, Any], limit: int | None) -> Any:
    async with AsyncStore(store, settings=Settings(**settings)) as opened:
        results = opened.select(Query.from_json(query), resume=token, fallback="remote")
        results = results if limit is None else results.limit(limit)
        rows = [chat.row_index async for chat in results]
        return {"rows": rows, "complete": results.complete, "notes": results.notes}


async def main() -> None:
    asked = json.load(sys.stdin)
    sys.stdout.write(json.dumps([await resumed(asked["settings"], **one) for one in asked["iterations"]]))


asyncio.run(main())
