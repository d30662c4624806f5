"""Fixtures for every test: a store of one's own, an environment that says nothing, and the real chats where they are."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from lmsys_store.sources import budget

settings.register_profile("ci", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the machine reaches a test, and no test reaches the user's own store."""
    for name in list(os.environ):
        if name.startswith(("LMSYS_STORE_", "HF_")) and name != "LMSYS_STORE_TEST_DATA":
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # a test that wants a remote names a local one
    monkeypatch.setenv("LMSYS_STORE_FALLBACK", "cache")  # and one that wants more than the store says so


@pytest.fixture(autouse=True)
def _fresh_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Breakers are of a host and port, and among hundreds of stand-ins a port comes back: no test sees another's failures."""
    monkeypatch.setattr(budget, "_budgets", {})


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    """Where a test may make its store."""
    return tmp_path / "store.db"


@pytest.fixture(scope="session")
def real_chats() -> Path:
    """A folder with ``chats.parquet`` and ``chats.jsonl``: the same 3,052 real chats, named by LMSYS_STORE_TEST_DATA."""
    place = os.environ.get("LMSYS_STORE_TEST_DATA")
    if not place or not (Path(place) / "chats.parquet").is_file():
        pytest.skip("LMSYS_STORE_TEST_DATA does not name a folder with chats.parquet and chats.jsonl")
    return Path(place)
