"""Test cases in files: whole or not at all, with a manifest that says what they are made of, the same bytes every time."""

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from lmsys_store import AsyncStore, Conversation, Query, Store, seeds
from lmsys_store.convert import (
    Format,
    TestCase,
    known_formats,
    register_format,
    to_test_cases,
    write_cases,
    write_cases_async,
)
from lmsys_store.convert import formats as registry
from lmsys_store.convert.formats import JsonLines, format_named
from lmsys_store.errors import ExportError, QueryError
from lmsys_store.labels.rating import VERSION
from tests.convert.chats import CAPITALS, chat, converted, row
from tests.generated import write_jsonl

ROWS = [
    row(0, *CAPITALS),
    row(1, "file://a {{b}}", "line\nline", flagged=True),
    row(2, "Write to jo@mail.example", "Yes"),
    row(3, 'quotes ", commas', "\ttab\r\n", flagged=False),
    row(4, "no reply"),
]


@pytest.fixture
def store(store_path: Path, tmp_path: Path) -> Iterable[Store]:
    with Store(store_path) as opened:
        opened.sync(write_jsonl(tmp_path / "rows.jsonl", ROWS), dataset="lmsys/lmsys-chat-1m")
        yield opened


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def test_the_manifest_says_what_the_cases_are_made_of(store: Store, out: Path) -> None:
    chats = store.select(language="en").limit(5)
    report = write_cases(chats.convert(to_test_cases(outputs="reference_after")), out / "cases.json")
    found = json.loads((out / "cases.json.manifest.json").read_text())
    data = (out / "cases.json").read_bytes()
    assert (found["file"], found["format"], found["cases"]) == ("cases.json", "promptloop", 3)
    assert (found["bytes"], found["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert Query.from_json(found["query"]) == Query.of(language="en")
    assert (found["operations"], found["converter"]["outputs"]) == (".limit(5)", "reference_after")
    assert found["data_set"] == "lmsys/lmsys-chat-1m" and found["revision"]
    assert found["origins"] == {"cache": 5} and found["label_versions"] == [VERSION]
    assert [(step["step"], step["left"]) for step in found["funnel"]] == [
        ("within the limit", 5), ("not flagged", 4), ("with a reply", 3), ("of distinct prompts", 3), ("written", 3),
    ]  # fmt: skip
    assert found["scrubbed"] == {"email": 1} == dict(report.scrubbed)
    assert found["licence"].startswith("LMSYS-Chat-1M")
    assert (
        str(report.funnel) == "5 within the limit > 4 not flagged > 3 with a reply > 3 of distinct prompts > 3 written"
    )
    assert (report.path, report.manifest_path) == (out / "cases.json", out / "cases.json.manifest.json")
    assert (report.origins, report.complete) == ({"cache": 5}, True)
    assert found == json.loads(json.dumps(report.manifest))


def test_seeds_are_of_another_licence(store_path: Path, out: Path) -> None:
    with Store(store_path) as opened:
        opened.sync(seeds)
        report = write_cases(opened.select().convert(to_test_cases()), out / "cases.json")
    assert "MIT" in str(report.manifest["licence"])
    [first, *_] = json.loads((out / "cases.json").read_text())
    assert (first["metadata"]["source"], first["metadata"]["origin"]) == ("standard", "mock")


@pytest.mark.parametrize("name", [one.name for one in known_formats()])
def test_two_runs_write_the_same_bytes_and_a_replay_of_no_rows_is_a_file_too(
    name: str, store: Store, out: Path
) -> None:
    made = to_test_cases(outputs="reference_after", turns="every_turn")
    for file in ("one", "two"):
        assert write_cases(store.select().convert(made), out / file, format=name).cases == 5
    assert (out / "one").read_bytes() == (out / "two").read_bytes()
    nothing = write_cases(store.select(model="nobody").convert(made), out / "none", format=name)
    assert nothing.cases == 0 and (out / "none").exists()
    assert len((out / "one").read_bytes()) > len((out / "none").read_bytes())


def test_nothing_is_replaced_unasked(store: Store, out: Path) -> None:
    cases = store.select().convert(to_test_cases())
    for kept in ("cases.json", "cases.json.manifest.json"):
        (out / kept).write_text("kept")
        with pytest.raises(ExportError, match="--force"):
            write_cases(cases, out / "cases.json")
        assert [path.name for path in out.iterdir()] == [kept] and (out / kept).read_text() == "kept"
        (out / kept).unlink()
    (out / "cases.json").write_text("old")
    assert write_cases(cases, out / "cases.json", force=True).cases == 4
    assert len(json.loads((out / "cases.json").read_text())) == 4


def test_a_failure_halfway_leaves_what_was_there(store: Store, out: Path) -> None:
    (out / "cases.json").write_text("kept")

    def breaks(chat: Conversation) -> list[TestCase]:
        raise RuntimeError("the converter broke")

    with pytest.raises(RuntimeError, match="the converter broke"):
        write_cases(store.select().convert(breaks), out / "cases.json", force=True)
    with pytest.raises(QueryError, match="reference_after"):
        write_cases(store.select().convert(to_test_cases()), out / "cases.json", format="openai-evals", force=True)
    assert [path.name for path in out.iterdir()] == ["cases.json"]
    assert (out / "cases.json").read_text() == "kept"


def test_a_place_that_cannot_be_written_is_said(store: Store, out: Path) -> None:
    with pytest.raises(ExportError, match="cannot be written"):
        write_cases(store.select().convert(to_test_cases()), out / "no" / "folder.json")


def test_an_unknown_format_names_the_known_ones(store: Store, out: Path) -> None:
    with pytest.raises(QueryError, match=r"did you mean 'promptfoo'.*known: csv, .*promptloop"):
        write_cases(store.select().convert(to_test_cases()), out / "cases", format="promptfo")
    assert list(out.iterdir()) == []


def test_a_format_of_ones_own(store: Store, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known_formats()
    monkeypatch.setattr(registry, "_registry", dict(registry._registry))
    register_format(Format("pairs", ".jsonl", "a pair a line", lambda: JsonLines(lambda case: [[case.id, case.input]])))
    assert "pairs" in [one.name for one in known_formats()]
    write_cases(store.select(conversation_id="c4").convert(to_test_cases()), out / "pairs.jsonl", format="pairs")
    assert json.loads((out / "pairs.jsonl").read_text()) == ["lmsys-c4-t1", "no reply"]


def test_a_function_that_counts_nothing_is_a_converter_too(store: Store, out: Path) -> None:
    conversion = to_test_cases().begin(store.select())
    report = write_cases(store.select().convert(lambda chat: conversion(chat)), out / "cases.json")
    assert report.cases == len(json.loads((out / "cases.json").read_text())) == 4
    assert str(report.funnel) == "5 stored > 5 matching > 4 written"
    assert report.manifest["converter"] is None


@pytest.mark.parametrize("text", ["a lone\rreturn", "\r", "\n", 'a "quote", a comma'])
def test_any_text_is_one_cell_of_a_csv(text: str) -> None:
    cases = [*converted(to_test_cases(outputs="reference_after"), [chat(0, "question", text), chat(1, "q", "a")])]
    data = (encoder := format_named("csv").encoder()).begin() + encoder.encode(cases)
    found = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    assert [(cells["id"], cells["afterOutput"]) for cells in found] == [(case.id, case.after_output) for case in cases]


def test_csv_and_parquet_have_the_same_cells(store: Store, out: Path) -> None:
    made = to_test_cases(outputs="reference_before", turns="every_turn", include_flagged=True)
    for name in ("csv", "parquet", "jsonl"):
        write_cases(store.select().convert(made), out / name, format=name)
    with (out / "csv").open(newline="") as file:
        from_csv = list(csv.DictReader(file))
    from_parquet = pq.read_table(out / "parquet").to_pylist()
    plain = [json.loads(line) for line in (out / "jsonl").read_text().split("\n") if line]
    assert len(from_csv) == len(from_parquet) == len(plain) == 6
    for cells, typed, case in zip(from_csv, from_parquet, plain, strict=True):
        assert cells == {name: str(value) for name, value in typed.items()}
        assert (typed["id"], typed["input"], typed["beforeOutput"]) == (case["id"], case["input"], case["beforeOutput"])
        assert json.loads(typed["messages"] or "[]") == case["metadata"].get("messages", [])
        assert (typed["rating"], typed["round"]) == (case["metadata"]["rating"], case["metadata"]["round"])


@pytest.mark.anyio
async def test_an_async_store_writes_the_same(store: Store, out: Path) -> None:
    made = to_test_cases(turns="every_turn")
    write_cases(store.select().convert(made), out / "sync.json")
    async with AsyncStore(store.path) as opened:
        report = await write_cases_async(opened.select().convert(made), out / "async.json")
    assert (out / "async.json").read_bytes() == (out / "sync.json").read_bytes()
    assert report.cases == len(json.loads((out / "async.json").read_text()))


def test_many_pages_are_one_file_and_the_progress_is_told(store_path: Path, tmp_path: Path, out: Path) -> None:
    rows = [row(at, f"question number {at} of many", f"answer {at}") for at in range(1200)]
    told: list[int] = []
    with Store(store_path) as opened:
        opened.sync(write_jsonl(tmp_path / "many.jsonl", rows))
        for one in known_formats():
            made: Any = to_test_cases(outputs="reference_after")
            cases = opened.select().convert(made)
            report = write_cases(cases, out / one.name, format=one.name, on_written=told.append)
            assert report.cases == 1200
    assert told[:3] == [500, 1000, 1200]
    assert len(json.loads((out / "promptloop").read_text())) == 1200
    assert pq.read_table(out / "parquet").num_rows == 1200


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_read_only_is_said(store: Store, out: Path) -> None:
    out.chmod(0o500)
    with pytest.raises(ExportError, match="cannot be written"):
        write_cases(store.select().convert(to_test_cases()), out / "cases.json")
