"""What the linear models weigh in a text: its words, pairs of neighbours, its first words, its size, and its vector. Pure.

One place for training and for use, for prompts, replies and later messages alike. The hazard: a difference between training and
use is silent. Everything summed is a whole number, so that a text scores the same alone, in a batch and on every machine.
"""

from typing import Any, Final, NamedTuple

import numpy as np

from lmsys_store.labels.tokenizer import Tokens, places_within

_WORD_BITS: Final = 20
WORD, PAIR, FIRST_WORD, FIRST_PAIR, FACT = range(5)
KIND_BITS: Final = 44
"""Kinds of features. Their keys are ``kind << KIND_BITS`` and ids of words."""
_FIRST: Final = 6
"""Words at the beginning of a text that count a second time, as its beginning."""
_SIZES: Final = (1, 2, 4, 8, 16, 32, 80)
_SIZE_FACT: Final = 0
FIRST_FREE_FACT: Final = 1
_VALUE_BITS: Final = 8


class Features(NamedTuple):
    """Features of texts: ``keys[i]`` is one of text ``texts[i]``."""

    texts: Any
    keys: Any


def words_of(tokens: Tokens) -> Features:
    """The words of each text, each once, in the order of the texts; the keys are their ids."""
    return each_once(tokens.texts, tokens.ids, _WORD_BITS)


def features_of(tokens: Tokens, wanted: Any) -> Features:
    """The features of the texts that are ``wanted`` (a boolean by text number), but those that need more than the text itself.

    In any order; what a text has twice comes twice.
    """
    chosen = np.flatnonzero(wanted[tokens.texts])
    texts, ids = tokens.texts[chosen], tokens.ids[chosen].astype(np.int64)
    follows = texts[1:] == texts[:-1]
    later = np.flatnonzero(follows) + 1
    pairs = ids[later - 1] << _WORD_BITS | ids[later]
    pair_texts = texts[later]
    place = places_within(np.bincount(texts))
    first = np.flatnonzero(place < _FIRST)
    first_pair = np.flatnonzero(place[later] < _FIRST)
    numbers = np.flatnonzero(wanted)
    sizes = np.searchsorted(_SIZES, tokens.counts[numbers], "right")
    return Features(
        np.concatenate([texts, pair_texts, texts[first], pair_texts[first_pair], numbers]),
        np.concatenate(
            [
                ids,
                PAIR << KIND_BITS | pairs,
                FIRST_WORD << KIND_BITS | ids[first],
                FIRST_PAIR << KIND_BITS | pairs[first_pair],
                fact(_SIZE_FACT, sizes),
            ]
        ),
    )


def fact(number: int, values: Any) -> Any:
    """The keys of a fact about each text that is no word of it, ``values`` its value (0 to 255) in each."""
    return FACT << KIND_BITS | number << _VALUE_BITS | np.asarray(values, np.int64)


def each_once(texts: Any, numbers: Any, bits: int) -> Features:
    """Pairs of a text and a number of so many bits, each once and in order."""
    both = texts.astype(np.int64) << bits | numbers
    if len(both) and int(texts.max()) < 1 << (32 - bits):
        both = both.astype(np.uint32)  # sorts in half the time
    both.sort()
    both = both[np.append(True, both[1:] != both[:-1])] if len(both) else both
    both = both.astype(np.int64)
    return Features(both >> bits, both & ((1 << bits) - 1))


def summed(table: Any, rows: Any, texts: Any, count: int) -> Any:
    """For each of ``count`` texts the sum of its rows of a table of whole numbers; ``texts`` must ascend.

    Step by step over the first, second … row of all texts: several times as fast as numpy's ``add.reduceat``.
    """
    sizes = np.bincount(texts, minlength=count)
    starts = np.cumsum(sizes) - sizes
    order = np.argsort(-sizes, kind="stable")
    starts, sizes = starts[order], sizes[order]
    sums = np.zeros((count, *table.shape[1:]), np.int64 if table.dtype.itemsize > 2 else np.int32)
    active = count
    for step in range(int(sizes[0]) if count else 0):
        while sizes[active - 1] <= step:
            active -= 1
        sums[:active] += table[rows[starts[:active] + step]]
    unsorted = np.empty_like(sums)
    unsorted[order] = sums
    return unsorted


def describe(key: int, words: Any) -> str:
    """A feature of words as people read it, for explanations.

    >>> describe(2 << 44 | 1, ["a", "write"])
    'write (at the start)'
    """
    kind, payload = key >> KIND_BITS, key & ((1 << KIND_BITS) - 1)
    if kind in (WORD, FIRST_WORD):
        text = _readable(words[payload])
    else:
        text = f"{_readable(words[payload >> _WORD_BITS])} {_readable(words[payload & ((1 << _WORD_BITS) - 1)])}"
    return f"{text} (at the start)" if kind in (FIRST_WORD, FIRST_PAIR) else text


def _readable(word: str) -> str:
    return "line break" if word == "\n" else word
