"""The condition tree behind a Query: fields with their kinds, operators, and/or/not, and evaluation in memory.

Pure; imports records, vocabulary, search and errors. Two-valued logic throughout: a comparison with a missing value is
False, ``ne`` with one is True, and ``not`` is plain negation. storage.compile says the same in SQL; property tests hold the
two equal.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from lmsys_store import vocabulary
from lmsys_store.errors import QueryError
from lmsys_store.records import MODERATION_CATEGORIES, Conversation, as_utc, is_encodable, spell_category
from lmsys_store.search import parse, search_matches

Kind = Literal["text", "number", "bool", "time", "tags"]
Value = str | float | bool | datetime

_COMPARE: Final = ("eq", "ne", "lt", "le", "gt", "ge", "in_", "is_null", "between")
OPERATORS: Final[Mapping[Kind, tuple[str, ...]]] = {
    "text": (*_COMPARE, "contains", "startswith"),
    "number": _COMPARE,
    "time": _COMPARE,
    "bool": ("eq", "ne", "is_null"),
    "tags": ("eq", "ne", "in_", "contains", "startswith", "is_null"),
}
"""Which operators a kind of field knows. On ``tags`` they ask whether *any* tag does; ``ne`` whether none is equal."""


@dataclass(frozen=True)
class FieldSpec:
    """What is known of one field: its kind and how a conversation answers it."""

    kind: Kind
    read: Callable[[Conversation], Any]


def _category(bit: int) -> Callable[[Conversation], bool | None]:
    def read(chat: Conversation) -> bool | None:
        summary = chat.moderation_summary
        return None if summary is None else bool(summary.category_bits >> bit & 1)

    return read


def _score(bit: int) -> Callable[[Conversation], float | None]:
    def read(chat: Conversation) -> float | None:
        return None if chat.moderation_summary is None else chat.moderation_summary.maxima[bit]

    return read


FIELDS: Final[Mapping[str, FieldSpec]] = {
    "conversation_id": FieldSpec("text", lambda chat: chat.conversation_id),
    "model": FieldSpec("text", lambda chat: chat.model),
    "language": FieldSpec("text", lambda chat: chat.language),
    "turn": FieldSpec("number", lambda chat: chat.turn),
    "redacted": FieldSpec("bool", lambda chat: chat.redacted),
    "flagged": FieldSpec("bool", lambda chat: chat.flagged),
    "domain": FieldSpec("text", lambda chat: chat.labels.domain),
    "domain_score": FieldSpec("number", lambda chat: chat.labels.domain_score),
    "second_domain": FieldSpec("text", lambda chat: chat.labels.second_domain),
    "task": FieldSpec("text", lambda chat: chat.labels.task),
    "rating": FieldSpec("number", lambda chat: chat.labels.rating),
    "rating_basis": FieldSpec("text", lambda chat: chat.labels.rating_basis),
    "tag": FieldSpec("tags", lambda chat: chat.labels.tags),
    "signal": FieldSpec("tags", lambda chat: chat.labels.signals),
    "prompt_key": FieldSpec("number", lambda chat: chat.labels.prompt_key),
    "family": FieldSpec("number", lambda chat: chat.labels.family),
    "prompt_chars": FieldSpec("number", lambda chat: chat.prompt_chars),
    "reply_chars": FieldSpec("number", lambda chat: chat.reply_chars),
    "row_index": FieldSpec("number", lambda chat: chat.row_index),
    "timestamp": FieldSpec("time", lambda chat: chat.timestamp),
    **{f"moderation.{name}": FieldSpec("bool", _category(bit)) for bit, name in enumerate(MODERATION_CATEGORIES)},
    **{f"moderation_score.{name}": FieldSpec("number", _score(bit)) for bit, name in enumerate(MODERATION_CATEGORIES)},
}


def facet_of(field: str, chats: Iterable[Conversation]) -> list[tuple[Any, int]]:
    """Each value of a field with its number of conversations, most frequent first; one counts once for each of its tags."""
    spec = FIELDS[field]
    counts: Counter[Any] = Counter()
    for chat in chats:
        value = spec.read(chat)
        counts.update((value or ()) if spec.kind == "tags" else [value])
    return counts.most_common()


class Expression:
    """A condition or a combination of conditions; combine with ``&``, ``|`` and ``~``."""

    __slots__ = ()

    def __and__(self, other: "Expression") -> "Expression":
        return all_of((self, other))

    def __or__(self, other: "Expression") -> "Expression":
        return any_of((self, other))

    def __invert__(self) -> "Expression":
        return self.part if isinstance(self, Not) else Not(self)

    def __bool__(self) -> bool:
        raise QueryError("a condition has no truth value of its own: combine with & | ~ instead of and, or, not")

    def matches(self, chat: Conversation) -> bool:
        """Whether the conversation satisfies this expression."""
        raise AssertionError(f"{type(self).__name__} does not say what it matches")


@dataclass(frozen=True)
class Condition(Expression):
    """One comparison. Build it from ``fields``, or by ``condition()``, which check and normalise it."""

    field: str
    operator: str
    value: Value | tuple[Value, ...]

    def matches(self, chat: Conversation) -> bool:
        return self.holds(FIELDS[self.field].read(chat))

    def holds(self, actual: Any) -> bool:
        """Whether a conversation with this value in the field satisfies the condition."""
        if FIELDS[self.field].kind == "tags":
            return _tags_match(self.operator, actual, self.value)
        return _TESTS[self.operator](actual, self.value)


@dataclass(frozen=True)
class And(Expression):
    parts: tuple[Expression, ...]

    def matches(self, chat: Conversation) -> bool:
        return all(part.matches(chat) for part in self.parts)


@dataclass(frozen=True)
class Or(Expression):
    parts: tuple[Expression, ...]

    def matches(self, chat: Conversation) -> bool:
        return any(part.matches(chat) for part in self.parts)


@dataclass(frozen=True)
class Not(Expression):
    part: Expression

    def matches(self, chat: Conversation) -> bool:
        return not self.part.matches(chat)


@dataclass(frozen=True)
class Search(Expression):
    """Full-text search over all user messages, with ``replies`` over all messages."""

    text: str
    replies: bool = False

    def __post_init__(self) -> None:
        parse(self.text)

    def matches(self, chat: Conversation) -> bool:
        messages = [message.content for message in chat.messages] if self.replies else chat.prompts
        return search_matches(parse(self.text), messages)


EVERYTHING: Final = And(())


def all_of(parts: Iterable[Expression]) -> Expression:
    """The conjunction, flattened; of nothing: every row."""
    flat = tuple(leaf for part in parts for leaf in (part.parts if isinstance(part, And) else (part,)))
    return flat[0] if len(flat) == 1 else And(flat)


def any_of(parts: Iterable[Expression]) -> Expression:
    """The disjunction, flattened; of nothing: no row."""
    flat = tuple(leaf for part in parts for leaf in (part.parts if isinstance(part, Or) else (part,)))
    return flat[0] if len(flat) == 1 else Or(flat)


def walk(expression: Expression) -> Iterable[Expression]:
    """The expression and everything inside it."""
    yield expression
    parts = (
        expression.parts
        if isinstance(expression, And | Or)
        else (expression.part,)
        if isinstance(expression, Not)
        else ()
    )
    for part in parts:
        yield from walk(part)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda actual, value: actual is not None and compare(actual, value)


_TESTS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "eq": _ordered(lambda actual, value: actual == value),
    "ne": lambda actual, value: actual is None or actual != value,
    "lt": _ordered(lambda actual, value: actual < value),
    "le": _ordered(lambda actual, value: actual <= value),
    "gt": _ordered(lambda actual, value: actual > value),
    "ge": _ordered(lambda actual, value: actual >= value),
    "in_": _ordered(lambda actual, value: actual in value),
    "contains": _ordered(lambda actual, value: value in actual),
    "startswith": _ordered(lambda actual, value: actual.startswith(value)),
    "is_null": lambda actual, value: (actual is None) is value,
    "between": _ordered(lambda actual, value: value[0] <= actual <= value[1]),
}


def _tags_match(operator: str, tags: tuple[str, ...] | None, value: Any) -> bool:
    if operator == "is_null":
        return (not tags) is value
    if operator == "ne":
        return value not in (tags or ())
    return any(_TESTS[operator](tag, value) for tag in tags or ())


# ------------------------------------------------------------------------------------------- building and checking

_CLOSED: Final[Mapping[str, tuple[str, ...]]] = {
    "task": vocabulary.TASKS,
    "tag": vocabulary.TAGS,
    "rating_basis": vocabulary.BASES,
    "signal": vocabulary.SIGNALS,
    "second_domain": vocabulary.DOMAINS,
}
_OPEN: Final[Mapping[str, Callable[[str], str]]] = {
    "language": vocabulary.language_name,
    "model": vocabulary.model_name,
}
_EXACT: Final = ("eq", "ne", "in_")


def condition(field: str, operator: str, value: object = True) -> Expression:
    """A checked, normalised condition; an alias of several domains becomes the expression it stands for.

    Raises:
        QueryError: unknown field, operator, or value type or word, with the known ones.
    """
    field = field_name(field)
    kind = FIELDS[field].kind
    if operator not in OPERATORS[kind]:
        raise QueryError(f"{field} has no operator {operator!r}; known: {', '.join(OPERATORS[kind])}")
    if operator == "is_null":
        return Condition(field, operator, _checked(field, "bool", value))
    if operator == "between":
        low_high = _sequence(field, operator, value)
        if len(low_high) != 2:
            raise QueryError(f"{field} between needs two values, not {len(low_high)}")
        return Condition(field, operator, tuple(_checked(field, kind, end) for end in low_high))
    if operator == "in_":
        return _any_value(field, [_one(field, kind, "eq", choice) for choice in _sequence(field, operator, value)])
    return _one(field, kind, operator, value)


def _any_value(field: str, choices: list[Expression]) -> Expression:
    """One of several values: a list is a set, so its order, repetitions and length of one make no other query."""
    plain = [choice for choice in choices if isinstance(choice, Condition)]
    if len(plain) < len(choices) or len(choices) == 1:
        return any_of(choices)
    values: list[Any] = sorted({choice.value for choice in plain})
    return Condition(field, "in_", tuple(values)) if len(values) != 1 else plain[0]


def _one(field: str, kind: Kind, operator: str, value: object) -> Expression:
    checked = _checked(field, kind, value)
    if operator not in _EXACT or not isinstance(checked, str):
        return Condition(field, operator, checked)
    if field == "domain":
        return _domain_condition(operator, checked)
    if field in _CLOSED:
        return Condition(field, operator, vocabulary.known_word(field.replace("_", " "), checked, _CLOSED[field]))
    return Condition(field, operator, _OPEN[field](checked) if field in _OPEN else checked)


def _domain_condition(operator: str, name: str) -> Expression:
    """A condition on a domain by one of our ids, or by another name of one or several of them."""
    word = vocabulary.spelled(name)
    alias = _DOMAIN_ALIASES.get(word)
    if alias is not None:
        return ~alias if operator == "ne" else alias
    return Condition("domain", operator, vocabulary.domain_word(name, also=_DOMAIN_ALIASES))


def _is(field: str, word: str) -> Expression:
    return Condition(field, "eq", word)


_DOMAIN_ALIASES: Final[Mapping[str, Expression]] = {
    "marketing": all_of((_is("domain", "business"), _is("tag", "marketing"))),
    "ai-development": any_of(
        (
            _is("domain", "ai-assistants"),
            all_of((_is("domain", "software-development"), _is("tag", "machine-learning"))),
        )
    ),
    "communication": any_of(
        (
            _is("domain", "language"),
            all_of((_is("domain", "business"), Condition("task", "in_", ("rewriting", "text-generation")))),
        )
    ),
}
"""Domain names of the consumer that stand for more than one domain of ours."""


def field_name(name: str) -> str:
    """A field's one name; of a moderation field, in any spelling of its category.

    Raises:
        QueryError: no such field, with the known ones.
    """
    spelled = name
    if "." in name:
        head, category = name.split(".", 1)
        if head in ("moderation", "moderation_score"):
            spelled = f"{head}.{_category_name(category)}"
    if spelled not in FIELDS:
        plain = [known for known in FIELDS if "." not in known]
        raise QueryError(
            f"unknown field {name!r}; known: {', '.join(plain)}, moderation.<category>, moderation_score.<category>"
        )
    return spelled


def _category_name(word: str) -> str:
    """Our spelling of a moderation category in any spelling."""
    return spell_category(vocabulary.known_word("moderation category", spell_category(word), _CATEGORY_WORDS))


_CATEGORY_WORDS: Final = tuple(name.replace("_", "-") for name in MODERATION_CATEGORIES)


def _sequence(field: str, operator: str, value: object) -> tuple[object, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise QueryError(f"{field} {operator} needs a list of values, not {type(value).__name__}")
    return tuple(value)


def _checked(field: str, kind: Kind, value: object) -> Any:
    if kind in ("text", "tags") and isinstance(value, str):
        if not is_encodable(value):
            raise QueryError(f"the value for {field} holds a lone surrogate, which no row can contain")
        return value
    if kind == "bool" and isinstance(value, bool):
        return value
    if kind == "number" and isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63:
        return int(value) if value == int(value) else value  # 3.0 and 3 are one query
    if kind == "time":
        return _time(field, value)
    known = {"text": "a string", "tags": "a string", "bool": "True or False", "number": "a number below 2**63"}
    raise QueryError(f"{field} needs {known[kind]}, not {value!r}")


def _time(field: str, value: object) -> datetime:
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else value
        if isinstance(time, datetime):
            return as_utc(time)
    except (ValueError, OverflowError):
        pass
    raise QueryError(f"{field} needs a datetime or ISO 8601 text, not {value!r}")
