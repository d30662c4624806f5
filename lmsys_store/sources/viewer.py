"""The dataset viewer as a source: pages of rows from ``/rows``, pages of matches from ``/filter``, in order, several in flight.

A row's own ``row_idx`` is the truth, never its place in an answer: a short, long, doubled, shuffled or empty page shifts
nothing. Every answer's revision is held against the first one's: rows of two revisions never mix.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from lmsys_store.errors import (
    DatasetNotFoundError,
    RemoteAnswerError,
    RemoteError,
    RevisionChangedError,
    SourceSchemaError,
)
from lmsys_store.intervals import Interval, merged, missing
from lmsys_store.rows import REQUIRED_COLUMNS
from lmsys_store.sources.base import REMOTE_ROWS, BrokenRow, Identity, Matches, Page
from lmsys_store.sources.client import Answer, RemoteClient
from lmsys_store.sources.retry import TooBigError

T = TypeVar("T")
_MOST_ASKED: Final = 4
"""How often rows are asked for that an answer should have held, and a page whose revision is another."""


class ViewerSource:
    """A split as the dataset viewer serves it. Nothing is asked before :meth:`begin`, or before rows or matches are wanted."""

    def __init__(self, client: RemoteClient, dataset: str, config: str, split: str, revision: str | None) -> None:
        self._client = client
        self._place = {"dataset": dataset, "config": config, "split": split}
        self._revision = revision
        self._requests_before = client.requests
        self._first: tuple[Interval, Sequence[Page]] | None = None
        self._beside: list[asyncio.Task[Any]] = []
        self.name = f"the dataset viewer, {dataset}"
        self.total_rows: int | None = None
        self._totals: Counter[int] = Counter()
        self.notes: list[str] = []
        self.partial = False
        self.shares = False
        """Whether an answer that another reader got a moment ago will do."""

    async def begin(self, wanted: Interval) -> None:
        """Fetch the first page of an interval; sizes and splits are asked beside it and validate it later.

        Raises:
            RemoteError: no access, no such split, or no answer.
            RevisionChangedError: the remote has another revision than this source's, and keeps to it.
        """
        asked = Interval(wanted.start, min(wanted.start + REMOTE_ROWS, wanted.stop))
        page = asyncio.create_task(self.span(asked))
        await asyncio.sleep(0)  # the page is first in line
        splits = asyncio.create_task(self._splits())
        self._beside = [asyncio.create_task(self._check_size()), asyncio.create_task(_quietly(splits))]
        try:
            self._first = asked, await page
        except RemoteError as error:
            known = await _quietly(splits)
            await self.aclose()
            self._refuse_unknown_split(known or set(), error)
            raise
        except BaseException:
            page.cancel()
            await self.aclose()
            raise

    def _refuse_unknown_split(self, known: set[tuple[str, str]], error: RemoteError) -> None:
        """Raise what the remote cannot say itself: it calls an unknown split an unexpected error."""
        dataset, config, split = self._place.values()
        if known and (config, split) not in known:
            names = ", ".join(f"{one}/{other}" for one, other in sorted(known))
            raise DatasetNotFoundError(f"{dataset} has no split {config}/{split}; it has: {names}") from error

    @property
    def identity(self) -> Identity:
        """The data set at the revision of its first answer."""
        assert self._revision is not None, "opened"
        return Identity(
            self._place["dataset"], self._revision, config=self._place["config"], split=self._place["split"]
        )

    def agrees_with(self, revision: str) -> bool:
        """Whether all answers so far are of a revision; from now on every answer is held against it."""
        before, self._revision = self._revision, revision
        return before in (None, revision)

    @property
    def requests(self) -> int:
        """Requests made since this source was built."""
        return self._client.requests - self._requests_before

    @property
    def waiting(self) -> str | None:
        """Why the client waits, in words."""
        return self._client.waiting

    @property
    def failing(self) -> bool:
        """Whether the latest attempt got no answer, or a failing server's."""
        return self._client.failing

    async def aclose(self) -> None:
        """Stop what is asked beside the pages."""
        for task in self._beside:
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)

    # -------------------------------------------------------------------------------------------------------- rows

    async def pages(self, wanted: Sequence[tuple[int, int]]) -> AsyncIterator[Page]:
        """The pages of the wanted row indexes, ascending; a row that never comes leaves a gap between two pages."""
        async for pages in _in_order(map(self._take_or_ask, self._spans(wanted)), self._client):
            for page in pages:
                yield page

    def _spans(self, wanted: Sequence[tuple[int, int]]) -> Iterator[Interval]:
        for start, stop in wanted:
            at = start
            while at < stop and (self.total_rows is None or at < self.total_rows):
                yield Interval(at, min(at + REMOTE_ROWS, stop))
                at += REMOTE_ROWS

    async def _take_or_ask(self, span: Interval) -> Sequence[Page]:
        first, self._first = self._first, None
        if first is not None and first[0].start == span.start:
            return [_cut(page, span.stop) for page in first[1] if page.start < span.stop]
        return await self.span(span)

    async def span(self, span: Interval) -> Sequence[Page]:
        """The rows of at most 100 row indexes: one page, or several where the remote has gaps."""
        start, stop = span
        held: dict[int, object] = {}
        byte_count = 0
        for attempt in range(_MOST_ASKED):
            for gap in missing((start, stop), _runs(held)):
                rows, size = await self._rows(gap.start, gap.stop - gap.start, fresh=attempt > 0)
                held |= {row_index: row for row_index, row in rows if start <= row_index < stop}
                byte_count += size
            stop = min(stop, max(self.total_rows or 0, start))
            if len(held) >= stop - start:
                break
        else:
            self.notes.append(f"the remote did not deliver all rows of [{start}, {stop}): they are still missing")
        return [Page(low, [held[at] for at in range(low, high)], byte_count) for low, high in _runs(held)]

    async def _rows(self, offset: int, length: int, *, fresh: bool = False) -> tuple[list[tuple[int, object]], int]:
        try:
            answer = await self._asked("rows", {"offset": offset, "length": length}, fresh=fresh)
        except TooBigError:
            if length == 1:
                raise
            half = length // 2
            one, other = await self._rows(offset, half), await self._rows(offset + half, length - half)
            return one[0] + other[0], one[1] + other[1]
        return _numbered(answer.value), answer.byte_count

    # ----------------------------------------------------------------------------------------------------- matches

    async def matches(self, where: str, offset: int = 0) -> AsyncIterator[Matches]:
        """The rows that satisfy a ``where``, from one of them on, in row order."""
        first = await self.some_matches(where, offset)
        yield first
        later = range(offset + REMOTE_ROWS, first.total, REMOTE_ROWS)
        async for found in _in_order((self.some_matches(where, at) for at in later), self._client):
            yield found

    async def match_count(self, where: str) -> int:
        """How many rows satisfy a ``where``, without any of them."""
        return (await self.some_matches(where, 0, length=0)).total

    async def some_matches(self, where: str, offset: int, length: int = REMOTE_ROWS, *, poll: bool = True) -> Matches:
        """Up to 100 matches; with ``length=0`` their number alone.

        Raises:
            RemoteNotReadyError: the index is being built, and ``poll`` is False.
        """
        params: dict[str, str | int] = {"where": where, "offset": offset, "length": length}
        answer = await self._asked("filter", params, poll=poll)
        total = answer.value.get("num_rows_total")
        if not isinstance(total, int):
            raise RemoteAnswerError("an answer of /filter has no num_rows_total; check LMSYS_STORE_VIEWER_URL")
        rows = _numbered(answer.value)
        return Matches(offset, length, rows, total, answer.value.get("partial") is True, answer.byte_count)

    # ----------------------------------------------------------------------------------------------------- answers

    async def _asked(
        self, endpoint: str, params: Mapping[str, str | int], *, poll: bool = True, fresh: bool = False
    ) -> Answer:
        """An answer of this source's revision, its columns checked.

        Raises:
            RevisionChangedError: asked again and again, the remote keeps to another revision.
        """
        for attempt in range(_MOST_ASKED):
            answer = await self._client.get(
                endpoint, {**self._place, **params}, poll=poll, recent=self.shares and attempt == 0 and not fresh
            )
            self._revision = self._revision or answer.revision or "unknown"
            if answer.revision in (None, self._revision):
                self._learn(endpoint, answer)
                return answer
            changed = RevisionChangedError(
                f"{self._place['dataset']} is now at revision {answer.revision}, the store holds {self._revision}: what "
                "is stored stays; fill it anew with lmsys-store sync --restart, or a second store with --store"
            )
            if attempt + 1 < _MOST_ASKED:  # two servers may differ for a while
                wait = self._client.settings.backoff_seconds * 2**attempt
                await self._client.pause(wait, "the remote changes its revision")
        raise changed

    def _learn(self, endpoint: str, answer: Answer) -> None:
        names = _column_names(answer.value.get("features"))
        lacking = [name for name in REQUIRED_COLUMNS if names and name not in names]
        if lacking:
            raise SourceSchemaError(
                f"{self._place['dataset']} has no column {' and no column '.join(lacking)} (it has: {', '.join(names)}); "
                f"a source of conversations needs {', '.join(REQUIRED_COLUMNS)}"
            )
        if endpoint != "rows":
            return
        total = answer.value.get("num_rows_total")
        if isinstance(total, int):
            # Of one revision there is one number: where answers differ, the one that most of them give.
            self._totals[total] += 1
            if total != self.total_rows and self.total_rows is not None:
                self.notes.append(f"the remote's number of rows changed from {self.total_rows:,} to {total:,}")
            self.total_rows = self._totals.most_common(1)[0][0]
        if answer.value.get("partial") is True and not self.partial:
            self.partial = True
            self.notes.append("the remote serves only a part of this split; its Parquet files hold all of it")

    async def _splits(self) -> set[tuple[str, str]]:
        answer = await self._client.get("splits", {"dataset": self._place["dataset"]})
        splits = answer.value.get("splits")
        return {(one["config"], one["split"]) for one in splits} if isinstance(splits, list) else set()

    async def _check_size(self) -> None:
        """Hold the number of rows against ``/size``, which counts them in another way."""
        place = {name: self._place[name] for name in ("dataset", "config")}
        answer = await _quietly(asyncio.create_task(self._client.get("size", place)))
        if answer is None:
            return
        splits = (answer.value.get("size") or {}).get("splits") or ()
        counts = [one.get("num_rows") for one in splits if one.get("split") == self._place["split"]]
        if counts and self.total_rows is not None and counts[0] != self.total_rows:
            self.notes.append(f"the remote counts {counts[0]:,} rows in /size and {self.total_rows:,} in /rows")


