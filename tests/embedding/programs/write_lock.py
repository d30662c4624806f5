"""Whether a fresh process gets SQLite's write lock at once. Argument: a store."""

import sys
from pathlib import Path

from tests.embedding.resources import report, write_lock_is_free

report(free=write_lock_is_free(Path(sys.argv[1])))
