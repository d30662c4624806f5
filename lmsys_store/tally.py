"""How far the rows of an expression are fetched through a remote's filter, counted so that the count proves something."""

from dataclasses import replace

from lmsys_store.expressions import Expression
from lmsys_store.query import Query
from lmsys_store.sources.base import Matches
from lmsys_store.storage.reader import Predicate, Reader


class Tally:
    """Counts the matches of a predicate as they come: it is covered once as many different ones came as the remote counts."""

    def __init__(self, expression: str, where: str, source: str, held: Predicate | None) -> None:
        self.source = source
        self._held = held or Predicate(expression, where, 0, 0, -1, False, source)
        self._exact = True

    @property
    def done_rows(self) -> int:
        """How many of the first matches are held, without a gap."""
        return self._held.done_rows

    def covers(self, limit: int | None) -> bool:
        """Whether all matches are held, or so many of the first."""
        return self._held.complete or (limit is not None and self.done_rows >= limit)

    def after(self, found: Matches) -> Predicate:
        """How far the predicate is fetched once these matches are stored."""
        held = self._held
        follows = found.offset == held.done_rows and found.follow(held.last_row, held.total_rows or None)
        self._exact = self._exact and follows  # from the first page that does not, counting proves nothing
        if self._exact:
            done = held.done_rows + len(found.rows)
            last = max([held.last_row, *(row_index for row_index, _ in found.rows)])
            self._held = replace(
                held, total_rows=found.total, done_rows=done, last_row=last, complete=done == found.total
            )
        return self._held


async def tally_of(reader: Reader, expression: Expression, where: str, source: str, bound: int | None = None) -> Tally:
    """The count of an expression's matches, as far as earlier runs fetched them (until ``bound``)."""
    text = Query(expression).to_text()
    held = {one.expression: one for one in await reader.predicates(bound)}.get(text)
    return Tally(text, where, source, held)
