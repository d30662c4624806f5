"""The narrow language of ``where`` and ``orderby``: what the viewer's own pattern lets through, and what it then means.

Two refusals are told apart, as the viewer does: the text is outside the pattern (``OutsideGrammarError``), or it is inside and
no valid query all the same (``BadQueryError``: an unclosed bracket, ``1.2.3``, ``= =``), which there the database finds out.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

Literal = str | int | float | bool | None

_KEY = r'"(?:[^"]|"")+"'
_COLUMN = rf"{_KEY}(?:\.{_KEY})*"
_STRING = r"'(?:[^']|'')*'"
# Possessive: a run of digits has one reading, so a refusal of a long one is found in no time.
_NUMBER = r"[0-9][0-9.]*+"
_FUNCTION = rf"\.[a-z_]+\((?:{_NUMBER}|{_STRING}|,| )*\)"
_CALLED = rf"\(?{_COLUMN}\)?(?:{_FUNCTION})?"
_WORDS = "like|ilike|glob|is|not|similar to"
_OPERATOR = rf"(?:[=<>!~* ]|{_WORDS}|{_WORDS.upper()})+"
_VALUE = rf"(?:{_NUMBER}|{_STRING}|true|false|null|NULL)"
_EXPRESSION = rf"\(?{_CALLED} ?{_OPERATOR} ?{_VALUE}\)?"
_WHERE: Final = re.compile(rf"{_EXPRESSION}(?: (?:and|or|AND|OR) {_EXPRESSION})*\n?")
_ORDER_BY: Final = re.compile(rf"{_CALLED}(?: (?:asc|desc|ASC|DESC))?\n?")
_FORBIDDEN: Final = (";", "--", "/*", "*/")
_TOKEN: Final = re.compile(
    rf"(?P<column>{_COLUMN})|(?P<string>{_STRING})|(?P<function>{_FUNCTION})|(?P<number>{_NUMBER})"
    r"|(?P<word>[A-Za-z]+)|(?P<symbol>[=<>!~*]+)|(?P<bracket>[()])|(?P<comma>,)|[ \n]+"
)
_CONSTANTS: Final[dict[str, Literal]] = {"true": True, "false": False, "null": None, "NULL": None}


class OutsideGrammarError(ValueError):
    """The viewer's pattern does not match."""


class BadQueryError(ValueError):
    """The pattern matches, and the database refuses."""


@dataclass(frozen=True)
class Operand:
    """A column, by its key or keys, and the one function that may be called on it."""

    keys: tuple[str, ...]
    function: str | None = None
    arguments: tuple[Literal, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """``operator`` is in upper case with single spaces: ``=``, ``NOT LIKE``, ``IS``."""

    operand: Operand
    operator: str
    value: Literal


@dataclass(frozen=True)
class Junction:
    """``AND`` or ``OR`` of two or more."""

    word: str
    parts: tuple["Condition", ...]


Condition = Comparison | Junction


class Order(NamedTuple):
    """One key of an order."""

    operand: Operand
    descending: bool


class Token(NamedTuple):
    """A piece of a text that is inside the pattern."""

    kind: str
    text: str


def parse_where(text: str) -> Condition:
    """What a ``where`` asks.

    Raises:
        OutsideGrammarError: the viewer's pattern refuses it.
        BadQueryError: the database behind it would.
    """
    _check(text, _WHERE)
    reader = _Reader(text)
    found = reader.disjunction()
    reader.end()
    return found


def parse_order_by(text: str) -> Order:
    """What an ``orderby`` asks; raises as ``parse_where`` does."""
    _check(text, _ORDER_BY)
    reader = _Reader(text)
    operand = reader.operand()
    word = reader.take("word")
    reader.end()
    return Order(operand, word is not None and word.upper() == "DESC")


def _check(text: str, pattern: re.Pattern[str]) -> None:
    if any(symbol in text for symbol in _FORBIDDEN) or not pattern.fullmatch(text):
        raise OutsideGrammarError(text)


def _tokens(text: str) -> Iterator[Token]:
    for match in _TOKEN.finditer(text):
        if match.lastgroup is not None:
            yield Token(match.lastgroup, match.group())


class _Reader:
    """Reads the tokens of an accepted text, AND before OR."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._place = 0

    def disjunction(self) -> Condition:
        return self._joined("OR", self._conjunction)

    def _conjunction(self) -> Condition:
        return self._joined("AND", self._term)

    def _joined(self, word: str, part: Callable[[], Condition]) -> Condition:
        parts = [part()]
        while self._peek() in (Token("word", word), Token("word", word.lower())):
            self._place += 1
            parts.append(part())
        return parts[0] if len(parts) == 1 else Junction(word, tuple(parts))

    def _term(self) -> Condition:
        if self._peek() == Token("bracket", "(") and self._peek(2) != Token("bracket", ")"):
            self._place += 1
            found = self.disjunction()
            self._expect_closed()
            return found
        return Comparison(self.operand(), self._operator(), self._value())

    def operand(self) -> Operand:
        bracketed = self._peek() == Token("bracket", "(")
        self._place += bracketed
        column = self.take("column")
        if column is None:
            raise BadQueryError("a column is missing")
        if bracketed:
            self._expect_closed()
        called = self.take("function")
        name, arguments = _called(called) if called else (None, ())
        return Operand(_keys(column), name, arguments)

    def _operator(self) -> str:
        words: list[str] = []
        while (token := self._peek()) and token.kind in ("word", "symbol") and token.text not in _CONSTANTS:
            self._place += 1
            words.append(token.text.upper())
        return " ".join(words)

    def _value(self) -> Literal:
        token = self._peek()
        if token is None:
            raise BadQueryError("a value is missing")
        self._place += 1
        return _literal(token)

    def _expect_closed(self) -> None:
        if self._peek() != Token("bracket", ")"):
            raise BadQueryError("a bracket is not closed")
        self._place += 1

    def take(self, kind: str) -> str | None:
        """The next token's text if it is of this kind."""
        token = self._peek()
        if token is None or token.kind != kind:
            return None
        self._place += 1
        return token.text

    def end(self) -> None:
        """Nothing may be left."""
        if self._place != len(self._tokens):
            raise BadQueryError("there is more than a query")

    def _peek(self, ahead: int = 0) -> Token | None:
        place = self._place + ahead
        return self._tokens[place] if place < len(self._tokens) else None


def _keys(column: str) -> tuple[str, ...]:
    return tuple(key[1:-1].replace('""', '"') for key in re.findall(_KEY, column))


def _called(text: str) -> tuple[str, tuple[Literal, ...]]:
    name, _, rest = text[1:].partition("(")
    tokens = list(_tokens(rest[:-1]))
    values, commas = tokens[::2], tokens[1::2]
    if any(token.kind == "comma" for token in values) or any(token.kind != "comma" for token in commas):
        raise BadQueryError("arguments are not separated by commas")
    if tokens and len(tokens) % 2 == 0:
        raise BadQueryError("an argument is missing")
    return name, tuple(_literal(token) for token in values)


def _literal(token: Token) -> Literal:
    if token.kind == "string":
        return token.text[1:-1].replace("''", "'")
    if token.kind == "word" and token.text in _CONSTANTS:
        return _CONSTANTS[token.text]
    try:
        return float(token.text) if "." in token.text else int(token.text)
    except ValueError:
        raise BadQueryError(f"{token.text} is no value") from None
