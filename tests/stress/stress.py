"""Random work on one store from several tasks, held against a model: ``python -m tests.stress.stress --seconds 60``.

One task writes (sync with a random limit, delete, both cancelled at times), three read (break, cancel, resume by token) over
two stores opened on the same file. Each iteration is held against what must and what may be seen; after each round the tables
and ``check()`` are. Prints its seed; the same seed makes the same choices, though not the same timing.
"""

import argparse
import asyncio
import random
import secrets
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from lmsys_store import AsyncStore, Query, fields
from lmsys_store.records import Conversation
from lmsys_store.settings import Settings
from tests import generated

READERS = 3
WRITES_A_ROUND = 6
INVALID_EVERY = 50


def rows_with_rejects(count: int) -> list[dict[str, object]]:
    """Generated rows; every fiftieth has no conversation and must be rejected."""
    rows = list(generated.rows(count, moderation=False))
    for number in range(INVALID_EVERY - 1, count, INVALID_EVERY):
        rows[number] = rows[number] | {"conversation": []}
    return rows


@dataclass
class Model:
    """What the store must hold (``sure``) and may hold while a write is under way (``maybe``)."""

    truth: dict[int, Conversation]
    total: int
    sure: set[int] = field(default_factory=set)
    maybe: set[int] = field(default_factory=set)
    buried: set[int] = field(default_factory=set)
    deletions: Counter[int] = field(default_factory=Counter)
    asked: list[set[int]] = field(default_factory=list)

    def matching(self, query: Query, among: set[int]) -> set[int]:
        """The row indexes of a query."""
        return {number for number in among if query.matches(self.truth[number])}


