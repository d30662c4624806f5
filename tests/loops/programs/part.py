"""One part of a loop, then gone without closing anything. Arguments: store, query, [token, [[operation, …], …], rows]."""

import json
import os
import sys

from lmsys_store import Query, Store
from tests.loops.model import Call, operated

path, query = sys.argv[1], Query.from_json(json.loads(sys.argv[2]))
token, operations, wanted = json.loads(sys.argv[3])
calls = tuple(Call(name, tuple(arguments), keywords) for name, arguments, keywords in operations)
results = operated(Store(path).open().select(query, resume=token), calls)
found: list[int] = []
for chat in results:
    found.append(chat.row_index)
    if len(found) == wanted:
        break
sys.stdout.write(json.dumps([found, results.token]))
sys.stdout.flush()
os._exit(0)
