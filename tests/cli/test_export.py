"""Exports: whole files or none, nothing replaced unasked, no text where only ids are asked for, Parquet and back."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq

from lmsys_store import Conversation, Store
from tests.cli.program import CHATS, SENTENCE, assert_one_line, run, run_all


def _all(path: Path) -> list[Conversation]:
    with Store(path) as store:
        return list(store.select(moderation=True))


def test_output_is_written_whole_and_replaced_only_with_force(filled: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    done = run("export", "--store", filled, "--model", "gpt-4", "--output", out)
    assert (done.returncode, done.stderr) == (0, "") and "3 rows" in done.stdout and str(out) in done.stdout
    first = out.read_bytes()
    assert [json.loads(line)["row_index"] for line in first.splitlines()] == [0, 1, 9]
    to_out = ("--store", filled, "--output", out)
    for refused in run_all(("export", "--format", "parquet", *to_out), ("query", "--json", *to_out)):
        assert_one_line(refused, 1, out, "--force")
    assert out.read_bytes() == first
    assert run("query", *to_out, "--limit", 1, "--force").returncode == 0
    assert out.read_bytes() == first.splitlines(keepends=True)[0]
    assert list(tmp_path.iterdir()) == [out]


def _damaged(filled: Path, store: Path) -> Path:
    """A copy whose last row's text was cut short behind the store's back."""
    shutil.copy(filled, store)
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("UPDATE conversation_text SET record = ? WHERE row_index = 9", (f'[{{"{SENTENCE}',))
    return store


def test_an_export_that_fails_leaves_no_new_file_and_the_old_one_as_it_was(filled: Path, tmp_path: Path) -> None:
    """It fails at the last row, when others are written already; the error says what to do and quotes no text."""
    store, out, kept = _damaged(filled, tmp_path / "damaged.db"), tmp_path / "out" / "new", tmp_path / "out" / "kept"
    out.parent.mkdir()
    kept.write_text("kept")
    new, replaced, nowhere = run_all(
        ("export", "--format", "parquet", "--store", store, "--output", out),
        ("export", "--store", store, "--output", kept, "--force"),
        ("export", "--store", filled, "--output", tmp_path / "no" / "folder"),
    )
    assert kept.read_text() == "kept" and list(out.parent.iterdir()) == [kept]
    assert_one_line(nowhere, 1, tmp_path / "no" / "folder")
    for failed in (new, replaced):
        assert "blue heron" not in failed.stderr, "a message text is on stderr"
        assert_one_line(failed, 1, "row 9", "damaged", "sync")


def test_check_names_the_row_whose_text_cannot_be_read(filled: Path, tmp_path: Path) -> None:
    done = run("check", "--store", _damaged(filled, tmp_path / "damaged.db"))
    assert "blue heron" not in done.stderr + done.stdout, "a message text is in the output"
    assert done.returncode == 1 and "row 9" in done.stdout
    assert done.stderr.count("\n") == 1 and "sync again" in done.stderr


def test_ids_only_contains_no_text_of_any_chat(filled: Path, tmp_path: Path) -> None:
    out = tmp_path / "ids.parquet"
    ids_only = ("export", "--ids-only", "--store", filled)
    printed, written = run_all(ids_only, (*ids_only, "--format", "parquet", "--output", out))
    assert printed.returncode == written.returncode == 0
    table = pq.read_table(out)
    assert table.column("conversation_id").to_pylist() == [row["conversation_id"] for row in CHATS]
    assert table.column("row_index").to_pylist() == list(range(10))
    entries = [json.loads(line) for line in printed.stdout.splitlines()]
    assert [entry["conversation_id"] for entry in entries] == [row["conversation_id"] for row in CHATS]
    assert all(entry.keys() == {"conversation_id", "row_index", "labels"} for entry in entries)
    texts = [message["content"] for row in CHATS for message in row["conversation"] if len(message["content"]) > 3]
    shared = printed.stdout + json.dumps(table.to_pylist(), ensure_ascii=False)
    assert SENTENCE in " ".join(texts)
    assert [text for text in texts if text in shared] == []


def test_a_parquet_export_synced_into_a_new_store_is_the_same_rows_and_moderation(filled: Path, tmp_path: Path) -> None:
    out, flagged = tmp_path / "out.parquet", tmp_path / "flagged.parquet"
    export = ("export", "--format", "parquet", "--store", filled, "--output")
    assert [done.returncode for done in run_all((*export, out), (*export, flagged, "--flagged"))] == [0, 0]
    for source, target in ((out, tmp_path / "second.db"), (flagged, tmp_path / "third.db")):
        with Store(target) as store:
            store.sync(source)
            assert store.check().ok
    ours, theirs = _all(filled), _all(tmp_path / "second.db")
    assert theirs == ours
    assert [chat.moderation for chat in theirs] == [chat.moderation for chat in ours]
    assert sum(chat.moderation is not None for chat in ours) == 8
    assert [chat.conversation_id for chat in _all(tmp_path / "third.db")] == ["chat-02", "chat-03", "chat-09"]
