"""Implication is never shown where it does not hold, and is shown where offline answers depend on it."""

from collections.abc import Sequence

import pytest
from hypothesis import assume, given, target
from hypothesis import strategies as st

from lmsys_store.expressions import EVERYTHING, And, Condition, Expression, Not, Or, all_of, any_of, condition
from lmsys_store.implication import implies
from lmsys_store.query import Query, fields
from lmsys_store.records import Conversation
from tests.contract.strategies import EVERY_CONDITION, conditions, conversations, expressions

# ------------------------------------------------------------------------------------------------------- never wrongly

_leaves = st.sampled_from(EVERY_CONDITION).flatmap(lambda pair: conditions(*pair))


@st.composite
def _narrower(draw: st.DrawFn, wide: Expression, depth: int = 2) -> Expression:
    """An expression that ought to imply ``wide``, or all but: a part of it, a part of a list, a range inside, more conditions."""
    match wide:
        case Condition(field, "in_", (_, *_) as values) if draw(st.booleans()):
            return condition(field, "in_", draw(st.lists(st.sampled_from(values), min_size=1, unique=True)))
        case Condition(field, "ge" | "gt" | "le" | "lt" as operator, value) if draw(st.booleans()):
            return _shifted(draw, field, operator, value)
        case Condition(field, "between", (low, high)) if draw(st.booleans()):
            ends = sorted([low, high, draw(st.sampled_from([low, high]))])
            return condition(field, "between", ends[draw(st.integers(0, 1)) :][:2])
        case Or(parts) if parts and depth and draw(st.booleans()):
            return draw(_narrower(draw(st.sampled_from(parts)), depth - 1))
        case And(parts) if parts and depth:
            return all_of([draw(_narrower(part, depth - 1)) for part in draw(st.permutations(parts))])
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return all_of([draw(_leaves), wide])
    if kind == 1 and depth:
        return any_of([draw(_narrower(wide, depth - 1)), draw(_narrower(wide, depth - 1))])
    return And((wide, And((draw(_leaves),)))) if kind == 2 else wide


def _shifted(draw: st.DrawFn, field: str, operator: str, value: object) -> Expression:
    """The same end, another or the same operator, moved a little to either side or not at all."""
    other = draw(st.sampled_from(["ge", "gt", "le", "lt", "eq", operator]))
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**60:
        value = value + draw(st.sampled_from([-1, 0, 0, 0.5, 1]))
    return condition(field, other, value)


@st.composite
def _pairs(draw: st.DrawFn) -> tuple[Expression, Expression]:
    wide = draw(_leaves | expressions)
    match draw(st.integers(0, 3)):
        case 0:
            return draw(_leaves | expressions), wide
        case 1:
            return draw(_narrower(wide)), any_of([draw(_leaves), wide])
    return draw(_narrower(wide)), wide


def _first_counterexample(
    premise: Expression, conclusion: Expression, chats: Sequence[Conversation]
) -> Conversation | None:
    return next((chat for chat in chats if premise.matches(chat) and not conclusion.matches(chat)), None)


@given(_pairs(), conversations())
def test_what_is_shown_holds_for_every_conversation(
    pair: tuple[Expression, Expression], chats: list[Conversation]
) -> None:
    premise, conclusion = pair
    shown = implies(premise, conclusion)
    target(float(shown))
    if shown:
        assert _first_counterexample(premise, conclusion, chats) is None
    if implies(conclusion, premise):
        assert _first_counterexample(conclusion, premise, chats) is None


@given(st.sampled_from(EVERY_CONDITION), st.data(), conversations(6))
def test_two_conditions_on_one_field_are_never_confused(
    pair: tuple[str, str], data: st.DataObject, chats: list[Conversation]
) -> None:
    field, operator = pair
    operators = [other for name, other in EVERY_CONDITION if name == field]
    premise = data.draw(conditions(field, operator))
    conclusion = data.draw(conditions(field, data.draw(st.sampled_from(operators))))
    if implies(premise, conclusion):
        assert _first_counterexample(premise, conclusion, chats) is None


