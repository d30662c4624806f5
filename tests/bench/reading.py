"""The figures of reading: iterate all, filter, the first row, and a query from a closed process."""

import asyncio
import subprocess
import sys
import sysconfig
import time
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from lmsys_store import AsyncStore, Query, fields
from tests.bench import peers
from tests.bench.data import Bench
from tests.bench.measure import Line, at_least, at_most, medians, rate, seconds

FILTERS: dict[str, tuple[dict[str, Any], str]] = {
    "two models": ({"model": ["gpt-4", "palm-2"]}, "model IN ('gpt-4', 'palm-2')"),
    "model and language": (
        {"model": "vicuna-13b", "language": "Portuguese"}, "model = 'vicuna-13b' AND language = 'Portuguese'",
    ),
}  # fmt: skip
FIRST: dict[str, Query] = {
    "any": Query(),
    "rare model": Query.of(model="palm-2"),
    "model and language": Query.of(model="palm-2", language="Italian"),
    "long chats": Query.of(turns=(8, None), redacted=True),
    "moderation": Query().where(fields.moderation_score("hate") >= 0.99, fields.moderation_score("violence") >= 0.99),
    "search": Query.of(search='"red river" python -house'),
    "no row": Query.of(model="palm-2", language="German", turns=19),
}


def iteration(bench: Bench) -> list[Line]:
    """Every conversation, row by row."""
    parquet, store = bench.parquet, bench.store
    dataset = peers.hf_dataset(parquet, bench.arrow_cache, peers.COLUMNS)
    found = medians(
        {
            "lmsys_store": lambda: asyncio.run(_iterate(store, Query())),
            "HF datasets": lambda: seconds(lambda: peers.iterate_hf(dataset)),
            "DuckDB": lambda: seconds(lambda: peers.iterate_duckdb(parquet)),
        },
        bench.rounds,
    )
    ours, hf, duck = found.values()
    return [
        *(Line("iterate", name, rate(bench.row_count, value)) for name, value in found.items()),
        Line("iterate", "lmsys_store", "", *at_least(hf / ours, 1.6, 2, "HF datasets")),
        Line("iterate", "lmsys_store", "", *at_least(duck / ours, 0.7, 1, "DuckDB")),
    ]


def filtered(bench: Bench) -> list[Line]:
    """About 2 % of the rows, by indexed fields, fetched whole."""
    lines = []
    for name, (keywords, where) in FILTERS.items():
        query = Query.of(**keywords)
        found = medians(
            {
                "lmsys_store": partial(_run_iterate, bench.store, query),
                "DuckDB": partial(seconds, partial(peers.iterate_duckdb, bench.parquet, where)),
            },
            bench.rounds,
        )
        ours, duck = found.values()
        figure = f"filter: {name}"
        lines += [Line(figure, who, f"{1000 * value:.1f} ms") for who, value in found.items()]
        lines.append(Line(figure, "lmsys_store", "", *at_least(duck / ours, 2, 3, "DuckDB")))
    return lines


def first(bench: Bench) -> list[Line]:
    """The first row of several queries on an open store."""
    found = asyncio.run(_first(bench.store, bench.rounds))
    every = [value for values in found.values() for value in values]
    return [
        *(Line("first row", name, _median_and_worst(values)) for name, values in found.items()),
        Line("first row", "all of them", _median_and_worst(every), *at_most(max(every), 20, "ms at worst")),
    ]


def closed(bench: Bench) -> list[Line]:
    """One row by the command line, from nothing running."""
    script = str(Path(sysconfig.get_path("scripts")) / "lmsys-store")
    ours = [script, "query", "--limit", "1", "--json", "--store", str(bench.store)]
    bare = [sys.executable, "-c", "import sqlalchemy"]
    commands = {"lmsys-store query --limit 1": ours, "python -c 'import sqlalchemy'": bare}
    found = medians({name: partial(_process, command) for name, command in commands.items()}, bench.rounds)
    mine, theirs = found.values()
    return [
        *(Line("closed process", name, f"{1000 * value:.0f} ms") for name, value in found.items()),
        Line("closed process", "lmsys-store", "", *at_most(mine / theirs, 3, "x bare import")),
    ]


def _median_and_worst(milliseconds: list[float]) -> str:
    return f"{median(milliseconds):.1f} ms, worst {max(milliseconds):.1f}"


def _run_iterate(path: Path, query: Query) -> float:
    return asyncio.run(_iterate(path, query))


async def _iterate(path: Path, query: Query) -> float:
    """Seconds for every message's length on an open store."""
    async with AsyncStore(path, create=False) as store:
        start, total = time.perf_counter(), 0
        async for chat in store.select(query):
            for message in chat.messages:
                total += len(message.content)
        assert total
        return time.perf_counter() - start


async def _first(path: Path, rounds: int) -> dict[str, list[float]]:
    """Milliseconds to the first row of each query, round by round."""
    found: dict[str, list[float]] = {name: [] for name in FIRST}
    async with AsyncStore(path, create=False) as store:
        for _ in range(rounds):
            for name, query in FIRST.items():
                start = time.perf_counter()
                await store.select(query).first()
                found[name].append(1000 * (time.perf_counter() - start))
    return found


def _process(command: list[str]) -> float:
    return seconds(lambda: subprocess.run(command, check=True, capture_output=True))
