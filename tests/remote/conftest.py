"""A good token, an undisturbed store to compare with, and a stand-in in a thread for the tests of whole processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lmsys_store import Store
from tests.remote.runs import ROWS, TOKEN, VERDICTS, settings
from tests.standin import StandIn, serving


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> str:
    """The environment holds a token that the stand-ins of these tests accept."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return TOKEN


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store that a sync of ``ROWS`` without any fault makes; read it only."""
    path = tmp_path_factory.mktemp("undisturbed") / "store.db"
    with serving(StandIn(ROWS, gated=False)) as standin, Store(path, settings=settings(standin)) as store:
        store.sync()
    return path


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, token: str) -> Iterator[StandIn]:
    """A stand-in beside the test, which the environment of its processes names as the remote."""
    with serving(StandIn(ROWS, tokens=VERDICTS)) as standin:
        monkeypatch.delenv("HF_HUB_OFFLINE")
        monkeypatch.setenv("LMSYS_STORE_VIEWER_URL", standin.url)
        monkeypatch.setenv("HF_ENDPOINT", standin.hub_url)
        for name in ("BACKOFF", "POLL", "RATE_WAIT", "PACE"):
            monkeypatch.setenv(f"LMSYS_STORE_{name}_SECONDS", "0.02")
        yield standin
