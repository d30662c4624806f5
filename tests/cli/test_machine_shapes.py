"""What the commands print for machines: the documented shapes, JSON alone on stdout; and the tables for people beside them."""

import json
from pathlib import Path

from lmsys_store.labels.rating import VERSION
from lmsys_store.records import Labels
from tests.cli.program import BROKEN_ROWS, CHATS, lines, run_all, run_json, the_json, write_rows

STATUS_KEYS = {
    "dataset", "config", "split", "revision", "rows", "total_rows", "rejected", "coverage", "complete", "labels_version",
    "size_bytes",
}  # fmt: skip
CHAT_KEYS = {
    "conversation_id", "row_index", "origin", "model", "language", "turn", "redacted", "flagged", "timestamp", "labels",
    "messages",
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


def test_status_json_is_one_object_also_of_an_empty_and_a_missing_store(
    filled: Path, empty: Path, tmp_path: Path
) -> None:
    nowhere = tmp_path / "none" / "none.db"
    status, *others = map(
        the_json, run_all(*(("status", "--json", "--store", path) for path in (filled, empty, nowhere)))
    )
    assert status.keys() >= STATUS_KEYS
    assert (status["dataset"], status["config"], status["split"]) == ("local/chats.jsonl", "default", "train")
    assert (status["rows"], status["total_rows"], status["rejected"]) == (10, 13, 3)
    assert status["coverage"] == [[0, 13]] and status["complete"] is True
    assert (
        status["labels_version"] == VERSION
        and status["stale_labels"] == 0
        and status["size_bytes"] >= filled.stat().st_size > 0
    )
    assert sum(status["reject_reasons"].values()) == 3
    for other, path in zip(others, (empty, nowhere), strict=True):
        assert other.keys() == status.keys() and other["path"] == str(path)
        assert (other["dataset"], other["rows"], other["total_rows"], other["rejected"]) == (None, 0, None, 0)
        assert other["coverage"] == [] and other["complete"] is False
    assert not nowhere.parent.exists()


def test_query_export_and_show_print_the_same_object_for_a_chat(filled: Path) -> None:
    queried, exported, shown = run_all(
        ("query", "--store", filled, "--json"),
        ("export", "--format", "jsonl", "--store", filled),
        ("show", "chat-03", "--json", "--store", filled),
    )
    assert queried.stdout == exported.stdout
    chats = lines(queried)
    assert the_json(shown) == chats[3]
    assert [chat["row_index"] for chat in chats] == list(range(10))
    for chat, row in zip(chats, CHATS, strict=True):
        assert chat.keys() >= CHAT_KEYS
        assert chat["messages"] == row["conversation"]
        for key in ("conversation_id", "model", "language", "turn", "redacted"):
            assert chat[key] == row[key]
        moderation = row.get("openai_moderation")
        assert chat["flagged"] == (None if moderation is None else any(entry["flagged"] for entry in moderation))
        assert chat["labels"].keys() == set(Labels.model_fields)
        assert (chat["origin"], chat["timestamp"]) == ("cache", None)


def test_count_and_check_print_one_value_each(filled: Path) -> None:
    by_flagged, by_model, counted, plain, checked = run_all(
        ("count", "--by", "flagged", "--json", "--store", filled),
        ("count", "--by", "model", "--language", "en", "--json", "--store", filled),
        ("count", "--json", "--turns", "2..", "--store", filled),
        ("count", "--store", filled),
        ("check", "--json", "--store", filled),
    )
    models = [("gpt-4", 2), ("vicuna-13b", 2), ("claude-1", 1), ("koala-13b", 1)]
    assert the_json(by_model) == [{"value": value, "count": number} for value, number in models]
    assert the_json(counted) == {"count": 5} and plain.stdout == "10\n"
    assert the_json(checked) == {"ok": True, "rows": 10, "problems": []}
    flags = [{"value": value, "count": number} for value, number in ((False, 5), (True, 3), (None, 2))]
    assert json.dumps(the_json(by_flagged)) == json.dumps(flags), "flagged is true, false or null, as in query --json"


def test_tables_for_people_say_the_same(filled: Path) -> None:
    status, listing, table, shown = run_all(
        ("status", "--store", filled),
        ("query", "--store", filled),
        ("count", "--by", "language", "--store", filled),
        ("show", "5", "--store", filled),
    )
    assert {done.returncode for done in (status, listing, table, shown)} == {0}
    assert "local/chats.jsonl" in status.stdout and "10 of 13" in status.stdout
    assert "the line is not JSON" in status.stdout and "conversation is empty" in status.stdout
    rows = [line.split()[:2] for line in listing.stdout.splitlines()[1:]]
    assert rows == [[str(number), f"chat-{number:02}"] for number in range(10)]
    assert table.stdout.splitlines()[0].split() == ["English", "6"]
    assert "请解释量子力学" in shown.stdout and "reply 1 to chat 5" in shown.stdout and "Chinese" in shown.stdout


def test_duplicates_json_counts_the_rows_that_match_and_names_the_largest_groups(filled: Path) -> None:
    whole, one, text = run_all(
        ("duplicates", "--json", "--store", filled),
        ("duplicates", "--json", "--store", filled, "--limit", 0, "--min-prompt-chars", 10**6),
        ("duplicates", "--store", filled),
    )
    found = the_json(whole)
    assert found.keys() == {"rows", "prompts", "groups", "largest", "pairs", "straddling"}
    assert found["rows"] == len(CHATS) >= found["prompts"] >= found["groups"] >= 1
    assert all(group["rows"] == len(group["row_indexes"]) > 1 for group in found["largest"])
    assert the_json(one) == {
        "rows": 0, "prompts": 0, "groups": 0, "largest": [], "pairs": 0, "straddling": 0,
    }  # fmt: skip
    assert text.stdout.startswith(f"{len(CHATS)} rows; ")
