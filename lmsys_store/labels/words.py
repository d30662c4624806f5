"""A prompt as the words that a linear model weighs. One place for training and for use: a difference between them is silent."""

from itertools import pairwise
from typing import Final

from lmsys_store.labels.patterns import Patterns
from lmsys_store.search import tokens

_HEAD: Final = 900
_TAIL: Final = 300
_WORDS: Final = 220
_LONG: Final = 7
_STEM: Final = 5
_SHAPES: Final = Patterns(
    {
        "#fence": ["```"],
        "#code": [r"[;{}]\s*\n", r"\w\(\w*\)", r"</\w+>", "=>", "==", "!=", r"\w+\.\w+\("],
        "#formula": [r"\\frac", r"\\sum", r"\$[^$ ][^$\n]*\$", r"\d\s*[+*/^]\s*\d", r"\bx\s*=", r"[=<>]\s*\d"],
        "#table": [r"\n[^\n|]*\|[^\n|]*\|"],
        "#address": ["https?://"],
        "#mark": [r"[?？]\s*$"],
        "#quote": [r"[\"“„«「][^\"”“»」]{20}[^\"”“»」]*[\"”“»」]"],
        "#money": [r"[$€£]\s?\d"],
        "#number": [r"\d"],
        "#lines": [r"\n[^\n]*\n[^\n]*\n"],
    }
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
    found += _SHAPES.ids(part)
    found.append("#short" if len(words) < 6 else "#long" if len(words) > 80 else "#middle")
    return found
