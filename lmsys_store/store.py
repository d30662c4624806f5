"""AsyncStore: the facade. It opens one store file and hands out rows; what it does is in the rooms below it."""

import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypedDict, Unpack, get_args

import anyio
from anyio import to_thread

from lmsys_store import reports
from lmsys_store.errors import QueryError
from lmsys_store.expressions import Expression, facet_of, field_name
from lmsys_store.ingest import OnInvalid, OnProgress, SyncReport
from lmsys_store.labelling import (
    Labelling,
    OnRelabelled,
    RelabelReport,
    agreement_with,
    explained,
    label_file,
    relabel,
)
from lmsys_store.operations import Operations
from lmsys_store.phases import Access
from lmsys_store.query import Filters, Query
from lmsys_store.records import Conversation
from lmsys_store.remote import Remote
from lmsys_store.reports import Explanation, StoreStatus
from lmsys_store.results import AsyncResults, Position, Selection
from lmsys_store.settings import Fallback, Settings, store_path
from lmsys_store.sources.base import Source
from lmsys_store.sources.files import FileSource
from lmsys_store.storage import lock
from lmsys_store.storage.check import CheckReport, check
from lmsys_store.storage.engine import BUSY_SECONDS, Database
from lmsys_store.storage.keeping import Keeper, Remembered
from lmsys_store.storage.labelling import LabelImport, LabelStore
from lmsys_store.storage.purge import purge_files
from lmsys_store.storage.reader import Reader, Reject
from lmsys_store.storage.writer import Writer
from lmsys_store.syncing import SyncJob, SyncPlan

if TYPE_CHECKING:
    from lmsys_store.labels.labeller import Explained
    from lmsys_store.labels.report import Agreement

REJECTS_PAGE = 200


class SyncOptions(TypedDict, total=False):
    """The keywords of :meth:`AsyncStore.sync`, which says what they mean."""

    query: Query | Expression | None
    dataset: str | None
    limit: int | None
    index_replies: bool
    on_invalid: OnInvalid
    restart: bool
    dry_run: bool
    on_plan: Callable[[SyncPlan], None] | None
    on_progress: OnProgress | None
    wait: float
    after: "Sequence[AfterSync]"


