"""Where the rows of a select come from, one phase each: the store, the remote, the bundled seeds.

A phase hands out batches until it has none left. Nothing runs between two of them: no request is under way while the caller
works, so a loop may stop anywhere and leaves nothing.
"""

import asyncio
import time
import warnings
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from lmsys_store import ingest, intervals
from lmsys_store.errors import (
    DeadlineError,
    RemoteNotReadyError,
    StoreBusyError,
    StoreFullError,
    StoreReadOnlyError,
    StoreRestartedError,
)
from lmsys_store.ingest import Label
from lmsys_store.intervals import Interval
from lmsys_store.parts import Part
from lmsys_store.position import PhaseName
from lmsys_store.query import Query, fields
from lmsys_store.records import Conversation, Origin
from lmsys_store.remote import Remote
from lmsys_store.rows import CheckedRow, checked_row
from lmsys_store.settings import Fallback
from lmsys_store.sources.base import REMOTE_ROWS, Page
from lmsys_store.sources.where import RemotePart, remote_part
from lmsys_store.storage.codec import conversation_of
from lmsys_store.storage.pages import PreparedPage
from lmsys_store.storage.reader import PageStatement, Predicate, Reader, Reject, StoreState
from lmsys_store.storage.writer import Writer
from lmsys_store.tally import Tally, tally_of

if TYPE_CHECKING:
    from lmsys_store.sources.viewer import ViewerSource

_NOT_KEPT: Final = "rows of the remote were not kept"


class MockRowsWarning(UserWarning):
    """Rows of the bundled mock seeds are served, because nothing real was there and the remote could not be asked."""


@dataclass(frozen=True)
class Batch:
    """Some rows of one origin: entries that ``decode`` makes conversations of when they are handed over."""

    entries: Sequence[Any]
    origin: Origin
    decode: Callable[[Any], Conversation]
    row_index: Callable[[Any], int]
    offset: int = 0
    """How many matches of the remote's filter lie before this batch: where to ask again for the rest of it."""


NO_ROWS: Final = Batch((), Origin.CACHE, lambda entry: entry, lambda entry: -1)


def decoded(chats: Sequence[Conversation], origin: Origin, offset: int = 0) -> Batch:
    """A batch of rows that are conversations already."""
    return Batch(chats, origin, lambda chat: chat, lambda chat: chat.row_index, offset)


@dataclass
class Access:
    """What a chain reads from and writes to: a store's parts."""

    reader: Reader
    writer: Writer
    remote: Remote
    label: Label
    stale_labels: Callable[[], Awaitable[int]]
    """How many rows of the store have labels of another version: 80 ms for a million rows."""
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Request:
    """What a chain is to find, and how far it may go for it."""

    query: Query
    fallback: Fallback
    deadline: float | None = None
    with_moderation: bool = False
    part: Part | None = None
    """Which of the query's rows to give; all of them are looked for, and kept."""
    follow: bool = False
    """Also give what the store gets while it is read."""

    @property
    def wanted(self) -> Query:
        """The rows to give."""
        return self.query if self.part is None else self.query.where(self.part)


@dataclass(frozen=True)
class Start:
    """Where a chain begins: at the beginning, or where a token stands."""

    phase: PhaseName = "cache"
    bound: int | None = None
    revision: str | None = None
    last: int = -1
    offset: int = 0
    found_real: bool = False
    floor: int = -1


