"""All labels of one row, by one version of this code and one table of weights. A pure function of the row.

What it computes is equal whether a row comes alone, in a page, from a file, the remote, the seeds or the store itself.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Final, NamedTuple

from lmsys_store.labels.domains import Classified, classify, words_that_decided
from lmsys_store.labels.external import ExternalLabel
from lmsys_store.labels.feedback import feedback
from lmsys_store.labels.keys import family_keys, prompt_key
from lmsys_store.labels.patterns import Found
from lmsys_store.labels.rating import WEIGHTS, Evidence, Rating, rate, version_of, weight_of
from lmsys_store.labels.replies import reply_signals
from lmsys_store.labels.rounds import Round
from lmsys_store.labels.signals import evidence_of
from lmsys_store.labels.structure import structure_tags
from lmsys_store.records import FLAGGED_BIT, Labels, PackedModeration, Role
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
        return [labels for labels, _ in self._rated(rows, external)]

    def explain(self, row: CheckedRow, external: Mapping[str, ExternalLabel] | None = None) -> Explained:
        """The same with what they rest on."""
        prompts = row.contents[::2]
        [rated] = self._rated([row], {row.row_index: external or {}})
        return Explained(
            *rated,
            words_that_decided(prompts, "domain"),
            words_that_decided(prompts, "task"),
        )

    def _rated(
        self, rows: Sequence[CheckedRow], external: Mapping[int, Mapping[str, ExternalLabel]]
    ) -> Iterator[tuple[Labels, Rating]]:
        """Labels and ratings of rows; what weighs words does so for all of them at once."""
        classes = classify([row.contents[::2] for row in rows])
        shown = iter(reply_signals([reply for row in rows for reply in row.contents[1::2]]))
        texts = [row.contents for row in rows]
        said = iter(feedback([Round(one[at], one[at + 1], one[at + 2]) for one in texts for at in _asked_after(one)]))
        families = family_keys([row.contents[0] for row in rows])
        for row, found, family in zip(rows, classes, families, strict=True):
            signals = islice(shown, len(row.contents) // 2), islice(said, len(_asked_after(row.contents)))
            yield self._joined(row, found, family, signals, external.get(row.row_index))

    def _joined(
        self,
        row: CheckedRow,
        found: Classified,
        family: int,
        signals: tuple[Iterable[Sequence[Found]], Iterable[Found | None]],
        external: Mapping[str, ExternalLabel] | None,
    ) -> tuple[Labels, Rating]:
        prompts = row.contents[::2]
        packed = None if row.moderation is None else row.moderation.packed
        evidence = evidence_of(row.contents, *signals, _flags(packed), self._weights)
        tags = {*structure_tags(prompts[0]), *found.tags}
        if len(prompts) > 1:
            tags.add("multi-turn")
        over = _NOTHING_SAID
        for label in (external or {}).values():
            over = over.joined(label)
        replies = len(row.contents) // 2
        said = {turn: signal for turn, signal in over.feedback.items() if turn <= replies}
        if said:
            evidence = _with_feedback(evidence, said, len(row.contents), self._weights)
        rating = rate(evidence, self.version)
        if external and (over.rating is not None or said):
            value = rating.value if over.rating is None else over.rating
            rating = rating.model_copy(update={"value": value, "basis": _EXTERNAL})
        labels = Labels.assembled(
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
                "signals": tuple(sorted({one.id for one in rating.evidence})),
                "prompt_key": prompt_key(prompts[0]),
                "family": family,
                "external": ", ".join(external) if external else None,
                "version": self.version,
            }
        )
        return labels, rating


def _asked_after(contents: Sequence[str]) -> range:
    """Where the prompts stand that have a reply and another message of the user after it."""
    return range(0, len(contents) - 2, 2)


def _flags(packed: PackedModeration | None) -> Sequence[bool] | None:
    if packed is None:
        return None
    flags = packed.flags
    return [int.from_bytes(flags[at : at + 2], "little") >= FLAGGED_BIT for at in range(0, len(flags), 2)]


def _with_feedback(
    evidence: Sequence[Evidence], feedback: Mapping[int, str], messages: int, weights: Mapping[str, tuple[float, float]]
) -> list[Evidence]:
    """The evidence with what somebody else found the user to say, in place of what we found about the same rounds.

    It is about rounds with a reply, and quotes nothing: of a user who wrote nothing more it names the reply itself.
    """
    rounds = (messages + 1) // 2
    kept = [one for one in evidence if one.turn not in feedback or one.role == "assistant"]
    for turn, signal in feedback.items():
        weight = weight_of(weights, signal, last=turn >= rounds - 1)
        message = min(2 * turn, messages - 1)
        role: Role = "user" if message % 2 == 0 else "assistant"
        kept.append(Evidence(id=signal, turn=turn, message=message, role=role, start=0, end=0, weight=weight))
    return kept
