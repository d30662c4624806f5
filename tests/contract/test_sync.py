"""Syncing: only what is missing is read and stored, in any order of limits, from files and from the bundled seeds."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lmsys_store import Conversation, Progress, Store, fields, seeds
from lmsys_store.errors import DatasetMismatchError, InvalidRowError, QueryError
from lmsys_store.intervals import Interval
from tests import generated
from tests.contract.conftest import OpenStore


def test_a_second_sync_of_the_same_file_fetches_nothing(
    open_store: OpenStore, store_path: Path, generated_jsonl: Path
) -> None:
    store = open_store(store_path)
    first, second = store.sync(generated_jsonl), store.sync(generated_jsonl)
    assert (first.rows_added, first.rows_skipped, first.complete) == (400, 0, True)
    assert (second.rows_added, second.rows_rejected, second.rows_skipped, second.byte_count) == (0, 0, 400, 0)
    assert second.complete


@pytest.mark.parametrize("steps", [[100, None], [1, 2, 399, 400, None], [400, 100], [1000]])
def test_limits_in_any_order_end_in_the_same_store(
    open_store: OpenStore, store_path: Path, generated_jsonl: Path, steps: list[int | None]
) -> None:
    store = open_store(store_path)
    held = 0
    for limit in steps:
        asked = min(limit or 400, 400)
        report = store.sync(generated_jsonl, limit=limit)
        assert (report.rows_added, report.rows_skipped) == (max(asked - held, 0), min(held, asked))
        assert report.complete, "complete is what this run was asked for"
        held = max(held, asked)
    assert [chat.row_index for chat in store.select()] == list(range(400))
    assert store.status().coverage == (Interval(0, 400),)
    assert store.check().problems == ()


def test_a_limit_of_no_rows_stores_no_rows(open_store: OpenStore, store_path: Path, generated_jsonl: Path) -> None:
    store = open_store(store_path)
    assert store.sync(generated_jsonl, limit=0).rows_added == 0
    assert store.select().count() == 0


def test_limited_then_whole_equals_whole_at_once(
    open_store: OpenStore, store_path: Path, tmp_path: Path, generated_parquet: Path
) -> None:
    at_once, in_steps = open_store(store_path), open_store(tmp_path / "other.db")
    at_once.sync(generated_parquet)
    in_steps.sync(generated_parquet, limit=123)
    in_steps.sync(generated_parquet)
    assert list(at_once.select(moderation=True)) == list(in_steps.select(moderation=True))


def test_an_interrupted_sync_is_taken_up_where_it_stopped(
    open_store: OpenStore, store_path: Path, tmp_path: Path
) -> None:
    """The sync fails at its 2,501st row; after that the file is the same but for one flag, which finds the rest."""
    rows: list[object] = list(generated.rows(2600, moderation=False))
    rows[2500] = "{"
    path = generated.write_jsonl(tmp_path / "rows.jsonl", rows)
    store = open_store(store_path)
    with pytest.raises(InvalidRowError, match="2500"):
        store.sync(path, on_invalid="raise")
    kept = store.select().count()
    assert kept in (0, 1000, 2000), "whole pages only"
    assert store.status().last_sync == "InvalidRowError"
    report = store.sync(path)
    assert (report.rows_added, report.rows_skipped, report.rows_rejected) == (2599 - kept, kept, 1)
    assert store.check().problems == ()


def test_another_data_set_is_refused_and_nothing_is_lost(
    open_store: OpenStore, store_path: Path, generated_jsonl: Path
) -> None:
    store = open_store(store_path)
    store.sync(generated_jsonl)
    with pytest.raises(DatasetMismatchError, match=r"local/rows\.jsonl.*mock/seeds"):
        store.sync(seeds)
    assert store.select().count() == 400


def test_progress_ends_with_done_and_never_goes_back(
    open_store: OpenStore, store_path: Path, generated_parquet: Path
) -> None:
    told: list[Progress] = []
    open_store(store_path).sync(generated_parquet, on_progress=told.append)
    assert (told[0].phase, told[-1].phase) == ("reading", "done")
    assert (told[-1].done, told[-1].total) == (400, 400)
    assert [progress.done for progress in told] == sorted(progress.done for progress in told)


def test_the_seeds_sync_by_name(open_store: OpenStore, store_path: Path) -> None:
    store = open_store(store_path)
    report = store.sync(seeds)
    assert report.rows_added >= 240
    assert report.rows_rejected == 0
    assert store.sync(seeds).rows_added == 0
    assert store.status().dataset == "mock/seeds"
    assert {chat.model for chat in store.select()} == {"mock"}


def test_sync_takes_paths_or_one_source_but_not_both(
    open_store: OpenStore, store_path: Path, generated_jsonl: Path
) -> None:
    store = open_store(store_path)
    for sources in ((seeds, seeds), (generated_jsonl, seeds)):
        with pytest.raises(TypeError):
            store.sync(*sources)
    assert store.status().rows == 0


def test_replies_are_searched_only_where_they_were_indexed_first(
    open_store: OpenStore, store_path: Path, tmp_path: Path, generated_jsonl: Path
) -> None:
    plain, indexed = open_store(store_path), open_store(tmp_path / "indexed.db")
    plain.sync(generated_jsonl, limit=50)
    report = plain.sync(generated_jsonl, limit=60, index_replies=True)
    assert any("--index-replies" in note for note in report.notes), "too late: the choice is the first sync's"
    indexed.sync(generated_jsonl, limit=60, index_replies=True)
    assert (plain.status().index_replies, indexed.status().index_replies) == (False, True)
    query = plain.select().query.search('"river house"', replies=True)
    assert [chat.row_index for chat in indexed.select(query)] == [
        chat.row_index for chat in plain.select() if query.matches(chat)
    ]
    uses: list[Callable[[], object]] = [
        lambda: list(plain.select(query)),
        lambda: plain.select(query).count(),
        lambda: plain.facet("model", query),
        lambda: plain.delete(query),
    ]
    for use in uses:
        with pytest.raises(QueryError, match="index-replies"):
            use()


def test_real_chats_are_the_same_from_parquet_and_from_json_lines(
    open_store: OpenStore, store_path: Path, tmp_path: Path, real_chats: Path
) -> None:
    parquet, json_lines = open_store(store_path), open_store(tmp_path / "other.db")
    for store, name in ((parquet, "chats.parquet"), (json_lines, "chats.jsonl")):
        report = store.sync(real_chats / name)
        assert (report.rows_added, report.rows_rejected, report.complete) == (3052, 0, True)
    assert _all_but_moderation(parquet) == _all_but_moderation(json_lines)
    assert json_lines.select(None, fields.flagged.is_null()).count() == 3052
    assert parquet.sync(real_chats / "chats.parquet").rows_added == 0
    assert parquet.check().problems == json_lines.check().problems == ()


def _all_but_moderation(store: Store) -> list[Conversation]:
    return [chat.model_copy(update={"moderation_summary": None}) for chat in store.select()]
