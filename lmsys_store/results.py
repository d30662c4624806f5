"""Results: one query's rows, lazily, in order, resumable. Nothing is held between two rows but a page of undecoded ones.

`Selection` is the value (what was asked), `Iteration` the one mutable thing (where it stands). The async and the blocking
results share both; only the awaiting differs.
"""

import base64
import binascii
import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import Final, TypeVar

from anyio import to_thread

from lmsys_store import folding
from lmsys_store.errors import IncompleteResultError, QueryError, RemoteError, ResumeTokenError
from lmsys_store.fallback import Chain
from lmsys_store.folds import Analyzer
from lmsys_store.phases import NO_ROWS, Access, Batch, PhaseName, Request, Start
from lmsys_store.query import Query
from lmsys_store.records import Conversation, Origin
from lmsys_store.settings import Fallback

R = TypeVar("R")
FIRST_PAGE: Final = 50
LAST_PAGE: Final = 1000
TOKEN_VERSION: Final = 1
OPERATIONS: Final = ("order_by", "shuffle", "sample", "distinct", "split", "shard", "limit", "cycle")


@dataclass(frozen=True)
class Selection:
    """What was asked: which rows, in what order, how many."""

    query: Query
    fallback: Fallback = "mock"
    deadline: float | None = None
    limit: int | None = None
    with_moderation: bool = False
    require_complete: bool = False
    position: "Position | None" = None
    """Where to go on, read from a token."""

    @property
    def digest(self) -> str:
        """Fingerprint of query and operations: a token resumes only what has the same."""
        operations = json.dumps([self.query.digest, "row_index", self.limit])
        return hashlib.sha256(operations.encode()).hexdigest()[:16]

    def limited(self, number: int) -> "Selection":
        """The same with at most ``number`` rows."""
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise QueryError(f"limit needs a number of rows, 0 or more, not {number!r}")
        if self.limit is not None:
            raise QueryError("limit is given twice; the order of operations is: " + ", ".join(OPERATIONS))
        return replace(self, limit=number)


@dataclass(frozen=True)
class Position:
    """Where an iteration stands, as a token says it: after row index ``last`` of a phase, ``count`` rows in.

    ``bound`` is the ``seq`` up to which it sees stored rows; ``offset`` where the remote's filter goes on.
    """

    selection: str
    revision: str
    bound: int
    last: int
    count: int
    phase: PhaseName = "cache"
    offset: int = 0
    version: int = TOKEN_VERSION

    def token(self) -> str:
        """The position as a short text, safe in URLs and file names."""
        text = json.dumps(asdict(self), separators=(",", ":"), sort_keys=True)
        check = hashlib.sha256(text.encode()).hexdigest()[:8]
        return base64.urlsafe_b64encode(f"{check}{text}".encode()).decode().rstrip("=")

    @classmethod
    def of_token(cls, token: str) -> "Position":
        """Read a token back.

        Raises:
            ResumeTokenError: not a token, or one of an unknown version.
        """
        try:
            text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
            check, values = text[:8], json.loads(text[8:])
            version = values["version"]
            whole = hashlib.sha256(text[8:].encode()).hexdigest()[:8] == check
        except (ValueError, KeyError, TypeError, binascii.Error):
            whole, version = False, None
        if not whole:
            raise ResumeTokenError(
                "this is not a resume token, or it was cut short; give the whole text of results.token"
            )
        if version != TOKEN_VERSION:
            raise ResumeTokenError(
                f"the token has version {version}, this package reads {TOKEN_VERSION}; start the loop anew"
            )
        return cls(**values)

    def start(self) -> Start:
        """Where the chain begins to go on from here."""
        return Start(
            self.phase,
            self.bound,
            self.revision or None,
            self.last,
            self.offset,
            self.count > 0 and self.phase != "mock",
        )


