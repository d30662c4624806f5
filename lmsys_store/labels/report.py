"""How labels are spread, and how far the derived ones agree with labels from outside. Pure folds over what they are given."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from lmsys_store.labels.external import FEEDBACK, ExternalLabel
from lmsys_store.records import Labels, Record

_BANDS: Final = (
    (2.0, "2 and less"),
    (2.99, "2 to 3"),
    (3.0, "3, no evidence either way"),
    (3.99, "3 to 4"),
    (5.0, "4 and more"),
)
_FEEDBACK: Final = frozenset(FEEDBACK.values())


class LabelReport(Record):
    """The distribution of labels over rows; ``with_evidence`` is the share of rows whose rating rests on something."""

    rows: int
    with_evidence: float
    ratings: dict[str, int]
    bases: dict[str, int]
    signals: dict[str, int]
    domains: dict[str, int]
    tasks: dict[str, int]
    tags: dict[str, int]


class Agreement(Record):
    """One label's agreement with outside ones: ``derived`` rows have it from us, ``outside`` from them, ``both`` from both."""

    label: str
    derived: int
    outside: int
    both: int

    @property
    def precision(self) -> float | None:
        """The share of ours that are theirs; None without any of ours."""
        return self.both / self.derived if self.derived else None

    @property
    def recall(self) -> float | None:
        """The share of theirs that are ours; None without any of theirs."""
        return self.both / self.outside if self.outside else None


def label_report(labels: Iterable[Labels]) -> LabelReport:
    """The distribution of some rows' labels."""
    counts: dict[str, Counter[str]] = {
        name: Counter() for name in ("ratings", "bases", "signals", "domains", "tasks", "tags")
    }
    rows = 0
    for one in labels:
        rows += 1
        counts["ratings"][_band(one.rating)] += 1
        counts["bases"][one.rating_basis or "unlabelled"] += 1
        counts["domains"][one.domain or "unlabelled"] += 1
        counts["tasks"][one.task or "unlabelled"] += 1
        counts["signals"].update(one.signals or ())
        counts["tags"].update(one.tags or ())
    rested = rows - counts["bases"]["none"] - counts["bases"]["unlabelled"]
    named = {name: dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))) for name, found in counts.items()}
    return LabelReport(rows=rows, with_evidence=rested / rows if rows else 0.0, **named)


def _band(rating: float | None) -> str:
    if rating is None:
        return "unlabelled"
    return next(name for limit, name in _BANDS if rating <= limit)


def agreement(pairs: Iterable[tuple[Labels, ExternalLabel]]) -> list[Agreement]:
    """Derived labels against outside ones of the same rows, a line a label: domains, tasks, tags, feedback, rating bands.

    A row counts for what the outside label speaks of: one that gives only a domain says nothing about tasks.
    """
    ours: Counter[str] = Counter()
    theirs: Counter[str] = Counter()
    both: Counter[str] = Counter()
    for derived, outside in pairs:
        for kind, (found, wanted) in _compared(derived, outside).items():
            ours.update(f"{kind} {word}" for word in found)
            theirs.update(f"{kind} {word}" for word in wanted)
            both.update(f"{kind} {word}" for word in found & wanted)
    names = sorted({*ours, *theirs})
    return [Agreement(label=name, derived=ours[name], outside=theirs[name], both=both[name]) for name in names]


def _compared(derived: Labels, outside: ExternalLabel) -> Mapping[str, tuple[set[str], set[str]]]:
    found: dict[str, tuple[set[str], set[str]]] = {}
    if outside.domain is not None:
        found["domain"] = {str(derived.domain)}, {outside.domain}
    if outside.task is not None:
        found["task"] = {str(derived.task)}, {outside.task}
    if outside.tags is not None:
        found["tag"] = set(derived.tags or ()), set(outside.tags)
    if outside.rating is not None and derived.rating is not None:
        found["rating"] = _thirds(derived.rating), _thirds(outside.rating)
    if outside.feedback:
        found["feedback"] = set(derived.signals or ()) & _FEEDBACK, set(outside.feedback.values())
    return found


def _thirds(rating: float) -> set[str]:
    return {"4 and more"} if rating >= 4 else {"2 and less"} if rating <= 2 else {"between"}
