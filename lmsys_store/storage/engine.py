"""One store file opened: read-only pooled connections, one writer thread with the only write connection, SQLite's errors in ours.

The only module that touches the driver. Operations are plain functions of a Connection; readers run them over aiosqlite, the
writer in its thread. Two rules keep it sound: a statement is never cancelled half way (a cancelled caller leaves it to finish; a
cancelled SELECT can leave a zombie connection that holds its lock), and only the writer writes, in BEGIN IMMEDIATE transactions.
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, NullPool

from lmsys_store.errors import (
    ForkedStoreError,
    NotAStoreError,
    SchemaOutdatedError,
    StoreBusyError,
    StoreClosedError,
    StoreCorruptError,
    StoreError,
    StoreFullError,
    StoreNotFoundError,
    StoreReadOnlyError,
    WrongLoopError,
)
from lmsys_store.storage import schema

T = TypeVar("T")

READERS: Final = 4
BUSY_SECONDS: Final = 10.0
_READ_CACHE_KIB: Final = 1024
"""Upper pages of the trees, no more: a page read in chance order is not asked for again, and new memory costs more than it saves
(100,000 rows shuffled: 1.40 s of CPU against 1.53 with 8 MiB; filters the same)."""
_WRITE_CACHE_KIB: Final = 16 * 1024


class _Process:
    """Counts the forks behind this process: a comparison a row is cheaper than asking the system for the process id."""

    forks = 0


def _after_fork() -> None:
    _Process.forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class Database:
    """An open store file. Owned by one event loop; open() before use, close() after."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: list[str] = []
        self._readers: AsyncEngine | None = None
        self._writer: _WriterThread | None = None
        self._writable = True
        self._loop: asyncio.AbstractEventLoop | None = None
        self._forks = _Process.forks

    async def open(self, *, create: bool) -> None:
        """Open the file, creating or upgrading it as needed.

        Raises:
            StoreNotFoundError: there is none and ``create`` is False.
            NotAStoreError, SchemaTooNewError, SchemaOutdatedError, StoreReadOnlyError: as their names say.
        """
        self._loop, self._forks = asyncio.get_running_loop(), _Process.forks
        try:
            if not self.path.exists():
                if not create:
                    raise StoreNotFoundError(f"there is no store at {self.path}; fill one with: lmsys-store sync PATH")
                _create_private(self.path)
            elif self.path.is_dir():
                raise NotAStoreError(
                    f"{self.path} is a directory; a store is one file, such as {self.path / 'lmsys.db'}"
                )
            elif not os.access(self.path, os.R_OK):
                raise StoreReadOnlyError(f"{self.path} cannot be read by this user; check its owner and mode")
            with _placed(self.path):
                await self._open_engines()
        except PermissionError as error:
            await self.close()
            raise StoreReadOnlyError(
                f"{self.path} cannot be reached by this user; name another path with --store"
            ) from error
        except BaseException:
            await self.close()
            raise

    async def _open_engines(self) -> None:
        self._writable = os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK)
        self._readers = self._reader_engine()
        if self._writable and self.path.stat().st_size == 0:
            await self.write(self._upgrade)
            return
        revision = await self.read(lambda connection: schema.revision_of(connection, self.path))
        if revision == schema.HEAD:
            return
        if not self._writable:
            raise SchemaOutdatedError(
                f"{self.path} has schema {revision} and must be upgraded to {schema.HEAD}, but cannot be written here; "
                "copy it to a place you can write"
            )
        await self.write(self._upgrade)

    def _upgrade(self, connection: Connection) -> None:
        schema.upgrade(connection, self.path)

    def _reader_engine(self) -> AsyncEngine:
        query = {"mode": "ro", "uri": "true"}
        wal = Path(f"{self.path}-wal")
        if not self._writable and not (wal.exists() and wal.stat().st_size):
            query["immutable"] = "1"
            self.notes.append(
                f"{self.path} cannot be written: opened as an immutable file; a change by others is not seen"
            )
        engine = create_async_engine(
            URL.create("sqlite+aiosqlite", database=f"file:{quote(str(self.path))}", query=query),
            poolclass=AsyncAdaptedQueuePool,
            pool_size=READERS,
            max_overflow=0,
            pool_timeout=3600,
            pool_reset_on_return=None,  # a read-only connection in autocommit has nothing to roll back
            connect_args={"timeout": BUSY_SECONDS, "isolation_level": None},
        )

        @event.listens_for(engine.sync_engine, "connect")
        def _prepare(connection: Any, _record: object) -> None:
            _pragma(connection, f"cache_size = -{_READ_CACHE_KIB}")

        return engine

    def refuse_after_fork(self) -> None:
        """Raise ForkedStoreError in a forked child: SQLite forbids carrying a connection across."""
        if self._forks != _Process.forks:
            raise ForkedStoreError(
                "this store was opened before a fork; in the child open it anew, and resume loops by token"
            )

    def usable(self) -> AsyncEngine:
        """The reading engine, once it is sure that it may be used here: SQLAlchemy would hang in another loop.

        Raises:
            ForkedStoreError, StoreClosedError, WrongLoopError: it may not.
        """
        self.refuse_after_fork()
        if self._readers is None:
            raise StoreClosedError(f"the store {self.path} is not open; use it inside 'with', or call open() first")
        if asyncio.get_running_loop() is not self._loop:
            raise WrongLoopError(
                "this AsyncStore was opened by another event loop; open one in this loop (it is cheap), or use Store, which "
                "any thread and loop may share"
            )
        return self._readers

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        readers = self.usable()
        with _placed(self.path):
            async with readers.connect() as connection:
                yield connection

    async def read(self, operation: Callable[[Connection], T]) -> T:
        """Run a short read to its end, also when the caller is cancelled meanwhile."""

        async def run() -> T:
            async with self._reading() as connection:
                return await connection.run_sync(operation)

        return await _to_the_end(run())

    async def fetch(self, *statements: tuple[str, Mapping[str, Any]]) -> list[Sequence[Sequence[Any]]]:
        """The rows of each statement as the driver gives them: one trip a statement, and half the cost a row of ``read``."""

        async def run() -> list[Sequence[Sequence[Any]]]:
            async with self._reading() as connection:
                driver = (await connection.get_raw_connection()).driver_connection
                assert driver is not None
                return [await driver.execute_fetchall(sql, parameters) for sql, parameters in statements]

        return await _to_the_end(run())

    async def write(self, operation: Callable[[Connection], T], *, busy_seconds: float = BUSY_SECONDS) -> T:
        """Run an operation in a write transaction of its own, in the writer's thread.

        Operations run one after the other, in the order they came. A cancelled caller does not stop its operation.

        Raises:
            StoreBusyError: another process writes, and went on writing for ``busy_seconds``.
        """
        return await self._in_writer(lambda writer: writer.transact(operation, busy_seconds))

    async def maintain(self, *statements: str) -> None:
        """Run statements that cannot be inside a transaction (checkpoint, optimize)."""
        await self._in_writer(lambda writer: writer.run(statements))

    async def _in_writer(self, work: "Callable[[_WriterThread], T]") -> T:
        self.usable()
        if not self._writable:
            raise StoreReadOnlyError(f"{self.path} cannot be written; copy the store to a place you can write")
        if self._writer is None:
            self._writer = _WriterThread(self.path)
        writer = self._writer
        with _placed(self.path):
            return await _to_the_end(asyncio.wrap_future(writer.thread.submit(work, writer)))

    async def close(self) -> None:
        """Finish what the writer has begun and close all connections; calling it again does nothing."""
        if self._forks != _Process.forks:
            return  # in a forked child these connections are the parent's
        if self._loop is not None and self._loop.is_closed():
            self._readers = None  # its loop left first: nothing is left to await
        if self._readers is not None:
            self.usable()
        readers, self._readers = self._readers, None
        writer, self._writer = self._writer, None
        if writer is not None:
            await _to_the_end(asyncio.wrap_future(writer.thread.submit(writer.close)))
            writer.thread.shutdown()
        if readers is not None:
            await _to_the_end(readers.dispose())


