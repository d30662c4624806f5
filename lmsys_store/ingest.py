"""Rows from a source into the store: validate, label, encode, write, with progress. Memory is a few pages, whatever the source.

Three steps joined by bounded streams, each on a page of its own: read; validate, label and encode (in a worker thread); store. A
cancellation or an error at any moment leaves whole pages only, and the next run fetches what is missing.
"""

import hashlib
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, Literal, TypeVar

import anyio
from anyio import to_thread
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from lmsys_store import intervals
from lmsys_store.errors import DatasetMismatchError, InvalidRowError, LmsysStoreError
from lmsys_store.expressions import Expression
from lmsys_store.intervals import Interval
from lmsys_store.rows import CheckedRow, checked_row
from lmsys_store.sources.base import BrokenRow, FilteringSource, Matches, Page, Source
from lmsys_store.storage.pages import PreparedPage, prepared_page
from lmsys_store.storage.reader import Reader, Reject, StoreState
from lmsys_store.storage.writer import Stored, Writer, raw_json
from lmsys_store.tally import Tally, tally_of

OnInvalid = Literal["keep", "raise"]
PAGES_IN_FLIGHT: Final = 1
PROGRESS_SECONDS: Final = 0.1
WAITING_SECONDS: Final = 0.5
"""How often progress is told while nothing comes."""
Label = Callable[[Sequence[CheckedRow]], list[CheckedRow]]
"""Gives rows with their labels, a page at once."""
T = TypeVar("T")


@dataclass(frozen=True)
class Progress:
    """Where a sync stands. ``total`` is None while unknown; ``rate`` is rows a second since the start."""

    phase: Literal["reading", "finishing", "done"]
    done: int
    total: int | None
    rate: float
    rejects: int
    byte_count: int
    waiting: str | None = None


@dataclass(frozen=True)
class SyncReport:
    """What a sync did. ``complete``: what this run was asked for is covered; ``rows_skipped`` were held already."""

    rows_added: int
    rows_rejected: int
    rows_skipped: int
    turn_mismatches: int
    seconds: float
    requests: int
    byte_count: int
    complete: bool
    notes: tuple[str, ...] = ()


OnProgress = Callable[[Progress], None]


@dataclass
class _Run:
    """The counts of a running sync, and when progress was last told."""

    on_progress: OnProgress | None
    source: Source
    total: int | None
    skipped: int
    added: int = 0
    rejected: int = 0
    turn_mismatches: int = 0
    byte_count: int = 0
    started: float = field(default_factory=time.monotonic)
    told: float = 0.0

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def tell(self, phase: Literal["reading", "finishing", "done"]) -> None:
        """Tell progress: at most ten times a second while reading, always at a change of phase."""
        if self.on_progress is None or (phase == "reading" and time.monotonic() - self.told < PROGRESS_SECONDS):
            return
        self.told = time.monotonic()
        stored = self.added + self.rejected
        rate = stored / max(self.seconds, 1e-9)
        waiting = self.source.waiting
        self.on_progress(
            Progress(phase, stored + self.skipped, self.total, rate, self.rejected, self.byte_count, waiting)
        )

    def add(self, stored: Stored, byte_count: int) -> None:
        """Count a stored page."""
        self.added += stored.added
        self.rejected += stored.rejected
        self.skipped += stored.skipped
        self.turn_mismatches += stored.turn_mismatches
        self.byte_count += byte_count
        self.tell("reading")

    def report(self, complete: bool, notes: Sequence[str]) -> SyncReport:
        """What the run did."""
        return SyncReport(
            self.added,
            self.rejected,
            self.skipped,
            self.turn_mismatches,
            self.seconds,
            self.source.requests,
            self.byte_count,
            complete,
            tuple(dict.fromkeys(notes)),
        )


async def ingest(
    source: Source,
    reader: Reader,
    writer: Writer,
    label: Label,
    *,
    limit: int | None = None,
    index_replies: bool = False,
    on_invalid: OnInvalid = "keep",
    on_progress: OnProgress | None = None,
) -> SyncReport:
    """Store what the store lacks of a source's first ``limit`` rows (default: of all).

    Raises:
        DatasetMismatchError: the store holds another data set or revision.
        InvalidRowError: with ``on_invalid="raise"``, at the first row that fails validation.
        SourceFormatError: damage on the way. What was stored before stays, in every case.
    """
    state, notes = checked_state(source, await reader.state(), index_replies=index_replies)
    asked = Interval(0, intervals.earliest(source.total_rows, limit))
    wanted = intervals.missing(asked, await reader.coverage())
    known = asked.stop if asked.stop < intervals.UNKNOWN_END else None
    lacking = None if known is None else intervals.size(wanted)
    state, run_id = await writer.begin(state, source.name, rows=lacking)
    run = _Run(on_progress, source, known, 0 if known is None or lacking is None else known - lacking)
    prepare = partial(prepare_page, label, source.name, state.index_replies, on_invalid)
    await _run(run, run_id, writer, source.pages(wanted), prepare)
    asked = Interval(
        0, intervals.earliest(source.total_rows, limit)
    )  # what it said of its size first may have been wrong
    complete = not intervals.missing(asked, await reader.coverage())
    return run.report(complete, [*notes, *source.notes])


