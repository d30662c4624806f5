"""The default analysis of a domain, kept in the store: made once, then a look-up.

What a consumer asks in a loop must not read a hundred thousand rows each time. What is kept knows whether the store has
changed since.
"""

import math
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from lmsys_store.errors import StoreReadOnlyError
from lmsys_store.query import Query
from lmsys_store.vocabulary import DOMAINS

if TYPE_CHECKING:
    from lmsys_store.analyze.report import PatternReport
    from lmsys_store.store import AsyncStore

CONSUMER_DOMAINS: Final = (
    "software-development", "content-creation", "data-analysis", "customer-service", "healthcare", "legal", "finance",
    "education", "general", "coding", "creative-writing", "marketing", "ai-development", "communication",
)  # fmt: skip
"""The names PromptLoop uses for domains."""
_NAME: Final = "patterns/"


async def analyze_domain(
    store: "AsyncStore", domain: str, *, refresh: bool = False, deadline: float | None = None
) -> "PatternReport":
    """The default analysis of a domain's stored rows, backed by all rows where they are too few; kept in the store.

    A kept one is a look-up. If the store has changed since, its caveats say so.

    Args:
        store: open, with rows.
        domain: one of ours, or of the consumer's names.
        refresh: make it anew, if the store has changed since. In a place that cannot be written it is made each time.
        deadline: seconds; what must be made is then made of the rows read by then; cut, it says so and is not kept.

    Raises:
        QueryError: no such domain.
        MissingExtraError: it must be made, and scipy is not installed.
    """
    query = Query.of(domain=domain)
    kept = await _kept(store, query, only_current=refresh)
    if kept is not None:
        return kept
    if deadline is not None:
        return await _made_by(store, query, domain, time.monotonic() + deadline)
    everything = await _kept(store, Query(), only_current=True) or await _made(store, Query(), None, None)
    return await _made(store, query, domain, everything)


async def keep_analyses(store: "AsyncStore", domains: Iterable[str] = (*CONSUMER_DOMAINS, *DOMAINS)) -> None:
    """Make the default analysis of each domain anew where the store has changed: for ``sync(after=[keep_analyses])``."""
    for domain in domains:
        await analyze_domain(store, domain, refresh=True)


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

    announced = await _announced(store, query)
    report, whole = await _folded(store, query, domain, end)
    if not whole:
        cut = f"cut at its deadline after {report.rows:,} rows: make it whole with lmsys-store analyze --keep"
        return report.model_copy(update={"caveats": (cut, *report.caveats)})
    everything = await _kept(store, Query(), only_current=True)
    if everything is None:
        everything, whole = await _folded(store, Query(), ALL_ROWS, end)
    if not whole:
        return report
    return await _keep(store, query, report.backed_by(everything), announced)


async def _made(
    store: "AsyncStore", query: Query, domain: str | None, everything: "PatternReport | None"
) -> "PatternReport":
    from lmsys_store.analyze.report import ALL_ROWS

    announced = await _announced(store, query)
    report, _ = await _folded(store, query, ALL_ROWS if domain is None else domain, math.inf)
    if everything is not None:
        report = report.backed_by(everything)
    return await _keep(store, query, report, announced)


async def _folded(store: "AsyncStore", query: Query, level: str, end: float) -> "tuple[PatternReport, bool]":
    """The analysis of the stored rows that can be read until then, and whether those are all."""
    from lmsys_store.analyze.patterns import Patterns

    patterns = Patterns(level)
    async for page in store.select(query, fallback="cache").pages():
        patterns.update(page)
        if time.monotonic() > end:
            return patterns.result(), False
    return patterns.result(), True


async def _announced(store: "AsyncStore", query: Query) -> int | None:
    """Say that an analysis is being made; None in a place that cannot be written: then it is made each time."""
    try:
        return await store.announce(_NAME + query.digest)
    except StoreReadOnlyError:
        return None


async def _keep(store: "AsyncStore", query: Query, report: "PatternReport", announced: int | None) -> "PatternReport":
    if announced is not None:
        await store.remember(_NAME + query.digest, report.model_dump(mode="json"), announced=announced)
    return report
