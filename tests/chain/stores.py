"""Short rows, stores that hold some of them, the settings to reach a stand-in by, and what a select must give."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from lmsys_store import AsyncResults, AsyncStore, Conversation, Query, fields
from lmsys_store.intervals import Interval
from lmsys_store.labelling import Labelling
from lmsys_store.rows import checked_row
from lmsys_store.settings import Settings
from lmsys_store.storage.engine import Database
from lmsys_store.storage.pages import prepared_page
from lmsys_store.storage.reader import StoreState
from lmsys_store.storage.writer import Writer
from tests.generated import conversation
from tests.standin import GeneratedRows, StandIn

DATASET: Final = "lmsys/lmsys-chat-1m"
REVISION: Final = "a" * 40
"""The revision of every stand-in that is not told another."""
OTHER: Final = "b" * 40

COMMON: Final = "vicuna-13b"
"""The model of half of the generated rows."""
FILTERED: Final = Query.of(model=COMMON)
"""The remote's filter says all of it."""
SCANNED: Final = Query().where(fields.prompt_chars >= 60)
"""The remote's filter says nothing of it."""


def short_rows(count: int) -> list[dict[str, Any]]:
    """Generated rows with short messages, so that thousands of them are read in no time."""
    return [_short(dict(row)) for row in GeneratedRows(count, moderation=False)]


def _short(row: dict[str, Any]) -> dict[str, Any]:
    messages = [{**message, "content": message["content"][:40]} for message in row["conversation"]]
    return {**row, "conversation": messages}


def chats_of(rows: Sequence[Any]) -> list[Conversation]:
    """The rows as records."""
    return [conversation(row, number) for number, row in enumerate(rows)]


def fill(path: Path, rows: Sequence[Any], *spans: tuple[int, int], revision: str = REVISION) -> Path:
    """Store spans of the data set's rows, a page of at most 100 a transaction; without spans the store stays empty."""
    asyncio.run(_fill(path, rows, spans, revision))
    return path


async def _fill(path: Path, rows: Sequence[Any], spans: Iterable[tuple[int, int]], revision: str) -> None:
    database = Database(path)
    await database.open(create=True)
    try:
        writer, label = Writer(database), Labelling(Settings)
        for first, last in spans:
            _, run_id = await writer.begin(_state(len(rows), revision), "a test", rows=last - first)
            for start in range(first, last, 100):
                stop = min(start + 100, last)
                checked = label([checked_row(rows[number], number) for number in range(start, stop)])
                await writer.store_page(
                    prepared_page(Interval(start, stop), "a test", checked, index_replies=False), run_id
                )
            await writer.end(run_id, "complete", len(rows))
    finally:
        await database.close()


def _state(total_rows: int, revision: str) -> StoreState:
    return StoreState(
        dataset=DATASET, config="default", split="train", revision=revision, total_rows=total_rows, licence=None,
        licence_url=None, index_replies=False, seq=0, generation=0, first_fetch=None, last_fetch=None,
    )  # fmt: skip


def settings(standin: StandIn, **changes: Any) -> Settings:
    """The stand-in as the remote, and waits short enough for a test."""
    given: dict[str, Any] = {
        "viewer_url": standin.url, "hub_url": standin.hub_url, "offline": False, "backoff_seconds": 0.01,
        "rate_wait_seconds": 0.02, "poll_seconds": 0.02, "pace_seconds": 0.005, "attempts": 2,
    }  # fmt: skip
    return Settings(**given | changes)


def store_of(path: Path, standin: StandIn, **changes: Any) -> AsyncStore:
    """A store whose remote is the stand-in."""
    return AsyncStore(path, settings=settings(standin, **changes))


def offline(path: Path) -> AsyncStore:
    """A store that must not ask any remote."""
    return AsyncStore(path, settings=Settings(offline=True))


async def indexes(results: AsyncResults, count: int | None = None) -> list[int]:
    """The row indexes that an iteration gives, in its order: all, or broken off after ``count``."""
    found: list[int] = []
    async for chat in results:
        found.append(chat.row_index)
        if len(found) == count:
            break
    return found


def matching(chats: Iterable[Conversation], query: Query) -> list[int]:
    """The row indexes of a query's rows, ascending."""
    return [chat.row_index for chat in chats if query.matches(chat)]


def in_chain_order(chats: Iterable[Conversation], query: Query, *held: tuple[int, int]) -> list[int]:
    """The row indexes as a select must give them: the stored ones ascending, then the missing ones ascending."""
    found = matching(chats, query)
    stored = [number for number in found if any(start <= number < stop for start, stop in held)]
    return stored + [number for number in found if number not in set(stored)]


def asked(standin: StandIn, since: int = 0) -> list[tuple[str, int]]:
    """Endpoint and offset of every request, in their order; ``since`` leaves out the first so many."""
    return [(seen.endpoint, int(seen.params.get("offset", 0))) for seen in standin.log[since:]]


def asked_twice(standin: StandIn) -> list[tuple[str, int]]:
    """The pages that more than one request asked for."""
    return [page for page, count in Counter(asked(standin)).items() if count > 1]