class Iteration:
    """One pass over a selection: takes batches from the chain, decodes rows one at a time, knows where it stands."""

    def __init__(self, selection: Selection, access: Access) -> None:
        position = selection.position
        self._selection = selection
        self._refuse_after_fork = access.reader.refuse_after_fork
        request = Request(selection.query, selection.fallback, selection.deadline, selection.with_moderation)
        self._chain = Chain(access, request, Start() if position is None else position.start())
        self._at = 0
        self._hold(NO_ROWS)
        self._page_size = FIRST_PAGE
        self._taken = 0 if position is None else position.count
        self._before = -1 if position is None else position.last
        self._phase: PhaseName = "cache" if position is None else position.phase
        self._offset = 0 if position is None else position.offset
        self._counted: Counter[str] = Counter()
        self._started = self._ended = False
        self.complete: bool | None = None

    @property
    def token(self) -> str | None:
        """Where this iteration stands: after the last row handed over. None before there is anything to resume."""
        state = self._chain.state
        if not self._started or (state is None and self._phase == "cache"):
            return None if self._selection.position is None else self._selection.position.token()
        revision, bound = ("", 0) if state is None else (state.revision, state.seq)
        return Position(
            self._selection.digest, revision, bound, self._last, self._count, self._phase, self._offset
        ).token()

    @property
    def notes(self) -> list[str]:
        """What a reader of the rows should know, so far."""
        return self._chain.notes

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

    @property
    def _last(self) -> int:
        """The row index handed over last. Derived, and so is the count: two stores less on the path of every row."""
        return self._batch.row_index(self._batch.entries[self._at - 1]) if self._at else self._before

    @property
    def _count(self) -> int:
        return self._taken + self._at

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
            size = self._next_size()
            self._set_aside()
            batch = await self._chain.next(size) if size > 0 else None
        except RemoteError:
            self._ended, self.complete = True, self._chain.complete
            raise
        if batch is None:
            self._finish(limit_reached=size <= 0)
            return False
        if self._selection.limit is not None:
            batch = replace(batch, entries=batch.entries[: self._selection.limit - self._count])
        if self._chain.phase != self._phase:
            self._before = -1  # every phase counts from its own beginning
        self._hold(batch)
        self._phase, self._offset = self._chain.phase, batch.offset
        return True

    async def fetch(self, held: int) -> list[Conversation]:
        """Bring into the store what it lacks of these rows, as far as the fallback goes; gives the seeds served instead.

        Args:
            held: how many of them the store has already.

        Raises:
            IncompleteResultError: completeness was required and cannot be promised.
        """
        self._started, limit = True, self._selection.limit
        await self._chain.begin(stored_rows=False, found_real=held > 0)
        seeds: list[Conversation] = []
        while limit is None or held < limit:
            batch = await self._chain.next(LAST_PAGE)
            if batch is None:
                break
            held += len(batch.entries)
            seeds += batch.entries if batch.origin is Origin.MOCK else ()
        if not self._chain.all_kept:
            self._chain.complete = False
        self._finish(limit_reached=limit is not None and held >= limit and self._chain.all_kept)
        return seeds

    def _next_size(self) -> int:
        size, self._page_size = self._page_size, min(self._page_size * 2, LAST_PAGE)
        if self._selection.limit is None:
            return size
        return min(size, self._selection.limit - self._count)

    def _set_aside(self) -> None:
        """Count the batch in hand, and let go of it."""
        self._before, self._taken = self._last, self._count
        self._counted[self._batch.origin.value] += self._at
        self._hold(NO_ROWS)

    def _hold(self, batch: Batch) -> None:
        self._batch, self._entries, self._decode, self._at = batch, batch.entries, batch.decode, 0

    async def _start(self) -> None:
        position = self._selection.position
        if position is not None and position.selection != self._selection.digest:
            raise ResumeTokenError("the token is of another query or limit; resume with the query it was made by")
        await self._chain.begin()
        self._started = True

    def _finish(self, *, limit_reached: bool) -> None:
        self._ended = True
        self.complete = True if limit_reached else self._chain.complete
        if self._selection.require_complete and not self.complete:
            raise IncompleteResultError(
                "the store does not cover the whole split, so rows may be missing; run sync to its end, or do without "
                "require_complete"
            )


