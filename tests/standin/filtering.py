"""Conditions as SQL over an SQLite table: what may be compared with what, as DuckDB decides it, and the functions on columns.

DuckDB reads a quoted value as whatever the column is (``"turn"='5'`` is fine, ``'x'`` is not), compares numbers and booleans with
each other, and text with text only.
"""

import fnmatch
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from tests.standin.features import Kind
from tests.standin.grammar import BadQueryError, Comparison, Condition, Literal, Operand

INDEX_ID: Final = "__hf_index_id"
_PLAIN: Final = {"=": "=", "==": "=", "<>": "<>", "!=": "<>", "<": "<", ">": ">", "<=": "<=", ">=": ">="}
_PATTERNS: Final = {
    "LIKE": "like", "~~": "like", "ILIKE": "ilike", "~~*": "ilike", "GLOB": "glob", "~~~": "glob", "SIMILAR TO": "regex",
    "~": "regex",
}  # fmt: skip
_NEGATED: Final = {
    "NOT LIKE": "LIKE", "!~~": "LIKE", "NOT ILIKE": "ILIKE", "!~~*": "ILIKE", "NOT SIMILAR TO": "SIMILAR TO", "!~": "~",
}  # fmt: skip


@dataclass(frozen=True)
class Function:
    """A function on a column: the kinds it takes, the kind it gives, and how many arguments, all text."""

    takes: tuple[Kind, ...]
    gives: Kind
    arguments: int
    call: Callable[..., Any]


