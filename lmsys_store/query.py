"""Query: *which* rows, as one frozen value for Python, the CLI and (later) the remote. Pure.

Order and number are not here: they belong to the results. See expressions.py for the condition tree and search.py for the
search syntax.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypedDict, Unpack

from lmsys_store.errors import QueryError
from lmsys_store.expressions import (
    EVERYTHING,
    FIELDS,
    And,
    Condition,
    Expression,
    Not,
    Or,
    Search,
    all_of,
    any_of,
    condition,
    walk,
)
from lmsys_store.records import Conversation

__all__ = ["Condition", "Expression", "Field", "Filters", "Query", "Search", "fields"]

OneOrMore = str | Sequence[str]


class Filters(TypedDict, total=False):
    """The keywords of ``Query.of`` and ``select``.

    Lists mean *any of*, except those of ``tag`` and ``moderation_category``, which mean *all of*. ``min_domain_score`` goes with
    ``domain``: the domain is this sure (0 to 1), or was imported. 0 turns it off.
    """

    conversation_id: OneOrMore
    model: OneOrMore
    language: OneOrMore
    domain: OneOrMore
    min_domain_score: float
    task: OneOrMore
    tag: OneOrMore
    min_rating: float
    max_rating: float
    turns: int | tuple[int | None, int | None]
    redacted: bool
    flagged: bool
    moderation_category: OneOrMore
    min_prompt_chars: int
    max_prompt_chars: int
    min_reply_chars: int
    max_reply_chars: int
    search: str


class Field:
    """A field to build conditions from: ``fields.turn >= 4``, ``fields.model.in_([...])``, ``fields.rating.is_null()``."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"fields.{self.name}"

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, value: object) -> Expression:  # type: ignore[override]
        return condition(self.name, "eq", value)

    def __ne__(self, value: object) -> Expression:  # type: ignore[override]
        return condition(self.name, "ne", value)

    def __lt__(self, value: float | str | datetime) -> Expression:
        return condition(self.name, "lt", value)

    def __le__(self, value: float | str | datetime) -> Expression:
        return condition(self.name, "le", value)

    def __gt__(self, value: float | str | datetime) -> Expression:
        return condition(self.name, "gt", value)

    def __ge__(self, value: float | str | datetime) -> Expression:
        return condition(self.name, "ge", value)

    def in_(self, values: Sequence[float | str | datetime]) -> Expression:
        """One of the values."""
        return condition(self.name, "in_", values)

    def between(self, low: float | str | datetime, high: float | str | datetime) -> Expression:
        """From low to high, both included."""
        return condition(self.name, "between", (low, high))

    def contains(self, text: str) -> Expression:
        """The text occurs in the value, case-sensitive and exact."""
        return condition(self.name, "contains", text)

    def startswith(self, text: str) -> Expression:
        """The value begins with the text, case-sensitive and exact."""
        return condition(self.name, "startswith", text)

    def is_null(self, missing: bool = True) -> Expression:
        """The value is missing (or, with False, is not)."""
        return condition(self.name, "is_null", missing)


class Fields:
    """All fields of a query by name; moderation ones by category: ``fields.moderation("hate")``."""

    def __getattr__(self, name: str) -> Field:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in FIELDS:
            condition(name, "is_null")  # raises, with the known names
        return Field(name)

    def __dir__(self) -> list[str]:
        return [name for name in FIELDS if "." not in name] + ["moderation", "moderation_score"]

    def moderation(self, category: str) -> Field:
        """Whether the category is true for any message."""
        return Field(f"moderation.{category}")

    def moderation_score(self, category: str) -> Field:
        """The category's maximum score over the messages."""
        return Field(f"moderation_score.{category}")


fields: Final = Fields()
CLEAR_DOMAIN: Final = 0.35
"""A domain of a lower score is a guess (docs/labels.md). PromptLoop's calls and ``testcases`` leave such rows out."""


