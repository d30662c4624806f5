"""What of a query is sent to the remote's filter: inside the server's grammar, never hiding a row, and exactly what it says."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lmsys_store.expressions import EVERYTHING, OPERATORS, And, Expression, Or, all_of, any_of, walk
from lmsys_store.query import Query, fields
from lmsys_store.rows import conversation_from_row
from lmsys_store.sources.where import RemotePart, remote_part
from tests.contract.strategies import conditions_on
from tests.contract.strategies import expressions as any_expressions
from tests.standin.features import LMSYS
from tests.standin.grammar import parse_where
from tests.standin.index import Index

# Few values, so that rows and conditions meet; each of them is odd to SQL, to LIKE or to the server's pattern.
WORDS = (
    "", "gpt-4", "gpt", "GPT-4", "it's", "''", "'", "a\"b", '"', "a;b", "a--b", "a-", "-", "a/*b", "*/", "/", "*", "%", "a%", "_",
    "a_c", "abc", "\\", "a\\b", "\n", "a\nb", "\t", "é", "e\u0301", "東京", "🍷", "\U0010ffff", "\ue000", "AND", "null", "true",
    " x ", "') OR ('", "1", "a\x00b", "unknown", "unk", "Unknown", "English", "German", "z" * 300,
)  # fmt: skip
words = st.sampled_from(WORDS) | st.text(max_size=4)
_LANGUAGES = ("English", "German", "unknown", "Klingon", "it's", "%", "unk", "é", "zz")
languages = st.sampled_from(_LANGUAGES) | words.filter(bool)
NUMBERS = (-1, 0, 1, 2, 3, 0.5, 1.5, -0.5, 1e-7, 2.0, 1e15, 1e16 + 2, 2**62, -(2**62), 0.1)


@st.composite
def _row(draw: st.DrawFn, language: st.SearchStrategy[str | None]) -> dict[str, Any]:
    rounds = draw(st.integers(0, 3))
    odd = draw(st.integers(0 if rounds else 1, 1))
    messages = [{"content": "x", "role": "assistant" if at % 2 else "user"} for at in range(2 * rounds + odd)]
    return {
        "conversation_id": draw(words),
        "model": draw(words),
        "conversation": messages,
        "turn": rounds,
        "language": draw(language),
        "openai_moderation": None,
        "redacted": draw(st.booleans()),
    }


rows = st.lists(_row(st.none() | languages), max_size=12)
rows_of_nameless_languages = st.lists(_row(st.none() | languages | st.just("")), max_size=12)

_VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    "conversation_id": words,
    "model": words,
    "language": languages | words,
    "turn": st.sampled_from(NUMBERS) | st.integers(-2, 5) | st.floats(-2, 5),
    "redacted": st.booleans(),
}
_OPERATORS = {"turn": OPERATORS["number"], "redacted": OPERATORS["bool"]}


@st.composite
def _conditions(draw: st.DrawFn) -> Expression:
    """A condition on one of the columns that the remote can filter by."""
    field = draw(st.sampled_from(list(_VALUES)))
    operator = draw(st.sampled_from(_OPERATORS.get(field, OPERATORS["text"])))
    return draw(conditions_on(field, operator, _VALUES[field]))


def _nested(leaves: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3).map(all_of)
            | st.lists(inner, max_size=3).map(any_of)
            | st.lists(inner, max_size=2).map(lambda parts: And(tuple(parts)))
            | st.lists(inner, max_size=2).map(lambda parts: Or(tuple(parts)))
            | inner.map(lambda part: ~part)
        ),
        max_leaves=8,
    )


_plain = st.lists(_conditions(), min_size=1, max_size=3)
_chains = st.lists(_plain.map(any_of) | _conditions(), min_size=1, max_size=3).map(
    all_of
)  # what the grammar has a form for
expressions = _chains | _nested(_conditions()) | _nested(_conditions() | any_expressions) | any_expressions


def _given(found: Sequence[Mapping[str, Any]], where: str) -> set[int]:
    """The rows that the server's filter gives; all of them without one."""
    index = Index(found, LMSYS, lambda: False)
    try:
        return set(index.matching(parse_where(where) if where else None, None, len(found)))
    finally:
        index.close()


def _matching(found: Iterable[Mapping[str, Any]], expression: Expression) -> set[int]:
    return {number for number, row in enumerate(found) if expression.matches(conversation_from_row(row, number))}


# ---------------------------------------------------------------------------------------------------------- properties


@given(expressions)
def test_the_server_takes_whatever_is_sent(expression: Expression) -> None:
    part = remote_part(expression)
    assert bool(part) == bool(part.where)
    if part:
        parse_where(part.where)  # raises where the server refuses
    else:
        assert part == RemotePart("", EVERYTHING)


