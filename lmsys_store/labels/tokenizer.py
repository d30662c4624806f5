"""Cuts many texts into the ids of known words at once: numpy over the characters of all texts, no Python per word. Pure.

A word is a run of letters, a run of digits (known by its length alone) or one sign. A run of letters that is no known word, and
every run of a script without spaces, is cut by longest match from left to right. The hazard: training and use must cut alike.
Both come here, and what a character is (its folded form, its class) is part of the table, not of this Python's Unicode.
"""

import unicodedata
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from lmsys_store.labels.mixing import mixed

CODES: Final = 0x30000
"""Characters that are told apart. Those beyond are of no class."""
OTHER, LETTER, SPACELESS, DIGIT, SIGN = range(5)
"""Classes of characters: no word, a letter, a letter of a script without spaces, a digit, a sign that is a word of its own."""
UNKNOWN: Final = -1
_LONGEST: Final = {LETTER: 16, SPACELESS: 8}
_SHORTEST: Final = {LETTER: 4, SPACELESS: 1}
"""Lengths of pieces, in characters."""
_BUCKET_BITS: Final = 19
_MULTIPLIER: Final = 0x9E3779B97F4A7C15
_INVERSE: Final = pow(_MULTIPLIER, -1, 1 << 64)
_CHARACTERS: Final = 1 << 19
"""Characters that are cut in one go, at most."""
_RUN: Final = 24
"""Characters of a run that are cut in a row. A longer run of a script without spaces is cut in parts of so many; of a longer
unknown word only the beginning is."""
_SEPARATOR: Final = "\0"


class HashIndex:
    """Whole numbers to their position in a list, many at once. The numbers must be spread evenly over 64 bits."""

    def __init__(self, hashes: Any) -> None:
        self._order = np.argsort(hashes, kind="stable").astype(np.int32)
        # One more than any hash at the end, so that a look-up may always read one further.
        self._sorted = np.append(hashes[self._order], np.uint64((1 << 64) - 1))
        buckets = (self._sorted[:-1] >> np.uint64(64 - _BUCKET_BITS)).astype(np.int64)
        self._first = np.searchsorted(buckets, np.arange(1 << _BUCKET_BITS)).astype(np.int32)

    def find(self, hashes: Any) -> Any:
        """The positions of hashes in the list, or UNKNOWN."""
        at = self._first[(hashes >> np.uint64(64 - _BUCKET_BITS)).astype(np.int64)]
        read = self._sorted[at]
        behind = np.flatnonzero(read < hashes)
        while len(behind):
            at[behind] += 1
            read[behind] = self._sorted[at[behind]]
            behind = behind[read[behind] < hashes[behind]]
        found = np.full(len(hashes), UNKNOWN, np.int32)
        hits = np.flatnonzero(read == hashes)
        hits = hits[at[hits] < len(self._order)]
        found[hits] = self._order[at[hits]]
        return found


class Tokens(NamedTuple):
    """Known words in the order of the texts: ``ids[i]`` stands in text ``texts[i]`` at ``starts[i]:ends[i]`` (characters).

    The places are of the text after :func:`normalized`. ``counts`` says how many words each text has, known or not, and
    ``letters`` how many letters.
    """

    texts: Any
    ids: Any
    starts: Any
    ends: Any
    counts: Any
    letters: Any


