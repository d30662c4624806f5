"""Goes on with iterations that another process broke off. Arguments: store, query, [[token, [[operation, …], …]], …]."""

import json
import sys

from lmsys_store import Query, Store
from tests.loops.model import Call, operated

path, query, asked = sys.argv[1], Query.from_json(json.loads(sys.argv[2])), json.loads(sys.argv[3])
with Store(path) as store:
    found = []
    for token, operations in asked:
        calls = tuple(Call(name, tuple(arguments), keywords) for name, arguments, keywords in operations)
        found.append([chat.row_index for chat in operated(store.select(query, resume=token), calls)])
sys.stdout.write(json.dumps(found))
