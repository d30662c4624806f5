"""Everything a reader does with a warm store, behind the guard. Argument: the store. Prints what it found as JSON."""

import json
import sys

from tests.chain.programs import guard

guard.install()

from lmsys_store import Query, Store  # noqa: E402

with Store(sys.argv[1]) as store:
    chats = store.select(model="vicuna-13b")
    rows = [chat.row_index for chat in chats]
    searched = store.select(Query().search("how"))
    found = {
        "rows": rows,
        "complete": chats.complete,
        "origins": chats.origins,
        "fallback": chats.selection.fallback,
        "count": store.select().count(),
        "searched": [chat.row_index for chat in searched],
        "facet": dict(store.facet("model")),
        "explained": store.explain(model="gpt-4").complete,
        "status": store.status().complete,
        "got": store.get(7) is not None,
        "aiohttp": "aiohttp" in sys.modules,
    }
sys.stdout.write(json.dumps(found | {"touched": guard.touched}))
