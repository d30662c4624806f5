"""Syncs against a stand-in, and what must be true of them: which rows were asked for, what a store covers, what it holds."""

import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any, Final

from lmsys_store import AsyncStore
from lmsys_store.ingest import SyncReport
from lmsys_store.intervals import Interval, merged, missing
from lmsys_store.settings import Settings
from tests.embedding.running import contents
from tests.standin import GeneratedRows, Script, StandIn
from tests.standin.faults import Rule


def short(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with short messages: what is tested here does not depend on their length."""
    messages = [{**message, "content": message["content"][:60]} for message in row["conversation"][:4]]
    return {**row, "conversation": messages, "turn": len(messages) // 2}


ROWS: Final = [short(row) for row in GeneratedRows(450, moderation=False)]
PAGES: Final = (0, 100, 200, 300, 400)
"""Where the pages of ``ROWS`` begin; the last has 50."""
TOKEN: Final = "hf_AvErYsEcReTtOkEn"
VERDICTS: Final = {TOKEN: 200}
OTHER: Final = "b" * 40
"""A revision that no stand-in has by itself."""


def stand_in(*rules: Rule, **options: Any) -> StandIn:
    """A gated stand-in of ``ROWS`` with a script of faults."""
    return StandIn(**{"rows": ROWS, "tokens": VERDICTS, "script": Script(*rules), **options})


def settings(standin: StandIn, **changes: Any) -> Settings:
    """The stand-in as the remote, and waits short enough for a test."""
    given: dict[str, Any] = {
        "viewer_url": standin.url, "hub_url": standin.hub_url, "offline": False, "backoff_seconds": 0.02,
        "rate_wait_seconds": 0.05, "poll_seconds": 0.02, "pace_seconds": 0.005,
    }  # fmt: skip
    return Settings(**given | changes)


async def synced(path: Path, standin: StandIn, changes: dict[str, Any] | None = None, **options: Any) -> SyncReport:
    """One sync of the store at ``path``; ``changes`` are of the settings, ``options`` of the sync."""
    async with AsyncStore(path, settings=settings(standin, **changes or {})) as store:
        return await store.sync(**options)


def asked(standin: StandIn, endpoint: str = "/rows", since: int = 0) -> list[tuple[int, int]]:
    """Offset and length of every request to an endpoint, ascending; ``since`` leaves out the first so many of the log."""
    calls = [seen.params for seen in standin.log[since:] if seen.endpoint == endpoint]
    return sorted((int(call.get("offset", 0)), int(call.get("length", 100))) for call in calls)


def spans(standin: StandIn, since: int = 0) -> list[Interval]:
    """The row indexes that requests to ``/rows`` asked for."""
    return [Interval(offset, offset + length) for offset, length in asked(standin, since=since)]


def once_each(*more: tuple[int, int], total: int = len(ROWS)) -> Counter[tuple[int, int]]:
    """Every page of a whole sync asked for once, and these besides."""
    pages = [(start, min(100, total - start)) for start in range(0, total, 100)]
    return Counter([*pages, *more])


def overlap(one: list[Interval], other: list[Interval]) -> list[Interval]:
    """The row indexes that lie in both."""
    return [part for start, stop in merged(sorted(one)) for part in _inside(Interval(start, stop), other)]


def _inside(interval: Interval, others: list[Interval]) -> list[Interval]:
    return missing(interval, missing(interval, merged(sorted(others))))


def covered(path: Path) -> list[Interval]:
    """What a store covers, merged."""
    rows = queried(path, "SELECT start, stop FROM coverage ORDER BY start")
    return merged([Interval(*row) for row in rows])


def queried(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """The rows of an SQL query on a store file, from outside."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute(sql).fetchall()


def row_contents(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All that a store holds, but for how its coverage came about."""
    return {name: rows for name, rows in contents(path).items() if name not in ("coverage", "predicate")}


async def assert_equal(path: Path, whole: Path) -> None:
    """A sound store, with the same rows and coverage as another."""
    async with AsyncStore(path) as store:
        assert (await store.check()).problems == ()
    assert covered(path) == covered(whole)
    assert row_contents(path) == _whole_contents(whole)


@cache
def _whole_contents(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    return row_contents(path)
