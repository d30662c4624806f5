"""The figures of labels: conversations a second on one core, and how good they are on data that they were not made of."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from lmsys_store.labels.labeller import Labeller
from lmsys_store.rows import CheckedRow, checked_row
from tests import generated
from tests.bench.data import Bench
from tests.bench.measure import Line

PAGE = 1000
SPEED_ROWS = 10_000
QUALITY = "LMSYS_STORE_LABELLED"
"""Names the folder of labelled public prompts, replies and chats; without it the quality is not measured."""


def labels(bench: Bench) -> list[Line]:
    """All labels of a row, a page at a time; then, where there is labelled text, the cross-validated figures."""
    rows = {
        "generated rows": list(islice(generated.rows(SPEED_ROWS, moderation=False), min(SPEED_ROWS, bench.row_count)))
    }
    if (chats := os.environ.get("LMSYS_STORE_TEST_DATA")) is not None:
        text = (Path(chats) / "chats.jsonl").read_text(encoding="utf8")
        rows["real chats"] = [json.loads(line) for line in text.split("\n") if line]
    lines = [_speed_line(bench, name, found) for name, found in rows.items()]
    return lines + [Line("labels", text, "") for text in _quality()]


def _speed_line(bench: Bench, name: str, found: Sequence[object]) -> Line:
    rows, labeller = [checked_row(row, at) for at, row in enumerate(found)], Labeller()
    labeller.labelled(rows[:PAGE])
    speed = max(_speed(labeller, rows) for _ in range(bench.rounds))
    return Line("labels", f"{name}, one core", f"{speed:,.0f} rows/s", "", ">= 15,000 (aim 25,000)", speed >= 15_000)


def _speed(labeller: Labeller, rows: Sequence[CheckedRow]) -> float:
    """Processor time, not the clock: other programs of the machine do not count."""
    start = time.process_time()
    for at in range(0, len(rows), PAGE):
        labeller.labelled(rows[at : at + PAGE])
    return len(rows) / (time.process_time() - start)


def _quality() -> list[str]:
    folder = os.environ.get(QUALITY)
    if folder is None:
        return [f"quality is not measured: {QUALITY} names no folder"]
    lines: list[str] = []
    command = [sys.executable, "-m", "training", "--labels", folder, "--dry-run"]
    lines += subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return lines
