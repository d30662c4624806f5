"""Local files that give only the rows of a query, as the remote's filter does. The files are read from end to end."""

from array import array
from collections.abc import AsyncIterator, Sequence
from typing import Final

from anyio import to_thread

from lmsys_store.errors import InvalidRowError
from lmsys_store.query import Query
from lmsys_store.records import Origin
from lmsys_store.rows import checked_row
from lmsys_store.sources.base import BrokenRow, Identity, Matches, Page
from lmsys_store.sources.files import FileSource

_WHOLE: Final = ((0, 1 << 62),)


class MatchingFiles:
    """Files as a :class:`~lmsys_store.sources.base.FilteringSource` of one query; the ``where`` it is given says the same.

    A row that is no conversation matches no query: it is found, and set aside, when the files are synced whole.
    """

    def __init__(self, files: FileSource, query: Query) -> None:
        self._files = files
        self._query = query
        self._count: int | None = None
        self.name = files.name
        self.identity: Identity = files.identity
        self.total_rows = files.total_rows
        self.requests = 0
        self.waiting: str | None = None
        self.notes = list(files.notes)

    async def aclose(self) -> None:
        """Nothing to stop."""
        await self._files.aclose()

    def pages(self, wanted: Sequence[tuple[int, int]]) -> AsyncIterator[Page]:
        """All rows of the wanted row indexes, matching or not."""
        return self._files.pages(wanted)

    async def match_count(self, where: str) -> int:
        """How many rows match: one reading of the files, the first time it is asked."""
        if self._count is None:
            self._count = 0
            async for page in self._files.pages(_WHOLE):
                self._count += len(await to_thread.run_sync(self._matching, page))
        return self._count

    async def matches(self, where: str, offset: int = 0) -> AsyncIterator[Matches]:
        """The rows of the query in row order, from one of them on, a page of the files at a time."""
        total, before = await self.match_count(where), 0
        if total == offset:
            yield Matches(offset, 0, (), total, False, 0)
        async for page in self._files.pages(_WHOLE):
            places = await to_thread.run_sync(self._matching, page)
            lacking = places[max(offset - before, 0) :]
            first, before = before + len(places) - len(lacking), before + len(places)
            if lacking:
                wanted = set(lacking)
                rows = [(page.start + at, row) for at, row in enumerate(page.rows) if at in wanted]
                yield Matches(first, len(rows), rows, total, False, page.byte_count)

    def _matching(self, page: Page) -> "array[int]":
        """Where in a page the rows of the query stand."""
        return array("q", (at for at, row in enumerate(page.rows) if self._matches(row, page.start + at)))

    def _matches(self, row: object, row_index: int) -> bool:
        if isinstance(row, BrokenRow):
            return False
        try:
            return self._query.matches(checked_row(row, row_index).conversation(Origin.CACHE))
        except InvalidRowError:
            return False
