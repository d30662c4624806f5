"""Remove a store for good: every file of it overwritten with zeros, then unlinked."""

import os
from pathlib import Path
from typing import Final

from anyio import to_thread

from lmsys_store.errors import NotAStoreError, StoreError
from lmsys_store.storage.lock import lock_path
from lmsys_store.storage.schema import is_store_file

_CHUNK: Final = bytes(1 << 20)


async def purge_files(store: Path) -> None:
    """Overwrite and remove the database, its log files, its lock and temporary files of its exports.

    Raises:
        NotAStoreError: the file is something else.
        StoreError: a file cannot be overwritten or removed.
    """
    await to_thread.run_sync(_purge, store)


def store_files(store: Path) -> list[Path]:
    """The files a store consists of, the lock last."""
    names = [store, *(Path(f"{store}{suffix}") for suffix in ("-wal", "-shm", "-journal")), lock_path(store)]
    return [path for path in names if path.exists()]


def refuse_other_files(store: Path) -> None:
    """Raise NotAStoreError where the file at the path is not a store: a purge must never destroy anything else."""
    if store.exists() and not (store.is_file() and is_store_file(store)):
        raise NotAStoreError(f"{store} is not an lmsys_store and was left alone; name a store with --store")


def _purge(store: Path) -> None:
    refuse_other_files(store)
    for path in store_files(store):
        try:
            _overwrite(path)
            path.unlink()
        except OSError as error:
            raise StoreError(f"{path} cannot be removed: {error.strerror}; remove it by hand") from error


def _overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        left = file.seek(0, os.SEEK_END)
        file.seek(0)
        while left > 0:
            left -= file.write(_CHUNK[:left])
        file.flush()
        os.fsync(file.fileno())
