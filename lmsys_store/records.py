"""The records users hold: Message, Moderation, Labels, Conversation. Pure; imports only the errors.

Everything is frozen. A conversation read by ``select`` carries the moderation *summary* (any-message flags, per-category
maxima) always, and the per-message moderation only when it was asked for.
"""

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, InstanceOf
from pydantic_core import from_json

from lmsys_store.errors import NotLoadedError

Role = Literal["user", "assistant"]
MODERATION_CATEGORIES: Final[tuple[str, ...]] = (
    "harassment", "harassment_threatening", "hate", "hate_threatening", "self_harm", "self_harm_instructions",
    "self_harm_intent", "sexual", "sexual_minors", "violence", "violence_graphic",
)  # fmt: skip
"""The 11 categories under this library's one spelling; the data set writes ``/`` and ``-`` where these have ``_``."""

DATASET_SPELLING: Final[Mapping[str, str]] = {
    name: name.replace("self_harm", "self-harm").replace("_", "/") for name in MODERATION_CATEGORIES
}
"""Our spelling to the data set's: ``self_harm_intent`` is ``self-harm/intent`` there."""

FLAGGED_BIT: Final = 1 << len(MODERATION_CATEGORIES)
_BIT: Final = {name: bit for bit, name in enumerate(MODERATION_CATEGORIES)}
_FLAGS = struct.Struct("<H")
_SCORES = struct.Struct(f"<{len(MODERATION_CATEGORIES)}d")
_NAN: Final = float("nan")
_set: Final = object.__setattr__


class Origin(StrEnum):
    """Where a row came from: the local store, the remote, or the bundled mock seeds."""

    CACHE = "cache"
    REMOTE = "remote"
    MOCK = "mock"


class Provenance(NamedTuple):
    """Of what data set rows are: its name, its revision, and whose licence it is under, as far as these are known."""

    dataset: str
    revision: str | None = None
    licence: str | None = None
    licence_url: str | None = None


class Record(BaseModel):
    """What all records share: frozen, and unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def assembled(cls, values: dict[str, Any]) -> Self:
        """A record of values that are valid already (our own): every field, in order and in its final type, unchecked.

        What ``model_construct`` does, at a quarter of its cost; on the path of every row.
        """
        record = cls.__new__(cls)
        _set(record, "__dict__", values)
        _set(record, "__pydantic_fields_set__", set(values))
        _set(record, "__pydantic_extra__", None)
        _set(record, "__pydantic_private__", None)
        return record


class Message(Record):
    """One message. Any text is valid content: empty, with NUL, of any length."""

    model_config = ConfigDict(extra="ignore")

    role: Role
    content: str


class Moderation(Record):
    """What the moderation model said of one message.

    ``categories`` and ``scores`` have the 11 keys of MODERATION_CATEGORIES; a score the source lacks is None.
    """

    flagged: bool
    categories: dict[str, bool]
    scores: dict[str, float | None]


class ModerationSummary(NamedTuple):
    """The moderation of a whole conversation: any message for flags, the maximum over messages for scores.

    Kept packed, since most readers never ask for it: all messages' flags or-ed as one of PackedModeration's, then the maxima
    as one message's scores.
    """

    packed: bytes

    @classmethod
    def of(cls, bits: int, maxima: Iterable[float | None]) -> "ModerationSummary":
        """The summary of all messages' flags, or-ed as in PackedModeration, and of each category's maximum."""
        scores = _SCORES.pack(*(_NAN if value is None else value + 0.0 for value in maxima))  # no -0.0
        return cls(_FLAGS.pack(bits) + scores)

    @property
    def bits(self) -> int:
        """The flags of all messages, or-ed."""
        return int.from_bytes(self.packed[: _FLAGS.size], "little")

    @property
    def flagged(self) -> bool:
        """Whether any message was flagged."""
        return self.bits >= FLAGGED_BIT

    @property
    def category_bits(self) -> int:
        """Bit k: category k is true for any message."""
        return self.bits & ~FLAGGED_BIT

    @property
    def raw_maxima(self) -> tuple[float, ...]:
        """The maxima as they are packed, NaN where the source lacks a score."""
        return _SCORES.unpack_from(self.packed, _FLAGS.size)

    @property
    def maxima(self) -> tuple[float | None, ...]:
        """Each category's maximum, in the order of MODERATION_CATEGORIES."""
        return tuple(map(_score, self.raw_maxima))

    @property
    def categories(self) -> frozenset[str]:
        """The categories that are true for at least one message."""
        return frozenset(name for bit, name in enumerate(MODERATION_CATEGORIES) if self.category_bits >> bit & 1)

    @property
    def scores(self) -> dict[str, float | None]:
        """Each category's maximum score over the messages."""
        return dict(zip(MODERATION_CATEGORIES, self.maxima, strict=True))


