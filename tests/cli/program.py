"""The command line as a real process, and the chats that its tests store."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lmsys_store.records import DATASET_SPELLING

PROGRAM = (sys.executable, "-m", "lmsys_store")
SENTENCE = "the blue heron stands in the shallow river at dawn"
"""Occurs in one chat only, so that any trace of it in a file is a trace of that chat."""


def run(
    *args: object, env: Mapping[str, str] | None = None, input: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the program to its end; without input its stdin is empty, and none of its streams is a terminal."""
    return subprocess.run(
        [*PROGRAM, *map(str, args)],
        env=os.environ | dict(env or {}),
        input=input or "",
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def run_all(*commands: Sequence[object]) -> list[subprocess.CompletedProcess[str]]:
    """Run several commands, two at a time: a start is 0.6 s, nearly all of it imports."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda command: run(*command), commands))


def run_json(*args: object) -> Any:
    """The one JSON value that a successful run prints; anything else on stdout fails to parse."""
    return the_json(run(*args, "--json"))


def the_json(done: subprocess.CompletedProcess[str]) -> Any:
    """The one JSON value, on one line, that a successful run printed."""
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    return json.loads(done.stdout)


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """The JSON objects, one a line, that a successful run printed."""
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def assert_one_line(done: subprocess.CompletedProcess[str], code: int, *words: object) -> None:
    """A failure: the exit code, one line on stderr that has the words, nothing on stdout, no traceback."""
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("lmsys-store: ")
    for word in words:
        assert str(word) in done.stderr


def chat(
    number: int, model: str, language: str, prompts: list[str], *, flagged: bool | None = None, redacted: bool = False
) -> dict[str, Any]:
    """A row of the data set with one reply to each prompt; flagged is for violence, None is a row without moderation."""
    messages = []
    for position, prompt in enumerate(prompts):
        messages += [
            {"role": "user", "content": prompt},
            {"role": "assistant", "content": f"reply {position} to chat {number}"},
        ]
    row = {
        "conversation_id": f"chat-{number:02}", "model": model, "conversation": messages, "turn": len(prompts),
        "language": language, "redacted": redacted,
    }  # fmt: skip
    if flagged is not None:
        row["openai_moderation"] = [_moderation(flagged and position == 0) for position in range(len(messages))]
    return row


def _moderation(flagged: bool) -> dict[str, Any]:
    spelled = DATASET_SPELLING.values()
    return {
        "categories": {name: flagged and name == "violence" for name in spelled},
        "category_scores": {name: 0.9 if flagged and name == "violence" else 1 / 3 for name in spelled},
        "flagged": flagged,
    }


CHATS = [
    chat(0, "gpt-4", "English", ["write a poem about a red house", "now shorter"], flagged=False),
    chat(1, "gpt-4", "German", ["Erkläre mir die Straße in Köln"], flagged=False),
    chat(2, "claude-1", "English", [f"Translate: {SENTENCE}"], flagged=True),
    chat(3, "claude-1", "French", ["où est le jardin", "merci", "encore une question"], flagged=True, redacted=True),
    chat(4, "vicuna-13b", "English", ["what did NAME_1 say about the house garden"], redacted=True),
    chat(5, "vicuna-13b", "Chinese", ["请解释量子力学", "谢谢"]),
    chat(6, "vicuna-13b", "English", ["a", "b", "c", "d"], flagged=False),
    chat(7, "koala-13b", "Arabic", ["ما هو الطقس اليوم 🌦️"], flagged=False),
    chat(8, "koala-13b", "English", ['the red house "and" its garden, house garden red'], flagged=False),
    chat(9, "gpt-4", "English", ["x" * 5000, "y" * 5000, "z", "w", "v"], flagged=True),
]
BROKEN_ROWS: list[object] = ['{"conversation_id": "broken', chat(11, "m", "English", []), 7]


def write_rows(path: Path, rows: list[Any]) -> Path:
    """A JSON Lines file; a string is written as the line it is."""
    text = "".join((row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")
    return path
