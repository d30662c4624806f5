"""A batch of rows as columns: what every part of the analysis reads, taken from the records and their stored labels once.

The hazard: cost. This loop runs for every row of a million; labels that are stored are never derived anew here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lmsys_store.analyze.bottom import Numbers, hashed, numbers
from lmsys_store.labels.mixing import mixed
from lmsys_store.labels.rating import VERSION
from lmsys_store.labels.structure import QUESTION_KINDS, STRUCTURE_TAGS, question_kind
from lmsys_store.records import Conversation, Labels

SHORT: Final = 60
LONG: Final = 600
FEATURES: Final = (*STRUCTURE_TAGS, *(f"kind:{kind}" for kind in QUESTION_KINDS), "short", "long")
"""How a first prompt is built: its tags, the kind of its question, under 60 characters, 600 and over."""
OUTCOMES: Final = ("rated-4", "rated-2", "refusal", "correction", "praise")
"""What became of it: rated 4 or more, 2 or less, refused, corrected or rejected by the user, praised by the user."""
_FEATURE_BIT: Final = {name: 1 << bit for bit, name in enumerate(FEATURES)}
_SIGNAL_BITS: Final = {"refusal": 1 << 2, "user-correction": 1 << 3, "user-rejection": 1 << 3, "praise": 1 << 4}
ANSWERED: Final = 1 << len(OUTCOMES)
"""The user wrote again after the first reply: without that nobody can praise or correct."""


@dataclass(frozen=True)
class Columns:
    """Rows side by side: one entry a row in every column."""

    chats: Sequence[Conversation]
    labels: Sequence[Labels]
    prompts: Sequence[str]
    kinds: Sequence[str]
    row_index: Numbers
    rank: Numbers
    """A fixed hash of the row index: what of a row is kept is decided by it."""
    features: Numbers
    outcomes: Numbers
    rating: NDArray[np.float64]
    """NaN where there is none."""
    labelled: NDArray[np.bool_]
    current: NDArray[np.bool_]
    """Whether the labels are of this code's version."""
    prompt_key: Numbers
    family: Numbers
    model: Numbers
    domain: Numbers

    @classmethod
    def of(cls, chats: Sequence[Conversation]) -> "Columns":
        """The columns of some rows."""
        labels = Labels.unpacked_many([chat.packed_labels for chat in chats])
        prompts = [chat.messages[0].content for chat in chats]
        kinds = [question_kind(prompt) for prompt in prompts]
        row_index = numbers([chat.row_index for chat in chats])
        values: list[dict[str, Any]] = [one.__dict__ for one in labels]
        return cls(
            chats=chats, labels=labels, prompts=prompts, kinds=kinds, row_index=row_index, rank=mixed(row_index),
            features=np.array(
                [
                    _tag_bits(one["tags"]) | _FEATURE_BIT[f"kind:{kind}"] | _length_bit(len(prompt))
                    for one, kind, prompt in zip(values, kinds, prompts, strict=True)
                ],
                np.uint64,
            ),
            outcomes=np.array(
                [
                    _outcome_bits(one["rating"], one["signals"]) | (ANSWERED if len(chat.messages) > 2 else 0)
                    for one, chat in zip(values, chats, strict=True)
                ],
                np.uint64,
            ),
            rating=np.array([one["rating"] for one in values], np.float64),
            labelled=np.array([one["rating"] is not None for one in values], bool),
            current=np.array([_is_current(one["version"]) for one in values], bool),
            prompt_key=numbers([one["prompt_key"] or 0 for one in values]),
            family=numbers([one["family"] or 0 for one in values]),
            model=np.array([name_hash(chat.model) for chat in chats], np.uint64),
            domain=np.array([name_hash(one["domain"] or UNLABELLED) for one in values], np.uint64),
        )  # fmt: skip


UNLABELLED: Final = "unlabelled"


@lru_cache(maxsize=1 << 14)
def name_hash(name: str) -> int:
    """A name of a model or domain as a number, the same in every process."""
    return hashed(name)


@lru_cache(maxsize=1 << 14)
def _tag_bits(tags: tuple[str, ...] | None) -> int:
    return sum(_FEATURE_BIT.get(tag, 0) for tag in tags or ())


def _length_bit(length: int) -> int:
    return _FEATURE_BIT["short"] if length < SHORT else _FEATURE_BIT["long"] if length >= LONG else 0


@lru_cache(maxsize=1 << 14)
def _outcome_bits(rating: float | None, signals: tuple[str, ...] | None) -> int:
    bits = 0 if rating is None else 1 if rating >= 4 else 2 if rating <= 2 else 0
    for signal in signals or ():
        bits |= _SIGNAL_BITS.get(signal, 0)
    return bits


@lru_cache(maxsize=64)
def _is_current(version: str | None) -> bool:
    """Whether labels are of this code, whatever weights of the user's they were made with."""
    return version is not None and version.partition("+")[0] == VERSION


def bits_of(mask: Numbers, count: int) -> NDArray[np.bool_]:
    """The lowest bits of numbers as a matrix: a row a number, a column a bit."""
    return np.asarray((mask[:, None] >> np.arange(count, dtype=np.uint64)) & np.uint64(1), bool)
