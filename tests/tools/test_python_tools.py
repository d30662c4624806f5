"""What DeepEval, Inspect, HF datasets, DSPy, LangSmith and OpenAI's evals find in our files: every case, text for text."""

import json
from pathlib import Path
from typing import Any

import pytest

from lmsys_store.convert.cases import TestCase
from tests.tools.conftest import CORRECTED, Export, ReadBy

pytestmark = pytest.mark.timeout(120)


def sent(case: TestCase) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in case.prompt]


def test_deepeval_loads_goldens(export: Export, read_by: ReadBy) -> None:
    path, cases = export("deepeval")
    assert read_by("deepeval_reads", path) == [
        [case.id, case.input, [None, case.after_output], case.metadata] for case in cases
    ]


def test_deepeval_takes_a_logged_reply_for_neither_output_of_a_blank_case(export: Export, read_by: ReadBy) -> None:
    path, cases = export("deepeval", outputs="blank")
    found = read_by("deepeval_reads", path)
    assert len(found) == len(cases) and all(outputs == [None, None] for _, _, outputs, _ in found)
    assert found[0][3]["referenceOutput"] == cases[0].reference


@pytest.mark.parametrize("turns", ["every_turn", "full_replay"])
def test_deepeval_loads_conversational_goldens(turns: Any, export: Export, read_by: ReadBy) -> None:
    path, cases = export("deepeval", turns)
    found = read_by("deepeval_reads", path)
    assert [one[0] for one in found] == [case.id for case in cases]
    assert [one[4] for one in found] == [case.metadata for case in cases]
    assert [one[3] for one in found] == [case.expected for case in cases]
    whole = [[message["content"] for message in one[2]] for one in found]
    if turns == "full_replay":
        assert whole[-1] == CORRECTED
    else:
        assert whole[-2:] == [CORRECTED[:1], CORRECTED[:3]]


@pytest.mark.parametrize("turns", ["first_turn", "last_turn", "every_turn", "full_replay"])
def test_inspect_loads_samples(turns: Any, export: Export, read_by: ReadBy) -> None:
    path, cases = export("inspect", turns)
    asked = [case.input if len(case.prompt) == 1 and case.input else sent(case) for case in cases]
    assert read_by("inspect_reads", path) == [
        [case.id, one, case.expected, case.metadata] for case, one in zip(cases, asked, strict=True)
    ]


@pytest.mark.parametrize("turns", ["first_turn", "full_replay"])
def test_datasets_loads_messages(turns: Any, export: Export, read_by: ReadBy, tmp_path: Path) -> None:
    path, cases = export("messages", turns)
    found = read_by("datasets_reads", "json", path, tmp_path / "cache")
    assert found["columns"] == ["id", "messages", "metadata"]
    assert [row["id"] for row in found["rows"]] == [case.id for case in cases]
    contents = [[message["content"] for message in row["messages"]] for row in found["rows"]]
    logged = [
        [message.content for message in case.conversation] or [case.input, case.reference or ""] for case in cases
    ]
    assert contents == logged
    assert found["rows"][0]["metadata"]["conversationId"] == cases[0].metadata["conversationId"]


def test_datasets_loads_the_plain_json_lines(export: Export, read_by: ReadBy, tmp_path: Path) -> None:
    path, cases = export("jsonl")
    found = read_by("datasets_reads", "json", path, tmp_path / "cache")
    assert [(row["id"], row["input"], row["afterOutput"]) for row in found["rows"]] == [
        (case.id, case.input, case.after_output) for case in cases
    ]


def test_datasets_loads_parquet(export: Export, read_by: ReadBy, tmp_path: Path) -> None:
    path, cases = export("parquet", "every_turn")
    found = read_by("datasets_reads", "parquet", path, tmp_path / "cache")
    assert [(row["id"], row["input"], row["afterOutput"], row["round"]) for row in found["rows"]] == [
        (case.id, case.input, case.after_output, case.metadata["round"]) for case in cases
    ]
    assert [json.loads(row["messages"]) for row in found["rows"] if row["messages"]] == [sent(cases[-1])[:-1]]


def test_datasets_loads_csv(export: Export, read_by: ReadBy, tmp_path: Path) -> None:
    """It ends a text at a NUL."""
    path, cases = export("csv")
    found = read_by("datasets_reads", "csv", path, tmp_path / "cache")
    texts = [(row["id"], row["afterOutput"]) for row in found["rows"]]
    assert len(texts) == len(cases)
    assert [one for one in texts if "\0" not in one[1]] == [
        (case.id, case.after_output) for case in cases if "\0" not in case.after_output
    ]


def test_dspy_takes_the_lines_for_examples(export: Export, read_by: ReadBy) -> None:
    path, cases = export("dspy", "every_turn")
    assert read_by("dspy_reads", path) == [
        [case.id, {"question": case.input, "history": sent(case)[:-1]}, case.after_output] for case in cases
    ]


def test_langsmith_takes_the_lines_for_examples(export: Export, read_by: ReadBy) -> None:
    path, cases = export("langsmith", "every_turn")
    found = read_by("langsmith_reads", path)
    assert [one[1:] for one in found] == [
        [{"input": case.input, "messages": sent(case)}, {"output": case.expected}, case.metadata] for case in cases
    ]
    assert len({one[0] for one in found}) == len(cases)


def test_openai_evals_matches_the_ideal_answers_alone(export: Export, read_by: ReadBy) -> None:
    path, cases = export("openai-evals", "last_turn")
    found = read_by("evals_runs", path)
    assert [(one["input"], one["ideal"], one["id"]) for one in found["samples"]] == [
        (sent(case), case.expected, case.id) for case in cases
    ]
    answered = [case.prompt for case in cases[::2]]
    assert found["passed"] == [case.prompt in answered for case in cases]
    assert not all(found["passed"])