async def _quietly(task: "asyncio.Task[T]") -> T | None:
    """What a task gives; None where it fails: nothing depends on it."""
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()
        raise
    except (RemoteError, KeyError, TypeError, AttributeError):
        return None


async def _in_order(work: Iterable[Coroutine[Any, Any, T]], client: RemoteClient) -> AsyncIterator[T]:
    """The results of coroutines in their order, as many under way as the remote bears, few ahead of the consumer."""
    pending = iter(work)
    tasks: deque[asyncio.Task[T]] = deque()
    try:
        while True:
            while len(tasks) < 2 * client.allowed and (coroutine := next(pending, None)) is not None:
                tasks.append(asyncio.create_task(coroutine))
            if not tasks:
                return
            yield await tasks[0]
            tasks.popleft()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _numbered(value: Mapping[str, Any]) -> list[tuple[int, object]]:
    """The rows of an answer with their row indexes, ascending, each once; what is no row of the API is left out."""
    entries = value.get("rows")
    found: dict[int, object] = {}
    for entry in entries if isinstance(entries, list) else ():
        row_index = entry.get("row_idx") if isinstance(entry, Mapping) else None
        if type(row_index) is int and row_index not in found:
            found[row_index] = _row(entry.get("row"), entry.get("truncated_cells"))
    return sorted(found.items(), key=lambda item: item[0])


