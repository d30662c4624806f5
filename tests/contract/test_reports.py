"""What a store says of itself: status, facets, plans of queries and rejected rows."""

import json
from pathlib import Path

import pytest

from lmsys_store import Conversation, Query, fields
from lmsys_store.errors import QueryError
from lmsys_store.intervals import Interval
from tests import generated
from tests.contract.conftest import OpenStore


@pytest.fixture
def with_rejects(tmp_path: Path) -> Path:
    """220 rows of which every even one cannot be a conversation, for three reasons."""
    rows: list[object] = list(generated.rows(440, moderation=False))
    rows[::2] = [("{", {"conversation_id": "x"}, {**rows[1], "conversation": []})[at % 3] for at in range(220)]  # type: ignore[dict-item]
    rows[1]["turn"] = 99  # type: ignore[index]
    return generated.write_jsonl(tmp_path / "rows.jsonl", rows)


def test_status_of_an_empty_store_describes_no_data_set(open_store: OpenStore, store_path: Path) -> None:
    status = open_store(store_path).status()
    assert (status.path, status.rows, status.coverage, status.complete) == (store_path, 0, (), False)
    assert {status.dataset, status.revision, status.total_rows, status.last_sync, status.first_fetch} == {None}
    assert status.size_bytes > 0


def test_status_counts_rows_rejects_and_turn_mismatches(
    open_store: OpenStore, store_path: Path, with_rejects: Path
) -> None:
    store = open_store(store_path)
    report = store.sync(with_rejects)
    status = store.status()
    assert (status.rows, status.rejected, status.total_rows, status.turn_mismatches) == (220, 220, 440, 1)
    assert (report.rows_added, report.rows_rejected, report.turn_mismatches, report.complete) == (220, 220, 1, True)
    assert (status.dataset, status.config, status.split) == ("local/rows.jsonl", "default", "train")
    assert (status.coverage, status.complete, status.last_sync) == ((Interval(0, 440),), True, "complete")
    assert sum(status.reject_reasons.values()) == 220
    assert list(status.reject_reasons.values()) == sorted(status.reject_reasons.values(), reverse=True)
    assert status.first_fetch is not None
    assert status.first_fetch <= (status.last_fetch or "")
    assert store.check().problems == ()


def test_rejects_are_listed_in_row_order_with_reason_and_raw_row(
    open_store: OpenStore, store_path: Path, with_rejects: Path
) -> None:
    store = open_store(store_path)
    store.sync(with_rejects)
    rejects = list(store.rejects())
    assert [reject.row_index for reject in rejects] == list(range(0, 440, 2))
    assert rejects[0].reason == "the line is not JSON"
    assert json.loads(rejects[1].raw) == {"conversation_id": "x"}
    assert all(reject.raw.isascii() for reject in rejects)


def test_an_empty_store_has_no_rejects(open_store: OpenStore, store_path: Path) -> None:
    assert list(open_store(store_path).rejects()) == []


def test_facet_counts_within_a_query(
    open_store: OpenStore, generated_path: Path, parquet_chats: list[Conversation]
) -> None:
    store = open_store(generated_path)
    found = store.facet("model", Query.of(turns=2), fields.redacted == False, language="en")  # noqa: E712
    expected = [
        chat.model for chat in parquet_chats if (chat.turn, chat.redacted, chat.language) == (2, False, "English")
    ]
    assert dict(found) == {model: expected.count(model) for model in expected}
    assert sum(number for _, number in found) == len(expected)


def test_facet_of_an_unknown_field_names_the_known(open_store: OpenStore, generated_path: Path) -> None:
    with pytest.raises(QueryError, match="language"):
        open_store(generated_path).facet("colour")


def test_facet_of_an_empty_store_is_empty_but_still_knows_its_fields(open_store: OpenStore, store_path: Path) -> None:
    store = open_store(store_path)
    assert store.facet("model") == []
    with pytest.raises(QueryError):
        store.facet("colour")


def test_explain_says_what_the_query_means_and_what_serves_it(open_store: OpenStore, generated_path: Path) -> None:
    store = open_store(generated_path)
    explanation = store.explain(model="gpt-4", search="river")
    assert explanation.query == "model = 'gpt-4' and search 'river'"
    assert explanation.full_text
    assert explanation.complete
    assert explanation.notes == ()
    assert store.explain(model="claude-2").indexes == ("ix_conversation_model",)
    assert not store.explain(turns=2).full_text


def test_explain_of_a_partial_store_does_not_promise_completeness(
    open_store: OpenStore, store_path: Path, generated_jsonl: Path
) -> None:
    store = open_store(store_path)
    assert not store.explain(turns=2).complete
    store.sync(generated_jsonl, limit=10)
    assert not store.explain(turns=2).complete
