"""What a fold over rows is: the protocol that ``Results.fold`` runs and every analyzer keeps. Pure."""

from collections.abc import Sequence
from typing import Protocol, Self, TypeVar

from lmsys_store.records import Conversation

R_co = TypeVar("R_co", covariant=True)


class Analyzer(Protocol[R_co]):
    """A question asked of rows in one pass, in memory that does not grow with them.

    The answer does not depend on the order of the rows nor on how they are cut into batches: rows may be split among several
    analyzers, in several processes, and joined by ``merge``. So an analyzer can be pickled, and a fresh one is like another.
    """

    def update(self, batch: Sequence[Conversation]) -> None:
        """Take in some rows; each row is given once."""

    def merge(self, other: Self) -> None:
        """Take in what another analyzer of the same kind has seen of other rows."""

    def result(self) -> R_co:
        """The answer for the rows seen so far; may be asked for again later."""
        ...