@given(expressions, rows)
def test_every_row_of_the_query_is_given_and_exactly_those_of_the_part_it_names(
    expression: Expression, found: list[dict[str, Any]]
) -> None:
    part = remote_part(expression)
    given_rows = _given(found, part.where)
    assert _matching(found, expression) <= given_rows
    assert _matching(found, part.expression) == given_rows


@given(expressions, rows_of_nameless_languages)
@example(fields.language == "unknown", [{**dict.fromkeys(LMSYS), "conversation_id": "a", "model": "m", "language": "", "turn": 0,
         "redacted": False, "conversation": [{"role": "user", "content": "x"}]}])  # fmt: skip
def test_a_row_whose_language_is_an_empty_text_is_not_hidden_either(
    expression: Expression, found: list[dict[str, Any]]
) -> None:
    """Such a row is of the language ``unknown`` here, as one without any is."""
    assert _matching(found, expression) <= _given(found, remote_part(expression).where)


@given(expressions)
def test_what_is_sent_needs_no_more_than_the_query(expression: Expression) -> None:
    """Sent twice it is the same, and it speaks of no column that the query does not."""
    part = remote_part(expression)
    assert remote_part(part.expression).where == part.where
    named = {leaf.field for leaf in walk(expression) if hasattr(leaf, "field")}
    assert {leaf.field for leaf in walk(part.expression) if hasattr(leaf, "field")} <= named


# ------------------------------------------------------------------------------------------------------------- examples

model, turn, language, redacted = fields.model, fields.turn, fields.language, fields.redacted

SENT: list[tuple[Expression, str]] = [
    (model == "gpt-4", "\"model\"='gpt-4'"),
    (model == "it's", "\"model\"='it''s'"),
    (model != "gpt-4", "\"model\"<>'gpt-4'"),
    (~(model == "gpt-4"), "\"model\"<>'gpt-4'"),
    (~~(model == "gpt-4"), "\"model\"='gpt-4'"),
    (model.in_(["palm-2", "gpt-4"]), "(\"model\"='gpt-4' OR \"model\"='palm-2')"),
    (model.contains("gpt"), "\"model\" LIKE '%gpt%'"),
    (model.startswith("gpt"), "\"model\" LIKE 'gpt%'"),
    (turn >= 4, '"turn">=4'),
    (turn > 1.5, '"turn">1.5'),
    (turn.between(2, 5), '"turn">=2 AND "turn"<=5'),
    (redacted == True, '"redacted"=true'),  # noqa: E712  # a condition, not a comparison
    (redacted != True, '"redacted"=false'),  # noqa: E712
    (language == "de", "\"language\"='German'"),
    (language == "unknown", '("language"=\'unknown\' OR "language" IS NULL)'),
    (language != "en", '("language"<>\'English\' OR "language" IS NULL)'),
    ((model == "gpt-4") & (turn >= 3), '"model"=\'gpt-4\' AND "turn">=3'),
    ((model == "gpt-4") | (turn >= 3), '("model"=\'gpt-4\' OR "turn">=3)'),
    (~((model == "gpt-4") | (model == "palm-2")), "\"model\"<>'gpt-4' AND \"model\"<>'palm-2'"),
    ((model == "gpt-4") & (fields.domain == "business"), "\"model\"='gpt-4'"),
]


@pytest.mark.parametrize(("expression", "where"), SENT, ids=[str(Query(expression)) for expression, _ in SENT])
def test_is_sent(expression: Expression, where: str) -> None:
    sent = remote_part(expression).where
    if "IS NULL" in where:  # there may be more spellings of a language that is missing
        assert set(where[1:-1].split(" OR ")) <= set(sent[1:-1].split(" OR "))
    else:
        assert sent == where


LOCAL: list[Expression] = [
    EVERYTHING,
    any_of([]),
    turn >= -1,
    turn == 1e-7,
    model == "a;b",
    model.contains("--"),
    model.in_(["gpt-4", "a/*b"]),
    model.contains("50%"),
    model.startswith("a_b"),
    model.contains("\\"),
    model.is_null(),
    ~(turn >= 3),
    ~model.contains("gpt"),
    fields.rating >= 4,
    (model == "gpt-4") | (fields.rating >= 4),
    (model == "gpt-4") | ((turn >= 3) & (language == "en")),
    Query().search("red wine").expression,
]


@pytest.mark.parametrize("expression", LOCAL, ids=[str(Query(expression)) for expression in LOCAL])
def test_stays_local(expression: Expression) -> None:
    part = remote_part(expression)
    assert not part
    assert part.expression == EVERYTHING


def test_what_cannot_be_sent_takes_nothing_else_with_it() -> None:
    part = remote_part(Query.of(model="gpt-4", language="en", min_rating=4).search("wine").where(turn >= 3).expression)
    assert part.expression == all_of([model == "gpt-4", language == "en", turn >= 3])
    assert part.where.count(" AND ") == 2
