"""Eight threads iterate, count and get on one Store at once. Argument: a store of 5,000 rows."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from lmsys_store import Store
from tests.embedding.resources import Held, descriptors_of, report

THREADS = 8
together = Barrier(THREADS)
before = Held.now()


def use(store: Store, number: int) -> tuple[list[int], int, int | None]:
    together.wait(10)
    seen = [chat.row_index for chat in store.select(language="en" if number % 2 else "pt")]
    one = store.get(number * 100)
    return seen, store.select(language="English").count(), one.row_index if one else None


with Store(sys.argv[1]) as store:
    alone = {language: [chat.row_index for chat in store.select(language=language)] for language in ("en", "pt")}
    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(lambda number: use(store, number), range(THREADS)))
    connections = descriptors_of(Path(sys.argv[1]))

report(
    iterated=[seen == alone["en" if number % 2 else "pt"] for number, (seen, _, _) in enumerate(found)],
    counted=[count == len(alone["en"]) for _, count, _ in found],
    got=[row_index for _, _, row_index in found],
    connections=connections,
    excess=before.excess(),
)
