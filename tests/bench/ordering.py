"""The figures of orders: a sample drawn, a shuffle read against row order, and what a shuffle of a million rows holds."""

import asyncio
import time
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from lmsys_store import AsyncStore
from lmsys_store.storage.engine import Database
from lmsys_store.storage.reader import StoreState
from lmsys_store.storage.writer import Writer
from tests.bench import task
from tests.bench.data import Bench, remove_store
from tests.bench.measure import Line, at_most, medians, rate

SAMPLED = 1000
MANY = 1_000_000
_RECORD = '{"row_index":\' || i || \',"conversation_id":"c","model":"m","messages":[{"role":"user","content":"hi"}]}'


def sampling(bench: Bench) -> list[Line]:
    """A stratified sample with a cap a family, its rows read."""
    found = medians({"lmsys_store": partial(_run_sample, bench.store)}, bench.rounds)["lmsys_store"]
    name = f"sample({SAMPLED:,}) by domain and model"
    return [Line(name, "lmsys_store", f"{found:.3f} s", *at_most(found, 0.5, "s"))]


def shuffling(bench: Bench) -> list[Line]:
    """Every conversation in the order of a seed, against row order."""
    found = medians(
        {
            "row order": lambda: asyncio.run(_iterate(bench.store, shuffled=False)),
            "shuffled": lambda: asyncio.run(_iterate(bench.store, shuffled=True)),
        },
        bench.rounds,
    )
    ratio = found["row order"] / found["shuffled"]
    return [
        *(Line("shuffle", name, rate(bench.row_count, value)) for name, value in found.items()),
        Line("shuffle", "shuffled", "", f"{ratio:.2f} x row order", ">= 0.5", ratio >= 0.5),
    ]


def holding(bench: Bench) -> list[Line]:
    """Peak memory over a million short rows: in row order, shuffled, and in row order over a tenth of them."""
    peaks = {}
    for rows in (MANY // 10, MANY):
        path = bench.scratch(f"short-{rows}.db")
        asyncio.run(fill_short(path, rows))
        peaks[rows, "iterate"] = task.megabytes("iterate", "", path)
        if rows == MANY:
            peaks[rows, "shuffle"] = task.megabytes("shuffle", "", path)
        remove_store(path)
    few, many, shuffled = peaks[MANY // 10, "iterate"], peaks[MANY, "iterate"], peaks[MANY, "shuffle"]
    return [
        *(Line(f"memory: {rows:,} rows", name, f"{peak:.1f} MB") for (rows, name), peak in peaks.items()),
        Line("memory", "row order over ten times the rows", "", *at_most(many - few, 10, "MB more")),
        Line("memory", "shuffled over row order", "", *at_most(shuffled - many, 40, "MB more")),
    ]


def _run_sample(path: Path) -> float:
    async def run() -> float:
        async with AsyncStore(path, create=False) as store:
            start = time.perf_counter()
            results = store.select(fallback="cache").sample(SAMPLED, seed=1, by=["domain", "model"], per_family=1)
            assert sum([1 async for _ in results]) == SAMPLED
            return time.perf_counter() - start

    return asyncio.run(run())


async def _iterate(path: Path, *, shuffled: bool) -> float:
    """Seconds for every message's length on an open store."""
    async with AsyncStore(path, create=False) as store:
        start, total = time.perf_counter(), 0
        results = store.select(fallback="cache")
        async for chat in results.shuffle(1) if shuffled else results:
            for message in chat.messages:
                total += len(message.content)
        assert total
        return time.perf_counter() - start


async def fill_short(path: Path, rows: int) -> None:
    """A store of rows as short as rows can be, written by SQL alone: they are for counting, not for reading."""
    database = Database(path)
    await database.open(create=True)
    state = StoreState(
        dataset="local/short", config="default", split="train", revision="r1", total_rows=rows, licence=None,
        licence_url=None, index_replies=False, seq=1, generation=0, first_fetch=None, last_fetch=None,
    )  # fmt: skip
    number = f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {rows - 1})"

    def insert(connection: Connection) -> None:
        connection.exec_driver_sql(
            "INSERT INTO conversation (row_index, seq, conversation_id, model, language, turn, redacted, prompt_chars, "
            f"reply_chars) {number} SELECT i, 1, 'c', 'm', 'English', 1, 0, 2, 0 FROM n"
        )
        connection.exec_driver_sql(
            f"INSERT INTO conversation_text (row_index, record) {number} SELECT i, '{_RECORD}' FROM n"
        )

    try:
        writer = Writer(database)
        await writer.begin(state, "a benchmark", rows=rows)
        await database.write(insert)
        await writer.settle(changed=True)
    finally:
        await database.close()
