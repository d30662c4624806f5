"""What people are told: where nothing is stored yet, when something goes wrong, and what a chat may not do to a terminal."""

import re
import subprocess
import sys
from pathlib import Path

from lmsys_store import Store
from tests.cli.program import assert_one_line, chat, run, run_all, write_rows

HOSTILE = "\x1b]0;owned\x07\x1b[31mred\x9b2J\r\x00 \u202ereversed\u202c\x7f"
"""A title change, a colour, an 8-bit control, a carriage return, NUL, a text direction override, delete."""


def test_the_program_alone_prints_six_lines_and_creates_nothing(tmp_path: Path, filled: Path) -> None:
    places = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    default, named = run(env=places), run(env={"LMSYS_STORE_PATH": str(filled)})
    for done in (default, named):
        assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 6)
        assert done.stdout.startswith("lmsys-store: ")
    for word in (str(tmp_path), "nothing yet", "lmsys-store sync PATH"):
        assert word in default.stdout
    for word in (str(filled), "10 chats", "lmsys-store query"):
        assert word in named.stdout
    assert_one_line(run("query", env=places), 1, tmp_path, "lmsys-store sync PATH")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_store_is_an_error_that_says_what_to_run(tmp_path: Path) -> None:
    nowhere = ("--store", tmp_path / "none.db")
    exported, counted, checked, status = run_all(
        ("export", "--fallback", "cache", *nowhere), *((name, *nowhere) for name in ("count", "check", "status"))
    )
    for done in (exported, counted, checked):
        assert_one_line(done, 1, tmp_path / "none.db", "lmsys-store sync PATH")
    assert (status.returncode, status.stderr) == (0, "")
    assert str(tmp_path / "none.db") in status.stdout and "lmsys-store sync PATH" in status.stdout
    assert list(tmp_path.iterdir()) == []


def test_an_empty_store_says_why_it_is_empty_and_what_to_run(empty: Path) -> None:
    queried, counted, status, alone, shown = run_all(
        ("query", "--json", "--store", empty),
        ("count", "--json", "--store", empty),
        ("status", "--store", empty),
        ("query", "--store", empty),
        ("show", "chat-01", "--store", empty),
    )
    for done, stdout in ((queried, ""), (alone, ""), (counted, '{"count": 0}\n')):
        assert (done.returncode, done.stdout) == (0, stdout)
        assert "empty" in done.stderr and "sync" in done.stderr
    assert "never filled" in status.stdout and "lmsys-store sync PATH" in status.stdout
    assert_one_line(shown, 1, empty, "empty", "sync")


def test_a_chat_that_is_not_there_is_one_line_with_what_to_do(filled: Path) -> None:
    assert_one_line(run("show", "chat-99", "--store", filled), 1, "chat-99", "lmsys-store query")


def test_control_characters_of_a_chat_reach_no_terminal(tmp_path: Path, store_path: Path) -> None:
    row = chat(0, HOSTILE, HOSTILE, [f"before {HOSTILE} after"]) | {"conversation_id": HOSTILE}
    row["conversation"][1]["content"] = HOSTILE
    with Store(store_path) as store:
        store.sync(write_rows(tmp_path / "hostile.jsonl", [row]))
    outputs = run_all(
        *((*args, "--store", store_path) for args in (("query",), ("show", "0"), ("count", "--by", "model")))
    )
    for done in outputs:
        assert (done.returncode, done.stderr) == (0, "")
        assert not {char for char in HOSTILE if not char.isprintable()} & set(done.stdout)
        assert "\\x1b" in done.stdout
    assert "\\u202e" in outputs[1].stdout and "before" in outputs[1].stdout


def test_debug_shows_the_traceback_that_is_one_line_without_it(tmp_path: Path) -> None:
    shown = run("--debug", "query", "--store", tmp_path / "none.db")
    assert (shown.returncode, shown.stdout) == (1, "")
    assert "Traceback" in shown.stderr and "StoreNotFoundError" in shown.stderr


def test_an_unexpected_exception_is_one_line_whatever_its_message_holds() -> None:
    program = (
        "import lmsys_store.cli as cli\n"
        "@cli.app.command()\n@cli.boundary\ndef broken() -> None:\n    raise ZeroDivisionError('by\\nnought')\n"
        "cli.main()"
    )
    plain, debug = (
        subprocess.run([sys.executable, "-c", program, *args], capture_output=True, text=True, timeout=50, check=False)
        for args in (["broken"], ["--debug", "broken"])
    )
    assert debug.returncode == 1 and "Traceback" in debug.stderr
    assert_one_line(plain, 1, "ZeroDivisionError", "--debug")


def test_every_command_is_where_the_program_looks_for_it() -> None:
    """A command loads its own module alone; --help names all of them."""
    from lmsys_store.cli import _HOMES

    helped = run("--help")
    named = re.findall(r"^  ([a-z]+)  ", helped.stdout.partition("Commands:")[2], re.MULTILINE)
    assert sorted(named) == sorted(_HOMES)
    for done in run_all(*((name, "--help") for name in _HOMES)):
        assert done.returncode == 0, done
