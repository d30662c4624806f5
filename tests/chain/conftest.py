"""Stores of 350 rows, empty, with holes and complete, made once; and the token that stand-ins accept."""

from pathlib import Path

import pytest

from lmsys_store import Conversation
from tests.chain.stores import chats_of, fill, short_rows
from tests.contract.filling import copy_store

ROWS = short_rows(350)
HELD = ((100, 200), (300, 320))
"""What the store with holes has of them."""
SPANS: dict[str, tuple[tuple[int, int], ...]] = {"empty": (), "holes": HELD, "complete": ((0, 350),)}


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_good")


@pytest.fixture(scope="session")
def chats() -> list[Conversation]:
    """The 350 rows as records."""
    return chats_of(ROWS)


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("made")
    return {name: fill(folder / f"{name}.db", ROWS, *spans) for name, spans in SPANS.items()}


@pytest.fixture
def stores(_made: dict[str, Path], store_path: Path) -> "Stores":
    """Makes a store of one's own in a state of ``SPANS``."""
    return Stores(_made, store_path)


class Stores:
    """Copies of the stores that are made once."""

    def __init__(self, made: dict[str, Path], path: Path) -> None:
        self._made, self._path = made, path

    def __call__(self, state: str) -> Path:
        return copy_store(self._made[state], self._path)


@pytest.fixture
def holes(stores: Stores) -> Path:
    """A store of one's own with holes."""
    return stores("holes")