@given(expressions, st.lists(_leaves, max_size=3), st.lists(_leaves, max_size=3))
def test_more_conditions_are_shown_to_imply_fewer_and_fewer_alternatives_more(
    expression: Expression, more: list[Expression], others: list[Expression]
) -> None:
    assume(expression != Or(()))  # "no row" vanishes among alternatives, and need not be shown to be any of them
    assert implies(expression, expression)
    assert implies(all_of([*more, expression]), expression)
    assert implies(expression, any_of([*others, expression]))
    assert implies(all_of([*more, expression]), any_of([expression, *others]))
    assert implies(expression, EVERYTHING)


@given(expressions, st.data())
def test_a_query_in_another_order_or_nesting_is_shown_to_be_the_same(
    expression: Expression, data: st.DataObject
) -> None:
    other = data.draw(_reordered(expression))
    assert implies(other, expression) and implies(expression, other)


@st.composite
def _reordered(draw: st.DrawFn, expression: Expression, nested: bool = True) -> Expression:
    """The parts of every ``and`` and ``or`` in another order, and some grouped once more, where no ``not`` is around them."""
    match expression:
        case And(parts) | Or(parts):
            mixed = [draw(_reordered(part, nested)) for part in draw(st.permutations(parts))]
            kind = type(expression)
            cut = draw(st.integers(0, len(mixed)))
            return (
                kind((kind(tuple(mixed[:cut])), *mixed[cut:]))
                if nested and 1 < cut < len(mixed)
                else kind(tuple(mixed))
            )
        case Not(part):
            return Not(draw(_reordered(part, False)))
    return expression


# ------------------------------------------------------------------------------------------------------------- examples

TWO_MODELS = Query.of(model=["gpt-4", "palm-2"])
A, B, C = fields.model == "gpt-4", fields.turn >= 2, fields.language == "en"

SHOWN: dict[str, tuple[Query, Query]] = {
    "one of the fetched models, and more turns": (Query.of(model="gpt-4", turns=(3, None)), TWO_MODELS),
    "fewer of the models": (Query.of(model=["palm-2", "gpt-4"]), Query.of(model=["gpt-4", "claude-1", "palm-2"])),
    "one language of several": (Query.of(language="en"), Query.of(language=["de", "English"])),
    "a higher rating": (Query.of(min_rating=4), Query.of(min_rating=3)),
    "a higher rating, unrated ones aside": (Query.of(min_rating=5), Query.of(min_rating=4)),
    "the same low rating, unrated ones with it": (Query.of(min_rating=3), Query.of(min_rating=2)),
    "between inside at least": (Query.of(turns=(3, 5)), Query.of(turns=(3, None))),
    "between inside at most": (Query.of(turns=(3, 5)), Query.of(turns=(None, 5))),
    "between inside both ends": (Query.of(turns=(3, 5)), Query().where(fields.turn > 2, fields.turn < 6)),
    "between inside between": (Query.of(turns=(3, 5)), Query.of(turns=(2, 5))),
    "a number inside between": (Query.of(turns=3), Query.of(turns=(2, 5))),
    "numbers inside between": (Query().where(fields.turn.in_([2, 5])), Query.of(turns=(2, 5))),
    "more than implies at least": (Query().where(fields.turn > 3), Query().where(fields.turn >= 3)),
    "less than a lower end": (Query().where(fields.turn <= 2), Query().where(fields.turn < 3)),
    "another value is unequal": (Query.of(model="gpt-4"), Query().where(fields.model != "palm-2")),
    "a value is present": (Query.of(model="gpt-4"), Query().where(fields.model.is_null(False))),
    "a value contains its part": (Query.of(model="gpt-4"), Query().where(fields.model.contains("gpt"))),
    "a value starts so": (Query.of(model="gpt-4"), Query().where(fields.model.startswith("gpt-"))),
    "anything is everything": (Query.of(model="gpt-4").search("red wine"), Query()),
    "conditions in another order": (Query().where(A, B, C), Query().where(C, A, B)),
    "alternatives in another order": (Query(A | B | C), Query(C | A | B)),
    "another order inside a not": (Query(~(A & B)), Query(~(B & A))),
    "another nesting": (Query(And((A, And((B, C))))), Query(And((And((A, B)), C)))),
    "a group in another order": (Query(A & (B | C)), Query((C | B) & A)),
    "each alternative, one by one": (Query.of(model="gpt-4") | Query.of(model="palm-2"), TWO_MODELS),
    "a fetched alternative": (Query(A & C), Query(A | B)),
    "the same search and more": (Query().search("red wine").where(A), Query().search("red wine")),
    "the same tag and more": (Query.of(tag=["marketing", "machine-learning"]), Query.of(tag="marketing")),
    "an end before an end, in time": (
        Query().where(fields.timestamp < "2023-04-01"), Query().where(fields.timestamp < "2023-05-01")
    ),
}  # fmt: skip

