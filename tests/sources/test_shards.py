"""Several files as one: natural order, row indexes that run through, pages of at most 1,000, identity of what they hold."""

import os
import shutil
from pathlib import Path

import pytest

from lmsys_store import Store
from lmsys_store.errors import DatasetMismatchError
from lmsys_store.sources.base import LMSYS_DATASET, LMSYS_LICENCE, LMSYS_LICENCE_URL
from lmsys_store.sources.files import FileSource
from tests.cli.program import assert_one_line, run
from tests.sources.chats import contents, ids, numbered, refusal, row, small_jsonl, small_parquet

pytestmark = pytest.mark.anyio
COMMIT = "200748d9d3cddcc9d782887541057aca0b18c5da"


async def _pages(path: Path, *wanted: tuple[int, int]) -> list[tuple[int, int]]:
    source = await FileSource.open(path)
    found = []
    async for page in source.pages(wanted or [(0, source.total_rows or 0)]):
        assert [got["conversation_id"] for got in page.rows] == [f"id-{n}" for n in range(page.start, page.stop)]  # type: ignore[index]
        found.append((page.start, page.stop))
    return found


async def test_one_row_group_of_20_000_rows_is_read_in_pages_of_1_000(tmp_path: Path) -> None:
    path = small_parquet(tmp_path / "a.parquet", 0, 20_000, group=20_000)
    assert await _pages(path) == [(start, start + 1000) for start in range(0, 20_000, 1000)]
    assert await _pages(path, (999, 1001), (19_990, 20_000)) == [(999, 1000), (1000, 1001), (19_990, 20_000)]


async def test_tiny_row_groups_make_whole_pages(tmp_path: Path, store_path: Path) -> None:
    path = small_parquet(tmp_path / "a.parquet", 0, 2030, group=7)
    assert await _pages(path) == [(0, 1000), (1000, 2000), (2000, 2030)]
    assert sum(stop - start for start, stop in await _pages(path, (3, 17), (1500, 1508))) == 22
    small_parquet(tmp_path / "b" / "a.parquet", 0, 200, group=1)
    assert await _pages(tmp_path / "b", (0, 1), (198, 200)) == [(0, 1), (198, 200)]


def _shards(folder: Path, *, suffix: str = ".parquet") -> Path:
    """13 shards of 10 rows, written in the order in which text would sort them."""
    for number in sorted(range(13), key=str):
        if suffix == ".parquet":
            small_parquet(folder / f"train-{number}.parquet", 10 * number, 10, group=4)
        else:
            small_jsonl(folder / f"train-{number}{suffix}", [row(n) for n in range(10 * number, 10 * number + 10)])
    return folder


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".jsonl.gz"])
async def test_row_indexes_run_through_the_shards_in_natural_order(tmp_path: Path, suffix: str) -> None:
    """Also from the middle of one shard to the middle of another, and over shards that are held already."""
    folder = _shards(tmp_path / "data", suffix=suffix)
    assert [begin for begin, _ in await _pages(folder, (15, 33))] == [15, 20, 30]
    for name, given in (("directory", folder), ("glob", folder / f"train-*{suffix}")):
        path = tmp_path / f"{name}.db"
        with Store(path) as store:
            assert store.sync(given, limit=37).rows_added == 37
            report = store.sync(given)
            assert (report.rows_added, report.rows_skipped, report.complete) == (93, 37, True)
        assert ids(path) == numbered(130)
        assert contents(path)["coverage"] == ((0, 130),)


def test_files_named_one_by_one_keep_the_order_given_and_count_once(tmp_path: Path, store_path: Path) -> None:
    folder = _shards(tmp_path / "data")
    with Store(store_path) as store:
        store.sync(folder / "train-2.parquet", folder / "train-10.parquet", folder / "train-2.parquet")
    assert ids(store_path) == list(enumerate(f"id-{n}" for n in [*range(20, 30), *range(100, 110)]))


