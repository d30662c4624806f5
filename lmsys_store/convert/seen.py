"""Which keys came before, for any number of them in constant memory: a scratch database that SQLite keeps in memory while it
is small and on disk (unnamed, gone when closed) once it is not."""

import sqlite3
import weakref
from typing import Final

_SCRATCH: Final = """
PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-4096;
CREATE TABLE seen (key INTEGER PRIMARY KEY);
"""


class Seen:
    """A set of 64-bit numbers that only grows.

    >>> seen = Seen()
    >>> seen.is_new(7), seen.is_new(-7), seen.is_new(7)
    (True, True, False)
    """

    def __init__(self) -> None:
        # One pass may be begun in one thread and gone on with in another, never in two at once.
        self._scratch = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._scratch.executescript(_SCRATCH)
        self._scratch.execute("BEGIN")
        weakref.finalize(self, self._scratch.close)

    def is_new(self, key: int) -> bool:
        """Whether the key comes for the first time."""
        return self._scratch.execute("INSERT OR IGNORE INTO seen VALUES (?)", (key,)).rowcount == 1
