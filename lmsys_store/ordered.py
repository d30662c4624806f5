"""OrderedChain: a chain whose rows must all be known before the first is handed over, for orders, samples and cycles.

First the whole answer is brought into the store, as far as the fallback goes; then the row indexes are planned, and pages of
them are read from the store, each a short read. Nothing but the plan is held: 8 bytes a row.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from anyio import to_thread

from lmsys_store.expressions import FIELDS
from lmsys_store.fallback import Chain
from lmsys_store.funnel import Funnel
from lmsys_store.operations import Operations
from lmsys_store.phases import Access, Batch, Request, Start, decoded, refuse_restarted
from lmsys_store.plans import Bookmark, Columns, Plan, planned
from lmsys_store.position import PhaseName, Position
from lmsys_store.query import Query
from lmsys_store.records import Conversation, Origin
from lmsys_store.storage.codec import EPOCH, MICROSECOND, conversation_of
from lmsys_store.storage.reader import StoreState

KEYS_PAGE: Final = 20_000
"""Row indexes of one short read: 20 ms for all fields of the narrow table."""
_FETCH_SIZE: Final = 1000


class OrderedChain:
    """Stands where a Chain does. ``complete`` is known once :meth:`begin` has returned."""

    floor = -1

    def __init__(self, access: Access, request: Request, operations: Operations, position: Position | None) -> None:
        self._access = access
        self._part = None if operations.narrows_in_order else operations.part
        self._request = replace(request, part=None)
        self._operations = operations
        self._position = position
        start = Start() if position is None else Start(position.phase, position.bound, position.revision or None)
        self._chain = Chain(access, self._request, start)
        self._seeds: dict[int, Conversation] = {}
        self._plan: Plan | None = None
        self._at = 0
        self.state: StoreState | None = None
        self.complete: bool | None = None

    @property
    def notes(self) -> list[str]:
        """What a reader of the rows should know, so far."""
        return self._chain.notes

    @property
    def phase(self) -> PhaseName:
        """Where the rows come from: the store, or the seeds in its place."""
        return "mock" if self._seeds else "cache"

    @property
    def funnel(self) -> Funnel:
        """What the plan's steps have left."""
        return Funnel() if self._plan is None else self._plan.funnel

    @property
    def count(self) -> int:
        """How many rows the plan has."""
        return 0 if self._plan is None else len(self._plan.row_indexes)

    async def begin(self) -> None:
        """Bring what is missing (a token's iteration has done so), and plan.

        Raises:
            ResumeTokenError: the token is of another store or revision.
            RemoteError: nothing real was found, and the remote failed where seeds are not allowed.
        """
        seeds = await (self._bring() if self._position is None else self._go_on(self._position))
        self._seeds = {chat.row_index: chat for chat in seeds}
        columns = Columns.needed_by(self._operations)
        if seeds:
            columns.extend([self._columns_of(chat, columns) for chat in seeds])
            funnel = Funnel()
        else:
            funnel = await self._read_columns(columns)
        bookmark = self._bookmark()
        # Sorting a million rows is nothing to hold up an event loop for.
        self._plan = await to_thread.run_sync(planned, columns, self._operations, bookmark, funnel)
        self._at = self._plan.start

    async def next(self, size: int) -> Batch | None:
        """About ``size`` rows more; None at the end. Rows deleted meanwhile are passed over."""
        assert self._plan is not None
        while self._at < len(self._plan.row_indexes):
            keys: list[int] = self._plan.row_indexes[self._at : self._at + size].tolist()
            self._at += len(keys)
            batch = decoded([self._seeds[key] for key in keys], Origin.MOCK) if self._seeds else await self._page(keys)
            if batch.entries:
                return batch
        return None

    def restart(self) -> None:
        """Begin the plan anew."""
        self._at = 0

    async def _page(self, keys: Sequence[int]) -> Batch:
        state, with_moderation = self.state, self._request.with_moderation
        assert state is not None
        rows, generation = await self._access.reader.listed(keys, state.seq, with_moderation=with_moderation)
        refuse_restarted(generation, state)
        row_of, origin = {row[0]: row for row in rows}, state.origin
        found = [row_of[key] for key in keys if key in row_of]
        return Batch(found, origin, lambda row: conversation_of(row, origin), lambda row: int(row[0]))

    async def _bring(self) -> list[Conversation]:
        """The whole answer into the store; gives the seeds served instead."""
        reader = self._access.reader
        state = await reader.state()
        held = 0 if state is None else await reader.count(self._request.query, state)
        try:
            await self._chain.begin(stored_rows=False, found_real=held > 0)
            seeds = await self._drained()
        finally:  # an error too says whether rows are missing
            self.complete = self._chain.complete if self._chain.all_kept else False
        self.state = await reader.state()
        return seeds

    async def _go_on(self, position: Position) -> list[Conversation]:
        """The store as the token saw it, or the seeds."""
        await self._chain.begin()
        self.state = self._chain.state
        if position.phase == "mock":
            seeds = await self._drained()
            self.complete = False
            return seeds
        self.complete = await self._chain.is_complete()
        return []

    async def _drained(self) -> list[Conversation]:
        seeds: list[Conversation] = []
        while (batch := await self._chain.next(_FETCH_SIZE)) is not None:
            seeds += batch.entries if batch.origin is Origin.MOCK and self._chain.phase == "mock" else ()
        return seeds if self._part is None else [chat for chat in seeds if self._part.matches(chat)]

    async def _read_columns(self, columns: Columns) -> Funnel:
        if self.state is None:
            return Funnel().then(0, "stored")
        reader, query, bound = self._access.reader, self._request.query, self.state.seq
        resumed = None if self._position is None else bound
        funnel = Funnel().then(await reader.count(Query(), self.state, resumed), "stored")
        wanted = query if self._part is None else query.where(self._part)
        statement = reader.columns(wanted, list(columns.fields), self.state)
        last = -1
        while True:
            rows, generation = await reader.page(statement, last, bound, KEYS_PAGE)
            refuse_restarted(generation, self.state)
            columns.extend(rows)
            if len(rows) < KEYS_PAGE:
                return funnel
            last = rows[-1][0]

    def _columns_of(self, chat: Conversation, columns: Columns) -> tuple[Any, ...]:
        return (chat.row_index, *(stored_value(FIELDS[name].read(chat)) for name in columns.fields))

    def _bookmark(self) -> Bookmark | None:
        position = self._position
        return None if position is None or position.last < 0 else Bookmark(position.last, position.value)


def stored_value(value: Any) -> Any:
    """A field's value as its column has it: times are whole microseconds, truths are numbers."""
    if isinstance(value, datetime):
        return (value - EPOCH) // MICROSECOND
    return int(value) if isinstance(value, bool) else value
