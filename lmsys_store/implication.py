"""Whether every row of one query is a row of another, as far as it can be shown. Pure.

A select is served offline if what it asks for implies what was fetched whole. Where implication cannot be shown it is not
assumed: a False costs a request, a wrong True would hide rows.
"""

from collections.abc import Callable
from typing import Any

from lmsys_store.expressions import FIELDS, And, Condition, Expression, Not, Or
from lmsys_store.query import Query


def implies(premise: Expression, conclusion: Expression) -> bool:
    """Whether it can be shown that every row of ``premise`` is one of ``conclusion``.

    >>> from lmsys_store.query import Query, fields
    >>> fetched = Query.of(model=["gpt-4", "palm-2"]).expression
    >>> implies(Query.of(model="gpt-4", turns=(3, None)).expression, fetched)
    True
    >>> implies(Query.of(turns=(3, None)).expression, fetched)
    False
    """
    if premise == conclusion or Query(premise).digest == Query(conclusion).digest:
        return True
    if isinstance(premise, Not) and isinstance(conclusion, Not):
        return implies(conclusion.part, premise.part)
    if isinstance(conclusion, And):
        return all(implies(premise, part) for part in conclusion.parts)
    if isinstance(premise, Or):
        return bool(premise.parts) and all(implies(part, conclusion) for part in premise.parts)
    if isinstance(conclusion, Or) and any(implies(premise, part) for part in conclusion.parts):
        return True
    if isinstance(premise, And):
        return any(implies(part, conclusion) for part in premise.parts)
    return isinstance(premise, Condition) and isinstance(conclusion, Condition) and _leaf_implies(premise, conclusion)


def _leaf_implies(premise: Condition, conclusion: Condition) -> bool:
    """A comparison with constants implies another on the same field; missing values satisfy neither side unless both."""
    # A row has several tags or signals: that one of them is this says nothing of the others.
    if premise.field != conclusion.field or FIELDS[premise.field].kind == "tags":
        return False
    values = _values(premise)
    if values is not None:
        return all(map(conclusion.holds, values))
    low, high, closed_low, closed_high = _range(premise)
    if low is None and high is None:
        return False
    wanted_low, wanted_high, wanted_closed_low, wanted_closed_high = _range(conclusion)
    if wanted_low is None and wanted_high is None:
        return False
    return _reaches(low, closed_low, wanted_low, wanted_closed_low, lambda one, other: one > other) and _reaches(
        high, closed_high, wanted_high, wanted_closed_high, lambda one, other: one < other
    )


def _reaches(end: Any, closed: bool, wanted: Any, wanted_closed: bool, inside: Callable[[Any, Any], bool]) -> bool:
    if wanted is None:
        return True
    return end is not None and (inside(end, wanted) or (end == wanted and (wanted_closed or not closed)))


def _values(condition: Condition) -> tuple[Any, ...] | None:
    """The only values that satisfy a condition; None if it is not of that kind."""
    if condition.operator == "eq":
        return (condition.value,)
    if condition.operator == "in_" and isinstance(condition.value, tuple):
        return condition.value
    return None


def _range(condition: Condition) -> tuple[Any, Any, bool, bool]:
    """The ends of what satisfies a condition, and whether they belong to it; no ends where it is no range."""
    match condition.operator:
        case "ge" | "gt":
            return condition.value, None, condition.operator == "ge", False
        case "le" | "lt":
            return None, condition.value, False, condition.operator == "le"
        case "between" if isinstance(condition.value, tuple):
            return condition.value[0], condition.value[1], True, True
    return None, None, False, False
