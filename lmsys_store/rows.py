"""Between a data set's row (a decoded mapping) and a Conversation: validation one way, the data set's own shape the other.

Pure; imports records and errors. The hazard: a row is never dropped or repaired in silence. What cannot be a conversation
raises InvalidRowError with a reason that quotes no text.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import cycle
from typing import Any, Final, NamedTuple, TypeVar

from pydantic import TypeAdapter

from lmsys_store.errors import InvalidRowError
from lmsys_store.records import (
    DATASET_SPELLING,
    MODERATION_CATEGORIES,
    NO_LABELS,
    ROUND,
    CodedModeration,
    Conversation,
    Labels,
    Message,
    Moderation,
    Origin,
    PackedModeration,
    as_utc,
    is_encodable,
    spell_category,
)

REQUIRED_COLUMNS: Final = ("conversation_id", "model", "conversation")
_PLACEHOLDER = re.compile(r"NAME_\d")
_ROUND: Final = list(ROUND)
_messages_of: Final = TypeAdapter(tuple[Message, ...]).validate_python
_T = TypeVar("_T", int, bool, str)


class CheckedRow(NamedTuple):
    """A valid row of the data set before a record is made of it: all that storing it needs, at half a record's cost.

    ``contents`` are the messages' texts; roles alternate, the user's first.
    """

    row_index: int
    conversation_id: str
    model: str
    contents: Sequence[str]
    language: str = "unknown"
    redacted: bool = False
    timestamp: datetime | None = None
    source_turn: int | None = None
    moderation: CodedModeration | None = None
    labels: Labels = NO_LABELS

    @classmethod
    def of(cls, chat: Conversation) -> "CheckedRow":
        """The row of a record that was read with its per-message moderation."""
        packed, summary = chat.packed_moderation, chat.moderation_summary
        coded = None if packed is None or summary is None else CodedModeration(packed, summary)
        contents = [message.content for message in chat.messages]
        return cls(
            chat.row_index, chat.conversation_id, chat.model, contents, chat.language, chat.redacted, chat.timestamp,
            chat.source_turn, coded, chat.labels,
        )  # fmt: skip

    @property
    def messages(self) -> list[dict[str, str]]:
        """The messages as plain mappings."""
        return [{"role": role, "content": content} for role, content in zip(cycle(ROUND), self.contents, strict=False)]

    def conversation(self, origin: Origin, *, with_moderation: bool = True) -> Conversation:
        """The record of this row, its per-message moderation left out where it was not asked for."""
        coded = self.moderation
        return Conversation.assembled(
            {
                "row_index": self.row_index,
                "conversation_id": self.conversation_id,
                "model": self.model,
                "messages": _messages_of(self.messages),
                "language": self.language,
                "redacted": self.redacted,
                "origin": origin,
                "timestamp": self.timestamp,
                "packed_labels": self.labels.packed(),
                "source_turn": self.source_turn,
                "moderation_summary": None if coded is None else coded.summary,
                "packed_moderation": None if coded is None or not with_moderation else coded.packed,
            }
        )


def conversation_from_row(row: object, row_index: int, *, origin: Origin = Origin.CACHE) -> Conversation:
    """The record of one row of the data set; see :func:`checked_row`.

    Raises:
        InvalidRowError: with the reason the row cannot be a conversation.

    >>> conversation_from_row({"conversation_id": "a", "model": "m", "conversation": '[{"role": "user", "content": "hi"}]'}, 7)
    <Conversation 7 'a': m, unknown, 1 messages, cache>
    """
    return checked_row(row, row_index).conversation(origin)


def checked_row(row: object, row_index: int) -> CheckedRow:
    """Validate one row of the data set.

    ``conversation`` may be a list of ``{role, content}`` or a JSON text of one; ``openai_moderation`` a list of mappings in
    either spelling, a CodedModeration, or missing. Unknown columns are ignored.

    Raises:
        InvalidRowError: with the reason the row cannot be a conversation.
    """
    if not isinstance(row, Mapping):
        raise InvalidRowError(f"the row is {_kind(row)}, not an object")
    for column in REQUIRED_COLUMNS:
        if row.get(column) is None:
            raise InvalidRowError(f"{column} is missing")
    contents = _contents(row["conversation"])
    turn = _optional(row, "turn", int)
    if turn is not None and not -(2**63) <= turn < 2**63:
        raise InvalidRowError("turn is beyond 64 bits")
    redacted = _optional(row, "redacted", bool)
    if redacted is None:
        redacted = any(map(_PLACEHOLDER.search, contents))
    return CheckedRow(
        row_index,
        _text(row, "conversation_id"),
        _text(row, "model"),
        contents,
        _text(row, "language") or "unknown",
        redacted,
        _timestamp(row.get("timestamp")),
        None if turn == len(contents) // 2 else turn,
        _moderation(row.get("openai_moderation"), len(contents)),
    )


def _text(row: Mapping[str, Any], column: str) -> Any:
    """A text of the row that could be stored; None where there is none."""
    text = _optional(row, column, str)
    # Asking whether a text is ASCII costs nothing, and most are.
    if text is not None and not text.isascii() and not is_encodable(text):
        raise InvalidRowError(f"{column} holds a lone surrogate")
    return text


def _contents(value: object) -> Sequence[str]:
    """The messages' texts, every rule about messages checked."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise InvalidRowError("conversation is a text that is not JSON") from None
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise InvalidRowError(f"conversation is {_kind(value)}, not a list")
    if not value:
        raise InvalidRowError("conversation is empty")
    contents = _clean_contents(value)
    if contents is None:
        _refuse_fault(value)
        contents = [message["content"] for message in value]
    return contents


