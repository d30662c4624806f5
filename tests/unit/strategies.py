"""Hypothesis strategies shared by the unit tests: messages, moderation, rows and conversations."""

from typing import Any

from hypothesis import strategies as st

from lmsys_store.records import (
    DATASET_SPELLING,
    MODERATION_CATEGORIES,
    Conversation,
    Labels,
    Message,
    Moderation,
    PackedModeration,
)
from lmsys_store.vocabulary import DOMAINS, TAGS, TASKS

texts = st.one_of(
    st.text(), st.sampled_from(["", "\x00", "a\x00b", "مرحبا \u202e", "👩‍👩‍👧", "NAME_1 said hi", "\r\n\t"])
)
scores = st.none() | st.floats(allow_nan=False)

ROUND = ("user", "assistant")


@st.composite
def message_lists(draw: st.DrawFn, content: st.SearchStrategy[str] = texts) -> list[dict[str, Any]]:
    """Well-formed messages as a row holds them: the user's first, roles alternating."""
    contents = draw(st.lists(content, min_size=1, max_size=5))
    return [{"content": text, "role": ROUND[position % 2]} for position, text in enumerate(contents)]


moderations = st.builds(
    Moderation,
    flagged=st.booleans(),
    categories=st.fixed_dictionaries({name: st.booleans() for name in MODERATION_CATEGORIES}),
    scores=st.fixed_dictionaries(dict.fromkeys(MODERATION_CATEGORIES, scores)),
)


def moderation_row(moderation: Moderation) -> dict[str, Any]:
    """One message's moderation as the data set spells it."""
    return {
        "categories": {DATASET_SPELLING[name]: value for name, value in moderation.categories.items()},
        "category_scores": {DATASET_SPELLING[name]: value for name, value in moderation.scores.items()},
        "flagged": moderation.flagged,
    }


@st.composite
def valid_rows(draw: st.DrawFn) -> dict[str, Any]:
    """A row that is a conversation, any of its optional columns null or absent."""
    messages = draw(message_lists())
    count = len(messages)
    whole = st.lists(moderations, min_size=count, max_size=count)
    row = {
        "conversation_id": draw(texts),
        "model": draw(texts),
        "conversation": messages,
        "turn": draw(st.none() | st.just(count // 2) | st.integers(0, 99)),
        "language": draw(st.none() | texts),
        "openai_moderation": draw(st.none() | whole.map(lambda found: [moderation_row(one) for one in found])),
        "redacted": draw(st.none() | st.booleans()),
    }
    optional = ("turn", "language", "openai_moderation", "redacted")
    absent = draw(st.sets(st.sampled_from(optional)))
    return {name: value for name, value in row.items() if name not in absent}


labels = st.builds(
    Labels,
    domain=st.none() | st.sampled_from(DOMAINS),
    task=st.none() | st.sampled_from(TASKS),
    rating=st.none() | st.sampled_from([1.0, 2.5, 3.0, 4.0, 5.0]),
    tags=st.none() | st.lists(st.sampled_from(TAGS), max_size=3, unique=True).map(tuple),
)


@st.composite
def conversations(draw: st.DrawFn, content: st.SearchStrategy[str] = texts) -> Conversation:
    """A conversation with or without moderation, labels and time."""
    messages = draw(message_lists(content))
    packed = None
    if draw(st.booleans()):
        packed = PackedModeration.pack(draw(st.lists(moderations, min_size=len(messages), max_size=len(messages))))
    return Conversation(
        row_index=draw(st.integers(0, 10)),
        conversation_id=draw(st.sampled_from(["a1", "b2", "ä€"])),
        model=draw(st.sampled_from(["gpt-4", "vicuna-13b", "claude-1"])),
        messages=tuple(Message.model_validate(message) for message in messages),
        language=draw(st.sampled_from(["English", "German", "unknown"])),
        redacted=draw(st.booleans()),
        timestamp=draw(st.none() | st.datetimes(timezones=st.timezones())),
        packed_labels=draw(labels).packed(),
        moderation_summary=None if packed is None else packed.summary(),
        packed_moderation=packed,
    )


def chat(**values: Any) -> Conversation:
    """The simplest conversation that answers a search, with fields as given."""
    messages = (Message(role="user", content="Red wine?"), Message(role="assistant", content="White."))
    base: dict[str, Any] = {"row_index": 5, "conversation_id": "c5", "model": "gpt-4", "messages": messages}
    return Conversation(**base | values)
