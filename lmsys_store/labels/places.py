"""Where families stand among 65,536 places: texts that share most of their shingles mostly share a place. Many at once.

The hazard: splits go by the place. Whatever changes it moves rows between train and test.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final
from zlib import crc32

import numpy as np

PLACES: Final = 1 << 16
_SHINGLE: Final = 5
_SPREAD: Final = 0x9E3779B1
_SALT: Final = 1_112_763_298
"""Chosen among thousands, on our prompts, so that no shingle leads many of them (the most frequent 1.6 %) and splits are even."""
_LOW_32: Final = (1 << 32) - 1
_POLYNOMIAL: Final = 0xEDB88320


def places_of(texts: Sequence[str]) -> list[int]:
    """The place of each text, found by one of its shingles, the least by a hash (Broder's MinHash).

    Two texts share it as often as they share shingles. Letters are sorted within a word: exchanged ones change nothing.
    """
    plain = [f" {' '.join(map(_sorted, text.split()))} " for text in texts]
    least: dict[int, int] = {}
    at_once = [at for at, text in enumerate(plain) if text.isascii() and len(text) >= _SHINGLE]
    if at_once:
        least |= dict(zip(at_once, _least_of([plain[at].encode() for at in at_once]), strict=True))
    for at, text in enumerate(plain):
        if at not in least:
            starts = range(max(len(text) - _SHINGLE + 1, 1))
            shingles = [text[start : start + _SHINGLE].encode("utf8", "surrogatepass") for start in starts]
            least[at] = min([(crc32(shingle) ^ _SALT) * _SPREAD & _LOW_32 for shingle in shingles])
    digests = (hashlib.blake2b(least[at].to_bytes(4, "big"), digest_size=2).digest() for at in range(len(texts)))
    return [int.from_bytes(digest, "big") for digest in digests]


@lru_cache(maxsize=1 << 15)
def _sorted(word: str) -> str:
    """The letters of a word in order; kept, since most words come again and again."""
    return "".join(sorted(word))


def _least_of(texts: Sequence[bytes]) -> list[int]:
    """The least hash among each text's shingles: CRC-32 of all of them at once, four table look-ups for one in Python."""
    letters = np.frombuffer(b"".join(texts), np.uint8)
    crc = np.full(len(letters) - _SHINGLE + 1, _LOW_32, np.uint32)
    for place in range(_SHINGLE):
        crc = _TABLE[(crc ^ letters[place : place + len(crc)]) & 0xFF] ^ (crc >> np.uint32(8))
    hashes = ((crc ^ np.uint32(_LOW_32)) ^ np.uint32(_SALT)) * np.uint32(_SPREAD)
    sizes = np.array([len(text) for text in texts])
    starts = np.cumsum(sizes) - sizes
    bounds = np.column_stack([starts, starts + sizes - _SHINGLE + 1]).ravel()
    # Of every second range: those between cross from one text into the next.
    found: list[int] = np.minimum.reduceat(np.append(hashes, np.uint32(_LOW_32)), bounds)[::2].tolist()
    return found


def _table() -> Any:
    values = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        values = np.where(values & 1, (values >> np.uint32(1)) ^ np.uint32(_POLYNOMIAL), values >> np.uint32(1))
    return values.astype(np.uint32)


_TABLE: Final = _table()
