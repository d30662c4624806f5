"""What the commands print for machines: the documented shapes, JSON alone on stdout, notes on stderr."""

import json
from pathlib import Path

from tests.cli.program import BROKEN_ROWS, CHATS, run, run_json, write_rows

STATUS_KEYS = {
    "dataset", "config", "split", "revision", "rows", "total_rows", "rejected", "coverage", "complete", "labels_version",
    "size_bytes",
}  # fmt: skip
CHAT_KEYS = {
    "conversation_id", "row_index", "origin", "model", "language", "turn", "redacted", "flagged", "timestamp", "labels", "messages",
}  # fmt: skip
SYNC_KEYS = {"rows_added", "rows_rejected", "rows_skipped", "seconds", "requests", "bytes", "complete"}


def test_sync_json_ends_with_one_object_of_what_was_done(tmp_path: Path, store_path: Path) -> None:
    source = write_rows(tmp_path / "chats.jsonl", [*CHATS, *BROKEN_ROWS])
    part = run_json("sync", source, "--store", store_path, "--limit", 4)
    assert part.keys() >= SYNC_KEYS
    assert (part["rows_added"], part["rows_rejected"], part["rows_skipped"], part["complete"]) == (4, 0, 0, True)
    rest = run_json("sync", source, "--store", store_path)
    assert (rest["rows_added"], rest["rows_rejected"], rest["rows_skipped"], rest["complete"]) == (6, 3, 4, True)
    again = run_json("sync", source, "--store", store_path)
    assert (again["rows_added"], again["rows_rejected"], again["rows_skipped"], again["bytes"]) == (0, 0, 13, 0)
    assert isinstance(again["seconds"], float) and again["requests"] == 0


def test_status_json_is_one_object_of_the_documented_keys(filled: Path) -> None:
    status = run_json("status", "--store", filled)
    assert status.keys() >= STATUS_KEYS
    assert (status["dataset"], status["config"], status["split"]) == ("local/chats.jsonl", "default", "train")
    assert (status["rows"], status["total_rows"], status["rejected"]) == (10, 13, 3)
    assert status["coverage"] == [[0, 13]] and status["complete"] is True
    assert status["labels_version"] is None and status["size_bytes"] >= filled.stat().st_size > 0
    assert sum(status["reject_reasons"].values()) == 3


def test_status_json_of_a_missing_and_an_empty_store_has_the_same_keys(filled: Path, empty: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "none" / "none.db"
    shapes = [run_json("status", "--store", path) for path in (filled, empty, nowhere)]
    assert shapes[0].keys() == shapes[1].keys() == shapes[2].keys()
    for shape, path in zip(shapes[1:], (empty, nowhere), strict=True):
        assert shape["path"] == str(path)
        assert (shape["dataset"], shape["rows"], shape["total_rows"], shape["rejected"]) == (None, 0, None, 0)
        assert shape["coverage"] == [] and shape["complete"] is False
    assert not nowhere.parent.exists()


def test_query_export_and_show_print_the_same_object_for_a_chat(filled: Path) -> None:
    queried = run("query", "--store", filled, "--json").stdout
    exported = run("export", "--format", "jsonl", "--store", filled).stdout
    assert queried == exported
    chats = [json.loads(line) for line in queried.splitlines()]
    assert [shown["row_index"] for shown in chats] == list(range(10))
    for shown, row in zip(chats, CHATS, strict=True):
        assert shown.keys() >= CHAT_KEYS
        assert shown["messages"] == row["conversation"]
        assert (shown["conversation_id"], shown["model"], shown["language"]) == (row["conversation_id"], row["model"], row["language"])
        assert (shown["origin"], shown["turn"], shown["redacted"], shown["timestamp"]) == ("cache", row["turn"], row["redacted"], None)
        assert shown["flagged"] == (any(entry["flagged"] for entry in row["openai_moderation"]) if "openai_moderation" in row else None)
        assert shown["labels"].keys() == {"domain", "task", "rating", "tags", "version"}
    assert run_json("show", "chat-03", "--store", filled) == chats[3] == run_json("show", "3", "--store", filled)


def test_count_check_and_their_json(filled: Path) -> None:
    assert run_json("count", "--store", filled) == {"count": 10}
    assert run("count", "--store", filled).stdout == "10\n"
    by_model = run_json("count", "--by", "model", "--language", "en", "--store", filled)
    assert by_model == [
        {"value": "gpt-4", "count": 2}, {"value": "vicuna-13b", "count": 2}, {"value": "claude-1", "count": 1}, {"value": "koala-13b", "count": 1},
    ]  # fmt: skip
    by_flagged = run_json("count", "--by", "flagged", "--store", filled)
    assert {entry["value"]: entry["count"] for entry in by_flagged} == {False: 5, True: 3, None: 2}
    assert all(entry["value"] in (True, False, None) and not isinstance(entry["value"], int | float) or isinstance(entry["value"], bool) for entry in by_flagged)
    assert run_json("check", "--store", filled) == {"ok": True, "rows": 10, "problems": []}


def test_tables_for_people_say_the_same(filled: Path) -> None:
    status = run("status", "--store", filled)
    assert status.returncode == 0 and "local/chats.jsonl" in status.stdout and "10 of 13" in status.stdout
    assert "the line is not JSON" in status.stdout and "conversation is empty" in status.stdout
    listing = run("query", "--store", filled)
    assert [line.split()[:2] for line in listing.stdout.splitlines()[1:]] == [[str(n), f"chat-{n:02}"] for n in range(10)]
    table = run("count", "--by", "language", "--store", filled).stdout
    assert table.splitlines()[0].split() == ["English", "6"]
    shown = run("show", "chat-05", "--store", filled).stdout
    assert "请解释量子力学" in shown and "reply 1 to chat 5" in shown and "Chinese" in shown
    assert run("check", "--store", filled).stdout == "ok: 10 rows checked\n"
