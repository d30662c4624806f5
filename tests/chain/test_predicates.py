"""What was fetched whole through the remote's filter answers, offline, every query that implies it; nothing else does (C6)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lmsys_store import Query, fields
from lmsys_store.errors import LmsysStoreError
from tests.chain.stores import COMMON, FILTERED, OTHER, chats_of, indexes, matching, offline, short_rows, store_of
from tests.standin import Script, StandIn, rule
from tests.standin import faults as f
from tests.standin.faults import Rule

pytestmark = pytest.mark.anyio

ROWS = short_rows(600)
CHATS = chats_of(ROWS)
GPT4 = Query.of(model="gpt-4")


def stand_in(*rules: Rule, **options: Any) -> StandIn:
    return StandIn(ROWS, script=Script(*rules), **options)


async def synced(path: Path, query: Query, *rules: Rule, **options: Any) -> None:
    """A store with a query's rows, fetched by a sync through the filter."""
    async with stand_in(*rules) as standin, store_of(path, standin) as store:
        await store.sync(query=query, **options)


async def selected(path: Path, query: Query, *rules: Rule, count: int | None = None, **options: Any) -> bool | None:
    """A store with what a select fetched through the chain; gives whether the select ended complete."""
    async with stand_in(*rules, **options) as standin, store_of(path, standin) as store:
        results = store.select(query, fallback="remote")
        try:
            await indexes(results, count)
        except LmsysStoreError:
            return None
        return results.complete


async def answered(path: Path, query: Query) -> tuple[list[int], bool | None]:
    """What the store gives offline, and whether it is complete."""
    async with offline(path) as store:
        results = store.select(query, fallback="remote")
        try:
            rows = await indexes(results)
        except LmsysStoreError:
            return [], None
        return rows, results.complete


NARROWER = {
    "the same": FILTERED,
    "more turns": Query.of(model=COMMON, turns=(3, None)),
    "a language": Query.of(model=COMMON, language="English"),
    "a local condition": FILTERED.where(fields.prompt_chars >= 60),
    "a search": FILTERED.search("how"),
    "a predicate in other words": Query().where(fields.model.in_([COMMON])),
    "none of it": FILTERED.where(fields.turn > 90),
}
WIDER = {
    "all rows": Query(),
    "another model": Query.of(model="koala-13b"),
    "one model more": Query.of(model=[COMMON, "koala-13b"]),
    "another field": Query.of(turns=(3, None)),
    "all but it": ~FILTERED,
    "one of two": FILTERED | Query.of(turns=2),
}


@pytest.mark.parametrize("how", [synced, selected])
async def test_a_whole_predicate_answers_what_implies_it_offline(how: Any, store_path: Path) -> None:
    await how(store_path, FILTERED)
    for name, query in NARROWER.items():
        assert await answered(store_path, query) == (matching(CHATS, query), True), name
    for name, query in WIDER.items():
        rows, complete = await answered(store_path, query)
        assert complete is not True, name
        assert set(rows) <= set(matching(CHATS, query)), name


async def test_the_rare_model_of_the_issue(store_path: Path) -> None:
    await synced(store_path, GPT4)
    narrower = Query.of(model="gpt-4").where(fields.turn >= 3)
    assert 0 < len(matching(CHATS, narrower)) < len(matching(CHATS, GPT4))
    assert await answered(store_path, narrower) == (matching(CHATS, narrower), True)


async def test_a_predicate_that_no_row_satisfies_is_known_to_be_empty(store_path: Path) -> None:
    nothing = Query.of(model="no-such-model")
    await synced(store_path, nothing)
    assert await answered(store_path, nothing) == ([], True)


async def test_it_answers_without_a_request_where_the_remote_is_up(store_path: Path) -> None:
    await selected(store_path, FILTERED)
    async with stand_in() as standin, store_of(store_path, standin) as store:
        results = store.select(NARROWER["more turns"], fallback="remote", require_complete=True)
        assert await indexes(results) == matching(CHATS, NARROWER["more turns"])
        assert await results.count() == len(matching(CHATS, NARROWER["more turns"]))
        assert (await store.explain(NARROWER["more turns"])).complete is True
        assert standin.log == []
        assert (await store.sync(query=FILTERED)).requests == 0


@pytest.mark.parametrize("narrow", ["the same", "more turns"])
async def test_a_predicate_fetched_in_part_answers_nothing_as_complete(narrow: str, store_path: Path) -> None:
    """A loop broken off, after the first of three pages; the next goes on behind it, and only then it is whole."""
    query = NARROWER[narrow]
    await selected(store_path, FILTERED, count=20)
    rows, complete = await answered(store_path, query)
    assert rows == matching(CHATS, query)[: len(rows)] and complete is False
    assert await selected(store_path, FILTERED) is True
    assert await answered(store_path, query) == (matching(CHATS, query), True)


async def test_a_sync_with_a_limit_covers_nothing(store_path: Path) -> None:
    await synced(store_path, FILTERED, limit=150)
    rows, complete = await answered(store_path, FILTERED)
    assert len(rows) >= 150 and complete is False


