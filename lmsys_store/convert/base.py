"""What every conversion of rows shares: what a converter is, and the lazy iterables that results give.

Pure. A converter is a value; what it counts and remembers belongs to one pass over the rows.
"""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar, cast, runtime_checkable

from lmsys_store.funnel import Funnel
from lmsys_store.query import Query
from lmsys_store.records import Conversation, Provenance

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Conversion(Protocol[T_co]):
    """One pass of a converter: called with every row, in order."""

    def __call__(self, chat: Conversation) -> Iterable[T_co]: ...


class Provenanced(Protocol):
    """Says of what data set its rows are, once some were handed over."""

    @property
    def provenance(self) -> Provenance | None: ...


@runtime_checkable
class Converter(Protocol[T_co]):
    """Begins a pass over rows; ``rows`` says of what data set they are, from the first one on."""

    def begin(self, rows: Provenanced) -> Conversion[T_co]: ...


AnyConverter = Converter[T] | Callable[[Conversation], Iterable[T]]
"""A plain function of a row is a converter too."""


class RowsReport(Provenanced, Protocol):
    """What results say of their latest iteration."""

    @property
    def query(self) -> Query: ...
    @property
    def operations(self) -> str: ...
    @property
    def origins(self) -> dict[str, int]: ...
    @property
    def funnel(self) -> Funnel: ...
    @property
    def notes(self) -> Sequence[str]: ...
    @property
    def complete(self) -> bool | None: ...
    @property
    def token(self) -> str | None: ...


class Rows(RowsReport, Protocol):
    """Results of a Store."""

    def __iter__(self) -> Iterator[Conversation]: ...


class AsyncRows(RowsReport, Protocol):
    """Results of an AsyncStore."""

    def __aiter__(self) -> AsyncIterator[Conversation]: ...


class ConvertedBase(Generic[T]):
    """What a converter makes of rows; the report is that of the rows' latest iteration."""

    def __init__(self, report: RowsReport, converter: "AnyConverter[T]") -> None:
        self.converter: Final = converter
        self.report: Final = report
        """The results that are converted, with their ``origins``, ``notes``, ``complete`` and ``token``."""
        self.conversion: Conversion[T] | None = None
        """The latest pass, with what it counted."""

    def _begin(self) -> Conversion[T]:
        if isinstance(self.converter, Converter):
            self.conversion = self.converter.begin(self.report)
        else:
            self.conversion = cast(Conversion[T], self.converter)
        return self.conversion

    @property
    def funnel(self) -> Funnel:
        """What the latest pass left after each of its steps; empty where the converter does not count."""
        counted = getattr(self.conversion, "funnel", None)
        return counted if isinstance(counted, Funnel) else Funnel()

    @property
    def token(self) -> str | None:
        """Resumes the rows after the one whose outcome was handed over last; the rest of that row's is left out."""
        return self.report.token

    @property
    def origins(self) -> dict[str, int]:
        """How many rows came from where."""
        return self.report.origins

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the rows should know."""
        return tuple(self.report.notes)

    @property
    def complete(self) -> bool | None:
        """Whether no matching row can be missing; None while unknown."""
        return self.report.complete


class Converted(ConvertedBase[T]):
    """What ``results.convert(converter)`` gives: lazy; iterating again starts anew."""

    def __init__(self, rows: Rows, converter: "AnyConverter[T]") -> None:
        super().__init__(rows, converter)
        self._rows: Iterable[Conversation] = rows

    def __iter__(self) -> Iterator[T]:
        convert = self._begin()
        for chat in self._rows:
            yield from convert(chat)


class AsyncConverted(ConvertedBase[T]):
    """The same of an AsyncStore's results."""

    def __init__(self, rows: AsyncRows, converter: "AnyConverter[T]") -> None:
        super().__init__(rows, converter)
        self._rows: AsyncIterable[Conversation] = rows

    def __aiter__(self) -> "AsyncOutcomes[T]":
        return AsyncOutcomes(self._rows.__aiter__(), self._begin())


class AsyncOutcomes(Generic[T]):
    """The iterator of AsyncConverted. A class, not a generator: abandoned anywhere, it holds nothing."""

    def __init__(self, rows: AsyncIterator[Conversation], convert: Conversion[T]) -> None:
        self._rows = rows
        self._convert = convert
        self._waiting: Iterator[T] = iter(())

    def __aiter__(self) -> "AsyncOutcomes[T]":
        return self

    async def __anext__(self) -> T:
        while True:
            for outcome in self._waiting:
                return outcome
            self._waiting = iter(self._convert(await anext(self._rows)))

    async def aclose(self) -> None:
        """Nothing to close; here so that ``contextlib.aclosing`` works."""


_EVERY_ROW: Final = Query()


@dataclass(frozen=True)
class GivenRows:
    """Rows in hand, of no store, as results to convert."""

    chats: Sequence[Conversation]
    provenance: Provenance | None = None
    query: Query = _EVERY_ROW
    notes: Sequence[str] = ()
    complete: bool | None = None
    token: str | None = None

    @property
    def operations(self) -> str:
        """Nothing was done to them."""
        return ""

    @property
    def funnel(self) -> Funnel:
        """No step was taken to them."""
        return Funnel()

    @property
    def origins(self) -> dict[str, int]:
        """How many rows say that they came from where."""
        found: dict[str, int] = {}
        for chat in self.chats:
            found[chat.origin.value] = found.get(chat.origin.value, 0) + 1
        return found

    def __iter__(self) -> Iterator[Conversation]:
        return iter(self.chats)
