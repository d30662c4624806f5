"""Rows to conversations and back (C8): what is accepted exactly, what is refused, and that no reason quotes a text."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lmsys_store.errors import InvalidRowError, NotLoadedError
from lmsys_store.records import (
    DATASET_SPELLING,
    MODERATION_CATEGORIES,
    CodedModeration,
    Conversation,
    Message,
    Origin,
    PackedModeration,
)
from lmsys_store.rows import REQUIRED_COLUMNS, conversation_from_row, row_from_conversation
from tests.unit.strategies import valid_rows

USER = {"role": "user", "content": "hi"}
REPLY = {"role": "assistant", "content": "hello"}
PACKED = {"moderation_summary", "packed_moderation"}
SPELLED = list(DATASET_SPELLING.values())


def row(*messages: object, **columns: object) -> dict[str, Any]:
    return {"conversation_id": "c1", "model": "gpt-4", "conversation": list(messages or (USER, REPLY))} | columns


def moderation(**changed: object) -> dict[str, Any]:
    entry = {
        "categories": dict.fromkeys(SPELLED, False),
        "category_scores": dict.fromkeys(SPELLED, 0.0),
        "flagged": False,
    }
    return entry | changed


def judged(**changed: object) -> dict[str, Any]:
    """A row of one message with its moderation."""
    return row(USER, openai_moderation=[moderation(**changed)])


def refused(value: object) -> str:
    with pytest.raises(InvalidRowError) as caught:
        conversation_from_row(value, 0)
    return str(caught.value)


# ------------------------------------------------------------------------------------------------------- refused

REFUSED = {
    "a row that is no object": (["hi"], "the row is of type list, not an object"),
    "a null row": (None, "the row is null"),
    "an empty conversation": (row(conversation=[]), "conversation is empty"),
    "a conversation of another type": (row(conversation=7), "conversation is of type int, not a list"),
    "a conversation that is an object": (row(conversation=USER), "conversation is of type dict, not a list"),
    "a conversation of bytes": (row(conversation=b"[]"), "conversation is of type bytes"),
    "a text that is not JSON": (row(conversation="[{]"), "conversation is a text that is not JSON"),
    "a text of something else": (row(conversation='"hi"'), "conversation is of type str, not a list"),
    "a text of nothing": (row(conversation="[]"), "conversation is empty"),
    "a message that is a string": (row(USER, "hello"), "message 1 is of type str, not an object"),
    "a null message": (row(None), "message 0 is null"),
    "null content": (row({"role": "user", "content": None}), "the content of message 0 is null"),
    "absent content": (row(USER, {"role": "assistant"}), "the content of message 1 is null"),
    "content of another type": (row({"role": "user", "content": 5}), "the content of message 0 is of type int"),
    "content of bytes": (row({"role": "user", "content": b"hi"}), "the content of message 0 is of type bytes"),
    "an unknown role": (
        row(USER, {"role": "system", "content": ""}),
        "message 1 has a role other than user or assistant",
    ),
    "an absent role": (row({"content": "hi"}), "message 0 has a role other"),
    "a role of another type": (row({"role": ["user"], "content": "hi"}), "message 0 has a role other"),
    "the assistant first": (row(REPLY, USER), "the first message is not the user's"),
    "the user twice": (row(USER, USER), "message 1 has the same role as the one before it"),
    "the assistant twice": (row(USER, REPLY, REPLY), "message 2 has the same role as the one before it"),
    "an id of another type": (row(conversation_id=5), "conversation_id is of type int, not a string"),
    "a model of another type": (row(model=["gpt-4"]), "model is of type list, not a string"),
    "a turn of text": (row(turn="1"), "turn is of type str, not an integer"),
    "a turn of a bool": (row(turn=True), "turn is of type bool, not an integer"),
    "a turn of a fraction": (row(turn=1.5), "turn is of type float, not an integer"),
    "a language of another type": (row(language=5), "language is of type int, not a string"),
    "redacted as a number": (row(redacted=1), "redacted is of type int, not a bool"),
    "moderation for fewer messages": (
        row(openai_moderation=[moderation()]),
        "openai_moderation has 1 entries for 2 messages",
    ),
    "moderation for more messages": (
        row(openai_moderation=[moderation()] * 3),
        "openai_moderation has 3 entries for 2",
    ),
    "moderation of no message": (row(openai_moderation=[]), "openai_moderation has 0 entries for 2 messages"),
    "moderation of another type": (row(openai_moderation="none"), "openai_moderation is of type str, not a list"),
    "a null entry of moderation": (
        row(openai_moderation=[moderation(), None]),
        "an entry of openai_moderation is null",
    ),
    "moderation without flagged": (judged(flagged=None), "flagged is null, not a bool"),
    "flagged as a number": (judged(flagged=1), "flagged is of type int, not a bool"),
    "categories of another type": (judged(categories=[1]), "moderation categories are of type"),
    "a category as a number": (judged(categories={"hate": 1}), "moderation of hate is of type int"),
    "a score as text": (judged(category_scores={"hate": "1"}), "moderation of hate is of type str"),
    "a score as a bool": (judged(category_scores={"hate": True}), "moderation of hate is of type"),
    "a time that is none": (row(timestamp="yesterday"), "timestamp is not a time"),
    "a time past all calendars": (row(timestamp=10**400), "timestamp is not a time"),
    "a time of another type": (row(timestamp=True), "timestamp is of type bool, not a time"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_row_is_refused_with_its_reason(case: str) -> None:
    value, reason = REFUSED[case]
    assert reason in refused(value)


@pytest.mark.parametrize("column", REQUIRED_COLUMNS)
@pytest.mark.parametrize("absent", [True, False], ids=["absent", "null"])
def test_a_row_without_a_required_column_is_refused(column: str, absent: bool) -> None:
    value = row(**{column: None})
    if absent:
        del value[column]
    assert refused(value) == f"{column} is missing"


HOSTILE = {
    "a time before the calendar in UTC": row(timestamp="0001-01-01T00:00:00+05:00"),
    "a score too large for a float": judged(category_scores={"hate": 10**400}),
    "a conversation text nested too deeply": row(conversation="[" * 200_000),
    "a turn too large for 64 bits": row(turn=2**63),
    "a turn too small for 64 bits": row(turn=-(2**63) - 1),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_values_reject_their_row_and_nothing_more(case: str) -> None:
    """Any other exception would end the whole sync for one row."""
    assert refused(HOSTILE[case])


@pytest.mark.parametrize(
    "value",
    [
        row({"role": "user", "content": "caf\ud83d"}),
        row(USER, {"role": "assistant", "content": "\udc00"}),
        row(conversation=json.dumps([{"role": "user", "content": "\ud83d"}])),
        row(conversation_id="\ud800"),
        row(model="\udfff"),
        row(language="\ud800"),
    ],
    ids=["prompt", "reply", "JSON text", "conversation_id", "model", "language"],
)
def test_a_lone_surrogate_is_refused(value: dict[str, Any]) -> None:
    assert "lone surrogate" in refused(value)


def _faults(secret: str) -> list[dict[str, Any]]:
    """The same text at every place of a row where a fault can be, each time with the fault there."""
    said = {"role": "user", "content": secret}
    texts = [secret, [secret], {secret: secret}, 5, None]
    return [
        *(row(conversation=value) for value in (secret, [secret], {secret: secret}, f'[{{"role": "{secret}"')),
        *(row(said, value) for value in texts),
        *(row(said, {"role": value, "content": secret}) for value in (secret, "user", [secret], None)),
        *(row({"role": "user", "content": value}) for value in ([secret], {secret: secret})),
        row({"role": "assistant", "content": secret}),
        row({"role": "user", "content": secret + "\ud800"}),
        row(said, turn=secret),
        row(said, redacted=secret),
        row(said, language=[secret]),
        row(said, timestamp=secret),
        row(said, conversation_id=[secret]),
        row(said, model={secret: secret}),
        *(row(said, openai_moderation=value) for value in (secret, [secret], [{"flagged": secret}], {secret: secret})),
        row(said, openai_moderation=[moderation(category_scores={"hate": secret})]),
        row(said, openai_moderation=[moderation(categories=secret)]),
    ]


@given(st.text("QXZ", min_size=6, max_size=12))
def test_a_reason_never_quotes_the_row(secret: str) -> None:
    for fault in _faults(secret):
        assert secret not in refused(fault)


# ------------------------------------------------------------------------------------------------------ accepted

ODD = {
    "NUL": ["a\x00b", "\x00"],
    "300 kB": ["x" * 300_000, "é" * 300_000],
    "empty texts": ["", ""],
    "right to left": ["\u202eمرحبا\u202c", "שלום"],
    "emoji": ["👩‍👩‍👧‍👦🏳️‍🌈", "😀"],
    "unassigned and private characters": ["\U0010ffff\ue000\ufffe", "\x7f\x80\u2028"],
    "both kinds of line ends": ["a\r\nb\rc\n", "\t"],
    "the user last": ["hi", "hello", "bye"],
    "one message": ["hi"],
}


@pytest.mark.parametrize("case", ODD)
@pytest.mark.parametrize("as_text", [False, True], ids=["list", "JSON text"])
def test_odd_but_valid_texts_are_taken_exactly(case: str, as_text: bool) -> None:
    messages = [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(ODD[case])]
    chat = conversation_from_row(row(conversation=json.dumps(messages) if as_text else messages), 3)
    assert [message.content for message in chat.messages] == ODD[case]
    assert (chat.row_index, chat.turn) == (3, len(ODD[case]) // 2)


def test_empty_names_are_names() -> None:
    chat = conversation_from_row(row(conversation_id="", model=""), 0)
    assert (chat.conversation_id, chat.model) == ("", "")


def test_columns_that_nobody_knows_are_ignored() -> None:
    extra = {"role": "user", "content": "hi", "name": "x", "weight": None}
    assert conversation_from_row(row(extra, judge="x", toxic=[1]), 0) == conversation_from_row(row(USER), 0)


def test_what_a_row_leaves_out_is_said_by_defaults() -> None:
    chat = conversation_from_row(row(), 0)
    assert (chat.language, chat.redacted, chat.flagged, chat.moderation) == ("unknown", False, None, None)
    assert (chat.timestamp, chat.source_turn, chat.origin) == (None, None, Origin.CACHE)
    assert conversation_from_row(row(), 0, origin=Origin.MOCK).origin is Origin.MOCK


@pytest.mark.parametrize("text, found", [("I am NAME_1.", True), ("NAME_ and NAME", False), ("xNAME_12", True)])
def test_redaction_is_told_by_its_placeholder_where_the_source_is_silent(text: str, found: bool) -> None:
    said = row(USER, {"role": "assistant", "content": text})
    assert conversation_from_row(said, 0).redacted is found
    assert conversation_from_row(said | {"redacted": None}, 0).redacted is found
    assert conversation_from_row(said | {"redacted": not found}, 0).redacted is not found


@pytest.mark.parametrize("turn, kept", [(1, None), (None, None), (9, 9), (0, 0)])
def test_a_turn_that_differs_is_kept_beside_the_computed_one(turn: int | None, kept: int | None) -> None:
    chat = conversation_from_row(row(turn=turn), 0)
    assert (chat.turn, chat.source_turn) == (1, kept)


@pytest.mark.parametrize(
    "value",
    [
        "2023-05-01T02:00:00+02:00",
        "2023-05-01T00:00:00",
        1682899200,
        1682899200.0,
        datetime(2023, 5, 1),
        datetime(2023, 5, 1, tzinfo=UTC),
    ],
)
def test_a_sources_time_becomes_an_aware_one(value: object) -> None:
    assert conversation_from_row(row(timestamp=value), 0).timestamp == datetime(2023, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize("ours", [False, True], ids=["data set", "underscores"])
def test_both_spellings_of_moderation_are_read(ours: bool) -> None:
    spell = dict(zip(MODERATION_CATEGORIES, MODERATION_CATEGORIES if ours else SPELLED, strict=True))
    entry = {
        "categories": {spell[name]: name == "self_harm_intent" for name in MODERATION_CATEGORIES},
        "category_scores": {spell[name]: at / 16 for at, name in enumerate(MODERATION_CATEGORIES)},
        "flagged": True,
    }
    chat = conversation_from_row(row(USER, openai_moderation=[entry]), 0)
    assert chat.moderation is not None and chat.moderation_summary is not None
    assert chat.moderation_summary.categories == {"self_harm_intent"}
    assert chat.moderation[0].scores == {name: at / 16 for at, name in enumerate(MODERATION_CATEGORIES)}


@given(st.sampled_from([name for name in MODERATION_CATEGORIES if "_" in name]), st.permutations([None, 0.25, 0.75]))
def test_of_two_spellings_the_first_that_is_not_null_counts(name: str, values: list[float | None]) -> None:
    """Some exports have both, one of them null throughout."""
    spellings = dict.fromkeys([DATASET_SPELLING[name], name, name.replace("_", "/"), name.replace("_", "-")])
    written = dict(zip(spellings, values, strict=False))
    expected = next(value for value in written.values() if value is not None)
    entry = moderation(
        category_scores=written, categories={key: None if v is None else v > 0.5 for key, v in written.items()}
    )
    chat = conversation_from_row(row(USER, openai_moderation=[entry]), 0)
    assert chat.moderation is not None
    assert chat.moderation[0].scores[name] == expected
    assert chat.moderation[0].categories[name] is (expected > 0.5)


def test_scores_may_be_whole_numbers_and_categories_absent() -> None:
    entry = {"category_scores": {"hate": 1, "new/category": "?"}, "flagged": True}
    chat = conversation_from_row(row(USER, openai_moderation=[entry]), 0)
    assert chat.moderation is not None
    assert (chat.moderation[0].scores["hate"], chat.moderation[0].scores["violence"]) == (1.0, None)
    assert not any(chat.moderation[0].categories.values())


def test_moderation_packed_by_the_source_is_taken_as_it_is() -> None:
    plain = conversation_from_row(row(openai_moderation=[moderation(flagged=True), moderation()]), 0)
    assert plain.packed_moderation is not None and plain.moderation_summary is not None
    coded = CodedModeration(plain.packed_moderation, plain.moderation_summary)
    assert conversation_from_row(row(openai_moderation=coded), 0) == plain
    assert "2 entries for 1 messages" in refused(row(USER, openai_moderation=coded))


# ---------------------------------------------------------------------------------------------------- round trips


@given(valid_rows(), st.integers(0, 10**6))
def test_a_conversation_survives_the_way_to_a_row_and_back(value: dict[str, Any], row_index: int) -> None:
    chat = conversation_from_row(value, row_index)
    written = row_from_conversation(chat)
    assert conversation_from_row(written, row_index) == chat
    assert conversation_from_row(json.loads(json.dumps(written)), row_index) == chat
    assert written["conversation"] == value["conversation"]
    assert list(written) == [
        "conversation_id",
        "model",
        "conversation",
        "turn",
        "language",
        "openai_moderation",
        "redacted",
    ]


@given(valid_rows())
def test_a_conversation_as_json_text_is_the_same_conversation(value: dict[str, Any]) -> None:
    as_text = value | {"conversation": json.dumps(value["conversation"])}
    assert conversation_from_row(as_text, 0) == conversation_from_row(value, 0)


@given(valid_rows())
def test_a_conversation_from_a_row_is_no_less_than_a_validated_one(value: dict[str, Any]) -> None:
    """Rows are checked by hand and assembled unchecked, for speed; nothing may show it."""
    chat = conversation_from_row(value, 0)
    assert Conversation.model_validate(dict(chat), strict=True) == chat
    assert Conversation.model_validate_json(chat.model_dump_json(exclude=PACKED)) == chat.model_copy(
        update=dict.fromkeys(PACKED)
    )
    assert all(type(message) is Message for message in chat.messages)
    with pytest.raises(ValidationError, match="frozen"):
        setattr(chat, "model", "other")  # noqa: B010  # a type checker would refuse the plain assignment


def test_a_changed_copy_of_a_conversation_leaves_the_others_alone() -> None:
    chat, other = conversation_from_row(row(), 0), conversation_from_row(row(), 1)
    assert chat.model_copy(update={"model": "claude-1"}).model == "claude-1"
    assert chat.model_fields_set == other.model_fields_set == set(Conversation.model_fields)
    assert (chat.model, other.model) == ("gpt-4", "gpt-4")


def test_a_row_needs_the_moderation_that_was_not_loaded() -> None:
    chat = conversation_from_row(row(openai_moderation=[moderation(), moderation()]), 0)
    with pytest.raises(NotLoadedError):
        row_from_conversation(chat.model_copy(update={"packed_moderation": None}))


def test_packed_moderation_has_one_entry_a_message() -> None:
    chat = conversation_from_row(row(openai_moderation=[moderation(), moderation()]), 0)
    assert isinstance(chat.packed_moderation, PackedModeration)
    assert chat.packed_moderation.message_count == len(chat.messages)
