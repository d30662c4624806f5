"""The formats test cases are written in: what a format is, the registry, and the three ways to lay objects out in a file.

Pure: an encoder turns cases into bytes, page by page, and never sees the file. What each tool's objects look like is in
shapes.py, promptfoo.py and tables.py; they are loaded when a format is first asked for.
"""

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from pydantic_core import to_json

from lmsys_store.convert.cases import TestCase
from lmsys_store.errors import QueryError


class Encoder(Protocol):
    """Turns cases into a file's bytes: begin, encode page by page, end. One encoder writes one file."""

    def begin(self) -> bytes:
        """What stands before the first case."""
        ...

    def encode(self, cases: Sequence[TestCase]) -> bytes:
        """Some cases more."""
        ...

    def end(self) -> bytes:
        """What stands after the last."""
        ...


@dataclass(frozen=True)
class Format:
    """A format by name: the ending of its files, what it is for, and how its encoders are made."""

    name: str
    extension: str
    purpose: str
    encoder: Callable[[], Encoder]


Shape = Callable[[TestCase], Iterable[object]]
"""The JSON objects of one case: mostly one."""


class JsonLines:
    """An object a line."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape

    def begin(self) -> bytes:
        return b""

    def encode(self, cases: Sequence[TestCase]) -> bytes:
        return b"".join([to_json(one) + b"\n" for case in cases for one in self._shape(case)])

    def end(self) -> bytes:
        return b""


class JsonArray:
    """One array, an object a line."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._separator = b"\n"

    def begin(self) -> bytes:
        return b"["

    def encode(self, cases: Sequence[TestCase]) -> bytes:
        parts = []
        for case in cases:
            for one in self._shape(case):
                parts.append(self._separator + to_json(one))
                self._separator = b",\n"
        return b"".join(parts)

    def end(self) -> bytes:
        return b"\n]\n"


_registry: Final[dict[str, Format]] = {}


def register_format(format: Format) -> None:
    """Add a format, or put another in the place of the one of its name; for this process.

    >>> register_format(Format("prompts", ".jsonl", "bare prompts", lambda: JsonLines(lambda case: [case.input])))
    >>> format_named("prompts").purpose
    'bare prompts'
    """
    _load()
    _registry[format.name] = format


def known_formats() -> list[Format]:
    """All formats, in the order of their names."""
    _load()
    return [_registry[name] for name in sorted(_registry)]


def format_named(name: str) -> Format:
    """The format of that name.

    Raises:
        QueryError: there is none; the known ones are named.
    """
    _load()
    if name not in _registry:
        near = difflib.get_close_matches(name, _registry, n=2, cutoff=0.5)
        hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise QueryError(f"unknown format {name!r}; {hint}known: {', '.join(sorted(_registry))}")
    return _registry[name]


def _load() -> None:
    """Our own formats, once."""
    if not _registry:
        from lmsys_store.convert import promptfoo, shapes, tables

        for format in (*shapes.FORMATS, *promptfoo.FORMATS, *tables.FORMATS):
            _registry[format.name] = format
