"""Linear models over words: a table of weights read from the package, every score explained by the words that made it.

The tables come from ``make labels``; they hold weights of words and no text.
"""

import json
import zlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

import numpy as np

_DECIDING: Final = 5
_SQUARE_UNITS: Final = 1000


class Axis(NamedTuple):
    """The classes of one question, and where their columns of weights begin."""

    names: Sequence[str]
    start: int
    temperature: float
    bias: Any

    @property
    def stop(self) -> int:
        """Where the columns end."""
        return self.start + len(self.names)


class WordTable(NamedTuple):
    """Weights of words for all classes: ``rows`` of a word, ``weights[row, class]`` in units of ``scale``.

    A word's rarity is in its weights already; ``squares`` (rarity squared, by row, in thousandths) give the length a text is
    measured by. The last row is no word's and weighs nothing.
    """

    rows: Mapping[str, int]
    weights: Any
    scale: float
    squares: Any
    axes: Mapping[str, Axis]


@cache
def shipped_table(name: str) -> WordTable:
    """A table that lies beside this module."""
    return table_of(json.loads(zlib.decompress(files(__package__).joinpath(name).read_bytes())))


def table_of(value: Mapping[str, Any]) -> WordTable:
    """A table of its JSON value, as the training writes it."""
    axes, start = {}, 0
    for name, axis in value["axes"].items():
        axes[name] = Axis(axis["names"], start, axis["temperature"], np.array(axis["bias"], dtype=np.float32))
        start += len(axis["names"])
    weights = np.frombuffer(bytes.fromhex(value["weights"]), dtype=np.int8).reshape(-1, start)
    squares = np.rint(np.array([*value["squares"], 0]) * _SQUARE_UNITS).astype(np.int64)
    words = {word: row for row, word in enumerate(value["words"])}
    return WordTable(words, np.vstack([weights, np.zeros((1, start), np.int8)]), value["scale"], squares, axes)


class Scores(NamedTuple):
    """The classes' scores on one axis, a row a text; a row sums to 1."""

    axis: Axis
    values: Any

    def ranked(self) -> list[list[int]]:
        """The classes of each text, best first; ties in the order of their names."""
        ranked: list[list[int]] = np.argsort(-self.values, axis=1, kind="stable").tolist()
        return ranked

    def best_two(self) -> Iterator[tuple[int, float, int, float]]:
        """Of each text the best class with its score, and the second with its own; ties in the order of the names."""
        rows = np.arange(len(self.values))
        first = self.values.argmax(axis=1)
        rest = self.values.copy()
        rest[rows, first] = -1.0
        second = rest.argmax(axis=1)
        scores = self.values[rows, first], self.values[rows, second]
        return zip(first.tolist(), scores[0].tolist(), second.tolist(), scores[1].tolist(), strict=True)


def scores_of(texts: Sequence[Sequence[str]], table: WordTable) -> dict[str, Scores]:
    """The scores of texts, each given as its features, on every axis.

    Equal whether a text comes alone or among others: what is summed over a text's words are whole numbers.
    """
    get, none = table.rows.get, len(table.weights) - 1  # the last row weighs nothing: no text is without a row
    rows, starts = array("q"), []
    for features in texts:
        starts.append(len(rows))
        rows.extend([row for row in map(get, dict.fromkeys(features)) if row is not None] or [none])
    at = np.asarray(rows)
    sums = np.add.reduceat(table.weights[at], starts, axis=0, dtype=np.int32)
    squares = np.add.reduceat(table.squares[at], starts)
    scaled = sums * (table.scale / np.sqrt(np.maximum(squares / _SQUARE_UNITS, 1.0)))[:, None]
    found = {}
    for name, axis in table.axes.items():
        logits = (scaled[:, axis.start : axis.stop] + axis.bias) / axis.temperature
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        found[name] = Scores(axis, powers / powers.sum(axis=1, keepdims=True))
    return found


def deciding_words(features: Sequence[str], table: WordTable, axis: str, best: int) -> tuple[str, ...]:
    """The words that spoke most for a class."""
    words = [word for word in dict.fromkeys(features) if word in table.rows]
    column = table.weights[[table.rows[word] for word in words], table.axes[axis].start + best]
    return tuple(words[at] for at in np.argsort(-column.astype(int), kind="stable")[:_DECIDING] if column[at] > 0)
