"""Makes the store file that tests keep of the current schema: ``python -m tests.storage.make_kept_store``.

Run it once for every released schema, and never again for that schema: the file stands for what users have on their disks.
"""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from lmsys_store import Store, fields, seeds
from lmsys_store.storage.schema import HEAD

ROWS = 60
DELETED = 7
DATA = Path(__file__).parents[1] / "data"


def make(to: Path) -> Path:
    """A store of the first seeds with one row deleted, as one file without a log beside it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        with Store(path) as store:
            store.sync(seeds, limit=ROWS, index_replies=True)
            store.delete(None, fields.row_index == DELETED, reason="kept as an example")
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        to.write_bytes(path.read_bytes())
    return to


if __name__ == "__main__":
    made = make(DATA / f"store-{HEAD}.db")
    sys.stdout.write(f"{made}: {made.stat().st_size} bytes\n")
