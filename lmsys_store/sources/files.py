"""Local files as one source: Parquet or JSON Lines, one file, several, a directory or a glob, in natural shard order.

Decides identity (contract C1): a Hub cache path states its data set and commit; any other files are ``local/<name>`` with a
digest of what they hold, so that a copy of a file is the same data wherever and whenever it was made.
"""

import glob
import hashlib
import os
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

from anyio import to_thread

from lmsys_store.errors import SourceFormatError, SourceNotFoundError, SourceSchemaError
from lmsys_store.rows import REQUIRED_COLUMNS
from lmsys_store.sources.base import Identity, Page
from lmsys_store.sources.jsonl import JsonLinesShard

_PARQUET: Final = (".parquet",)
_JSON_LINES: Final = (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")
_HUB_PATH = re.compile(r"(?:^|/)datasets--(?P<owner>[^/]+?)--(?P<name>[^/]+)/snapshots/(?P<commit>[^/]+)/")
_SPLIT = re.compile(r"^(?P<split>[a-z]\w*?)-\d+-of-\d+")


class Shard(Protocol):
    """One file of rows."""

    path: Path
    columns: tuple[str, ...]
    total_rows: int
    fingerprint: str

    def pages(self, start: int, stop: int) -> Iterator[Page]: ...


class FileSource:
    """Local files as a :class:`~lmsys_store.sources.base.Source`; build it with :meth:`open` (it reads footers)."""

    requests = 0
    waiting = None

    def __init__(self, shards: Sequence[Shard], identity: Identity, name: str, notes: Sequence[str] = ()) -> None:
        self._shards = shards
        self.identity = identity
        self.name = name
        self.notes = notes
        self.total_rows: int | None = sum(shard.total_rows for shard in shards)

    @classmethod
    async def open(cls, *paths: str | Path, dataset: str | None = None) -> "FileSource":
        """Find the files, read their footers (JSON Lines: their content) and check their columns.

        Args:
            paths: files, directories or globs.
            dataset: the data set's name, where the path does not say it.

        Raises:
            SourceNotFoundError: no such file, or a directory without data files.
            SourceFormatError: a file that is not what its name says.
            SourceSchemaError: a required column is missing.
        """
        return await to_thread.run_sync(cls._open, paths, dataset)

    @classmethod
    def _open(cls, paths: Sequence[str | Path], dataset: str | None) -> "FileSource":
        notes: list[str] = []
        files = _find(paths, notes)
        shards = [_shard(path) for path in files]
        for shard in shards:
            _check_columns(shard)
        identity = _identity(paths, shards, dataset)
        return cls(shards, identity, ", ".join(map(str, paths)), notes)

    async def aclose(self) -> None:
        """Nothing to stop: a file is read only while its next page is awaited."""

    async def pages(self, wanted: Sequence[tuple[int, int]]) -> AsyncIterator[Page]:
        """The pages of the wanted row indexes; each is read in a worker thread."""
        pages = self._pages(wanted)
        # Nothing but this read happens between two pages: no scope, task or thread is held where the consumer may stop.
        while (page := await to_thread.run_sync(next, pages, None)) is not None:
            yield page

    def _pages(self, wanted: Sequence[tuple[int, int]]) -> Iterator[Page]:
        for start, stop in wanted:
            begin = 0
            for shard in self._shards:
                first, last = max(start - begin, 0), min(stop - begin, shard.total_rows)
                if first < last:
                    for page in shard.pages(first, last):
                        yield Page(begin + page.start, page.rows, page.byte_count)
                begin += shard.total_rows


def _find(paths: Sequence[str | Path], notes: list[str]) -> list[Path]:
    found: dict[Path, Path] = {}
    for given in paths:
        for path in _expand(Path(given).expanduser(), notes):
            found.setdefault(path.resolve(), path)
    return list(found.values())


def _expand(path: Path, notes: list[str]) -> list[Path]:
    if path.is_dir():
        return _directory(path, notes)
    if path.is_file():
        return [path]
    matched = [Path(name) for name in glob.glob(str(path), recursive=True) if Path(name).is_file()]
    if not matched:
        raise SourceNotFoundError(f"there is no file {path}; give a Parquet or JSON Lines file, a directory or a glob")
    return sorted(matched, key=natural_order)


def _directory(path: Path, notes: list[str]) -> list[Path]:
    files = sorted((file for file in path.rglob("*") if file.is_file()), key=natural_order)
    parquet = [file for file in files if file.name.endswith(_PARQUET)]
    json_lines = [file for file in files if file.name.endswith(_JSON_LINES)]
    if not parquet and not json_lines:
        raise SourceNotFoundError(f"{path} holds no .parquet, .jsonl or .jsonl.gz file; name the files themselves")
    if parquet and json_lines:
        notes.append(
            f"{path} holds Parquet and JSON Lines files: took the Parquet; name the others to read them instead"
        )
    return parquet or json_lines


def natural_order(path: Path) -> list[tuple[int, int, str]]:
    """Sorts ``train-2`` before ``train-10``."""
    parts = re.split(r"(\d+)", str(path))
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def _shard(path: Path) -> Shard:
    if not os.access(path, os.R_OK):
        raise SourceNotFoundError(f"{path} cannot be read by this user; check its owner and mode")
    if path.name.endswith(_PARQUET):
        from lmsys_store.sources.parquet import ParquetShard

        return ParquetShard(path)
    if path.name.endswith(_JSON_LINES):
        return JsonLinesShard(path)
    raise SourceFormatError(
        f"{path} is neither Parquet nor JSON Lines by its name: convert it, or rename it to end in one of "
        f"{', '.join(_PARQUET + _JSON_LINES)}"
    )


def _check_columns(shard: Shard) -> None:
    lacking = [name for name in REQUIRED_COLUMNS if name not in shard.columns]
    if lacking and shard.total_rows:
        raise SourceSchemaError(
            f"{shard.path} has no column {' and no column '.join(lacking)} (it has: {', '.join(shard.columns)}); "
            f"a source of conversations needs {', '.join(REQUIRED_COLUMNS)}"
        )


def _identity(paths: Sequence[str | Path], shards: Sequence[Shard], dataset: str | None) -> Identity:
    first = shards[0].path
    split = match["split"] if (match := _SPLIT.match(first.name)) else "train"
    hub = _HUB_PATH.search(first.absolute().as_posix())
    if hub is not None and dataset in (None, f"{hub['owner']}/{hub['name']}"):
        return Identity(f"{hub['owner']}/{hub['name']}", hub["commit"], split=split)
    digest = hashlib.sha256()
    for shard in shards:
        digest.update(f"{shard.path.name} {shard.fingerprint}\n".encode())
    name = first.name if len(shards) == 1 else first.absolute().parent.name
    return Identity(dataset or f"local/{name}", digest.hexdigest()[:40], split=split)
