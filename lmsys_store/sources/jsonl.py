"""JSON Lines files (plain or gzip) as pages of rows. A line that is not JSON is a broken row, not the end of the file."""

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final, cast

from lmsys_store.errors import SourceFormatError
from lmsys_store.sources.base import PAGE_ROWS, BrokenRow, Page

_LINES_TO_TRY: Final = 100


class JsonLinesShard:
    """One file: its first row's columns, its number of rows and its content's fingerprint, from one pass over it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        digest, rows, columns = hashlib.sha256(), 0, None
        for line in self._lines():
            digest.update(line)
            rows += 1
            if columns is None and rows <= _LINES_TO_TRY:
                columns = _columns(line)
        if rows and columns is None:
            raise SourceFormatError(
                f"{path} is not JSON Lines: none of its first lines is a JSON object; give one row a line"
            )
        self.columns: tuple[str, ...] = columns or ()
        self.total_rows = rows
        self.fingerprint = f"{rows} {digest.hexdigest()}"

    def _lines(self) -> Iterator[bytes]:
        """The lines that hold something; blank ones have no row index."""
        try:
            with self._open() as file:
                for number, line in enumerate(file):
                    text = line.removeprefix(b"\xef\xbb\xbf") if number == 0 else line
                    if text.strip():
                        yield text
        except (OSError, EOFError, zlib.error) as error:
            raise SourceFormatError(
                f"{self.path} cannot be read to its end ({error}); fetch or write it again"
            ) from error

    def _open(self) -> IO[bytes]:
        return cast(IO[bytes], gzip.open(self.path)) if self.path.suffix == ".gz" else self.path.open("rb")

    def pages(self, start: int, stop: int) -> Iterator[Page]:
        """The rows ``[start, stop)`` of this shard, counted from its own first row."""
        rows: list[object] = []
        first, size = start, 0
        for number, line in enumerate(self._lines()):
            if number < start:
                continue
            if number >= stop:
                break
            rows.append(_row(line))
            size += len(line)
            if len(rows) == PAGE_ROWS:
                yield Page(first, rows, size)
                rows, first, size = [], number + 1, 0
        if rows:
            yield Page(first, rows, size)


def _row(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return BrokenRow("the line is not JSON", line.decode(errors="backslashreplace").rstrip("\r\n"))
    except RecursionError:
        return BrokenRow("the line is nested too deeply", "")


def _columns(line: bytes) -> tuple[str, ...] | None:
    row = _row(line)
    return tuple(row) if isinstance(row, dict) else None