@dataclass(frozen=True)
class Query:
    """Which rows. A value: compare it, hash it, send it as JSON, combine it with ``&``, ``|`` and ``~``.

    >>> query = Query.of(language="en", turns=(2, 5)).where(fields.model == "gpt-4").search('"red wine" -beef')
    >>> print(query)
    language = 'English' and turn between 2 and 5 and model = 'gpt-4' and search '"red wine" -beef'
    >>> Query.from_json(query.to_json()) == query
    True
    """

    expression: Expression = EVERYTHING

    @classmethod
    def of(cls, **filters: Unpack[Filters]) -> "Query":
        """The common case by keywords; see :class:`Filters`.

        ``min_rating=r`` keeps rows without a rating if r is 3 or less, since 3 means "no evidence either way"; ``turns`` is a
        number or ``(low, high)`` with None for an open end; ``flagged=False`` and rows without moderation go together.

        Raises:
            QueryError: an unknown keyword, value type or word.
        """
        if filters.get("min_domain_score") and not filters.get("domain"):
            raise QueryError("min_domain_score says how sure a domain must be: give domain too")
        return cls(all_of(part for name, value in filters.items() for part in _filter(name, value)))

    def where(self, *conditions: "Query | Expression") -> "Query":
        """These rows that also satisfy every condition."""
        return Query(all_of((self.expression, *map(_as_expression, conditions))))

    def search(self, text: str, *, replies: bool = False) -> "Query":
        """These rows whose user messages answer the search: words, "phrases", prefix*, -not.

        With ``replies`` the answers count too; the store must then have been first synced with ``index_replies``.
        """
        return self.where(Search(text, replies))

    def __and__(self, other: "Query") -> "Query":
        return Query(all_of((self.expression, other.expression)))

    def __or__(self, other: "Query") -> "Query":
        return Query(any_of((self.expression, other.expression)))

    def __invert__(self) -> "Query":
        return Query(~self.expression)

    def matches(self, conversation: Conversation) -> bool:
        """Whether the conversation is one of these rows: the same answer as the store's SQL."""
        return self.expression.matches(conversation)

    def to_json(self) -> dict[str, Any]:
        """A JSON value that :meth:`from_json` reads back to an equal query."""
        return _to_json(self.expression)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Query":
        """The query of a JSON value.

        Raises:
            QueryError: not such a value.
        """
        return cls(_from_json(value))

    @classmethod
    def from_promptloop(cls, query: Mapping[str, Any]) -> tuple["Query", int | None]:
        """The query and the limit of PromptLoop's query object; keys it leaves out or sets to null do not filter.

        >>> query, limit = Query.from_promptloop({"language": "en", "minRating": 3, "maxConversations": 10})
        >>> str(query), limit
        ("language = 'English' and (rating >= 3 or rating is missing)", 10)
        """
        unknown = set(query) - set(_PROMPTLOOP_KEYS) - {"maxConversations"}
        if unknown:
            known = ", ".join([*_PROMPTLOOP_KEYS, "maxConversations"])
            raise QueryError(f"unknown key {sorted(unknown)[0]!r} in the query object; known: {known}")
        filters = {_PROMPTLOOP_KEYS[key]: value for key, value in query.items() if key in _PROMPTLOOP_KEYS and value}
        limit = query.get("maxConversations")
        if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 0):
            raise QueryError(f"maxConversations needs a number of rows, not {limit!r}")
        return cls.of(**filters), limit  # `of` checks them, key by key

    @property
    def digest(self) -> str:
        """A short fingerprint of the query, the same on every machine and for every order of its conditions."""
        return hashlib.sha256(self.to_text().encode()).hexdigest()[:16]

    def to_text(self) -> str:
        """The query as one JSON text, the same for every order of its conditions."""
        return json.dumps(_canonical(self.to_json()), sort_keys=True, separators=(",", ":"))

    def named_values(self, field: str) -> list[str]:
        """The values this query compares a text field with exactly, for notes about words that no row has."""
        found: dict[str, None] = {}
        for leaf in walk(self.expression):
            if isinstance(leaf, Condition) and leaf.field == field and leaf.operator in ("eq", "in_"):
                found.update(dict.fromkeys(leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)))  # type: ignore[arg-type]
        return list(found)

    def __str__(self) -> str:
        return _describe(self.expression, outermost=True)


_PROMPTLOOP_KEYS: Final = {
    "domain": "domain",
    "language": "language",
    "minRating": "min_rating",
    "models": "model",
    "tags": "tag",
}


def _as_expression(value: object) -> Expression:
    if isinstance(value, Query):
        return value.expression
    if isinstance(value, Expression):
        return value
    raise QueryError(f"not a condition: {value!r}; build conditions from fields, as in fields.turn >= 4")


# ------------------------------------------------------------------------------------------------ keyword filters


