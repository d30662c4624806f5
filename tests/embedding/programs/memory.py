"""The peak memory of a sync, or of an iteration over every row. Arguments: sync store source | iterate store."""

import sys

from lmsys_store import Store
from tests.embedding.resources import peak_memory, report

with Store(sys.argv[2]) as store:
    if sys.argv[1] == "sync":
        rows = store.sync(sys.argv[3]).rows_added
    else:
        rows = sum(1 for _ in store.select())
report(rows=rows, megabytes=peak_memory())
