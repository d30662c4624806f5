"""Rows from a source into the store: validate, encode, write, with progress. Memory is a few pages, whatever the source.

Three steps joined by bounded streams, each on a page of its own: read, validate and encode (in a worker thread), store. A
cancellation or an error at any moment leaves whole pages only, and the next run fetches what is missing.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, Literal

import anyio
from anyio import to_thread
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from lmsys_store.errors import DatasetMismatchError, InvalidRowError, LmsysStoreError
from lmsys_store.records import CheckedRow
from lmsys_store.rows import checked_row
from lmsys_store.sources.base import BrokenRow, Page, Source
from lmsys_store.storage import coverage
from lmsys_store.storage.coverage import Interval
from lmsys_store.storage.pages import PreparedPage, prepared_page
from lmsys_store.storage.reader import Reader, Reject, StoreState
from lmsys_store.storage.writer import Writer, raw_json

OnInvalid = Literal["keep", "raise"]
PAGES_IN_FLIGHT: Final = 1
PROGRESS_SECONDS: Final = 0.1
_UNKNOWN_END: Final = 2**62


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
        self.on_progress(Progress(phase, stored + self.skipped, self.total, rate, self.rejected, self.byte_count))


async def ingest(
    source: Source,
    reader: Reader,
    writer: Writer,
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
    held = await reader.state()
    state, notes = _checked_state(source, held, index_replies=index_replies)
    ends = [end for end in (source.total_rows, limit) if end is not None]
    asked = Interval(0, min(ends, default=_UNKNOWN_END))
    wanted = coverage.missing(asked, await reader.coverage())
    known = asked.stop if ends else None
    lacking = None if known is None else coverage.size(wanted)
    state, run_id = await writer.begin(state, source.name, rows=lacking)
    run = _Run(on_progress, known, 0 if known is None or lacking is None else known - lacking)
    run.tell("reading")
    try:
        await _transfer(source, wanted, writer, run, run_id, state.index_replies, on_invalid)
    except BaseException as error:
        # An anyio group wraps what a part of it raised; users get the error itself, whatever the closing meets besides.
        error = _single(error)
        with suppress(LmsysStoreError):
            await _close(run, run_id, type(error).__name__, source, writer)
        raise error from error.__cause__
    await _close(run, run_id, "complete", source, writer)
    run.tell("done")
    complete = not coverage.missing(asked, await reader.coverage())
    return SyncReport(
        run.added,
        run.rejected,
        run.skipped,
        run.turn_mismatches,
        run.seconds,
        source.requests,
        run.byte_count,
        complete,
        notes,
    )


async def _close(run: _Run, run_id: int, outcome: str, source: Source, writer: Writer) -> None:
    with anyio.CancelScope(shield=True):
        run.tell("finishing")
        await writer.end(run_id, outcome, source.total_rows)
        await writer.settle(changed=bool(run.added or run.rejected))


def _checked_state(
    source: Source, held: StoreState | None, *, index_replies: bool
) -> tuple[StoreState, tuple[str, ...]]:
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
            labels_version=None,
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
    source: Source,
    wanted: Sequence[Interval],
    writer: Writer,
    run: _Run,
    run_id: int,
    index_replies: bool,
    on_invalid: OnInvalid,
) -> None:
    send_page, pages = anyio.create_memory_object_stream[Page](0)
    send_prepared, prepared = anyio.create_memory_object_stream[PreparedPage](PAGES_IN_FLIGHT)
    faults: list[LmsysStoreError] = []
    async with anyio.create_task_group() as group, prepared:
        group.start_soon(_read, source, wanted, send_page, faults)
        prepare = partial(prepare_page, source.name, index_replies, on_invalid)
        group.start_soon(_prepare, pages, send_prepared, prepare, faults)
        async for page in prepared:
            stored = await writer.store_page(page, run_id)
            run.added += stored.added
            run.rejected += stored.rejected
            run.skipped += stored.skipped
            run.turn_mismatches += stored.turn_mismatches
            run.byte_count += page.byte_count
            run.tell("reading")
    if faults:
        raise faults[0]


async def _read(
    source: Source,
    wanted: Sequence[Interval],
    send: MemoryObjectSendStream[Page],
    faults: list[LmsysStoreError],
) -> None:
    """Send every page; a fault ends the stream and is told afterwards, so that the pages before it are kept."""
    async with send, aclosing(source.pages(wanted)) as pages:  # type: ignore[type-var]  # every source's is a generator
        try:
            async for page in pages:
                await send.send(page)
        except LmsysStoreError as error:
            faults.append(error)
        except anyio.BrokenResourceError:
            pass  # the next step met a fault, and tells it


async def _prepare(
    pages: MemoryObjectReceiveStream[Page],
    send: MemoryObjectSendStream[PreparedPage],
    prepare: Callable[[Page], PreparedPage],
    faults: list[LmsysStoreError],
) -> None:
    async with pages, send:
        try:
            async for page in pages:
                await send.send(await to_thread.run_sync(prepare, page))
        except LmsysStoreError as error:
            faults.append(error)


def prepare_page(source: str, index_replies: bool, on_invalid: OnInvalid, page: Page) -> PreparedPage:
    """Validate and encode one page; its digest is over what is stored of it."""
    rejects: list[Reject] = []
    rows = _valid(page, source, rejects, on_invalid)
    prepared = prepared_page(Interval(page.start, page.stop), source, rows, index_replies=index_replies)
    digest = hashlib.sha256("".join(prepared.messages).encode()).hexdigest()
    return replace(prepared, rejects=rejects, digest=digest, byte_count=page.byte_count)


def _valid(page: Page, source: str, rejects: list[Reject], on_invalid: OnInvalid) -> Iterator[CheckedRow]:
    """The rows of a page that are conversations; the others go to ``rejects``, or the first of them is raised."""
    for row_index, row in enumerate(page.rows, page.start):
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
