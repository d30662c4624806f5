"""What a store says of itself: what it holds, and how it will answer a query. Reads, never asks the remote."""

from dataclasses import dataclass, replace
from pathlib import Path

from lmsys_store import intervals
from lmsys_store.fallback import covering_predicate
from lmsys_store.intervals import Interval
from lmsys_store.phases import Access
from lmsys_store.query import Query
from lmsys_store.sources.where import remote_part, without
from lmsys_store.storage.labelling import LabelImport, LabelStore
from lmsys_store.storage.reader import Predicate


@dataclass(frozen=True)
class StoreStatus:
    """What a store holds. Before the first sync all that describes a data set is None."""

    path: Path
    dataset: str | None
    config: str | None
    split: str | None
    revision: str | None
    licence: str | None
    licence_url: str | None
    rows: int
    total_rows: int | None
    rejected: int
    reject_reasons: dict[str, int]
    deleted: int
    turn_mismatches: int
    coverage: tuple[Interval, ...]
    covered_percent: float | None
    predicates: tuple[Predicate, ...]
    complete: bool
    index_replies: bool
    labels_version: str | None
    stale_labels: int
    label_imports: tuple[LabelImport, ...]
    first_fetch: str | None
    last_fetch: str | None
    last_sync: str | None
    size_bytes: int


@dataclass(frozen=True)
class Explanation:
    """How a query will be answered: what it means, what the index serves, what the store can promise, what the remote is asked.

    ``where`` is the part of the query that the remote's filter understands, ``local`` the part that it does not; ``remote``
    the request that brings missing rows, empty where none is needed or possible.
    """

    query: str
    plan: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()
    full_text: bool = False
    complete: bool = False
    remote: str = ""
    where: str = ""
    local: str = ""
    missing_rows: int | None = None
    notes: tuple[str, ...] = ()


async def status(access: Access, labels: LabelStore, version: str, path: Path) -> StoreStatus:
    """What the store holds; ``version`` is that of the labels as they would be computed now."""
    state = await access.reader.state()
    totals = await access.reader.totals()
    held = intervals.merged(await access.reader.coverage())
    total = None if state is None else state.total_rows
    return StoreStatus(
        path=path,
        dataset=None if state is None else state.dataset,
        config=None if state is None else state.config,
        split=None if state is None else state.split,
        revision=None if state is None else state.revision,
        licence=None if state is None else state.licence,
        licence_url=None if state is None else state.licence_url,
        rows=totals["rows"],
        total_rows=total,
        rejected=totals["rejected"],
        reject_reasons=await access.reader.reject_reasons(),
        deleted=totals["deleted"],
        turn_mismatches=totals["turn_mismatches"],
        coverage=tuple(held),
        covered_percent=100 * intervals.size(held) / total if total else None,
        predicates=tuple(await access.reader.predicates()),
        complete=total is not None and not intervals.missing((0, total), held),
        index_replies=state is not None and state.index_replies,
        labels_version=None if state is None else version,
        stale_labels=await labels.stale_count(version),
        label_imports=tuple(await labels.imports()),
        first_fetch=None if state is None else state.first_fetch,
        last_fetch=None if state is None else state.last_fetch,
        last_sync=await access.reader.last_run(),
        size_bytes=sum(part.stat().st_size for part in (path, Path(f"{path}-wal")) if part.exists()),
    )


async def explanation(access: Access, whole: Query) -> Explanation:
    """How a query will be answered, without answering it."""
    state = await access.reader.state()
    part = remote_part(whole.expression)
    remote = ""
    refusal = access.remote.refusal()
    unasked = () if refusal is None else (str(refusal),)
    if access.remote.has(state) and refusal is None:
        most = access.remote.settings.max_remote_rows
        remote = f"/filter where {part.where}" if part else "/rows" if whole == Query() else f"/rows, at most {most:,}"
    shape = Explanation(str(whole), remote=remote, where=part.where, local=str(without(whole.expression, part)))
    if state is None:
        return replace(shape, notes=("the store is empty: fill it with sync", *unasked))
    plan = await access.reader.plan(whole, state)
    covering = await covering_predicate(access.reader, whole)
    missing = intervals.missing((0, state.total_rows or 0), await access.reader.coverage())
    complete = covering is not None or (state.total_rows is not None and not missing)
    return replace(
        shape,
        plan=tuple(plan),
        indexes=tuple(word for line in plan for word in line.split() if word.startswith("ix_")),
        full_text=any("conversation_fts" in line for line in plan),
        complete=complete,
        remote="" if complete else shape.remote,
        missing_rows=0 if complete else intervals.size(missing),
        notes=(*access.notes, *await access.reader.unknown_values(whole), *(() if complete else unasked)),
    )
