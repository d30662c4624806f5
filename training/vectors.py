"""A vector for every word, so that the sum of a text's vectors is like the teacher's vector of the text.

Each word is embedded once by the teacher. One linear map (ridge regression) takes weighted sums of these to the teacher's vectors
of natural texts, seen along their main directions. Then the words that occur are moved a little further, as in model2vec.
"""

from collections.abc import Iterable, Sequence
from random import Random
from typing import Any, Final

import numpy as np
from scipy.sparse import csr_matrix

from training.examples import SEED
from training.teacher import Teacher
from training.vocabulary import Vocabulary

DIMENSIONS: Final = 64
_RIDGE: Final = 3.0
_EPOCHS: Final = 12
_BATCH: Final = 8192
_RATE: Final = 0.004
_STAY: Final = 1e-5
"""How strongly a word is held where the linear map put it."""
_LONGEST_WHOLE: Final = 400
_LONGEST_PART: Final = 300
_STEPS: Final = 127
_MOST_MULTIPLIER: Final = 255


def spans_of(texts: Iterable[str]) -> list[str]:
    """Parts of some words of natural texts, and the short texts themselves: what the sums are fitted on."""
    chance, found = Random(SEED), []
    for text in texts:
        if len(text) <= _LONGEST_WHOLE:
            found.append(text[:_LONGEST_PART])
        spaceless = any("\u2e80" <= character < "\uac00" or "\u0e00" <= character < "\u0e7f" for character in text[:40])
        pieces: Sequence[str] = text if spaceless else text.split()
        shortest, longest, each = (8, 40, 30) if spaceless else (3, 14, 12)
        most = 2 if text.isascii() else 6
        for _ in range(min(most, 1 + len(pieces) // each)):
            size = chance.randint(shortest, longest)
            start = chance.randint(0, max(0, len(pieces) - size))
            found.append(("" if spaceless else " ").join(pieces[start : start + size]))
    return [text for text in dict.fromkeys(found) if text.strip()]


def fitted_vectors(vocabulary: Vocabulary, teacher: Teacher, texts: Sequence[str], words: csr_matrix) -> Any:
    """A vector a word, its rarity in its length.

    Args:
        vocabulary: the words.
        teacher: what they are learned from.
        texts: natural texts.
        words: texts x words, 1 where a text has the word.
    """
    embedded = teacher.vectors(vocabulary.spellings)
    probabilities = vocabulary.probabilities
    embedded -= probabilities @ embedded / probabilities.sum()
    embedded *= vocabulary.rarity()[:, None].astype(np.float32)
    wanted = teacher.vectors(texts)
    wanted -= wanted.mean(axis=0)
    _, directions = np.linalg.eigh(wanted.T @ wanted)
    wanted = _unit(wanted @ directions[:, ::-1][:, :DIMENSIONS])
    sums = _unit(words @ embedded)
    linear_map = np.linalg.solve(sums.T @ sums + _RIDGE * np.eye(sums.shape[1]), sums.T @ wanted)
    vectors = (embedded @ linear_map).astype(np.float32)
    vectors /= np.sqrt((vectors**2).sum(axis=1).mean())
    return _moved(vectors, words, wanted)


def _moved(vectors: Any, words: csr_matrix, wanted: Any) -> Any:
    """The vectors after some epochs of Adam on the cosines between sums and wanted vectors."""
    start, shuffled = vectors.copy(), np.random.default_rng(SEED)
    mean, square = np.zeros_like(vectors), np.zeros_like(vectors)
    step = 0
    for epoch in range(_EPOCHS):
        order = shuffled.permutation(len(wanted))
        for at in range(0, len(order), _BATCH):
            rows = order[at : at + _BATCH]
            batch, goal = words[rows], wanted[rows]
            sums = batch @ vectors
            lengths = np.maximum(np.sqrt((sums**2).sum(axis=1, keepdims=True)), 1e-6)
            units = sums / lengths
            cosines = (units * goal).sum(axis=1, keepdims=True)
            slope = batch.T @ ((cosines * units - goal) / lengths) + _STAY * len(rows) * (vectors - start)
            step += 1
            mean = 0.9 * mean + 0.1 * slope
            square = 0.98 * square + 0.02 * slope**2
            rate = _RATE * (1 - epoch / _EPOCHS)
            vectors = vectors - rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.98**step)) + 1e-6)
    return vectors


def _unit(rows: Any) -> Any:
    return (rows / np.maximum(np.sqrt((rows**2).sum(axis=1, keepdims=True)), 1e-9)).astype(np.float32)


def whole_numbers(vectors: Any) -> dict[str, Any]:
    """Vectors as the table's file has them: 8 bits a number, and a multiplier a word."""
    largest = np.abs(vectors).max(axis=1)
    unit = largest.max() / (_STEPS * _MOST_MULTIPLIER)
    multipliers = np.clip(np.ceil(largest / (_STEPS * unit)), 1, _MOST_MULTIPLIER)
    numbers = np.rint(vectors / (unit * multipliers[:, None]))
    return {"vectors": numbers.astype(np.int8), "multipliers": multipliers.astype(np.uint8)}
