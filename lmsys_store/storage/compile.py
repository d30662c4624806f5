"""A query as SQL. SQL's three-valued logic is brought back to two values at one place: ``not`` asks IS NOT 1.

Every compiled expression is *true* in SQL exactly where it matches in memory; where it does not match it may be false or
NULL, which a WHERE treats alike.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, bindparam, false, func, literal_column, or_, select, true

from lmsys_store.errors import QueryError
from lmsys_store.expressions import FIELDS, And, Condition, Expression, Not, Or, Search, all_of
from lmsys_store.parts import GOLDEN, LOW_31, LOW_32, PLACES, SPLITS, UNLABELLED, Part, Split
from lmsys_store.records import MODERATION_CATEGORIES
from lmsys_store.search import Term, parse
from lmsys_store.storage.codec import EPOCH, MICROSECOND
from lmsys_store.storage.tables import conversation, fts

Compiled = ColumnElement[bool]


def compile_query(expression: Expression, *, replies_indexed: bool) -> Compiled:
    """The WHERE clause of an expression.

    Raises:
        QueryError: it searches replies, and the store does not index them.
    """
    match expression:
        case And(parts):
            return and_(true(), *(compile_query(part, replies_indexed=replies_indexed) for part in parts))
        case Or(parts):
            return or_(false(), *(compile_query(part, replies_indexed=replies_indexed) for part in parts))
        case Not(part):
            return compile_query(part, replies_indexed=replies_indexed).is_not(literal_column("1"))
        case Search(text, replies):
            _refuse_replies(expression, replies_indexed=replies_indexed)
            return _search(parse(text), replies=replies)
        case Part(split, shard):
            return _part(split, shard)
        case Condition(field, operator, value):
            if FIELDS[field].kind == "tags":
                return _list_condition(column_of(field), operator, value)
            return _condition(field, operator, value)
    raise AssertionError(f"unknown expression {expression!r}")


def alternatives(expression: Expression) -> list[Expression]:
    """The expression as disjoint ones with one value each, if it asks for a few values of an indexed field; else alone.

    An index hands out the rows of *one* value in row order; those of several would have to be sorted, or all rows scanned.
    """
    parts = expression.parts if isinstance(expression, And) else (expression,)
    for number, part in enumerate(parts):
        if isinstance(part, Condition) and part.operator == "in_" and part.field in _INDEXED_TEXTS:
            values = part.value if isinstance(part.value, tuple) else ()
            if 2 <= len(values) <= _MOST_ALTERNATIVES:
                others = parts[:number] + parts[number + 1 :]
                return [all_of((Condition(part.field, "eq", value), *others)) for value in values]
    return [expression]


_INDEXED_TEXTS: Final = ("conversation_id", "model", "language", "domain")
_MOST_ALTERNATIVES: Final = 16


def column_of(field: str) -> ColumnElement[Any]:
    """The SQL value of a field: a column, or the bit of a moderation category."""
    head, _, category = field.partition(".")
    if head == "moderation":
        bit = 1 << MODERATION_CATEGORIES.index(category)
        return (conversation.c.category_bits.op("&")(literal_column(str(bit)))).op("<>")(literal_column("0"))
    if head == "moderation_score":
        return conversation.c[f"score_{category}"]
    return conversation.c[_LISTS.get(head, head)]


_LISTS: Final = {"tag": "tags", "signal": "signals"}
"""Fields that name one of a column's list."""


def _condition(field: str, operator: str, value: Any) -> Compiled:
    column = column_of(field)
    if operator == "is_null":
        return column.is_(None) if value else column.is_not(None)
    if operator == "in_":
        return column.in_([_literal(one) for one in value])
    if operator == "between":
        return column.between(*(_literal(end) for end in value))
    if FIELDS[field].kind == "bool":
        # A literal, not a parameter: only then can the planner use the partial index on flagged rows.
        flag: ColumnElement[Any] = literal_column(str(int(value)))
        return column == flag if operator == "eq" else column.is_not(flag)
    return _COMPARE[operator](column, _literal(value))


def _literal(value: Any) -> Any:
    """The stored form of a value: times are integers of microseconds."""
    return (value - EPOCH) // MICROSECOND if isinstance(value, datetime) else value


