"""Stores for the command line's tests, filled once; tests that write make their own."""

from pathlib import Path

import pytest

from lmsys_store import Store
from tests.cli.program import BROKEN_ROWS, CHATS, write_rows


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of the ten chats and three rejects; read it only."""
    folder = tmp_path_factory.mktemp("filled")
    with Store(folder / "filled.db") as store:
        store.sync(write_rows(folder / "chats.jsonl", [*CHATS, *BROKEN_ROWS]))
    return folder / "filled.db"


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that exists and was never filled."""
    path = tmp_path_factory.mktemp("empty") / "empty.db"
    with Store(path):
        pass
    return path
