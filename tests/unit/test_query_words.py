"""The words of queries: aliases, languages, renamed models, the consumer's object, and the errors that teach the known words."""

import math
from datetime import UTC, datetime
from typing import Any

import pytest

from lmsys_store.errors import QueryError
from lmsys_store.expressions import FIELDS, OPERATORS, Condition
from lmsys_store.query import Filters, Query, fields
from lmsys_store.records import Labels
from tests.unit.strategies import chat

# --------------------------------------------------------------------------------------------------------- words

CONSUMER_DOMAINS = {
    "coding": "domain = 'software-development'",
    "software-development": "domain = 'software-development'",
    "creative-writing": "domain = 'content-creation'",
    "content-creation": "domain = 'content-creation'",
    **{name: f"domain = '{name}'" for name in ("data-analysis", "customer-service", "healthcare", "legal", "finance")},
    **{name: f"domain = '{name}'" for name in ("education", "general")},
    "marketing": "domain = 'business' and tag = 'marketing'",
    "ai-development": "domain = 'ai-assistants' or (domain = 'software-development' and tag = 'machine-learning')",
    "communication": "domain = 'language' or (domain = 'business' and task in ['rewriting', 'text-generation'])",
}


@pytest.mark.parametrize("name", CONSUMER_DOMAINS)
@pytest.mark.parametrize("spell", [str, str.upper, lambda name: name.replace("-", "_"), lambda name: f" {name} "])
def test_the_consumers_names_of_domains_are_understood(name: str, spell: Any) -> None:
    query = Query.of(domain=spell(name))
    assert str(query) == CONSUMER_DOMAINS[name]
    assert Query.from_json(query.to_json()) == query


def test_aliases_work_among_other_names_and_negated() -> None:
    several = Query.of(domain=["marketing", "legal"])
    assert str(several) == "(domain = 'business' and tag = 'marketing') or domain = 'legal'"
    assert several.matches(chat(packed_labels=Labels(domain="legal").packed()))
    assert Query(fields.domain != "marketing") == ~Query.of(domain="marketing")
    assert Query(fields.domain != "marketing").matches(chat(packed_labels=Labels(domain="business").packed()))


@pytest.mark.parametrize(
    "given_name, name",
    [
        ("en", "English"), ("EN", "English"), ("en-US", "English"), ("en_GB", "English"), ("english", "English"),
        ("pt-BR", "Portuguese"), ("zh-Hant-TW", "Chinese"), (" de ", "German"), ("iw", "Hebrew"), ("UNKNOWN", "unknown"),
        ("scottish gaelic", "Scottish Gaelic"), ("Klingon", "Klingon"),
    ],
)  # fmt: skip
def test_languages_are_understood_by_name_code_or_tag(given_name: str, name: str) -> None:
    assert Query.of(language=given_name) == Query(Condition("language", "eq", name))


@pytest.mark.parametrize(
    "old, new", [("claude-v1", "claude-1"), ("claude-instant-v1", "claude-instant-1"), ("bard", "palm-2"), ("x", "x")]
)
def test_renamed_models_are_found_by_their_old_names(old: str, new: str) -> None:
    assert Query.of(model=old) == Query.of(model=new)
    assert Query.of(model=[old, "gpt-4"]) == Query.of(model=["gpt-4", new])


@pytest.mark.parametrize("spelled", ["self-harm/intent", "self_harm_intent", "self-harm-intent", "SELF_HARM/intent"])
def test_moderation_categories_are_understood_in_any_spelling(spelled: str) -> None:
    assert (fields.moderation(spelled) == True) == Condition("moderation.self_harm_intent", "eq", True)  # noqa: E712


def test_times_may_be_text_and_are_utc() -> None:
    expected = Condition("timestamp", "ge", datetime(2023, 5, 1, tzinfo=UTC))
    for value in ("2023-05-01", "2023-05-01T02:00:00+02:00", datetime(2023, 5, 1), datetime(2023, 5, 1, tzinfo=UTC)):
        assert (fields.timestamp >= value) == expected


# ------------------------------------------------------------------------------------------------------- refused


def refused(build: Any) -> str:
    with pytest.raises(QueryError) as caught:
        build()
    return str(caught.value)


def test_an_unknown_field_names_the_known_ones() -> None:
    said = refused(lambda: fields.topic)
    assert "unknown field 'topic'" in said
    assert all(name in said for name in FIELDS if "." not in name)
    assert "moderation.<category>" in said


def test_an_unknown_operator_names_the_known_ones() -> None:
    said = refused(lambda: fields.turn.contains("5"))
    assert "turn has no operator 'contains'" in said
    assert all(name in said for name in OPERATORS["number"])


def test_an_unknown_keyword_names_the_known_ones() -> None:
    said = refused(lambda: Query.of(topic="x"))  # type: ignore[call-arg]
    assert all(name in said for name in Filters.__annotations__)


