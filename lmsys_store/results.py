"""Results: one query's rows, lazily, in order, resumable: a value until they are iterated.

What is asked is a Selection, where an iteration stands an Iteration (iteration.py); the async and the blocking results differ
only in the awaiting.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Self, TypeVar

from anyio import to_thread

from lmsys_store import folding
from lmsys_store.convert.base import AnyConverter, AsyncConverted
from lmsys_store.errors import QueryError
from lmsys_store.folds import Analyzer
from lmsys_store.funnel import Funnel
from lmsys_store.iteration import Iteration, Selection
from lmsys_store.operations import Allocation, Distinct, Operations
from lmsys_store.parts import Split
from lmsys_store.phases import Access
from lmsys_store.position import Position
from lmsys_store.query import Query
from lmsys_store.records import Conversation, Provenance

__all__ = ["AsyncPages", "AsyncResults", "AsyncRows", "Iteration", "Position", "ResultsBase", "Selection"]

T = TypeVar("T")


R = TypeVar("R")


class ResultsBase:
    """What AsyncResults and Results share: the value, its operations, and the report of the latest iteration.

    Operations are given at most once each, in this order, and give new results: one of :meth:`order_by`, :meth:`shuffle` and
    :meth:`sample`, then :meth:`distinct`, :meth:`split`, :meth:`shard`, :meth:`limit`, :meth:`cycle`; else QueryError. Without
    any of ``order_by``, ``shuffle``, ``sample``, ``distinct`` and ``cycle`` rows are found as they are asked for; with one,
    all rows are first brought into the store, as far as the fallback goes, and 8 bytes a row are held.
    """

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self._iteration: Iteration | None = None

    def _refuse_order(self, processes: int) -> None:
        """Refuse what several processes cannot share.

        Raises:
            QueryError: less than one process, or an operation or a token.
        """
        if processes < 1:
            raise QueryError(f"processes needs a number from 1 on, not {processes!r}")
        if self.selection.operations != Operations() or self.selection.position is not None:
            raise QueryError(
                "several processes fold whole queries only: leave out what orders or picks rows, and resume, or use processes=1"
            )

    def _with(self, operations: Operations) -> Self:
        raise AssertionError(f"{type(self).__name__} does not say how it is made")

    @property
    def _operations(self) -> Operations:
        return self.selection.operations

    def order_by(self, field: str, *, descending: bool = False) -> Self:
        """The rows in the order of a field, missing values last, ties by row index.

        Any field with one value a row will do; texts are compared by code points. ``conversation_id`` costs about 100 bytes a
        row while the order is made.
        """
        return self._with(self._operations.ordered_by(field, descending))

    def shuffle(self, seed: int) -> Self:
        """All rows in an order that the seed says, the same on every machine: a full permutation, not a buffer's.

        Rows keep their order among each other when the store grows.
        """
        return self._with(self._operations.shuffled(seed))

    def sample(
        self,
        number: int,
        *,
        seed: int,
        by: str | Sequence[str] = (),
        per_family: int | None = None,
        allocation: Allocation = "proportional",
    ) -> Self:
        """``number`` rows that a seed draws, the same tomorrow and on every machine, in an order that the seed says.

        Args:
            number: how many. Fewer come where there are no more; ``funnel`` says of which stratum.
            seed: any whole number.
            by: fields whose values are strata, such as ``["domain", "model"]``; a missing value is a stratum too.
            per_family: at most so many rows of one family (prompts of one template), before anything is drawn.
            allocation: what a stratum gives: ``"proportional"`` to its rows, to their square root (``"sqrt"``), or the same of
                each (``"equal"``). What a stratum cannot give, the others do.
        """
        return self._with(self._operations.sampled(number, seed, by, per_family, allocation))

    def distinct(self, key: Distinct) -> Self:
        """Of the rows with one ``"prompt"`` or ``"family"`` only that of the lowest row index; a row without labels stays."""
        return self._with(self._operations.distinct_by(key))

    def split(self, name: Split) -> Self:
        """The rows of ``"train"`` (80 %), ``"dev"`` or ``"test"`` (10 % each): whole families, by a hash.

        A row's split depends on its first prompt alone, never on the store; nearly equal prompts mostly share theirs.
        """
        return self._with(self._operations.of_split(name))

    def shard(self, number: int, count: int) -> Self:
        """The rows of worker ``number`` (from 0) out of ``count``: disjoint and together complete.

        A row's shard depends on its row index alone, so workers may begin at different times.
        """
        return self._with(self._operations.of_shard(number, count))

    def limit(self, number: int) -> Self:
        """The first ``number`` rows."""
        return self._with(self._operations.limited(number))

    def cycle(self) -> Self:
        """The same rows again and again, in the same order, without an end; nothing at all if there are none."""
        return self._with(self._operations.cycled())

    @property
    def query(self) -> Query:
        """Which rows these are."""
        return self.selection.query

    @property
    def operations(self) -> str:
        """What is done to the rows of the query, as the calls that say it; empty: nothing."""
        return str(self.selection.operations)

    @property
    def provenance(self) -> Provenance | None:
        """Of what data set the rows of the latest iteration are; None while that is unknown."""
        return None if self._iteration is None else self._iteration.provenance

    @property
    def token(self) -> str | None:
        """Resumes after the row handed over last; None before the first."""
        token = None if self._iteration is None else self._iteration.token
        if token is None and self.selection.position is not None:
            return self.selection.position.token()
        return token

    @property
    def next_token(self) -> str | None:
        """The same, but a limit counts anew: resumed with it, the same results are the next ``limit`` rows."""
        token = None if self._iteration is None else self._iteration.next_token
        return self.token if token is None else token

    def put_back(self) -> None:
        """The row handed over last counts as not handed over, if its work was not done: ``token`` resumes before it."""
        if self._iteration is not None:
            self._iteration.put_back()

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

    @property
    def funnel(self) -> Funnel:
        """Once the iteration has ended: how many rows each step left; of a limit reached in row order, that step alone."""
        return Funnel() if self._iteration is None else self._iteration.funnel


class AsyncResults(ResultsBase):
    """Rows of an AsyncStore: ``async for chat in results``. Iterating again starts anew."""

    def __init__(self, selection: Selection, access: Access) -> None:
        super().__init__(selection)
        self._access = access

    def _with(self, operations: Operations) -> Self:
        return type(self)(replace(self.selection, operations=operations), self._access)

    def convert(self, converter: AnyConverter[T]) -> AsyncConverted[T]:
        """What a converter makes of each row, lazily; the report of these results goes on telling of the rows."""
        return AsyncConverted(self, converter)

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

        The store answers; what it lacks is fetched first, where the fallback allows it. ``notes`` and ``complete`` then tell
        of the count, as they would of an iteration.

        Raises:
            QueryError: they have no end.
            IncompleteResultError: completeness was required and cannot be promised.
        """
        operations = self._operations
        if operations.cycle:
            raise QueryError("cycle() has no end to count to; count the rows without it")
        number = await self._count_planned() if operations.narrows_in_order else await self._count_each()
        return number if operations.limit is None else min(number, operations.limit)

    async def fold(self, analyzer: Analyzer[R], *, processes: int = 1) -> R:
        """What an analyzer makes of these rows, in one pass; it is left holding them, and may be given more in this process.

        Args:
            analyzer: such as ``lmsys_store.analyze.Patterns()``.
            processes: how many to share the work, this one included, each reading rows of its own; what the store lacks is
                fetched first. ``origins`` then counts nothing. Programs need their ``if __name__ == "__main__":``.

        Raises:
            QueryError: several processes, and an operation or a token (they cannot tell which rows come first), or an analyzer
                that has rows already or cannot be pickled.
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

    async def _count_planned(self) -> int:
        self._iteration = Iteration(replace(self.selection, position=None), self._access)
        return await self._iteration.count()

    async def _count_each(self) -> int:
        return len(await self.fetch()) or await self._held()

    async def fetch(self) -> list[Conversation]:
        """Bring into the store what it lacks of these rows, as far as the fallback goes; gives the seeds served instead."""
        in_row_order = replace(self._operations, order_by=None, shuffle=None)
        self._iteration = Iteration(replace(self.selection, operations=in_row_order, position=None), self._access)
        return await self._iteration.fetch(await self._held())

    async def _held(self) -> int:
        state = await self._access.reader.state()
        return 0 if state is None else await self._access.reader.count(self.selection.request.wanted, state)


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
