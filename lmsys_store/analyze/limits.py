"""What a report cannot say: how many rows of what are missing, and what no number of it shows."""

from math import log
from typing import TYPE_CHECKING, Final

from lmsys_store.analyze.columns import UNLABELLED
from lmsys_store.analyze.evidence import OutcomeRate
from lmsys_store.analyze.stratified import LEVEL, normal_quantile
from lmsys_store.analyze.wording import outcome_words

if TYPE_CHECKING:
    from lmsys_store.analyze.report import PatternReport

_POWER: Final = 0.8
_RATIO: Final = 1.5
_PREVALENCE: Final = 0.2


def events_needed(tests: int) -> int:
    """How many rows with an outcome it takes to see a feature of every fifth prompt raise its odds 1.5 times, four times in five.

    Schoenfeld's formula (1981), at a level divided by the number of tests.

    >>> events_needed(1)
    298
    """
    quantiles = normal_quantile(1 - LEVEL / max(tests, 1) / 2) + normal_quantile(_POWER)
    return round(quantiles**2 / (_PREVALENCE * (1 - _PREVALENCE) * log(_RATIO) ** 2))


def missing_of(report: "PatternReport") -> tuple[str, ...]:
    """A line for each outcome that is too rare for middling effects to be seen."""
    if report.rows == 0:
        return ("any row: there is none; widen the query, or sync",)
    needed = events_needed(len(report.associations) + len(report.untested))
    return tuple(_line(rate, needed) for rate in report.outcomes if rate.rows < needed)


def _line(rate: OutcomeRate, needed: int) -> str:
    words = outcome_words(rate.name)
    if not rate.rows:
        return f"chats {words}: there are none; about {needed:,} are needed to see what goes with them"
    more = round((needed - rate.rows) * rate.of / rate.rows)
    return (
        f"chats {words}: {rate.rows:,}; about {needed:,} would show odds of 1.5 times for a feature of every fifth prompt: "
        f"about {more:,} more different prompts at this rate"
    )


def caveats_of(report: "PatternReport") -> tuple[str, ...]:
    """What to keep in mind, the particular first."""
    return (*_of_labels(report), *_of_contrast(report), *_of_samples(report), *_ALWAYS)


def _of_labels(report: "PatternReport") -> list[str]:
    found = []
    if report.rows > report.labelled:
        found.append(
            f"{report.rows - report.labelled:,} of {report.rows:,} rows have no labels: run lmsys-store relabel"
        )
    older = report.stale - (report.rows - report.labelled)
    if older > 0:
        found.append(f"{older:,} rows have labels of another version: run lmsys-store relabel")
    return found


def _of_contrast(report: "PatternReport") -> list[str]:
    found = []
    domains = [one for one in report.domains if one.name != UNLABELLED]
    if len(report.models) == 1:
        found.append(f"one model only ({report.models[0].name}): what is found may be peculiar to it")
    if len(domains) == 1:
        found.append(f"one domain only ({domains[0].name}): nothing here is known to hold elsewhere")
    for rate in report.outcomes:
        if rate.of and rate.rows in (0, rate.of):
            which = "no chat" if rate.rows == 0 else "every chat"
            found.append(
                f"{which} that could be was {outcome_words(rate.name)}: nothing can go with that more or less often"
            )
    return found


def _of_samples(report: "PatternReport") -> list[str]:
    found = []
    if report.sample_cut:
        error = 100 * 1.96 * 0.5 / report.sample**0.5
        found.append(
            f"structures and words come from a fixed sample of {report.sample:,} rows: a share is off by at most "
            f"{error:.1f} points in 19 of 20 cases"
        )
    if report.observations_cut:
        found.append(f"associations rest on a fixed sample of {report.observations:,} (template, model) pairs")
    return found


_ALWAYS: Final = (
    "associations are observed, not caused: users who write one way may differ in what they ask, and in how they answer",
    "outcomes are found by rules, not by people: a chat nobody answered has no evidence, and refusals are recognised more "
    "often in one model family's style than in another's, so they rank no models",
    "each (template, model) counts once, compared within one model, one domain, and with the user's next message or without",
)