class PackedModeration(NamedTuple):
    """Per-message moderation as two byte strings, as stored: lossless and fast to build from Arrow columns.

    ``flags`` holds one little-endian uint16 a message (bits 0-10 the categories in order, bit 11 ``flagged``), ``scores`` 11
    little-endian float64 a message; NaN stands for a score the source lacks.
    """

    flags: bytes
    scores: bytes

    @classmethod
    def pack(cls, messages: Iterable[Moderation]) -> "PackedModeration":
        """Pack per-message records; the inverse of :meth:`unpack`."""
        flags, scores = bytearray(), bytearray()
        for message in messages:
            bits = FLAGGED_BIT if message.flagged else 0
            for name, true in message.categories.items():
                if true and name in _BIT:
                    bits |= 1 << _BIT[name]
            flags += _FLAGS.pack(bits)
            values = map(message.scores.get, MODERATION_CATEGORIES)
            scores += _SCORES.pack(*[_NAN if value is None else value for value in values])
        return cls(bytes(flags), bytes(scores))

    @property
    def message_count(self) -> int:
        """How many messages are packed."""
        return len(self.flags) // _FLAGS.size

    def unpack(self) -> tuple[Moderation, ...]:
        """One Moderation a message, in message order."""
        return tuple(
            Moderation(
                flagged=bool(bits & FLAGGED_BIT),
                categories={name: bool(bits >> bit & 1) for bit, name in enumerate(MODERATION_CATEGORIES)},
                scores=dict(zip(MODERATION_CATEGORIES, map(_score, values), strict=True)),
            )
            for (bits,), values in zip(_FLAGS.iter_unpack(self.flags), _SCORES.iter_unpack(self.scores), strict=True)
        )

    def summary(self) -> ModerationSummary:
        """The conversation-level summary of these messages."""
        bits = 0
        for (message_bits,) in _FLAGS.iter_unpack(self.flags):
            bits |= message_bits
        columns = zip(*_SCORES.iter_unpack(self.scores), strict=True) if self.scores else ((),) * 11
        return ModerationSummary.of(
            bits, (max((one for one in column if one == one), default=None) for column in columns)
        )


class CodedModeration(NamedTuple):
    """Packed moderation with its summary computed beside it, as a columnar source can do for many rows at once."""

    packed: PackedModeration
    summary: ModerationSummary


def _score(value: float) -> float | None:
    return None if value != value else value


class Evidence(Record):
    """What was found, where: ``messages[message].content[start:end]``, about the reply of a round (1 is the first)."""

    id: str
    turn: int
    message: int
    role: Role
    start: int
    end: int
    weight: float
    """In log-odds; 0 where it is recorded, but moves no rating (the refusal of a flagged prompt)."""

    def packed(self) -> list[Any]:
        """The values that cannot be told from the others."""
        return [self.id, self.turn, self.message, self.start, self.end, self.weight]

    @classmethod
    def of_packed(cls, values: Sequence[Any]) -> "Evidence":
        """The evidence of what :meth:`packed` gave."""
        signal, turn, message, start, end, weight = values
        return cls.assembled({
            "id": signal, "turn": turn, "message": message, "role": "assistant" if message % 2 else "user",
            "start": start, "end": end, "weight": weight,
        })  # fmt: skip


