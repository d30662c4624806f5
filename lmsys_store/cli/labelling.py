"""The commands about labels: where they come from, how they are spread, labels from outside."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from lmsys_store.cli import app, boundary, fail
from lmsys_store.cli.options import JsonOption, StoreOption, by_id_or_row, open_store, with_filters
from lmsys_store.cli.reading import with_operations

if TYPE_CHECKING:
    from lmsys_store.blocking import Store
    from lmsys_store.cli.reading import Operate
    from lmsys_store.labels.labeller import Explained
    from lmsys_store.labels.report import Agreement, LabelReport
    from lmsys_store.records import Conversation

_ROWS: Final = 12


@app.command()
@boundary
def relabel(store: StoreOption = None, json: JsonOption = False) -> None:
    """Compute labels anew where they are of another version; fetches nothing, and goes on where it stopped."""
    from lmsys_store.cli import display

    with open_store(store) as opened, display.count_bar("labelling") as tell:
        report = opened.relabel(tell)
    if json:
        typer.echo(display.json_line({"rows": report.rows, "version": report.version, "seconds": report.seconds}))
    else:
        typer.echo(f"{report.rows:,} rows labelled, version {report.version}, in {report.seconds:.1f} s")


@app.command()
@boundary
@with_filters
@with_operations("split", "shard")
def duplicates(
    filters: dict[str, Any],
    operate: "Operate",
    limit: Annotated[int, typer.Option("--limit", min=0, metavar="N", help="Name the N largest groups.")] = _ROWS,
    across_splits: Annotated[
        bool, typer.Option("--across-splits", help="Count the pairs that lie in two of train, dev and test.")
    ] = False,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Find chats whose first prompts are nearly the same, among those that match."""
    from lmsys_store.analyze.duplicates import near_duplicates
    from lmsys_store.cli import display

    with open_store(store) as opened:
        results = operate(opened.select(fallback="cache", **filters))
        found = near_duplicates(results, largest=limit)
        display.notes(results.notes)
    if json:
        typer.echo(display.json_line(asdict(found)))
        return
    typer.echo(
        f"{found.rows:,} rows; {found.prompts:,} prompts differ in more than case, spaces and marks; "
        f"{found.groups:,} in more than small edits and politeness"
    )
    if across_splits:
        share = f" ({100 * found.straddling / found.pairs:.1f} %)" if found.pairs else ""
        typer.echo(f"{found.straddling:,} of {found.pairs:,} pairs of near-duplicates lie in two splits{share}")
    rows = [
        (f"{one.rows:,}", f"{one.exact:,}", one.row_index, display.one_line(one.prompt, 80)) for one in found.largest
    ]
    if rows:
        typer.echo(display.table([("rows", "exact", "first row", "prompt"), *rows], right=(0, 1, 2)))