class StoredPhase:
    """Rows of the store, ascending, as of the chain's start; where it follows, then those stored since, and again."""

    def __init__(self, access: Access, request: Request, state: StoreState, start: Start) -> None:
        self._reader = access.reader
        self.state = state
        self.floor = start.floor
        """What was stored until this ``seq`` was given before."""
        self._last = start.last
        self._origin = state.origin
        self._follow = request.follow
        self._statement: PageStatement = access.reader.select(
            request.wanted, state=state, with_moderation=request.with_moderation, after_floor=request.follow
        )

    async def next(self, size: int) -> Batch | None:
        rows = await self._page(size)
        while not rows and self._follow:
            now = await self._reader.state()
            if now is None or now.seq <= self.state.seq:
                break
            self.floor, self.state, self._last = self.state.seq, replace(self.state, seq=now.seq), -1
            rows = await self._page(size)
        if not rows:
            return None
        self._last, origin = rows[-1][0], self._origin
        return Batch(rows, origin, lambda row: conversation_of(row, origin), lambda row: int(row[0]))

    async def _page(self, size: int) -> Sequence[Any]:
        rows, generation = await self._reader.page(self._statement, self._last, self.state.seq, size, self.floor)
        refuse_restarted(generation, self.state)
        return rows


def refuse_restarted(generation: int, state: StoreState) -> None:
    """Raise StoreRestartedError where the store is no longer the one that the iteration began with."""
    if generation != state.generation:
        raise StoreRestartedError("the store was emptied and is being filled anew; start the loop again")


