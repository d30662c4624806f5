"""What a chain reports of itself (origins, notes, complete, explain), and what its rows are worth wherever they came from."""

import time
from collections import Counter
from pathlib import Path

import pytest

from lmsys_store import AsyncStore, Query, Settings
from lmsys_store.errors import NotLoadedError
from lmsys_store.labelling import Labelling
from lmsys_store.phases import MockRowsWarning, seed_conversations
from tests.chain.conftest import HELD, ROWS, Stores
from tests.chain.stores import FILTERED, SCANNED, asked, chats_of, in_chain_order, indexes, matching, offline, store_of
from tests.generated import rows, write_jsonl
from tests.standin import GeneratedRows, StandIn, serving

pytestmark = pytest.mark.anyio

CHATS = chats_of(ROWS)
LARGE = list(GeneratedRows(120))
"""Rows of the data set's own lengths, with moderation."""


# -- origins, notes, complete ------------------------------------------------------------------------------------------


async def test_the_report_follows_the_iteration(holes: Path) -> None:
    async with StandIn(ROWS) as standin, store_of(holes, standin) as store:
        results = store.select(fallback="remote")
        assert (results.origins, results.notes, results.complete, results.token) == ({}, (), None, None)
        seen = []
        async for chat in results:
            seen.append(chat.origin.value)
            assert sum(results.origins.values()) == len(seen)
            assert results.origins.get(chat.origin.value) == seen.count(chat.origin.value)
            assert results.complete is None, "unknown until the end"
        assert seen == ["cache"] * 120 + ["remote"] * 230
        assert (results.origins, results.complete) == ({"cache": 120, "remote": 230}, True)


async def test_iterating_again_starts_anew_and_resets_the_report(holes: Path) -> None:
    async with StandIn(ROWS) as standin, store_of(holes, standin) as store:
        results = store.select(fallback="remote")
        await indexes(results)
        again = aiter(results)
        await anext(again)
        assert (results.origins, results.complete) == ({"cache": 1}, None)
        assert len([chat async for chat in again]) == 349
        assert (results.origins, results.complete) == ({"cache": 350}, True)


async def test_an_iteration_broken_off_does_not_know_whether_it_is_complete(holes: Path) -> None:
    async with StandIn(ROWS) as standin, store_of(holes, standin) as store:
        results = store.select(fallback="remote")
        await indexes(results, 130)
        assert (results.complete, results.origins) == (None, {"cache": 120, "remote": 10})


async def test_pages_report_as_rows_do(holes: Path) -> None:
    async with StandIn(ROWS) as standin, store_of(holes, standin) as store:
        results = store.select(FILTERED, fallback="remote")
        pages = [[chat.row_index for chat in page] async for page in results.pages()]
        assert all(pages)
        assert [row_index for page in pages for row_index in page] == in_chain_order(CHATS, FILTERED, *HELD)
        assert sum(results.origins.values()) == len(matching(CHATS, FILTERED))
        assert results.complete is True


async def test_a_word_that_no_row_has_is_noted_and_the_remote_is_asked_all_the_same(holes: Path) -> None:
    async with StandIn(ROWS) as standin, store_of(holes, standin) as store:
        results = store.select(model="vicuna13b", fallback="remote")
        assert await indexes(results) == []
        assert results.complete is True
        assert any("did you mean 'vicuna-13b'" in note for note in results.notes), results.notes
        assert asked(standin) == [("/filter", 0)]


# -- counting and facets -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", [Query(), FILTERED, SCANNED], ids=["all rows", "filtered", "scanned"])
async def test_counts_and_facets_bring_what_is_missing_and_then_count(query: Query, holes: Path) -> None:
    wanted = matching(CHATS, query)
    async with StandIn(ROWS) as standin, store_of(holes, standin) as store:
        assert await store.select(query, fallback="cache").count() < len(wanted)
        results = store.select(query, fallback="remote")
        assert await results.count() == len(wanted)
        assert results.complete is True
        facets = await store.facet("turn", query, fallback="remote")
        assert dict(facets) == Counter(CHATS[number].turn for number in wanted)


async def test_counts_and_facets_of_seeds_agree(stores: Stores) -> None:
    """The seeds go through the same operations in memory: what is counted can also be counted by a field."""
    seeds = await seed_conversations(Labelling(Settings))
    async with offline(stores("empty")) as store:
        with pytest.warns(MockRowsWarning):
            assert await store.select(language="German", fallback="mock").count() == len(
                matching(seeds, Query.of(language="German"))
            )
        with pytest.warns(MockRowsWarning):
            facets = await store.facet("language", fallback="mock")
        assert sum(count for _, count in facets) == len(seeds)


# -- rows on their way -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", [Query(), Query.of(model="vicuna-13b"), SCANNED], ids=str)
async def test_a_row_from_the_remote_is_the_row_that_the_store_gives_later(query: Query, store_path: Path) -> None:
    async with StandIn(LARGE) as standin, store_of(store_path, standin) as store:
        fetched = [chat async for chat in store.select(query, fallback="remote", moderation=True)]
        stored = [chat async for chat in store.select(query, fallback="cache", moderation=True)]
        assert fetched and {chat.origin.value for chat in fetched} == {"remote"}
        assert [chat.model_dump(exclude={"origin"}) for chat in fetched] == [
            chat.model_dump(exclude={"origin"}) for chat in stored
        ]
        assert [chat.moderation for chat in fetched] == [chat.moderation for chat in stored]


