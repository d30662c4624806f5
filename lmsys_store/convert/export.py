"""Test cases to a file and a manifest beside it: what they were made of, what each step left, whose licence they are under.

Both files appear whole or not at all, and memory stays flat: cases are encoded a page at a time. Two runs over the same rows
write the same bytes.
"""

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Final

from pydantic_core import to_json

from lmsys_store import __version__
from lmsys_store.convert.base import AsyncConverted, Converted, ConvertedBase
from lmsys_store.convert.cases import CaseConversion, CaseConverter, TestCase, licence_notice
from lmsys_store.convert.formats import Format, format_named
from lmsys_store.convert.writing import whole_file
from lmsys_store.funnel import Funnel, Step

_PAGE: Final = 500
_OF_QUERY: Final = ("stored", "matching")
"""Steps of the rows' own funnel that whoever tells of each filter tells better."""
MANIFEST: Final = ".manifest.json"
"""What a manifest's name adds to its file's."""


@dataclass(frozen=True)
class CasesReport:
    """What was written: how many cases, where, what each step left, what was replaced, and where the rows came from.

    ``path`` and ``manifest_path`` are None where it went to stdout. ``complete`` is that of the rows.
    """

    path: Path | None
    manifest_path: Path | None
    format: str
    cases: int
    funnel: Funnel
    scrubbed: Mapping[str, int]
    origins: Mapping[str, int]
    complete: bool | None
    notes: tuple[str, ...]
    manifest: Mapping[str, object]


OnWritten = Callable[[int], None]
"""Called with the number of cases written so far, after every page."""


def write_cases(
    cases: Converted[TestCase],
    path: str | Path | None,
    *,
    format: str = "promptloop",
    force: bool = False,
    before: Callable[[], Iterable[Step]] | None = None,
    on_written: OnWritten | None = None,
) -> CasesReport:
    """Write test cases to a file (None: to stdout), with ``<path>.manifest.json`` beside it.

    ::

        chats = store.select(domain="legal", min_rating=3).limit(50)
        report = write_cases(chats.convert(to_test_cases()), "legal.yaml", format="promptfoo")
        print(report.funnel)  # 50 within the limit > 49 not flagged > 46 of distinct prompts > 46 written

    Args:
        cases: what ``results.convert(to_test_cases(...))`` gives.
        path: where to; a failure leaves what was there before.
        format: by name; :func:`lmsys_store.convert.known_formats` lists them.
        force: replace the files if they exist.
        before: gives the steps before the rows were read, for the funnel: how many the store holds, how many each filter
            left. Called at the end, when what was fetched is stored.
        on_written: is told how far it is.

    Raises:
        QueryError: there is no such format, or the cases lack what it needs.
        ExportError: a file exists and ``force`` is False, or it cannot be written.
    """
    writing = _Writing(cases, format_named(format), before, on_written)
    with _files(path, force=force) as files:
        writing.begin(files)
        rest = iter(cases)
        while page := list(islice(rest, _PAGE)):
            writing.write(page)
        return writing.end()


async def write_cases_async(
    cases: AsyncConverted[TestCase],
    path: str | Path | None,
    *,
    format: str = "promptloop",
    force: bool = False,
    before: Callable[[], Iterable[Step]] | None = None,
    on_written: OnWritten | None = None,
) -> CasesReport:
    """The same of an AsyncStore's rows; see :func:`write_cases`. A page is written in the loop's own thread."""
    writing = _Writing(cases, format_named(format), before, on_written)
    with _files(path, force=force) as files:
        writing.begin(files)
        page: list[TestCase] = []
        async for case in cases:
            page.append(case)
            if len(page) == _PAGE:
                writing.write(page)
                page = []
        writing.write(page)
        return writing.end()


@dataclass(frozen=True)
class _Files:
    """The two open files with the names they will take; None for stdout."""

    path: Path | None
    cases: IO[bytes]
    manifest: IO[bytes] | None


