"""The commands, each one call of the store and what to print of it. Imports inside, so that --help stays quick."""

import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from lmsys_store.cli import app, boundary, fail
from lmsys_store.cli.options import (
    DeadlineOption,
    FallbackOption,
    ForceOption,
    JsonOption,
    LimitOption,
    OutputOption,
    ResumeOption,
    StoreOption,
    by_id_or_row,
    far_of,
    open_store,
    with_filters,
)
from lmsys_store.cli.reading import PARTS, tell_next, told, with_operations
from lmsys_store.settings import store_path

if TYPE_CHECKING:
    from lmsys_store.blocking import Results
    from lmsys_store.cli.reading import Operate
    from lmsys_store.reports import StoreStatus
    from lmsys_store.storage.reader import Predicate

ROWS_AT_A_TERMINAL = 20


@app.command()
@boundary
def status(store: StoreOption = None, json: JsonOption = False) -> None:
    """What the store holds: data set, rows, coverage, rejects, size."""
    from lmsys_store.cli import display

    path = store_path(store)
    if not path.exists() and not json:
        typer.echo(_nothing(path))
        return
    if not path.exists():
        typer.echo(display.json_line(_empty_status(path)))
        return
    with open_store(store) as opened:
        found = opened.status()
    if json:
        values = asdict(found) | {"path": str(found.path)}
        typer.echo(display.json_line(values))
    else:
        typer.echo(_status_text(found))


def _empty_status(path: Path) -> dict[str, Any]:
    """The shape of ``status --json`` where no store is yet."""
    keys = ("dataset", "config", "split", "revision", "licence", "licence_url")
    return {"path": str(path)} | dict.fromkeys(keys) | {
        "rows": 0, "total_rows": None, "rejected": 0, "reject_reasons": {}, "deleted": 0, "turn_mismatches": 0, "coverage": [],
        "covered_percent": None, "predicates": [], "complete": False, "index_replies": False, "labels_version": None,
        "stale_labels": 0, "label_imports": [],
        "first_fetch": None, "last_fetch": None, "last_sync": None, "size_bytes": 0,
    }  # fmt: skip


def _nothing(path: Path) -> str:
    return (
        f"store     {path}\n"
        "holds     nothing yet: it was never filled\n"
        "fill it   lmsys-store sync         (the remote; lmsys-store sync PATH: Parquet or JSON Lines files)\n"
        "try it    lmsys-store sync --mock  (the bundled mock seeds)"
    )


def _status_text(found: "StoreStatus") -> str:
    from lmsys_store.cli import display

    if found.dataset is None:
        return _nothing(found.path)
    total = "an unknown number" if found.total_rows is None else f"{found.total_rows:,}"
    state = "complete" if found.complete else "not complete: run sync again"
    lines = [
        ("store", f"{found.path} ({display.byte_size(found.size_bytes)})"),
        ("data set", f"{found.dataset}, {found.config}, {found.split}, revision {found.revision}"),
        ("rows", f"{found.rows:,} of {total} ({state})"),
        ("rejected", f"{found.rejected:,}"),
        *(("", f"{count:,} × {reason}") for reason, count in found.reject_reasons.items()),
        ("deleted", f"{found.deleted:,}"),
        ("coverage", _coverage(found)),
        *(("predicate", _predicate(predicate)) for predicate in found.predicates),
        ("labels", _labels(found)),
        ("search", "prompts and replies" if found.index_replies else "prompts"),
        ("fetched", f"{found.first_fetch} to {found.last_fetch}; the last sync: {found.last_sync or 'did not end'}"),
    ]
    if found.turn_mismatches:
        lines.append(("turns", f"{found.turn_mismatches:,} rows whose source counted turns otherwise"))
    if found.licence:
        lines.append(("licence", f"{found.licence}: {found.licence_url}"))
    return display.table(lines)


def _coverage(found: "StoreStatus") -> str:
    intervals = ", ".join(f"{start:,}–{stop:,}" for start, stop in found.coverage[:8])
    more = f" and {len(found.coverage) - 8:,} more" if len(found.coverage) > 8 else ""
    percent = "" if found.covered_percent is None else f" ({found.covered_percent:.1f} %)"
    return f"{intervals}{more}{percent}" if intervals else "none"


def _labels(found: "StoreStatus") -> str:
    imports = "".join(f"; {one.name} laid over {one.matched:,} rows" for one in found.label_imports)
    stale = f"; {found.stale_labels:,} rows have older ones: run lmsys-store relabel" if found.stale_labels else ""
    return f"version {found.labels_version}{imports}{stale}"


