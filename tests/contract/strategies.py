"""Hypothesis strategies: conversations with every column filled or missing, and queries of every field and operator."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from lmsys_store.expressions import FIELDS, OPERATORS, Expression, Kind, Search, all_of, any_of, condition
from lmsys_store.query import Query
from lmsys_store.records import (
    MODERATION_CATEGORIES,
    NO_LABELS,
    Conversation,
    Labels,
    Message,
    Moderation,
    ModerationSummary,
    PackedModeration,
)
from lmsys_store.vocabulary import BASES, SIGNALS, TAGS

# Few values, so that rows and queries meet; each of them is odd in another way.
_WORDS = (
    "red", "Red", "redwood", "wine", "don't", "C++11", "straße", "STRASSE", "İstanbul", "東京", "東", "ＡＢＣ", "naïve", "a\x00b",
    "שלום", "🍷", "x_y", "42", "½", "%", "'", '"', "\n", "", "ﬁne", "Ǆ", "\u0345",
)  # fmt: skip
_NAMES = ("gpt-4", "GPT-4", "claude-1", "vicuna-13b", "", "é", "e\u0301", "a\x00b", "a%", "🍷\U0010ffff", "\ue000")
_LANGUAGES = ("English", "German", "unknown", "Klingon", "")
_DOMAINS = ("software-development", "business", "language", "ai-assistants", "general")
_TASKS = ("text-generation", "rewriting", "debugging")
_RATINGS = (1.0, 2.5, 3.0, 4.0, 5.0)
_SCORES = (0.0, 5e-324, 0.1, 0.1 + 2**-56, 0.5, 1.0)
_TIMES = (
    datetime(1, 1, 1, tzinfo=UTC), datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), datetime(2023, 4, 1, tzinfo=UTC),
    datetime(2023, 4, 1, microsecond=1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
)  # fmt: skip

texts = st.lists(st.sampled_from(_WORDS), max_size=5).map(" ".join) | st.text(max_size=6)
names = st.sampled_from(_NAMES) | st.text(max_size=3)
scores = st.sampled_from(_SCORES) | st.floats(0, 1)


@st.composite
def _moderations(draw: st.DrawFn, messages: int) -> tuple[ModerationSummary, PackedModeration]:
    per_message = []
    for _ in range(messages):
        raised = draw(st.sets(st.sampled_from(MODERATION_CATEGORIES), max_size=2))
        scored = draw(st.dictionaries(st.sampled_from(MODERATION_CATEGORIES), scores | st.none(), max_size=3))
        per_message.append(
            Moderation(
                flagged=draw(st.booleans()),
                categories={name: name in raised for name in MODERATION_CATEGORIES},
                scores={name: scored.get(name, 0.25) for name in MODERATION_CATEGORIES},
            )
        )
    packed = PackedModeration.pack(per_message)
    return packed.summary(), packed


_labels = st.just(NO_LABELS) | st.builds(
    Labels,
    domain=st.none() | st.sampled_from(_DOMAINS),
    task=st.none() | st.sampled_from(_TASKS),
    rating=st.none() | st.sampled_from(_RATINGS),
    tags=st.none() | st.lists(st.sampled_from(TAGS[:4]), max_size=3, unique=True).map(tuple),
    domain_score=st.none() | st.floats(0, 1),
    second_domain=st.none() | st.sampled_from(_DOMAINS),
    rating_basis=st.none() | st.sampled_from(BASES),
    signals=st.none() | st.lists(st.sampled_from(SIGNALS[:4]), max_size=3, unique=True).map(tuple),
    prompt_key=st.none() | st.integers(-(2**63) + 1, 2**63 - 1),
    family=st.none() | st.integers(-3, 3),
    version=st.just("1"),
)


@st.composite
def _conversation(draw: st.DrawFn, row_index: int) -> Conversation:
    contents = draw(st.lists(texts, min_size=1, max_size=4))
    moderation = draw(st.none() | _moderations(len(contents)))
    return Conversation(
        row_index=row_index,
        conversation_id=draw(names),
        model=draw(names),
        messages=tuple(
            Message(role="assistant" if at % 2 else "user", content=text) for at, text in enumerate(contents)
        ),
        language=draw(st.sampled_from(_LANGUAGES)),
        redacted=draw(st.booleans()),
        timestamp=draw(st.none() | st.sampled_from(_TIMES)),
        packed_labels=draw(_labels).packed(),
        source_turn=draw(st.none() | st.integers(-1, 9)),
        moderation_summary=None if moderation is None else moderation[0],
        packed_moderation=None if moderation is None else moderation[1],
    )


@st.composite
def conversations(draw: st.DrawFn, max_size: int = 12) -> list[Conversation]:
    """Rows 0, 1, 2… of a store."""
    return [draw(_conversation(number)) for number in range(draw(st.integers(1, max_size)))]


# ------------------------------------------------------------------------------------------------------- queries

_number = (
    st.integers(-1, 30) | st.sampled_from(_RATINGS) | st.floats(-1, 30) | st.sampled_from([2**62, -(2**63) + 1, 0.1])
)
_BY_FIELD: dict[str, st.SearchStrategy[Any]] = {
    "conversation_id": names,
    "model": names | st.just("claude-v1"),
    "language": st.sampled_from([*_LANGUAGES, "en", "de-AT"]),
    "domain": st.sampled_from([*_DOMAINS, "coding", "marketing", "ai-development", "communication"]),
    "task": st.sampled_from(_TASKS),
    "tag": st.sampled_from(TAGS[:5]),
    "second_domain": st.sampled_from(_DOMAINS),
    "rating_basis": st.sampled_from(BASES),
    "signal": st.sampled_from(SIGNALS[:4]),
}
_BY_KIND: dict[Kind, st.SearchStrategy[Any]] = {
    "number": _number,
    "time": st.sampled_from(_TIMES) | st.datetimes(),
    "bool": st.booleans(),
}


def _values(field: str) -> st.SearchStrategy[Any]:
    if field.startswith("moderation_score."):
        return scores
    return _BY_FIELD[field] if field in _BY_FIELD else _BY_KIND[FIELDS[field].kind]


@st.composite
def conditions(draw: st.DrawFn, field: str, operator: str) -> Expression:
    """A condition of this field and operator, on values that rows may have."""
    values = _values(field)
    if operator in ("contains", "startswith"):
        return condition(field, operator, draw(values)[: draw(st.integers(0, 3))])
    return draw(conditions_on(field, operator, values))


@st.composite
def conditions_on(draw: st.DrawFn, field: str, operator: str, values: st.SearchStrategy[Any]) -> Expression:
    """A condition of this field and operator, on values of a strategy."""
    if operator == "is_null":
        return condition(field, operator, draw(st.booleans()))
    if operator == "between":
        return condition(field, operator, (draw(values), draw(values)))
    if operator == "in_":
        return condition(field, operator, draw(st.lists(values, max_size=3)))
    return condition(field, operator, draw(values))


QUERIED_FIELDS = [name for name in FIELDS if "." not in name or name.endswith((".harassment", ".violence_graphic"))]
"""Every field, but of the 11 moderation categories only the first and the last: the others differ in a number alone."""
EVERY_CONDITION = [(field, operator) for field in QUERIED_FIELDS for operator in OPERATORS[FIELDS[field].kind]]


@st.composite
def searches(draw: st.DrawFn) -> Search:
    """Words, "phrases", prefixes and negations of the words that rows are made of; never without one token."""
    terms = []
    for _ in range(draw(st.integers(1, 3))):
        text = draw(texts).replace('"', "")
        text = f'"{text}"' if draw(st.booleans()) else text
        terms.append(draw(st.sampled_from(["", "-"])) + text + draw(st.sampled_from(["", "*"])))
    return Search(" ".join([*terms, draw(st.sampled_from(["", "-"])) + "red"]), draw(st.booleans()))


_leaves = st.sampled_from(EVERY_CONDITION).flatmap(lambda pair: conditions(*pair)) | searches()
expressions = st.recursive(
    _leaves,
    lambda inner: (
        st.lists(inner, max_size=3).map(all_of)
        | st.lists(inner, max_size=3).map(any_of)
        | inner.map(lambda part: ~part)
    ),
    max_leaves=6,
)
queries = st.builds(Query, expressions)
