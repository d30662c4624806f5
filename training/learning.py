"""From examples to the weights of a model: a logistic regression an axis over features and vectors, then whole numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.sparse import csr_matrix, diags, hstack
from sklearn.linear_model import LogisticRegression

from lmsys_store.labels.features import FIRST_PAIR, FIRST_WORD, KIND_BITS, Features
from lmsys_store.labels.table import SQUARE_UNITS, Model, norms
from lmsys_store.labels.tokenizer import places_within
from training.examples import Example

_ITERATIONS: Final = 80
_TOLERANCE: Final = 1e-3
_NEVER: Final = -9.0
"""The bias of a class without an example."""
_STEPS: Final = 127


@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    ``axes`` gives the classes of each axis with the temperature of its scores; ``strengths`` the inverse of the regularisation
    and how much the vector counts, by axis. A feature needs ``least`` examples; with ``by_rarity`` a rare one counts more.
    """

    axes: Mapping[str, tuple[Sequence[str], float]]
    strengths: Mapping[str, tuple[float, float]]
    least: int = 2
    by_rarity: bool = False
    first_words: float = 1.0
    """How much a feature of the first words counts, beside any other."""


@dataclass(frozen=True)
class Design:
    """Examples with everything a model can weigh in them."""

    examples: Sequence[Example]
    features: Features
    vectors: Any
    numbers: Any
    facts: Sequence[Any]
    known: Any
    """Whether each example is of a language that the table knows."""

    def matrix(self) -> tuple[Any, csr_matrix]:
        """The keys of all features, ascending, and a matrix examples x features with 1 where an example has one."""
        count = len(self.examples)
        order = np.argsort(self.features.texts, kind="stable")
        texts, found = self.features.texts[order], self.features.keys[order]
        starts = np.searchsorted(texts, self.numbers)
        sizes = np.searchsorted(texts, self.numbers, "right") - starts
        rows = np.repeat(np.arange(count), sizes)
        places = places_within(sizes) + starts[rows]
        all_rows = np.concatenate([rows, *[np.arange(count)] * len(self.facts)])
        all_keys = np.concatenate([found[places], *self.facts])
        keys, columns = np.unique(all_keys, return_inverse=True)
        matrix = csr_matrix((np.ones(len(columns)), (all_rows, columns)), shape=(count, len(keys)))
        matrix.data[:] = 1.0
        return keys, matrix

    def scores(self, model: Model, chosen: Sequence[int]) -> dict[str, Any]:
        """What a model says of some of the examples, exactly as it will be used."""
        places = np.asarray(chosen)
        return model.scores(self.features, self.vectors, self.numbers[places], [fact[places] for fact in self.facts])


class Learner:
    """Trains models on parts of one design."""

    def __init__(self, design: Design, recipe: Recipe) -> None:
        self._design, self._recipe = design, recipe
        self._keys, self._matrix = design.matrix()
        chosen = design.vectors[design.numbers]
        self._directions = chosen / norms(chosen)[:, None]

    def learned(self, chosen: Sequence[int]) -> dict[str, Any]:
        """The model of some examples, as the arguments of :class:`Model`."""
        places = np.asarray(chosen)
        part = self._matrix[places]
        counts = np.asarray(part.sum(axis=0)).ravel()
        kept = np.flatnonzero(counts >= self._recipe.least)
        rarity = np.log((1 + len(places)) / (1 + counts[kept])) + 1 if self._recipe.by_rarity else np.ones(len(kept))
        kinds = self._keys[kept] >> KIND_BITS
        rarity[(kinds == FIRST_WORD) | (kinds == FIRST_PAIR)] *= self._recipe.first_words
        # Rounded as they will be used, before anything is learned by them.
        squares = np.rint(rarity**2 * SQUARE_UNITS)
        rarity = np.sqrt(squares / SQUARE_UNITS)
        part = part[:, kept]
        lengths = np.sqrt(np.maximum(part @ rarity**2, 1.0))
        words = diags(1 / lengths) @ part @ diags(rarity)
        weights, directions, biases = [], [], []
        for axis, (names, _) in self._recipe.axes.items():
            strength, share = self._recipe.strengths[axis]
            matrix = hstack([words, share * self._directions[places]]).tocsr()
            coefficients, bias = self._regression(
                matrix, [self._design.examples[at] for at in places], axis, names, strength
            )
            weights.append(coefficients[: len(kept)] * rarity[:, None])
            directions.append(coefficients[len(kept) :] * share)
            biases.append(bias)
        return self._rounded(
            self._keys[kept], squares, np.hstack(weights), np.hstack(directions), np.concatenate(biases)
        )

    def _regression(
        self, matrix: Any, examples: Sequence[Example], axis: str, names: Sequence[str], strength: float
    ) -> tuple[Any, Any]:
        """Weights (features x classes) and bias. An example with two defensible labels counts for both."""
        rows = [
            (row, names.index(name), share * example.weight)
            for row, example in enumerate(examples)
            for name, share in example.shares.get(axis, {}).items()
        ]
        places, labels, shares = zip(*rows, strict=True)
        model = LogisticRegression(C=strength, max_iter=_ITERATIONS, tol=_TOLERANCE)
        model.fit(matrix[list(places)], labels, sample_weight=shares)
        weights, bias = np.zeros((matrix.shape[1], len(names))), np.full(len(names), _NEVER)
        weights[:, model.classes_], bias[model.classes_] = model.coef_.T, model.intercept_
        return weights, bias

    def _rounded(self, keys: Any, squares: Any, weights: Any, directions: Any, bias: Any) -> dict[str, Any]:
        scale = float(np.abs(weights).max()) / _STEPS
        whole = np.rint(weights / scale).astype(np.int8)
        speaks = np.abs(whole).max(axis=1) > 1
        direction_scale = float(np.abs(directions).max()) / (_STEPS * 256)
        return {
            "keys": keys[speaks],
            "weights": whole[speaks],
            "squares": squares[speaks].astype(np.uint16),
            "scale": scale,
            "directions": np.rint(directions / direction_scale).astype(np.int16),
            "direction_scale": direction_scale,
            "bias": np.round(bias, 4),
            "axes": dict(self._recipe.axes),
        }


def arrays_of(name: str, learned: Mapping[str, Any]) -> dict[str, Any]:
    """A model as the table's file has it."""
    lines = [f"{axis}\t{temperature}\t{','.join(names)}" for axis, (names, temperature) in learned["axes"].items()]
    plain = ("weights", "squares", "scale", "directions", "direction_scale", "bias")
    return {
        f"{name}_axes": np.array("\n".join(lines)),
        f"{name}_key_steps": np.diff(learned["keys"], prepend=0),
        **{f"{name}_{part}": np.asarray(learned[part]) for part in plain},
    }