def _predicate(predicate: "Predicate") -> str:
    whole = "whole" if predicate.complete else f"{predicate.done_rows:,} of {predicate.total_rows:,} rows"
    return f"{predicate.remote_where}: {whole}"


@app.command()
@boundary
@with_filters
@with_operations()
def query(
    filters: dict[str, Any],
    operate: "Operate",
    store: StoreOption = None,
    limit: LimitOption = None,
    resume: ResumeOption = None,
    fallback: FallbackOption = None,
    deadline: DeadlineOption = None,
    json: JsonOption = False,
    output: OutputOption = None,
    force: ForceOption = False,
) -> None:
    """List the chats that match; at a terminal the first 20, unless --limit says otherwise."""
    from lmsys_store.cli import display
    from lmsys_store.convert.writing import write_jsonl

    far = far_of(fallback)
    with open_store(store, far) as opened:
        selected = opened.select(resume=resume, fallback=far, deadline=deadline, **filters)
        if output is not None:
            results = operate(selected, limit)
            write_jsonl(results, output, force=force)
        elif json:
            results = operate(selected, limit)
            with told(results) as rows:
                write_jsonl(rows, None)
        else:
            shortened = limit is None and sys.stdout.isatty()
            results = operate(selected, ROWS_AT_A_TERMINAL if shortened else limit)
            _list(results)
            held = operate(opened.select(fallback="cache", **filters))
            # Behind a token nobody has counted how many are left.
            if shortened and resume is None and (more := held.count() - ROWS_AT_A_TERMINAL) > 0:
                display.note(f"{more:,} more: say --limit N, or pipe the output")
    display.notes((*results.notes, *results.funnel.notes))
    if limit is not None:
        tell_next(results)
    if set(results.origins) - {"cache"}:
        display.note(f"rows by origin: {_origins(results)}")


def _origins(results: "Results") -> str:
    return ", ".join(f"{count:,} from {origin}" for origin, count in results.origins.items())


def _list(results: "Results") -> None:
    from lmsys_store.cli import display

    with told(results) as rows:
        for number, chat in enumerate(rows):
            if number == 0:
                typer.echo(display.list_header())
            typer.echo(display.list_line(chat))
    asked = results.selection
    if not results.origins and not results.notes and asked.operations.limit != 0:
        display.note("no chat matches" if asked.position is None else "no more chats match")


@app.command()
@boundary
def show(
    conversation: Annotated[str, typer.Argument(metavar="ID", help="A conversation id, or a row number.")],
    store: StoreOption = None,
    fallback: FallbackOption = None,
    deadline: DeadlineOption = None,
    json: JsonOption = False,
) -> None:
    """Show one chat whole."""
    from lmsys_store.cli import display
    from lmsys_store.records import as_json_object

    far = far_of(fallback)
    with open_store(store, far) as opened:
        chat = by_id_or_row(opened.get, conversation)
        if chat is None and far != "cache":
            chat = opened.select(conversation_id=conversation, fallback=far, deadline=deadline).first()
        held = chat is not None or opened.select(fallback="cache").first() is not None
    if chat is None:
        remedy = "list some with: lmsys-store query" if held else "it is empty: fill it with lmsys-store sync PATH"
        fail(f"no chat {conversation!r} in {store_path(store)}; {remedy}", 1)
        return
    typer.echo(display.json_line(as_json_object(chat)) if json else display.chat_text(chat))


@app.command()
@boundary
@with_filters
@with_operations(*PARTS)
def count(
    filters: dict[str, Any],
    operate: "Operate",
    by: Annotated[str | None, typer.Option("--by", metavar="FIELD", help="Count each value of a field.")] = None,
    store: StoreOption = None,
    fallback: FallbackOption = None,
    deadline: DeadlineOption = None,
    json: JsonOption = False,
) -> None:
    """Count the chats that match, all together or by a field."""
    from lmsys_store.cli import display

    far = far_of(fallback)
    notes: list[str] = []
    with open_store(store, far) as opened:
        if by is None:
            results = operate(opened.select(fallback=far, deadline=deadline, **filters))
            number = results.count()
            notes += [note for note in results.notes if "no row has" not in note]  # perhaps one was fetched since
            typer.echo(display.json_line({"count": number}) if json else str(number))
        elif str(operate(opened.select()).selection.operations):
            fail("--by counts all rows that match: leave out --distinct, --split and --shard", 2)
        else:
            found = opened.facet(by, fallback=far, deadline=deadline, **filters)
            if json:
                typer.echo(
                    display.json_line(
                        [
                            {"value": str(value) if isinstance(value, datetime) else value, "count": number}
                            for value, number in found
                        ]
                    )
                )
            elif found:
                rows = [
                    ("(none)" if value is None else display.visible(str(value)), f"{number:,}")
                    for value, number in found
                ]
                typer.echo(display.table(rows, right=[1]))
            else:
                notes.append("no chat matches")
        notes += opened.explain(**filters).notes  # a word that no row has would explain a 0
        display.notes(dict.fromkeys(notes))


