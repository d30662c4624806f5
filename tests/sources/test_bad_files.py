"""Files that are missing, are something else, or are damaged: a clear error, and what came before is kept."""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lmsys_store import Store
from lmsys_store.errors import LmsysStoreError, SourceFormatError, SourceNotFoundError, SourceSchemaError
from tests.cli.program import assert_one_line, run_all
from tests.generated import write_parquet
from tests.sources.chats import SECRET, contents, ids, numbered, refusal, row, small_jsonl, small_parquet


def test_a_missing_file_and_a_glob_without_match_are_named(tmp_path: Path, store_path: Path) -> None:
    for name in ("none.parquet", "none/*.jsonl", "train-*.parquet"):
        message = refusal(store_path, tmp_path / name, kind=SourceNotFoundError)
        assert str(tmp_path / name) in message and "give a Parquet or JSON Lines file" in message
    good = small_parquet(tmp_path / "good.parquet", 0, 3)
    assert str(tmp_path / "none") in refusal(store_path, good, tmp_path / "none", kind=SourceNotFoundError)
    assert contents(store_path)["rows"] == []


def test_a_directory_without_files_to_read_says_which_it_looks_for(tmp_path: Path, store_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "nested").mkdir(parents=True)
    (folder / "README.md").write_text("nothing here")
    message = refusal(store_path, folder, kind=SourceNotFoundError)
    assert str(folder) in message and ".parquet" in message and ".jsonl" in message


def test_a_file_of_another_kind_is_refused_by_name_or_content(tmp_path: Path, store_path: Path) -> None:
    files = {
        "chats.csv": b"a,b\n1,2\n",
        "a.parquet": b"this is plain text" * 9,
        "b.parquet": b"",
        "c.jsonl": b"%PDF-1.7\nnot json\n",
    }
    for name, content in files.items():
        path = tmp_path / name
        path.write_bytes(content)
        assert str(path) in refusal(store_path, path, kind=SourceFormatError)
    picture = tmp_path / "picture.jsonl.gz"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    assert str(picture) in refusal(store_path, picture, kind=SourceFormatError)


def test_columns_that_are_missing_are_named_with_those_there_are(tmp_path: Path, store_path: Path) -> None:
    parquet, jsonl = tmp_path / "a.parquet", tmp_path / "a.jsonl"
    pq.write_table(pa.table({"conversation_id": ["a"], "text": [SECRET]}), parquet)
    small_jsonl(jsonl, [{"conversation_id": "a", "text": SECRET}])
    for path in (parquet, jsonl):
        message = refusal(store_path, path, kind=SourceSchemaError)
        assert "no column model" in message and "no column conversation" in message and "text" in message
        assert "no column conversation_id" not in message
    with Store(store_path) as store:
        assert store.status().dataset is None, "nothing is stored of a source that lacks columns, not even its name"


def test_one_shard_of_several_without_the_columns_stops_before_the_first_row(tmp_path: Path, store_path: Path) -> None:
    small_parquet(tmp_path / "data" / "train-0.parquet", 0, 5)
    pq.write_table(pa.table({"model": ["m"]}), tmp_path / "data" / "train-1.parquet")
    assert "train-1.parquet" in refusal(store_path, tmp_path / "data", kind=SourceSchemaError)
    assert ids(store_path) == []


@pytest.mark.parametrize("kept", [1, 4, 8, 0.3, 0.9, -1, -8, -30], ids=str)
def test_a_parquet_file_cut_anywhere_is_refused_and_the_whole_one_then_taken(
    tmp_path: Path, store_path: Path, kept: float
) -> None:
    whole = small_parquet(tmp_path / "whole" / "a.parquet", 0, 50, group=10).read_bytes()
    cut = tmp_path / "a.parquet"
    cut.write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    message = refusal(store_path, cut, kind=SourceFormatError)
    assert str(cut) in message and "fetch or write it again" in message
    cut.write_bytes(whole)
    with Store(store_path) as store:
        assert store.sync(cut).rows_added == 50
    assert ids(store_path) == numbered(50)