def text_of(value: Any) -> str:
    """A value as DuckDB casts it to text, strings inside structs without quotes."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"'{name}': {text_of(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(text_of, value)) + "]"
    return "NULL" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


FUNCTIONS: Final[Mapping[str, Function]] = {
    "len": Function(("string", "list"), "int", 0, len),
    "length": Function(("string", "list"), "int", 0, len),
    "lower": Function(("string",), "string", 0, str.lower),
    "upper": Function(("string",), "string", 0, str.upper),
    "trim": Function(("string",), "string", 0, lambda text: text.strip(" ")),
    "contains": Function(("string",), "bool", 1, lambda text, part: part in text),
    "starts_with": Function(("string",), "bool", 1, str.startswith),
    "ends_with": Function(("string",), "bool", 1, str.endswith),
    "array_to_string": Function(("list",), "string", 1, lambda items, by: by.join(map(text_of, items))),
    "to_json": Function(
        ("string", "int", "float", "bool", "list", "other"), "string", 0,
        lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Expression:
    """A piece of SQL with its parameters and the kind of its value."""

    sql: str
    parameters: tuple[Any, ...]
    kind: Kind


class Compiler:
    """Turns conditions over named columns into SQL over a table whose columns are ``id``, ``c0``, ``c1``, …"""

    def __init__(self, columns: Sequence[tuple[str, Kind]]) -> None:
        self._columns = {name.lower(): (place, kind) for place, (name, kind) in enumerate(columns)}

    def condition(self, condition: Condition) -> tuple[str, tuple[Any, ...]]:
        """SQL that is true for the rows wanted; null counts as SQL has it."""
        if isinstance(condition, Comparison):
            return self._comparison(condition)
        parts = [self.condition(part) for part in condition.parts]
        sql = f" {condition.word} ".join(sql for sql, _ in parts)
        return f"({sql})", tuple(value for _, values in parts for value in values)

    def operand(self, operand: Operand) -> Expression:
        """A column or a function of one. Names count without case, and the table is called ``data``."""
        keys = operand.keys[1:] if len(operand.keys) == 2 and operand.keys[0].lower() == "data" else operand.keys
        if len(keys) != 1:
            raise BadQueryError("no column here is a struct")
        name = keys[0].lower()
        if name == INDEX_ID:
            column = Expression("id", (), "int")
        elif name in self._columns:
            place, kind = self._columns[name]
            column = Expression(f"c{place}", (), kind)
        else:
            raise BadQueryError(f"no column {keys[0]}")
        return column if operand.function is None else self._called(column, name, operand)

    def _called(self, column: Expression, name: str, operand: Operand) -> Expression:
        function = FUNCTIONS.get(operand.function or "")
        if function is None or column.kind not in function.takes or len(operand.arguments) != function.arguments:
            raise BadQueryError(f"no such function {operand.function}")
        if not all(isinstance(argument, str) for argument in operand.arguments):
            raise BadQueryError(f"{operand.function} takes text")
        if function.call is len and f"{name}.length" in self._columns:
            return Expression(f"c{self._columns[f'{name}.length'][0]}", (), "int")
        if column.kind in ("list", "other"):
            source = f"cell(?, id, {column.sql[1:]}"
        else:
            source = f"apply(?, {column.sql}, {int(column.kind == 'bool')}"
        parameters = (operand.function, *operand.arguments)
        return Expression(f"{source}{', ?' * function.arguments})", parameters, function.gives)

    def _comparison(self, found: Comparison) -> tuple[str, tuple[Any, ...]]:
        operand, operator = self.operand(found.operand), found.operator
        if operator in ("IS", "IS NOT"):
            return _is(operand, operator, found.value)
        if operator in _PLAIN:
            value = comparable(found.value, operand.kind)
            return f"{operand.sql} {_PLAIN[operator]} ?", (*operand.parameters, value)
        negation = "NOT " if operator in _NEGATED else ""
        kind = _PATTERNS.get(_NEGATED.get(operator, operator))
        if kind is None or operand.kind != "string" or not isinstance(found.value, str | None):
            raise BadQueryError(f"no such comparison {operator}")
        if kind == "regex" and found.value is not None:
            pattern_of(kind, found.value)
        return f"{negation}matches(?, {operand.sql}, ?)", (kind, *operand.parameters, found.value)


def _is(operand: Expression, operator: str, value: Literal) -> tuple[str, tuple[Any, ...]]:
    if value is None:
        return f"{operand.sql} {operator} NULL", operand.parameters
    if isinstance(value, bool) and operand.kind in ("bool", "int", "float"):
        return f"{operand.sql} {operator} {str(value).upper()}", operand.parameters
    raise BadQueryError(f"{operator} takes null, true or false")


def comparable(value: Literal, kind: Kind) -> Literal:
    """A literal as the column's kind has it.

    Raises:
        BadQueryError: the two cannot be compared.
    """
    if value is None or (kind == "string" and isinstance(value, str)):
        return value
    if kind in ("string", "list", "other"):
        raise BadQueryError(f"a {kind} cannot be compared with {value!r}")
    return _cast(value, kind) if isinstance(value, str) else value


def _cast(text: str, kind: Kind) -> Literal:
    """A quoted value where a number or a boolean is due."""
    if kind == "bool":
        if text.strip().lower() not in ("true", "t", "1", "false", "f", "0"):
            raise BadQueryError(f"{text!r} is no boolean")
        return text.strip().lower() in ("true", "t", "1")
    try:
        return round(float(text)) if kind == "int" else float(text)
    except (ValueError, OverflowError):
        raise BadQueryError(f"{text!r} is no number") from None


@lru_cache(maxsize=64)
def pattern_of(kind: str, text: str) -> re.Pattern[str]:
    """The regular expression a pattern stands for; it must match the whole value."""
    if kind in ("like", "ilike"):
        text = "".join({"%": ".*", "_": "."}.get(letter) or re.escape(letter) for letter in text)
        return re.compile(text, re.DOTALL | (re.IGNORECASE if kind == "ilike" else re.NOFLAG))
    if kind == "glob":
        return re.compile(fnmatch.translate(text))
    try:
        return re.compile(text, re.DOTALL)
    except re.error as error:
        raise BadQueryError(f"{text!r} is no regular expression") from error


def matches(kind: str, value: str | None, pattern: str | None) -> bool | None:
    """``LIKE`` and its relatives, case as DuckDB has it."""
    return None if value is None or pattern is None else pattern_of(kind, pattern).fullmatch(value) is not None


def apply(name: str, value: Any, boolean: int, *arguments: str) -> Any:
    """A function on a scalar; a boolean comes from SQLite as a number."""
    return None if value is None else FUNCTIONS[name].call(bool(value) if boolean else value, *arguments)
