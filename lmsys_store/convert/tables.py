"""Test cases as tables: the columns, and CSV. Parquet is made in writing.py, of the same columns. Pure."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Final

from lmsys_store.convert.cases import TestCase
from lmsys_store.convert.formats import Encoder, Format

COLUMNS: Final = {
    "id": str, "input": str, "beforeOutput": str, "afterOutput": str, "passed": bool, "score": float, "messages": str,
    "source": str, "origin": str, "conversationId": str, "originalModel": str, "rating": float, "originalRating": float,
    "ratingBasis": str, "language": str, "timestamp": str, "domain": str, "useCase": str, "tags": str, "referenceOutput": str,
    "outputsMode": str, "turnsMode": str, "round": int, "contentHash": str, "correction": str, "licence": str,
}  # fmt: skip
"""Name and type of each column. ``messages`` is JSON, ``tags`` are joined by commas; what a case lacks is empty."""


def table_row(case: TestCase) -> dict[str, object]:
    """The case by column, as the columns' types; None for a rating it lacks."""
    metadata, tags = case.metadata, case.metadata["tags"]
    assert isinstance(tags, list)
    row = {name: metadata.get(name, "" if kind is str else None) for name, kind in COLUMNS.items()}
    return row | {
        "id": case.id,
        "input": case.input,
        "beforeOutput": case.before_output,
        "afterOutput": case.after_output,
        "passed": case.passed,
        "score": case.score,
        "messages": json.dumps(metadata["messages"], ensure_ascii=False) if "messages" in metadata else "",
        "tags": ",".join(tags),
    }


class Csv:
    """A header and a line a case; texts may hold line ends: all cells are quoted, since Python 3.11 would not for a lone CR."""

    def begin(self) -> bytes:
        return self._lines([list(COLUMNS)])

    def encode(self, cases: Sequence[TestCase]) -> bytes:
        return self._lines([list(table_row(case).values()) for case in cases])

    def end(self) -> bytes:
        return b""

    @staticmethod
    def _lines(rows: Sequence[Sequence[object]]) -> bytes:
        text = io.StringIO()
        csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
        return text.getvalue().encode()


def _parquet() -> Encoder:
    from lmsys_store.convert.writing import ParquetCases

    return ParquetCases()


FORMATS: Final = (
    Format("csv", ".csv", "spreadsheets and any program: a column a value", Csv),
    Format("parquet", ".parquet", "pandas, polars, DuckDB, datasets: the same columns", _parquet),
)