class AsyncStore:
    """A store file of conversations. Belongs to the event loop that opened it; opening one is cheap.

    ::

        async with AsyncStore("chats.db") as store:
            await store.sync("chats.parquet")
            async for chat in store.select(language="en", min_rating=4):
                print(chat.first_prompt)

    Args:
        path: the store file; default ``LMSYS_STORE_PATH``, else one in the user's cache directory.
        create: whether to create the file if it is not there.
        settings: how the remote is reached; default what the environment says.
    """

    def __init__(
        self, path: str | Path | None = None, *, create: bool = True, settings: Settings | None = None
    ) -> None:
        self.path = store_path(path)
        self._create = create
        self._database = Database(self.path)
        self._reader = Reader(self._database)
        self._writer = Writer(self._database)
        remote = self._remote = Remote(settings)
        self._labels = LabelStore(self._database)
        self._keeper = Keeper(self._database)
        self._labelling = Labelling(lambda: remote.settings)
        self._access = Access(
            self._reader, self._writer, remote, self._labelling, self._stale_labels, self._database.notes
        )
        self._open = False

    async def open(self) -> Self:
        """Open the file (``async with`` does); creates or upgrades it as needed.

        Raises:
            StoreNotFoundError: there is none and ``create`` is False.
            NotAStoreError, SchemaTooNewError, SchemaOutdatedError, StoreReadOnlyError: as their names say.
        """
        if not self._open:
            await self._database.open(create=self._create)
            self._open = True
        return self

    async def close(self) -> None:
        """Finish what is being written and close all connections; calling it again does nothing."""
        with anyio.CancelScope(shield=True):  # whoever is cancelled still leaves nothing open
            try:
                await self._remote.close()
            finally:
                await self._database.close()
        self._open = False

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __del__(self) -> None:
        if getattr(self, "_open", False):
            with suppress(Exception):  # at interpreter exit the warnings machinery may be gone
                warnings.warn(f"unclosed {self!r}: use 'async with', or await close()", ResourceWarning, stacklevel=2)

    def __repr__(self) -> str:
        return f"<AsyncStore {str(self.path)!r}>"

    # ------------------------------------------------------------------------------------------------- reading

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
    ) -> AsyncResults:
        """The rows of a query, lazily: the store's in row order, then what it lacks; nothing is read before they are iterated.

        Args:
            query: which rows; default all.
            conditions: more conditions, all of which must hold.
            resume: a token of ``results.token``: only the rows not yet handed over when it was taken.
            fallback: how far to go for rows: ``"cache"`` the store alone, ``"remote"`` also the remote, ``"mock"`` at last the
                bundled seeds, if nothing real was found and the remote cannot be asked; default ``LMSYS_STORE_FALLBACK``,
                else ``"mock"``.
            deadline: seconds to spend on the remote at most, waits included; then the iteration ends with what there is.
            moderation: load the per-message moderation too.
            require_complete: raise IncompleteResultError instead of ending, if rows may be missing.
            follow: at the end of the stored rows also give those that were stored meanwhile, in row order again, and so on until
                none are new. It does not wait for a sync: once it has ended, its token goes on with what came since.
            filters: the keywords of :meth:`Query.of`.

        Raises:
            QueryError: the query cannot mean anything.
            ResumeTokenError: not a token (a token of another query is found out when iteration begins).
        """
        whole = _whole(query, conditions, filters)
        position = None if resume is None else Position.of_token(resume)
        selection = Selection(
            whole, self._fallback(fallback), deadline, Operations(follow=follow), with_moderation=moderation,
            require_complete=require_complete, position=position,
        )  # fmt: skip
        return AsyncResults(selection, self._access)

    def _fallback(self, given: Fallback | None) -> Fallback:
        """How far to go, as given or as set.

        Raises:
            QueryError: no such fallback.
        """
        fallback = self._remote.settings.fallback if given is None else given
        if fallback not in get_args(Fallback):
            raise QueryError(f"unknown fallback {fallback!r}; known: {', '.join(get_args(Fallback))}")
        return fallback

    async def get(self, key: str | int) -> Conversation | None:
        """The row of a row index (int), or the first row of a conversation id (str), moderation included; None if not held."""
        state = await self._reader.state()
        return None if state is None else await self._reader.get(key, state.origin)

    async def facet(
        self,
        field: str,
        query: Query | Expression | None = None,
        *conditions: Query | Expression,
        fallback: Fallback | None = None,
        deadline: float | None = None,
        **filters: Unpack[Filters],
    ) -> list[tuple[Any, int]]:
        """Each value of a field with its number of rows, most frequent first; what the store lacks is fetched first.

        Raises:
            QueryError: no such field.
        """
        field = field_name(field)
        whole = _whole(query, conditions, filters)
        seeds = await self.select(whole, fallback=fallback, deadline=deadline).fetch()
        if seeds:
            return facet_of(field, seeds)
        state = await self._reader.state()
        return [] if state is None else await self._reader.facet(field, whole, state)

    async def explain(
        self, query: Query | Expression | None = None, *conditions: Query | Expression, **filters: Unpack[Filters]
    ) -> Explanation:
        """How a query will be answered, without answering it, and without asking the remote."""
        return await reports.explanation(self._access, _whole(query, conditions, filters))

    async def status(self) -> StoreStatus:
        """What the store holds."""
        return await reports.status(self._access, self._labels, self._labelling.version, self.path)

    async def rejects(self) -> AsyncIterator[Reject]:
        """The rows that failed validation, in row order, with the reason and the row as ASCII JSON."""
        after = -1
        while batch := await self._reader.rejects(after, REJECTS_PAGE):
            for reject in batch:
                yield reject
            after = batch[-1].row_index

    async def check(self) -> CheckReport:
        """Check the file and every row in it against coverage, texts, moderation and the full-text index."""
        return await check(self._database)

    # ------------------------------------------------------------------------------------------------- writing

    async def sync(
        self,
        *sources: str | Path | Source | Callable[[], Awaitable[Source]],
        query: Query | Expression | None = None,
        dataset: str | None = None,
        limit: int | None = None,
        index_replies: bool = False,
        on_invalid: OnInvalid = "keep",
        restart: bool = False,
        dry_run: bool = False,
        on_plan: Callable[[SyncPlan], None] | None = None,
        on_progress: OnProgress | None = None,
        wait: float = 0.0,
        after: "Sequence[AfterSync]" = (),
    ) -> SyncReport:
        """Store what the store lacks of the sources, page by page; what is held is not read again.

        Args:
            sources: Parquet or JSON Lines files, directories or globs, read as one data set; or one Source, or a coroutine
                function that opens one, such as ``lmsys_store.seeds``. None at all: the remote, or the Hub's cache of it.
            query: only these rows of the remote; the part of the query that its filter understands must not be empty.
            dataset: the data set's name, where the files' path does not say it.
            limit: only the first rows of the source (with ``query``: the first matches).
            index_replies: on the first sync of a store, index replies for full-text search too.
            on_invalid: set invalid rows aside and count them, or raise at the first.
            restart: empty the store first, to fill it anew, perhaps at another revision.
            dry_run: make the plan, and do nothing.
            on_plan: called with the plan before it is carried out.
            on_progress: called in the store's event loop with a Progress, at most ten times a second.
            wait: seconds to wait for another sync of this store.
            after: called with this store, one after the other, once the rows are stored: to make anew what was made of them,
                as ``lmsys_store.insights.keep_analyses`` does. What they raise is raised; the rows stay stored.

        Raises:
            StoreLockedError: another sync holds the store.
            SourceError: the source cannot be read, or is of another data set; what was stored before stays.
        """
        self._database.usable()
        job = SyncJob(
            self._reader, self._writer, self._remote, self._labelling, self.path, limit=limit, index_replies=index_replies,
            on_invalid=on_invalid, restart=restart, dry_run=dry_run, on_plan=on_plan, on_progress=on_progress,
        )  # fmt: skip
        async with lock.sync_lock(self.path, wait):
            if sources and query is not None:
                raise QueryError("only the remote can be synced by a query: sync the files whole, then select")
            if sources:
                report = await job.of_source(await _opened(sources, dataset))
            elif query is None or _whole(query, (), {}) == Query():
                report = await job.of_remote()
            else:
                report = await job.of_matches(_whole(query, (), {}))
        for hook in () if dry_run else after:
            await hook(self)
        return report

    async def remember(
        self, name: str, value: object, *, announced: int | None = None, wait: float = BUSY_SECONDS
    ) -> bool:
        """Keep a value by name in the store, stamped with the labels' version and ``seq``; gives whether it was kept.

        Kept values go when any row is deleted, since they may quote it.

        Args:
            name: of the value; an earlier one is replaced.
            value: whatever JSON can hold.
            announced: what :meth:`announce` gave before the value was made, for this value alone: the stamp is of then, and if
                rows were deleted since, it is not kept.
            wait: seconds to wait for another writer.

        Raises:
            TypeError, ValueError: JSON cannot hold the value.
            StoreBusyError: another writer held the store for longer.
        """
        return await self._keeper.keep(name, value, await self._labels_stamp(), announced=announced, wait=wait)

    async def announce(self, name: str, *, wait: float = BUSY_SECONDS) -> int:
        """Say that a value is about to be made of the rows as they are now; give the answer to :meth:`remember`.

        Raises:
            StoreBusyError: another writer held the store for ``wait`` seconds.
        """
        return await self._keeper.announce(name, await self._labels_stamp(), wait=wait)

    async def recall(self, name: str) -> Remembered | None:
        """A kept value with its stamp, and whether the store is still as it was then; None if there is none."""
        return await self._keeper.kept(name, await self._labels_stamp())

    async def _stale_labels(self) -> int:
        return await self._labels.stale_count(self._labelling.version)

    async def _labels_stamp(self) -> str:
        """The version of the labels, and of what was laid over them."""
        over = "".join(f" {one.name}={one.digest[:8]}" for one in await self._labels.imports())
        return f"{self._labelling.version}{over}"

    async def delete(
        self,
        query: Query | Expression | None = None,
        *conditions: Query | Expression,
        reason: str = "deleted by the user",
        forget: bool = False,
        **filters: Unpack[Filters],
    ) -> int:
        """Delete the rows of a query, texts overwritten on disk; gives how many.

        A deleted row leaves a tombstone and is never stored again; with ``forget`` (to free space) it may be.

        Raises:
            QueryError: no condition at all: to delete everything, use purge().
        """
        whole = _whole(query, conditions, filters)
        if whole == Query():
            raise QueryError("delete needs a condition; to remove the whole store use purge()")
        self._database.usable()
        async with lock.sync_lock(self.path, 0.0):
            return await self._writer.delete(whole, reason, forget=forget)

    async def delete_rejects(self, *row_indexes: int, reason: str = "deleted by the user") -> int:
        """Delete rejected rows by their row indexes, raw text overwritten on disk; gives how many there were.

        No query finds a rejected row; :meth:`rejects` lists them. Each leaves a tombstone, as a deleted row does.
        """
        self._database.usable()
        async with lock.sync_lock(self.path, 0.0):
            return await self._writer.delete_rejects(row_indexes, reason)

    async def relabel(self, on_progress: OnRelabelled | None = None) -> RelabelReport:
        """Compute the labels anew of every row that has those of another version; fetches nothing.

        A run that was cut short goes on where it stopped.

        Raises:
            StoreLockedError: a sync holds the store.
        """
        self._database.usable()
        async with lock.sync_lock(self.path, 0.0):
            return await relabel(self._labels, self._labelling.labeller, on_progress)

    async def import_labels(
        self, path: str | Path, *, name: str | None = None, skip_unknown: bool = False
    ) -> LabelImport:
        """Lay the labels of a file over the derived ones: votes, judges' scores, feedback.

        Args:
            path: JSON Lines, CSV or Parquet with ``conversation_id`` and any of ``rating`` (1 to 5), ``domain``, ``task``,
                ``tags``, and ``feedback`` with its ``round``.
            name: what the import is called; an earlier one of that name is replaced. Default: the file's name.
            skip_unknown: leave out ids that no row has, instead of raising.

        Raises:
            LabelError: the file cannot be used, or names ids that no row has.
        """
        self._database.usable()
        path = Path(path)
        async with lock.sync_lock(self.path, 0.0):
            digest, labels = await to_thread.run_sync(label_file, path)
            entry = await self._labels.add(name or path.name, digest, labels, skip_unknown=skip_unknown)
            await relabel(self._labels, self._labelling.labeller)
            return entry

    async def remove_labels(self, name: str) -> LabelImport:
        """Take an import back: its rows have their derived labels again.

        Raises:
            LabelError: nothing of that name was imported.
        """
        self._database.usable()
        async with lock.sync_lock(self.path, 0.0):
            entry = await self._labels.remove(name)
            await relabel(self._labels, self._labelling.labeller)
            return entry

    async def explain_labels(self, key: str | int) -> "Explained | None":
        """The labels of a row (by row index or conversation id) as computed now, with what they rest on; None if not held."""
        stale = await self._labels.row(key)
        return None if stale is None else explained(self._labelling.labeller, stale)

    async def label_agreement(self, path: str | Path) -> "list[Agreement]":
        """How far the derived labels agree with a file's (see :meth:`import_labels`) on the rows both have; stores nothing.

        Raises:
            LabelError: the file cannot be used.
        """
        _, labels = await to_thread.run_sync(label_file, Path(path))
        return await agreement_with(self._labels, self._labelling.labeller, labels)

    async def purge(self) -> None:
        """Close the store and remove it: its files are overwritten, then unlinked."""
        self._database.usable()
        async with lock.sync_lock(self.path, 0.0):
            await self.close()
            await purge_files(self.path)


AfterSync = Callable[[AsyncStore], Awaitable[object]]
"""What a sync may call when it has ended."""


async def _opened(
    sources: Sequence[str | Path | Source | Callable[[], Awaitable[Source]]], dataset: str | None
) -> Source:
    paths = [source for source in sources if isinstance(source, str | Path)]
    if paths and len(paths) == len(sources):
        return await FileSource.open(*paths, dataset=dataset)
    if len(sources) != 1 or paths:
        raise TypeError("sync takes paths, or one Source")
    (source,) = sources
    assert not isinstance(source, str | Path)
    return await source() if callable(source) else source


def _whole(query: Query | Expression | None, conditions: Sequence[Query | Expression], filters: Filters) -> Query:
    """One query of all that the reading methods take."""
    first = () if query is None else (query,)
    return Query().where(*first, *conditions, Query.of(**filters))
