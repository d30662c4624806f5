"""The records: frozen, strict about fields, lossless about moderation, and silent about texts in their repr."""

import math
import pickle
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lmsys_store.errors import NotLoadedError
from lmsys_store.records import (
    DATASET_SPELLING,
    MODERATION_CATEGORIES,
    Conversation,
    Labels,
    Message,
    Moderation,
    Origin,
    PackedModeration,
    as_json_object,
    spell_category,
)
from tests.unit.strategies import conversations, moderations

ONE = Moderation(
    flagged=False,
    categories=dict.fromkeys(MODERATION_CATEGORIES, False),
    scores=dict.fromkeys(MODERATION_CATEGORIES, 0.5),
)


def conversation(*contents: str, **fields: object) -> Conversation:
    messages = [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(contents)]
    return Conversation.model_validate(
        {"row_index": 7, "conversation_id": "c7", "model": "gpt-4", "messages": messages} | fields
    )


def bits(value: float | None) -> bytes | None:
    return None if value is None else struct.pack("<d", value)


@pytest.mark.parametrize(
    "record, field",
    [
        (Message(role="user", content="hi"), "content"),
        (ONE, "flagged"),
        (Labels(), "domain"),
        (conversation("hi"), "model"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_records_cannot_be_changed(record: Message | Moderation | Labels | Conversation, field: str) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(record, field, getattr(record, field))


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(ValidationError, match="extra"):
        conversation("hi", surprise=1)
    with pytest.raises(ValidationError, match="extra"):
        Labels.model_validate({"mood": "good"})
    with pytest.raises(ValidationError, match="extra"):
        Moderation.model_validate(ONE.model_dump() | {"surprise": 1})


def test_a_message_ignores_what_else_a_source_puts_there() -> None:
    assert Message.model_validate({"role": "user", "content": "hi", "name": "x"}) == Message(role="user", content="hi")


def test_a_message_has_one_of_two_roles() -> None:
    with pytest.raises(ValidationError):
        Message.model_validate({"role": "system", "content": "hi"})


def test_the_data_sets_spelling_and_ours_map_to_each_other() -> None:
    assert [spell_category(DATASET_SPELLING[name]) for name in MODERATION_CATEGORIES] == list(MODERATION_CATEGORIES)
    assert DATASET_SPELLING["self_harm_intent"] == "self-harm/intent"
    assert DATASET_SPELLING["harassment_threatening"] == "harassment/threatening"


@given(st.lists(moderations))
def test_packed_moderation_unpacks_to_the_last_bit(messages: list[Moderation]) -> None:
    packed = PackedModeration.pack(messages)
    unpacked = packed.unpack()
    assert packed.message_count == len(messages)
    assert (len(packed.flags), len(packed.scores)) == (2 * len(messages), 88 * len(messages))
    assert unpacked == tuple(messages)
    for one, other in zip(unpacked, messages, strict=True):
        assert [bits(one.scores[name]) for name in MODERATION_CATEGORIES] == [
            bits(other.scores[name]) for name in MODERATION_CATEGORIES
        ]


@pytest.mark.parametrize("value", [-0.0, 0.0, 5e-324, -5e-324, 2.2250738585072014e-308, math.inf, -math.inf, 0.1])
def test_extreme_scores_keep_every_bit(value: float) -> None:
    (unpacked,) = PackedModeration.pack([ONE.model_copy(update={"scores": ONE.scores | {"hate": value}})]).unpack()
    assert bits(unpacked.scores["hate"]) == bits(value)


@given(st.floats(allow_nan=True).filter(math.isnan))
def test_a_score_that_is_not_a_number_is_a_missing_score(nan: float) -> None:
    packed = PackedModeration.pack([ONE.model_copy(update={"scores": ONE.scores | {"hate": nan}})])
    assert packed.unpack()[0].scores["hate"] is None
    assert packed.summary().scores["hate"] is None


def test_absent_categories_are_false_and_absent_scores_none() -> None:
    (unpacked,) = PackedModeration.pack([Moderation(flagged=True, categories={}, scores={})]).unpack()
    assert unpacked.flagged
    assert set(unpacked.categories.values()) == {False}
    assert set(unpacked.scores.values()) == {None}
    assert tuple(unpacked.categories) == tuple(unpacked.scores) == MODERATION_CATEGORIES


@given(st.lists(moderations))
def test_the_summary_is_any_of_the_flags_and_the_maximum_of_the_scores(messages: list[Moderation]) -> None:
    summary = PackedModeration.pack(messages).summary()
    assert summary.flagged == any(message.flagged for message in messages)
    for name in MODERATION_CATEGORIES:
        assert (name in summary.categories) == any(message.categories[name] for message in messages)
        known = [score for message in messages if (score := message.scores[name]) is not None]
        assert summary.scores[name] == max(known, default=None)


def test_moderation_that_was_not_loaded_says_how_to_load_it() -> None:
    packed = PackedModeration.pack([ONE])
    chat = conversation("hi", moderation_summary=packed.summary())
    assert chat.flagged is False
    with pytest.raises(NotLoadedError, match="moderation=True"):
        _ = chat.moderation


def test_moderation_that_was_loaded_is_one_record_a_message() -> None:
    packed = PackedModeration.pack([ONE, ONE.model_copy(update={"flagged": True})])
    chat = conversation("hi", "hello", moderation_summary=packed.summary(), packed_moderation=packed)
    assert chat.moderation is not None
    assert [message.flagged for message in chat.moderation] == [False, True]
    assert chat.flagged is True


def test_a_row_without_moderation_is_neither_flagged_nor_clean() -> None:
    chat = conversation("hi")
    assert chat.flagged is None
    assert chat.moderation is None


@pytest.mark.parametrize(
    "contents, reply, last, turn",
    [
        (["p1"], None, "p1", 0),
        (["p1", "r1"], "r1", "p1", 1),
        (["p1", "r1", "p2"], "r1", "p2", 1),
        (["p1", "r1", "p2", "r2"], "r1", "p2", 2),
    ],
)
def test_prompts_and_replies_are_told_apart(contents: list[str], reply: str | None, last: str, turn: int) -> None:
    chat = conversation(*contents)
    assert (chat.first_prompt, chat.first_reply, chat.last_prompt, chat.turn) == ("p1", reply, last, turn)
    assert list(chat.prompts) == contents[::2]
    assert list(chat.replies) == contents[1::2]


@given(conversations())
def test_characters_are_counted_by_role(chat: Conversation) -> None:
    by_role = {role: sum(len(m.content) for m in chat.messages if m.role == role) for role in ("user", "assistant")}
    assert (chat.prompt_chars, chat.reply_chars) == (by_role["user"], by_role["assistant"])


def test_no_text_of_a_message_is_in_a_repr() -> None:
    """A repr ends in logs; ids and shape are all it may show."""
    chat = conversation("secret one", "secret two")
    assert repr(chat) == str(chat) == f"{chat}" == "<Conversation 7 'c7': gpt-4, unknown, 2 messages, cache>"
    assert "secret" not in repr([chat]) + repr({"chat": chat})


@given(conversations())
def test_conversations_pickle_to_equal_ones(chat: Conversation) -> None:
    assert pickle.loads(pickle.dumps(chat)) == chat


def test_defaults_say_that_nothing_is_known() -> None:
    chat = conversation("hi")
    assert (chat.origin, chat.timestamp, chat.source_turn) == (Origin.CACHE, None, None)
    assert chat.labels == Labels(domain=None, task=None, rating=None, tags=None, version=None)


def test_the_machine_shape_has_the_documented_keys() -> None:
    shape = as_json_object(conversation("hi", "hello"))
    assert list(shape) == [
        "conversation_id", "row_index", "origin", "model", "language", "turn", "redacted", "flagged", "timestamp", "labels",
        "messages",
    ]  # fmt: skip
    assert shape["messages"] == [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]
    assert shape["labels"] == dict.fromkeys(Labels.model_fields)
