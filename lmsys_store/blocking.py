"""Store: AsyncStore's names without await, for plain programs, any thread, and beside a running event loop (notebooks).

It owns an event loop in a daemon thread and hops there once a call, or once a page of rows, never once a row; rows are
decoded in the calling thread.
"""

import atexit
import os
import threading
import warnings
import weakref
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, Unpack

import anyio
from anyio.from_thread import BlockingPortal

from lmsys_store.convert.base import AnyConverter, Converted
from lmsys_store.errors import ForkedStoreError, StoreClosedError
from lmsys_store.expressions import Expression
from lmsys_store.folds import Analyzer
from lmsys_store.ingest import SyncReport
from lmsys_store.labelling import OnRelabelled, RelabelReport
from lmsys_store.operations import Operations
from lmsys_store.query import Filters, Query
from lmsys_store.records import Conversation
from lmsys_store.reports import Explanation, StoreStatus
from lmsys_store.results import AsyncResults, Iteration, ResultsBase
from lmsys_store.settings import Fallback, Settings
from lmsys_store.sources.base import Source
from lmsys_store.storage.check import CheckReport
from lmsys_store.storage.engine import BUSY_SECONDS
from lmsys_store.storage.keeping import Remembered
from lmsys_store.storage.labelling import LabelImport
from lmsys_store.storage.reader import Reject
from lmsys_store.store import AsyncStore, SyncOptions

if TYPE_CHECKING:
    from lmsys_store.labels.labeller import Explained
    from lmsys_store.labels.report import Agreement

T = TypeVar("T")
_EXIT_SECONDS: Final = 5.0
_INTERRUPT_SECONDS: Final = 60.0  # a page being written ends in far less


class _LoopThread:
    """An event loop in a daemon thread, entered through a portal: left open, it does not hold up interpreter exit."""

    def __init__(self) -> None:
        ready: Future[BlockingPortal] = Future()
        self._thread = threading.Thread(target=anyio.run, args=(self._serve, ready), name="lmsys_store", daemon=True)
        self._thread.start()
        self._portal = ready.result()
        self._process = os.getpid()

    @staticmethod
    async def _serve(ready: "Future[BlockingPortal]") -> None:
        async with BlockingPortal() as portal:
            ready.set_result(portal)
            await portal.sleep_until_stopped()

    def call(self, function: Callable[[], Awaitable[T]], timeout: float | None = None) -> T:
        """Run a coroutine function in the loop and wait for it; an interruption (Ctrl-C) cancels it and waits."""
        if os.getpid() != self._process:
            raise ForkedStoreError(
                "this store was opened before a fork; in the child open it anew, and resume loops by token"
            )
        ended = threading.Event()

        async def run() -> T:
            try:
                return await function()
            finally:
                ended.set()

        future = self._portal.start_task_soon(run)
        try:
            return future.result(timeout)
        except BaseException:
            if not future.done():
                future.cancel()
                ended.wait(_INTERRUPT_SECONDS)
            raise

    def stop(self) -> None:
        """End the loop and its thread."""
        if os.getpid() == self._process:
            self._portal.start_task_soon(self._portal.stop)
            self._thread.join()


