"""Rows that are wrong among rows that are right: counted rejects with a reason; odd but valid text comes back exactly."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmsys_store import Store
from lmsys_store.errors import InvalidRowError
from tests.cli.program import run, the_json
from tests.sources.chats import SECRET, contents, ids, numbered, row, small_jsonl

MODERATION = [{"categories": {}, "category_scores": {}, "flagged": False}]
WRONG: dict[str, tuple[Any, str]] = {
    "a broken line": (f'{{"conversation_id": "x", "model": "{SECRET}'.encode(), "not JSON"),
    "bytes that are not UTF-8": (b'{"conversation_id": "\xff\xfe", "model": "m"}', "not JSON"),
    "not an object": ([SECRET], "list"),
    "a number": (17, "int"),
    "no model": ({key: value for key, value in row(0).items() if key != "model"}, "model is missing"),
    "a null id": (row(0) | {"conversation_id": None}, "conversation_id is missing"),
    "an id that is a number": (row(0) | {"conversation_id": 5}, "conversation_id"),
    "no messages": (row(0) | {"conversation": []}, "conversation is empty"),
    "a conversation that is a number": (row(0) | {"conversation": 5}, "not a list"),
    "a conversation that is a text, but not JSON": (row(0) | {"conversation": f"[{SECRET}"}, "not JSON"),
    "a message that is a text": (row(0) | {"conversation": [SECRET]}, "message 0"),
    "a content that is null": (row(0, prompt=None), "content of message 0"),  # type: ignore[arg-type]
    "a role of another kind": (row(0) | {"conversation": [{"role": "system", "content": SECRET}]}, "role other than"),
    "the assistant first": (row(0) | {"conversation": row(0)["conversation"][::-1]}, "first message"),
    "the user twice": (row(0) | {"conversation": row(0)["conversation"][:1] * 2}, "same role"),
    "a turn that is a text": (row(0) | {"turn": "one"}, "turn"),
    "a language that is a number": (row(0) | {"language": 5}, "language"),
    "a redacted that is a text": (row(0) | {"redacted": "no"}, "redacted"),
    "too little moderation": (row(0) | {"openai_moderation": MODERATION}, "1 entries for 2 messages"),
    "moderation of another type": (row(0) | {"openai_moderation": [True, False]}, "openai_moderation"),
    "a lone surrogate": (row(0, reply=f"{SECRET} \ud83d"), "surrogate"),
    "a lone surrogate in the id": (row(0) | {"conversation_id": "\udc00"}, "surrogate"),
    "a nesting without end": (b"[" * 100_000, "nested"),
}


def test_each_wrong_row_is_a_counted_reject_and_its_neighbours_are_stored(tmp_path: Path, store_path: Path) -> None:
    """The reasons are those meant, quote no text, and the raw row is kept as ASCII JSON."""
    rows: list[Any] = []
    for number, (wrong, _) in enumerate(WRONG.values()):
        rows += [row(2 * number), wrong]
    with Store(store_path) as store:
        report = store.sync(small_jsonl(tmp_path / "a.jsonl", rows))
        assert (report.rows_added, report.rows_rejected, report.complete) == (len(WRONG), len(WRONG), True)
        rejects = list(store.rejects())
        status = store.status()
    assert [reject.row_index for reject in rejects] == list(range(1, 2 * len(WRONG), 2))
    for (name, (_, reason)), reject in zip(WRONG.items(), rejects, strict=True):
        assert reason in reject.reason, name
        assert SECRET not in reject.reason and reject.raw.isascii(), name
        json.loads(reject.raw)
    assert SECRET in rejects[0].raw
    assert status.rejected == sum(status.reject_reasons.values()) == len(WRONG)
    assert ids(store_path) == [(2 * number, f"id-{2 * number}") for number in range(len(WRONG))]
    assert contents(store_path)["coverage"] == ((0, 2 * len(WRONG)),)
    shown = run("status", "--json", "--store", store_path)
    assert the_json(shown)["reject_reasons"] == status.reject_reasons and SECRET not in shown.stdout


def test_on_invalid_raise_stops_at_the_first_and_keeps_the_pages_before(tmp_path: Path, store_path: Path) -> None:
    rows = [row(number) for number in range(2500)]
    rows[2100], rows[2200] = row(2100, prompt=f"{SECRET} \ud800"), row(2200) | {"conversation": []}
    source = small_jsonl(tmp_path / "a.jsonl", rows)
    with Store(store_path) as store:
        with pytest.raises(InvalidRowError, match=r"row 2100 of .*surrogate.*; ") as caught:
            store.sync(source, on_invalid="raise")
        assert SECRET not in str(caught.value)
        assert store.status().coverage == ((0, 2000),) and store.status().rejected == 0
        assert store.check().ok
        report = store.sync(source)
    assert (report.rows_added, report.rows_rejected, report.rows_skipped) == (498, 2, 2000)


def test_blank_lines_byte_order_mark_and_crlf_are_no_rows_and_no_text(tmp_path: Path, store_path: Path) -> None:
    lines = [json.dumps(row(number)).encode() for number in range(4)]
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + b"\r\n\r\n  \t\r\n".join(lines[:3]) + b"\r\n\n\n" + lines[3])
    with Store(store_path) as store:
        assert store.sync(path).rows_rejected == 0
        assert {chat.first_reply for chat in store.select()} == {"ok"}
    assert ids(store_path) == numbered(4)


def test_a_byte_order_mark_before_the_first_row_on_a_later_line(tmp_path: Path, store_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbf\r\n" + json.dumps(row(0)).encode())
    with Store(store_path) as store:
        assert store.sync(path).rows_added == 1


def test_a_wrong_row_of_a_parquet_file_is_a_reject_too(tmp_path: Path, store_path: Path) -> None:
    rows = [row(number) for number in range(30)]
    rows[7]["conversation"], rows[11]["conversation"], rows[13]["model"] = [], None, None
    rows[17]["conversation"] = [{"content": None, "role": "user"}]
    rows[19]["conversation"] = [None]
    schema = pa.schema(
        [
            ("conversation_id", pa.string()),
            ("model", pa.string()),
            ("conversation", pa.list_(pa.struct([("content", pa.string()), ("role", pa.string())]))),
        ]
    )
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), tmp_path / "a.parquet", row_group_size=10)
    with Store(store_path) as store:
        assert store.sync(tmp_path / "a.parquet").rows_rejected == 5
        assert [reject.row_index for reject in store.rejects()] == [7, 11, 13, 17, 19]
        assert store.check().ok and store.status().rows == 25


FILES = ("raw.jsonl", "escaped.jsonl.gz", "a.parquet")
ODD = [
    "",
    "\x00",
    "a\x00b\x00",
    "\u202eשלום عليكم\u202c",
    "👩‍👩‍👧‍👦🏳️‍🌈",
    "\ufeff\ufffe\uffff",
    "e\u0301 é",
    "\r\n\t\x1b[31m",
    "\U0010ffff",
    "x" * 300_000,
]


@settings(max_examples=15)
@given(texts=st.lists(st.text(st.characters(codec="utf-8"), max_size=40), min_size=1, max_size=8))
def test_any_text_comes_back_exactly_through_jsonl_and_parquet(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    rows = _rows_with(texts)
    assert _through_files(tmp_path_factory.mktemp("odd"), rows) == dict.fromkeys(FILES, _contents(rows))


def test_nul_empty_long_and_right_to_left_texts_come_back_exactly(tmp_path: Path) -> None:
    rows = _rows_with(ODD)
    assert _through_files(tmp_path, rows) == dict.fromkeys(FILES, _contents(rows))


def _rows_with(texts: list[str]) -> list[dict[str, Any]]:
    rows = [row(number, prompt=text, reply=text[::-1]) for number, text in enumerate(texts)]
    return [*rows, row(len(texts)) | {"conversation": [{"content": texts[0], "role": "user"}]}]


def _contents(rows: list[dict[str, Any]]) -> list[list[str]]:
    return [[message["content"] for message in line["conversation"]] for line in rows]


def _through_files(folder: Path, rows: list[dict[str, Any]]) -> dict[str, list[list[str]]]:
    """The texts as a store gives them back that was filled from each kind of file."""
    raw = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in rows)
    (folder / "raw.jsonl").write_bytes(raw.encode())
    small_jsonl(folder / "escaped.jsonl.gz", rows)
    pq.write_table(pa.Table.from_pylist(rows), folder / "a.parquet")
    found = {}
    for name in FILES:
        with Store(folder / f"{name}.db") as store:
            report = store.sync(folder / name)
            assert (report.rows_added, report.rows_rejected) == (len(rows), 0)
            found[name] = [[message.content for message in chat.messages] for chat in store.select()]
            assert store.check().ok
    return found
