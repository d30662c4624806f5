"""The default analysis of a domain, kept in the store: made once, then a look-up.

What a consumer asks in a loop must not read a hundred thousand rows each time. What is kept knows whether the store has
changed since.
"""

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


async def analyze_domain(store: "AsyncStore", domain: str, *, refresh: bool = False) -> "PatternReport":
    """The default analysis of a domain's stored rows, backed by all rows where they are too few; kept in the store.

    A kept one is a look-up. If the store has changed since, its caveats say so.

    Args:
        store: open, with rows.
        domain: one of ours, or of the consumer's names.
        refresh: make it anew, if the store has changed since. In a place that cannot be written it is made each time.

    Raises:
        QueryError: no such domain.
        MissingExtraError: it must be made, and scipy is not installed.
    """
    query = Query.of(domain=domain)
    kept = await _kept(store, query, only_current=refresh)
    if kept is not None:
        return kept
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


async def _made(
    store: "AsyncStore", query: Query, domain: str | None, everything: "PatternReport | None"
) -> "PatternReport":
    from lmsys_store.analyze.patterns import Patterns
    from lmsys_store.analyze.report import ALL_ROWS

    name = _NAME + query.digest
    try:
        announced: int | None = await store.announce(name)
    except StoreReadOnlyError:  # then it is made each time
        announced = None
    report = await store.select(query, fallback="cache").fold(Patterns(ALL_ROWS if domain is None else domain))
    if everything is not None:
        report = report.backed_by(everything)
    if announced is not None:
        await store.remember(name, report.model_dump(mode="json"), announced=announced)
    return report