class Store:
    """A store file of conversations, without await. Any thread may use it, also beside a running event loop.

    >>> from tempfile import TemporaryDirectory
    >>> from lmsys_store.sources.mock import seeds
    >>> with TemporaryDirectory() as folder, Store(f"{folder}/demo.db") as store:
    ...     report = store.sync(seeds)
    ...     chats = store.select(language="en", turns=(2, 6)).limit(2)
    ...     [chat.origin.value for chat in chats], report.complete
    (['mock', 'mock'], True)
    """

    def __init__(
        self, path: str | Path | None = None, *, create: bool = True, settings: Settings | None = None
    ) -> None:
        self._async = AsyncStore(path, create=create, settings=settings)
        self._thread: _LoopThread | None = None
        self._lock = threading.Lock()
        self.path = self._async.path

    def open(self) -> Self:
        """Open the file (``with`` does); see :meth:`AsyncStore.open`."""
        with self._lock:
            if self._thread is None:
                thread = _LoopThread()
                try:
                    thread.call(self._async.open)
                except BaseException:
                    thread.stop()
                    raise
                self._thread = thread
                _left_open.add(self)
        return self

    def close(self) -> None:
        """Finish what is being written and close all connections; calling it again does nothing."""
        with self._lock:
            thread, self._thread = self._thread, None
        _left_open.discard(self)
        if thread is not None:
            with suppress(ForkedStoreError):
                thread.call(self._async.close)
            thread.stop()

    def _close_at_exit(self) -> None:
        """Warn, and end the loop's tasks quietly; but hold up the interpreter's exit only shortly."""
        warnings.warn(f"unclosed {self!r}: use 'with', or close()", ResourceWarning, stacklevel=2)
        thread, self._thread = self._thread, None
        if thread is not None:
            with suppress(Exception):
                thread.call(self._async.close, timeout=_EXIT_SECONDS)

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_thread", None) is not None:
            self._async._open = False  # one warning is enough
            with suppress(Exception):
                warnings.warn(f"unclosed {self!r}: use 'with', or close()", ResourceWarning, stacklevel=2)

    def __repr__(self) -> str:
        return f"<Store {str(self.path)!r}>"

    def _call(self, function: Callable[[], Awaitable[T]]) -> T:
        thread = self._thread
        if thread is None:
            raise StoreClosedError(f"the store {self.path} is not open; use it inside 'with', or call open() first")
        return thread.call(function)

    def select(
        self,
        query: Query | Expression | None = None,
        *conditions: Query | Expression,
        resume: str | None = None,
        fallback: Fallback | None = None,
        deadline: float | None = None,
        moderation: bool = False,
        require_complete: bool = False,
        follow: bool = False,
        **filters: Unpack[Filters],
    ) -> "Results":
        """The rows of a query, lazily; see :meth:`AsyncStore.select`."""
        results = self._async.select(
            query, *conditions, resume=resume, fallback=fallback, deadline=deadline, moderation=moderation,
            require_complete=require_complete, follow=follow, **filters,
        )  # fmt: skip
        return Results(results, self._call)

    def get(self, key: str | int) -> Conversation | None:
        """The row of a row index or conversation id; see :meth:`AsyncStore.get`."""
        return self._call(lambda: self._async.get(key))

    def facet(
        self,
        field: str,
        query: Query | Expression | None = None,
        *conditions: Query | Expression,
        fallback: Fallback | None = None,
        deadline: float | None = None,
        **filters: Unpack[Filters],
    ) -> list[tuple[Any, int]]:
        """Each value of a field with its number of rows; see :meth:`AsyncStore.facet`."""
        return self._call(
            lambda: self._async.facet(field, query, *conditions, fallback=fallback, deadline=deadline, **filters)
        )

    def explain(
        self, query: Query | Expression | None = None, *conditions: Query | Expression, **filters: Unpack[Filters]
    ) -> Explanation:
        """How a query will be answered; see :meth:`AsyncStore.explain`."""
        return self._call(lambda: self._async.explain(query, *conditions, **filters))

    def status(self) -> StoreStatus:
        """What the store holds."""
        return self._call(self._async.status)

    def rejects(self) -> Iterator[Reject]:
        """The rows that failed validation; see :meth:`AsyncStore.rejects`."""
        rejects = self._async.rejects()
        while (reject := self._call(lambda: anext(rejects, None))) is not None:
            yield reject

    def check(self) -> CheckReport:
        """Check the file and every row in it; see :meth:`AsyncStore.check`."""
        return self._call(self._async.check)

    def sync(
        self,
        *sources: str | Path | Source | Callable[[], Awaitable[Source]],
        **options: Unpack[SyncOptions],
    ) -> SyncReport:
        """Store what the store lacks of the sources, or of the remote; see :meth:`AsyncStore.sync`.

        ``on_plan`` and ``on_progress`` are called in the store's own thread.
        """
        return self._call(lambda: self._async.sync(*sources, **options))

    def remember(self, name: str, value: object, *, announced: int | None = None, wait: float = BUSY_SECONDS) -> bool:
        """Keep a value by name in the store; see :meth:`AsyncStore.remember`."""
        return self._call(lambda: self._async.remember(name, value, announced=announced, wait=wait))

    def announce(self, name: str, *, wait: float = BUSY_SECONDS) -> int:
        """Say that a value is about to be made; see :meth:`AsyncStore.announce`."""
        return self._call(lambda: self._async.announce(name, wait=wait))

    def recall(self, name: str) -> Remembered | None:
        """A kept value with its stamp; see :meth:`AsyncStore.recall`."""
        return self._call(lambda: self._async.recall(name))

    def run(self, function: Callable[[AsyncStore], Awaitable[T]]) -> T:
        """What a coroutine function makes of this store's AsyncStore, run in the store's own loop."""
        return self._call(lambda: function(self._async))

    def delete(
        self,
        query: Query | Expression | None = None,
        *conditions: Query | Expression,
        reason: str = "deleted by the user",
        forget: bool = False,
        **filters: Unpack[Filters],
    ) -> int:
        """Delete the rows of a query; see :meth:`AsyncStore.delete`."""
        return self._call(lambda: self._async.delete(query, *conditions, reason=reason, forget=forget, **filters))

    def delete_rejects(self, *row_indexes: int, reason: str = "deleted by the user") -> int:
        """Delete rejected rows; see :meth:`AsyncStore.delete_rejects`."""
        return self._call(lambda: self._async.delete_rejects(*row_indexes, reason=reason))

    def relabel(self, on_progress: OnRelabelled | None = None) -> RelabelReport:
        """Compute stale labels anew; see :meth:`AsyncStore.relabel`."""
        return self._call(lambda: self._async.relabel(on_progress))

    def import_labels(self, path: str | Path, *, name: str | None = None, skip_unknown: bool = False) -> LabelImport:
        """Lay the labels of a file over the derived ones; see :meth:`AsyncStore.import_labels`."""
        return self._call(lambda: self._async.import_labels(path, name=name, skip_unknown=skip_unknown))

    def remove_labels(self, name: str) -> LabelImport:
        """Take an import back; see :meth:`AsyncStore.remove_labels`."""
        return self._call(lambda: self._async.remove_labels(name))

    def explain_labels(self, key: str | int) -> "Explained | None":
        """What the labels of a row rest on; see :meth:`AsyncStore.explain_labels`."""
        return self._call(lambda: self._async.explain_labels(key))

    def label_agreement(self, path: str | Path) -> "list[Agreement]":
        """How far the derived labels agree with a file's; see :meth:`AsyncStore.label_agreement`."""
        return self._call(lambda: self._async.label_agreement(path))

    def purge(self) -> None:
        """Close the store and remove it: its files are overwritten, then unlinked."""
        self._call(self._async.purge)
        self.close()


