"""A prompt as the words that a linear model weighs. One place for training and for use: a difference between them is silent."""

import re
from itertools import pairwise
from typing import Final

from lmsys_store.search import tokens

_HEAD: Final = 900
_TAIL: Final = 300
_WORDS: Final = 220
_LONG: Final = 7
_STEM: Final = 5
_SHAPES: Final = (
    ("#fence", re.compile(r"```")),
    ("#code", re.compile(r"[;{}]\s*\n|\w\(\w*\)|</\w+>|=>|==|!=|\w+\.\w+\(")),
    ("#formula", re.compile(r"\\frac|\\sum|\$[^$ ][^$]{0,80}\$|\d\s*[+*/^]\s*\d|\bx\s*=|[=<>]\s*\d")),
    ("#table", re.compile(r"\n[^\n|]*\|[^\n|]*\|")),
    ("#address", re.compile(r"https?://")),
    ("#mark", re.compile(r"[?？]\s*$")),
    ("#quote", re.compile(r"[\"“„«「][^\"”“»」]{20,}")),
    ("#money", re.compile(r"[$€£]\s?\d")),
    ("#number", re.compile(r"\d")),
    ("#lines", re.compile(r"\n.*\n.*\n", re.DOTALL)),
)


def read_part(text: str) -> str:
    """The part of a text that is read: its beginning and its end."""
    return text if len(text) <= _HEAD + _TAIL else f"{text[:_HEAD]}\n{text[-_TAIL:]}"


def words_of(text: str) -> list[str]:
    """The features of a text: words, pairs of neighbours, beginnings of long words, the first words, shapes. With repetitions.

    >>> words_of("Sort a list")
    ['sort', 'a', 'list', 'sort a', 'a list', '^sort', '^sort a', '#short']
    """
    part = read_part(text)
    words = tokens(part)[:_WORDS]
    found = [*words, *map(" ".join, pairwise(words))]
    found += [f"{word[:_STEM]}~" for word in words if len(word) >= _LONG]
    found += [f"^{word}" for word in words[:1]]
    found += [f"^{' '.join(words[:2])}"] if len(words) > 1 else []
    found += [name for name, shape in _SHAPES if shape.search(part)]
    found.append("#short" if len(words) < 6 else "#long" if len(words) > 80 else "#middle")
    return found