def _damage(path: Path, group: int) -> None:
    """Overwrite the middle of a text column's data page in one row group."""
    chunk = pq.ParquetFile(path).metadata.row_group(group)
    texts = max(
        (chunk.column(number) for number in range(chunk.num_columns)), key=lambda column: column.total_compressed_size
    )
    content = bytearray(path.read_bytes())
    begin = texts.dictionary_page_offset if texts.has_dictionary_page else texts.data_page_offset
    end = begin + texts.total_compressed_size
    middle, size = (texts.data_page_offset + end) // 2, min(400, (end - texts.data_page_offset) // 2)
    content[middle : middle + size] = b"\xff" * size
    path.write_bytes(content)


def test_damage_in_a_later_row_group_keeps_the_pages_before_it(tmp_path: Path, store_path: Path) -> None:
    """Undamaged again the same file goes on where it stopped: its footer, and so its identity, is the same."""
    path = write_parquet(tmp_path / "a.parquet", 1500, group=500)
    whole = path.read_bytes()
    _damage(path, 2)
    message = refusal(store_path, path, kind=SourceFormatError)
    assert str(path) in message and "damaged" in message and "sync" in message
    held = contents(store_path)
    assert held["coverage"] == ((0, 1000),) and len(held["rows"]) == 1000 and held["rejects"] == []
    path.write_bytes(whole)
    with Store(store_path) as store:
        report = store.sync(path)
    assert (report.rows_added, report.rows_skipped, report.complete) == (500, 1000, True)
    with Store(tmp_path / "other.db") as store:
        store.sync(path)
    assert contents(tmp_path / "other.db")["rows"] == contents(store_path)["rows"]


@pytest.mark.parametrize("kept", [5, 0.5, 0.97, -4], ids=str)
def test_a_gzip_file_cut_anywhere_is_refused(tmp_path: Path, store_path: Path, kept: float) -> None:
    path = small_jsonl(tmp_path / "a.jsonl.gz", [row(number, prompt=f"{number**7}") for number in range(300)])
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    assert str(path) in refusal(store_path, path, kind=SourceFormatError)
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 0xFF
    path.write_bytes(damaged)
    assert "again" in refusal(store_path, path, kind=SourceFormatError)
    assert ids(store_path) == []


def test_an_empty_file_is_no_rows_or_a_clear_error(tmp_path: Path, store_path: Path) -> None:
    for number, content in enumerate((b"", b"\n\n  \n", gzip.compress(b""))):
        path = tmp_path / (f"{number}.jsonl" + (".gz" if content[:2] == b"\x1f\x8b" else ""))
        path.write_bytes(content)
        with Store(tmp_path / f"{number}.db") as store:
            try:
                report = store.sync(path)
            except LmsysStoreError as error:
                assert str(path) in str(error)
            else:
                assert (report.rows_added, report.rows_rejected, report.complete) == (0, 0, True)
            assert store.check().ok


def test_the_program_ends_with_one_line_and_exit_code_1(tmp_path: Path) -> None:
    cut, columns = tmp_path / "cut.parquet", tmp_path / "columns.jsonl"
    cut.write_bytes(small_parquet(tmp_path / "a.parquet", 0, 9).read_bytes()[:-9])
    small_jsonl(columns, [{"text": SECRET}])
    damaged = write_parquet(tmp_path / "damaged.parquet", 300, group=100)
    _damage(damaged, 2)
    sources = {
        tmp_path / "none.parquet": "there is no file",
        cut: "whole Parquet",
        columns: "model",
        damaged: "damaged",
    }
    runs = run_all(*(("sync", path, "--store", tmp_path / f"{path.name}.db") for path in sources))
    for (path, words), done in zip(sources.items(), runs, strict=True):
        assert_one_line(done, 1, path, words)
        assert SECRET not in done.stderr
