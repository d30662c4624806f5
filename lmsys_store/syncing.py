"""One sync of a store: which source, what plan, the ingest of it. Runs under the store's sync lock, and ends."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lmsys_store import ingest, intervals
from lmsys_store.errors import DatasetMismatchError, QueryError
from lmsys_store.fallback import covering_predicate
from lmsys_store.ingest import Label, OnInvalid, OnProgress, SyncReport
from lmsys_store.intervals import Interval
from lmsys_store.query import Query
from lmsys_store.remote import Remote
from lmsys_store.sources.base import REMOTE_ROWS, Source
from lmsys_store.sources.matching import MatchingFiles
from lmsys_store.sources.where import RemotePart, remote_part
from lmsys_store.storage.reader import EMPTYING, Reader, StoreState
from lmsys_store.storage.writer import Writer
from lmsys_store.tally import tally_of

if TYPE_CHECKING:
    from lmsys_store.sources.viewer import ViewerSource

MANY_PAGED_ROWS: Final = 50_000
"""From so many rows on the data set's files are the quicker way."""
_ROW_BYTES: Final = 3100
"""On disk, measured on 100,000 rows of the data set's shape, full-text index over prompts included."""


@dataclass(frozen=True)
class SyncPlan:
    """What a sync is about to do. What cannot be known is None; ``drops`` are rows that a restart removes first."""

    source: str
    rows: int | None
    held: int
    requests: int | None
    minutes: float | None
    disk_bytes: int | None
    free_bytes: int
    drops: int = 0
    notes: tuple[str, ...] = ()