class Labels(Record):
    """What this library derived about a conversation; all None until something derived it.

    ``version`` names the code that computed the values, ``external`` the imported labels that were laid over them. Scores and
    confidence lie between 0 and 1; ``signals`` are the ids of what was found in the messages, ``evidence`` says where;
    ``prompt_key`` and ``family`` are hashes of the first prompt, equal for equal prompts and for prompts of one template.
    """

    domain: str | None = None
    domain_score: float | None = None
    second_domain: str | None = None
    task: str | None = None
    task_score: float | None = None
    second_task: str | None = None
    rating: float | None = None
    rating_basis: str | None = None
    rating_confidence: float | None = None
    tags: tuple[str, ...] | None = None
    signals: tuple[str, ...] | None = None
    prompt_key: int | None = None
    family: int | None = None
    external: str | None = None
    version: str | None = None
    evidence: tuple[Evidence, ...] | None = None
    """What the rating rests on; None where labels of an older version did not keep it."""

    def packed(self) -> str | None:
        """The values in the order of the fields as a JSON array; None if there are none."""
        if self == NO_LABELS:
            return None
        values = [self.__dict__[name] for name in _LABEL_FIELDS]
        if self.evidence is not None:
            values[-1] = [one.packed() for one in self.evidence]
        return json.dumps(values, separators=(",", ":"))

    @classmethod
    @lru_cache(maxsize=512)
    def unpacked(cls, packed: str | None) -> "Labels":
        """The labels of what :meth:`packed` gave; kept for a while, since one row is asked for many of them."""
        if packed is None:
            return NO_LABELS
        return cls._of_values(from_json(packed))

    @classmethod
    def unpacked_many(cls, packed: Iterable[str | None]) -> "list[Labels]":
        """The labels of many rows: parsed at once and unchecked (they are our own), at a fifth of the cost of one by one."""
        values = json.loads(f"[{','.join(['null' if one is None else one for one in packed])}]")
        return [NO_LABELS if one is None else cls._of_values(one) for one in values]

    @classmethod
    def _of_values(cls, values: list[Any]) -> "Labels":
        """The labels of unpacked values: our own, so they are not checked again."""
        if len(values) == len(_LABEL_FIELDS) - 1:  # by a program of the schema before, which kept no evidence
            values = [*values, None]
        found = dict(zip(_LABEL_FIELDS, values, strict=True))
        for name in ("tags", "signals"):
            if found[name] is not None:
                found[name] = tuple(found[name])
        if found["evidence"] is not None:
            found["evidence"] = tuple([Evidence.of_packed(one) for one in found["evidence"]])
        return cls.assembled(found)


_LABEL_FIELDS: Final = tuple(Labels.model_fields)
NO_LABELS: Final = Labels()