class Stress:
    """One store file, opened twice, its model and its source of randomness."""

    def __init__(self, path: Path, source: Path, model: Model, seed: int) -> None:
        self.path, self.source, self.model = path, source, model
        self.random = random.Random(seed)
        self.done: Counter[str] = Counter()

    async def run(self, seconds: float) -> None:
        """Rounds of writes with reads beside them, until the time is over."""
        until = time.monotonic() + seconds
        alone = Settings(fallback="cache")  # an empty store has no rows: neither the remote's nor the seeds
        async with AsyncStore(self.path, settings=alone) as first, AsyncStore(self.path, settings=alone) as second:
            while time.monotonic() < until:
                writer = asyncio.create_task(self._write(first))
                async with asyncio.TaskGroup() as group:
                    for number in range(READERS):
                        group.create_task(self._read((first, second)[number % 2], writer))
                await writer
                await self._hold_against_model(second)
                self.done["rounds"] += 1

    # ------------------------------------------------------------------------------------------------- writing

    async def _write(self, store: AsyncStore) -> None:
        for _ in range(WRITES_A_ROUND):
            await self.random.choice((self._sync, self._sync, self._delete))(store)
            await asyncio.sleep(0)

    async def _sync(self, store: AsyncStore) -> None:
        limit = self.random.randint(1, self.model.total)
        wanted = {number for number in self.model.truth if number < limit} - self.model.buried
        self.model.maybe |= wanted
        self.model.asked.append(wanted)
        if await self._perhaps_cancelled(lambda: store.sync(self.source, limit=limit)):
            await self._adopt(store)
        else:
            self.model.sure |= wanted
        self.done["sync"] += 1

    async def _delete(self, store: AsyncStore) -> None:
        query, forget = self._query(narrow=True), self.random.random() < 0.5
        doomed = self.model.matching(query, self.model.sure)
        self.model.sure -= doomed
        self.model.deletions.update(doomed)
        if await self._perhaps_cancelled(lambda: store.delete(query, forget=forget)):
            await self._adopt(store)
        else:
            self.model.maybe = set(self.model.sure)
            self.model.buried |= set() if forget else doomed
        self.done["delete"] += 1

    async def _perhaps_cancelled(self, work: Callable[[], Awaitable[object]]) -> bool:
        """Run the work, cancelled half of the time after up to 4,000 steps; whether it was."""
        task = asyncio.ensure_future(work())
        if self.random.random() < 0.5:
            for _ in range(int(2 ** self.random.uniform(0, 12)) - 1):
                await asyncio.sleep(0)
            task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            self.done["cancelled"] += 1
            return True
        return False

    async def _adopt(self, store: AsyncStore) -> None:
        """After a cancellation any part of the work may be done, but nothing beyond it."""
        # The transaction under way at the cancellation runs to its end; what is queued behind it sees it done.
        await store.delete(Query().where(fields.row_index < 0))
        held, buried = self._column("conversation"), self._column("tombstone")
        assert self.model.sure <= held <= self.model.maybe, "a cancelled write did what it was not asked for"
        self.model.sure, self.model.maybe, self.model.buried = held, set(held), buried

    def _column(self, table: str) -> set[int]:
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as connection:
            return {number for (number,) in connection.execute(f"SELECT row_index FROM {table}")}

    # ------------------------------------------------------------------------------------------------- reading

    async def _read(self, store: AsyncStore, writer: "asyncio.Task[None]") -> None:
        while not writer.done():
            work = self.random.choice((self._iterate, self._iterate, self._cancel_iteration, self._look_up))
            await work(store)
            await asyncio.sleep(0)

    async def _iterate(self, store: AsyncStore) -> None:
        """Iterate, mostly in parts by token: together they are the rows of the store as of the start."""
        query = self._query()
        before, deletions = set(self.model.sure), Counter(self.model.deletions)
        may, asked = set(self.model.maybe) | before, len(self.model.asked)
        seen: list[int] = []
        token: str | None = None
        ended = False
        while not ended:
            part = self.random.choice((1, 50, 300, self.model.total + 1))
            results, ended = store.select(query, resume=token), True
            async for chat in results:
                if not seen:  # whatever was stored when the iteration bound itself was asked for by now
                    may = may.union(*self.model.asked[asked:])
                assert chat == self.model.truth[chat.row_index], f"row {chat.row_index} is not what was stored"
                seen.append(chat.row_index)
                part -= 1
                if part == 0:
                    ended = False
                    break
            token = results.token
            if token is None:
                break  # the store was empty
        must = {number for number in before if self.model.deletions[number] == deletions[number]}
        found = set(seen)
        assert seen == sorted(found), f"{query}: rows out of order or twice"
        assert found <= self.model.matching(query, may), f"{query}: rows that should not be seen"
        assert found >= self.model.matching(query, must), f"{query}: rows lost"
        self.done["iterate"] += 1

    async def _cancel_iteration(self, store: AsyncStore) -> None:
        async def whole() -> None:
            async for _ in store.select(self._query()):
                pass

        task = asyncio.create_task(whole())
        for _ in range(int(2 ** self.random.uniform(0, 10)) - 1):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        self.done["cancelled iterate"] += 1

    async def _look_up(self, store: AsyncStore) -> None:
        chat = await store.get(self.random.randrange(self.model.total))
        assert chat is None or chat == self.model.truth[chat.row_index]
        assert await store.select(self._query()).count() <= self.model.total
        self.done["look up"] += 1

    def _query(self, *, narrow: bool = False) -> Query:
        """A random query; a narrow one is about a few percent of the rows."""
        first = self.random.randrange(self.model.total)
        span = self.random.randint(1, 80 if narrow else self.model.total)
        query = Query().where(fields.row_index.between(first, first + span))
        choice = self.random.randrange(4)
        if choice == 0:
            return query
        if choice == 1:
            return query.where(fields.model == self.random.choice(list(generated.MODELS)))
        if choice == 2:
            return query.where(fields.turn >= self.random.randint(1, 4))
        return query.search(self.random.choice(("python", "red -blue", "hou*", '"the a"')))

    # ------------------------------------------------------------------------------------------------- the model

    async def _hold_against_model(self, store: AsyncStore) -> None:
        assert (report := await store.check()).ok, report.problems
        assert self._column("conversation") == self.model.sure, "the rows are not those of the model"
        assert self._column("tombstone") == self.model.buried, "the tombstones are not those of the model"
        assert not self._column("rejected_row") & self.model.truth.keys(), "a valid row was rejected"


def stress(seed: int, seconds: float, rows: int) -> Counter[str]:
    """Run it in a temporary folder; gives how often each thing was done."""
    with tempfile.TemporaryDirectory() as folder:
        values = rows_with_rejects(rows)
        source = generated.write_jsonl(Path(folder) / "rows.jsonl", values)
        valid = [(number, row) for number, row in enumerate(values) if row["conversation"]]
        truth = {number: generated.conversation(row, number) for number, row in valid}
        work = Stress(Path(folder) / "store.db", source, Model(truth, rows), seed)
        asyncio.run(work.run(seconds))
        return work.done


def main() -> None:
    """Read the options, print the seed first, and what was done at the end."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seed", type=int, default=None)
    options.add_argument("--seconds", type=float, default=30.0)
    options.add_argument("--rows", type=int, default=3000)
    given = options.parse_args()
    seed = secrets.randbits(32) if given.seed is None else given.seed
    print(f"seed {seed}", flush=True)
    done = stress(seed, given.seconds, given.rows)
    print(", ".join(f"{count} {what}" for what, count in sorted(done.items())))


if __name__ == "__main__":
    main()