@dataclass
class RemotePhase:
    """Rows that the store lacks, ascending: found by the remote's filter, or by scanning what is not covered.

    Whatever was fetched is kept; what others stored since the chain's start is read from the store.
    """

    access: Access
    request: Request
    state: StoreState | None
    start: Start
    notes: list[str]
    complete: bool = False
    _source: "ViewerSource | None" = None
    _part: RemotePart | None = None
    _gaps: list[Interval] | None = None
    _tally: Tally | None = None
    _offset: int = 0
    _after: int = -1
    _scanned: int = 0
    _whole: bool = True
    all_kept: bool = True
    _unkept: int = 0
    _answered: bool = False
    _matches: int | None = None
    _last_match: int = -1
    _ended: bool = False
    _ask_filter_at: float = 0.0
    _used_seconds: float = 0.0

    @property
    def _bound(self) -> int:
        return 0 if self.state is None else self.state.seq

    async def next(self, size: int) -> Batch | None:
        """The matches of the next pages that have any; None at the end, at the deadline, or when the scan's budget is used."""
        while not self._ended:
            started = time.monotonic()
            left = None if self.request.deadline is None else self.request.deadline - self._used_seconds
            waiting = None
            try:
                async with asyncio.timeout(left):
                    try:
                        batch = await self._step()
                    except asyncio.CancelledError:
                        waiting = None if self._source is None else self._source.waiting
                        raise
            except TimeoutError:
                why = f" ({waiting})" if waiting else ""
                failing = self._source is not None and self._source.failing and not self._answered
                late = DeadlineError(f"the deadline of {self.request.deadline:g} s is reached{why}", failing)
                if self.request.deadline and not self._answered:  # the next select need not wait as long for nothing
                    self.access.remote.leave_alone(late)
                raise late from None
            finally:
                self._used_seconds += time.monotonic() - started
            if batch is not None and batch.entries:
                return batch
        return None

    async def _step(self) -> Batch | None:
        source = self._source or await self._begin()
        assert self._part is not None
        await self._joined(source)
        if self._part and time.monotonic() >= self._ask_filter_at:
            try:
                return await self._filtered(source, self._part)
            except RemoteNotReadyError:
                if not self._ask_filter_at:
                    self.notes.append("the remote's index is not ready: its rows were scanned meanwhile")
                self._ask_filter_at = time.monotonic() + self.access.remote.settings.poll_seconds
        return await self._scan(source)

    async def _begin(self) -> "ViewerSource":
        self._part = remote_part(self.request.query.expression)
        self._after, self._offset = self.start.last, self.start.offset
        revision = self.start.revision if self.state is None else self.state.revision
        self._source = self.access.remote.viewer(self.state, revision)
        self._source.shares = True
        self._source.notes = self.notes
        now = await self.access.reader.state()
        if now is not None and now.total_rows is not None:
            covered = await self.access.reader.coverage()
            if not intervals.missing((0, now.total_rows), covered):
                self._part = RemotePart(
                    "", self._part.expression
                )  # others stored all of it since: nobody is to be asked
        return self._source

    async def _joined(self, source: "ViewerSource") -> bool:
        """Take the revision of a store that was empty and that others have begun to fill; False if an answer was of another."""
        now = await self.access.reader.state() if self.state is None else None
        if now is None:
            return True
        self.state = replace(now, seq=0)
        return source.agrees_with(now.revision)

    def _refuse(self) -> None:
        """Raise why the remote is not to be asked, if so; what the store has got meanwhile is given all the same."""
        refusal = self.access.remote.refusal() or self.access.remote.left_alone()
        if refusal is not None:
            raise refusal

    # --------------------------------------------------------------------------------------------------- by filter

    async def _filtered(self, source: "ViewerSource", part: RemotePart) -> Batch | None:
        """One page of the filter's matches."""
        self._refuse()
        if self._tally is None:
            self._tally = await tally_of(self.access.reader, part.expression, part.where, source.name, self._bound)
            self._offset = max(self._offset, self._tally.done_rows)
        found = await source.some_matches(part.where, self._offset, poll=False)
        self._answered = True
        if not await self._joined(source):
            return None
        progress = self._tally.after(found)
        chats = await self._keep(source, None, found.rows, found.byte_count, progress)
        self._offset = found.offset + len(found.rows)
        self._after = max([self._after, *(row_index for row_index, _ in found.rows)])
        self._whole = self._whole and found.follow(self._last_match, self._matches)
        self._matches, self._last_match = found.total, max([self._last_match, *(at for at, _ in found.rows)])
        if self._offset >= found.total or not found.rows:
            self._ended, self.complete = True, self._whole and self._offset >= found.total
        return decoded(chats, Origin.REMOTE, found.offset)

    # ----------------------------------------------------------------------------------------------------- by scan

    async def _scan(self, source: "ViewerSource") -> Batch | None:
        """One page of what was not covered at the chain's start, from the remote or from who stored it meanwhile."""
        span = await self._next_span(source)
        if span is None:
            self._ended, self.complete = True, self._whole and not source.partial
            return None
        covered = await self.access.reader.coverage(within=span)
        if covered and covered[0].start <= span.start:
            stop = min(covered[0].stop, span.stop)
            batch = await self._stored_meanwhile(Interval(span.start, stop))
            self._after = stop - 1
            return batch
        if self._budget_is_used():
            return None
        self._refuse()
        span = Interval(span.start, min([span.stop, *(held.start for held in covered)]))
        pages = await source.span(span)
        self._answered = True
        if not await self._joined(source):
            return None
        chats: list[Conversation] = []
        for page in pages:
            chats += await self._keep_page(source, page)
        self._scanned += span.stop - span.start
        delivered = sum(page.stop - page.start for page in pages)
        self._whole = self._whole and delivered == min(span.stop, source.total_rows or span.stop) - span.start
        self._after = span.stop - 1
        return decoded(chats, Origin.REMOTE)

    async def _next_span(self, source: "ViewerSource") -> Interval | None:
        if self._gaps is None:
            total = None if self.state is None else self.state.total_rows
            held = [] if self.state is None else await self.access.reader.coverage(self._bound)
            self._gaps = intervals.missing((0, intervals.UNKNOWN_END if total is None else total), held)
        end = intervals.UNKNOWN_END if source.total_rows is None else source.total_rows
        for start, stop in self._gaps:
            low, high = max(start, self._after + 1), min(stop, end)
            if low < high:
                return Interval(low, min(low + REMOTE_ROWS, high))
        return None

    def _budget_is_used(self) -> bool:
        """Whether a query that the remote cannot answer, or not yet, was searched long enough."""
        most = self.access.remote.settings.max_remote_rows
        if self.request.query == Query() or self._scanned < most:
            return False
        self._ended = True
        why = "is not ready for this query yet: try again later" if self._part else "cannot answer this query"
        self.notes.append(
            f"{self._scanned:,} rows of the remote were searched, no more are (LMSYS_STORE_MAX_REMOTE_ROWS): its filter "
            f"{why}, or sync the data set to search it whole"
        )
        return True

    async def _stored_meanwhile(self, span: Interval) -> Batch:
        """Matches in a span that was covered since the chain began."""
        reader, request = self.access.reader, self.request
        state = await reader.state()
        assert state is not None
        query = request.wanted.where(fields.row_index.between(span.start, span.stop - 1))
        statement = reader.select(query, state=state, with_moderation=request.with_moderation)
        rows, _ = await reader.page(statement, -1, intervals.UNKNOWN_END, span.stop - span.start)
        known = await self._known([row[0] for row in rows])
        chats = [conversation_of(row, state.origin) for row in rows if row[0] not in known]
        return decoded(chats, state.origin)

    # -------------------------------------------------------------------------------------------------- keep, match

    async def _keep_page(self, source: "ViewerSource", page: Page) -> list[Conversation]:
        rows = list(enumerate(page.rows, page.start))
        return await self._keep(source, Interval(page.start, page.stop), rows, page.byte_count, None)

    async def _keep(
        self,
        source: "ViewerSource",
        interval: Interval | None,
        numbered: Sequence[tuple[int, object]],
        byte_count: int,
        progress: Predicate | None,
    ) -> list[Conversation]:
        """Store rows, and give those of them that match and were not handed out before."""
        if self.state is None:
            fresh, _ = ingest.checked_state(source, None, index_replies=False)
            self.state = replace(fresh, seq=0)
        rejects: list[Reject] = []
        checked = self.access.label(list(ingest.valid_rows(numbered, source.name, rejects, "keep")))
        page = ingest.encoded(interval, source.name, checked, rejects, byte_count, self.state.index_replies)
        await self._write(replace(page, progress=progress if self.all_kept else None))
        return await self._new_matches(checked)

    async def _write(self, page: PreparedPage) -> None:
        assert self.state is not None
        try:
            await self.access.writer.keep(page, self.state)
        except (StoreBusyError, StoreReadOnlyError, StoreFullError) as error:
            self.all_kept = False  # and what the filter gives from now on proves nothing about the store
            self.notes[:] = [note for note in self.notes if _NOT_KEPT not in note]
            self._unkept += len(page.row_indexes)
            self.notes.append(f"{self._unkept:,} {_NOT_KEPT}: {error}")

    async def _known(self, row_indexes: Sequence[int]) -> set[int]:
        """Which rows the store had when the chain began, or has deleted: none, where it had nothing."""
        return await self.access.reader.held(row_indexes, self._bound) if self._bound else set()

    async def _new_matches(self, checked: Iterable[CheckedRow]) -> list[Conversation]:
        later = [row for row in checked if row.row_index > self._after]
        known = await self._known([row.row_index for row in later])
        chats = (row.conversation(Origin.REMOTE, with_moderation=self.request.with_moderation) for row in later)
        return [chat for chat in chats if chat.row_index not in known and self.request.wanted.matches(chat)]


class MockPhase:
    """The bundled seeds that match, loudly."""

    def __init__(self, seeds: Sequence[Conversation], query: Query, last: int, why: str) -> None:
        self._chats = [chat for chat in seeds if chat.row_index > last and query.matches(chat)]
        self._why = why

    async def next(self, size: int) -> Batch | None:
        chats, self._chats = self._chats, []
        if not chats:
            return None
        warnings.warn(
            f"these rows are the bundled mock seeds, not the data set: {self._why}. "
            "Use fallback='remote' to get an error instead",
            MockRowsWarning,
            stacklevel=2,
        )
        return decoded(chats, Origin.MOCK)


async def seed_conversations(label: Label) -> list[Conversation]:
    """The bundled seeds as conversations, labelled as rows of a source are."""
    from lmsys_store.sources.mock import seeds

    source = await seeds()
    assert source.total_rows is not None
    rows = [
        checked_row(row, row_index)
        async for page in source.pages([(0, source.total_rows)])
        for row_index, row in enumerate(page.rows, page.start)
    ]
    return [row.conversation(Origin.MOCK) for row in label(rows)]