NOT_SHOWN: dict[str, tuple[Query, Query]] = {
    "another model": (Query.of(model="claude-1"), TWO_MODELS),
    "one model more": (Query.of(model=["gpt-4", "claude-1"]), TWO_MODELS),
    "no model": (Query.of(turns=(3, None)), TWO_MODELS),
    "everything": (Query(), TWO_MODELS),
    "a lower rating": (Query.of(min_rating=3), Query.of(min_rating=4)),
    "unrated ones": (Query.of(min_rating=3), Query().where(fields.rating >= 3)),
    "missing is unequal, not present": (Query().where(fields.rating != 3), Query().where(fields.rating.is_null(False))),
    "a lower end": (Query().where(fields.turn >= 2), Query().where(fields.turn > 2)),
    "an upper end": (Query().where(fields.turn <= 5), Query().where(fields.turn < 5)),
    "a range that sticks out": (Query.of(turns=(2, 6)), Query.of(turns=(2, 5))),
    "the other direction": (Query().where(fields.turn >= 2), Query().where(fields.turn <= 2)),
    "another field": (Query().where(fields.prompt_chars >= 9), Query().where(fields.reply_chars >= 9)),
    "an alternative more": (Query(A | B), Query(A)),
    "one alternative only": (Query(A | B), Query(A & B)),
    "fewer conditions": (Query(A), Query(A & B)),
    "a not of less": (Query(~(A & B)), Query(~A)),
    "a not of another": (Query(~A), Query(~C)),
    "a not and the thing": (Query(~A), Query(A)),
    "another search": (Query().search("red"), Query().search("wine")),
    "a search in replies": (Query().search("red", replies=True), Query().search("red")),
    "a tag, where another is unwanted": (Query.of(tag="marketing"), Query().where(fields.tag != "machine-learning")),
    "a part of the text": (Query().where(fields.model.contains("gpt")), Query.of(model="gpt-4")),
    "other capitals": (Query().where(fields.model == "GPT-4"), Query().where(fields.model == "gpt-4")),
}


@pytest.mark.parametrize("name", SHOWN)
def test_is_shown(name: str) -> None:
    premise, conclusion = SHOWN[name]
    assert implies(premise.expression, conclusion.expression)


@pytest.mark.parametrize("name", NOT_SHOWN)
def test_is_not_shown(name: str) -> None:
    premise, conclusion = NOT_SHOWN[name]
    assert not implies(premise.expression, conclusion.expression)


@pytest.mark.parametrize("field", ["tag", "signal"])
def test_one_of_several_values_says_nothing_of_the_others(field: str) -> None:
    """A chat may have both signals: the one does not rule out the other."""
    one, other = {"tag": ("polite", "greeting"), "signal": ("refusal", "truncated")}[field]
    assert not implies(condition(field, "eq", one), condition(field, "ne", other))