@app.command()
@boundary
def labels(
    explain: Annotated[
        str | None, typer.Option("--explain", metavar="ID", help="What the labels of a chat rest on.")
    ] = None,
    report: Annotated[bool, typer.Option("--report", help="How the labels are spread (the default).")] = False,
    against: Annotated[
        Path | None, typer.Option("--against", metavar="FILE", help="Hold the derived labels against a file's.")
    ] = None,
    import_: Annotated[
        Path | None,
        typer.Option(
            "--import", metavar="FILE", help="Lay a file's labels over the derived ones (JSONL, CSV, Parquet)."
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="What the import is called; default: the file's name.")
    ] = None,
    skip_unknown: Annotated[bool, typer.Option("--skip-unknown", help="Leave out ids that no row has.")] = False,
    remove: Annotated[str | None, typer.Option("--remove", metavar="NAME", help="Take an import back.")] = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Say how the labels are spread, explain one chat's, or lay labels from outside over them."""
    from lmsys_store.cli import display

    asked = [name for name, given in (("--explain", explain), ("--import", import_), ("--remove", remove)) if given]
    if len(asked) > 1 or (asked and (report or against)):
        fail("one thing at a time: --explain, --import, --remove, or --report", 2)
    with open_store(store) as opened:
        if explain is not None:
            _explain(opened, explain, json=json)
        elif import_ is not None:
            done = opened.import_labels(import_, name=name, skip_unknown=skip_unknown)
            typer.echo(f"{done.name}: {done.matched:,} ids labelled, {done.unmatched:,} of no row in the store")
        elif remove is not None:
            typer.echo(f"{opened.remove_labels(remove).name} was taken back: its rows have their derived labels again")
        else:
            _report(opened, against, json=json)
            if stale := opened.status().stale_labels:
                display.note(f"{stale:,} rows have labels of an older version: run lmsys-store relabel")


def _explain(opened: "Store", key: str, *, json: bool) -> None:
    from lmsys_store.cli import display

    found, chat = by_id_or_row(opened.explain_labels, key), by_id_or_row(opened.get, key)
    if found is None or chat is None:
        fail(f"no chat {key!r} in the store; list some with: lmsys-store query", 1)
        return
    if json:
        value = {"labels": found.labels.model_dump(mode="json"), "rating": found.rating.model_dump(mode="json")}
        typer.echo(display.json_line(value | {"domain_words": found.domain_words, "task_words": found.task_words}))
    else:
        typer.echo(_explanation(found, chat))


def _explanation(found: "Explained", chat: "Conversation") -> str:
    from lmsys_store.cli import display

    labels, rating = found.labels, found.rating
    lines = [
        ("chat", f"{chat.conversation_id}, row {chat.row_index}"),
        ("domain", _choice(labels.domain, labels.domain_score, labels.second_domain, found.domain_words)),
        ("task", _choice(labels.task, labels.task_score, labels.second_task, found.task_words)),
        ("rating", f"{rating.value:.2f} (basis: {rating.basis}, confidence {rating.confidence:.2f})"),
    ]
    for one in rating.evidence:
        quoted = display.one_line(chat.messages[one.message].content[one.start : one.end], 60)
        lines.append(("", f"{one.weight:+.2f}  {one.id} about round {one.turn}{f': “{quoted}”' if quoted else ''}"))
    if not rating.evidence:
        lines.append(("", "nothing was found that says how the user was served"))
    lines.append(("tags", ", ".join(labels.tags or ()) or "none"))
    if labels.external:
        lines.append(("imported", labels.external))
    lines.append(("version", labels.version or "none"))
    return display.table(lines)


def _choice(name: str | None, score: float | None, second: str | None, words: tuple[str, ...]) -> str:
    from lmsys_store.cli import display

    also = f", or {second}" if second else ""
    because = f"; it speaks of: {', '.join(map(display.visible, words))}" if words else ""
    return f"{name} ({score:.2f}{also}){because}"


def _report(opened: "Store", against: Path | None, *, json: bool) -> None:
    from lmsys_store.cli import display
    from lmsys_store.labels.report import label_report

    found = label_report(chat.labels for chat in opened.select(fallback="cache"))
    compared = None if against is None else opened.label_agreement(against)
    if json:
        value: dict[str, Any] = found.model_dump()
        if compared is not None:
            value["against"] = [
                one.model_dump() | {"precision": one.precision, "recall": one.recall} for one in compared
            ]
        typer.echo(display.json_line(value))
        return
    typer.echo(_report_text(found))
    if compared is not None:
        typer.echo("\n" + _agreement_text(compared))


def _report_text(found: "LabelReport") -> str:
    from lmsys_store.cli import display

    rows: list[tuple[str, str, str]] = [("rows", f"{found.rows:,}", ""), ("rating rests on", "", "")]
    rows += _counted(found.bases, found.rows)
    for title in ("ratings", "signals", "domains", "tasks", "tags"):
        rows += [(title, "", ""), *_counted(getattr(found, title), found.rows)]
    return display.table(rows, right=[1, 2])


def _counted(counts: Mapping[str, int], rows: int) -> Iterable[tuple[str, str, str]]:
    for name, count in list(counts.items())[:_ROWS]:
        yield f"  {name}", f"{count:,}", f"{100 * count / rows:.1f} %" if rows else ""
    if len(counts) > _ROWS:
        yield f"  and {len(counts) - _ROWS} more", "", ""


def _agreement_text(compared: "list[Agreement]") -> str:
    from lmsys_store.cli import display

    rows = [("label", "derived", "outside", "both", "precision", "recall")]
    rows += [
        (one.label, f"{one.derived:,}", f"{one.outside:,}", f"{one.both:,}", _share(one.precision), _share(one.recall))
        for one in compared
    ]
    return display.table(rows, right=[1, 2, 3, 4, 5])


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
