"""Exact counts of what rows are: models, domains, languages, ratings, kinds, features, lengths, turns. They merge by adding."""

from collections import Counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lmsys_store.analyze.columns import FEATURES, UNLABELLED, Columns, bits_of
from lmsys_store.analyze.evidence import Count

RATING_BANDS: Final = (
    "2 and less",
    "2 to 3",
    "3, no evidence",
    "3, evidence both ways",
    "3 to 4",
    "4 and more",
    UNLABELLED,
)
_TURNS: Final = 12
_LENGTHS: Final = 24
"""Classes of lengths: class k holds up to 2**k - 1 characters, from half of that on."""


class Counts:
    """Counters and histograms of rows."""

    def __init__(self) -> None:
        self.rows = self.labelled = self.current = self.flagged = 0
        self.named: dict[str, Counter[str]] = {name: Counter() for name in ("model", "domain", "language", "kind")}
        self.features = np.zeros(len(FEATURES), np.int64)
        self.ratings = np.zeros(len(RATING_BANDS), np.int64)
        self.turns = np.zeros(_TURNS + 1, np.int64)
        self.prompt_lengths = np.zeros(_LENGTHS, np.int64)
        self.reply_lengths = np.zeros(_LENGTHS, np.int64)

    def add(self, columns: Columns) -> None:
        """Some rows."""
        self.rows += len(columns.chats)
        self.labelled += int(columns.labelled.sum())
        self.current += int(columns.current.sum())
        self.flagged += sum([chat.flagged is True for chat in columns.chats])
        self.named["model"].update([chat.model for chat in columns.chats])
        self.named["language"].update([chat.language for chat in columns.chats])
        self.named["domain"].update([one.domain or UNLABELLED for one in columns.labels])
        self.named["kind"].update(columns.kinds)
        self.features += bits_of(columns.features, len(FEATURES)).sum(axis=0)
        self.ratings += np.bincount(_bands(columns), minlength=len(RATING_BANDS))
        turns = [min(len(chat.messages) // 2, _TURNS) for chat in columns.chats]
        self.turns += np.bincount(turns, minlength=_TURNS + 1)
        self.prompt_lengths += _classes([len(prompt) for prompt in columns.prompts])
        replies = [len(chat.messages[1].content) for chat in columns.chats if len(chat.messages) > 1]
        self.reply_lengths += _classes(replies)

    def merge(self, other: "Counts") -> None:
        """The rows of another."""
        for name, value in vars(other).items():
            if isinstance(value, dict):
                for field, counter in value.items():
                    self.named[field].update(counter)
            else:
                setattr(self, name, getattr(self, name) + value)

    def most(self, name: str) -> tuple[Count, ...]:
        """The values of a field with their rows, most frequent first."""
        ordered = sorted(self.named[name].items(), key=lambda pair: (-pair[1], pair[0]))
        return tuple(Count(name=value, rows=rows) for value, rows in ordered)

    def feature_counts(self) -> tuple[Count, ...]:
        """Each feature with its rows, most frequent first."""
        ordered = sorted(zip(FEATURES, self.features.tolist(), strict=True), key=lambda pair: (-pair[1], pair[0]))
        return tuple(Count(name=name, rows=rows) for name, rows in ordered if rows)

    def rating_counts(self) -> tuple[Count, ...]:
        """The bands of ratings, lowest first."""
        return tuple(
            Count(name=name, rows=rows) for name, rows in zip(RATING_BANDS, self.ratings.tolist(), strict=True)
        )

    def turn_counts(self) -> tuple[Count, ...]:
        """How many rounds, up to the last class, which is open."""
        names = [*map(str, range(_TURNS)), f"{_TURNS} and more"]
        return tuple(Count(name=name, rows=rows) for name, rows in zip(names, self.turns.tolist(), strict=True))


def length_counts(histogram: NDArray[np.int64]) -> tuple[Count, ...]:
    """Classes of lengths in characters with their rows, from the first that has any to the last."""
    rows = histogram.tolist()
    used = [at for at, count in enumerate(rows) if count]
    if not used:
        return ()
    return tuple(Count(name=_class_name(at), rows=rows[at]) for at in range(used[0], used[-1] + 1))


def _class_name(at: int) -> str:
    low, high = (1 << at) >> 1, (1 << at) - 1
    return f"{low:,}" if low >= high else f"{low:,}–{high:,}" if at < _LENGTHS - 1 else f"{low:,} and more"


def _classes(lengths: list[int]) -> NDArray[np.int64]:
    return np.bincount([min(length.bit_length(), _LENGTHS - 1) for length in lengths], minlength=_LENGTHS)


def _bands(columns: Columns) -> NDArray[np.int64]:
    rating = columns.rating
    none = np.array([one.rating_basis in (None, "none") for one in columns.labels], bool)
    conditions = [np.isnan(rating), rating <= 2, rating < 3, (rating == 3) & none, rating == 3, rating < 4]
    return np.select(conditions, [6, 0, 1, 2, 3, 4], 5)
