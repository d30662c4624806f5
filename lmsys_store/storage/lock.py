"""The lock a sync holds for its run: `<store>.lock`, never the database file; its holder is written inside."""

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import anyio
from filelock import FileLock, Timeout

from lmsys_store.errors import StoreLockedError, StoreReadOnlyError
from lmsys_store.storage.codec import now

_POLL_SECONDS: Final = 0.05


def lock_path(store: Path) -> Path:
    """Where a store's lock file lies."""
    return Path(f"{store}.lock")


@asynccontextmanager
async def sync_lock(store: Path, wait: float) -> AsyncIterator[None]:
    """Hold the store's sync lock; waits up to ``wait`` seconds for another holder.

    Raises:
        StoreLockedError: another sync holds it, of this process or another.
    """
    path = lock_path(store)
    lock = FileLock(path, mode=0o600, thread_local=False)
    until = anyio.current_time() + wait
    try:
        while not _acquired(lock):
            if anyio.current_time() >= until:
                raise Timeout(str(path))
            await anyio.sleep(
                _POLL_SECONDS
            )  # asked anew, not awaited in a thread: a cancellation ends the waiting at once
    except Timeout:
        raise StoreLockedError(
            f"another sync holds {store}: {_holder(path)}; wait for it, or sync another store"
        ) from None
    except OSError as error:
        raise StoreReadOnlyError(
            f"{path} cannot be written ({error.strerror}); sync a store in a place you can write"
        ) from error
    try:
        with suppress(OSError):
            path.write_text(f"process {os.getpid()} on {socket.gethostname()}, since {now()}\n")
        yield
    finally:
        lock.release()


def _acquired(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True


def _holder(path: Path) -> str:
    try:
        return path.read_text().strip() or "its holder has not written its name yet"
    except OSError:
        return "its holder is unknown"