@pytest.mark.parametrize(
    "build, near",
    [
        (lambda: Query.of(domain="legl"), "legal"),
        (lambda: Query.of(domain=["legal", "educatoin"]), "education"),
        (lambda: Query.of(task="debuging"), "debugging"),
        (lambda: Query.of(tag="marketting"), "marketing"),
        (lambda: Query.of(moderation_category="violance"), "violence"),
        (lambda: fields.domain != "helthcare", "healthcare"),
    ],
)
def test_an_unknown_word_of_a_closed_vocabulary_names_the_nearest(build: Any, near: str) -> None:
    assert f"did you mean '{near}'" in refused(build)


@pytest.mark.parametrize(
    "build",
    [
        lambda: fields.turn == "5",
        lambda: fields.turn == True,  # noqa: E712
        lambda: fields.turn == None,  # noqa: E711
        lambda: fields.turn == math.nan,
        lambda: fields.turn == 2**63,
        lambda: fields.model == 4,
        lambda: fields.model == "\ud800",
        lambda: fields.redacted == 1,
        lambda: fields.timestamp > 5,
        lambda: fields.timestamp > "yesterday",
        lambda: fields.timestamp > "0001-01-01T00:00:00+05:00",
        lambda: fields.turn.in_(5),  # type: ignore[arg-type]
        lambda: fields.model.in_("gpt-4"),
        lambda: fields.rating.is_null("yes"),  # type: ignore[arg-type]
        lambda: Query.of(turns=(1, 2, 3)),  # type: ignore[arg-type]
        lambda: Query.of(turns="2..5"),  # type: ignore[arg-type]
        lambda: Query.of(min_rating="good"),  # type: ignore[arg-type]
        lambda: Query.of(flagged=None),  # type: ignore[arg-type]
        lambda: Query.of(model=5),  # type: ignore[arg-type]
        lambda: Query.of(tag=5),  # type: ignore[arg-type]
        lambda: Query.of(moderation_category=5),  # type: ignore[arg-type]
        lambda: Query.of(search=5),  # type: ignore[arg-type]
        lambda: Query.of(search=""),
        lambda: Query().search("-"),
        lambda: Query().where("turn > 3"),  # type: ignore[arg-type]
        lambda: bool(fields.turn == 1),
        lambda: 1 < fields.turn < 3,
    ],
)  # fmt: skip
def test_what_cannot_mean_anything_is_a_query_error(build: Any) -> None:
    assert refused(build)


@pytest.mark.parametrize(
    "value",
    [
        None, [], {}, {"all": 5}, {"any": [{}]}, {"not": None}, {"search": 5}, {"search": "x", "fuzzy": True},
        {"field": "turn", "op": "eq"}, {"field": "turn", "op": "like", "value": 1}, {"field": "topic", "op": "eq", "value": 1},
        {"field": "turn", "op": "between", "value": [1]}, {"field": "turn", "op": "in_", "value": "12"},
        {"all": [], "any": []}, {"field": "turn", "op": "eq", "value": 1, "not": True}, {"search": "x", "replies": "no"},
    ],
)  # fmt: skip
def test_json_that_is_no_query_is_a_query_error(value: Any) -> None:
    """Also keys beside the known ones: a condition that is not understood must not be left out in silence."""
    assert refused(lambda: Query.from_json(value))


# ------------------------------------------------------------------------------------------- the consumer's query


def test_the_consumers_query_object_becomes_a_query_and_a_limit() -> None:
    wanted = {
        "domain": "coding",
        "language": "en",
        "minRating": 4,
        "maxConversations": 10,
        "models": ["gpt-4", "claude-v1"],
        "tags": ["multi-turn"],
    }
    query = Query.of(domain="coding", language="en", min_rating=4, model=["gpt-4", "claude-1"], tag=["multi-turn"])
    found, limit = Query.from_promptloop(wanted)
    assert (found.digest, limit) == (query.digest, 10)


@pytest.mark.parametrize("wanted", [{}, {"domain": None, "models": [], "minRating": None, "maxConversations": None}])
def test_what_the_consumer_leaves_out_does_not_filter(wanted: dict[str, Any]) -> None:
    assert Query.from_promptloop(wanted) == (Query(), None)


@pytest.mark.parametrize(
    "wanted, said",
    [
        ({"minrating": 3}, "known: domain, language, minRating, models, tags, maxConversations"),
        ({"maxConversations": "10"}, "maxConversations needs a number"),
        ({"maxConversations": -1}, "maxConversations needs a number"),
        ({"maxConversations": True}, "maxConversations needs a number"),
        ({"domain": "cooking"}, "unknown domain 'cooking'"),
        ({"minRating": "4"}, "rating needs"),
        ({"tags": 5}, "tag"),
    ],
)
def test_what_the_consumer_got_wrong_is_a_query_error(wanted: dict[str, Any], said: str) -> None:
    assert said in refused(lambda: Query.from_promptloop(wanted))
