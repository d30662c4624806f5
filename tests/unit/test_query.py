"""Queries as values: keywords, words and their aliases, JSON, digest, description, and two-valued logic in memory."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmsys_store.expressions import FIELDS, OPERATORS, And, Expression, Not, Or, Search
from lmsys_store.query import Field, Filters, Query, fields
from lmsys_store.records import MODERATION_CATEGORIES, Conversation, Labels, Moderation, PackedModeration
from lmsys_store.vocabulary import BASES, DOMAINS, SIGNALS, TAGS, TASKS
from tests.unit.strategies import chat, conversations

# ------------------------------------------------------------------------------------------- generated queries

_TEXTS: Mapping[str, st.SearchStrategy[str]] = {
    "domain": st.sampled_from([*DOMAINS, "coding", "marketing", "ai-development", "communication"]),
    "task": st.sampled_from(TASKS),
    "tag": st.sampled_from(TAGS),
    "second_domain": st.sampled_from(DOMAINS),
    "rating_basis": st.sampled_from(BASES),
    "signal": st.sampled_from(SIGNALS),
    "language": st.sampled_from(["en", "German", "pt-BR", "unknown", "Klingon"]),
    "model": st.sampled_from(["gpt-4", "claude-v1", "vicuna-13b"]),
}
_numbers = (
    st.integers(-1, 6)
    | st.floats(-10, 10)
    | st.sampled_from([0.0, -0.0, 1e300, 2**62]).filter(lambda n: abs(n) < 2**63)
)
_VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    "number": _numbers,
    "bool": st.booleans(),
    "time": st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.one_of(st.none(), st.timezones())),
    "text": st.text(max_size=4),
}


# Two of the 22 moderation fields stand for all: the others would crowd out the rest.
_FIELD_NAMES = [name for name in FIELDS if "." not in name] + ["moderation.hate", "moderation_score.self_harm_intent"]


@st.composite
def conditions(draw: st.DrawFn) -> Expression:
    """One comparison of any field by any of its operators with a value of its kind."""
    name = draw(st.sampled_from(_FIELD_NAMES))
    operator = draw(st.sampled_from(OPERATORS[FIELDS[name].kind]))
    values = _TEXTS[name] if name in _TEXTS else _VALUES[FIELDS[name].kind]
    value: Any = draw(values)
    if operator == "is_null":
        value = draw(st.booleans())
    elif operator in ("in_", "between"):
        value = draw(
            st.lists(values, min_size=2 if operator == "between" else 0, max_size=2 if operator == "between" else 3)
        )
    return Query.from_json({"field": name, "op": operator, "value": value}).expression


searches = st.builds(Search, st.sampled_from(["hi", '"red wine"', "win* -beef", "-hi", "é"]), st.booleans())


def _combined(parts: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    pairs = st.tuples(parts, parts)
    return (
        pairs.map(lambda pair: pair[0] & pair[1])
        | pairs.map(lambda pair: pair[0] | pair[1])
        | parts.map(lambda part: ~part)
    )


expressions = st.recursive(conditions() | searches | st.just(And(())) | st.just(Or(())), _combined, max_leaves=6)
queries = expressions.map(Query)
chats = conversations(st.sampled_from(["", "hi", "Red wine", "wine, red", "é"]))


@given(queries)
def test_a_query_survives_json(query: Query) -> None:
    there = json.dumps(query.to_json(), allow_nan=False)
    back = Query.from_json(json.loads(there))
    assert back == query
    assert (hash(back), back.digest, str(back)) == (hash(query), query.digest, str(query))


@given(queries, chats)
def test_not_is_plain_negation(query: Query, chat: Conversation) -> None:
    assert query.matches(chat) != (~query).matches(chat)
    assert (~~query).matches(chat) == query.matches(chat)


@given(queries, queries, chats)
def test_and_and_or_mean_what_they_say(one: Query, other: Query, chat: Conversation) -> None:
    each = (one.matches(chat), other.matches(chat))
    assert (one & other).matches(chat) == one.where(other.expression).matches(chat) == all(each)
    assert (one | other).matches(chat) == any(each)


@given(queries, queries, queries)
def test_the_order_of_conditions_is_not_part_of_the_digest(one: Query, other: Query, third: Query) -> None:
    """A token taken with ``a & b`` goes on with ``b & a``."""
    assert (one & other & third).digest == (third & other & one).digest
    assert (one | other | third).digest == (third | other | one).digest


@given(st.sampled_from(sorted(name for name, spec in FIELDS.items() if spec.kind != "tags")), chats, st.data())
def test_not_equal_is_the_opposite_of_equal(name: str, chat: Conversation, data: st.DataObject) -> None:
    value = data.draw(_TEXTS[name] if name in _TEXTS else _VALUES[FIELDS[name].kind])
    equal, unequal = ({"field": name, "op": op, "value": value} for op in ("eq", "ne"))
    assert Query.from_json(equal).matches(chat) != Query.from_json(unequal).matches(chat)


# ------------------------------------------------------------------------------------------------ missing values


@pytest.mark.parametrize(
    "name", ["rating", "timestamp", "domain", "flagged", "moderation_score.hate", "moderation.hate"]
)
def test_a_comparison_with_a_missing_value_is_false_but_ne(name: str) -> None:
    kind = FIELDS[name].kind
    value = {"number": 1, "time": "2023-01-01", "text": "legal", "bool": False}[kind]
    matching = set()
    for operator in OPERATORS[kind]:
        operand: Any = {"is_null": True, "in_": [value], "between": [value, value]}.get(operator, value)
        if Query.from_json({"field": name, "op": operator, "value": operand}).matches(chat()):
            matching.add(operator)
    assert matching == {"ne", "is_null"}


def test_conditions_read_the_whole_conversation() -> None:
    """Categories hold for any message, scores are the maximum over messages, texts are all the user's."""
    entry = Moderation(flagged=False, categories={}, scores=dict.fromkeys(MODERATION_CATEGORIES, 0.25))
    packed = PackedModeration.pack([entry, Moderation(flagged=True, categories={"hate": True}, scores={"hate": 0.75})])
    found = chat(moderation_summary=packed.summary())
    matching = [
        fields.moderation("hate") == True,  # noqa: E712  # builds a condition
        fields.moderation_score("hate").between(0.75, 0.75),
        fields.moderation_score("violence") == 0.25,
        fields.flagged == True,  # noqa: E712
        fields.prompt_chars == 9,
        fields.reply_chars < 7,
        fields.turn == 1,
        fields.conversation_id.startswith("c"),
        fields.model.contains("pt-"),
        fields.row_index.in_([1, 5]),
    ]
    assert [condition.matches(found) for condition in matching] == [True] * len(matching)
    assert not (fields.model.contains("GPT")).matches(found)
    assert Query().search('"red wine"').matches(found)
    assert not Query().search("white").matches(found)
    assert Query().search("white", replies=True).matches(found)


