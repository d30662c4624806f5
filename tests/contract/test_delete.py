"""Deleting: rows, texts and words are gone, a tombstone keeps them away, and the store stays whole."""

from pathlib import Path

import pytest

from lmsys_store import Query, Store, fields
from lmsys_store.errors import QueryError
from tests import generated
from tests.contract.conftest import OpenStore


def _assert_whole(store: Store) -> None:
    assert store.check().problems == ()


def test_deleted_rows_are_gone_from_every_reading(open_store: OpenStore, generated_path: Path) -> None:
    store = open_store(generated_path)
    query = Query.of(redacted=True, search="river")
    doomed = [chat.row_index for chat in store.select(query)]
    assert doomed
    assert store.delete(query) == len(doomed)
    assert list(store.select(query)) == []
    assert store.select().count() == 400 - len(doomed)
    assert store.get(doomed[0]) is None
    assert store.facet("redacted", query) == []
    _assert_whole(store)


def test_deleted_words_leave_the_full_text_index(open_store: OpenStore, tmp_path: Path, store_path: Path) -> None:
    rows = list(generated.rows(20, moderation=False))
    rows[7]["conversation"][0]["content"] = "a word that nobody else says: zyzzyva, 東京"
    store = open_store(store_path)
    store.sync(generated.write_jsonl(tmp_path / "rows.jsonl", rows))
    assert [chat.row_index for chat in store.select(search="zyzzyva 京")] == [7]
    assert store.delete(search="zyzzyva") == 1
    assert store.select(search="zyzzyva").count() == store.select(search="東").count() == 0
    _assert_whole(store)


@pytest.mark.parametrize("row_count", [5, 30, 200])
def test_no_byte_of_a_deleted_text_is_left_in_the_file(
    row_count: int, open_store: OpenStore, tmp_path: Path, store_path: Path
) -> None:
    """Nor in what a page has left of rows that once stood elsewhere in it: pages are split as a store grows."""
    rows = list(generated.rows(row_count, moderation=False))
    for number, row in enumerate(rows):
        row["conversation"][0]["content"] += f" the quinquereme of row {number} of Nineveh"
    store = open_store(store_path)
    store.sync(generated.write_jsonl(tmp_path / "rows.jsonl", rows))
    store.relabel()
    doomed = [0, 3, row_count - 1]
    assert store.delete(None, fields.row_index.in_(doomed)) == 3
    store.close()
    left = store_path.read_bytes()
    assert [number for number in doomed if f"of row {number} of Nineveh".encode() in left] == []
    assert b"of row 1 of Nineveh" in left


def test_a_deleted_row_is_counted_and_never_stored_again(
    open_store: OpenStore, store_path: Path, generated_jsonl: Path
) -> None:
    store = open_store(store_path)
    store.sync(generated_jsonl)
    assert store.delete(None, fields.row_index.between(100, 109)) == 10
    assert (store.status().deleted, store.status().rows, store.status().complete) == (10, 390, True)
    assert store.sync(generated_jsonl).rows_added == 0
    assert store.get(105) is None
    _assert_whole(store)


def test_a_deleted_row_stays_away_when_its_neighbours_are_fetched_again(
    open_store: OpenStore, store_path: Path, generated_jsonl: Path
) -> None:
    store = open_store(store_path)
    store.sync(generated_jsonl)
    store.delete(None, fields.row_index == 105)
    store.delete(None, fields.row_index.between(100, 109), forget=True)
    assert store.sync(generated_jsonl).rows_added == 9
    assert [chat.row_index for chat in store.select(None, fields.row_index.between(100, 109))] == [
        100, 101, 102, 103, 104, 106, 107, 108, 109,
    ]  # fmt: skip
    _assert_whole(store)


def test_forgotten_rows_are_stored_again(open_store: OpenStore, store_path: Path, generated_jsonl: Path) -> None:
    store = open_store(store_path)
    store.sync(generated_jsonl)
    before = list(store.select())
    number = store.delete(turns=2, forget=True)
    status = store.status()
    assert (status.deleted, status.rows, status.complete) == (0, 400 - number, False)
    _assert_whole(store)
    assert store.sync(generated_jsonl).rows_added == number
    assert list(store.select()) == before
    assert store.status().complete
    _assert_whole(store)


def test_many_rows_are_deleted_batch_by_batch(open_store: OpenStore, store_path: Path, tmp_path: Path) -> None:
    store = open_store(store_path)
    store.sync(generated.write_jsonl(tmp_path / "rows.jsonl", generated.rows(2300, moderation=False)))
    assert store.delete(None, fields.row_index >= 100) == 2200
    assert store.select().count() == 100
    _assert_whole(store)


def test_deleting_nothing_changes_nothing(open_store: OpenStore, generated_path: Path) -> None:
    store = open_store(generated_path)
    assert store.delete(model="no such model") == 0
    assert store.select().count() == 400
    _assert_whole(store)


def test_deleting_from_an_empty_store_deletes_nothing(open_store: OpenStore, store_path: Path) -> None:
    assert open_store(store_path).delete(model="gpt-4") == 0


@pytest.mark.parametrize("query", [None, Query(), Query.of(), Query().where()])
def test_deleting_without_a_condition_is_refused(
    open_store: OpenStore, generated_path: Path, query: Query | None
) -> None:
    store = open_store(generated_path)
    with pytest.raises(QueryError, match="purge"):
        store.delete(query)
    assert store.select().count() == 400


def test_a_rejected_row_can_be_deleted_with_its_raw_text(
    open_store: OpenStore, tmp_path: Path, store_path: Path
) -> None:
    rows = list(generated.rows(20, moderation=False))
    for bad in (3, 4):
        rows[bad]["conversation"] = [{"role": "assistant", "content": f"nobody else says zyzzyva {bad}"}]
    source = generated.write_jsonl(tmp_path / "rows.jsonl", rows)
    store = open_store(store_path)
    store.sync(source)
    assert store.delete_rejects(*range(5000, 9000), 7, 3) == 1
    assert [reject.row_index for reject in store.rejects()] == [4]
    assert (store.status().rejected, store.status().deleted, store.status().complete) == (1, 1, True)
    assert store.sync(source).rows_rejected == 0
    _assert_whole(store)
    assert b"zyzzyva 3" not in b"".join(file.read_bytes() for file in store_path.parent.glob(store_path.name + "*"))
