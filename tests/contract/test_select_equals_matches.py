"""One query, one meaning: what SQL finds is what ``matches`` finds in memory, for all rows and all queries."""

from collections import Counter
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmsys_store import Conversation, Query, Store
from lmsys_store.expressions import FIELDS, OPERATORS
from tests.contract.conftest import StoreClass
from tests.contract.filling import copy_store, filled
from tests.contract.strategies import QUERIED_FIELDS, conditions, conversations, queries, searches

_number = count()
PLAIN_FIELDS = [name for name in QUERIED_FIELDS if FIELDS[name].kind != "tags"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an empty store: a copy of it costs a tenth of a new one."""
    folder = tmp_path_factory.mktemp("examples")
    with Store(folder / "empty.db"):
        return folder


def _fresh(folder: Path, chats: Sequence[Conversation]) -> Path:
    return filled(copy_store(folder / "empty.db", folder / f"{next(_number)}.db"), chats)


def _answer(store: Store, query: Query) -> tuple[list[int], int]:
    results = store.select(query)
    return [chat.row_index for chat in results], results.count()


def _expected(query: Query, chats: Sequence[Conversation]) -> tuple[list[int], int]:
    found = [chat.row_index for chat in chats if query.matches(chat)]
    return found, len(found)


@given(chats=conversations(), asked=st.lists(queries, min_size=4, max_size=10))
@settings(max_examples=15)
def test_select_and_count_answer_any_query_as_matches_does(
    store_class: StoreClass, folder: Path, chats: list[Conversation], asked: list[Query]
) -> None:
    with store_class(_fresh(folder, chats)) as store:
        for query in asked:
            assert _answer(store, query) == _expected(query, chats), str(query)


@pytest.mark.parametrize("field", QUERIED_FIELDS)
@given(data=st.data())
@settings(max_examples=2)
def test_every_operator_of_a_field_answers_as_matches_does(
    store_class: StoreClass, folder: Path, field: str, data: st.DataObject
) -> None:
    """Plain and negated: ``not`` must mean the same where the value is missing."""
    chats = data.draw(conversations())
    asked = data.draw(st.tuples(*(conditions(field, operator) for operator in OPERATORS[FIELDS[field].kind])))
    with store_class(_fresh(folder, chats)) as store:
        for expression in asked:
            for query in (Query(expression), Query(~expression)):
                found = [chat.row_index for chat in store.select(query)]
                assert found == [chat.row_index for chat in chats if query.matches(chat)], str(query)


@given(chats=conversations(), asked=st.lists(searches(), min_size=10, max_size=20))
@settings(max_examples=8)
def test_full_text_search_answers_as_matches_does(
    store_class: StoreClass, folder: Path, chats: list[Conversation], asked: list[Any]
) -> None:
    with store_class(_fresh(folder, chats)) as store:
        for query in map(Query, asked):
            assert _answer(store, query) == _expected(query, chats), str(query)


@given(chats=conversations(), query=queries, field=st.sampled_from(PLAIN_FIELDS))
@settings(max_examples=8)
def test_facet_counts_what_matches_with_the_values_that_records_have(
    store_class: StoreClass, folder: Path, chats: list[Conversation], query: Query, field: str
) -> None:
    expected = Counter(FIELDS[field].read(chat) for chat in chats if query.matches(chat))
    with store_class(_fresh(folder, chats)) as store:
        found = store.facet(field, query)
    assert dict(found) == expected
    assert [number for _, number in found] == sorted(expected.values(), reverse=True)
    assert {type(value) for value, _ in found} == {type(value) for value in expected}, f"{field}: {found}"


@given(chats=conversations(), query=queries)
@settings(max_examples=8)
def test_facet_of_tags_counts_a_row_once_for_each_of_its_tags(
    store_class: StoreClass, folder: Path, chats: list[Conversation], query: Query
) -> None:
    expected = Counter(tag for chat in chats if query.matches(chat) for tag in chat.labels.tags or ())
    with store_class(_fresh(folder, chats)) as store:
        assert dict(store.facet("tag", query)) == expected