def test_a_directory_with_both_formats_takes_the_parquet_and_says_so(tmp_path: Path, store_path: Path) -> None:
    small_parquet(tmp_path / "data" / "a.parquet", 0, 5)
    small_jsonl(tmp_path / "data" / "a.jsonl", [row(n) for n in range(9)])
    with Store(store_path) as store:
        report = store.sync(tmp_path / "data")
    assert report.rows_added == 5
    assert any("took the Parquet" in note for note in report.notes)
    alone = run("sync", tmp_path / "data", "--store", tmp_path / "other.db")
    assert alone.returncode == 0 and "took the Parquet" in alone.stderr


def _hub_cache(folder: Path, commit: str = COMMIT) -> Path:
    """Two shards as the Hub's cache lays them out: blobs, and links to them in the snapshot."""
    data = folder / "datasets--lmsys--lmsys-chat-1m" / "snapshots" / commit / "data"
    blobs = data.parents[2] / "blobs"
    data.mkdir(parents=True)
    for number in range(2):
        blob = small_parquet(blobs / f"blob{number}", 10 * number, 10)
        (data / f"train-0000{number}-of-00002-0a1b2c.parquet").symlink_to(os.path.relpath(blob, data))
    return data


def test_a_hub_cache_path_states_data_set_commit_split_and_licence(tmp_path: Path, store_path: Path) -> None:
    data = _hub_cache(tmp_path)
    with Store(store_path) as store:
        store.sync(data)
        status = store.status()
        assert store.sync(data / "train-*.parquet").rows_skipped == 20, "a glob of the same files is the same source"
    assert (status.dataset, status.split, status.revision) == (LMSYS_DATASET, "train", COMMIT)
    assert (status.licence, status.licence_url) == (LMSYS_LICENCE, LMSYS_LICENCE_URL)
    assert ids(store_path) == numbered(20)
    other = _hub_cache(tmp_path / "newer", commit="f" * 40)
    message = refusal(store_path, other, kind=DatasetMismatchError)
    assert COMMIT in message and "f" * 40 in message and LMSYS_DATASET in message and "--store" in message


@pytest.mark.parametrize("name", ["chats.parquet", "chats.jsonl", "chats.jsonl.gz"])
def test_a_copy_is_the_same_data_and_a_changed_file_is_not(tmp_path: Path, store_path: Path, name: str) -> None:
    """The change keeps the size; the copy has another time and place."""

    def write(path: Path, prompt: str) -> Path:
        if name.endswith(".parquet"):
            return small_parquet(path, 0 if prompt == "one" else 10, 12)
        return small_jsonl(path, [row(number, prompt=prompt) for number in range(12)])

    original = write(tmp_path / "a" / name, "one")
    copy = tmp_path / "b" / name
    copy.parent.mkdir()
    shutil.copyfile(original, copy)
    os.utime(copy, (1, 1))
    with Store(store_path) as store:
        assert store.sync(original).rows_added == 12
        assert store.sync(copy).rows_skipped == 12
        revision = store.status().revision
    before = contents(store_path)
    message = refusal(store_path, write(tmp_path / "c" / name, "two"), kind=DatasetMismatchError)
    assert f"local/{name}" in message and str(revision) in message and "--store" in message
    assert contents(store_path) == before


def test_another_data_set_is_refused_naming_both_by_the_program_too(tmp_path: Path, store_path: Path) -> None:
    source = small_jsonl(tmp_path / "a.jsonl", [row(0)])
    with Store(store_path) as store:
        store.sync(source, dataset="ours/chats")
        assert store.status().dataset == "ours/chats"
        assert store.status().licence is None
    done = run("sync", "--mock", "--store", store_path)
    assert_one_line(done, 1, "ours/chats", "mock/seeds", "--store")
    assert "theirs/chats" in refusal(store_path, source, kind=DatasetMismatchError, dataset="theirs/chats")
    assert ids(store_path) == numbered(1)
