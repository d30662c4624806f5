"""promptfoo validates and runs our files, and what reaches the model is what the user wrote, character for character."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lmsys_store.convert.cases import TestCase
from tests.tools.conftest import CORRECTED, QUIET, Export

pytestmark = pytest.mark.timeout(120)
FORMATS = ("promptfoo", "promptfoo-jsonl", "promptfoo-csv")


class Evaluation:
    """What an eval with the echo provider said, by test and prompt."""

    def __init__(self, node: Path, tests: Path, prompts: list[str]) -> None:
        config, out = tests.parent / "config.json", tests.parent / "out.json"
        config.write_text(json.dumps({"prompts": prompts, "providers": ["echo"], "tests": f"file://{tests.name}"}))
        _promptfoo(node, tests.parent, "validate", "-c", config)
        quiet = ("--no-write", "--no-table", "--no-progress-bar", "--no-cache")
        _promptfoo(node, tests.parent, "eval", "-c", config, "-o", out, *quiet)
        results = json.loads(out.read_text())["results"]
        self.stats: dict[str, Any] = results["stats"]
        self.results: list[dict[str, Any]] = results["results"]

    def said(self, prompt: int) -> dict[str, Any]:
        """The model's answer to each test, by its description."""
        return {
            one["testCase"]["description"]: (one.get("response") or {}).get("output")
            for one in self.results
            if one["promptIdx"] == prompt
        }

    def metadata(self) -> dict[str, dict[str, Any]]:
        return {one["testCase"]["description"]: one["testCase"]["metadata"] for one in self.results}


def _promptfoo(node: Path, folder: Path, *arguments: object) -> None:
    environment = os.environ | QUIET | {"PROMPTFOO_CONFIG_DIR": str(folder / "promptfoo")}
    done = subprocess.run(
        [str(node / "promptfoo"), *map(str, arguments)],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


def sent(case: TestCase) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in case.prompt]


@pytest.mark.parametrize("format", FORMATS)
def test_every_text_comes_out_as_it_was_logged(format: str, export: Export, node: Path) -> None:
    """Templates, file names, package names, lists, words that YAML reads as values: none is taken for what it looks like."""
    path, cases = export(format)
    run = Evaluation(node, path, ["{{input}}", "{{messages}}"])
    assert (run.stats["successes"], run.stats["errors"], run.stats["failures"]) == (2 * len(cases), 0, 0)
    assert run.said(0) == {case.id: case.input for case in cases}
    assert {id: json.loads(said) if isinstance(said, str) else said for id, said in run.said(1).items()} == {
        case.id: sent(case) for case in cases
    }
    metadata = run.metadata()
    assert {one["conversationId"] for one in metadata.values()} == {case.id for case in cases}
    assert metadata[cases[-1].id]["referenceOutput"] == cases[-1].reference
    assert metadata[cases[0].id]["referenceOutput"] == f" {cases[0].reference}", "or the file would be read"


def test_no_answer_is_held_against_the_logged_reply(export: Export, node: Path) -> None:
    path, cases = export("promptfoo-csv")
    run = Evaluation(node, path, ["{{input}}"])
    assert len(run.results) == len(cases) and all(not one["testCase"].get("assert") for one in run.results)


def test_a_history_is_sent_as_messages(export: Export, node: Path) -> None:
    path, cases = export("promptfoo", "every_turn")
    run = Evaluation(node, path, ["{{messages}}"])
    said = run.said(0)
    assert len(said) == len(cases)
    last = said[cases[-1].id]
    contents = [message["content"] for message in (json.loads(last) if isinstance(last, str) else last)]
    assert contents == CORRECTED[:3]


@pytest.mark.parametrize("format", FORMATS)
def test_a_replayed_chat_is_one_conversation_of_its_own(format: str, export: Export, node: Path) -> None:
    """promptfoo keeps what was said per conversation id, and gives it to the prompt as _conversation."""
    path, cases = export(format, "full_replay")
    prompt = "{% for turn in _conversation %}[{{turn.input}}]{% endfor %}{{input}}"
    run = Evaluation(node, path, [prompt])
    said, last = run.said(0), cases[-1].id
    assert [said[f"{last}-{turn}"] for turn in (1, 2, 3)] == [
        CORRECTED[0],
        f"[{CORRECTED[0]}]{CORRECTED[2]}",
        f"[{CORRECTED[0]}][[{CORRECTED[0]}]{CORRECTED[2]}]{CORRECTED[4]}",
    ]
    assert len(said) == len(cases) + 2
    assert said[f"{cases[1].id}-1"] == cases[1].input, "another chat's history is not this one's"