class Conversation(Record):
    """One chat of the data set, with its place in the split and its provenance.

    ``row_index`` is the row's position in the split and the primary key; ``conversation_id`` is the data set's own name and
    not trusted to be unique. ``timestamp`` is None unless the source has one: LMSYS-Chat-1M has none.

    >>> chat = Conversation(row_index=0, conversation_id="a1", model="gpt-4", messages=({"role": "user", "content": "hi"},))
    >>> chat.first_prompt, chat.first_reply, chat.turn, chat.origin.value
    ('hi', None, 0, 'cache')
    """

    row_index: int
    conversation_id: str
    model: str
    messages: tuple[Message, ...]
    language: str = "unknown"
    redacted: bool = False
    origin: Origin = Origin.CACHE
    timestamp: datetime | None = None
    packed_labels: str | None = None
    """The labels as :meth:`Labels.packed` gives them: read them as ``labels``."""
    source_turn: int | None = None
    """The source's own ``turn`` where it differs from the computed one, else None."""
    moderation_summary: InstanceOf[ModerationSummary] | None = None
    packed_moderation: InstanceOf[PackedModeration] | None = None

    def __repr__(self) -> str:
        """Ids and shape only: a repr ends in logs, and message texts must not."""
        return (
            f"<Conversation {self.row_index} {self.conversation_id!r}: {self.model}, {self.language}, "
            f"{len(self.messages)} messages, {self.origin.value}>"
        )

    __str__ = __repr__

    @property
    def labels(self) -> Labels:
        """What was derived about this conversation."""
        return Labels.unpacked(self.packed_labels)

    @property
    def turn(self) -> int:
        """The number of user/assistant rounds, as in the data set: ``len(messages) // 2``."""
        return len(self.messages) // 2

    @property
    def prompts(self) -> tuple[str, ...]:
        """The contents of all user messages; roles alternate, the user's first."""
        return tuple([message.content for message in self.messages[::2]])

    @property
    def replies(self) -> tuple[str, ...]:
        """The contents of all assistant messages."""
        return tuple([message.content for message in self.messages[1::2]])

    @property
    def first_prompt(self) -> str:
        """The first user message."""
        return self.messages[0].content

    @property
    def first_reply(self) -> str | None:
        """The first assistant message; None if there is none."""
        return self.messages[1].content if len(self.messages) > 1 else None

    @property
    def last_prompt(self) -> str:
        """The last user message."""
        return self.messages[-1 if len(self.messages) % 2 else -2].content

    @property
    def prompt_chars(self) -> int:
        """Characters of all user messages together."""
        return sum(map(len, self.prompts))

    @property
    def reply_chars(self) -> int:
        """Characters of all assistant messages together."""
        return sum(map(len, self.replies))

    @property
    def flagged(self) -> bool | None:
        """Whether any message was flagged; None if the source has no moderation for this row."""
        return None if self.moderation_summary is None else self.moderation_summary.flagged

    @property
    def moderation(self) -> tuple[Moderation, ...] | None:
        """The moderation of each message, in message order; None if the source has none for this row.

        Raises:
            NotLoadedError: the row was read without its per-message moderation.
        """
        if self.packed_moderation is not None:
            return self.packed_moderation.unpack()
        if self.moderation_summary is None:
            return None
        raise NotLoadedError(
            "the per-message moderation of this row was not loaded; use select(..., moderation=True) or get(), "
            "or read .moderation_summary"
        )


ROUND: Final = ("user", "assistant")


def as_utc(time: datetime) -> datetime:
    """The time in UTC; one without a zone is taken to be in UTC already.

    Raises:
        OverflowError: UTC would put it outside the calendar.
    """
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def is_encodable(text: str) -> bool:
    """Whether a text is valid Unicode: a lone surrogate is not, and nothing could store it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def spell_category(name: str) -> str:
    """One spelling for a moderation category: ``self-harm/intent`` becomes ``self_harm_intent``."""
    return name.replace("/", "_").replace("-", "_")


def as_json_object(conversation: Conversation) -> dict[str, Any]:
    """The stable machine shape of a conversation: what ``query --json`` and ``export --format jsonl`` write."""
    return {
        "conversation_id": conversation.conversation_id,
        "row_index": conversation.row_index,
        "origin": conversation.origin.value,
        "model": conversation.model,
        "language": conversation.language,
        "turn": conversation.turn,
        "redacted": conversation.redacted,
        "flagged": conversation.flagged,
        "timestamp": None if conversation.timestamp is None else conversation.timestamp.isoformat(),
        "labels": conversation.labels.model_dump(mode="json"),
        "messages": [{"role": message.role, "content": message.content} for message in conversation.messages],
    }
