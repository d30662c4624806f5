"""Iteration: one pass over a selection, the one mutable thing about it. The async and the blocking results share it.

Nothing is held between two rows but a page of undecoded ones (and the plan of an order): a loop may stop anywhere.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from hashlib import sha256
from json import dumps
from typing import TYPE_CHECKING, Final

from lmsys_store.errors import IncompleteResultError, RemoteError, ResumeTokenError
from lmsys_store.expressions import FIELDS
from lmsys_store.fallback import Chain
from lmsys_store.funnel import Funnel
from lmsys_store.operations import Operations
from lmsys_store.phases import NO_ROWS, Access, Batch, Request, Start
from lmsys_store.position import PhaseName, Position
from lmsys_store.query import Query
from lmsys_store.records import Conversation, Origin, Provenance
from lmsys_store.settings import Fallback

if TYPE_CHECKING:
    from lmsys_store.ordered import OrderedChain

FIRST_PAGE: Final = 50
LAST_PAGE: Final = 1000


@dataclass(frozen=True)
class Selection:
    """What was asked: which rows, in what order, how many."""

    query: Query
    fallback: Fallback = "mock"
    deadline: float | None = None
    operations: Operations = field(default_factory=Operations)
    with_moderation: bool = False
    require_complete: bool = False
    position: Position | None = None
    """Where to go on, read from a token."""

    @property
    def digest(self) -> str:
        """Fingerprint of query and operations: a token resumes only what has the same."""
        asked = self.operations
        if asked.names in ((), ("limit",)) and not asked.follow:
            text = dumps([self.query.digest, "row_index", asked.limit])  # as tokens of version 1 have it
        else:
            text = dumps([self.query.digest, str(asked), asked.follow])
        return sha256(text.encode()).hexdigest()[:16]

    @property
    def request(self) -> Request:
        """What a chain is asked for."""
        return Request(
            self.query, self.fallback, self.deadline, self.with_moderation, self.operations.part, self.operations.follow
        )

    def chain(self, access: Access) -> "Chain | OrderedChain":
        """A chain that gives the rows, in order."""
        position = self.position
        if self.operations.planned:
            from lmsys_store.ordered import OrderedChain  # numpy, which few loops need, costs a tenth of a second

            return OrderedChain(access, self.request, self.operations, position)
        if position is None:
            return Chain(access, self.request, Start())
        revision, last = position.revision or None, position.last
        start = Start(
            position.phase, position.bound, revision, last, position.offset, position.found_real, position.floor
        )
        return Chain(access, self.request, start)


class Iteration:
    """Takes batches from the chain, decodes rows one at a time, knows where it stands."""

    def __init__(self, selection: Selection, access: Access) -> None:
        position = selection.position
        self._selection = selection
        self._reader = access.reader
        self._refuse_after_fork = access.reader.refuse_after_fork
        self._stale_labels = access.stale_labels
        self._chain = selection.chain(access)
        self._at = 0
        self._hold(NO_ROWS)
        self._page_size = FIRST_PAGE
        self._taken = 0 if position is None else position.count
        self._before = -1 if position is None else position.last
        self._value_before = None if position is None else position.value
        self._phase: PhaseName = "cache" if position is None else position.phase
        self._offset = 0 if position is None else position.offset
        self._floor = -1 if position is None else position.floor
        self._round = 0 if position is None else position.round
        self._counted: Counter[str] = Counter()
        self._before_last: tuple[str, int, int, str | float | None, int] | None = None
        """Where the row handed over last came from, and how things stood before it, once its batch was set aside."""
        self._started = self._ended = False
        self.complete: bool | None = None
        self.funnel = Funnel()
        """Known once the iteration has ended."""

    @property
    def token(self) -> str | None:
        """Where this iteration stands: after the last row handed over. None before there is anything to resume."""
        position = self._position()
        return None if position is None else position.token()

    @property
    def next_token(self) -> str | None:
        """The same, with a limit counted anew: the next so many rows."""
        position = self._position()
        return None if position is None else replace(position, count=0).token()

    def _position(self) -> Position | None:
        state = self._chain.state
        if not self._started or (state is None and self._phase == "cache"):
            return self._selection.position
        revision, bound = ("", 0) if state is None else (state.revision, state.seq)
        return Position(
            self._selection.digest, revision, bound, self._last, self._count, self._phase, self._offset, self._floor,
            self._round, self._value,
        )  # fmt: skip

    @property
    def notes(self) -> list[str]:
        """What a reader of the rows should know, so far."""
        return self._chain.notes

    @property
    def provenance(self) -> Provenance | None:
        """Of what data set the rows are; None while that is unknown."""
        return self._chain.provenance

    @property
    def origins(self) -> dict[str, int]:
        """How many rows were handed over, by origin (not those of an iteration this one resumes)."""
        counted = self._counted + Counter({self._batch.origin.value: self._at})
        return {origin: count for origin, count in counted.items() if count}

    def take(self) -> Conversation | None:
        """The next row of the batch in hand, decoded now; None if the batch is used up."""
        at = self._at
        if at >= len(self._entries):
            return None
        self._refuse_after_fork()
        self._at = at + 1
        return self._decode(self._entries[at])

    def put_back(self) -> None:
        """Count the row handed over last as not handed over, also after the end."""
        if self._at:
            self._at -= 1
        elif self._before_last is not None:
            origin, self._before, self._taken, self._value_before, self._round = self._before_last
            self._counted[origin] -= 1
            self._before_last = None

    @property
    def _last(self) -> int:
        """The row index handed over last. Derived, and so is the count: two stores less on the path of every row."""
        return self._batch.row_index(self._batch.entries[self._at - 1]) if self._at else self._before

    @property
    def _count(self) -> int:
        return self._taken + self._at

    @property
    def _value(self) -> str | float | None:
        """What the row handed over last was ordered by; decoded once more, for tokens of such an order alone."""
        order = self._selection.operations.order_by
        if order is None or not self._at:
            return self._value_before
        from lmsys_store.ordered import stored_value

        value: str | float | None = stored_value(FIELDS[order.field].read(self._decode(self._entries[self._at - 1])))
        return value

    def take_page(self) -> list[Conversation]:
        """What is left of the batch in hand, decoded."""
        chats = []
        while (chat := self.take()) is not None:
            chats.append(chat)
        return chats

    async def advance(self) -> bool:
        """Fetch the next batch; False at the end.

        Raises:
            StoreRestartedError: the store was emptied meanwhile.
            RemoteError: nothing real was found, and the remote failed where seeds are not allowed.
            IncompleteResultError: at the end, where completeness was required and cannot be promised.
        """
        if self._ended:
            return False
        try:
            if not self._started:
                await self._start()
            self._set_aside()
            batch = await self._next()
        except RemoteError:
            self._ended, self.complete = True, self._chain.complete
            raise
        if batch is None:
            await self._reckon()
            self._finish(limit_reached=self._limit_reached)
            return False
        limit = self._selection.operations.limit
        if limit is not None:
            batch = replace(batch, entries=batch.entries[: limit - self._count])
        self._hold(batch)
        self._before_last = None
        self._offset = batch.offset
        return True

    async def fetch(self, held: int) -> list[Conversation]:
        """Bring into the store what it lacks of these rows, as far as the fallback goes; gives the seeds served instead.

        Args:
            held: how many of them the store has already.

        Raises:
            IncompleteResultError: completeness was required and cannot be promised.
        """
        chain = self._chain
        assert isinstance(chain, Chain)
        limit = self._selection.operations.limit
        await chain.begin(stored_rows=False, found_real=held > 0)
        await self._note_stale_labels()
        seeds: list[Conversation] = []
        while limit is None or held < limit:
            batch = await chain.next(LAST_PAGE)
            if batch is None:
                break
            held += len(batch.entries)
            seeds += batch.entries if batch.origin is Origin.MOCK else ()
        if not chain.all_kept:
            chain.complete = False
        self._finish(limit_reached=limit is not None and held >= limit and chain.all_kept)
        return seeds

    async def count(self) -> int:
        """How many rows the plan of an order has; none of them is read, and a limit is left out.

        Raises:
            IncompleteResultError: completeness was required and cannot be promised.
        """
        chain = self._chain
        assert not isinstance(chain, Chain)
        await chain.begin()
        await self._note_stale_labels()
        self.funnel = chain.funnel
        self._finish(limit_reached=False)
        return chain.count

    async def _next(self) -> Batch | None:
        """The next batch, of the next round if these results cycle; None at the end."""
        batch = None if self._limit_reached else await self._chain.next(self._next_size())
        if batch is None and self._selection.operations.cycle and (self._count or self._before >= 0):
            from lmsys_store.ordered import OrderedChain

            assert isinstance(self._chain, OrderedChain)
            self._chain.restart()
            self._round += 1
            self._taken, self._before, self._value_before = 0, -1, None
            batch = await self._chain.next(self._next_size())
        if batch is not None and (self._chain.phase, self._chain.floor) != (self._phase, self._floor):
            self._before = -1  # every phase counts from its own beginning
            self._phase, self._floor = self._chain.phase, self._chain.floor
        return batch

    @property
    def _limit_reached(self) -> bool:
        limit = self._selection.operations.limit
        return limit is not None and self._count >= limit

    def _next_size(self) -> int:
        size, self._page_size = self._page_size, min(self._page_size * 2, LAST_PAGE)
        limit = self._selection.operations.limit
        return size if limit is None else min(size, limit - self._count)

    def _set_aside(self) -> None:
        """Count the batch in hand, and let go of it; only where its last row stood is kept, for put_back."""
        before, taken, value = self._last, self._count, self._value
        origin = self._batch.origin.value
        self._counted[origin] += self._at
        if self._at:
            self._at -= 1
            self._before_last = origin, self._last, self._count, self._value, self._round
        self._before, self._taken, self._value_before = before, taken, value
        self._hold(NO_ROWS)

    def _hold(self, batch: Batch) -> None:
        self._batch, self._entries, self._decode, self._at = batch, batch.entries, batch.decode, 0

    async def _start(self) -> None:
        position = self._selection.position
        if position is not None and position.selection != self._selection.digest:
            raise ResumeTokenError(
                "the token is of another query or limit, or of other operations; resume with those it was made by"
            )
        await self._chain.begin()
        await self._note_stale_labels()
        self._started = True

    async def _note_stale_labels(self) -> None:
        if self._selection.operations.goes_by_templates and (rows := await self._stale_labels()):
            self._chain.notes.append(
                f"{rows:,} rows have labels of another version, by which templates may differ: run lmsys-store relabel"
            )

    async def _reckon(self) -> None:
        """Fill the funnel: from the plan, or in row order from what was handed over, where that was all."""
        asked, chain = self._selection.operations, self._chain
        if not isinstance(chain, Chain):
            self.funnel = chain.funnel
        elif not self._limit_reached:
            self.funnel = await self._reckoned(chain)
        if asked.limit is not None:
            self.funnel = self.funnel.then(self._count, "within the limit")

    async def _reckoned(self, chain: Chain) -> Funnel:
        asked, state, query = self._selection.operations, chain.state, self._selection.query
        if state is None or chain.phase == "mock":
            return Funnel().then(self._count, "matching")
        funnel = Funnel().then(await self._reader.count(Query(), state), "stored")
        steps = [name for name in ("split", "shard") if getattr(asked, name) is not None]
        if steps:
            funnel = funnel.then(await self._reader.count(query, state), "matching")
        if len(steps) == 2:
            part = replace(asked, shard=None).part
            assert part is not None
            funnel = funnel.then(await self._reader.count(query.where(part), state), f"in {asked.split}")
        last = {"split": f"in {asked.split}", "shard": "in shard {} of {}".format(*(asked.shard or (0, 0)))}
        return funnel.then(self._count, last[steps[-1]] if steps else "matching")

    def _finish(self, *, limit_reached: bool) -> None:
        """The first of all rows, in row order, are complete as soon as there are enough; in another order all must be known."""
        self._ended = True
        self.complete = True if limit_reached and isinstance(self._chain, Chain) else self._chain.complete
        if self._selection.require_complete and not self.complete:
            raise IncompleteResultError(
                "the store does not cover the whole split, so rows may be missing; run sync to its end, or do without "
                "require_complete"
            )