def test_tag_conditions_ask_for_any_tag_and_ne_for_none() -> None:
    tagged = chat(packed_labels=Labels(tags=("marketing", "multi-turn")).packed())
    assert (fields.tag == "marketing").matches(tagged)
    assert not (fields.tag != "marketing").matches(tagged)
    assert fields.tag.startswith("mul").matches(tagged)
    assert (fields.tag != "marketing").matches(chat())
    assert fields.tag.is_null().matches(chat(packed_labels=Labels(tags=()).packed()))
    assert fields.tag.is_null(False).matches(tagged)


# ------------------------------------------------------------------------------------------------------ keywords

KEYWORDS: list[tuple[Filters, str]] = [
    ({}, "every row"),
    ({"conversation_id": "a1"}, "conversation_id = 'a1'"),
    ({"model": "gpt-4"}, "model = 'gpt-4'"),
    ({"model": ["gpt-4", "claude-1"]}, "model in ['claude-1', 'gpt-4']"),
    ({"model": ["gpt-4"]}, "model = 'gpt-4'"),
    ({"language": ["de", "French"]}, "language in ['French', 'German']"),
    ({"domain": "Data_Analysis"}, "domain = 'data-analysis'"),
    ({"domain": "legal", "min_domain_score": 0.5}, "domain = 'legal' and domain_score >= 0.5"),
    ({"task": ["debugging", "reasoning"]}, "task in ['debugging', 'reasoning']"),
    ({"tag": "marketing"}, "tag = 'marketing'"),
    ({"tag": ["marketing", "multi_turn"]}, "tag = 'marketing' and tag = 'multi-turn'"),
    ({"min_rating": 4}, "rating >= 4"),
    ({"min_rating": 3}, "rating >= 3 or rating is missing"),
    ({"max_rating": 2.5}, "rating <= 2.5"),
    ({"turns": 3}, "turn = 3"),
    ({"turns": (2, 5)}, "turn between 2 and 5"),
    ({"turns": (2, None)}, "turn >= 2"),
    ({"turns": (None, 5)}, "turn <= 5"),
    ({"turns": (None, None)}, "every row"),
    ({"redacted": False}, "redacted = False"),
    ({"flagged": True}, "flagged = True"),
    ({"flagged": False}, "flagged != True"),
    (
        {"moderation_category": ["hate", "self-harm/intent"]},
        "moderation.hate = True and moderation.self_harm_intent = True",
    ),
    ({"min_prompt_chars": 10, "max_prompt_chars": 20}, "prompt_chars >= 10 and prompt_chars <= 20"),
    ({"min_reply_chars": 10, "max_reply_chars": 20}, "reply_chars >= 10 and reply_chars <= 20"),
    ({"search": '"red wine" -beef'}, "search '\"red wine\" -beef'"),
    ({"model": "gpt-4", "turns": 1}, "model = 'gpt-4' and turn = 1"),
]