async def ingest_matches(
    source: FilteringSource,
    expression: Expression,
    where: str,
    reader: Reader,
    writer: Writer,
    label: Label,
    *,
    limit: int | None = None,
    on_invalid: OnInvalid = "keep",
    on_progress: OnProgress | None = None,
) -> SyncReport:
    """Store what the store lacks of the rows that a remote's filter gives, all or the first ``limit`` of them.

    Args:
        expression: which rows these are; remembered as covered once all of them are held.
        where: the same in the filter's own words.

    Raises:
        DatasetMismatchError: the store holds another data set or revision.
        InvalidRowError: with ``on_invalid="raise"``, at the first row that fails validation.
        RemoteError: the remote did not deliver. What was stored before stays, and the next run goes on there.
    """
    state, notes = checked_state(source, await reader.state(), index_replies=False)
    tally = await tally_of(reader, expression, where, source.name)
    if tally.covers(limit):
        return _Run(on_progress, source, tally.done_rows, tally.done_rows).report(True, notes)
    state, run_id = await writer.begin(state, source.name, rows=None)
    run = _Run(on_progress, source, limit, min(tally.done_rows, limit or tally.done_rows))
    prepare = partial(prepare_matches, label, tally, state.index_replies, on_invalid)
    matches = _limited(source.matches(where, tally.done_rows), run, limit)
    await _run(run, run_id, writer, matches, prepare)
    return run.report(tally.covers(limit), [*notes, *source.notes])


async def _limited(matches: AsyncIterator[Matches], run: _Run, limit: int | None) -> AsyncIterator[Matches]:
    async with aclosing(matches) as pages:  # type: ignore[type-var]  # it is a generator
        async for found in pages:
            run.total = found.total if limit is None else min(limit, found.total)
            yield found
            if limit is not None and found.offset + len(found.rows) >= limit:
                return


async def _run(
    run: _Run, run_id: int, writer: Writer, delivered: AsyncIterator[T], prepare: Callable[[T], PreparedPage]
) -> None:
    """Store what is delivered, and close the run however it ends."""
    run.tell("reading")
    try:
        await _transfer(delivered, prepare, writer, run, run_id)
    except BaseException as error:
        # An anyio group wraps what a part of it raised; users get the error itself, whatever the closing meets besides.
        error = _single(error)
        with suppress(LmsysStoreError):
            await _close(run, run_id, type(error).__name__, writer)
        raise error from error.__cause__
    await _close(run, run_id, "complete", writer)
    run.tell("done")


async def _close(run: _Run, run_id: int, outcome: str, writer: Writer) -> None:
    with anyio.CancelScope(shield=True):
        run.tell("finishing")
        await writer.end(run_id, outcome, run.source.total_rows)
        await writer.settle(changed=bool(run.added or run.rejected))


def checked_state(
    source: Source, held: StoreState | None, *, index_replies: bool
) -> tuple[StoreState, tuple[str, ...]]:
    """The store's state, or an empty store's to be; notes on what cannot be as asked.

    Raises:
        DatasetMismatchError: the store holds another data set or revision.
    """
    identity, notes = source.identity, tuple(source.notes)
    if held is None:
        licence, licence_url = identity.licence or (None, None)
        state = StoreState(
            dataset=identity.dataset,
            config=identity.config,
            split=identity.split,
            revision=identity.revision,
            total_rows=source.total_rows,
            licence=licence,
            licence_url=licence_url,
            index_replies=index_replies,
            seq=0,
            generation=0,
            first_fetch=None,
            last_fetch=None,
        )
        return state, notes
    theirs = (identity.dataset, identity.config, identity.split, identity.revision)
    ours = (held.dataset, held.config, held.split, held.revision)
    if theirs != ours:
        raise DatasetMismatchError(
            f"the store holds {' '.join(ours)}, the source is {' '.join(theirs)}; one store holds one data set at one "
            "revision: sync this source to a second store with --store OTHER.db"
        )
    if index_replies and not held.index_replies:
        notes += ("replies are not indexed: the store was first synced without --index-replies",)
    return held, notes


