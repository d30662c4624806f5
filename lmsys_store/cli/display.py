"""What people and machines see: tables, chats, JSON lines, progress. Texts of chats never reach a terminal raw."""

import json
import shutil
import sys
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import typer

from lmsys_store.ingest import OnProgress, Progress
from lmsys_store.records import Conversation

if TYPE_CHECKING:
    from lmsys_store.syncing import SyncPlan

_KEPT: Final = "\n\t"


def json_line(value: object) -> str:
    """One line of JSON, text as it is."""
    return json.dumps(value, ensure_ascii=False)


def visible(text: str) -> str:
    """Control characters as escapes, so that no chat can drive the terminal.

    >>> visible("a\\x1b[31mb")
    'a\\\\x1b[31mb'
    """
    return "".join(
        char
        if char in _KEPT or unicodedata.category(char) not in ("Cc", "Cf", "Cs")
        else char.encode("unicode_escape").decode()
        for char in text
    )


def one_line(text: str, width: int) -> str:
    """The text on one line of at most ``width`` columns."""
    flat = " ".join(visible(text).split())
    kept: list[str] = []
    columns = 0
    for char in flat:
        columns += 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if columns > width - 1:
            return "".join(kept) + "…"
        kept.append(char)
    return flat


def table(rows: Sequence[Sequence[object]], *, right: Sequence[int] = ()) -> str:
    """Columns aligned, two spaces apart; ``right`` names the columns of numbers."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    lines = []
    for row in texts:
        cells = [
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


_LIST: Final = "{:>8}  {:<10}  {:<18}  {:<10}  {:>5}  {}"


def list_header() -> str:
    """The header of a listing of chats."""
    return _LIST.format("row", "id", "model", "language", "turns", "first prompt")


def list_line(chat: Conversation) -> str:
    """A chat as one line of a listing."""
    start = _LIST.format(
        chat.row_index,
        one_line(chat.conversation_id, 10),
        one_line(chat.model, 18),
        one_line(chat.language, 10),
        chat.turn,
        "",
    )
    width = shutil.get_terminal_size((100, 24)).columns
    return start + one_line(chat.first_prompt, max(width - len(start), 20))


def chat_text(chat: Conversation) -> str:
    """A whole chat for people."""
    flagged = {None: "no moderation", True: "flagged", False: "not flagged"}[chat.flagged]
    head = (
        f"{chat.conversation_id}  (row {chat.row_index}, from {chat.origin.value})\n"
        f"{chat.model} · {chat.language} · {chat.turn} turn(s) · {flagged}{' · redacted' if chat.redacted else ''}"
    )
    messages = (f"── {message.role} ──\n{visible(message.content)}" for message in chat.messages)
    return "\n\n".join([visible(head), *messages])


def note(text: str) -> None:
    """A remark on stderr."""
    typer.echo(f"note: {text}", err=True)


def notes(texts: Iterable[str]) -> None:
    """Remarks on stderr, a line each."""
    for text in texts:
        note(text)


def plan_lines(plan: "SyncPlan") -> list[str]:
    """What a sync is about to do, a line each."""
    rows = "an unknown number of" if plan.rows is None else f"{plan.rows:,}"
    lines = [f"from {plan.source}: {rows} rows to fetch, {plan.held:,} held already"]
    if plan.requests:
        minutes = "" if plan.minutes is None else f", about {max(plan.minutes, 0.1):,.1f} minutes at the pace so far"
        lines.append(f"{plan.requests:,} requests{minutes}")
    if plan.disk_bytes:
        lines.append(f"about {byte_size(plan.disk_bytes)} on disk, {byte_size(plan.free_bytes)} free")
    if plan.drops:
        lines.append(f"the {plan.drops:,} rows of the store are dropped first")
    return [*lines, *plan.notes]


@contextmanager
def progress_bar(what: str) -> Iterator[OnProgress | None]:
    """A live bar on stderr for people; None when stderr is not a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns: tuple[Any, ...] = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[extra]}"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None, extra="")

        def show(progress: Progress) -> None:
            extra = progress.waiting or f"{progress.rate:,.0f} rows/s"
            if progress.rejects:
                extra += f", {progress.rejects:,} rejected"
            bar.update(task, completed=progress.done, total=progress.total, extra=extra)

        yield show


@contextmanager
def count_bar(what: str) -> Iterator[Callable[[int, int | None], None] | None]:
    """A live bar of rows done out of rows to do, where that is known; None when stderr is not a terminal."""
    with progress_bar(what) as bar:
        started = time.monotonic()

        def show(done: int, total: int | None) -> None:
            assert bar is not None
            bar(Progress("reading", done, total, done / max(time.monotonic() - started, 1e-9), 0, 0))

        yield None if bar is None else show


def byte_size(count: float) -> str:
    """A number of bytes for people.

    >>> byte_size(6226000)
    '6.2 MB'
    """
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
