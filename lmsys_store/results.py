"""Results: one query's rows, lazily, in order, resumable. Nothing is held between two rows but a page of undecoded ones.

`Selection` is the value (what was asked), `Iteration` the one mutable thing (where it stands). The async and the blocking
results share both; only the awaiting differs.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Final

from lmsys_store.errors import (
    IncompleteResultError,
    QueryError,
    ResumeTokenError,
    StoreRestartedError,
)
from lmsys_store.query import Query
from lmsys_store.records import Conversation, Origin
from lmsys_store.storage import coverage
from lmsys_store.storage.codec import conversation_of
from lmsys_store.storage.reader import PageStatement, Reader, Row, StoreState

FIRST_PAGE: Final = 50
LAST_PAGE: Final = 1000
TOKEN_VERSION: Final = 1
OPERATIONS: Final = ("order_by", "shuffle", "sample", "distinct", "split", "shard", "limit", "cycle")


@dataclass(frozen=True)
class Selection:
    """What was asked: which rows, in what order, how many."""

    query: Query
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
    """Where an iteration stands, as a token says it: after row index ``last``, ``count`` rows in, seeing rows up to ``bound``."""

    selection: str
    revision: str
    bound: int
    last: int
    count: int
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


@dataclass
class Report:
    """What an iteration says of itself, complete once it has ended."""

    notes: list[str] = field(default_factory=list)
    yielded: int = 0
    complete: bool | None = None


class Iteration:
    """One pass over a selection: fetches pages, decodes rows one at a time, knows where it stands."""

    def __init__(self, selection: Selection, reader: Reader, notes: Sequence[str] = ()) -> None:
        self._selection = selection
        self._reader = reader
        self._refuse_after_fork = reader.refuse_after_fork
        self._statement: PageStatement | None = None
        self._page: Sequence[Row] = ()
        self._at = 0
        self._page_size = FIRST_PAGE
        self._generation = 0
        self._ended = False
        self._begun = 0 if selection.position is None else selection.position.count
        self._taken = self._begun
        self._before = -1
        self._state: StoreState | None = None
        self._origin = Origin.CACHE
        self.report = Report(list(notes))

    @property
    def token(self) -> str | None:
        """Where this iteration stands: after the last row handed over. None before there is anything to resume."""
        if self._state is None:
            return None if self._selection.position is None else self._selection.position.token()
        position = Position(self._selection.digest, self._state.revision, self._state.seq, self._last, self._count)
        return position.token()

    @property
    def origin(self) -> Origin:
        """Where the rows of this iteration come from."""
        return self._origin

    def take(self) -> Conversation | None:
        """The next row of the page in hand, decoded now; None if the page is used up."""
        at = self._at
        if at >= len(self._page):
            return None
        self._refuse_after_fork()
        self._at = at + 1
        return conversation_of(self._page[at], self._origin)

    @property
    def _last(self) -> int:
        """The row index handed over last. Derived, and so is the count: two stores less on the path of every row."""
        return self._page[self._at - 1][0] if self._at else self._before

    @property
    def _count(self) -> int:
        return self._taken + self._at

    def take_page(self) -> list[Conversation]:
        """What is left of the page in hand, decoded."""
        chats = []
        while (chat := self.take()) is not None:
            chats.append(chat)
        return chats

    async def advance(self) -> bool:
        """Fetch the next page; False at the end.

        Raises:
            StoreRestartedError: the store was emptied meanwhile.
            IncompleteResultError: at the end, where completeness was required and cannot be promised.
        """
        if self._ended:
            return False
        if self._state is None and not await self._start():
            return False
        assert self._state is not None and self._statement is not None
        size = self._next_size()
        self._before, self._taken = self._last, self._count
        self._page, self._at = (), 0
        if size > 0:
            page, generation = await self._reader.page(self._statement, self._last, self._state.seq, size)
            if generation != self._generation:
                raise StoreRestartedError("the store was emptied and is being filled anew; start the loop again")
            self._page = page
        if not self._page:
            await self._finish()
        return not self._ended

    def _next_size(self) -> int:
        size, self._page_size = self._page_size, min(self._page_size * 2, LAST_PAGE)
        if self._selection.limit is None:
            return size
        return min(size, self._selection.limit - self._count)

    async def _start(self) -> bool:
        """Bind the iteration to the store as it is now, or as the token saw it; False if there is nothing to read."""
        self._state = await self._reader.state()
        if self._state is None:
            if self._selection.position is not None:
                raise ResumeTokenError(
                    "the token is of a store that held rows, and this one is empty; open the store it is of"
                )
            self.report.notes.append("the store is empty: fill it with sync")
            await self._finish()
            return False
        self._generation = self._state.generation
        self._origin = self._state.origin
        if self._selection.position is not None:
            self._resume(self._selection.position)
        query = self._selection.query
        self._statement = self._reader.select(query, state=self._state, with_moderation=self._selection.with_moderation)
        self.report.notes.extend(await self._reader.unknown_values(query))
        return True

    def _resume(self, position: Position) -> None:
        assert self._state is not None
        if position.selection != self._selection.digest:
            raise ResumeTokenError("the token is of another query or limit; resume with the query it was made by")
        if position.revision != self._state.revision:
            raise ResumeTokenError(
                f"the token is of revision {position.revision}, the store holds {self._state.revision}; start the loop anew"
            )
        self._state = replace(self._state, seq=position.bound)
        self._before = position.last

    async def _finish(self) -> None:
        self._ended = True
        self.report.complete = await self._is_complete()
        if self._selection.require_complete and not self.report.complete:
            raise IncompleteResultError(
                "the store does not cover the whole split, so rows may be missing; run sync to its end, or do without "
                "require_complete"
            )

    async def _is_complete(self) -> bool | None:
        """True if no matching row can be missing; None if the split's size is unknown."""
        if self._selection.limit is not None and self._count >= self._selection.limit:
            return True
        if self._state is None or self._state.total_rows is None:
            return None
        return not coverage.missing((0, self._state.total_rows), await self._reader.coverage(self._state.seq))

    @property
    def yielded(self) -> int:
        """Rows handed over by this iteration (not by those it resumes)."""
        return self._count - self._begun


class ResultsBase:
    """What AsyncResults and Results share: the value, its operations, and the report of the latest iteration."""

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self._iteration: Iteration | None = None

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
        iteration = self._iteration
        return {iteration.origin.value: iteration.yielded} if iteration is not None and iteration.yielded else {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the rows should know: why there are none, words that no row has, a store opened read-only."""
        return () if self._iteration is None else tuple(self._iteration.report.notes)

    @property
    def complete(self) -> bool | None:
        """Once the iteration has ended: whether no matching row can be missing; None while unknown."""
        return None if self._iteration is None else self._iteration.report.complete


class AsyncResults(ResultsBase):
    """Rows of an AsyncStore: ``async for chat in results``. Iterating again starts anew."""

    def __init__(self, selection: Selection, reader: Reader, notes: Sequence[str] = ()) -> None:
        super().__init__(selection)
        self._reader = reader
        self._store_notes = notes

    def limit(self, number: int) -> "AsyncResults":
        """The first ``number`` rows."""
        return AsyncResults(self.selection.limited(number), self._reader, self._store_notes)

    def begin(self) -> Iteration:
        """A new iteration, which the report of these results follows from now on."""
        self._iteration = Iteration(self.selection, self._reader, self._store_notes)
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
        """How many rows these are in the store as it is now (a token's progress is not counted off)."""
        state = await self._reader.state()
        if state is None:
            return 0
        number = await self._reader.count(self.query, state)
        return number if self.selection.limit is None else min(number, self.selection.limit)


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
