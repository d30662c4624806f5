"""What the analysis finds, as frozen records: each number with what it rests on. Pure."""

from lmsys_store.analyze.wording import BAD, GOOD, feature_words, features_words, outcome_words, percent
from lmsys_store.records import Record


class Association(Record):
    """A feature of prompts (or two together) and an outcome, over strata of model, domain and whether the user wrote again.

    ``rate`` is the outcome's among the ``rows`` with the feature, ``other_rate`` among the ``others``; ``difference`` and
    ``odds_ratio`` are pooled over the strata (Mantel-Haenszel), ``low`` to ``high`` is its 95 % interval, ``adjusted_*`` the
    same widened for having been selected. Of a pair, the others are the rows with the first feature alone. ``found`` is True
    where q, interval and effect all pass.
    """

    features: tuple[str, ...]
    outcome: str
    level: str
    """Which rows: those of the query, or all rows where the query's are too few."""
    rows: int
    others: int
    rate: float
    other_rate: float
    difference: float
    odds_ratio: float
    low: float
    high: float
    adjusted_low: float
    adjusted_high: float
    p: float
    q: float
    strata: int
    held: int
    """In how many of the strata that are large enough to tell it points the same way."""
    homogeneity: float | None
    """The p-value that the odds ratio is the same everywhere; None where no two strata have enough rows."""
    found: bool
    independent: bool
    """It remains among prompts that are alike in the stronger features found."""
    holds_elsewhere: bool
    """It remains when any one domain is left out: only then is it told of another domain."""
    shown_by: tuple[str, ...] = ()
    """Conversations with the feature and the outcome."""
    countered_by: tuple[str, ...] = ()
    """Conversations with the feature and without the outcome."""

    @property
    def more(self) -> bool:
        """The outcome is more frequent with the feature."""
        return self.odds_ratio > 1

    @property
    def favourable(self) -> bool:
        """More of what is good, or less of what is bad."""
        return self.outcome in (GOOD if self.more else BAD)

    @property
    def excludes_no_effect(self) -> bool:
        """The interval does, also when widened for having been selected."""
        return self.adjusted_low > 1 or self.adjusted_high < 1

    @property
    def differs(self) -> bool:
        """The strata do not agree on how strong it is."""
        return self.homogeneity is not None and self.homogeneity < 0.05

    def __str__(self) -> str:
        often = f"odds {self.odds_ratio:.2g} times" if self.odds_ratio < 10 else f"odds {self.odds_ratio:.0f} times"
        spread = ", differs between strata" if self.differs else ""
        return (
            f"{features_words(self.features)}: {outcome_words(self.outcome)} in {percent(self.rate)} of {self.rows:,} chats, "
            f"{percent(self.other_rate)} of {self.others:,} {'with the first alone' if len(self.features) > 1 else 'others'}; "
            f"{often} (95 % {self.low:.2g} to {self.high:.2g}; {self.held} of {self.strata} strata{spread}; {self.level})"
        )


class Untested(Record):
    """A feature and an outcome with too few rows, and how many more like these would do."""

    feature: str
    outcome: str
    rows: int
    needed: int

    def __str__(self) -> str:
        return (
            f"whether a prompt that {feature_words(self.feature)} is {outcome_words(self.outcome)} more often: "
            f"about {self.needed:,} more rows like these"
        )


class Count(Record):
    """How many rows have a value."""

    name: str
    rows: int


class Estimate(Record):
    """A number of distinct things; ``error`` is its relative standard error, 0 where it was counted."""

    value: int
    error: float

    def __str__(self) -> str:
        return f"{self.value:,}" if not self.error else f"about {self.value:,} (± {percent(1.96 * self.error)})"


class OutcomeRate(Record):
    """An outcome among the rows in which it could show, one a (family, model), with its rate's 95 % interval."""

    name: str
    rows: int
    of: int
    low: float
    high: float
    level: str
    shown_by: tuple[str, ...] = ()

    @property
    def rate(self) -> float:
        """The share."""
        return self.rows / self.of if self.of else 0.0

    def __str__(self) -> str:
        return (
            f"{outcome_words(self.name)}: {self.rows:,} of {self.of:,} chats, {percent(self.rate)} "
            f"(95 % {percent(self.low)} to {percent(self.high)}; {self.level})"
        )


class Structure(Record):
    """Something many prompts have in common: a kind of question, a verb with its object, or a template.

    ``rows`` is an estimate where the sample was cut (see ``PatternReport.sample``), ``distinct`` counts different prompts in
    the sample; ``example`` is masked, '' where examples were not wanted or none may be shown.
    """

    kind: str
    name: str
    rows: int
    share: float
    distinct: int
    example: str
    level: str
    shown_by: tuple[str, ...] = ()

    def __str__(self) -> str:
        example = f", as in: {self.example}" if self.example and self.example != self.name else ""
        return (
            f"{self.name} ({percent(self.share)} of rows; {self.distinct:,} different prompts; {self.level}){example}"
        )


class Word(Record):
    """A word of a slice's prompts: ``z`` is how many standard errors its log-odds lie above those of all the other rows."""

    word: str
    z: float
    prompts: int


class Slice(Record):
    """The words that set some rows' prompts apart from all others'."""

    name: str
    prompts: int
    words: tuple[Word, ...]


class Exemplar(Record):
    """A first prompt word for word, one a template, with what speaks for it."""

    prompt: str
    conversation_id: str
    row_index: int
    rating: float | None
    basis: str
    level: str

    @property
    def evidence(self) -> str:
        """What the rating rests on, in words."""
        rated = "not rated" if self.rating is None else f"rated {self.rating:.1f}"
        return f"{rated}, basis {self.basis}; {self.level}"


class Slot(Record):
    """A part of the recommended structure, with what was observed of prompts that have it."""

    feature: str
    instruction: str
    evidence: tuple[Association, ...]

    def __str__(self) -> str:
        return f"{self.instruction} [{'; '.join(map(str, self.evidence))}]"


class Cell(Record):
    """Rows of one model, one domain and one answer to *did the user write again*, one a (family, model), with their outcomes."""

    model: str
    domain: str
    answered: bool
    rows: int
    outcomes: dict[str, int]