TAINTED: Mapping[str, list[Rule]] = {
    "the data is partial": [rule(f.partial(), "filter", times=None)],
    "one page is partial": [rule(f.partial(), "filter", offset=100)],
    "the total grows": [rule(f.total(999), "filter", offset=100, times=None)],
    "the total shrinks": [rule(f.total(150), "filter", offset=100, times=None)],
    "another revision from the second page on": [rule(f.revision(OTHER), "filter", offset=100, times=None)],
    "a page is doubled": [rule(f.duplicated_page(), "filter", offset=100, times=None)],
    "a page is short": [rule(f.fewer_rows(30), "filter", offset=100, times=None)],
    "a page is empty": [rule(f.empty_page(), "filter", offset=100, times=None)],
}


@pytest.mark.parametrize("how", [synced, selected])
@pytest.mark.parametrize("fault", TAINTED)
async def test_pages_that_prove_nothing_cover_nothing(fault: str, how: Any, store_path: Path) -> None:
    """Rows that came are kept, but the predicate answers nothing as complete unless every row of it is there."""
    try:
        await how(store_path, FILTERED, *[Rule(**vars(one)) for one in TAINTED[fault]])
    except LmsysStoreError:
        assert "revision" in fault
    rows, complete = await answered(store_path, FILTERED)
    assert complete is not True
    assert set(rows) <= set(matching(CHATS, FILTERED))


@pytest.mark.parametrize("fault", TAINTED)
async def test_a_select_over_such_pages_is_complete_only_with_every_row(fault: str, store_path: Path) -> None:
    rules = [Rule(**vars(one)) for one in TAINTED[fault]]
    async with stand_in(*rules) as standin, store_of(store_path, standin) as store:
        results = store.select(FILTERED, fallback="remote")
        rows = await indexes(results)
        assert results.complete is not True or (rows == matching(CHATS, FILTERED) and "partial" not in fault)
        assert rows == sorted(set(rows)) and set(rows) <= set(matching(CHATS, FILTERED))


async def test_a_partial_remote_that_is_scanned_is_not_complete_and_says_so(store_path: Path) -> None:
    """``partial`` in ``/rows``: the pages are all there are, and the split has more."""
    async with stand_in(partial=True) as standin, store_of(store_path, standin) as store:
        results = store.select(fallback="remote")
        assert await indexes(results) == list(range(600))
        assert results.complete is not True
        assert any("part" in note for note in results.notes)


async def test_rows_rejected_on_their_way_count_as_fetched(store_path: Path) -> None:
    assert await selected(store_path, FILTERED, rule(f.bad_row(3), "filter", offset=100)) is True
    rows, complete = await answered(store_path, FILTERED)
    assert len(rows) == len(matching(CHATS, FILTERED)) - 1
    assert complete is True
    async with offline(store_path) as store:
        assert (await store.status()).rejected == 1


async def test_forgetting_rows_forgets_the_predicates_and_a_tombstone_does_not(store_path: Path) -> None:
    await synced(store_path, FILTERED)
    gone = matching(CHATS, FILTERED)[0]
    async with offline(store_path) as store:
        assert await store.delete(fields.row_index == gone) == 1
    assert await answered(store_path, FILTERED) == (matching(CHATS, FILTERED)[1:], True)
    async with offline(store_path) as store:
        assert await store.delete(fields.row_index == matching(CHATS, FILTERED)[1], forget=True) == 1
        assert (await store.status()).predicates == ()
    assert await answered(store_path, FILTERED) == (matching(CHATS, FILTERED)[2:], False)


async def test_a_deleted_row_stays_deleted_when_the_predicate_is_fetched_again(store_path: Path) -> None:
    """Its tombstone holds against the chain too: it is neither stored nor yielded."""
    await selected(store_path, FILTERED, count=5)
    gone = matching(CHATS, FILTERED)[0]
    async with offline(store_path) as store:
        await store.delete(fields.row_index == gone)
    async with stand_in() as standin, store_of(store_path, standin) as store:
        for query in (FILTERED, Query()):
            rows = await indexes(store.select(query, fallback="remote"))
            assert gone not in rows and len(rows) == len(matching(CHATS, query)) - 1
        assert (await store.check()).problems == ()


async def test_status_lists_the_predicates_with_how_far_they_are_fetched(store_path: Path) -> None:
    await synced(store_path, GPT4)
    await selected(store_path, FILTERED, count=5)
    async with offline(store_path) as store:
        found = {one.remote_where: one for one in (await store.status()).predicates}
    whole, part = found["\"model\"='gpt-4'"], found[f"\"model\"='{COMMON}'"]
    total = len(matching(CHATS, FILTERED))
    assert (whole.complete, whole.done_rows, whole.total_rows) == (True, *[len(matching(CHATS, GPT4))] * 2)
    assert (part.complete, part.done_rows, part.total_rows) == (False, 100, total)


async def test_two_predicates_do_not_answer_for_their_conjunction_alone(store_path: Path) -> None:
    """The conjunction implies either; the alternative of both implies none of them alone."""
    koala = Query.of(model="koala-13b")
    await synced(store_path, FILTERED)
    await synced(store_path, koala)
    assert await answered(store_path, FILTERED & koala) == ([], True)
    rows, complete = await answered(store_path, FILTERED | koala)
    assert rows == matching(CHATS, FILTERED | koala)
    assert complete in (True, False), "each alternative is covered; showing it is allowed, and not needed"


def test_the_rows_of_this_file_bite() -> None:
    """Three pages of matches, so that a second page can go wrong."""
    assert 200 < len(matching(CHATS, FILTERED)) <= 400
