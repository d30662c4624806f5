"""All labels of rows, by one version of this code and one learned table. A pure function of the row.

What it computes is equal whether a row comes alone, in a page, from a file, the remote, the seeds or the store itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np

from lmsys_store.labels.domains import Classified, classify, words_that_decided
from lmsys_store.labels.external import ExternalLabel
from lmsys_store.labels.feedback import feedback
from lmsys_store.labels.keys import family_keys, prompt_key
from lmsys_store.labels.rating import WEIGHTS, Rating, rate, version_of, weight_of
from lmsys_store.labels.reading import Round, read
from lmsys_store.labels.replies import Shown, ends_with_question, reply_signals
from lmsys_store.labels.signals import evidence_of
from lmsys_store.labels.structure import prompt_tags
from lmsys_store.labels.table import shipped_table
from lmsys_store.records import FLAGGED_BIT, Evidence, Labels, PackedModeration
from lmsys_store.rows import CheckedRow

_EXTERNAL: Final = "external"
_NO_IMPORTS: Final[Mapping[int, Mapping[str, ExternalLabel]]] = MappingProxyType({})
_NOTHING_SAID: Final = ExternalLabel()


class Explained(NamedTuple):
    """Labels with what they rest on: the rating with its evidence, and the words that decided domain and task."""

    labels: Labels
    rating: Rating
    domain_words: tuple[str, ...]
    task_words: tuple[str, ...]


class _Read(NamedTuple):
    """What the models say of one row."""

    classified: Classified
    shown: Sequence[Sequence[Shown]]
    feedback: Sequence[str | None]


class Labeller:
    """Labels rows. ``version`` names this code, and the weights where they are not ours."""

    def __init__(self, weights: Mapping[str, tuple[float, float]] = WEIGHTS) -> None:
        self._weights = weights
        self.version = version_of(weights)

    def labelled(self, rows: Sequence[CheckedRow]) -> list[CheckedRow]:
        """The rows with their labels; a page at once costs less than its rows one by one."""
        return [row._replace(labels=labels) for row, labels in zip(rows, self.labels(rows), strict=True)]

    def labels(
        self, rows: Sequence[CheckedRow], external: Mapping[int, Mapping[str, ExternalLabel]] = _NO_IMPORTS
    ) -> list[Labels]:
        """The labels of rows; ``external`` are imports by name, the later laid over the earlier, by row index."""
        families = family_keys([row.contents[0] for row in rows])
        return [
            self._joined(row, one, family, external.get(row.row_index))
            for row, one, family in zip(rows, said_of([row.contents for row in rows]), families, strict=True)
        ]

    def explain(self, row: CheckedRow, external: Mapping[str, ExternalLabel] | None = None) -> Explained:
        """The labels of a row with what they rest on: read from the row where they are this version's, else computed."""
        labels = row.labels
        if labels.version != self.version or labels.evidence is None or external or labels.external:
            [labels] = self.labels([row], {row.row_index: external or {}})
        return Explained(
            labels,
            rating_of(labels),
            words_that_decided(row.contents[::2], "domain"),
            words_that_decided(row.contents[::2], "task"),
        )

    def _joined(
        self, row: CheckedRow, read_: _Read, family: int, external: Mapping[str, ExternalLabel] | None
    ) -> Labels:
        over = _NOTHING_SAID
        for label in (external or {}).values():
            over = over.joined(label)
        said = {turn: signal for turn, signal in over.feedback.items() if turn <= len(row.contents) // 2}
        feedback = [said.get(turn, signal) for turn, signal in enumerate(read_.feedback, 1)]
        packed = None if row.moderation is None else row.moderation.packed
        evidence = evidence_of(row.contents, read_.shown, feedback, _flags(packed), self._weights)
        if len(read_.feedback) + 1 in said:
            evidence.append(_about_last(said, len(row.contents), self._weights))
        tags = prompt_tags(row.contents[0])
        if len(row.contents) > 2:
            tags.append("multi-turn")
        rating = rate(evidence, self.version)
        if external and (over.rating is not None or said):
            value = rating.value if over.rating is None else over.rating
            rating = rating.model_copy(update={"value": value, "basis": _EXTERNAL})
        found = read_.classified
        return Labels.assembled(
            {
                "domain": over.domain or found.domain,
                "domain_score": 1.0 if over.domain else found.domain_score,
                "second_domain": None if over.domain else found.second_domain,
                "task": over.task or found.task,
                "task_score": 1.0 if over.task else found.task_score,
                "second_task": None if over.task else found.second_task,
                "rating": rating.value,
                "rating_basis": rating.basis,
                "rating_confidence": rating.confidence,
                "tags": tuple(sorted(tags)) if over.tags is None else over.tags,
                "signals": tuple(sorted({one.id for one in evidence})),
                "prompt_key": prompt_key(row.contents[0]),
                "family": family,
                "external": ", ".join(external) if external else None,
                "version": self.version,
                "evidence": tuple(evidence),
            }
        )


def said_of(chats: Sequence[Sequence[str]]) -> Iterator[_Read]:
    """What the models say of conversations, each given as its messages, the user's first."""
    pages = read(shipped_table(), chats)
    texts = [
        Round(chat[at - 1], chat[at], chat[at + 1] if at + 1 < len(chat) else None)
        for chat in chats
        for at in range(1, len(chat), 2)
    ]
    shown = iter(reply_signals(pages, pages.rounds, texts))
    answered = np.flatnonzero(pages.rounds[:, 2] >= 0)
    later = [texts[at] for at in answered.tolist()]
    asked = np.fromiter((ends_with_question(one.reply) for one in later), bool, len(later))
    said = iter(feedback(pages, pages.rounds[answered], later, asked))
    for chat, classified in zip(chats, classify(pages), strict=True):
        replies, messages = len(chat) // 2, (len(chat) - 1) // 2
        yield _Read(classified, [next(shown) for _ in range(replies)], [next(said) for _ in range(messages)])


def feedback_of(messages: Sequence[str]) -> dict[int, str]:
    """What the user says of each reply in one conversation, by round (1 is the first)."""
    [said] = said_of([messages])
    return {turn: signal for turn, signal in enumerate(said.feedback, 1) if signal is not None}


def rating_of(labels: Labels) -> Rating:
    """The rating of labels, with the evidence they keep."""
    rating = rate(labels.evidence or (), labels.version or "")
    return rating.model_copy(
        update={"value": labels.rating, "basis": labels.rating_basis, "confidence": labels.rating_confidence}
    )


def _flags(packed: PackedModeration | None) -> Sequence[bool] | None:
    if packed is None:
        return None
    flags = packed.flags
    return [int.from_bytes(flags[at : at + 2], "little") >= FLAGGED_BIT for at in range(0, len(flags), 2)]


def _about_last(feedback: Mapping[int, str], messages: int, weights: Mapping[str, tuple[float, float]]) -> Evidence:
    """What somebody else found the user to say of the last reply, after which the user wrote nothing more.

    It names the reply itself and quotes nothing.
    """
    turn = messages // 2
    signal = feedback[turn]
    return Evidence.of_packed((signal, turn, messages - 1, 0, 0, weight_of(weights, signal, last=True)))
