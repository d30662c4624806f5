"""Plain tables of small rows in JSON Lines, CSV or Parquet, such as files of labels. Not for conversations: see files.py."""

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lmsys_store.errors import LabelError


def rows_of_table(path: Path) -> tuple[str, Iterator[tuple[str, Mapping[str, Any]]]]:
    """The SHA-256 of a file, and its rows, each with the words that name its place in errors.

    Raises:
        LabelError: it cannot be read (also later, from the rows), or is of another kind.
    """
    readers = {".jsonl": _json_lines, ".csv": _csv, ".parquet": _parquet}
    if path.suffix.lower() not in readers:
        raise LabelError(f"{path} is not a file of labels: its name must end in {', '.join(readers)}")
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise LabelError(f"{path} cannot be read: {error.strerror}") from error
    return digest, readers[path.suffix.lower()](path)


def _json_lines(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            place = f"{path.name}, line {number}"
            try:
                row = json.loads(line) if line.strip() else None
            except ValueError:
                raise LabelError(f"{place} is not JSON") from None
            if row is None:
                continue
            if not isinstance(row, dict):
                raise LabelError(f"{place} is not an object")
            yield place, row


def _csv(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            for row in reader:
                yield f"{path.name}, line {reader.line_num}", _numbers(row)
    except (UnicodeDecodeError, csv.Error) as error:
        raise LabelError(f"{path} is not CSV in UTF-8: {error}") from error


def _numbers(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with its rating as a number, if it is one."""
    try:
        return {**row, "rating": float(row["rating"])} if row.get("rating") else dict(row)
    except ValueError:
        return dict(row)


def _parquet(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    from lmsys_store.sources.parquet import plain_rows

    for number, row in enumerate(plain_rows(path), 1):
        yield f"{path.name}, row {number}", row
