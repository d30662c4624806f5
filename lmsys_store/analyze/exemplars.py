"""First prompts word for word that did best: one a template, the highest ratings. What may identify somebody is left out."""

import re
from typing import Final

import numpy as np

from lmsys_store.analyze.columns import Columns
from lmsys_store.analyze.evidence import Exemplar

KEPT: Final = 40
_SHORTEST, _LONGEST = 20, 1000
"""Characters: what is shorter shows nothing, what is longer is no example to paste."""
_LEAST_RATING: Final = 3.0
"""What has evidence against it is no example, however few there are."""
_PERSONAL: Final = re.compile(
    r"NAME_\d|\S@\S+\.\w|https?://|www\.|\+?\d[\d ()./-]{6,}\d|\b(?:\d{1,3}\.){3}\d{1,3}\b|\b(?=\w*\d)\w{24,}\b"
)
"""Names that were replaced, mail and web addresses, phone and card numbers, IP addresses, keys."""
Rank = tuple[float, float, int]


class Exemplars:
    """The best rows of KEPT templates: the order of the rows does not matter, since what a template loses by it never regains."""

    def __init__(self) -> None:
        self._best: dict[int, tuple[Rank, Exemplar]] = {}

    def add(self, columns: Columns) -> None:
        """Some rows."""
        confidence = np.array([one.rating_confidence or 0.0 for one in columns.labels])
        lengths = np.array([len(prompt) for prompt in columns.prompts])
        usable = (columns.rating >= _LEAST_RATING) & (lengths >= _SHORTEST) & (lengths <= _LONGEST)
        worst = self._worst()
        if worst is not None:
            usable &= -columns.rating <= worst[0]
        for at in np.flatnonzero(usable).tolist():
            rank = (-float(columns.rating[at]), -float(confidence[at]), int(columns.rank[at]))
            held = self._best.get(int(columns.family[at]))
            if (worst is not None and rank > worst) or (held is not None and held[0] <= rank):
                continue
            chat, prompt = columns.chats[at], columns.prompts[at]
            if chat.flagged or _PERSONAL.search(prompt):
                continue
            labels = columns.labels[at]
            exemplar = Exemplar(
                prompt=prompt, conversation_id=chat.conversation_id, row_index=chat.row_index, rating=labels.rating,
                basis=labels.rating_basis or "none", level="",
            )  # fmt: skip
            self._best[int(columns.family[at])] = rank, exemplar
        self._prune()

    def _worst(self) -> Rank | None:
        return max(rank for rank, _ in self._best.values()) if len(self._best) >= KEPT else None

    def _prune(self) -> None:
        if len(self._best) > KEPT:
            self._best = dict(sorted(self._best.items(), key=lambda entry: entry[1][0])[:KEPT])

    def merge(self, other: "Exemplars") -> None:
        """The rows of another."""
        for family, entry in other._best.items():
            held = self._best.get(family)
            if held is None or entry[0] < held[0]:
                self._best[family] = entry
        self._prune()

    def best(self, level: str) -> tuple[Exemplar, ...]:
        """Best first."""
        ordered = sorted(self._best.values(), key=lambda entry: entry[0])
        return tuple(exemplar.model_copy(update={"level": level}) for _, exemplar in ordered)
