"""Rows fetched by a select are kept beside whatever else writes; what cannot be kept is yielded all the same, and said (C2)."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from lmsys_store import Query, seeds
from lmsys_store.errors import DatasetMismatchError, IncompleteResultError
from lmsys_store.phases import MockRowsWarning
from tests.chain.conftest import HELD, ROWS, Stores
from tests.chain.stores import FILTERED, chats_of, in_chain_order, indexes, matching, offline, store_of
from tests.standin import StandIn, serving

pytestmark = pytest.mark.anyio

CHATS = chats_of(ROWS)


@contextmanager
def write_lock(path: Path) -> Iterator[None]:
    """Hold a store's write lock, as another process may."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")


async def test_rows_that_cannot_be_kept_are_yielded_and_counted_in_the_notes(holes: Path) -> None:
    async with StandIn(ROWS) as standin, store_of(holes, standin) as store:
        with write_lock(holes):
            results = store.select(fallback="remote").limit(120 + 130)
            assert await indexes(results) == in_chain_order(CHATS, Query(), *HELD)[:250]
        assert results.origins == {"cache": 120, "remote": 130}
        said = [note for note in results.notes if "not kept" in note]
        assert len(said) == 1, results.notes
        assert "200" in said[0], "two pages were fetched, and none of their rows is in the store"
        assert await indexes(store.select(fallback="cache")) == [*range(100, 200), *range(300, 320)]


async def test_once_the_lock_is_free_rows_are_kept_again(holes: Path) -> None:
    async with StandIn(ROWS) as standin, store_of(holes, standin) as store:
        rows = []
        results = store.select(fallback="remote")
        with write_lock(holes):
            reading = aiter(results)
            rows += [(await anext(reading)).row_index for _ in range(130)]
        rows += [chat.row_index async for chat in reading]
        assert rows == in_chain_order(CHATS, Query(), *HELD)
        assert await indexes(store.select(fallback="cache")) == list(range(100, 350)), "all but the first page"
        assert (await store.check()).problems == ()


async def test_a_predicate_with_a_page_that_was_not_kept_is_not_covered(holes: Path) -> None:
    """Matches that were yielded and not kept: offline the store must not say that it has them all."""
    async with StandIn(ROWS) as standin, store_of(holes, standin) as store:
        reading = aiter(store.select(FILTERED, fallback="remote"))
        rows = []
        with write_lock(holes):
            stored = [number for number in matching(CHATS, FILTERED) if 100 <= number < 200 or 300 <= number < 320]
            rows += [(await anext(reading)).row_index for _ in range(len(stored) + 1)]
        rows += [chat.row_index async for chat in reading]
        assert rows == in_chain_order(CHATS, FILTERED, *HELD)
    async with offline(holes) as store:
        results = store.select(FILTERED, fallback="remote")
        assert set(await indexes(results)) < set(rows)
        assert results.complete is False


async def test_a_count_of_rows_that_could_not_be_kept_does_not_pretend(stores: Stores) -> None:
    """The store answers a count: either it has all rows, or the count says that it may be too small."""
    path = stores("holes")
    async with StandIn(ROWS[:]) as standin, store_of(path, standin) as store:
        results = store.select(fallback="remote")
        with write_lock(path):
            number = await results.count()
        assert number == 350 or results.complete is not True


async def test_a_count_that_must_be_complete_is_not_given_where_rows_could_not_be_kept(holes: Path) -> None:
    async with StandIn(ROWS) as standin, store_of(holes, standin) as store:
        with write_lock(holes), pytest.raises(IncompleteResultError):
            await store.select(fallback="remote", require_complete=True).limit(170).count()


async def test_a_sync_beside_a_loop_and_a_loop_beside_a_sync(holes: Path) -> None:
    """Both write the same pages into one file: each row once, the store sound, the loop's order kept."""
    with serving(StandIn(ROWS, page_seconds=0.01)) as standin:
        async with store_of(holes, standin) as store, store_of(holes, standin) as other:
            rows = []
            async for chat in store.select(fallback="remote"):
                rows.append(chat.row_index)
                if len(rows) == 130:
                    assert (await other.sync()).complete
            assert rows == in_chain_order(CHATS, Query(), *HELD)
            assert (await store.check()).problems == ()
            assert (await store.status()).rows == 350


async def test_mock_rows_enter_no_other_data_set(stores: Stores) -> None:
    path = stores("empty")
    async with offline(path) as store:
        with pytest.warns(MockRowsWarning):
            assert len(await indexes(store.select(fallback="mock"))) > 0
        status = await store.status()
        assert (status.rows, status.dataset, status.coverage) == (0, None, ())


async def test_a_store_of_the_data_set_refuses_the_seeds(holes: Path) -> None:
    async with offline(holes) as store:
        with pytest.raises(DatasetMismatchError):
            await store.sync(seeds)
        assert (await store.status()).rows == 120


async def test_a_store_of_seeds_asks_no_remote(store_path: Path) -> None:
    """Its data set is nowhere else: complete, mock in every row, and no warning, since nobody was misled."""
    async with StandIn(ROWS) as standin, store_of(store_path, standin) as store:
        await store.sync(seeds, limit=20)
        results = store.select(fallback="mock")
        assert len(await indexes(results)) == 20
        assert (set(results.origins), results.complete, standin.log) == ({"mock"}, False, [])
