"""Patterns: the default analyzer. One pass over rows, in memory that does not grow with them; its result is a PatternReport."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from lmsys_store.analyze.associations import Observations, associate
from lmsys_store.analyze.bottom import Smallest
from lmsys_store.analyze.columns import ANSWERED, FEATURES, OUTCOMES, UNLABELLED, Columns, bits_of, name_hash
from lmsys_store.analyze.counts import Counts, length_counts
from lmsys_store.analyze.evidence import Cell, OutcomeRate
from lmsys_store.analyze.exemplars import Exemplars
from lmsys_store.analyze.limits import caveats_of, missing_of
from lmsys_store.analyze.report import PatternReport
from lmsys_store.analyze.stratified import share_interval
from lmsys_store.analyze.structures import RowSample, Structures
from lmsys_store.labels.mixing import mixed
from lmsys_store.records import Conversation

OBSERVATIONS: Final = 200_000
_ONLY_ANSWERED: Final = frozenset({"correction", "praise"})
_NAMED: Final = 3


class Patterns:
    """What prompts have in common, and which of their features go with which outcomes.

    An :class:`~lmsys_store.folds.Analyzer`: use it with ``select(...).fold(Patterns())``, or feed it batches.

    >>> from lmsys_store import Conversation
    >>> patterns = Patterns()
    >>> hello = {"role": "user", "content": "Hi"}
    >>> patterns.update([Conversation(row_index=0, conversation_id="a", model="m", messages=(hello,))])
    >>> report = patterns.result()
    >>> report.rows, report.labelled, report.recommended_structure
    (1, 0, ())

    Args:
        level: what these rows are called in every line of evidence.

    Raises:
        MissingExtraError: by ``result``, if scipy is not installed; the message has the command.
    """

    def __init__(self, level: str = "these rows") -> None:
        self.level = level
        self._names: dict[int, str] = {}
        self._counts = Counts()
        self._sample = RowSample()
        self._exemplars = Exemplars()
        columns = dict.fromkeys(("model", "domain", "features", "outcomes"), np.uint64)
        self._observed = Smallest(OBSERVATIONS, {**columns, "id": np.object_})

    def update(self, batch: Sequence[Conversation]) -> None:
        """Take in some rows."""
        if not batch:
            return
        columns = Columns.of(batch)
        self._counts.add(columns)
        self._sample.add(columns)
        self._exemplars.add(columns)
        self._observe(columns)

    def _observe(self, columns: Columns) -> None:
        """One row of each (family, model): that with the smallest hash."""
        key = mixed(columns.family ^ mixed(columns.model))
        at = np.flatnonzero(columns.labelled & self._observed.may_enter(key))
        ids = np.empty(len(at), np.object_)
        ids[:] = [columns.chats[one].conversation_id for one in at.tolist()]
        self._observed.add(
            key=key[at], rank=columns.rank[at], model=columns.model[at], domain=columns.domain[at],
            features=columns.features[at], outcomes=columns.outcomes[at], id=ids,
        )  # fmt: skip

    def merge(self, other: "Patterns") -> None:
        """Take in what another one has seen of other rows."""
        self._counts.merge(other._counts)
        self._sample.merge(other._sample)
        self._exemplars.merge(other._exemplars)
        self._observed.merge(other._observed)

    def result(self) -> PatternReport:
        """The report of the rows seen so far.

        Raises:
            MissingExtraError: scipy is not installed.
        """
        counts, sampled = self._counts, self._sample.rows()
        shown = Structures(sampled, counts.labelled, self.level)
        observed = _Observed(self._observed, counts)
        associations, untested = associate(observed.observations(), self.level)
        report = PatternReport(
            level=self.level, rows=counts.rows, labelled=counts.labelled, stale=counts.rows - counts.current,
            flagged=counts.flagged, prompts=self._sample.distinct_prompts(), sample=len(sampled), sample_cut=self._sample.cut,
            observations=len(self._observed), observations_cut=self._observed.cut,
            models=counts.most("model"), domains=counts.most("domain"), languages=counts.most("language"),
            kinds=counts.most("kind"), features=counts.feature_counts(), ratings=counts.rating_counts(),
            turns=counts.turn_counts(), prompt_lengths=length_counts(counts.prompt_lengths),
            reply_lengths=length_counts(counts.reply_lengths),
            common_structures=(*shown.kinds(), *shown.heads(), *shown.templates()),
            slices=shown.slices(), words=shown.words(), cells=observed.cells(), outcomes=observed.rates(self.level),
            associations=tuple(associations), untested=tuple(untested), exemplars=self._exemplars.best(self.level),
            missing=(), caveats=(),
        )  # fmt: skip
        return report.model_copy(update={"missing": missing_of(report), "caveats": caveats_of(report)})


class _Observed:
    """The rows that associations rest on, by what they are tested for."""

    def __init__(self, kept: Smallest, counts: Counts) -> None:
        found = kept.columns()
        # In the order of the rows' hashes, so that the chats named for a finding are a fair few of them.
        order = np.argsort(found["rank"], kind="stable")
        self._columns = {name: column[order] for name, column in found.items()}
        outcomes = self._columns["outcomes"]
        bits = bits_of(outcomes, len(OUTCOMES))
        self._outcomes = {name: bits[:, at] for at, name in enumerate(OUTCOMES)}
        self._answered = (outcomes & np.uint64(ANSWERED)) != 0
        names = [*counts.named["model"], *counts.named["domain"], UNLABELLED]
        self._names = {name_hash(name): name for name in names}
        key = mixed(self._columns["model"] ^ mixed(self._columns["domain"])) ^ self._answered.astype(np.uint64)
        _, self._first, self._strata = np.unique(key, return_index=True, return_inverse=True)

    def observations(self) -> Observations:
        """Rows to test."""
        _, groups = np.unique(self._columns["domain"][self._first], return_inverse=True)
        return Observations(
            features=bits_of(self._columns["features"], len(FEATURES)), names=FEATURES, outcomes=self._outcomes,
            strata=self._strata.astype(np.int64), groups=groups.astype(np.int64), ids=self._columns["id"],
        )  # fmt: skip

    def cells(self) -> tuple[Cell, ...]:
        """Rows and outcomes of each model, domain and answer."""
        count = len(self._first)
        rows = np.bincount(self._strata, minlength=count)
        had = {name: np.bincount(self._strata[one], minlength=count) for name, one in self._outcomes.items()}
        cells = [
            Cell(
                model=self._names[int(self._columns["model"][at])], domain=self._names[int(self._columns["domain"][at])],
                answered=bool(self._answered[at]), rows=int(rows[number]),
                outcomes={name: int(counts[number]) for name, counts in had.items()},
            )
            for number, at in enumerate(self._first.tolist())
        ]  # fmt: skip
        return tuple(sorted(cells, key=lambda cell: (cell.model, cell.domain, cell.answered)))

    def rates(self, level: str) -> tuple[OutcomeRate, ...]:
        """How often each outcome was seen, of the rows that could show it."""
        found = []
        for name, happened in self._outcomes.items():
            able = self._answered if name in _ONLY_ANSWERED else np.ones(len(happened), bool)
            rows, of = int((happened & able).sum()), int(able.sum())
            low, high = share_interval(rows, of)
            shown = tuple(map(str, self._columns["id"][np.flatnonzero(happened)[:_NAMED]]))
            found.append(OutcomeRate(name=name, rows=rows, of=of, low=low, high=high, level=level, shown_by=shown))
        return tuple(found)