@app.command()
@boundary
@with_filters
@with_operations()
def export(
    filters: dict[str, Any],
    operate: "Operate",
    format: Annotated[
        Literal["jsonl", "parquet"],
        typer.Option("--format", help="JSON Lines, or Parquet in the data set's own schema."),
    ] = "jsonl",
    ids_only: Annotated[
        bool, typer.Option("--ids-only", help="Ids and labels without any text: may be shared.")
    ] = False,
    store: StoreOption = None,
    limit: LimitOption = None,
    resume: ResumeOption = None,
    fallback: FallbackOption = "remote",
    deadline: DeadlineOption = None,
    output: OutputOption = None,
    force: ForceOption = False,
) -> None:
    """Write the chats that match to a file or to stdout."""
    from lmsys_store.cli import display
    from lmsys_store.convert import writing

    if format == "parquet" and output is None:
        fail("--format parquet needs --output FILE", 2)
    far = far_of(fallback)
    with open_store(store, far) as opened:
        moderation = format == "parquet" and not ids_only
        selected = opened.select(resume=resume, moderation=moderation, fallback=far, deadline=deadline, **filters)
        results = operate(selected, limit)
        if format == "parquet":
            assert output is not None
            written = writing.write_parquet(results.pages(), output, ids_only=ids_only, force=force)
        elif output is not None:
            written = writing.write_jsonl(results, output, ids_only=ids_only, force=force)
        else:
            with told(
                results
            ) as rows:  # of a file that an interruption leaves unwritten there is nothing to go on from
                written = writing.write_jsonl(rows, None, ids_only=ids_only)
        licence = opened.status().licence
    display.notes((*results.notes, *results.funnel.notes))
    tell_next(results)
    if output is not None:
        typer.echo(f"{written:,} rows written to {output}{f' ({_origins(results)})' if results.origins else ''}")
    if licence and not ids_only:
        display.note(f"these rows are under the {licence}: do not pass them on")


@app.command()
@boundary
def check(store: StoreOption = None, json: JsonOption = False) -> None:
    """Check the store: the file, and every row against coverage, texts and the full-text index."""
    from lmsys_store.cli import display

    with open_store(store) as opened:
        report = opened.check()
    if json:
        typer.echo(display.json_line({"ok": report.ok, "rows": report.rows, "problems": report.problems}))
    elif report.ok:
        typer.echo(f"ok: {report.rows:,} rows checked")
    else:
        typer.echo("\n".join(report.problems))
    if not report.ok:
        fail(f"{len(report.problems)} problem(s) found; purge the store and sync again", 1)


@app.command()
@boundary
def purge(
    store: StoreOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove the store for good: its files are overwritten, then removed."""
    import anyio

    from lmsys_store.storage.lock import sync_lock
    from lmsys_store.storage.purge import purge_files, refuse_other_files, store_files

    path = store_path(store)
    files = store_files(path)
    if not files:
        typer.echo(f"there is no store at {path}")
        return
    refuse_other_files(path)
    if not yes and not _confirmed(f"overwrite and remove {', '.join(map(str, files))}?"):
        fail("nothing was removed; say --yes to remove it without being asked", 1)

    async def remove() -> None:
        async with sync_lock(path, 0.0):
            await purge_files(path)

    anyio.run(remove)
    typer.echo(f"removed {path}")


def _confirmed(question: str) -> bool:
    return sys.stdin.isatty() and typer.confirm(question, err=True)


def overview() -> None:
    """Six lines: what this is, where the store is, what it holds, and what to type next."""
    path = store_path(None)
    holds, following = "nothing yet", "lmsys-store sync PATH     (or, to try it out: lmsys-store sync --mock)"
    if path.exists():
        with open_store(None) as opened:
            found = opened.status()
        if found.dataset is not None:
            holds = f"{found.rows:,} chats of {found.dataset}, {'complete' if found.complete else 'not complete'}"
            following = "lmsys-store query --language en --limit 5"
    typer.echo(
        "lmsys-store: a local store for real LLM conversations: stream once, keep, query offline\n"
        f"store:  {path}\n"
        f"holds:  {holds}\n"
        f"next:   {following}\n"
        "help:   lmsys-store --help, lmsys-store COMMAND --help\n"
        "code:   from lmsys_store import Store"
    )