def _row(row: object, truncated: object) -> object:
    if truncated:
        return BrokenRow("the remote cut cells of this row", repr(truncated))
    if not isinstance(row, dict):
        return row
    for column in ("conversation", "openai_moderation"):
        if isinstance(row.get(column), Mapping):
            row[column] = transposed(row[column])
    return row


def transposed(value: object) -> object:
    """A list of structs of an object of lists, as a ``Sequence`` of a struct was once served; anything else as it is.

    >>> transposed({"role": ["user", "assistant"], "scores": {"hate": [0.1, 0.2]}})
    [{'role': 'user', 'scores': {'hate': 0.1}}, {'role': 'assistant', 'scores': {'hate': 0.2}}]
    """
    if not isinstance(value, Mapping):
        return value
    columns = {name: transposed(column) for name, column in value.items()}
    lists = [column for column in columns.values() if isinstance(column, list)]
    if not lists or len(lists) < len(columns) or len({len(column) for column in lists}) != 1:
        return value
    return [dict(zip(columns, values, strict=True)) for values in zip(*lists, strict=True)]


def _column_names(features: object) -> list[str]:
    """The columns of an answer, in every form the viewer has written them; empty where it does not say."""
    if isinstance(features, Mapping):
        return [str(name) for name in features]
    if not isinstance(features, list):
        return []
    return [str(one["name"]) for one in features if isinstance(one, Mapping) and "name" in one]


def _runs(row_indexes: Iterable[int]) -> list[Interval]:
    """Row indexes as few ascending intervals."""
    return merged((row_index, row_index + 1) for row_index in row_indexes)


def _cut(page: Page, stop: int) -> Page:
    """A page without the rows from ``stop`` on."""
    if page.stop <= stop:
        return page
    return Page(page.start, list(page.rows)[: stop - page.start], page.byte_count)
