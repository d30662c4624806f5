"""The part of a query that the remote's ``/filter`` can answer, as its ``where``. Pure.

The grammar is narrow (a chain of ``"column" op value``, one level of parentheses, no NOT, no IN, no negative numbers; ``;``,
``--``, ``/*`` and ``*/`` nowhere, not even inside a value). SQL's logic is three-valued and ours two-valued: what would differ
for a missing value stays local, and so does all that the grammar cannot say.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lmsys_store.expressions import And, Condition, Expression, Not, Or, Value, all_of, any_of
from lmsys_store.query import Query

_TEXT_COLUMNS: Final = ("conversation_id", "model", "language")
_COLUMNS: Final = (*_TEXT_COLUMNS, "turn", "redacted")
_SYMBOLS: Final = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_OPPOSITE: Final = {"eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "gt": "le", "le": "gt"}
_FORBIDDEN: Final = (";", "--", "/*", "*/")
_LONGEST_CLAUSE: Final = 4000
"""Characters: a list of hundreds of ids makes an address that proxies refuse; it is matched here instead."""
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?\Z")


@dataclass(frozen=True)
class RemotePart:
    """What of a query the remote can answer: every row of the query satisfies ``expression``, which ``where`` says."""

    where: str
    expression: Expression

    def __bool__(self) -> bool:
        return bool(self.where)


def remote_part(expression: Expression) -> RemotePart:
    """The conjuncts of a query that the remote can answer; falsy if there are none."""
    clauses: list[tuple[str, Expression]] = []
    for part in _conjuncts(_pushed(expression)):
        leaves = part.parts if isinstance(part, Or) else (part,)
        texts = [text for leaf in leaves for text in _alternatives(leaf)]
        if texts and None not in texts and sum(len(text or "") for text in texts) <= _LONGEST_CLAUSE:
            group = " OR ".join(text for text in texts if text is not None)
            clauses.append((f"({group})" if len(texts) > 1 else group, part))
    if len(clauses) == 1:
        text, part = clauses[0]
        return RemotePart(text, part)
    return RemotePart(" AND ".join(text for text, _ in clauses), all_of(part for _, part in clauses))


def without(expression: Expression, part: RemotePart) -> Query:
    """The conjuncts of a query that are left to be matched here."""
    said = _conjuncts(part.expression) if part else ()
    return Query(all_of(one for one in _conjuncts(_pushed(expression)) if one not in said))


def _conjuncts(expression: Expression) -> Sequence[Expression]:
    return expression.parts if isinstance(expression, And) else (expression,)


def _pushed(expression: Expression, negated: bool = False) -> Expression:
    """The same expression with every ``not`` at a leaf, or gone into the leaf's operator where that says the same."""
    match expression:
        case Not(part):
            return _pushed(part, not negated)
        case And(parts):
            pushed = [_pushed(part, negated) for part in parts]
            return any_of(pushed) if negated else all_of(pushed)
        case Or(parts):
            pushed = [_pushed(part, negated) for part in parts]
            return all_of(pushed) if negated else any_of(pushed)
        case Condition(field, operator, value) if negated and operator in ("eq", "ne") and field in _COLUMNS:
            return Condition(field, _OPPOSITE[operator], value)
        case Condition(field, "between", (low, high)) if not negated:
            return all_of((Condition(field, "ge", low), Condition(field, "le", high)))
    return Not(expression) if negated else expression


def _alternatives(leaf: Expression) -> Sequence[str | None]:
    """A leaf as alternatives of a group; None among them where the grammar cannot say it."""
    if not isinstance(leaf, Condition) or leaf.field not in _COLUMNS:
        return [None]
    values = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
    operator = "eq" if leaf.operator == "in_" else leaf.operator
    texts = [_comparison(leaf.field, operator, value) for value in values]
    if leaf.field == "language" and leaf.holds("unknown"):
        texts += ['"language" IS NULL', "\"language\"=''"]  # a row without a language is 'unknown' to us
    return texts


def _comparison(field: str, operator: str, value: Value) -> str | None:
    column = f'"{field}"'
    if field in _TEXT_COLUMNS:
        if not isinstance(value, str) or any(word in value for word in _FORBIDDEN):
            return None
        quoted = value.replace("'", "''")
        if operator in _SYMBOLS:
            return f"{column}{_SYMBOLS[operator]}'{quoted}'"
        if operator in ("contains", "startswith") and not set("%_\\") & set(value):
            return f"{column} LIKE '{'%' if operator == 'contains' else ''}{quoted}%'"
        return None
    if field == "redacted":
        if operator not in ("eq", "ne") or not isinstance(value, bool):
            return None
        return f"{column}={'true' if value is (operator == 'eq') else 'false'}"
    number = str(value)
    return f"{column}{_SYMBOLS[operator]}{number}" if operator in _SYMBOLS and _NUMBER.match(number) else None
