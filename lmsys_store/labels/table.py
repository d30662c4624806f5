"""The one learned table: characters, words, a vector of each word, and the linear models that weigh them. Read once, when needed.

``make labels`` writes it (training/): weights and vectors of words, no text. The file is a NumPy archive without compression.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np

from lmsys_store.errors import LabelError
from lmsys_store.labels.features import Features, each_once, summed
from lmsys_store.labels.mixing import mixed
from lmsys_store.labels.tokenizer import CODES, UNKNOWN, HashIndex, Tokenizer

FILE: Final = "labels.npz"
SQUARE_UNITS: Final = 256
"""Rarity squared is kept in such parts of one."""
_DIGITS: Final = 4
"""Scores are rounded before anything is decided by them."""


@dataclass(frozen=True)
class Axis:
    """One question of a model: its classes, and the columns of weights that speak for them."""

    names: Sequence[str]
    columns: slice
    temperature: float


class Model:
    """A linear model over features and vectors: a row of weights a feature, a column a class.

    Args:
        keys: the features that have weights, ascending.
        weights: whole numbers by feature and class, in units of ``scale``.
        squares: the square of each feature's rarity, in ``1 / SQUARE_UNITS``: a text is measured by their sum.
        directions: whole numbers by dimension of the vectors and class, in units of ``direction_scale``.
        bias: what each class has to begin with.
    """

    def __init__(
        self, keys: Any, weights: Any, squares: Any, scale: float, directions: Any, direction_scale: float, bias: Any,
        axes: Mapping[str, tuple[Sequence[str], float]],
    ) -> None:  # fmt: skip
        self._index = HashIndex(mixed(keys.astype(np.uint64)))
        self.weights = np.vstack([weights, np.zeros((1, weights.shape[1]), weights.dtype)])
        self._squares = np.append(squares, 0).astype(np.int64)
        self.scale, self.direction_scale = scale, direction_scale
        self.directions, self.bias = directions.astype(np.float64), bias.astype(np.float64)
        self.axes: dict[str, Axis] = {}
        start = 0
        for name, (names, temperature) in axes.items():
            self.axes[name] = Axis(names, slice(start, start + len(names)), temperature)
            start += len(names)

    def rows(self, keys: Any) -> Any:
        """The row of weights of each feature, UNKNOWN (which is the last row, of zeros) for one without."""
        return self._index.find(mixed(keys.astype(np.uint64)))

    def logits(self, features: Features, vectors: Any, numbers: Any, facts: Sequence[Any] = ()) -> Any:
        """What speaks for each class, for the texts of these numbers; ``facts`` are keys of features, one for each number."""
        rows = self.rows(features.keys)
        known = np.flatnonzero(rows != UNKNOWN)
        texts, rows = each_once(features.texts[known], rows[known], len(self.weights).bit_length())
        sums = summed(self.weights, rows, texts, len(vectors))[numbers].astype(np.int64)
        squares = np.bincount(texts, self._squares[rows], len(vectors))[numbers]
        for keys in facts:
            rows = self.rows(keys)
            sums += self.weights[rows]
            squares += self._squares[rows]
        lengths = np.sqrt(np.maximum(squares / SQUARE_UNITS, 1.0))
        # Whole numbers far below 2**53: this product is exact, in whatever order it is summed.
        chosen = vectors[numbers]
        toward = (chosen @ self.directions) * (self.direction_scale / norms(chosen))[:, None]
        return sums * (self.scale / lengths)[:, None] + toward + self.bias

    def shares(self, keys: Any, column: int) -> dict[int, float]:
        """What each feature of one text speaks for a class, by key."""
        keys = np.unique(keys)
        rows = self.rows(keys)
        length = math.sqrt(max(float(self._squares[rows].sum()) / SQUARE_UNITS, 1.0))
        spoken = self.weights[rows, column] * (self.scale / length)
        return dict(zip(keys.tolist(), spoken.tolist(), strict=True))

    def scores(self, features: Features, vectors: Any, numbers: Any, facts: Sequence[Any] = ()) -> dict[str, Any]:
        """By axis the classes' scores of texts, a row for each of ``numbers``; a row sums to 1 but for rounding."""
        logits = self.logits(features, vectors, numbers, facts)
        return {name: _softmax(logits[:, axis.columns] / axis.temperature) for name, axis in self.axes.items()}


def norms(vectors: Any) -> Any:
    """The lengths of vectors; 1 for a vector of nothing."""
    return np.sqrt(np.maximum(np.einsum("ij,ij->i", vectors, vectors), 1.0))


def cosines(ones: Any, others: Any) -> Any:
    """The cosines of pairs of vectors, rounded; 0 with a vector of nothing."""
    products = np.einsum("ij,ij->i", ones, others)
    return np.round(products / (norms(ones) * norms(others)), _DIGITS)


def _softmax(logits: Any) -> Any:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.round(powers / powers.sum(axis=1, keepdims=True), _DIGITS)


class Table:
    """Everything that was learned, of the arrays in the file."""

    def __init__(self, arrays: Mapping[str, Any]) -> None:
        folded = np.repeat(arrays["folded_values"], arrays["folded_sizes"])
        folded = (folded + np.arange(CODES)).astype(np.uint32)
        classes = np.repeat(arrays["class_values"], arrays["class_sizes"])
        words = bytes(arrays["words"]).decode().split("\0")
        self.tokenizer = Tokenizer(words, folded, classes)
        self._vectors = arrays["vectors"].astype(np.int16) * arrays["multipliers"][:, None].astype(np.int16)
        self.meanings = len(self._vectors)
        """The words of lower number have a vector; signs and lengths of numbers follow them."""
        self.rarity = arrays["rarity"].astype(np.int64)
        self.models = {name: _model(arrays, name) for name in str(arrays["models"]).split(",") if name}

    def vectors(self, words: Features, count: int) -> Any:
        """A vector for each of ``count`` texts: the sum of its words', of whole numbers."""
        known = np.flatnonzero(words.keys < self.meanings)
        return summed(self._vectors, words.keys[known], words.texts[known], count).astype(np.float64)

    def word_vectors(self, ids: Any) -> Any:
        """The vectors of words; a sign has none."""
        vectors = np.zeros((len(ids), self._vectors.shape[1]))
        meaning = np.flatnonzero(ids < self.meanings)
        vectors[meaning] = self._vectors[ids[meaning]]
        return vectors


def _model(arrays: Mapping[str, Any], name: str) -> Model:
    axes = {}
    for line in str(arrays[f"{name}_axes"]).split("\n"):
        axis, temperature, names = line.split("\t")
        axes[axis] = names.split(","), float(temperature)
    keys = np.cumsum(arrays[f"{name}_key_steps"].astype(np.int64))
    return Model(
        keys=keys,
        weights=arrays[f"{name}_weights"],
        squares=arrays[f"{name}_squares"],
        scale=float(arrays[f"{name}_scale"]),
        directions=arrays[f"{name}_directions"],
        direction_scale=float(arrays[f"{name}_direction_scale"]),
        bias=arrays[f"{name}_bias"],
        axes=axes,
    )


@cache
def shipped_table() -> Table:
    """The table that lies beside this module.

    Raises:
        LabelError: it cannot be read.
    """
    try:
        with files(__package__).joinpath(FILE).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return Table({name: arrays[name] for name in arrays.files})
    except (OSError, ValueError, LookupError, EOFError, BadZipFile) as error:
        raise LabelError(
            f"the table of labels in the package ({FILE}) cannot be read: {error}; reinstall lmsys-store"
        ) from error
