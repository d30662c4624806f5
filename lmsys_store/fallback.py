"""The chain of one select: rows of the store, then of the remote, then the bundled mock seeds; always saying which and why.

Decides which phase comes next, and what the end means: complete, cut short, or an error. The phases do the work.
"""

import json
from dataclasses import replace

from lmsys_store import intervals
from lmsys_store.errors import DeadlineError, RemoteError, ResumeTokenError, RevisionChangedError
from lmsys_store.implication import implies
from lmsys_store.phases import (
    Access,
    Batch,
    MockPhase,
    RemotePhase,
    Request,
    Start,
    StoredPhase,
    seed_conversations,
)
from lmsys_store.position import PhaseName
from lmsys_store.query import Query
from lmsys_store.records import Origin, Provenance
from lmsys_store.storage.reader import MOCK_DATASET, Predicate, Reader, StoreState


class Chain:
    """The phases of one select, in turn. ``complete`` is known once :meth:`next` has given None."""

    def __init__(self, access: Access, request: Request, start: Start) -> None:
        self._access = access
        self._request = request
        self._start = start
        self._found_real = start.found_real
        self._failure: RemoteError | None = None
        self._phase: StoredPhase | RemotePhase | MockPhase | None = None
        self.state: StoreState | None = None
        """The store as the select sees it: ``seq`` is its bound."""
        self.phase: PhaseName = start.phase
        self.floor = start.floor
        self.notes: list[str] = list(access.notes)
        self.complete: bool | None = None
        self.all_kept = True
        """Whether the store has got every row that was fetched."""

    @property
    def provenance(self) -> Provenance | None:
        """Of what data set the rows are; None while that is unknown."""
        if self.phase == "mock":
            return Provenance(MOCK_DATASET)
        state = self.state
        return None if state is None else Provenance(state.dataset, state.revision, state.licence, state.licence_url)

    async def begin(self, *, stored_rows: bool = True, found_real: bool = False) -> None:
        """Look at the store, and take the first phase.

        Args:
            stored_rows: begin with the rows of the store; else only what it lacks is brought.
            found_real: real rows were found already.

        Raises:
            ResumeTokenError: the token is of another store or revision.
        """
        start, reader = self._start, self._access.reader
        self._found_real = self._found_real or found_real
        self.state = await reader.state()
        if self.state is None:
            if start.phase == "cache" and start.bound is not None:
                raise ResumeTokenError(
                    "the token is of a store that held rows, and this one is empty; open the store it is of"
                )
        elif start.revision is not None and start.phase != "mock" and start.revision != self.state.revision:
            raise ResumeTokenError(
                f"the token is of revision {start.revision}, the store holds {self.state.revision}; start the loop anew"
            )
        elif start.bound is not None:
            self.state = replace(self.state, seq=start.bound)
        if self.state is not None:
            self.notes += await reader.unknown_values(self._request.query)
            if start.phase == "cache" and stored_rows:
                self._phase = StoredPhase(self._access, self._request, self.state, start)
                return
        await self._leave_store()

    async def next(self, size: int) -> Batch | None:
        """About ``size`` rows more; None at the end."""
        while self._phase is not None:
            try:
                batch = await self._phase.next(size)
            except RemoteError as error:
                self._fail(error)
                batch = None
            if isinstance(self._phase, StoredPhase):
                self.state, self.floor = self._phase.state, self._phase.floor
            elif isinstance(self._phase, RemotePhase):
                self.state, self.all_kept = self._phase.state or self.state, self._phase.all_kept
            if batch is not None:
                self._found_real = self._found_real or batch.origin is not Origin.MOCK
                return batch
            await self._leave()
        return None

    async def _leave(self) -> None:
        """One phase has ended: take the next, if the fallback allows it and it has something to add."""
        ended, self._phase = self._phase, None
        if isinstance(ended, StoredPhase):
            await self._leave_store()
        elif isinstance(ended, RemotePhase):
            if self._failure is None:
                self.complete = ended.complete
            else:
                await self._leave_remote(self._failure)

    async def _leave_store(self) -> None:
        if self._start.phase == "mock":
            await self._take_seeds("the resumed iteration was in them")
            return
        self.complete = await self.is_complete()
        if self.complete or self._request.fallback == "cache" or not self._access.remote.has(self.state):
            if self.state is None:
                self.notes.append("the store is empty: fill it with sync")
            elif not self.complete and self._access.remote.has(self.state):
                self.notes.append("the store may lack rows of this query, and fallback='cache' asks nobody else")
            return
        self.phase, self.complete = "remote", False
        if self.state is not None:
            self.notes.append("the store may lack rows of this query: what is missing is asked of the remote")
        start = self._start if self._start.phase == "remote" else Start(revision=self._start.revision)
        self._phase = RemotePhase(self._access, self._request, self.state, start, self.notes)

    async def _leave_remote(self, failure: RemoteError) -> None:
        """The remote failed: seeds instead, an error, or an end with what there is."""
        self.complete = False
        late = isinstance(failure, DeadlineError) and not (failure.unanswered and self._request.fallback == "mock")
        if self._found_real or late:
            return
        if self._request.fallback != "mock" or isinstance(failure, RevisionChangedError):
            raise failure
        await self._take_seeds(str(failure))

    async def _take_seeds(self, why: str) -> None:
        self.phase, self.complete = "mock", False
        last = self._start.last if self._start.phase == "mock" else -1
        self._phase = MockPhase(await seed_conversations(self._access.label), self._request.wanted, last, why)

    def _fail(self, error: RemoteError) -> None:
        self._failure = error
        if isinstance(error, RevisionChangedError):
            self._access.remote.leave_alone(error)
        self.notes.append(f"the remote was not asked to its end: {error}")

    async def is_complete(self) -> bool | None:
        """Whether the store has every row of the query; None while the size of the split is unknown."""
        if self.state is None:
            return None
        reader, bound = self._access.reader, self.state.seq
        if await covering_predicate(reader, self._request.query, bound) is not None:
            return True
        if self.state.total_rows is None:
            return None
        return not intervals.missing((0, self.state.total_rows), await reader.coverage(bound))


async def covering_predicate(reader: Reader, query: Query, bound: int | None = None) -> Predicate | None:
    """What was fetched whole and holds every row of the query."""
    for predicate in await reader.predicates(bound):
        if predicate.complete and implies(
            query.expression, Query.from_json(json.loads(predicate.expression)).expression
        ):
            return predicate
    return None
