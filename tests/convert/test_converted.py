"""results.convert: lazy, in the order of the rows, with the report of the results; any function of a row will do."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from lmsys_store import AsyncStore, Conversation, Store, seeds
from lmsys_store.convert import to_test_cases


@pytest.fixture
def store(store_path: Path) -> Iterable[Store]:
    with Store(store_path) as opened:
        opened.sync(seeds)
        yield opened


def test_it_is_lazy_and_the_token_goes_on_after_the_row_handed_over(store: Store) -> None:
    seen: list[int] = []

    def rows_twice(chat: Conversation) -> Iterator[int]:
        seen.append(chat.row_index)
        yield chat.row_index
        yield chat.row_index

    chats = store.select()
    converted = chats.convert(rows_twice)
    assert seen == []
    walk = iter(converted)
    assert [next(walk) for _ in range(5)] == [0, 0, 1, 1, 2]
    assert seen == [0, 1, 2], "a row is converted when its outcome is asked for"
    assert converted.token == chats.token
    assert next(iter(store.select(resume=converted.token).convert(rows_twice))) == 3


def test_the_report_is_that_of_the_rows(store: Store) -> None:
    chats = store.select(language="de")
    cases = chats.convert(to_test_cases(distinct=None, include_flagged=True))
    number = sum(1 for _ in cases)
    assert number == store.select(language="de").count()
    assert chats.origins == cases.origins == {"mock": number}
    assert (cases.complete, cases.notes) == (True, chats.notes)
    provenance = chats.provenance
    assert provenance is not None and provenance.dataset == "mock/seeds"


def test_a_limit_is_of_rows(store: Store) -> None:
    cases = store.select().limit(3).convert(to_test_cases(turns="every_turn"))
    assert len({case.metadata["conversationId"] for case in cases}) == 3


@pytest.mark.anyio
async def test_an_async_store_gives_the_same(store: Store) -> None:
    made = to_test_cases(turns="every_turn")
    in_blocking = store.select().convert(made)
    blocking = [case.id for case in in_blocking]
    async with AsyncStore(store.path) as opened:
        cases = opened.select().convert(made)
        assert [case.id async for case in cases] == blocking
        assert cases.funnel == in_blocking.funnel and cases.funnel.steps
        walk = aiter(cases)
        assert (await anext(walk)).id == blocking[0]
        await walk.aclose()