class _WriterThread:
    """The one write connection, in a thread of its own: a page's statements are one trip there, not one each.

    Over aiosqlite every statement is three or four hops between loop and driver, and beside a busy thread each hop waits 5 ms for
    the interpreter's lock (measured: 0.33 of the bare read's speed, against 0.38 in one trip).
    """

    def __init__(self, path: Path) -> None:
        self.thread = ThreadPoolExecutor(1, thread_name_prefix=f"writer of {path}")
        self._engine = _writer_engine(path)
        self._connection: Connection | None = None
        self._busy_seconds = BUSY_SECONDS

    @property
    def connection(self) -> Connection:
        """The connection, opened when it is first needed; like all below, called in the thread only."""
        self._connection = self._connection or self._engine.connect()
        return self._connection

    def transact(self, operation: Callable[[Connection], T], busy_seconds: float) -> T:
        """Run an operation in a transaction, for which another writer is waited so long."""
        connection = self.connection
        if busy_seconds != self._busy_seconds:
            self.run([f"PRAGMA busy_timeout = {round(1000 * busy_seconds)}"])
            self._busy_seconds = busy_seconds
        with connection.begin():
            return operation(connection)

    def run(self, statements: Sequence[str]) -> None:
        """Run statements outside any transaction."""
        driver = self.connection.connection.driver_connection
        assert driver is not None
        for statement in statements:
            driver.execute(statement).fetchall()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()


