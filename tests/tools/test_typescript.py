"""The TypeScript example compiles under --strict against PromptLoop's declarations, and its calls give what they declare."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lmsys_store import Store, seeds
from tests.tools.conftest import PROGRAMS

pytestmark = pytest.mark.timeout(120)
EXAMPLE = Path(__file__).parents[2] / "examples" / "promptloop.ts"


@pytest.fixture(scope="module")
def compiled(node: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The consumer's program with the example, as JavaScript."""
    folder = tmp_path_factory.mktemp("typescript")
    for source in (EXAMPLE, PROGRAMS / "consumer.ts"):
        shutil.copy(source, folder)
    types = node.parent / "@types"
    strict = ("--strict", "--target", "es2022", "--module", "commonjs", "--types", "node", "--typeRoots", str(types))
    command = [str(node / "tsc"), *strict, "--outDir", str(folder / "out"), str(folder / "consumer.ts")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout
    return folder / "out" / "consumer.js"


def _answers(compiled: Path, store: Path, domain: str = "coding", **changes: str) -> Any:
    program = str(Path(sys.executable).with_name("lmsys-store"))
    environment = os.environ | {"LMSYS_STORE": program, "LMSYS_STORE_PATH": str(store)} | changes
    done = subprocess.run(
        ["node", str(compiled), domain], env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_real_rows(compiled: Path, real_chats: Path, store_path: Path) -> None:
    with Store(store_path) as store:
        store.sync(real_chats / "chats.parquet", dataset="lmsys/lmsys-chat-1m")
    found = _answers(compiled, store_path)
    assert len(found["conversations"]) == 5 and len(found["generated"]) == 4
    assert [case["input"] for case in found["converted"]] == [
        chat["conversation"][0]["content"] for chat in found["conversations"]
    ]
    assert {case["metadata"]["source"] for case in found["converted"] + found["generated"]} == {"lmsys"}
    assert all(chat["domain"] == "software-development" for chat in found["conversations"])
    assert found["refused"].startswith("unknown domain 'no-such-domain'; ")


def test_seeds_where_nothing_else_can_be_had(compiled: Path, store_path: Path) -> None:
    found = _answers(compiled, store_path, LMSYS_STORE_FALLBACK="mock")
    assert found["conversations"] and found["generated"]
    assert {case["metadata"]["source"] for case in found["converted"] + found["generated"]} == {"standard"}
    assert {case["metadata"]["origin"] for case in found["generated"]} == {"mock"}


def test_an_empty_answer(compiled: Path, store_path: Path) -> None:
    with Store(store_path) as store:
        store.sync(seeds)
        store.delete(domain="coding")
    found = _answers(compiled, store_path)
    assert (found["conversations"], found["converted"], found["generated"]) == ([], [], [])
