"""What a program of these tests says of itself: one line of JSON, and the threads, descriptors and memory it holds.

Imports nothing of ours, so that a program's memory is the package's and not the tests'.
"""

import json
import os
import resource
import sqlite3
import sys
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

_SETTLE_SECONDS = 5.0
_PAUSE_SECONDS = 0.01


def report(**facts: object) -> None:
    """Say the facts as one JSON line on stdout; the test asserts them."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


@dataclass(frozen=True)
class Held:
    """The threads and file descriptors of this process."""

    threads: tuple[str, ...]
    files: tuple[str, ...]

    @classmethod
    def now(cls) -> "Held":
        """What is held at this moment."""
        return cls(tuple(sorted(thread.name for thread in threading.enumerate())), tuple(sorted(_targets())))

    def excess(self) -> list[str]:
        """What is held beyond this, once ending threads have had a moment to end."""
        pause, until = threading.Event(), time.monotonic() + _SETTLE_SECONDS
        while (more := self._more()) and time.monotonic() < until:
            pause.wait(_PAUSE_SECONDS)
        return more

    def _more(self) -> list[str]:
        now = Held.now()
        names = [name for name in now.threads if now.threads.count(name) > self.threads.count(name)]
        return names + [name for name in now.files if now.files.count(name) > self.files.count(name)]


def _targets() -> list[str]:
    """What each descriptor of this process points to; sockets and pipes by kind, as their numbers change."""
    targets = []
    for name in os.listdir("/proc/self/fd"):
        try:
            targets.append(os.readlink(f"/proc/self/fd/{name}").split(":[")[0])
        except FileNotFoundError:
            continue  # the descriptor that listed the folder
    return targets


def descriptors_of(path: Path) -> int:
    """How many descriptors are open on a file: one for each SQLite connection."""
    return sum(target == str(path) for target in _targets())


def write_lock_is_free(path: Path) -> bool:
    """Whether another connection gets SQLite's write lock at once."""
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        connection.execute("ROLLBACK")
        return True


def checkpoint_is_busy(path: Path) -> bool:
    """Whether some reader or writer keeps the write-ahead log from being folded into the file."""
    with closing(sqlite3.connect(path, timeout=0)) as connection:
        busy: int = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        return busy != 0


def peak_memory() -> float:
    """The most memory this process ever held, in MB."""
    status = Path("/proc/self/status")
    if status.exists():
        # ru_maxrss of a process begins with its parent's peak, which would hide everything below that.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
