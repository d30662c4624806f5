"""Linear models over words: a table of weights read from the package, every score explained by the words that made it.

The tables come from ``make labels``; they hold weights of words and no text.
"""

import json
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

import numpy as np

_DECIDING: Final = 5


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

    A word's rarity is in its weights already; ``squares`` (rarity squared, by row) give the length a text is measured by.
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
    return WordTable(
        {word: row for row, word in enumerate(value["words"])},
        weights,
        value["scale"],
        np.array(value["squares"], dtype=np.float32),
        axes,
    )


class Scores(NamedTuple):
    """The classes' scores on one axis; they sum to 1."""

    axis: Axis
    values: Any

    def ranked(self) -> list[int]:
        """The classes, best first; ties in the order of their names."""
        return [int(one) for one in np.argsort(-self.values, kind="stable")]


def scores_of(features: Sequence[str], table: WordTable) -> dict[str, Scores]:
    """The scores of a text's words on every axis."""
    rows = _rows(features, table)
    sums = table.weights[rows].sum(axis=0, dtype=np.int64) * (
        table.scale / max(float(table.squares[rows].sum()), 1.0) ** 0.5
    )
    found = {}
    for name, axis in table.axes.items():
        logits = (sums[axis.start : axis.stop] + axis.bias) / axis.temperature
        powers = np.exp(logits - logits.max())
        found[name] = Scores(axis, powers / powers.sum())
    return found


def deciding_words(features: Sequence[str], table: WordTable, axis: str, best: int) -> tuple[str, ...]:
    """The words that spoke most for a class."""
    words = [word for word in dict.fromkeys(features) if word in table.rows]
    column = table.weights[[table.rows[word] for word in words], table.axes[axis].start + best]
    return tuple(words[at] for at in np.argsort(-column.astype(int), kind="stable")[:_DECIDING] if column[at] > 0)


def _rows(features: Sequence[str], table: WordTable) -> list[int]:
    return [row for row in map(table.rows.get, dict.fromkeys(features)) if row is not None]