def _single(error: BaseException) -> BaseException:
    """The one error of a group that holds one (cancellations of the other half are not errors)."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _transfer(
    delivered: AsyncIterator[T],
    prepare: Callable[[T], PreparedPage],
    writer: Writer,
    run: _Run,
    run_id: int,
) -> None:
    send_page, pages = anyio.create_memory_object_stream[T](0)
    send_prepared, prepared = anyio.create_memory_object_stream[PreparedPage](PAGES_IN_FLIGHT)
    faults: list[LmsysStoreError] = []
    async with anyio.create_task_group() as group, prepared:
        group.start_soon(_read, delivered, send_page, faults)
        group.start_soon(_prepare, pages, send_prepared, prepare, faults)
        group.start_soon(_tell_waits, run)
        async for page in prepared:
            run.add(await writer.store_page(page, run_id), page.byte_count)
        group.cancel_scope.cancel()  # of what is left only the telling
    if faults:
        raise faults[0]


async def _tell_waits(run: _Run) -> None:
    """Tell progress while no page comes: why, and that there still is a run."""
    while True:
        await anyio.sleep(WAITING_SECONDS)
        run.tell("reading")


async def _read(delivered: AsyncIterator[T], send: MemoryObjectSendStream[T], faults: list[LmsysStoreError]) -> None:
    """Send every page; a fault ends the stream and is told afterwards, so that the pages before it are kept."""
    async with send, aclosing(delivered) as pages:  # type: ignore[type-var]  # every source's is a generator
        try:
            async for page in pages:
                await send.send(page)
        except LmsysStoreError as error:
            faults.append(error)
        except anyio.BrokenResourceError:
            pass  # the next step met a fault, and tells it


async def _prepare(
    pages: MemoryObjectReceiveStream[T],
    send: MemoryObjectSendStream[PreparedPage],
    prepare: Callable[[T], PreparedPage],
    faults: list[LmsysStoreError],
) -> None:
    async with pages, send:
        try:
            async for page in pages:
                await send.send(await to_thread.run_sync(prepare, page))
        except LmsysStoreError as error:
            faults.append(error)


def prepare_page(label: Label, source: str, index_replies: bool, on_invalid: OnInvalid, page: Page) -> PreparedPage:
    """Validate, label and encode one page; its digest is over what is stored of it."""
    numbered = enumerate(page.rows, page.start)
    interval = Interval(page.start, page.stop)
    return _prepared(label, interval, source, numbered, page.byte_count, index_replies, on_invalid)


def prepare_matches(
    label: Label, tally: Tally, index_replies: bool, on_invalid: OnInvalid, found: Matches
) -> PreparedPage:
    """Validate, label and encode one page of matches."""
    page = _prepared(label, None, tally.source, found.rows, found.byte_count, index_replies, on_invalid)
    return replace(page, progress=tally.after(found))


def _prepared(
    label: Label,
    interval: Interval | None,
    source: str,
    numbered: Iterable[tuple[int, object]],
    byte_count: int,
    index_replies: bool,
    on_invalid: OnInvalid,
) -> PreparedPage:
    rejects: list[Reject] = []
    rows = label(list(valid_rows(numbered, source, rejects, on_invalid)))
    return encoded(interval, source, rows, rejects, byte_count, index_replies)


def encoded(
    interval: Interval | None,
    source: str,
    rows: Iterable[CheckedRow],
    rejects: Sequence[Reject],
    byte_count: int,
    index_replies: bool,
) -> PreparedPage:
    """Encode valid rows as a page."""
    prepared = prepared_page(interval, source, rows, index_replies=index_replies)
    digest = hashlib.sha256("".join(prepared.records).encode()).hexdigest()
    return replace(prepared, rejects=rejects, digest=digest, byte_count=byte_count)


def valid_rows(
    numbered: Iterable[tuple[int, object]], source: str, rejects: list[Reject], on_invalid: OnInvalid
) -> Iterator[CheckedRow]:
    """The rows that are conversations; the others go to ``rejects``, or the first of them is raised."""
    for row_index, row in numbered:
        try:
            if isinstance(row, BrokenRow):
                raise InvalidRowError(row.reason)
            yield checked_row(row, row_index)
        except InvalidRowError as error:
            if on_invalid == "raise":
                raise InvalidRowError(
                    f"row {row_index} of {source}: {error}; sync without on_invalid='raise' to set it aside"
                ) from None
            rejects.append(Reject(row_index, str(error), raw_json(row.raw if isinstance(row, BrokenRow) else row)))
