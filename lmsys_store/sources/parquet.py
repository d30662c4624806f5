"""Parquet files as pages of rows: batches of 1,000 across row groups, never a whole file or row group in memory.

The only source module that imports pyarrow. The hazard is speed: ``to_pylist`` of the moderation alone costs more than all
the rest, so clean batches are packed column by column; whatever is unusual goes the slow, plain way, with the same result.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lmsys_store.errors import LabelError, SourceFormatError
from lmsys_store.records import (
    FLAGGED_BIT,
    MODERATION_CATEGORIES,
    CodedModeration,
    ModerationSummary,
    PackedModeration,
    spell_category,
)
from lmsys_store.sources.base import PAGE_ROWS, BrokenRow, Page, Rows

COLUMNS: Final = (
    "conversation_id", "model", "conversation", "turn", "language", "openai_moderation", "redacted", "timestamp",
)  # fmt: skip
_BUFFER_BYTES: Final = 256 * 1024


class ParquetShard:
    """One Parquet file: its columns, its rows and its footer's fingerprint."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._open() as file:
            self.columns: tuple[str, ...] = tuple(file.schema_arrow.names)
            self.total_rows: int = file.metadata.num_rows
            groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
            self._group_rows: list[int] = [group.num_rows for group in groups]
            footer = [(group.num_rows, group.total_byte_size) for group in groups]
        self.fingerprint = f"{path.stat().st_size} {self.total_rows} {footer} {file_tail(path)}"

    def _open(self) -> Any:
        try:
            # A buffer size makes the reader stream column chunks; without it a file of one row group is read whole.
            return pq.ParquetFile(self.path, pre_buffer=False, buffer_size=_BUFFER_BYTES)
        except (pa.ArrowException, OSError) as error:
            raise SourceFormatError(
                f"{self.path} is not a whole Parquet file ({_first_line(error)}); fetch or write it again"
            ) from error

    def pages(self, start: int, stop: int) -> Iterator[Page]:
        """The rows ``[start, stop)`` of this shard, counted from its own first row."""
        first, position = self._group_of(start)
        last, _ = self._group_of(stop - 1)
        with self._open() as file:
            columns = [name for name in COLUMNS if name in self.columns]
            batches = file.iter_batches(
                PAGE_ROWS, row_groups=range(first, last + 1), columns=columns, use_threads=False
            )
            while (batch := self._next(batches)) is not None:
                skip = max(start - position, 0)
                part = batch.slice(skip, min(stop - position, batch.num_rows) - skip)
                if part.num_rows > 0:
                    yield Page(position + skip, rows_of(part), part.nbytes)
                position += batch.num_rows
                if position >= stop:
                    return

    def _next(self, batches: Any) -> Any:
        try:
            return next(batches, None)
        except (pa.ArrowException, OSError) as error:
            raise SourceFormatError(
                f"{self.path} is damaged ({_first_line(error)}); what came before is kept: fetch the file again, then sync"
            ) from error

    def _group_of(self, row: int) -> tuple[int, int]:
        """The row group that holds a row, and that group's first row."""
        begin = 0
        for number, rows in enumerate(self._group_rows):
            if row < begin + rows:
                return number, begin
            begin += rows
        raise IndexError(row)


def plain_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a small table.

    Raises:
        LabelError: it cannot be read as Parquet.
    """
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches():
                yield from batch.to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise LabelError(f"{path} cannot be read as Parquet: {_first_line(error)}") from error


def file_tail(path: Path) -> str:
    """A digest of the footer: the last bytes of the file hold it, with statistics and offsets of every column chunk."""
    import hashlib

    with path.open("rb") as file:
        file.seek(-8, 2)
        length = int.from_bytes(file.read(4), "little")
        file.seek(-(length + 8), 2)
        return hashlib.sha256(file.read()).hexdigest()


def rows_of(batch: Any) -> Rows:
    """The batch's rows as mappings, moderation packed."""
    if not batch.num_rows:
        return []
    try:
        columns = [_column(batch.column(name), name) for name in batch.schema.names]
    except (ValueError, OverflowError) as error:
        return _rows_one_by_one(batch, error)
    return _BatchRows(tuple(batch.schema.names), columns, batch.num_rows)


@dataclass(frozen=True)
class _BatchRows:
    """A batch's rows, each made when it is asked for: a thousand alive at once cost the garbage collector a fifth of a sync."""

    names: tuple[str, ...]
    columns: Sequence[Iterable[Any]]
    row_count: int

    def __len__(self) -> int:
        return self.row_count

    def __iter__(self) -> Iterator[object]:
        for values in zip(*self.columns, strict=True):
            yield dict(zip(self.names, values, strict=True))


@dataclass(frozen=True)
class _Made:
    """A column whose values are made when they are asked for."""

    make: Callable[[], Iterator[Any]]

    def __iter__(self) -> Iterator[Any]:
        return self.make()


def _rows_one_by_one(batch: Any, error: ValueError | OverflowError) -> Rows:
    """The rows of a batch in which some value is none in Python; those that hold it are broken rows."""
    if batch.num_rows > 1:
        return [row for position in range(batch.num_rows) for row in rows_of(batch.slice(position, 1))]
    return [
        BrokenRow("a text is not UTF-8" if isinstance(error, UnicodeDecodeError) else "a value is out of range", "")
    ]


