"""A chain cut after any row and resumed by its token in another process gives what an uninterrupted one gives (C9)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lmsys_store import Conversation, Query, fields
from tests.chain.processes import answer
from tests.chain.stores import (
    FILTERED,
    SCANNED,
    chats_of,
    fill,
    in_chain_order,
    indexes,
    offline,
    settings,
    short_rows,
    store_of,
)
from tests.contract.filling import copy_store
from tests.standin import Script, StandIn, rule, serving
from tests.standin.faults import error, html

pytestmark = pytest.mark.anyio

ROWS = short_rows(2000)
HELD = ((300, 600), (900, 1000))
BOTH = FILTERED.where(fields.prompt_chars >= 60)
"""A part for the remote's filter, and a part that is matched here."""
QUERIES = {"all rows": Query(), "scanned": SCANNED, "filtered": FILTERED, "filtered and matched": BOTH}
FAR = 5000
"""``max_remote_rows`` that let a scan reach the end."""


@pytest.fixture(scope="module")
def chats() -> list[Conversation]:
    return chats_of(ROWS)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that covers the intervals of ``HELD``."""
    return fill(tmp_path_factory.mktemp("made") / "store.db", ROWS, *HELD)


@pytest.fixture(scope="module")
def standin() -> Iterator[StandIn]:
    with serving(StandIn(ROWS)) as standin:
        yield standin


@pytest.fixture
def hesitant() -> Iterator[StandIn]:
    """A remote whose index gets ready while it is asked, anew for every client."""
    with serving(StandIn(ROWS, index_ready_after=3)) as standin:
        yield standin


def whole_of(chats: list[Conversation], name: str) -> tuple[list[int], int]:
    """What an uninterrupted select gives, and how many of it are stored at its start."""
    whole = in_chain_order(chats, QUERIES[name], *HELD)
    stored = sum(any(start <= number < stop for start, stop in HELD) for number in whole)
    assert 50 < stored < len(whole) - 250
    return whole, stored


def seams(whole: list[int], stored: int) -> list[int]:
    """After how many rows to cut: around the seams of pages and phases, and in between."""
    return [1, stored, stored + 57, len(whole)]


@dataclass(frozen=True)
class Cut:
    """Where to cut an iteration, and what is done to the store before it goes on."""

    name: str
    count: int
    limit: int | None = None
    sync: Mapping[str, Any] | None = None

    async def begun(self, path: Path, standin: StandIn) -> tuple[list[int], str]:
        """The first rows, and the token saved inside the loop's body at the last of them."""
        async with store_of(path, standin, max_remote_rows=FAR) as store:
            results = store.select(QUERIES[self.name], fallback="remote")
            results = results if self.limit is None else results.limit(self.limit)
            rows = await indexes(results, self.count)
            assert results.token is not None
            return rows, results.token


async def joined(made: Path, folder: Path, standin: StandIn, cuts: list[Cut]) -> list[tuple[list[int], bool]]:
    """For every cut: the rows before it and after it, those in another process, and whether that one says complete."""
    before, iterations = [], []
    for number, cut in enumerate(cuts):
        path = copy_store(made, folder / f"{number}.db")
        rows, token = await cut.begun(path, standin)
        before.append(rows)
        if cut.sync is not None:
            async with store_of(path, standin) as store:
                await store.sync(**cut.sync)
        query = QUERIES[cut.name].to_json()
        iterations.append({"store": str(path), "token": token, "query": query, "limit": cut.limit})
    given = settings(standin, max_remote_rows=FAR).model_dump(mode="json", exclude={"path"})
    after = answer("resume", given={"settings": given, "iterations": iterations})
    return [(rows + rest["rows"], rest["complete"]) for rows, rest in zip(before, after, strict=True)]


@pytest.mark.parametrize("name", QUERIES)
async def test_the_halves_join_to_the_whole(
    name: str, made: Path, tmp_path: Path, standin: StandIn, chats: list[Conversation]
) -> None:
    whole, stored = whole_of(chats, name)
    for rows, complete in await joined(made, tmp_path, standin, [Cut(name, at) for at in seams(whole, stored)]):
        assert rows == whole
        assert complete is True


async def test_the_halves_join_to_the_whole_while_the_index_gets_ready(
    made: Path, tmp_path: Path, hesitant: StandIn, chats: list[Conversation]
) -> None:
    """Rows scanned while the filter was not ready, then its matches: the other process meets the same again."""
    whole, stored = whole_of(chats, "filtered")
    cuts = [Cut("filtered", at) for at in seams(whole, stored)[1:3]]
    for rows, complete in await joined(made, tmp_path, hesitant, cuts):
        assert rows == whole
        assert complete is True
    met = {(seen.endpoint, seen.status) for seen in hesitant.log}
    assert met >= {("/filter", 500), ("/rows", 200), ("/filter", 200)}