def _filter(name: str, value: Any) -> list[Expression]:
    if name in ("conversation_id", "model", "language", "domain", "task"):
        return [condition(name, "eq", value) if isinstance(value, str) else condition(name, "in_", value)]
    if name == "tag":
        return [condition("tag", "eq", word) for word in _words(name, value)]
    if name == "moderation_category":
        return [condition(f"moderation.{word}", "eq", True) for word in _words(name, value)]
    if name == "min_rating":
        rated = condition("rating", "ge", value)
        return [rated | condition("rating", "is_null") if value <= 3 else rated]
    if name == "min_domain_score":
        # An imported domain has the score 1: it is as sure as can be.
        sure = condition("domain_score", "ge", value)
        return [sure] if value else []
    if name == "turns":
        return _turns(value)
    if name == "redacted":
        return [condition("redacted", "eq", value)]
    if name == "flagged":
        return [condition("flagged", "eq" if value is True else "ne", True if value is False else value)]
    if name == "search":
        return [Search(value)]
    if name in _BOUNDS:
        return [condition(*_BOUNDS[name], value)]
    raise QueryError(f"unknown filter {name!r}; known: {', '.join(Filters.__annotations__)}")


_BOUNDS: Final = {
    "max_rating": ("rating", "le"),
    "min_prompt_chars": ("prompt_chars", "ge"),
    "max_prompt_chars": ("prompt_chars", "le"),
    "min_reply_chars": ("reply_chars", "ge"),
    "max_reply_chars": ("reply_chars", "le"),
}


def _words(name: str, value: object) -> Sequence[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Sequence):
        return value
    raise QueryError(f"{name} needs a string or a list of strings, not {value!r}")


def _turns(value: object) -> list[Expression]:
    if not isinstance(value, tuple | list):
        return [condition("turn", "eq", value)]
    if len(value) != 2:
        raise QueryError(f"turns needs a number or (low, high), not {value!r}")
    low, high = value
    if low is not None and high is not None:
        return [condition("turn", "between", (low, high))]
    return [condition("turn", op, end) for op, end in (("ge", low), ("le", high)) if end is not None]


# ----------------------------------------------------------------------------------------------- JSON and words


def _to_json(expression: Expression) -> dict[str, Any]:
    if isinstance(expression, And):
        return {"all": [_to_json(part) for part in expression.parts]}
    if isinstance(expression, Or):
        return {"any": [_to_json(part) for part in expression.parts]}
    if isinstance(expression, Not):
        return {"not": _to_json(expression.part)}
    if isinstance(expression, Search):
        return {"search": expression.text, "replies": expression.replies}
    assert isinstance(expression, Condition)
    return {"field": expression.field, "op": expression.operator, "value": _plain(expression.value)}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return value.isoformat() if isinstance(value, datetime) else value


def _from_json(value: object) -> Expression:
    match value:
        case {"all": [*parts], **rest} if not rest:
            return all_of(map(_from_json, parts))
        case {"any": [*parts], **rest} if not rest:
            return any_of(map(_from_json, parts))
        case {"not": part, **rest} if not rest:
            return ~_from_json(part)
        case {"search": str(text), "replies": bool(replies), **rest} if not rest:
            return Search(text, replies)
        case {"search": str(text), **rest} if not rest:
            return Search(text)
        case {"field": str(field), "op": str(operator), "value": operand, **rest} if not rest:
            return condition(field, operator, operand)
    raise QueryError(f"not a query in JSON: {value!r}; expected all, any, not, search, or field with op and value")


def _canonical(value: dict[str, Any]) -> dict[str, Any]:
    """The JSON of an expression with the parts of ``all`` and ``any`` in one order."""
    for word in ("all", "any"):
        if word in value:
            return {word: sorted(map(_canonical, value[word]), key=lambda part: json.dumps(part, sort_keys=True))}
    return {"not": _canonical(value["not"])} if "not" in value else value


_SIGNS: Final = {"eq": "=", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "in_": "in"}


def _describe(expression: Expression, *, outermost: bool = False) -> str:
    if isinstance(expression, And | Or):
        if not expression.parts:
            return "every row" if isinstance(expression, And) else "no row"
        word = " and " if isinstance(expression, And) else " or "
        text = word.join(map(_describe, expression.parts))
        return text if outermost else f"({text})"
    if isinstance(expression, Not):
        return f"not {_describe(expression.part)}"
    if isinstance(expression, Search):
        return f"search {expression.text!r}{' in replies too' if expression.replies else ''}"
    assert isinstance(expression, Condition)
    field, operator, value = expression.field, expression.operator, _plain(expression.value)
    if operator == "is_null":
        return f"{field} is {'missing' if value else 'present'}"
    if operator == "between":
        return f"{field} between {value[0]!r} and {value[1]!r}"
    return f"{field} {_SIGNS.get(operator, operator)} {value!r}"
