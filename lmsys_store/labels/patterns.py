"""Named patterns, looked for together in linear time. RE2 only: no text, however crafted, makes it slow.

The hazard: RE2 knows neither lookaround nor back references; ``\\b`` and ``\\w`` know ASCII alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, NamedTuple

import re2

_MEMORY: Final = 64 << 20  # bytes a compiled set may use; with RE2's 8 MB a large set of patterns gives up in silence


class Found(NamedTuple):
    """Where something was found in a text: ``text[start:end]``, characters."""

    id: str
    start: int
    end: int


class Places(Mapping[str, Found]):
    """Which patterns occur in a text, by id. Where one does is looked up when it is asked for, since that costs more."""

    def __init__(self, text: str, patterns: Mapping[str, Any]) -> None:
        self.text = text
        self._patterns = patterns

    def __getitem__(self, name: str) -> Found:
        match = self._patterns[name].search(self.text)
        assert match is not None, f"the set and the pattern {name} disagree"
        return Found(name, *match.span())

    def __contains__(self, name: object) -> bool:
        return name in self._patterns

    def __iter__(self) -> Iterator[str]:
        return iter(self._patterns)

    def __len__(self) -> int:
        return len(self._patterns)


class Patterns:
    """Patterns by id, each a list of alternatives; upper and lower case are the same. Compiled when first used.

    >>> patterns = Patterns({"greeting": [r"\\bhello\\b", r"\\bgood morning\\b"], "thanks": [r"\\bthanks\\b"]})
    >>> list(patterns.find("Hello, and thanks").values())
    [Found(id='greeting', start=0, end=5), Found(id='thanks', start=11, end=17)]
    """

    def __init__(self, patterns: Mapping[str, Sequence[str]]) -> None:
        self._sources = {name: f"(?i)(?:{'|'.join(alternatives)})" for name, alternatives in patterns.items()}

    @cached_property
    def _compiled(self) -> tuple[tuple[str, Any], ...]:
        return tuple((name, re2.compile(source)) for name, source in self._sources.items())

    @cached_property
    def _set(self) -> Any:
        options = re2.Options()
        options.max_mem = _MEMORY
        together = re2.Set.SearchSet(options)
        for source in self._sources.values():
            together.Add(source)
        together.Compile()
        return together

    def _matching(self, text: str) -> list[int]:
        return sorted(self._set.Match(text) or ())

    def ids(self, text: str) -> list[str]:
        """Which patterns occur, in the order they were given: one pass over the text for all."""
        return [self._compiled[at][0] for at in self._matching(text)]

    def find(self, text: str) -> Places:
        """Which patterns occur, in the order they were given, and where each does first."""
        return Places(text, dict(self._compiled[at] for at in self._matching(text)))