class ResultsBase:
    """What AsyncResults and Results share: the value, its operations, and the report of the latest iteration."""

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self._iteration: Iteration | None = None

    def _refuse_order(self, processes: int) -> None:
        """Refuse what several processes cannot share.

        Raises:
            QueryError: less than one process, or a limit or a token.
        """
        if processes < 1:
            raise QueryError(f"processes needs a number from 1 on, not {processes!r}")
        asked = self.selection
        whole = Selection(
            asked.query, asked.fallback, asked.deadline, with_moderation=asked.with_moderation,
            require_complete=asked.require_complete,
        )  # fmt: skip
        if asked != whole:
            raise QueryError(
                "several processes fold whole queries only: leave out what orders or picks rows, and resume, or use processes=1"
            )

    @property
    def query(self) -> Query:
        """Which rows these are."""
        return self.selection.query

    @property
    def token(self) -> str | None:
        """Resumes after the row handed over last; None before the first."""
        if self._iteration is not None:
            return self._iteration.token
        return None if self.selection.position is None else self.selection.position.token()

    @property
    def origins(self) -> dict[str, int]:
        """How many rows of the latest iteration came from where."""
        return {} if self._iteration is None else self._iteration.origins

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the rows should know: why there are none, words that no row has, a store opened read-only."""
        return () if self._iteration is None else tuple(self._iteration.notes)

    @property
    def complete(self) -> bool | None:
        """Once the iteration has ended: whether no matching row can be missing; None while unknown."""
        return None if self._iteration is None else self._iteration.complete


class AsyncResults(ResultsBase):
    """Rows of an AsyncStore: ``async for chat in results``. Iterating again starts anew."""

    def __init__(self, selection: Selection, access: Access) -> None:
        super().__init__(selection)
        self._access = access

    def limit(self, number: int) -> "AsyncResults":
        """The first ``number`` rows."""
        return AsyncResults(self.selection.limited(number), self._access)

    def begin(self) -> Iteration:
        """A new iteration, which the report of these results follows from now on."""
        self._iteration = Iteration(self.selection, self._access)
        return self._iteration

    def __aiter__(self) -> "AsyncRows":
        return AsyncRows(self.begin())

    def pages(self) -> "AsyncPages":
        """The same rows as lists of 50 to 1,000, for work that is done many rows at a time."""
        return AsyncPages(self.begin())

    async def first(self) -> Conversation | None:
        """The first row; None if there is none."""
        iteration = self.begin()
        return iteration.take() if await iteration.advance() else None

    async def count(self) -> int:
        """How many rows these are (a token's progress is not counted off).

        The store answers; what it lacks is fetched first, where the fallback allows it.
        """
        number = len(await self.fetch()) or await self._held()
        return number if self.selection.limit is None else min(number, self.selection.limit)

    async def fold(self, analyzer: Analyzer[R], *, processes: int = 1) -> R:
        """What an analyzer makes of these rows, in one pass; it is left holding them, and may be given more.

        Args:
            analyzer: such as ``lmsys_store.analyze.Patterns()``.
            processes: how many to share the work, this one included, each reading rows of its own; what the store lacks is
                fetched first. ``origins`` then counts nothing. Programs need their ``if __name__ == "__main__":``.

        Raises:
            QueryError: several processes, and a limit or a token: they cannot tell which rows come first.
        """
        if processes == 1:
            async for page in self.pages():
                await to_thread.run_sync(analyzer.update, page)
            return await to_thread.run_sync(analyzer.result)
        self._refuse_order(processes)
        seeds = await self.fetch()
        for batch in folding.batches(seeds):
            await to_thread.run_sync(analyzer.update, batch)
        reader = self._access.reader
        state = await reader.state()
        if state is not None and not seeds:
            whole = folding.Part.of(reader.path, self.selection.query, state, await reader.span())
            parts = replace(whole, with_moderation=self.selection.with_moderation).cut(processes)
            await folding.fold_in_processes(analyzer, parts, processes)
        return await to_thread.run_sync(analyzer.result)

    async def fetch(self) -> list[Conversation]:
        """Bring into the store what it lacks of these rows, as far as the fallback goes; gives the seeds served instead."""
        self._iteration = Iteration(replace(self.selection, position=None), self._access)
        return await self._iteration.fetch(await self._held())

    async def _held(self) -> int:
        state = await self._access.reader.state()
        return 0 if state is None else await self._access.reader.count(self.query, state)


class AsyncRows:
    """The iterator of AsyncResults, row by row. A class, not a generator: abandoned anywhere, it holds nothing."""

    def __init__(self, iteration: Iteration) -> None:
        self._iteration = iteration

    def __aiter__(self) -> "AsyncRows":
        return self

    async def __anext__(self) -> Conversation:
        while (chat := self._iteration.take()) is None:
            if not await self._iteration.advance():
                raise StopAsyncIteration
        return chat

    async def aclose(self) -> None:
        """Nothing to close; here so that ``contextlib.aclosing`` works."""


class AsyncPages:
    """The iterator of ``AsyncResults.pages()``."""

    def __init__(self, iteration: Iteration) -> None:
        self._iteration = iteration

    def __aiter__(self) -> "AsyncPages":
        return self

    async def __anext__(self) -> list[Conversation]:
        if not await self._iteration.advance():
            raise StopAsyncIteration
        return self._iteration.take_page()

    async def aclose(self) -> None:
        """Nothing to close; here so that ``contextlib.aclosing`` works."""
