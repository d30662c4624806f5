"""The default analysis of a domain, kept in the store: made once, then a look-up.

What a consumer asks in a loop must not read a hundred thousand rows each time. What is kept knows whether the store has
changed since.
"""

import math
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from anyio import to_thread

from lmsys_store.errors import StoreBusyError, StoreFullError, StoreReadOnlyError
from lmsys_store.query import CLEAR_DOMAIN, Query
from lmsys_store.vocabulary import DOMAINS

if TYPE_CHECKING:
    from lmsys_store.analyze.patterns import Patterns
    from lmsys_store.analyze.report import PatternReport
    from lmsys_store.store import AsyncStore

CONSUMER_DOMAINS: Final = (
    "software-development", "content-creation", "data-analysis", "customer-service", "healthcare", "legal", "finance",
    "education", "general", "coding", "creative-writing", "marketing", "ai-development", "communication",
)  # fmt: skip
"""The names PromptLoop uses for domains."""
_NAME: Final = "patterns/"
_WAIT: Final = 0.5
"""Seconds that another writer is waited for where the report is asked for, not that it be kept."""
_LONG_WAIT: Final = 10.0


def clear_query(domain: str) -> Query:
    """The rows of a domain without those that are of it by a hair."""
    return Query.of(domain=domain, min_domain_score=CLEAR_DOMAIN)


async def analyze_domain(
    store: "AsyncStore", domain: str, *, refresh: bool = False, deadline: float | None = None
) -> "PatternReport":
    """The default analysis of a domain's stored rows, backed by all rows where they are too few; kept in the store.

    A kept one is a look-up. If the store has changed since, its caveats say so.

    Args:
        store: open, with rows.
        domain: one of ours, or of the consumer's names.
        refresh: make it anew, if the store has changed since. Where it cannot be kept (the place cannot be written or is full,
            another writer holds the store) it is made each time.
        deadline: seconds; what must be made is then made of the rows read by then; cut, it says so and is not kept.

    Raises:
        QueryError: no such domain.
        MissingExtraError: it must be made, and scipy is not installed.
    """
    query = clear_query(domain)
    kept = await _kept(store, query, only_current=refresh)
    if kept is not None:
        return kept
    if deadline is not None:
        return await _made_by(store, query, domain, time.monotonic() + deadline)
    return await _made(store, query, domain, must_keep=False)


async def keep_analyses(store: "AsyncStore", domains: Iterable[str] = (*CONSUMER_DOMAINS, *DOMAINS)) -> None:
    """Make the default analysis of each domain anew where the store has changed: for ``sync(after=[keep_analyses])``.

    Raises:
        StoreReadOnlyError, StoreBusyError, StoreFullError: an analysis cannot be kept; none is made in vain.
        QueryError, MissingExtraError: as of :func:`analyze_domain`.
    """
    for domain in domains:
        query = clear_query(domain)
        if await _kept(store, query, only_current=True) is None:
            await _made(store, query, domain, must_keep=True)


async def _kept(store: "AsyncStore", query: Query, *, only_current: bool) -> "PatternReport | None":
    from lmsys_store.analyze.report import VERSION, PatternReport

    found = await store.recall(_NAME + query.digest)
    if found is None or found.value.get("version") != VERSION or (only_current and not found.current):
        return None
    report = PatternReport.model_validate(found.value)
    if found.current:
        return report
    changed = (
        f"made {found.kept_at}, and rows or labels were stored since: make it anew with lmsys-store analyze --keep"
    )
    return report.model_copy(update={"caveats": (changed, *report.caveats)})


async def _made_by(store: "AsyncStore", query: Query, domain: str, end: float) -> "PatternReport":
    """The analysis of the rows that can be read until then, backed by all rows if there is time for them too; kept if whole."""
    from lmsys_store.analyze.report import ALL_ROWS

    announced = await _announced(store, query, _until(end))
    patterns, whole = await _read(store, query, domain, end)
    report = await to_thread.run_sync(patterns.result)
    if not whole:
        cut = f"cut at its deadline after {report.rows:,} rows: make it whole with lmsys-store analyze --keep"
        return report.model_copy(update={"caveats": (cut, *report.caveats)})
    everything = await _kept(store, Query(), only_current=True)
    if everything is None:
        patterns, whole = await _read(store, Query(), ALL_ROWS, end)
        if not whole:
            return report
        everything = await to_thread.run_sync(patterns.result)
    report = report.backed_by(everything)
    await _keep(store, query, report, announced, _until(end))
    return report


def _until(end: float) -> float:
    return min(max(end - time.monotonic(), 0.0), _WAIT)


async def _made(store: "AsyncStore", query: Query, domain: str, *, must_keep: bool) -> "PatternReport":
    """The analysis of a domain, backed by that of all rows, which is kept as well.

    Raises:
        StoreReadOnlyError, StoreBusyError, StoreFullError: it cannot be kept, and must be.
    """
    from lmsys_store.analyze.report import ALL_ROWS

    everything = await _kept(store, Query(), only_current=True)
    if everything is None:
        everything = await _made_whole(store, Query(), ALL_ROWS, None, must_keep)
    return await _made_whole(store, query, domain, everything, must_keep)


async def _made_whole(
    store: "AsyncStore", query: Query, level: str, everything: "PatternReport | None", must_keep: bool
) -> "PatternReport":
    wait = _LONG_WAIT if must_keep else _WAIT
    while True:
        announced = await _announced(store, query, wait, must_keep)
        patterns, _ = await _read(store, query, level, math.inf)
        report = await to_thread.run_sync(patterns.result)
        if everything is not None:
            report = report.backed_by(everything)
        if await _keep(store, query, report, announced, wait, must_keep) or not must_keep:
            return report  # else rows were deleted meanwhile: it may quote them, and is made anew without them


async def _read(store: "AsyncStore", query: Query, level: str, end: float) -> "tuple[Patterns, bool]":
    """The patterns of the stored rows that can be read until then, and whether those are all."""
    from lmsys_store.analyze.patterns import Patterns

    patterns = Patterns(level)
    async for page in store.select(query, fallback="cache").pages():
        await to_thread.run_sync(patterns.update, page)
        if time.monotonic() > end:
            return patterns, False
    return patterns, True


async def _announced(store: "AsyncStore", query: Query, wait: float, must_keep: bool = False) -> int | None:
    """Say that an analysis is being made; None where it cannot be kept: then it is made each time."""
    try:
        return await store.announce(_NAME + query.digest, wait=wait)
    except (StoreReadOnlyError, StoreBusyError, StoreFullError):
        if must_keep:
            raise
        return None


async def _keep(
    store: "AsyncStore",
    query: Query,
    report: "PatternReport",
    announced: int | None,
    wait: float,
    must_keep: bool = False,
) -> bool:
    """Keep a report that was announced, if that can be; gives whether it is kept."""
    if announced is None:
        return False
    value = report.model_dump(mode="json")
    try:
        return await store.remember(_NAME + query.digest, value, announced=announced, wait=wait)
    except (StoreReadOnlyError, StoreBusyError, StoreFullError):
        if must_keep:
            raise
        return False