@contextmanager
def _files(path: str | Path | None, *, force: bool) -> Iterator[_Files]:
    """Both files; the manifest takes its name after the cases, so that none stands beside cases it is not of."""
    if path is None:
        sys.stdout.flush()
        yield _Files(None, sys.stdout.buffer, None)
        sys.stdout.buffer.flush()
        return
    place = Path(path)
    with whole_file(manifest_path(place), force=force) as manifest, whole_file(place, force=force) as cases:
        yield _Files(place, cases, manifest)


def manifest_path(path: Path) -> Path:
    """Where the manifest of a file lies."""
    return path.with_name(path.name + MANIFEST)


class _Writing:
    """One file being written: what goes into it, and what is known of it at the end."""

    def __init__(
        self,
        cases: ConvertedBase[TestCase],
        format: Format,
        before: Callable[[], Iterable[Step]] | None,
        on_written: OnWritten | None,
    ) -> None:
        self._cases, self._format = cases, format
        self._before, self._on_written = before, on_written
        self._encoder = format.encoder()
        self._digest = hashlib.sha256()
        self._bytes = self._written = 0

    def begin(self, files: _Files) -> None:
        self._files = files
        self._put(self._encoder.begin())

    def write(self, page: list[TestCase]) -> None:
        self._put(self._encoder.encode(page))
        self._written += len(page)
        if self._on_written is not None:
            self._on_written(self._written)

    def end(self) -> CasesReport:
        self._put(self._encoder.end())
        files, cases = self._files, self._cases
        earlier = () if self._before is None else tuple(self._before())
        rows = [step for step in cases.report.funnel.steps if not (earlier and step.name in _OF_QUERY)]
        taken = [*earlier, *rows]
        counted = cases.funnel.steps  # none by a converter that is a plain function
        if taken and counted and taken[-1].count == counted[0].count:
            counted = counted[1:]
        funnel = Funnel((*taken, *counted)).then(self._written, "written")
        manifest = self._manifest(funnel)
        if files.manifest is not None:
            files.manifest.write(to_json(manifest, indent=1) + b"\n")
        conversion = cases.conversion
        return CasesReport(
            path=files.path,
            manifest_path=None if files.path is None else manifest_path(files.path),
            format=self._format.name,
            cases=self._written,
            funnel=funnel,
            scrubbed=conversion.scrubbed if isinstance(conversion, CaseConversion) else {},
            origins=cases.origins,
            complete=cases.complete,
            notes=cases.notes,
            manifest=manifest,
        )

    def _put(self, data: bytes) -> None:
        self._files.cases.write(data)
        self._digest.update(data)
        self._bytes += len(data)

    def _manifest(self, funnel: Funnel) -> dict[str, object]:
        """What a reader of the file must know to trust it, or to make it again."""
        report, conversion, converter = self._cases.report, self._cases.conversion, self._cases.converter
        counted = conversion if isinstance(conversion, CaseConversion) else None
        provenance, mock = report.provenance, set(report.origins) == {"mock"}
        return {
            "file": None if self._files.path is None else self._files.path.name,
            "format": self._format.name,
            "cases": self._written,
            "bytes": self._bytes,
            "sha256": self._digest.hexdigest(),
            "made_by": f"lmsys_store {__version__}",
            "converter": converter.options if isinstance(converter, CaseConverter) else None,
            "query": report.query.to_json(),
            "query_text": str(report.query),
            "operations": report.operations,
            "data_set": None if provenance is None else provenance.dataset,
            "revision": None if provenance is None else provenance.revision,
            "origins": report.origins,
            "complete": report.complete,
            "label_versions": sorted(counted.label_versions) if counted else [],
            "funnel": [{"step": step.name, "left": step.count} for step in funnel.steps],
            "scrubbed": counted.scrubbed if counted else {},
            "notes": list(report.notes),
            "licence": licence_notice(provenance, mock=mock),
        }
