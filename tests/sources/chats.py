"""Small rows, files of them, and what a store holds, for the tests of sources."""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lmsys_store import Store
from lmsys_store.errors import LmsysStoreError

SECRET = "the lighthouse keeper counts seventeen gulls"
"""A message text, which no error message may quote."""


def row(number: int, prompt: str = SECRET, reply: str = "ok") -> dict[str, Any]:
    """A valid row with the required columns alone."""
    messages = [{"content": prompt, "role": "user"}, {"content": reply, "role": "assistant"}]
    return {"conversation_id": f"id-{number}", "model": "gpt-4", "conversation": messages}


def small_parquet(path: Path, first: int, count: int, *, group: int = 1000) -> Path:
    """Rows ``first``… of the required columns, in row groups of ``group``."""
    numbers = range(first, first + count)
    schema = pa.schema(
        [
            ("conversation_id", pa.string()),
            ("model", pa.string()),
            ("conversation", pa.list_(pa.struct([("content", pa.string()), ("role", pa.string())]))),
        ]
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist([row(number) for number in numbers], schema=schema), path, row_group_size=group)
    return path


def small_jsonl(path: Path, rows: Iterable[object]) -> Path:
    """A JSON Lines file, gzip where its name says so; bytes are written as the line they are, characters escaped."""
    content = b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    return path


def contents(path: Path) -> dict[str, Any]:
    """All that a store holds of its source: rows with moderation, rejects, coverage, identity; and that it checks out."""
    with Store(path, create=False) as store:
        status, report = store.status(), store.check()
        assert report.ok, report.problems
        return {
            "rows": [chat.model_dump() for chat in store.select(moderation=True)],
            "rejects": list(store.rejects()),
            "coverage": status.coverage,
            "identity": (status.dataset, status.config, status.split, status.revision, status.total_rows),
        }


def ids(path: Path) -> list[tuple[int, str]]:
    """Row indexes with their conversation ids."""
    with Store(path, create=False) as store:
        return [(chat.row_index, chat.conversation_id) for chat in store.select()]


def numbered(count: int) -> list[tuple[int, str]]:
    """What ``ids`` gives for rows 0… in order."""
    return [(number, f"id-{number}") for number in range(count)]


def refusal(store: Path, *sources: Path, kind: type[LmsysStoreError], dataset: str | None = None) -> str:
    """The message of the error that a sync of the sources ends with; it ends with what to do and quotes no text."""
    with Store(store) as opened:
        try:
            opened.sync(*sources, dataset=dataset)
        except kind as error:
            assert type(error) is kind
            assert SECRET not in str(error) and "\n" not in str(error)
            head, semicolon, remedy = str(error).rpartition(";")
            assert semicolon or ":" in remedy, f"no remedy in {error}"
            assert head or remedy
            return str(error)
    raise AssertionError(f"the sync ended without {kind.__name__}")