_COMPARE: Final[Mapping[str, Callable[[Any, Any], Compiled]]] = {
    "eq": lambda column, value: column == value,
    "ne": lambda column, value: column.is_not(bindparam(None, value)),
    "lt": lambda column, value: column < value,
    "le": lambda column, value: column <= value,
    "gt": lambda column, value: column > value,
    "ge": lambda column, value: column >= value,
    # instr, never LIKE: exact, case-sensitive, and no character of the text is a pattern.
    "contains": lambda column, value: func.instr(column, value) > 0,
    "startswith": lambda column, value: and_(column >= value, func.instr(column, value) == 1),
}


def _list_condition(column: ColumnElement[Any], operator: str, value: Any) -> Compiled:
    """Whether any word of a list (``ne``: no word) compares so; it is a JSON array in its column."""
    tags = func.json_each(func.coalesce(column, "[]")).table_valued("value").alias("tag")
    if operator == "is_null":
        present = func.coalesce(column, "[]") != "[]"
        return ~present if value else present
    if operator == "ne":
        return ~select(1).select_from(tags).where(tags.c.value == value).exists()
    test = tags.c.value.in_(value) if operator == "in_" else _COMPARE[operator](tags.c.value, value)
    return select(1).select_from(tags).where(test).exists()


def _part(split: Split | None, shard: tuple[int, int] | None) -> Compiled:
    """What parts.py says of a row, in SQLite's 64-bit integers: nothing here passes 2**63, and ``&`` takes negative ones too."""
    tests: list[Compiled] = [true()]
    row_index = conversation.c.row_index
    if split is not None:
        start, stop = SPLITS[split]
        family = func.coalesce(conversation.c.family, row_index * literal_column(str(UNLABELLED)))
        place = family.op("&")(literal_column(str(PLACES - 1)))
        tests.append(place.between(literal_column(str(start)), literal_column(str(stop - 1))))
    if shard is not None:
        number, count = shard
        spread = f"((row_index & {LOW_31}) * {GOLDEN} & {LOW_32}) * {count} >> 32 = {number}"
        tests.append(literal_column(f"({spread.replace('row_index', 'conversation.row_index')})"))
    return and_(*tests)


def leading_search(expression: Expression) -> tuple[Search | None, Expression]:
    """A search that every row must answer, and the rest: such a search can lead, its matches coming in row order.

    A search anywhere else (under ``or`` or ``not``, or without a word that must occur) is asked whole for every page.
    """
    parts = expression.parts if isinstance(expression, And) else (expression,)
    for number, part in enumerate(parts):
        if isinstance(part, Search) and not all(term.negated for term in parse(part.text)):
            return part, all_of(parts[:number] + parts[number + 1 :])
    return None, expression


def search_condition(search: Search, *, replies_indexed: bool) -> Compiled:
    """The full-text table's own condition for a search with a word that must occur.

    Raises:
        QueryError: it searches replies, and the store does not index them.
    """
    _refuse_replies(search, replies_indexed=replies_indexed)
    return literal_column("conversation_fts").op("MATCH")(_match_text(parse(search.text), replies=search.replies))


def _refuse_replies(search: Search, *, replies_indexed: bool) -> None:
    if search.replies and not replies_indexed:
        raise QueryError(
            "this store indexes prompts only; search without replies, or sync a new store with --index-replies"
        )


def _search(terms: Sequence[Term], *, replies: bool) -> Compiled:
    if all(term.negated for term in terms):
        unwanted = _match_text([replace(term, negated=False) for term in terms], replies=replies, word=" OR ")
        return conversation.c.row_index.not_in(_matching(unwanted))
    return conversation.c.row_index.in_(_matching(_match_text(terms, replies=replies)))


def _match_text(terms: Sequence[Term], *, replies: bool, word: str = " AND ") -> str:
    """The terms as FTS5 syntax, of quoted tokens alone."""
    wanted = word.join(term.fts() for term in terms if not term.negated)
    unwanted = " OR ".join(term.fts() for term in terms if term.negated)
    whole = f"({wanted}) NOT ({unwanted})" if unwanted else wanted
    return whole if replies else f"{{prompts}} : ({whole})"


def _matching(match_text: str) -> Any:
    return select(fts.c.rowid).where(literal_column("conversation_fts").op("MATCH")(match_text))