def _clean_contents(messages: Sequence[Any]) -> Sequence[str] | None:
    """The texts of plain, well-formed messages in ASCII, as most are; None for any others."""
    try:
        roles = [message["role"] for message in messages]
        texts = [message["content"] for message in messages]
    except (TypeError, KeyError):
        return None
    whole, odd = divmod(len(roles), 2)
    clean = roles == _ROUND * whole + _ROUND[:odd] and all(type(text) is str and text.isascii() for text in texts)
    return texts if clean else None


def _refuse_fault(messages: Sequence[Any]) -> None:
    """Name the first fault of messages, if there is one."""
    for position, message in enumerate(messages):
        if not isinstance(message, Mapping):
            raise InvalidRowError(f"message {position} is {_kind(message)}, not an object")
        content = message.get("content")
        if not isinstance(content, str):
            raise InvalidRowError(f"the content of message {position} is {_kind(content)}, not a string")
        if not content.isascii() and not is_encodable(content):
            raise InvalidRowError(f"message {position} holds a lone surrogate")
        if message.get("role") != _ROUND[position % 2]:
            raise InvalidRowError(_role_reason(position, message.get("role")))


def _role_reason(position: int, role: object) -> str:
    if role not in _ROUND:
        return f"message {position} has a role other than user or assistant"
    if position == 0:
        return "the first message is not the user's"
    return f"message {position} has the same role as the one before it"


def _moderation(value: object, message_count: int) -> CodedModeration | None:
    if value is None:
        return None
    if isinstance(value, CodedModeration):
        coded = value
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        packed = PackedModeration.pack(map(_message_moderation, value))
        coded = CodedModeration(packed, packed.summary())
    else:
        raise InvalidRowError(f"openai_moderation is {_kind(value)}, not a list")
    if coded.packed.message_count != message_count:
        raise InvalidRowError(
            f"openai_moderation has {coded.packed.message_count} entries for {message_count} messages"
        )
    return coded


def _message_moderation(value: object) -> Moderation:
    if not isinstance(value, Mapping):
        raise InvalidRowError(f"an entry of openai_moderation is {_kind(value)}, not an object")
    categories = _by_category(value.get("categories"), bool)
    scores = _by_category(value.get("category_scores"), float)
    flagged = value.get("flagged")
    if not isinstance(flagged, bool):
        raise InvalidRowError(f"flagged is {_kind(flagged)}, not a bool")
    return Moderation.model_construct(flagged=flagged, categories=categories, scores=scores)


def _by_category(values: object, kind: type) -> dict[str, Any]:
    """``values`` under one spelling; where a source has both spellings of a category the first that is not null wins."""
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise InvalidRowError(f"moderation categories are {_kind(values)}, not an object")
    known: dict[str, Any] = {}
    for key, value in values.items():
        name = _SPELT.get(key) or spell_category(str(key))
        if type(value) is kind and name not in known and name in DATASET_SPELLING:  # as nearly all are
            known[name] = value
            continue
        if name not in DATASET_SPELLING or value is None or name in known:
            continue
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            try:
                value = float(value)
            except OverflowError:
                raise InvalidRowError(f"moderation of {name} is beyond any float") from None
        if not isinstance(value, kind):
            raise InvalidRowError(f"moderation of {name} is {_kind(value)}, not a {kind.__name__}")
        known[name] = value
    return known


_SPELT: Final = {spelling: name for name, theirs in DATASET_SPELLING.items() for spelling in (name, theirs)}


def _optional(row: Mapping[str, Any], column: str, kind: type[_T]) -> _T | None:
    value = row.get(column)
    if value is None or type(value) is kind:
        return value
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise InvalidRowError(f"{column} is {_kind(value)}, not {_NAMES[kind]}")
    return value


def _timestamp(value: object) -> datetime | None:
    """A source's own time as an aware datetime: a datetime, ISO 8601 text, or seconds since 1970 (naive means UTC)."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, datetime):
            return as_utc(value)
    except (ValueError, OverflowError, OSError):
        raise InvalidRowError("timestamp is not a time") from None
    if value is not None:
        raise InvalidRowError(f"timestamp is {_kind(value)}, not a time")
    return None


_NAMES: Final[Mapping[type, str]] = {int: "an integer", bool: "a bool", str: "a string"}


def _kind(value: object) -> str:
    return "null" if value is None else f"of type {type(value).__name__}"


def row_from_conversation(conversation: Conversation) -> dict[str, Any]:
    """The conversation as a row of the data set's own schema; needs the per-message moderation where there is any.

    Raises:
        NotLoadedError: the per-message moderation was not loaded.
    """
    moderation = conversation.moderation
    return {
        "conversation_id": conversation.conversation_id,
        "model": conversation.model,
        "conversation": [_message_row(message) for message in conversation.messages],
        "turn": conversation.turn if conversation.source_turn is None else conversation.source_turn,
        "language": conversation.language,
        "openai_moderation": None if moderation is None else [_moderation_row(message) for message in moderation],
        "redacted": conversation.redacted,
    }


def _message_row(message: Message) -> dict[str, str]:
    return {"content": message.content, "role": message.role}


def _moderation_row(moderation: Moderation) -> dict[str, Any]:
    return {
        "categories": {DATASET_SPELLING[name]: moderation.categories[name] for name in MODERATION_CATEGORIES},
        "category_scores": {DATASET_SPELLING[name]: moderation.scores[name] for name in MODERATION_CATEGORIES},
        "flagged": moderation.flagged,
    }