@pytest.mark.parametrize("keywords, meaning", KEYWORDS, ids=[meaning for _, meaning in KEYWORDS])
def test_keywords_mean_conditions(keywords: Filters, meaning: str) -> None:
    assert str(Query.of(**keywords)) == meaning


def test_every_keyword_has_a_case_here() -> None:
    assert {name for keywords, _ in KEYWORDS for name in keywords} == set(Filters.__annotations__)


@pytest.mark.parametrize(
    "least, rated, kept", [(1, None, True), (3, None, True), (3.5, None, False), (4, 4.0, True), (3, 2.5, False)]
)
def test_min_rating_keeps_unrated_rows_up_to_three(least: float, rated: float | None, kept: bool) -> None:
    """Three means that nothing speaks either way, and nothing does for a row without a rating."""
    assert Query.of(min_rating=least).matches(chat(packed_labels=Labels(rating=rated).packed())) is kept


def test_rows_without_moderation_are_not_flagged() -> None:
    assert Query.of(flagged=False).matches(chat())
    assert not Query.of(flagged=True).matches(chat())


# --------------------------------------------------------------------------------------------------- as a value


def test_a_query_is_a_frozen_hashable_value() -> None:
    query = Query.of(model="gpt-4")
    assert query == Query(fields.model == "gpt-4")
    assert len({query, Query.of(model="gpt-4"), Query()}) == 2
    with pytest.raises(AttributeError):
        query.expression = And(())  # type: ignore[misc]


def test_the_digest_is_the_same_on_every_machine() -> None:
    """Resume tokens hold it: a change here refuses every token that users have kept."""
    query = Query.of(domain="communication", min_rating=3, turns=(2, None)).search("wine") & ~Query.of(
        model=["bard", "gpt-4"]
    )
    assert (Query().digest, query.digest) == ("79098c84ecd07592", "a4cea8a36c44f9f9")


@pytest.mark.parametrize("other", [3.0, 3])
def test_equal_queries_have_one_digest(other: float) -> None:
    """A command line reads 3.0 where a program says 3."""
    assert Query.of(min_rating=other) == Query.of(min_rating=3)
    assert Query.of(min_rating=other).digest == Query.of(min_rating=3).digest


@pytest.mark.parametrize(
    "query, text",
    [
        (Query(), "every row"),
        (~Query(), "not every row"),
        (Query.of(model=[]), "model in []"),
        (Query(fields.turn != 3), "turn != 3"),
        (Query(fields.rating.is_null(False)), "rating is present"),
        (Query(fields.model.startswith("gpt")), "model startswith 'gpt'"),
        (Query(fields.timestamp < "2023-05-01"), "timestamp < '2023-05-01T00:00:00+00:00'"),
        (~(Query.of(turns=1) & Query.of(model="gpt-4")), "not (turn = 1 and model = 'gpt-4')"),
        (Query.of(turns=1) | Query.of(redacted=True), "turn = 1 or redacted = True"),
        (Query().search("wine", replies=True), "search 'wine' in replies too"),
    ],
)
def test_a_query_reads_as_a_sentence(query: Query, text: str) -> None:
    assert str(query) == text


def test_fields_can_be_explored() -> None:
    assert set(dir(fields)) == {name for name in FIELDS if "." not in name} | {"moderation", "moderation_score"}
    assert all(isinstance(getattr(fields, name), Field) for name in FIELDS if "." not in name)
    assert repr(fields.turn) == "fields.turn"


def test_double_negation_and_nesting_leave_no_trace() -> None:
    one, two, three = fields.turn == 1, fields.turn == 2, fields.turn == 3
    assert ~~one == one and ~one == Not(one)
    assert (one & two) & three == one & (two & three) == And((one, two, three))
    assert Query() & Query(one) == Query(one)


def test_values_named_exactly_are_known() -> None:
    query = Query.of(model=["gpt-4", "gpt4"]) & ~Query(fields.model == "bard") & Query(fields.model.contains("x"))
    assert query.named_values("model") == ["gpt-4", "gpt4", "palm-2"]
    assert query.named_values("language") == []