def normalized(text: str) -> str:
    """The text with compatible characters made one (NFKC); itself where it is ASCII."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


class Tokenizer:
    """Cuts texts into ids of ``words``, which must stand as :meth:`folded` gives them."""

    def __init__(self, words: Sequence[str], folded: Any, classes: Any) -> None:
        self._folded, self._classes = folded, classes
        self._values = mixed(np.arange(CODES, dtype=np.uint64))[folded]
        self._powers = _powers(_MULTIPLIER, _CHARACTERS + 1)
        self._inverse = _powers(_INVERSE, _CHARACTERS + 1)
        self._index = HashIndex(self._hashes(words))
        shortest = _SHORTEST[LETTER]
        beginnings = {word[:shortest] for word in words if len(word) >= shortest}
        self._beginnings = HashIndex(self._hashes(list(beginnings)))
        self.words = words

    def fold(self, text: str) -> str:
        """A text as its words are known: normalised, small letters, without accents."""
        codes = _codes(normalized(text))
        return "".join(map(chr, self._folded[np.minimum(codes, CODES - 1)].tolist()))

    def _hashes(self, words: Sequence[str]) -> Any:
        text = "".join(words)
        sizes = np.fromiter(map(len, words), np.int64, len(words))
        hashes = np.empty(len(words), np.uint64)
        ends = np.cumsum(sizes)
        values = self._values[_codes(text)]
        first = 0
        while first < len(words):
            start = ends[first] - sizes[first]
            last = int(np.searchsorted(ends, start + _CHARACTERS, "right"))
            sums = self._sums(values[start : ends[last - 1]])
            at, to = ends[first:last] - sizes[first:last] - start, ends[first:last] - start
            hashes[first:last] = (sums[to] - sums[at]) * self._inverse[at]
            first = last
        return hashes

    def _sums(self, values: Any) -> Any:
        sums = np.zeros(len(values) + 1, np.uint64)
        np.cumsum(values * self._powers[: len(values)], out=sums[1:])
        return sums

    def cut(self, texts: Sequence[str]) -> Tokens:
        """The known words of texts."""
        parts: list[Tokens] = []
        batch: list[str] = []
        size = first = 0
        for number, text in enumerate(texts):
            text = normalized(text[: _CHARACTERS - 1])
            if size + len(text) >= _CHARACTERS and batch:
                parts.append(self._cut(batch, first))
                batch, size, first = [], 0, number
            batch.append(text)
            size += len(text) + 1
        if batch:
            parts.append(self._cut(batch, first))
        if not parts:
            empty = np.empty(0, np.int64)
            return Tokens(empty, empty, empty, empty, empty, empty)
        return Tokens(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    def _cut(self, texts: Sequence[str], first: int) -> Tokens:
        sizes = np.fromiter(map(len, texts), np.int64, len(texts)) + 1
        offsets = np.cumsum(sizes) - sizes
        codes = _codes(_SEPARATOR.join(texts) + _SEPARATOR)
        if len(codes) > _CHARACTERS:  # one text that grew when it was normalised
            codes = codes[:_CHARACTERS]
        codes = np.minimum(codes, CODES - 1)
        classes = self._classes[codes]
        sums = self._sums(self._values[codes])
        begins = np.empty(len(codes), bool)
        begins[0] = True
        np.not_equal(classes[1:], classes[:-1], out=begins[1:])
        begins |= classes == SIGN
        starts = np.flatnonzero(begins)
        kinds = classes[starts]
        chosen = np.flatnonzero(kinds)
        ends = np.append(starts[1:], len(codes))[chosen]
        starts, kinds = starts[chosen], kinds[chosen]
        bounds = np.searchsorted(starts, np.append(offsets, len(codes)))
        lengths = (ends - starts) * (kinds <= SPACELESS)
        letters = np.diff(np.append(0, np.cumsum(lengths))[bounds])
        ids = self._index.find((sums[ends] - sums[starts]) * self._inverse[starts])
        known = np.flatnonzero(ids != UNKNOWN)
        pieces = [(starts[known], ends[known], ids[known])]
        unknown = np.flatnonzero(ids == UNKNOWN)
        for kind in (LETTER, SPACELESS):
            whole = unknown[(kinds[unknown] == kind) & (lengths[unknown] > _SHORTEST[kind])]
            if len(whole):
                pieces += self._pieces(sums, *_runs(starts[whole], ends[whole], kind), kind)
        counts = np.diff(bounds)
        if len(pieces) > 1:
            starts, ends, ids = (np.concatenate(columns) for columns in zip(*pieces, strict=True))
            order = np.argsort(starts, kind="stable")
            starts, ends, ids = starts[order], ends[order], ids[order]
        else:
            [(starts, ends, ids)] = pieces
        numbers = np.repeat(np.arange(len(texts)), np.diff(np.searchsorted(starts, np.append(offsets, len(codes)))))
        begin = offsets[numbers]
        return Tokens(numbers + first, ids, starts - begin, ends - begin, counts, letters)

    def _pieces(self, sums: Any, at: Any, ends: Any, kind: int) -> list[tuple[Any, Any, Any]]:
        """Known pieces of runs of characters, the longest first at each place; a character that begins none is left out."""
        found = []
        while len(at):
            ids = np.full(len(at), UNKNOWN, np.int32)
            lengths = np.ones(len(at), np.int64)
            open_ = np.arange(len(at))
            if kind == LETTER:  # most places begin no word at all: one look-up tells
                begin = (sums[at + _SHORTEST[kind]] - sums[at]) * self._inverse[at]
                open_ = np.flatnonzero(self._beginnings.find(begin) != UNKNOWN)
            for length in range(min(_LONGEST[kind], int((ends - at).max())), _SHORTEST[kind] - 1, -1):
                tried = open_[at[open_] + length <= ends[open_]]
                if not len(tried):
                    continue
                start = at[tried]
                hits = self._index.find((sums[start + length] - sums[start]) * self._inverse[start])
                known = hits != UNKNOWN
                ids[tried[known]], lengths[tried[known]] = hits[known], length
                open_ = open_[ids[open_] == UNKNOWN]
            known = ids != UNKNOWN
            found.append((at[known], at[known] + lengths[known], ids[known]))
            at = at + lengths
            going = ends - at >= _SHORTEST[kind]
            at, ends = at[going], ends[going]
        return found


def places_within(sizes: Any) -> Any:
    """The places 0, 1, 2 … within each of some groups that follow one another, given their sizes."""
    return np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)


def _runs(starts: Any, ends: Any, kind: int) -> tuple[Any, Any]:
    """Runs in parts that are short enough to be cut."""
    if kind == LETTER:
        return starts, np.minimum(ends, starts + _RUN)
    parts = (ends - starts + _RUN - 1) // _RUN
    begins = np.repeat(starts, parts)
    begins += _RUN * places_within(parts)
    return begins, np.minimum(np.repeat(ends, parts), begins + _RUN)


def _codes(text: str) -> Any:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _powers(base: int, count: int) -> Any:
    powers = np.full(count, base, np.uint64)
    powers[0] = 1
    return np.cumprod(powers)