def _column(array: Any, name: str) -> Iterable[Any]:
    if name == "conversation" and _is_clean_list(array):
        return _conversations(array)
    if name == "openai_moderation" and _is_clean_list(array):
        packed = _packed_moderation(array)
        if packed is not None:
            return packed
    return array.to_pylist()  # type: ignore[no-any-return]


def _is_clean_list(array: Any) -> bool:
    """A list of structs without a null list, a null struct or an empty list."""
    if not (pa.types.is_list(array.type) and pa.types.is_struct(array.type.value_type)) or not len(array):
        return False
    flat = array.flatten()
    return not array.null_count and not flat.null_count and bool(pc.min(pc.list_value_length(array)).as_py())


def _offsets(array: Any) -> list[int]:
    """Where each row's messages begin in ``array.flatten()``, and where the last ends."""
    offsets = _numbers(array.offsets)
    return (offsets - offsets[0]).tolist()  # type: ignore[no-any-return]


def _numbers(array: Any) -> Any:
    """A column of numbers without nulls as numpy sees it; pyarrow's own ``to_numpy`` would import pandas (38 MB)."""
    kind = np.dtype(str(array.type))  # int32, uint8, double, …: both name them alike
    return np.frombuffer(array.buffers()[1], kind, len(array), array.offset * kind.itemsize)


def _filled(array: Any, value: object) -> Any:
    """The column with nulls replaced; asked only where there are any, since making the value an Arrow one imports pandas."""
    return pc.fill_null(array, value) if array.null_count else array


def _conversations(array: Any) -> Iterable[Any]:
    flat = array.flatten()
    lengths = [stop - start for start, stop in pairwise(_offsets(array))]
    names = [field.name for field in flat.type]
    fields = [flat.field(number).to_pylist() for number in range(len(names))]

    def rows() -> Iterator[list[dict[str, Any]]]:
        messages = _messages(*names, *fields) if len(names) == 2 else _structs(names, fields)
        return (list(islice(messages, length)) for length in lengths)

    return _Made(rows)


def _messages(first: str, second: str, ones: Sequence[Any], twos: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """Structs of two fields, as nearly all are: a display is six times as fast as ``dict(zip(…))``."""
    return ({first: one, second: two} for one, two in zip(ones, twos, strict=True))


def _structs(names: Sequence[str], fields: Sequence[Sequence[Any]]) -> Iterator[dict[str, Any]]:
    return (dict(zip(names, values, strict=True)) for values in zip(*fields, strict=True))


def _packed_moderation(array: Any) -> Iterable[CodedModeration] | None:
    """Each row's moderation packed, with its summary; None where the columns are not the plain ones."""
    flat = array.flatten()
    fields = {field.name: flat.field(number) for number, field in enumerate(flat.type)}
    flagged, categories, scores = (fields.get(name) for name in ("flagged", "categories", "category_scores"))
    if (
        flagged is None
        or categories is None
        or scores is None
        or flagged.null_count
        or not pa.types.is_boolean(flagged.type)
    ):
        return None
    truths, values = _by_category(categories, pa.bool_()), _by_category(scores, pa.float64())
    if truths is None or values is None:
        return None
    flags = _numbers(flagged.cast(pa.uint8())).astype("<u2") * FLAGGED_BIT
    for bit, truth in enumerate(truths):
        flags |= _numbers(_filled(truth, False).cast(pa.uint8())).astype("<u2") << bit
    matrix = np.empty((len(flat), len(MODERATION_CATEGORIES)), "<f8")
    for number, value in enumerate(values):
        matrix[:, number] = _numbers(_filled(value, float("nan")))
    return _coded(_offsets(array), flags.astype("<u2"), matrix)


def _by_category(struct: Any, kind: Any) -> list[Any] | None:
    """The 11 arrays of a struct in our order; None unless each category is there once, in the expected type."""
    if not pa.types.is_struct(struct.type) or struct.null_count:
        return None
    found: dict[str, Any] = {}
    for number, field in enumerate(struct.type):
        name = spell_category(field.name)
        if name in found:
            return None
        found[name] = struct.field(number)
    arrays = [found.get(name) for name in MODERATION_CATEGORIES]
    return arrays if all(array is not None and array.type == kind for array in arrays) else None


def _coded(offsets: list[int], flags: Any, matrix: Any) -> Iterable[CodedModeration]:
    begins = offsets[:-1]
    bits = np.bitwise_or.reduceat(flags, begins).tolist()
    maxima = np.fmax.reduceat(matrix, begins, axis=0)
    maxima += 0.0  # no -0.0: which of equal zeros is the maximum would depend on the order
    maxima[np.isnan(maxima)] = np.nan  # one bit pattern for a missing score, whichever the file had
    flag_bytes, score_bytes, maxima_bytes = flags.tobytes(), matrix.tobytes(), maxima.tobytes()
    width = 8 * len(MODERATION_CATEGORIES)

    def rows() -> Iterator[CodedModeration]:
        for row, (begin, end, row_bits) in enumerate(zip(begins, offsets[1:], bits, strict=True)):
            packed = PackedModeration(flag_bytes[2 * begin : 2 * end], score_bytes[width * begin : width * end])
            row_maxima = maxima_bytes[width * row : width * (row + 1)]
            yield CodedModeration(packed, ModerationSummary(row_bits.to_bytes(2, "little") + row_maxima))

    return _Made(rows)


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__
