"""Generated rows and a store of them, made once; each test works on a copy of its own."""

import shutil
from pathlib import Path

import pytest

from tests.embedding.running import run_cli
from tests.generated import write_parquet

ROWS = 9_000
MANY_ROWS = 20_000


@pytest.fixture(scope="session")
def chats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Parquet file of 9,000 rows: nine pages."""
    return write_parquet(tmp_path_factory.mktemp("rows") / "chats.parquet", ROWS)


@pytest.fixture(scope="session")
def many_chats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Parquet file of 20,000 rows."""
    return write_parquet(tmp_path_factory.mktemp("rows") / "chats.parquet", MANY_ROWS)


@pytest.fixture(scope="session")
def whole_store(chats: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of the 9,000 rows from one uninterrupted sync; only to be read or copied."""
    path = tmp_path_factory.mktemp("store") / "store.db"
    ended = run_cli("sync", chats, "--store", path)
    assert ended.code == 0, ended
    return path


@pytest.fixture
def filled(whole_store: Path, store_path: Path) -> Path:
    """A store of the 9,000 rows, the test's own."""
    shutil.copyfile(whole_store, store_path)
    return store_path
