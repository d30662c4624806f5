"""The objects that each tool reads as JSON, from a test case. Pure; one function a tool, and the tool's trap beside it.

An answer that a tool takes for right (target, ideal, expected_output, answer) is written only where ``outputs`` names one:
a logged reply is not right because it was logged. It always stands in the metadata, as ``referenceOutput``.
"""

import uuid
from collections.abc import Iterable
from typing import Final

from lmsys_store.convert.cases import TestCase
from lmsys_store.convert.formats import Format, JsonArray, JsonLines
from lmsys_store.errors import QueryError
from lmsys_store.records import Message

_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "lmsys_store/test-cases")


def plain(case: TestCase) -> Iterable[object]:
    """PromptLoop's object with the id before it."""
    yield {"id": case.id, **case.to_promptloop()}


def promptloop(case: TestCase) -> Iterable[object]:
    yield case.to_promptloop()


def hf_messages(case: TestCase) -> Iterable[object]:
    """The chat as it was logged, up to the reply; ``datasets`` wants the same keys of the same types in every line."""
    messages = case.conversation or (*case.prompt, *_reply(case))
    yield {"id": case.id, "messages": _plain(messages), "metadata": _even(case)}


def openai_evals(case: TestCase) -> Iterable[object]:
    """``ideal`` is what the evals compare with: with an empty one every answer would match.

    Raises:
        QueryError: the case has no expected answer.
    """
    if not case.after_output:
        raise QueryError(
            "the format openai-evals needs an expected answer: take outputs='reference_after' (--outputs reference_after)"
        )
    yield {"input": _plain(case.prompt), "ideal": case.expected, "id": case.id, "metadata": case.metadata}


def inspect(case: TestCase) -> Iterable[object]:
    """A sample of Inspect. Its ids must differ, and ours do; an empty text is no input to it, as a message it is."""
    asked: object = case.input if len(case.prompt) == 1 and case.input else _plain(case.prompt)
    yield {"input": asked, "target": case.expected, "id": case.id, "metadata": case.metadata}


def deepeval(case: TestCase) -> Iterable[object]:
    """A Golden, or of turns with a history a ConversationalGolden.

    The turns mode decides, not the case: one data set of DeepEval takes one kind alone.
    """
    expected, named = case.expected or None, {"name": case.id, "additional_metadata": case.metadata}
    if case.metadata["turnsMode"] == "first_turn":
        yield {"input": case.input, "actual_output": case.before_output or None, "expected_output": expected, **named}
        return
    turns = case.conversation or case.prompt
    scenario = case.input.strip() or "(an empty prompt)"  # without one DeepEval takes it for a Golden
    yield {"scenario": scenario, "turns": _plain(turns), "expected_outcome": expected, **named}


def langsmith(case: TestCase) -> Iterable[object]:
    """An example to create; ids are UUIDs there, and the same case has the same in every export."""
    yield {
        "id": str(uuid.uuid5(_NAMESPACE, case.id)),
        "inputs": {"input": case.input, "messages": _plain(case.prompt)},
        "outputs": {"output": case.expected} if case.expected else None,
        "metadata": case.metadata,
    }


def dspy(case: TestCase) -> Iterable[object]:
    """``dspy.Example(**line).with_inputs("question", "history")``."""
    yield {
        "question": case.input,
        "history": _plain(case.prompt[:-1]),
        "answer": case.expected,
        "id": case.id,
        "metadata": case.metadata,
    }


def _reply(case: TestCase) -> tuple[Message, ...]:
    if case.reference is None:
        return ()
    return (Message.assembled({"role": "assistant", "content": case.after_output or case.reference}),)


def _plain(messages: Iterable[Message]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in messages]


_UNEVEN: Final = ("messages", "correction", "correctionSignal")
"""Keys that only some cases have."""


def _even(case: TestCase) -> dict[str, object]:
    """The metadata with the same keys of the same types for every case."""
    kept = {key: value for key, value in case.metadata.items() if key not in _UNEVEN}
    return {"rating": None, "originalRating": None, **kept}


FORMATS: Final = (
    Format("promptloop", ".json", "PromptLoop: an array of its TestCase", lambda: JsonArray(promptloop)),
    Format("jsonl", ".jsonl", "any program: PromptLoop's TestCase with an id, one a line", lambda: JsonLines(plain)),
    Format(
        "messages", ".jsonl", "Hugging Face datasets and trainers: chats as messages", lambda: JsonLines(hf_messages)
    ),
    Format(
        "openai-evals", ".jsonl", "OpenAI evals: input and ideal (needs --outputs reference_after)",
        lambda: JsonLines(openai_evals),
    ),
    Format("inspect", ".jsonl", "Inspect: json_dataset(file)", lambda: JsonLines(inspect)),
    Format(
        "deepeval", ".json", "DeepEval: goldens, and of --rounds other than first_turn conversational ones",
        lambda: JsonArray(deepeval),
    ),
    Format("langsmith", ".jsonl", "LangSmith: examples to create", lambda: JsonLines(langsmith)),
    Format("dspy", ".jsonl", "DSPy: dspy.Example(**line).with_inputs('question')", lambda: JsonLines(dspy)),
)  # fmt: skip
