"""Chats for the tests of conversions, in hand and in a store."""

from collections.abc import Sequence
from typing import Any

from lmsys_store import Conversation, Origin
from lmsys_store.convert import Converted, TestCase
from lmsys_store.convert.base import GivenRows
from lmsys_store.convert.cases import CaseConverter
from lmsys_store.records import Provenance
from tests.generated import conversation

LMSYS = Provenance("lmsys/lmsys-chat-1m", "a" * 40, "the licence", "https://licence.example")
CAPITALS = [
    "Capital of Australia?",
    "Sydney.",
    "no, that's wrong. it is Canberra",
    "Canberra. Sorry.",
    "thanks",
    "Welcome.",
]
"""Three rounds; the first reply is corrected."""


def row(number: int, *messages: str, flagged: bool | None = None, **columns: Any) -> dict[str, Any]:
    """A row of the data set's schema: texts of the user and the assistant in turn."""
    said = [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(messages)]
    found: dict[str, Any] = {
        "conversation_id": f"c{number}", "model": "gpt-4", "conversation": said, "language": "English", **columns,
    }  # fmt: skip
    if flagged is not None:
        found["openai_moderation"] = [{"flagged": flagged, "categories": {}, "category_scores": {}} for _ in said]
    return found


def chat(number: int, *messages: str, **columns: Any) -> Conversation:
    """The same as a labelled record."""
    return conversation(row(number, *messages, **columns), number)


def converted(
    converter: CaseConverter, chats: Sequence[Conversation], provenance: Provenance | None = LMSYS
) -> Converted[TestCase]:
    return Converted(GivenRows(chats, provenance), converter)


def as_mock(one: Conversation) -> Conversation:
    return one.model_copy(update={"origin": Origin.MOCK})
