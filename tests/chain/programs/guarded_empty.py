"""An empty store behind the guard, the remote switched off. Arguments: the store, the fallback. Prints what came as JSON."""

import json
import sys
import warnings

from tests.chain.programs import guard

guard.install()

from lmsys_store import MockRowsWarning, Store  # noqa: E402
from lmsys_store.errors import LmsysStoreError  # noqa: E402

found: dict[str, object] = {"error": None}
with warnings.catch_warnings(record=True) as caught, Store(sys.argv[1]) as store:
    warnings.simplefilter("always")
    chats = store.select(fallback=sys.argv[2])  # type: ignore[arg-type]
    try:
        found["rows"] = len(list(chats))
    except LmsysStoreError as error:
        found["error"] = type(error).__name__
    found |= {"origins": chats.origins, "notes": chats.notes, "complete": chats.complete}
found["warned"] = [str(one.message) for one in caught if one.category is MockRowsWarning]
sys.stdout.write(json.dumps(found | {"touched": guard.touched}))
