"""The patterns in patterns.toml, a set at a time, read when the first of a set is looked for."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final

from lmsys_store.labels.patterns import Patterns

FILE: Final = "patterns.toml"
_WRAPPED: Final = re.compile(r"(?:^|\n) +")


@cache
def pattern_sets() -> Mapping[str, Mapping[str, Sequence[str]]]:
    """The alternatives of each pattern by set and name, in the order of the file."""
    text = files(__package__).joinpath(FILE).read_text(encoding="utf8")
    return {
        name: {pattern: [_WRAPPED.sub("", one) for one in alternatives] for pattern, alternatives in patterns.items()}
        for name, patterns in tomllib.loads(text).items()
    }


@cache
def patterns(name: str) -> Patterns:
    """One set of patterns, compiled together."""
    return Patterns(pattern_sets()[name])


@cache
def opening(name: str) -> re.Pattern[str]:
    """An expression of the set ``openings``."""
    [expression] = pattern_sets()["openings"][name]
    return re.compile(expression, re.IGNORECASE)
