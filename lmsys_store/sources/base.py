"""What every source of rows promises. Sources deliver bytes decoded to rows; whether a row is valid is not theirs to say."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

PAGE_ROWS: Final = 1000
REMOTE_ROWS: Final = 100
"""The most rows the dataset viewer gives in one answer."""
LMSYS_DATASET: Final = "lmsys/lmsys-chat-1m"
LMSYS_LICENCE: Final = "LMSYS-Chat-1M Dataset License Agreement"
LMSYS_LICENCE_URL: Final = "https://huggingface.co/datasets/lmsys/lmsys-chat-1m"


@dataclass(frozen=True)
class Identity:
    """Which rows a source delivers: a data set, configuration and split at one revision."""

    dataset: str
    revision: str
    config: str = "default"
    split: str = "train"

    @property
    def licence(self) -> tuple[str, str] | None:
        """The licence's name and page, where this library knows it."""
        return (LMSYS_LICENCE, LMSYS_LICENCE_URL) if self.dataset == LMSYS_DATASET else None


@dataclass(frozen=True)
class BrokenRow:
    """A row that could not even be decoded: why, and what was there (as far as it is text)."""

    reason: str
    raw: str


class Rows(Protocol):
    """Decoded rows, of known number; they may be made anew, one by one, at every iteration."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[object]: ...


@dataclass(frozen=True)
class Page:
    """What one read delivers: the rows of ``[start, stop)``, in order, one for every row index."""

    start: int
    rows: Rows
    byte_count: int

    @property
    def stop(self) -> int:
        """The first row index after this page."""
        return self.start + len(self.rows)


@dataclass(frozen=True)
class Matches:
    """What one read of a filter delivers: up to ``asked`` of its ``total`` rows from ``offset`` on, with their row indexes."""

    offset: int
    asked: int
    rows: Sequence[tuple[int, object]]
    total: int
    partial: bool
    byte_count: int

    def follow(self, last_row: int, total: int | None) -> bool:
        """Whether these are the matches after ``last_row``, all that can be, of the same number: else some may have slipped."""
        whole = len(self.rows) == min(self.asked, max(self.total - self.offset, 0))
        same = total in (None, self.total) and not self.partial
        return whole and same and all(row_index > last_row for row_index, _ in self.rows)


class Source(Protocol):
    """Rows of one identity. ``total_rows`` is None while unknown; ``notes`` say what a user should know of the choice made."""

    @property
    def name(self) -> str: ...
    @property
    def identity(self) -> Identity: ...
    @property
    def total_rows(self) -> int | None: ...
    @property
    def requests(self) -> int:
        """Network requests made so far."""
        ...

    @property
    def notes(self) -> Sequence[str]: ...
    @property
    def waiting(self) -> str | None:
        """Why the source is waiting now, in words; None while it is not."""
        ...

    def pages(self, wanted: Sequence[tuple[int, int]]) -> AsyncIterator[Page]:
        """The pages of the wanted intervals of row indexes, ascending, of at most 1,000 rows.

        Raises:
            SourceFormatError: damage met on the way; the pages before it are good.
        """
        ...

    async def aclose(self) -> None:
        """Stop what the source may have under way."""
        ...


class FilteringSource(Source, Protocol):
    """A source that can look for rows itself."""

    def matches(self, where: str, offset: int = 0) -> AsyncIterator[Matches]:
        """The rows that satisfy a ``where``, in row order, from one of them on."""
        ...

    async def match_count(self, where: str) -> int:
        """How many rows satisfy a ``where``."""
        ...