_left_open: "weakref.WeakSet[Store]" = weakref.WeakSet()


@atexit.register
def _close_left_open() -> None:
    for store in list(_left_open):
        store._close_at_exit()


class Results(ResultsBase):
    """Rows of a Store: ``for chat in results``. Iterating again starts anew."""

    def __init__(self, results: AsyncResults, call: Callable[[Callable[[], Awaitable[Any]]], Any]) -> None:
        super().__init__(results.selection)
        self._results = results
        self._call = call

    def _with(self, operations: Operations) -> Self:
        return type(self)(self._results._with(operations), self._call)

    def convert(self, converter: AnyConverter[T]) -> Converted[T]:
        """What a converter makes of each row, lazily; see :meth:`AsyncResults.convert`."""
        return Converted(self, converter)

    def _begin(self) -> Iteration:
        self._iteration = self._results.begin()
        return self._iteration

    def __iter__(self) -> Iterator[Conversation]:
        iteration = self._begin()
        while self._call(iteration.advance):
            while (chat := iteration.take()) is not None:
                yield chat

    def pages(self) -> Iterator[list[Conversation]]:
        """The same rows as lists of 50 to 1,000."""
        iteration = self._begin()
        while self._call(iteration.advance):
            yield iteration.take_page()

    def first(self) -> Conversation | None:
        """The first row; None if there is none."""
        return self._reported(self._results.first)

    def fold(self, analyzer: Analyzer[T], *, processes: int = 1) -> T:
        """What an analyzer makes of these rows; see :meth:`AsyncResults.fold`."""
        if processes == 1:
            for page in self.pages():
                analyzer.update(page)
            return analyzer.result()
        return self._reported(lambda: self._results.fold(analyzer, processes=processes))

    def count(self) -> int:
        """How many rows these are; see :meth:`AsyncResults.count`."""
        return self._reported(self._results.count)

    def _reported(self, function: Callable[[], Awaitable[T]]) -> T:
        """What a method of the async results gives; their report is this one's from now on, also where it failed."""
        try:
            answer: T = self._call(function)
        finally:
            self._iteration = self._results._iteration
        return answer
