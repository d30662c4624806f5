"""Analyzers are mergeable folds: no order of the rows, no cut of them and no number of processes changes the answer."""

import pickle
import time
from pathlib import Path

import anyio
import numpy as np
import pytest
from anyio import to_thread
from hypothesis import given, settings
from hypothesis import strategies as st

from lmsys_store import AsyncStore, Store, folding
from lmsys_store.analyze import Analyzer, PatternReport, Patterns
from lmsys_store.analyze.bottom import Smallest
from lmsys_store.errors import QueryError
from lmsys_store.labels.mixing import mixed
from tests import generated
from tests.analyze.chats import random_chats

CHATS = random_chats(600, seed=1)


def _report(chats: list[int], batch: int) -> PatternReport:
    patterns = Patterns()
    rows = [CHATS[at] for at in chats]
    for start in range(0, len(rows), batch):
        patterns.update(rows[start : start + batch])
    return patterns.result()


WHOLE = _report(list(range(len(CHATS))), 600)


@settings(max_examples=12)
@given(st.randoms(use_true_random=False), st.integers(1, 5), st.integers(1, 300))
def test_the_merge_of_any_partition_is_the_whole(rng: "object", parts: int, batch: int) -> None:
    order = list(range(len(CHATS)))
    rng.shuffle(order)  # type: ignore[attr-defined]
    pieces = [order[at::parts] for at in range(parts)]
    whole = Patterns()
    for piece in pieces:
        part = Patterns()
        for start in range(0, len(piece), batch):
            part.update([CHATS[at] for at in piece[start : start + batch]])
        whole.merge(pickle.loads(pickle.dumps(part)))
    assert whole.result() == WHOLE


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 10_000)), unique_by=lambda pair: pair[1]),
    st.integers(2, 12),
    st.data(),
)
def test_a_sample_that_was_cut_is_the_same_for_every_cut_of_the_rows(
    rows: list[tuple[int, int]], limit: int, data: st.DataObject
) -> None:
    """Of each key the row of smallest rank, of all keys the smallest: by another algorithm."""
    best: dict[int, int] = {}
    for key, rank in rows:
        best[key] = min(rank, best.get(key, rank))
    expected = sorted(best.items())[:limit]
    cut = data.draw(st.integers(0, len(rows)))
    one, other = _sampled(rows[:cut], limit), _sampled(list(reversed(rows[cut:])), limit)
    one.merge(other)
    columns = one.columns()
    assert list(zip(columns["key"].tolist(), columns["rank"].tolist(), strict=True)) == expected
    assert one.cut == (len(best) > limit)


def _sampled(rows: list[tuple[int, int]], limit: int) -> Smallest:
    sample = Smallest(limit, {})
    for key, rank in rows:
        sample.add(key=np.array([key], np.uint64), rank=np.array([rank], np.uint64))
        len(sample)  # as if the buffer were full
    return sample


def test_distinct_keys_are_counted_and_then_estimated() -> None:
    few, many = Smallest(4096, {}), Smallest(4096, {})
    for sample, count in ((few, 3000), (many, 50_000)):
        keys = mixed(np.arange(count, dtype=np.uint64))
        sample.add(key=keys, rank=keys)
        sample.add(key=keys, rank=keys)
    assert few.distinct() == (3000, 0.0)
    value, error = many.distinct()
    assert abs(value - 50_000) < 4 * error * 50_000
    assert 0.01 < error < 0.02


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fold")
    with Store(folder / "store.db") as store:
        store.sync(generated.write_jsonl(folder / "rows.jsonl", generated.rows(3000, moderation=False)))
        store.delete(language="German")
    return folder / "store.db"


def test_a_fold_in_two_processes_is_the_fold_in_one(filled: Path) -> None:
    with Store(filled) as store:
        chats = store.select(language=["English", "French"], fallback="cache")
        alone = chats.fold(Patterns())
        assert alone.rows == chats.count()
        assert chats.fold(Patterns(), processes=2) == alone
        assert store.select(search="river", fallback="cache").fold(Patterns(), processes=2) == store.select(
            search="river", fallback="cache"
        ).fold(Patterns())


def test_a_report_goes_to_json_and_back(filled: Path) -> None:
    with Store(filled) as store:
        report = store.select(fallback="cache").fold(Patterns())
    assert PatternReport.model_validate_json(report.model_dump_json()) == report


@pytest.mark.anyio
async def test_an_async_fold_is_the_blocking_one(filled: Path) -> None:
    with Store(filled) as store:
        blocking = store.select(fallback="cache").fold(Patterns())
    async with AsyncStore(filled) as store:
        results = store.select(fallback="cache")
        assert await results.fold(Patterns()) == blocking
        assert results.origins == {"cache": blocking.rows}


def test_a_fold_may_be_given_any_analyzer(filled: Path) -> None:
    """A user's own: the protocol asks for three methods and no base class."""
    with Store(filled) as store:
        counted: Analyzer[int] = _Counter()
        assert store.select(fallback="cache").fold(counted) == store.select().count()
        assert store.select(fallback="cache").fold(_Counter(), processes=2) == store.select().count()
        with pytest.raises(QueryError, match="cannot be sent to another process"):
            store.select(fallback="cache").fold(_Unsendable(), processes=2)


class _Counter:
    def __init__(self) -> None:
        self.rows = 0

    def update(self, batch: object) -> None:
        self.rows += len(batch)  # type: ignore[arg-type]

    def merge(self, other: "_Counter") -> None:
        self.rows += other.rows

    def result(self) -> int:
        return self.rows


@pytest.mark.anyio
async def test_a_cancelled_fold_does_not_read_on(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither here nor in the other process, which then hold up nobody."""
    monkeypatch.setattr(folding, "PAGE", 100)
    slow = _Slow(tmp_path)
    async with AsyncStore(filled) as store:
        pages = await store.select(fallback="cache").count() / 100
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(_cancel_at_the_first_page, scope, tmp_path)
                await store.select(fallback="cache").fold(slow, processes=2)
    assert scope.cancelled_caught and 0 < _pages_in(tmp_path) < pages / 2
    assert slow.rows == 0


async def _cancel_at_the_first_page(scope: anyio.CancelScope, folder: Path) -> None:
    await to_thread.run_sync(_first_page_in, folder)
    scope.cancel()


def _first_page_in(folder: Path) -> None:
    while not _pages_in(folder):
        time.sleep(0.01)


def _pages_in(folder: Path) -> int:
    return len(list(folder.iterdir()))


class _Slow(_Counter):
    """Leaves a file a page."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def update(self, batch: object) -> None:
        super().update(batch)
        (self.folder / f"{time.monotonic_ns()}").touch()
        time.sleep(0.1)


class _Unsendable(_Counter):
    def __reduce__(self) -> str:
        raise TypeError("not to be sent")


@pytest.mark.parametrize("processes", [0, 2])
def test_several_processes_refuse_what_they_cannot_share(filled: Path, processes: int) -> None:
    with Store(filled) as store, pytest.raises(QueryError, match="processes"):
        store.select(fallback="cache").limit(5).fold(Patterns(), processes=processes)
    with Store(filled) as store:
        assert store.select(fallback="cache").limit(5).fold(Patterns()).rows == 5


def test_an_empty_store_folds_to_an_empty_report(tmp_path: Path) -> None:
    with Store(tmp_path / "empty.db") as store:
        for processes in (1, 2):
            report = store.select(fallback="cache").fold(Patterns(), processes=processes)
            assert (report.rows, report.common_structures, report.recommended_structure) == (0, (), ())
            assert "widen the query" in report.missing[0]
