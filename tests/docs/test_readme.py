"""Every code block and command of the README runs, in order, in one folder; every command and option is named."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from lmsys_store import cli

from lmsys_store.cli import syncing, cases, commands, labelling, promptloop  # isort: skip
from tests.generated import write_parquet
from tests.standin import GeneratedRows, StandIn, serving

README = Path(__file__).parents[2] / "README.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module", autouse=True)
def remote() -> Iterator[dict[str, str]]:
    """What a reader with a token has: a remote that answers."""
    with serving(StandIn(GeneratedRows(2000), tokens={"hf_good": 200})) as server:
        yield {
            "LMSYS_STORE_VIEWER_URL": server.url, "HF_ENDPOINT": server.hub_url, "HF_TOKEN": "hf_good", "HF_HUB_OFFLINE": "0",
            "LMSYS_STORE_FALLBACK": "mock",
        }  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a reader of the README would stand: with a file of conversations."""
    place = tmp_path_factory.mktemp("readme")
    write_parquet(place / "chats.parquet", 500)
    return place


def run(command: list[str], folder: Path, remote: dict[str, str]) -> subprocess.CompletedProcess[str]:
    environment = os.environ | remote | {"LMSYS_STORE_PATH": str(folder / "mine.db"), "PYTHONPATH": str(README.parent)}
    return subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize("number", [number for number, (kind, _) in enumerate(BLOCKS) if kind == "python"])
def test_a_python_block_runs_without_a_warning(number: int, folder: Path, remote: dict[str, str]) -> None:
    done = run([sys.executable, "-W", "error", "-c", BLOCKS[number][1]], folder, remote)
    assert (done.returncode, done.stderr) == (0, "")


LABELS = README.parent / "docs" / "labels.md"


def test_the_example_of_votes_prints_what_the_page_says(tmp_path: Path, remote: dict[str, str]) -> None:
    [block] = re.findall(r"^```python\n(.*?)^```", LABELS.read_text(), re.MULTILINE | re.DOTALL)
    done = run([sys.executable, "-W", "error", "-c", block], tmp_path, remote)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["mock-0001 5.0 external", "mock-0002 2.0 external"]


@pytest.mark.timeout(180)
def test_the_commands_run_in_the_order_in_which_they_are_shown(folder: Path, remote: dict[str, str]) -> None:
    shown = [
        line[2:] for kind, text in BLOCKS if kind == "console" for line in text.splitlines() if line.startswith("$ ")
    ]
    assert len(shown) >= 9
    for line in shown:
        program, *arguments = shlex.split(line)
        assert program == "lmsys-store", line
        done = run([sys.executable, "-m", "lmsys_store", *arguments], folder, remote)
        assert done.returncode == 0, f"{line}: {done.stderr}"
        assert done.stdout, f"{line} printed nothing"


def test_every_command_is_in_the_table_and_every_filter_is_named() -> None:
    text = README.read_text()
    program = typer.main.get_command(cli.app)
    names = list(program.commands)  # type: ignore[attr-defined]
    assert names, (syncing, cases, commands, labelling, promptloop)
    for name in names:
        assert f"| `lmsys-store {name}" in text, name
    query, testing = program.commands["query"], program.commands["testcases"]  # type: ignore[attr-defined]
    for parameter in (*query.params, *testing.params):
        option = next(option for option in parameter.opts if option.startswith("--"))
        assert option in text, option