def _writer_engine(path: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite+pysqlite", database=str(path)),
        poolclass=NullPool,
        connect_args={"timeout": BUSY_SECONDS, "isolation_level": None, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        _pragma(connection, f"page_size = {schema.PAGE_SIZE}")  # before the first table, and it can never change
        _pragma(connection, "journal_mode = WAL")  # readers go on while a sync writes
        _pragma(connection, "synchronous = NORMAL")  # a power cut may lose the last pages, never consistency
        _pragma(connection, f"cache_size = -{_WRITE_CACHE_KIB}")
        _pragma(connection, f"journal_size_limit = {64 << 20}")
        _pragma(connection, "temp_store = MEMORY")  # no texts in temporary files
        # A page that is split or emptied keeps no copy of what stood in it, which costs nothing; deletion turns it ON, for freed
        # pages too: on at all times that triples the cost of storing texts.
        _pragma(connection, "secure_delete = FAST")
        _pragma(connection, "wal_autocheckpoint = 2000")  # 32 MB: pages of the indexes are rewritten less often

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


async def _to_the_end(work: Coroutine[Any, Any, T] | asyncio.Future[T]) -> T:
    """Await work that must not be cancelled half way; a cancellation is delivered when it is done."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        with suppress(Exception):
            while not task.done():
                with suppress(asyncio.CancelledError):  # a cancelled anyio scope cancels again and again
                    await asyncio.wait([task])
        raise


def _create_private(path: Path) -> None:
    """Create the file readable by its owner alone, before SQLite sees it; so too the directory, if it is not there."""
    try:
        if not path.parent.exists():
            path.parent.mkdir(mode=0o700, parents=True)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        pass  # another process was faster: it is the same store
    except PermissionError as error:
        raise StoreReadOnlyError(
            f"no store can be created at {path}; name a place you can write with --store"
        ) from error
    except OSError as error:
        raise StoreError(
            f"no store can be created at {path}: {error.strerror}; name another place with --store"
        ) from error


def _pragma(connection: Any, pragma: str) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


@contextmanager
def _placed(path: Path) -> Any:
    """Translate the driver's errors; every message names the store and ends with what to do."""
    try:
        yield
    except DBAPIError as error:
        raise _translated(error.orig, path) from error
    except sqlite3.Error as error:
        raise _translated(error, path) from error


def _translated(error: BaseException | None, path: Path) -> StoreError:
    code = getattr(error, "sqlite_errorcode", None)
    match None if code is None else code & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreBusyError(f"{path} stayed locked by another writer for too long; try again when it is done")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return StoreReadOnlyError(
                f"{path} cannot be opened as it must be ({error}); make its folder writable, or copy the file together "
                "with its -wal file to a folder you can write"
            )
        case sqlite3.SQLITE_FULL:
            return StoreFullError(
                f"no space left for {path}; what was committed is kept: free space, then run the same again"
            )
        case sqlite3.SQLITE_NOTADB:
            return NotAStoreError(f"{path} is not an lmsys_store; name another path with --store")
        case sqlite3.SQLITE_CORRUPT:
            return StoreCorruptError(f"{path} is damaged ({error}); remove it with lmsys-store purge, then sync again")
    return StoreError(f"SQLite failed on {path}: {error}; run lmsys-store check")
