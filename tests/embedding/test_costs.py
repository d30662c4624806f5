"""What a long loop costs: memory that does not grow with the rows, and readers that keep nothing from being folded away."""

from pathlib import Path

import pytest

from lmsys_store import Store
from tests.embedding.conftest import MANY_ROWS, ROWS
from tests.embedding.running import facts_of, run_cli

SYNC_MEGABYTES = 40
ITERATE_MEGABYTES = 15


def test_peak_memory_is_flat_over_the_number_of_rows(tmp_path: Path, chats: Path, many_chats: Path) -> None:
    peaks: dict[str, list[float]] = {"sync": [], "iterate": []}
    for source, rows in ((chats, ROWS), (many_chats, MANY_ROWS)):
        store = tmp_path / f"{rows}.db"
        for what, found in peaks.items():
            facts = facts_of("memory", what, store, source)
            assert facts["rows"] == rows
            found.append(facts["megabytes"])
    few, many = peaks["sync"]
    assert many - few < SYNC_MEGABYTES, peaks
    few, many = peaks["iterate"]
    assert many - few < ITERATE_MEGABYTES, peaks


@pytest.mark.parametrize("kind", ["Store", "AsyncStore"])
def test_an_open_iteration_pins_nothing_and_sees_the_store_as_of_its_start(
    kind: str, store_path: Path, chats: Path
) -> None:
    run_cli("sync", chats, "--store", store_path, "--limit", 1000)
    facts = facts_of("pinning", kind, store_path, chats)
    assert facts == {"added": ROWS - 1000, "busy": False, "rest": True}


def test_a_store_that_was_opened_with_one_row_is_read_as_well_once_a_sync_has_filled_it(
    store_path: Path, chats: Path
) -> None:
    """SQLite reads its statistics when a connection opens; those of one row make it scan the whole table for every page."""
    run_cli("sync", chats, "--store", store_path, "--limit", 1)
    with Store(store_path) as store:
        assert store.select().count() == 1
        assert store.sync(chats).complete
        plan = store.explain().plan
        with Store(store_path) as fresh:
            assert plan == fresh.explain().plan
