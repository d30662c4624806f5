"""The filter options, alone and together, against the same choice made in Python; --limit, --resume, and usage errors."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lmsys_store import Store
from tests.cli.program import CHATS, assert_one_line, lines, run, run_all

Row = dict[str, Any]


def _flagged(row: Row) -> bool:
    return any(entry["flagged"] for entry in row.get("openai_moderation", ()))


def _prompt_chars(row: Row) -> int:
    return sum(len(message["content"]) for message in row["conversation"] if message["role"] == "user")


CASES: list[tuple[str, Callable[[Row], bool]]] = [
    (
        "--model gpt-4 --model claude-v1 --turns 2..4",
        lambda row: row["model"] in ("gpt-4", "claude-1") and 2 <= row["turn"] <= 4,
    ),
    (
        "--language en-US --language german --turns ..1",
        lambda row: row["language"] in ("English", "German") and row["turn"] <= 1,
    ),
    ("--turns 4.. --flagged", lambda row: row["turn"] >= 4 and _flagged(row)),
    ("--turns 1 --no-flagged --min-rating 3", lambda row: row["turn"] == 1 and not _flagged(row)),
    ("--redacted --moderation violence", lambda row: row["redacted"] and _flagged(row)),
    ("--id chat-07 --id chat-02 --id chat-99", lambda row: row["conversation_id"] in ("chat-07", "chat-02")),
    (
        "--no-redacted --min-prompt-chars 10 --max-prompt-chars 40",
        lambda row: not row["redacted"] and 10 <= _prompt_chars(row) <= 40,
    ),
    ('--search=red -poem gard* "house garden"', lambda row: row["conversation_id"] == "chat-08"),
    ("--domain coding --domain legal --task debugging --tag code-pasted --max-rating 5", lambda row: False),
]


def test_filters_choose_the_rows_that_python_chooses(filled: Path) -> None:
    options = [[text] if text.startswith("--search=") else text.split() for text, _ in CASES]
    runs = run_all(*(("query", "--json", "--store", filled, *given) for given in options))
    for (text, chosen), done in zip(CASES, runs, strict=True):
        found = [row["conversation_id"] for row in lines(done)]
        assert found == [row["conversation_id"] for row in CHATS if chosen(row)], text


def test_resume_goes_on_where_python_stopped(filled: Path) -> None:
    with Store(filled) as store:
        everything, english = store.select().limit(4), store.select(language="en")
        next(iter(everything)), next(iter(english))
        tokens = everything.token, english.token
    resumed, filtered, other, nonsense = run_all(
        ("query", "--json", "--store", filled, "--limit", "4", "--resume", tokens[0]),
        ("export", "--store", filled, "--language", "en", "--resume", tokens[1]),
        ("query", "--store", filled, "--language", "de", "--resume", tokens[1]),
        ("query", "--store", filled, "--resume", "nonsense"),
    )
    assert_one_line(other, 1, "another query")
    assert_one_line(nonsense, 1, "results.token")
    assert [row["row_index"] for row in lines(resumed)] == [1, 2, 3]
    assert [row["row_index"] for row in lines(filtered)] == [2, 4, 6, 8, 9]


def test_the_token_after_first_resumes_the_same_results(filled: Path) -> None:
    with Store(filled) as store:
        english = store.select(language="en")
        first = english.first()
        assert first is not None and first.row_index == 0
        rest = store.select(language="en", resume=english.token)
        assert [chat.row_index for chat in rest] == [2, 4, 6, 8, 9]


def test_a_usage_error_is_one_line_that_names_what_would_be_right(filled: Path) -> None:
    errors = {
        ("query", "--turns", "many"): ("2..5", "many"),
        ("query", "--domain", "helthcare"): ("helthcare", "healthcare"),
        ("count", "--by", "modle"): ("modle", "model"),
        ("sync", "chats.parquet", "--mock"): ("sync PATH", "--mock"),
        ("export", "--format", "parquet"): ("--output",),
    }
    for words, done in zip(errors.values(), run_all(*((*args, "--store", filled) for args in errors)), strict=True):
        assert_one_line(done, 2, *words)


def test_an_unknown_option_command_or_choice_is_exit_code_2() -> None:
    wrong = {"--modle": ("query", "--modle", "gpt-4"), "quarry": ("quarry",), "csv": ("export", "--format", "csv")}
    for word, done in zip(wrong, run_all(*wrong.values()), strict=True):
        assert (done.returncode, done.stdout) == (2, "")
        assert word in done.stderr and "Traceback" not in done.stderr


def test_a_model_that_no_row_has_is_noted_with_the_nearest(filled: Path) -> None:
    done = run("count", "--json", "--model", "gpt4", "--store", filled)
    assert (done.returncode, done.stdout) == (0, '{"count": 0}\n')
    assert "'gpt4'" in done.stderr and "'gpt-4'" in done.stderr