@dataclass
class SyncJob:
    """The arguments of one sync, and its steps."""

    reader: Reader
    writer: Writer
    remote: Remote
    label: Label
    path: Path
    limit: int | None
    index_replies: bool
    on_invalid: OnInvalid
    restart: bool
    dry_run: bool
    on_plan: Callable[[SyncPlan], None] | None
    on_progress: OnProgress | None
    _started: float = field(default_factory=time.monotonic)

    async def of_source(self, source: Source) -> SyncReport:
        """Sync from a source that is open already, and close it."""
        try:
            state = await self.reader.state()
            asked = Interval(0, intervals.earliest(source.total_rows, self.limit))
            covered = [] if self.restart else await self.reader.coverage()
            lacking = intervals.size(intervals.missing(asked, covered))
            known = asked.stop < intervals.UNKNOWN_END
            await self._tell(source, lacking if known else None, asked.stop - lacking)
            if self.dry_run:
                return self._nothing_done(source, lacking == 0)
            await self._empty(source, state)
            return await ingest.ingest(
                source,
                self.reader,
                self.writer,
                self.label,
                limit=self.limit,
                index_replies=self.index_replies,
                on_invalid=self.on_invalid,
                on_progress=self.on_progress,
            )
        finally:
            await source.aclose()

    async def of_remote(self) -> SyncReport:
        """Sync from the remote by whole ranges, or from the Hub's own cache of it."""
        state = await self.reader.state()
        self.remote.require(state)
        cached = await self.remote.cached_files(state, any_revision=self.restart)
        if cached is not None:
            return await self.of_source(cached)
        missing = await self._missing(state, self.limit)
        if not missing:
            return SyncReport(
                0, 0, intervals.earliest(state.total_rows if state else 0, self.limit), 0, 0.0, 0, 0, True
            )
        source = await self.remote.open(state, missing[0], any_revision=self.restart)
        return await self.of_source(source)

    async def of_matches(self, query: Query) -> SyncReport:
        """Sync the rows of a query through the remote's filter, or from the Hub's own cache of it."""
        part = remote_part(query.expression)
        if not part:
            raise QueryError(
                "the remote can filter by model, language, turn, redacted and conversation_id only: sync without these "
                "filters, then select with them"
            )
        state = await self.reader.state()
        self.remote.require(state)
        if state is not None and not self.restart:
            if not await self._missing(state) or await covering_predicate(self.reader, query) is not None:
                return SyncReport(0, 0, await self.reader.count(query, state), 0, 0.0, 0, 0, True)
            held = await tally_of(self.reader, part.expression, part.where, "")
            if held.covers(self.limit):
                return SyncReport(0, 0, held.done_rows, 0, 0.0, 0, 0, True)
        source = await self._filtering(state, part)
        try:
            if Query(part.expression).digest != query.digest:
                source.notes.append(f"fetched by what the remote can filter: {Query(part.expression)}")
            tally = await tally_of(self.reader, part.expression, part.where, source.name)
            if not tally.covers(self.limit):
                total = intervals.earliest(await source.match_count(part.where), self.limit)
                await self._tell(source, max(total - tally.done_rows, 0), tally.done_rows, filtered=True)
            if self.dry_run:
                return self._nothing_done(source, tally.covers(self.limit))
            await self._empty(source, state)
            return await ingest.ingest_matches(
                source,
                part.expression,
                part.where,
                self.reader,
                self.writer,
                self.label,
                limit=self.limit,
                on_invalid=self.on_invalid,
                on_progress=self.on_progress,
            )
        finally:
            await source.aclose()

    async def _filtering(self, state: StoreState | None, part: RemotePart) -> "ViewerSource | MatchingFiles":
        cached = await self.remote.cached_files(state, any_revision=self.restart)
        if cached is not None:
            return MatchingFiles(cached, Query(part.expression))
        return await self.remote.open(state, Interval(0, 1), any_revision=self.restart)

    async def _missing(self, state: StoreState | None, limit: int | None = None) -> list[Interval]:
        """What is missing of the first ``limit`` rows, as far as the store knows the split's size."""
        if state is None or self.restart or state.revision == EMPTYING:
            return [Interval(0, intervals.earliest(None, limit))]
        asked = Interval(0, intervals.earliest(state.total_rows, limit))
        return intervals.missing(asked, await self.reader.coverage())

    async def _empty(self, source: Source, state: StoreState | None) -> None:
        """Empty the store for a restart, or go on with an emptying that was cut short."""
        if state is None or not (self.restart or state.revision == EMPTYING):
            return
        identity = source.identity
        if (identity.dataset, identity.config, identity.split) != (state.dataset, state.config, state.split):
            raise DatasetMismatchError(
                f"the store holds {state.dataset} {state.config} {state.split}, the source is {identity.dataset} "
                f"{identity.config} {identity.split}; a restart keeps the data set: use a second store with --store OTHER.db"
            )
        fresh, _ = ingest.checked_state(source, None, index_replies=self.index_replies or state.index_replies)
        await self.writer.restart(fresh)

    def _nothing_done(self, source: Source, complete: bool) -> SyncReport:
        seconds = time.monotonic() - self._started
        return SyncReport(0, 0, 0, 0, seconds, source.requests, 0, complete, tuple(source.notes))

    async def _tell(self, source: Source, rows: int | None, held: int, *, filtered: bool = False) -> None:
        if self.on_plan is None:
            return
        stored = (await self.reader.totals())["rows"]
        paged = source.requests > 0
        requests = -(-rows // REMOTE_ROWS) if paged and rows is not None else None
        row_bytes = self.path.stat().st_size / stored if stored > 1000 else _ROW_BYTES
        plan = SyncPlan(
            source=source.name,
            rows=rows,
            held=held,
            requests=requests,
            minutes=None if requests is None else self._minutes(requests),
            disk_bytes=None if rows is None else round(rows * row_bytes),
            free_bytes=shutil.disk_usage(self.path.parent).free,
            drops=stored if self.restart else 0,
            notes=_quicker(source, rows) if paged and rows is not None and not filtered else (),
        )
        self.on_plan(plan)

    def _minutes(self, requests: int) -> float:
        """At the pace of the requests so far: the first page and what was asked beside it."""
        elapsed = time.monotonic() - self._started
        return requests * elapsed / max(self.remote.client.allowed, 1) / 60


def _quicker(source: Source, rows: int) -> tuple[str, ...]:
    if rows <= MANY_PAGED_ROWS:
        return ()
    dataset = source.identity.dataset
    return (f"{rows:,} rows are quicker as files: hf download {dataset} --repo-type dataset, then lmsys-store sync",)
