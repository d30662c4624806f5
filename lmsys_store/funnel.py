"""Funnel: how many rows were left after each step, from the store to what was handed over. A value; exports add steps."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """``count`` rows were left after a step; ``notes`` explain, a line each, where fewer came than were asked for."""

    count: int
    name: str
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.count:,} {self.name}"


@dataclass(frozen=True)
class Funnel:
    """The steps that were taken, in order.

    >>> found = Funnel().then(3052, "stored").then(61, "matching").then(50, "sampled")
    >>> print(found)
    3,052 stored > 61 matching > 50 sampled
    """

    steps: tuple[Step, ...] = ()

    def then(self, count: int, name: str, *notes: str) -> "Funnel":
        """The same with one step more."""
        return Funnel((*self.steps, Step(count, name, notes)))

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes of all steps."""
        return tuple(note for step in self.steps for note in step.notes)

    def __str__(self) -> str:
        return " > ".join(map(str, self.steps))
