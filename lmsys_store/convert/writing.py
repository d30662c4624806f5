"""Rows to files: JSON Lines and Parquet, a page at a time, a file appearing only when it is whole."""

import io
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from lmsys_store.errors import ExportError
from lmsys_store.records import DATASET_SPELLING, Conversation, as_json_object
from lmsys_store.rows import row_from_conversation

if TYPE_CHECKING:
    import pyarrow

    from lmsys_store.convert.cases import TestCase


def write_jsonl(
    chats: Iterable[Conversation], path: Path | None, *, ids_only: bool = False, force: bool = False
) -> int:
    """Write one JSON object a line to a file, or to stdout; gives the number of rows.

    Raises:
        ExportError: the file exists and ``force`` is False, or it cannot be written.
    """
    if path is None:
        return _write_lines(chats, sys.stdout.write, ids_only=ids_only)
    with whole_file(path, force=force) as file:
        return _write_lines(chats, lambda text: file.write(text.encode()), ids_only=ids_only)


def _write_lines(chats: Iterable[Conversation], write: Any, *, ids_only: bool) -> int:
    number = 0
    for chat in chats:
        write(json.dumps(id_object(chat) if ids_only else as_json_object(chat), ensure_ascii=False) + "\n")
        number += 1
    return number


def id_object(chat: Conversation) -> dict[str, Any]:
    """What may be published of a row whose text may not: its ids and what was derived of it."""
    return {
        "conversation_id": chat.conversation_id,
        "row_index": chat.row_index,
        "labels": chat.labels.model_dump(mode="json"),
    }


def write_parquet(
    pages: Iterable[list[Conversation]], path: Path, *, ids_only: bool = False, force: bool = False
) -> int:
    """Write a Parquet file in LMSYS-Chat-1M's own schema, a row group a page; gives the number of rows.

    The rows must have been selected with their per-message moderation, unless only ids are written.

    Raises:
        ExportError: the file exists and ``force`` is False, or it cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema, row_of = (_ids_schema(), _id_row) if ids_only else (lmsys_schema(), row_from_conversation)
    number = 0
    with whole_file(path, force=force) as file, pq.ParquetWriter(file, schema, compression="snappy") as writer:
        for page in pages:
            writer.write_table(pa.Table.from_pylist([row_of(chat) for chat in page], schema=schema))
            number += len(page)
    return number


def lmsys_schema() -> "pyarrow.Schema":
    """The Arrow schema of LMSYS-Chat-1M."""
    import pyarrow as pa

    spelled = list(DATASET_SPELLING.values())
    moderation = pa.struct(
        [
            ("categories", pa.struct([(name, pa.bool_()) for name in spelled])),
            ("category_scores", pa.struct([(name, pa.float64()) for name in spelled])),
            ("flagged", pa.bool_()),
        ]
    )
    return pa.schema(
        [
            ("conversation_id", pa.string()),
            ("model", pa.string()),
            ("conversation", pa.list_(pa.struct([("content", pa.string()), ("role", pa.string())]))),
            ("turn", pa.int64()),
            ("language", pa.string()),
            ("openai_moderation", pa.list_(moderation)),
            ("redacted", pa.bool_()),
        ]
    )


def _ids_schema() -> "pyarrow.Schema":
    import pyarrow as pa

    words, numbers, lists = pa.string(), pa.float64(), pa.list_(pa.string())
    labels = [
        ("domain", words), ("domain_score", numbers), ("second_domain", words), ("task", words), ("rating", numbers),
        ("rating_basis", words), ("tags", lists), ("signals", lists), ("prompt_key", pa.int64()), ("family", pa.int64()),
    ]  # fmt: skip
    return pa.schema([("conversation_id", words), ("row_index", pa.int64()), *labels, ("labels_version", words)])


def _id_row(chat: Conversation) -> dict[str, Any]:
    labels = chat.labels.model_dump(mode="json")
    return {
        "conversation_id": chat.conversation_id,
        "row_index": chat.row_index,
        "labels_version": labels["version"],
    } | labels


class ParquetCases:
    """Test cases as a Parquet file, a row group a page; encodes what a file of COLUMNS holds, as any encoder does."""

    def __init__(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        from lmsys_store.convert.tables import COLUMNS, table_row

        kinds = {str: pa.string(), bool: pa.bool_(), float: pa.float64(), int: pa.int64()}
        self._row = table_row
        self._schema = pa.schema([(name, kinds[kind]) for name, kind in COLUMNS.items()])
        self._table = pa.Table.from_pylist
        self._bytes = io.BytesIO()
        self._writer = pq.ParquetWriter(_Unseekable(self._bytes), self._schema, compression="zstd")

    def begin(self) -> bytes:
        return self._taken()

    def encode(self, cases: "Sequence[TestCase]") -> bytes:
        if cases:
            self._writer.write_table(self._table([self._row(case) for case in cases], schema=self._schema))
        return self._taken()

    def end(self) -> bytes:
        self._writer.close()
        return self._taken()

    def _taken(self) -> bytes:
        taken = self._bytes.getvalue()
        self._bytes.seek(0)
        self._bytes.truncate()
        return taken


class _Unseekable(io.RawIOBase):
    """What is written goes on to a buffer that is emptied meanwhile; the position is that in the whole file."""

    def __init__(self, buffer: io.BytesIO) -> None:
        self._buffer = buffer
        self._position = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def write(self, data: Any) -> int:
        self._position += len(data)
        return self._buffer.write(data)


@contextmanager
def whole_file(path: Path, *, force: bool) -> Iterator[IO[bytes]]:
    """A file to write that takes its name only when everything is in it; a failure leaves what was there before.

    Raises:
        ExportError: the file exists and ``force`` is False, or the place cannot be written.
    """
    if path.exists() and not force:
        raise ExportError(f"{path} exists; replace it with --force (force=True), or name another file")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error.strerror}; name a place you can write") from error
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        part.replace(path)
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error.strerror or error}; name a place with room") from error
    finally:
        part.unlink(missing_ok=True)