async def test_moderation_is_loaded_where_it_is_asked_for(store_path: Path) -> None:
    async with StandIn(LARGE) as standin, store_of(store_path, standin) as store:
        plain = await store.select(fallback="remote").first()
        assert plain is not None and plain.origin.value == "remote"
        with pytest.raises(NotLoadedError):
            plain.moderation  # noqa: B018
        assert plain.moderation_summary is not None
    async with StandIn(LARGE) as standin, store_of(store_path.with_name("other.db"), standin) as store:
        full = await store.select(fallback="remote", moderation=True).first()
        assert full is not None and full.moderation is not None
        assert len(full.moderation) == len(full.messages)
        scores = LARGE[0]["openai_moderation"][0]["category_scores"]
        assert full.moderation[0].scores["hate"] == scores["hate"]


async def test_moderation_of_rows_that_another_stored_meanwhile(store_path: Path) -> None:
    """From the store instead of the remote, in the middle of one loop, with what the loop asked for."""
    async with StandIn(LARGE) as standin, store_of(store_path, standin) as store:
        found = []
        async for chat in store.select(fallback="remote", moderation=True):
            found.append(chat)
            if chat.row_index == 3:
                async with store_of(store_path, standin) as other:
                    await other.sync()
        assert [chat.row_index for chat in found] == list(range(120))
        assert all(chat.moderation is not None for chat in found)


# -- the first row -----------------------------------------------------------------------------------------------------


async def test_the_first_row_of_a_cold_store_comes_right_after_the_one_request_it_needs(tmp_path: Path) -> None:
    """At most 100 ms beside the time of the request, as the server sees it: the quickest of eight, on a busy machine."""
    over = []
    with serving(StandIn(LARGE, page_seconds=0.02)) as standin:
        for number in range(8):
            async with store_of(tmp_path / f"{number}.db", standin) as store:
                requests, started = len(standin.log), time.monotonic()
                chat = await store.select(fallback="remote").first()
                seconds = time.monotonic() - started
                assert chat is not None and len(standin.log) == requests + 1
                request = standin.log[-1]
                over.append(seconds - ((request.ended or started) - request.started))
    assert min(over) <= 0.1, over


# -- explain -----------------------------------------------------------------------------------------------------------


async def test_explain_says_what_would_be_asked_and_asks_nothing(holes: Path) -> None:
    mixed = FILTERED.where(*[SCANNED])
    async with StandIn(ROWS) as standin, store_of(holes, standin, max_remote_rows=1500) as store:
        everything = await store.explain()
        filtered = await store.explain(FILTERED)
        scanned = await store.explain(SCANNED)
        both = await store.explain(mixed)
        assert standin.log == []
    assert everything.remote.startswith("/rows") and everything.missing_rows == 230
    assert (filtered.where, filtered.local) == ("\"model\"='vicuna-13b'", str(Query()))
    assert filtered.remote.startswith("/filter") and filtered.where in filtered.remote
    assert (scanned.where, scanned.local) == ("", str(SCANNED))
    assert "/rows" in scanned.remote and "1,500" in scanned.remote
    assert (both.where, both.local) == (filtered.where, scanned.local)
    assert not any(one.complete for one in (everything, filtered, scanned, both))


async def test_explain_says_that_the_store_has_it_all(stores: Stores) -> None:
    async with StandIn(ROWS) as standin, store_of(stores("complete"), standin) as store:
        found = await store.explain(FILTERED)
        assert (found.complete, found.remote, found.missing_rows) == (True, "", 0)
        assert found.plan and any("ix_" in index for index in found.indexes)
        assert standin.log == []


async def test_explain_knows_a_remote_that_will_not_be_asked(holes: Path) -> None:
    """Offline nothing goes to a filter, and an explanation that says otherwise misleads."""
    async with offline(holes) as store:
        found = await store.explain(FILTERED)
        assert found.complete is False and found.missing_rows == 230
        assert found.remote == "" or any("OFFLINE" in note for note in found.notes)


async def test_explain_of_an_empty_store_says_what_the_remote_would_be_asked(store_path: Path) -> None:
    async with StandIn(ROWS) as standin, store_of(store_path, standin) as store:
        found = await store.explain(FILTERED)
        assert found.remote.startswith("/filter") and found.complete is False
        assert standin.log == []


async def test_a_store_of_local_files_is_incomplete_without_a_remote_to_ask(tmp_path: Path) -> None:
    """Rows of a file are on no remote: the chain ends after the store, without an error and without the seeds."""
    file = write_jsonl(tmp_path / "rows.jsonl", rows(50, moderation=False))
    async with AsyncStore(tmp_path / "store.db") as store:
        await store.sync(file, limit=30)
        results = store.select(fallback="mock")
        assert await indexes(results) == list(range(30))
        assert results.complete is not True
