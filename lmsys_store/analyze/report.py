"""PatternReport: everything one fold found, as a frozen record that goes to JSON and back. Findings are read off it.

What a report says of itself: from which rows each line comes, what was too rare to be tested, and what no number here can show.
"""

from typing import Any, Final, TypedDict

from lmsys_store.analyze.evidence import (
    Association,
    Cell,
    Count,
    Estimate,
    Exemplar,
    OutcomeRate,
    Slice,
    Slot,
    Structure,
    Untested,
)
from lmsys_store.analyze.wording import BAD, SLOTS, sentence
from lmsys_store.records import Record

VERSION: Final = 1
ALL_ROWS: Final = "all rows"
LEAST_STRUCTURES, LEAST_EXEMPLARS, LEAST_RATE_ROWS = 3, 5, 30
_SHOWN_EACH: Final = 5
_GIVEN: Final = 10


class PromptLoopAnalysis(TypedDict):
    """What the consumer's analyse call returns: texts to paste into a prompt."""

    commonPatterns: list[str]
    successfulPrompts: list[str]
    failureIndicators: list[str]
    recommendedStructure: str


class PatternReport(Record):
    """What was found in some rows; ``level`` is what they are called. See the records of evidence.py for its parts.

    Counts are exact; what comes from the sample of ``sample`` rows (structures, slices, words) is so while ``sample_cut`` is
    False. Associations rest on ``observations`` rows, one a (template, model).
    """

    version: int = VERSION
    level: str
    rows: int
    labelled: int
    stale: int
    flagged: int
    prompts: Estimate
    sample: int
    sample_cut: bool
    observations: int
    observations_cut: bool
    models: tuple[Count, ...]
    domains: tuple[Count, ...]
    languages: tuple[Count, ...]
    kinds: tuple[Count, ...]
    features: tuple[Count, ...]
    ratings: tuple[Count, ...]
    turns: tuple[Count, ...]
    prompt_lengths: tuple[Count, ...]
    reply_lengths: tuple[Count, ...]
    common_structures: tuple[Structure, ...]
    """Kinds of questions, verbs with their objects, and templates; those of a wider level last."""
    slices: tuple[Slice, ...]
    words: tuple[Count, ...]
    cells: tuple[Cell, ...]
    outcomes: tuple[OutcomeRate, ...]
    associations: tuple[Association, ...]
    """All that were tested, those that passed first."""
    untested: tuple[Untested, ...]
    exemplars: tuple[Exemplar, ...]
    missing: tuple[str, ...]
    """How many more rows of what would be needed."""
    caveats: tuple[str, ...]

    @property
    def duplicates(self) -> float:
        """The share of labelled rows whose first prompt is that of another row too, but for one of each."""
        return max(0.0, 1 - self.prompts.value / self.labelled) if self.labelled else 0.0

    @property
    def no_evidence(self) -> float:
        """The share of rows whose rating rests on nothing."""
        return sum(one.rows for one in self.ratings if one.name in _NOTHING) / self.rows if self.rows else 0.0

    @property
    def successful_patterns(self) -> tuple[Association, ...]:
        """What goes with more of the good or less of the bad outcomes, strongest evidence first."""
        return tuple(one for one in self.associations if one.found and one.favourable)

    @property
    def failure_indicators(self) -> tuple[Association, ...]:
        """What goes with more of the bad or less of the good outcomes, strongest evidence first."""
        return tuple(one for one in self.associations if one.found and not one.favourable)

    @property
    def recommended_structure(self) -> tuple[Slot, ...]:
        """The parts of a prompt whose adjusted interval excludes *no effect*, in the order in which a prompt has them.

        What only accompanies a stronger part, or goes with something bad too, is none.
        """
        return tuple(slot for feature, words in SLOTS.items() if (slot := self._slot(feature, words)) is not None)

    def _slot(self, feature: str, instruction: str) -> Slot | None:
        own = [one for one in self.associations if one.found and one.features == (feature,)]
        good = tuple(one for one in own if one.favourable and one.independent and one.excludes_no_effect)
        against = any(not one.favourable for one in own)
        return None if against or not good else Slot(feature=feature, instruction=instruction, evidence=good)

    def structures(self, kind: str) -> tuple[Structure, ...]:
        """The common structures of one kind: ``question kind``, ``verb and object`` or ``template``."""
        return tuple(one for one in self.common_structures if one.kind == kind)

    def backed_by(self, wider: "PatternReport") -> "PatternReport":
        """The same, and from a wider level what these rows are too few for; each line says its level.

        An association is lent only if it remains when any one domain is left out, and only where it could not be tested here:
        rows that show no effect are evidence too.
        """
        untested = {(one.feature, one.outcome) for one in self.untested}
        lent = [
            one
            for one in wider.associations
            if one.found
            and one.holds_elsewhere
            and len(one.features) == 1
            and (one.features[0], one.outcome) in untested
        ]
        structures = self.common_structures
        if len(structures) < LEAST_STRUCTURES:
            known = {one.name for one in structures}
            structures += tuple(one for one in wider.common_structures if one.name not in known)
        exemplars = self.exemplars
        if len(exemplars) < LEAST_EXEMPLARS:
            held = {one.row_index for one in exemplars}
            exemplars += tuple(one for one in wider.exemplars if one.row_index not in held)
        outcomes = self._outcomes_backed_by(wider)
        changed = bool(lent) or structures != self.common_structures or outcomes != self.outcomes
        caveats = self.caveats
        if changed or exemplars != self.exemplars:
            caveats += (
                f"{self.level} has {self.rows:,} rows: lines marked {wider.level!r} rest on all {wider.rows:,} rows instead",
            )
        update = {
            "associations": (*self.associations, *lent), "common_structures": structures, "exemplars": exemplars,
            "outcomes": outcomes, "caveats": caveats,
        }  # fmt: skip
        return self.model_copy(update=update)

    def _outcomes_backed_by(self, wider: "PatternReport") -> tuple[OutcomeRate, ...]:
        rates = {one.name: one for one in wider.outcomes}
        few = {one.name for one in self.outcomes if one.of < LEAST_RATE_ROWS}
        if not any(one.rows for one in self.outcomes if one.name in BAD and one.name not in few):
            few |= set(BAD)
        return tuple(rates.get(one.name, one) if one.name in few else one for one in self.outcomes)

    def without_examples(self) -> "PatternReport":
        """The same without any text of a chat but single words, verbs and objects: what may be passed on."""
        structures = tuple(
            one.model_copy(update={"example": ""}) for one in self.common_structures if one.kind != "template"
        )
        return self.model_copy(update={"common_structures": structures, "exemplars": ()})

    def to_promptloop(self) -> PromptLoopAnalysis:
        """The four fields of the consumer's analyse call; what is uncertain is in ``caveats`` and ``missing``, not there.

        ``successfulPrompts`` are prompts of the store word for word, best rated first; :attr:`exemplars` has the basis of each.
        """
        rates = [one for one in self.outcomes if one.name in BAD and one.rows]
        indicators = [*map(str, self.failure_indicators), *map(str, rates)]
        return {
            "commonPatterns": [str(one) for one in self._most_common()][:_GIVEN],
            "successfulPrompts": [one.prompt for one in self.exemplars][:_GIVEN],
            "failureIndicators": indicators[:_GIVEN],
            "recommendedStructure": sentence([slot.instruction for slot in self.recommended_structure]),
        }

    def _most_common(self) -> list[Structure]:
        """A few of each kind, those of these rows before those of a wider level."""
        found: list[Structure] = []
        for kind in ("question kind", "verb and object", "template"):
            found += self.structures(kind)[: _SHOWN_EACH - (kind == "template")]
        return sorted(found, key=lambda one: one.level != self.level)

    def to_markdown(self) -> str:
        """The report as Markdown, a few screens long."""
        from lmsys_store.analyze.markdown import markdown

        return markdown(self)

    def to_html(self) -> str:
        """The report as one HTML page that needs nothing else."""
        from lmsys_store.analyze.page import page

        return page(self)

    def write_html(self, path: Any, *, replace: bool = False) -> None:
        """Write :meth:`to_html` to a file.

        Raises:
            ExportError: the file exists (unless it may be replaced), or cannot be written.
        """
        from lmsys_store.analyze.html import write_html

        write_html(self.to_html(), path, replace=replace)


_NOTHING: Final = frozenset({"3, no evidence", "unlabelled"})
