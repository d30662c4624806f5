"""The filter options, alone and together, against the same choice made in Python."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lmsys_store import Store
from tests.cli.program import CHATS, assert_one_line, lines, run

Row = dict[str, Any]


def _flagged(row: Row) -> bool:
    return any(entry["flagged"] for entry in row.get("openai_moderation", ()))


def _prompt_chars(row: Row) -> int:
    return sum(len(message["content"]) for message in row["conversation"] if message["role"] == "user")


CASES: list[tuple[str, Callable[[Row], bool]]] = [
    ("--model gpt-4 --model claude-1", lambda row: row["model"] in ("gpt-4", "claude-1")),
    ("--model claude-v1 --language fr --language german", lambda row: row["model"] == "claude-1" and row["language"] == "French"),
    ("--language en-US --turns 2..4", lambda row: row["language"] == "English" and 2 <= row["turn"] <= 4),
    ("--turns 3", lambda row: row["turn"] == 3),
    ("--turns 4..", lambda row: row["turn"] >= 4),
    ("--turns ..1 --flagged", lambda row: row["turn"] <= 1 and _flagged(row)),
    ("--no-flagged --no-redacted", lambda row: not _flagged(row) and not row["redacted"]),
    ("--redacted --moderation violence", lambda row: row["redacted"] and _flagged(row)),
    ("--id chat-07 --id chat-02 --id chat-99", lambda row: row["conversation_id"] in ("chat-07", "chat-02")),
    ("--min-prompt-chars 10 --max-prompt-chars 40", lambda row: 10 <= _prompt_chars(row) <= 40),
    ('--search=red -poem "house garden"', lambda row: row["conversation_id"] == "chat-08"),
    ("--search=strass* ", lambda row: row["language"] == "German"),
    ("--min-rating 3", lambda row: True),
    ("--domain coding --domain legal --task debugging --tag code-pasted --max-rating 5", lambda row: False),
]


@pytest.mark.parametrize(("options", "chosen"), CASES, ids=[options for options, _ in CASES])
def test_filters_choose_the_rows_that_python_chooses(filled: Path, options: str, chosen: Callable[[Row], bool]) -> None:
    args = [options.strip()] if options.startswith("--search=") else options.split()
    found = lines("query", "--json", "--store", filled, *args)
    assert [row["conversation_id"] for row in found] == [row["conversation_id"] for row in CHATS if chosen(row)]


def test_limit_and_resume_go_on_where_python_stopped(filled: Path) -> None:
    with Store(filled) as store:
        results = store.select(language="en")
        for number, _ in enumerate(results, 1):
            if number == 2:
                break
        token = results.token
    assert token is not None
    rest = lines("query", "--json", "--store", filled, "--language", "en", "--resume", token)
    assert [row["row_index"] for row in rest] == [4, 6, 8, 9]
    assert lines("export", "--store", filled, "--language", "en", "--resume", token) == rest
    assert [row["row_index"] for row in lines("query", "--json", "--store", filled, "--limit", 3)] == [0, 1, 2]
    assert lines("query", "--json", "--store", filled, "--limit", 0) == []
    assert_one_line(run("query", "--store", filled, "--language", "de", "--resume", token), 1, "another query")
    assert_one_line(run("query", "--store", filled, "--resume", "nonsense"), 1, "results.token")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("query", "--turns", "many"), ("2..5", "many")),
        (("query", "--domain", "codign"), ("codign", "coding")),
        (("query", "--moderation", "violense"), ("violense", "violence")),
        (("query", "--turns", "9" * 30), ("turn",)),
        (("count", "--by", "modle"), ("modle", "model")),
        (("sync",), ("sync PATH", "--mock")),
        (("export", "--format", "parquet"), ("--output",)),
    ],
    ids=lambda value: " ".join(value),
)
def test_a_usage_error_is_one_line_that_names_what_would_be_right(filled: Path, args: tuple[str, ...], words: tuple[str, ...]) -> None:
    assert_one_line(run(*args, "--store", filled), 2, *words)


def test_an_unknown_option_or_command_is_exit_code_2(filled: Path) -> None:
    for args in (("query", "--modle", "gpt-4", "--store", filled), ("quarry",), ("query", "--limit", "-1"), ("export", "--format", "csv")):
        done = run(*args)
        assert (done.returncode, done.stdout) == (2, "")
        assert "Traceback" not in done.stderr and str(args[-1] if args[0] == "export" else args[0]) in done.stderr


def test_a_model_that_no_row_has_is_noted_with_the_nearest(filled: Path) -> None:
    done = run("query", "--json", "--model", "gpt4", "--store", filled)
    assert (done.returncode, done.stdout) == (0, "")
    assert "'gpt4'" in done.stderr and "'gpt-4'" in done.stderr
    counted = run("count", "--json", "--model", "gpt4", "--store", filled)
    assert counted.stdout == '{"count": 0}\n' and "'gpt-4'" in counted.stderr
