"""The words of the table, and what each character is. Words come from the teacher's own pieces and from the texts to be read.

The teacher's pieces bring their probabilities; a word of the texts that is no piece counts as rare.
"""

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from lmsys_store.labels.tokenizer import CODES, DIGIT, LETTER, OTHER, SIGN, SPACELESS, Tokenizer

_SIGNS: Final = frozenset("{}()[]<>=+*/^\\|;:#$%&@\"'?!`~_€£¿¡？！。、「」“”…-\n")
_SPACELESS: Final = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x2E80, 0x30FF), (0x31F0, 0x9FFF), (0xF900, 0xFAFF),
    (0x20000, 0x2FFFF),
)  # fmt: skip
"""Thai and Lao, Burmese, Khmer, Chinese and Japanese. Korean has spaces."""
_COMBINING: Final = range(0x0300, 0x0370)
_SHORTEST_INNER: Final = 4
_INNER_SHARE: Final = 0.3
_LONGEST: Final = 24
_RARE: Final = 1e-7
_DIGIT_LENGTHS: Final = 8
_RARITY: Final = 1e-4
"""A word of this probability weighs half of the rarest (Arora et al. 2017)."""


def characters() -> tuple[Any, Any]:
    """By code, the character that it counts as, and its class."""
    folded, classes = np.arange(CODES, dtype=np.uint32), np.full(CODES, OTHER, np.uint8)
    for code in range(CODES):
        character, category = chr(code), unicodedata.category(chr(code))
        if character in _SIGNS:
            classes[code] = SIGN
        elif category[0] == "N" and category != "Nl":
            folded[code], classes[code] = ord("0"), DIGIT
        elif category[0] in "LM" and code not in _COMBINING:
            folded[code] = _folded(character)
            classes[code] = SPACELESS if any(low <= code <= high for low, high in _SPACELESS) else LETTER
    return folded, classes


def _folded(character: str) -> int:
    """The small letter without accents. Only Latin and Greek lose them: elsewhere they make another letter."""
    small = character.casefold()
    small = small if len(small) == 1 else character
    parts = unicodedata.normalize("NFD", small)
    name = unicodedata.name(small, "")
    return ord(parts[0]) if len(parts) > 1 and name.startswith(("LATIN", "GREEK")) else ord(small)


@dataclass(frozen=True)
class Vocabulary:
    """Words as the tokenizer knows them, how each is spelt, its probability; ``signs`` follow them, without a meaning."""

    words: Sequence[str]
    spellings: Sequence[str]
    probabilities: Any
    signs: Sequence[str]
    folded: Any
    classes: Any

    def rarity(self) -> Any:
        """How much each word counts, 0 to 1."""
        return _RARITY / (_RARITY + self.probabilities)

    def arrays(self) -> dict[str, Any]:
        """The vocabulary as the table's file has it."""
        moved = self.folded.astype(np.int64) - np.arange(CODES)
        folded_values, folded_sizes = _runs(moved)
        class_values, class_sizes = _runs(self.classes)
        text = "\0".join([*self.words, *self.signs]).encode()
        return {
            "words": np.frombuffer(text, np.uint8),
            "rarity": np.append(np.rint(self.rarity() * 255), np.zeros(len(self.signs))).astype(np.uint8),
            "folded_values": folded_values.astype(np.int32),
            "folded_sizes": folded_sizes.astype(np.int32),
            "class_values": class_values,
            "class_sizes": class_sizes.astype(np.int32),
        }


def _runs(values: Any) -> tuple[Any, Any]:
    starts = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
    return values[starts], np.diff(np.append(starts, len(values)))


def vocabulary(pieces: Iterable[tuple[str, float]], texts: Iterable[str]) -> Vocabulary:
    """The vocabulary of the teacher's pieces (with their log-probabilities) and of texts."""
    folded, classes = characters()
    fold = Tokenizer([], folded, classes).fold
    probabilities: dict[str, float] = defaultdict(float)
    spellings: dict[str, tuple[float, str]] = {}
    for piece, score in pieces:
        word = piece.lstrip("▁")
        kind = _class_of(word, classes)
        inner = kind == LETTER and word == piece
        if kind is None or (inner and len(word) < _SHORTEST_INNER):
            continue
        probability = math.exp(score) * (_INNER_SHARE if inner else 1.0)
        key = fold(word)
        probabilities[key] += probability
        spellings[key] = max(spellings.get(key, (0.0, "")), (probability, word))
    taught = set("".join(spellings))
    for key, spelling in _words_of(texts, classes, fold).items():
        # A script that the teacher does not read gets no words: their vectors would be chance.
        if key not in spellings and 1 < len(key) <= _LONGEST and taught.issuperset(key):
            probabilities[key], spellings[key] = _RARE, (_RARE, spelling)
    words = sorted(spellings)
    signs = [*sorted(_SIGNS), *("0" * length for length in range(1, _DIGIT_LENGTHS + 1))]
    return Vocabulary(
        words=words,
        spellings=[spellings[word][1] for word in words],
        probabilities=np.array([probabilities[word] for word in words]),
        signs=signs,
        folded=folded,
        classes=classes,
    )


def _class_of(word: str, classes: Any) -> int | None:
    """The class of a word of letters; None for all else."""
    kinds = {int(classes[min(ord(character), CODES - 1)]) for character in word}
    return kinds.pop() if len(kinds) == 1 and kinds <= {LETTER, SPACELESS} else None


def _words_of(texts: Iterable[str], classes: Any, fold: Any) -> dict[str, str]:
    """The words of texts by their folded form, spelt as they mostly are."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for text in texts:
        for word in re.findall(r"[^\W\d_]+", text):
            if _class_of(word, classes) == LETTER:
                counts[fold(word)][word] += 1
    return {key: min(spelt, key=lambda word: (-spelt[word], word)) for key, spelt in counts.items()}
