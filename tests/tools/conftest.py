"""The tools, where they are installed, and a store of chats that hold every trap the formats have."""

import json
import os
import random
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from lmsys_store import Store
from lmsys_store.convert import known_formats, to_test_cases, write_cases
from lmsys_store.convert.cases import TestCase
from lmsys_store.convert.rounds import Outputs, Turns
from tests.generated import write_jsonl

TOOLS: Final = Path(os.environ.get("LMSYS_STORE_TOOLS") or Path(__file__).parents[2] / ".tools").absolute()
PROGRAMS: Final = Path(__file__).parent / "programs"
QUIET: Final = {
    "DEEPEVAL_TELEMETRY_OPT_OUT": "YES", "PROMPTFOO_DISABLE_TELEMETRY": "1", "PROMPTFOO_DISABLE_UPDATE": "1",
    "PROMPTFOO_DISABLE_DEBUG_LOG": "1", "PROMPTFOO_DISABLE_ERROR_LOG": "1",
    "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "OPENAI_API_KEY": "none", "LANGSMITH_TRACING": "false",
}  # fmt: skip
"""No tool tells anybody that it runs."""

TRAPS: Final = [
    "file:///etc/passwd", "package:foo:bar", "Use {{input}} and {{messages}} {{ env.HOME }} {% for x in y %} {# c #} {{7*7}}",
    "{{ unclosed", "{% raw %}", "a #} b %} c }}", "{{input}}", "{", "one line end\n", "two\n\n", "\n before", " ", "",
    "1e3", "0o14", "yes", "null", "2023-01-01", "- list", "key: value", "# no comment", "&anchor *alias !tag",
    '"quotes", commas\nlines\r\nCRLF\ttab\r', '["a", "b"]', '[{"role": "user", "content": "x"}]', "=cmd()", "C:\\new \\u0041",
    "🌦️ ما ls\u2028 nel\u0085 bom\ufeff c1\x80 del\x7f", "nul\x00 esc\x1b[31m", "  indented\n    more\n",
    "tab\tin line\nsecond \n third",
]  # fmt: skip
_PIECES: Final = [
    "{",
    "}",
    "%",
    "#",
    "'",
    '"',
    "\n",
    " ",
    "-",
    "input",
    "file://",
    "|",
    "raw",
    "endraw",
    "\\",
    "é",
    "for",
]
CORRECTED: Final = [
    "Capital of Australia?",
    "Sydney.",
    "no, that's wrong. it is Canberra",
    "Canberra. Sorry.",
    "thanks",
]
"""Two and a half rounds; the first reply is corrected."""


def _chat(number: int, messages: Sequence[str]) -> dict[str, Any]:
    said = [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(messages)]
    return {
        "conversation_id": f"{number:032x}", "model": "gpt-4", "conversation": said, "turn": len(messages) // 2,
        "language": "English", "redacted": False,
    }  # fmt: skip


def chats(fuzzed: int = 120) -> list[dict[str, Any]]:
    """One chat for each trap, some made of the characters of templates (by a fixed seed), and one of several rounds."""
    rng = random.Random(6)
    texts = [*TRAPS, *("".join(rng.choices(_PIECES, k=rng.randint(1, 14))) for _ in range(fuzzed))]
    return [*(_chat(at, [text, f"file://reply {text}"]) for at, text in enumerate(texts)), _chat(len(texts), CORRECTED)]


@pytest.fixture(scope="session")
def store_of_traps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("traps")
    with Store(folder / "traps.db") as store:
        report = store.sync(write_jsonl(folder / "traps.jsonl", chats()), dataset="lmsys/lmsys-chat-1m")
        assert report.rows_rejected == 0
    return folder / "traps.db"


class Export:
    """A file of a format, and the cases that are in it."""

    def __init__(self, store: Path, folder: Path) -> None:
        self._store, self._folder = store, folder

    def __call__(
        self, format: str, turns: Turns = "first_turn", outputs: Outputs = "reference_after"
    ) -> tuple[Path, list[TestCase]]:
        extension = next(one.extension for one in known_formats() if one.name == format)
        path = self._folder / f"cases{extension}"
        with Store(self._store) as store:
            made = to_test_cases(turns=turns, outputs=outputs, distinct=None)
            report = write_cases(store.select(fallback="cache").convert(made), path, format=format)
            cases = list(store.select(fallback="cache").convert(made))
        assert report.cases == len(cases) > 0
        return path, cases


@pytest.fixture
def export(store_of_traps: Path, tmp_path: Path) -> Export:
    return Export(store_of_traps, tmp_path)


@pytest.fixture(scope="session")
def node() -> Path:
    """The folder of the Node programs."""
    place = TOOLS / "node" / "node_modules" / ".bin"
    if not (place / "promptfoo").exists():
        pytest.skip(f"promptfoo is not installed in {TOOLS}: make test-tools does it")
    return place


@pytest.fixture(scope="session")
def read_by() -> "ReadBy":
    """Runs a program of ours in the tools' Python, and gives the JSON it prints."""
    python = TOOLS / "venv" / "bin" / "python"
    if not python.exists():
        pytest.skip(f"the Python tools are not installed in {TOOLS}: make test-tools does it")
    return ReadBy(python)


class ReadBy:
    def __init__(self, python: Path) -> None:
        self._python = python

    def __call__(self, program: str, *arguments: object) -> Any:
        command = [str(self._python), str(PROGRAMS / f"{program}.py"), *map(str, arguments)]
        done = subprocess.run(command, env=os.environ | QUIET, capture_output=True, text=True, timeout=110, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout)
