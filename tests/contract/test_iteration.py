"""Iterating: any page size, pages, again and again, two at once, and the store as of the iteration's start."""

from itertools import chain, zip_longest
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmsys_store import Query, Store, fields, iteration
from lmsys_store.errors import QueryError
from tests.contract.conftest import OpenStore, StoreClass

SOME = Query.of(turns=(1, 3))


def _indexes(store: Store, query: Query = SOME) -> list[int]:
    return [chat.row_index for chat in store.select(query)]


@given(first=st.integers(1, 60), last=st.integers(1, 500), limit=st.none() | st.integers(0, 450))
@settings(max_examples=8)
def test_any_page_size_gives_the_same_sequence(
    store_class: StoreClass, _generated: Path, first: int, last: int, limit: int | None
) -> None:
    with store_class(_generated) as store, pytest.MonkeyPatch.context() as patch:
        expected = _indexes(store)[:limit]
        patch.setattr(iteration, "FIRST_PAGE", first)
        patch.setattr(iteration, "LAST_PAGE", max(first, last))
        asked = store.select(SOME) if limit is None else store.select(SOME).limit(limit)
        assert [chat.row_index for chat in asked] == expected
        pages = list(asked.pages())
    assert [chat.row_index for page in pages for chat in page] == expected
    assert all(0 < len(page) <= max(first, last) for page in pages)


def test_pages_are_the_rows_and_grow(open_store: OpenStore, generated_path: Path) -> None:
    store = open_store(generated_path)
    pages = list(store.select().pages())
    assert list(chain.from_iterable(pages)) == list(store.select())
    assert [len(page) for page in pages] == [50, 100, 200, 50]


def test_rows_come_in_row_order(open_store: OpenStore, generated_path: Path) -> None:
    assert _indexes(open_store(generated_path), Query()) == list(range(400))


def test_iterating_again_starts_anew_and_resets_the_report(open_store: OpenStore, generated_path: Path) -> None:
    chats = open_store(generated_path).select(SOME)
    once = list(chats)
    assert (chats.origins, chats.complete) == ({"cache": len(once)}, True)
    assert next(iter(chats)) == once[0]
    assert (chats.origins, chats.complete) == ({"cache": 1}, None)
    assert list(chats) == once


def test_two_results_at_once_do_not_disturb_each_other(open_store: OpenStore, generated_path: Path) -> None:
    store = open_store(generated_path)
    one, other = store.select(SOME), store.select(redacted=True)
    pairs = list(zip_longest(one, other))
    assert [chat for chat, _ in pairs if chat is not None] == list(store.select(SOME))
    assert [chat for _, chat in pairs if chat is not None] == list(store.select(redacted=True))


def test_two_iterations_of_one_results_yield_each_its_rows(open_store: OpenStore, generated_path: Path) -> None:
    """Only the report is shared: it follows the iteration begun last."""
    chats = open_store(generated_path).select(SOME)
    assert all(one == other for one, other in zip(chats, chats, strict=True))


def test_first_and_count_agree_with_the_rows(open_store: OpenStore, generated_path: Path) -> None:
    store = open_store(generated_path)
    everything = list(store.select(SOME))
    assert store.select(SOME).first() == everything[0]
    assert store.select(SOME).count() == len(everything)
    assert store.select(SOME).limit(7).count() == 7
    assert store.select(SOME).limit(0).first() is None
    assert store.select(None, fields.turn > 1000).first() is None


@pytest.mark.parametrize("number", [-1, True, 1.5, "3"])
def test_a_limit_that_is_no_number_of_rows_is_refused(
    open_store: OpenStore, generated_path: Path, number: object
) -> None:
    with pytest.raises(QueryError, match="limit"):
        open_store(generated_path).select().limit(number)  # type: ignore[arg-type]


def test_a_second_limit_is_refused(open_store: OpenStore, generated_path: Path) -> None:
    with pytest.raises(QueryError, match="twice"):
        open_store(generated_path).select().limit(3).limit(2)


# -------------------------------------------------------------------------------------------- as of its start


def test_rows_stored_meanwhile_are_not_seen(open_store: OpenStore, store_path: Path, generated_jsonl: Path) -> None:
    store = open_store(store_path)
    store.sync(generated_jsonl, limit=200)
    chats = store.select()
    rows = iter(chats)
    taken = [next(rows).row_index]
    store.sync(generated_jsonl)
    taken += [chat.row_index for chat in rows]
    assert taken == list(range(200))
    assert chats.complete is False, "what is covered now was not at the start"
    assert _indexes(store, Query()) == list(range(400))


def test_rows_stored_meanwhile_below_are_not_seen_either(
    open_store: OpenStore, store_path: Path, generated_jsonl: Path
) -> None:
    """A forgotten row that is fetched again belongs to a later transaction, wherever it lies."""
    store = open_store(store_path)
    store.sync(generated_jsonl)
    rows = iter(store.select())
    next(rows)
    store.delete(None, fields.row_index == 300, forget=True)
    store.sync(generated_jsonl)
    assert [chat.row_index for chat in rows] == [number for number in range(1, 400) if number != 300]
    assert _indexes(store, Query()) == list(range(400))


def test_rows_deleted_meanwhile_vanish(open_store: OpenStore, store_path: Path, generated_jsonl: Path) -> None:
    store = open_store(store_path)
    store.sync(generated_jsonl)
    rows = iter(store.select())
    next(rows)
    assert store.delete(None, fields.row_index >= 350) == 50
    assert [chat.row_index for chat in rows] == list(range(1, 350))
