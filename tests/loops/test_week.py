"""A week in small: 100,000 rows in loops that are broken off, cancelled, killed and resumed while a sync fills the store."""

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lmsys_store import AsyncStore, Conversation, Query
from tests import generated
from tests.chain.stores import chats_of, short_rows
from tests.embedding.resources import Held, descriptors_of, write_lock_is_free
from tests.loops.model import Call, Calls, expected, operated

ROOT = Path(__file__).parents[2]
SEED = 20261125
ITEMS = 100_000
ROWS, FIRST, STEP = 6_000, 2_000, 250
PROCESSES = 4
QUERIES = [Query(), Query.of(turns=(1, 3)), Query.of(language="en")]
CHAINS: list[Calls] = [
    (),
    (Call("shuffle", (11,)),),
    (Call("order_by", ("language",)),),
    (Call("sample", (1500,), {"seed": 5, "by": ["model"], "per_family": 3, "allocation": "sqrt"}),),
    (Call("shuffle", (12,)), Call("distinct", ("family",)), Call("split", ("train",))),
    (Call("split", ("train",)), Call("shard", (1, 2))),
    (Call("shuffle", (13,)), Call("limit", (700,)), Call("cycle")),
]


@dataclass
class Week:
    """One store, what it is filled from, and what has happened to it."""

    path: Path
    source: Path
    chats: Sequence[Conversation]
    choose: random.Random
    held: int = FIRST
    items: int = 0
    ends: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("break", "cancel", "process", "end"), 0))

    async def run(self) -> None:
        """Loop after loop, until there were enough rows."""
        await self._sync(FIRST)
        while self.items < ITEMS:
            await self._loop(self.choose.choice(QUERIES), self.choose.choice(CHAINS))

    async def _loop(self, query: Query, calls: Calls) -> None:
        """One loop, in parts: each resumes by the token of the part before, in a store that has grown by then."""
        plain = tuple(call for call in calls if call.name != "cycle")
        whole = expected((chat for chat in self.chats[: self.held] if query.matches(chat)), plain)
        if plain != calls:
            whole = whole * self.choose.randint(2, 4)
        done, token = 0, None
        while done < len(whole):
            wanted = min(self.choose.choice([1, 60, 700, 3000]), len(whole) - done)
            # Not beside the first part: what that one sees must be known.
            growing = asyncio.create_task(self._sync(self.held if token is None else min(self.held + STEP, ROWS)))
            if token is not None and self.ends["process"] < PROCESSES and self.choose.random() < 0.1:
                rows, token = await self._part_in_process(query, calls, token, wanted)
            else:
                rows, token = await self._part(query, calls, token, wanted)
            await growing
            assert rows == whole[done : done + len(rows)], (SEED, query, calls, done)
            assert rows, "every part goes on"
            done += len(rows)
            self.items += len(rows)
        self.ends["end"] += 1

    async def _part(self, query: Query, calls: Calls, token: str | None, wanted: int) -> tuple[list[int], str | None]:
        """Some rows, by a store of its own or beside others, ended by a break or by being cancelled."""
        found: list[int] = []
        async with AsyncStore(self.path) as store:
            results = operated(store.select(query, resume=token), calls)
            saved: list[str | None] = [token]

            async def work(count: int | None) -> None:
                async for chat in results:
                    found.append(chat.row_index)
                    if len(found) == wanted:
                        saved[0] = results.token
                        if count is not None:
                            break
                        await asyncio.Event().wait()  # the work on a row; it never ends

            if self.choose.random() < 0.5:
                await work(wanted)
                self.ends["break"] += 1
            else:
                task = asyncio.create_task(work(None))
                while len(found) < wanted:
                    await asyncio.wait([task], timeout=0.001)
                    assert not task.done()
                task.cancel()
                await asyncio.wait([task])
                self.ends["cancel"] += 1
        return found[:wanted], saved[0]

    async def _part_in_process(
        self, query: Query, calls: Calls, token: str, wanted: int
    ) -> tuple[list[int], str | None]:
        asked = [token, [[call.name, call.arguments, call.keywords] for call in calls], wanted]
        command = [sys.executable, "-m", "tests.loops.programs.part", str(self.path)]
        done = await asyncio.to_thread(
            subprocess.run, [*command, json.dumps(query.to_json()), json.dumps(asked)],
            capture_output=True, text=True, timeout=30, check=True, cwd=ROOT,
        )  # fmt: skip
        self.ends["process"] += 1
        rows, after = json.loads(done.stdout)
        return rows, after

    async def _sync(self, rows: int) -> None:
        async with AsyncStore(self.path) as store:
            await store.sync(self.source, limit=rows)
        self.held = rows


@pytest.mark.timeout(120)
def test_a_week_of_loops_gives_every_row_once_and_leaves_nothing(tmp_path: Path) -> None:
    rows = short_rows(ROWS)
    source = generated.write_jsonl(tmp_path / "rows.jsonl", rows)
    week = Week(tmp_path / "store.db", source, chats_of(rows), random.Random(SEED))
    before = Held.now()
    asyncio.run(week.run())
    assert week.items >= ITEMS
    assert all(week.ends.values()), week.ends
    assert before.excess() == []
    assert descriptors_of(week.path) == 0
    assert write_lock_is_free(week.path)