async def test_the_index_may_fail_between_two_pages_of_matches(
    made: Path, tmp_path: Path, chats: list[Conversation]
) -> None:
    """Matches, then a scan from the last of them on, then matches again."""
    whole = in_chain_order(chats, FILTERED, *HELD)
    lost = rule(error(500, "ResponseNotReady"), "filter", after=2, times=2)
    with serving(StandIn(ROWS, script=Script(lost))) as standin:
        async with store_of(copy_store(made, tmp_path / "store.db"), standin, max_remote_rows=FAR) as store:
            results = store.select(FILTERED, fallback="remote")
            assert await indexes(results) == whole
            assert results.complete is True
    assert lost.left == 0


@pytest.mark.parametrize("name", ["all rows", "scanned", "filtered"])
async def test_a_limit_counts_the_rows_of_both_halves(
    name: str, made: Path, tmp_path: Path, standin: StandIn, chats: list[Conversation]
) -> None:
    whole, stored = whole_of(chats, name)
    cuts = [Cut(name, at, limit=stored + 10) for at in (stored, stored + 5, stored + 10)]
    cuts += [Cut(name, at, limit=stored + 330) for at in (stored - 1, stored + 40)]
    for cut, (rows, complete) in zip(cuts, await joined(made, tmp_path, standin, cuts), strict=True):
        assert rows == whole[: cut.limit]
        assert complete is True


SYNCS: dict[str, dict[str, Any]] = {
    "some rows": {"limit": 800},
    "a predicate": {"query": FILTERED},
    "some of a predicate": {"query": FILTERED, "limit": 150},
    "all rows": {},
}


@pytest.mark.parametrize("sync", SYNCS)
async def test_what_another_sync_filled_meanwhile_is_not_lost_and_not_given_twice(
    sync: str, made: Path, tmp_path: Path, standin: StandIn, chats: list[Conversation]
) -> None:
    wholes = {name: whole_of(chats, name) for name in ("all rows", "scanned", "filtered")}
    cuts = [Cut(name, stored + at, sync=SYNCS[sync]) for name, (_, stored) in wholes.items() for at in (20,)]
    for cut, (rows, complete) in zip(cuts, await joined(made, tmp_path, standin, cuts), strict=True):
        assert rows == wholes[cut.name][0], cut
        assert complete is True


@pytest.mark.parametrize("name", ["all rows", "scanned", "filtered"])
async def test_rows_that_a_sync_stores_during_the_loop_come_from_the_store(
    name: str, made: Path, tmp_path: Path, chats: list[Conversation]
) -> None:
    """The loop stands at a stored row, another store fills every hole: the order stays, and nothing comes twice."""
    query = QUERIES[name]
    path = copy_store(made, tmp_path / "store.db")
    with serving(StandIn(ROWS)) as standin:
        async with store_of(path, standin, max_remote_rows=FAR) as store, store_of(path, standin) as other:
            results = store.select(query, fallback="remote")
            rows = []
            async for chat in results:
                rows.append(chat.row_index)
                if len(rows) == 3:
                    assert (await other.sync()).complete
                    since = len(standin.log)
            assert rows == in_chain_order(chats, query, *HELD)
            assert results.complete is True
            assert [seen for seen in standin.log[since:] if seen.endpoint == "/rows"] == []


@pytest.mark.parametrize("name", ["all rows", "filtered"])
async def test_a_token_resumes_without_the_remote_what_a_sync_has_stored_since(
    name: str, made: Path, tmp_path: Path, standin: StandIn, chats: list[Conversation]
) -> None:
    """C9: exactly the rows not yet yielded, also when the store has grown: it holds all of them, so nothing is to be asked."""
    path = copy_store(made, tmp_path / "store.db")
    rows, token = await Cut(name, 3).begun(path, standin)
    async with store_of(path, standin) as store:
        assert (await store.sync()).complete
    async with offline(path) as store:
        rest = await indexes(store.select(QUERIES[name], resume=token, fallback="remote"))
    assert rows + rest == whole_of(chats, name)[0]


@pytest.mark.parametrize("name", QUERIES)
async def test_the_remote_fails_in_the_middle_and_the_token_goes_on(
    name: str, made: Path, tmp_path: Path, chats: list[Conversation]
) -> None:
    """The loop ends early with real rows and says so; its last token resumes once the remote is back."""
    query, path = QUERIES[name], copy_store(made, tmp_path / "store.db")
    rules = [rule(html(503), "rows", after=4, times=4), rule(html(503), "filter", after=2, times=4)]
    with serving(StandIn(ROWS, script=Script(*rules))) as standin:
        async with store_of(path, standin, max_remote_rows=FAR, breaker_seconds=0, attempts=4) as store:
            results = store.select(query, fallback="mock")
            rows = await indexes(results)
            assert results.complete is False
            assert any("503" in note for note in results.notes)
            assert results.token is not None
            again = store.select(query, resume=results.token, fallback="mock")
            rest = await indexes(again)
    assert rows and rest and again.complete is True
    assert rows + rest == in_chain_order(chats, query, *HELD)
