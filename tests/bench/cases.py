"""The figures of test cases: cases a second from a store to JSON Lines with personal data replaced, and the command's memory."""

import sys
import time
from functools import partial
from pathlib import Path
from statistics import median

from lmsys_store import Store
from lmsys_store.convert import to_test_cases, write_cases
from tests.bench.data import Bench
from tests.bench.measure import Line, at_most, medians
from tests.bench.writing import FLAT, SMALL
from tests.peak import peak_of

WANTED = 15_000


def exporting(bench: Bench) -> list[Line]:
    """Cases a second of an open store; flagged chats, 20 % of the generated ones, are left out."""
    path = bench.folder / "cases.jsonl"
    rates, cases = [], 0
    with Store(bench.store, create=False) as store:
        for _ in range(bench.rounds):
            start = time.perf_counter()
            chats = store.select(fallback="cache")
            cases = write_cases(chats.convert(to_test_cases()), path, format="jsonl", force=True).cases
            rates.append(cases / (time.perf_counter() - start))
    found = median(rates)
    met = found >= WANTED
    return [
        Line("test cases", "to JSON Lines", f"{cases:,} cases", f"{found:,.0f} cases/s", f">= {WANTED:,}", met),
        *_memory(bench),
    ]


def _memory(bench: Bench) -> list[Line]:
    """Peak memory of the command for a tenth of the rows and for all."""
    sizes = (min(SMALL, bench.row_count // 10), bench.row_count)
    peaks = medians({f"{size:,} rows": partial(_peak, bench, size) for size in sizes}, bench.rounds)
    small, large = peaks.values()
    return [
        *(Line("test cases", f"memory, {name}", f"{value:.0f} MB") for name, value in peaks.items()),
        Line("test cases", "memory", "", *at_most(large / small, FLAT, "x the small one (flat)")),
    ]


def _peak(bench: Bench, row_count: int) -> float:
    out = Path(bench.folder / "memory.jsonl")
    export = ["testcases", "--format", "jsonl", "--output", str(out), "--force"]
    store = ["--store", str(bench.store_of(row_count)), "--fallback", "cache"]
    code, peak = peak_of([sys.executable, "-m", "lmsys_store", *export, *store], quiet=True)
    assert code == 0, f"the export ended with {code}"
    return peak / 1e6
