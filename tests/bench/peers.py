"""The peers, each the way it is meant to be used: HF ``datasets`` from its Arrow cache, DuckDB and pyarrow from Parquet."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import duckdb
import pyarrow.parquet as pq

COLUMNS = ("conversation_id", "model", "conversation", "turn", "language", "redacted")
PAGE = 1000


def hf_dataset(parquet: Path, cache: Path, columns: Sequence[str] | None) -> Any:
    """The file as HF ``datasets`` sees it; writes its Arrow cache the first time."""
    datasets.disable_progress_bars()
    chosen = None if columns is None else list(columns)
    return datasets.Dataset.from_parquet(str(parquet), cache_dir=str(cache), columns=chosen)


def iterate_hf(dataset: Any) -> int:
    """Every message's length, row by row."""
    return sum(len(message["content"]) for row in dataset for message in row["conversation"])


def iterate_duckdb(parquet: Path, where: str = "true") -> int:
    """Every message's length, by ``fetchmany`` of the Parquet file."""
    with duckdb.connect() as connection:
        connection.execute(f"SELECT {', '.join(COLUMNS)} FROM read_parquet(?) WHERE {where}", [str(parquet)])
        total = 0
        while page := connection.fetchmany(PAGE):
            total += sum(len(message["content"]) for row in page for message in row[2])
        return total


def read_parquet(parquet: Path) -> int:
    """Every row of every column as Python objects; gives the number of rows."""
    with pq.ParquetFile(parquet) as file:
        return sum(len(batch.to_pylist()) for batch in file.iter_batches(PAGE))
