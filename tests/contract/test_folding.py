"""Folds and kept values, the same through both classes."""

import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from lmsys_store import Conversation
from lmsys_store.errors import QueryError
from tests.contract.conftest import OpenStore


class Flags:
    """How many messages moderation flagged: an analyzer of a user's own."""

    def __init__(self) -> None:
        self.counted: Counter[bool] = Counter()

    def update(self, batch: Sequence[Conversation]) -> None:
        for chat in batch:
            self.counted.update(one.flagged for one in chat.moderation or ())

    def merge(self, other: "Flags") -> None:
        self.counted.update(other.counted)

    def result(self) -> dict[bool, int]:
        return dict(self.counted)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_fold_sees_every_row_once_with_what_was_asked_for(
    open_store: OpenStore, generated_path: Path, processes: int
) -> None:
    store = open_store(generated_path)
    expected: Counter[bool] = Counter()
    for chat in store.select(language="English", moderation=True):
        expected.update(one.flagged for one in chat.moderation or ())
    found = store.select(language="English", moderation=True).fold(Flags(), processes=processes)
    assert found == dict(expected) and sum(found.values()) > 100


@pytest.mark.parametrize("processes", [1, 2])
def test_seeds_are_folded_where_nothing_real_was_found(open_store: OpenStore, store_path: Path, processes: int) -> None:
    store = open_store(store_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = store.select(language="en", fallback="mock")
        assert results.fold(Rows(), processes=processes) == len(list(store.select(language="en", fallback="mock"))) > 0


class Rows(Flags):
    """How many rows there were."""

    def update(self, batch: Sequence[Conversation]) -> None:
        self.counted[True] += len(batch)

    def result(self) -> int:  # type: ignore[override]
        return self.counted[True]


def test_what_several_processes_cannot_share_is_refused(open_store: OpenStore, generated_path: Path) -> None:
    store = open_store(generated_path)
    chats = store.select()
    next(iter(chats))
    for results in (store.select().limit(3), store.select(resume=chats.token)):
        with pytest.raises(QueryError, match="whole queries only"):
            results.fold(Rows(), processes=2)
    with pytest.raises(QueryError, match="from 1 on"):
        store.select().fold(Rows(), processes=0)


def test_an_analyzer_that_has_rows_is_not_shared(open_store: OpenStore, generated_path: Path) -> None:
    """Each process would begin with them, and they would be counted as often; in one process it goes on with them."""
    store = open_store(generated_path)
    results = store.select(language="English", fallback="cache")
    rows = Rows()
    first = results.fold(rows, processes=2)
    with pytest.raises(QueryError, match="has rows already"):
        results.fold(rows, processes=2)
    assert rows.result() == first == results.count()
    assert results.fold(rows) == 2 * first


def test_a_value_is_kept_with_its_stamp(open_store: OpenStore, generated_path: Path) -> None:
    store = open_store(generated_path)
    assert store.recall("mine") is None
    assert store.remember("mine", [1, "two"], announced=store.announce("mine"))
    found = store.recall("mine")
    assert found is not None and (found.value, found.current) == ([1, "two"], True)
    assert not store.remember("mine", [3], announced=0), "nothing was announced"
    store.delete(language="German")
    assert store.recall("mine") is None
