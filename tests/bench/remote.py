"""The figures of the remote: requests, speed, refusals, first row, client work, memory; against the stand-in."""

import asyncio
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from lmsys_store import AsyncStore, Settings
from lmsys_store.ingest import Label, prepare_page
from lmsys_store.labelling import Labelling
from lmsys_store.sources.base import LMSYS_DATASET
from lmsys_store.sources.client import RemoteClient
from lmsys_store.sources.viewer import ViewerSource
from tests.bench.data import Bench, remove_store
from tests.bench.measure import Line, at_least, at_most, interleaved
from tests.bench.task import megabytes
from tests.standin import GeneratedRows, StandIn, serving

PAGE_SECONDS = 0.2
FLAT_MB = 40
"""How much more memory ten times the rows may take, and still be called flat."""


@contextmanager
def _server(row_count: int, *options: str) -> Iterator[str]:
    """The address of a stand-in in a process of its own: what is measured is the client."""
    command = [
        sys.executable,
        "-m",
        "tests.standin",
        "--rows",
        str(row_count),
        "--open",
        "--dataset",
        LMSYS_DATASET,
        *options,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield str(json.loads(process.stdout.readline())["url"])
        finally:
            process.terminate()


def _settings(url: str, **given: object) -> Settings:
    return Settings(viewer_url=url, hub_url=url, offline=False, **given)  # type: ignore[arg-type]


async def _sync(store: Path, settings: Settings, limit: int | None = None) -> float:
    remove_store(store)
    async with AsyncStore(store, settings=settings) as opened:
        start = time.perf_counter()
        report = await opened.sync(limit=limit)
        assert report.complete, report
        return time.perf_counter() - start


def remote(bench: Bench) -> list[Line]:
    """All figures of the remote."""
    return [*_requests(bench), *_speed(bench), *_refusals(bench), *_first_row(bench), *_work(bench), *_memory(bench)]


def _requests(bench: Bench) -> list[Line]:
    lines = []
    for row_count in (100, 950, 2000):
        with serving(StandIn(GeneratedRows(2000), gated=False)) as server:
            asyncio.run(_sync(bench.scratch("remote.db"), _settings(server.url), row_count))
            pages = [(seen.params["offset"], seen.params["length"]) for seen in server.log if seen.endpoint == "/rows"]
        more = len(server.log) - math.ceil(row_count / 100)
        lines.append(
            Line("requests", f"{row_count:,} rows", f"{len(server.log)}", *at_most(more, 4, "besides the pages"))
        )
        lines.append(Line("requests", f"{row_count:,} rows", "", *at_most(len(pages) - len(set(pages)), 0, "twice")))
    return lines


def _speed(bench: Bench) -> list[Line]:
    """A server that takes 200 ms a page: four in flight against one at a time."""
    store = bench.scratch("remote.db")
    found: dict[str, float] = {}
    for name, concurrency in (("one at a time", 1), ("as shipped", 4)):
        with _server(8000, "--page-seconds", str(PAGE_SECONDS)) as url:
            found[name] = asyncio.run(_sync(store, _settings(url, concurrency=concurrency)))
    return [
        *(Line("speed", name, f"{value:.1f} s for 80 pages of 200 ms") for name, value in found.items()),
        Line("speed", "as shipped", "", *at_least(found["one at a time"] / found["as shipped"], 3, 4, "one at a time")),
    ]


def _refusals(bench: Bench) -> list[Line]:
    """A server that refuses above one request a second, without saying how long to wait."""
    with serving(StandIn(GeneratedRows(10_000), gated=False, max_rate=1.0)) as server:
        settings = _settings(server.url, rate_wait_seconds=2)
        duration = asyncio.run(_sync(bench.scratch("remote.db"), settings, 6000))
        refused = sum(seen.status == 429 for seen in server.log)
    share = 100 * refused / len(server.log)
    value = f"{refused} of {len(server.log)} in {duration:.0f} s"
    return [Line("refused", "at one request a second", value, *at_most(share, 5, "%"))]


def _first_row(bench: Bench) -> list[Line]:
    """The first row of a select on a cold store, over the time of the one request it needs; and opening a store that is there."""
    rounds = max(bench.rounds, 5)
    with serving(StandIn(GeneratedRows(2000), gated=False, page_seconds=PAGE_SECONDS)) as server:
        store, settings = bench.scratch("remote.db"), _settings(server.url)

        def over() -> float:
            remove_store(store)
            before = len(server.log)
            took = asyncio.run(_first(store, settings))
            (seen,) = server.log[before:]
            assert seen.ended is not None
            return 1000 * (took - (seen.ended - seen.started))

        def opening() -> float:
            return 1000 * asyncio.run(_opened(store))

        found = interleaved({"first row": over, "opening": opening}, rounds)
    first, opened = median(found["first row"][1:]), median(found["opening"])
    return [
        Line("first row", "cold store, over its request", f"{first:.1f} ms", *at_most(first, 50, "ms")),
        Line("opening", "a current store", f"{opened:.1f} ms", *at_most(opened, 30, "ms")),
    ]


async def _first(path: Path, settings: Settings) -> float:
    async with AsyncStore(path, settings=settings) as store:
        start = time.perf_counter()
        assert await store.select(fallback="remote").first() is not None
        return time.perf_counter() - start


async def _opened(path: Path) -> float:
    start = time.perf_counter()
    async with AsyncStore(path):
        return time.perf_counter() - start


def _work(bench: Bench) -> list[Line]:
    """The client's processor time a page, two lengths of one run each, so that what is done once falls out."""
    with _server(4000) as url:
        settings, store = _settings(url), bench.scratch("remote.db")
        prepared = _a_page(lambda limit: _prepare_pages(settings, limit, list))
        labelled = _a_page(lambda limit: _prepare_pages(settings, limit, Labelling(lambda: settings)))
        stored = _a_page(lambda limit: _sync(store, settings, limit))
    return [
        Line(
            "client work", "a page asked, read, validated, encoded", f"{prepared:.1f} ms", *at_most(prepared, 15, "ms")
        ),
        Line("client work", "the same, and labelled", f"{labelled:.1f} ms"),
        Line("client work", "the same, and stored", f"{stored:.1f} ms"),
    ]


def _a_page(work: Callable[[int], Coroutine[object, object, object]]) -> float:
    spent = []
    for limit in (1000, 4000):
        start = time.process_time()
        asyncio.run(work(limit))
        spent.append(time.process_time() - start)
    return 1000 * (spent[1] - spent[0]) / 30


async def _prepare_pages(settings: Settings, limit: int, label: Label) -> None:
    client = RemoteClient(settings)
    source = ViewerSource(client, LMSYS_DATASET, "default", "train", None)
    try:
        async for page in source.pages([(0, limit)]):
            assert len(prepare_page(label, source.name, False, "keep", page).row_indexes) == 100
    finally:
        await client.close()


def _memory(bench: Bench) -> list[Line]:
    """Peak memory of a sync through the remote, in a process of its own, for a tenth of the rows and for all."""
    peaks = {}
    store = bench.scratch("remote.db")
    for row_count in (bench.row_count // 10, bench.row_count):
        with _server(row_count) as url:
            remove_store(store)
            peaks[row_count] = megabytes("stream", url, store)
    small, large = peaks.values()
    remove_store(store)
    return [
        *(Line("memory", f"stream, {row_count:,} rows", f"{peak:.0f} MB") for row_count, peak in peaks.items()),
        Line("memory", f"stream, {bench.row_count:,} rows", "", *at_most(large, 200, "MB")),
        Line("memory", "stream", "", *at_most(large - small, FLAT_MB, "MB more for ten times the rows (flat)")),
    ]
