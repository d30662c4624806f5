"""The command ``analyze``: patterns of the chats that match, at the terminal, as JSON or Markdown, or as a page for people."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from lmsys_store.cli import app, boundary, fail
from lmsys_store.cli.options import (
    DeadlineOption,
    FallbackOption,
    ForceOption,
    JsonOption,
    LimitOption,
    StoreOption,
    open_store,
    with_filters,
)
from lmsys_store.errors import QueryError

if TYPE_CHECKING:
    from rich.console import Console

    from lmsys_store.analyze.comparing import Comparison
    from lmsys_store.analyze.evidence import Association, Structure
    from lmsys_store.analyze.report import PatternReport
    from lmsys_store.blocking import Store
    from lmsys_store.settings import Fallback

_FINDINGS: Final = 6
_COMPARED: Final = ("model", "language", "domain", "task", "tag", "flagged", "redacted")
_YES_OR_NO: Final = {"true": True, "yes": True, "false": False, "no": False}
_Reading = tuple["Fallback", float | None, int | None, int]


@app.command()
@boundary
@with_filters
def analyze(
    filters: dict[str, Any],
    compare: Annotated[
        list[str] | None,
        typer.Option(
            "--compare", metavar="FIELD=VALUE", help="Against the same filters with this one changed; repeatable."
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Write an HTML page that needs nothing else.")
    ] = None,
    no_examples: Annotated[
        bool, typer.Option("--no-examples", help="No text of a chat but single words: what may be passed on.")
    ] = False,
    json: JsonOption = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Make the analyses of all domains that the store keeps for look-up.")
    ] = False,
    processes: Annotated[int, typer.Option("--processes", min=1, metavar="N", help="Share the work among N.")] = 1,
    limit: LimitOption = None,
    fallback: FallbackOption = "cache",
    deadline: DeadlineOption = None,
    force: ForceOption = False,
    store: StoreOption = None,
) -> None:
    """Find what prompts have in common and what goes with success or failure, each with its evidence."""
    from lmsys_store.cli import display

    if json and markdown:
        fail("one of --json and --markdown", 2)
    if report is not None and report.exists() and not force:
        fail(f"{report} exists; replace it with --force, or name another file", 1)
    reading: _Reading = (fallback or "cache", deadline, limit, processes)
    with open_store(store, fallback or "cache") as opened:
        if keep:
            _keep(opened)
            return
        found = _found(opened, filters, reading)
        other = _found(opened, _changed(filters, compare), reading) if compare else None
    if no_examples:
        found = found.without_examples()
    compared = None if other is None else _compared(found, other)
    if report is not None:
        _write(report, found, compared)
        display.note(f"{report} is written")
    if json:
        typer.echo(display.json_line(_json(found, compared, texts=not no_examples)))
    elif markdown:
        from lmsys_store.analyze.markdown import markdown as as_markdown

        typer.echo(as_markdown(found, compared))
    else:
        _print(found, compared)


def _keep(opened: "Store") -> None:
    from lmsys_store.insights import keep_analyses

    opened.run(keep_analyses)
    typer.echo("the analyses of all domains are kept in the store, as of its rows now")


def _found(opened: "Store", filters: dict[str, Any], reading: _Reading) -> "PatternReport":
    """The report of some rows; of a domain backed by the rows outside it that the other filters allow."""
    from lmsys_store.analyze.report import ALL_ROWS

    found = _folded(opened, filters, reading, _level(filters))
    wider = {name: value for name, value in filters.items() if name != "domain"}
    if wider == filters or not found.untested:
        return found
    return found.backed_by(_folded(opened, wider, reading, _level(wider) if wider else ALL_ROWS))


def _folded(opened: "Store", filters: dict[str, Any], reading: _Reading, level: str) -> "PatternReport":
    from lmsys_store.analyze.patterns import Patterns
    from lmsys_store.cli import display

    fallback, deadline, limit, processes = reading
    results = opened.select(fallback=fallback, deadline=deadline, **filters)
    if limit is not None:
        results = results.limit(limit)
    report = results.fold(Patterns(level), processes=processes)
    display.notes(results.notes)
    return report


def _level(filters: dict[str, Any]) -> str:
    """What the rows are called: the value of a single filter of one value, else the filters in words."""
    from lmsys_store.analyze.report import ALL_ROWS
    from lmsys_store.query import Query

    if not filters:
        return ALL_ROWS
    values = [value[0] if isinstance(value, list) and len(value) == 1 else value for value in filters.values()]
    if len(values) == 1 and isinstance(values[0], str) and "search" not in filters:
        return values[0]
    return str(Query.of(**filters))


def _changed(filters: dict[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    changed = dict(filters)
    for change in changes:
        name, sign, value = change.partition("=")
        name = name.strip().replace("-", "_")
        if not sign or name not in _COMPARED:
            raise QueryError(f"--compare needs FIELD=VALUE with one of {', '.join(_COMPARED)}, not {change!r}")
        if name in ("flagged", "redacted"):
            if value.casefold() not in _YES_OR_NO:
                raise QueryError(f"--compare {name}=yes or {name}=no, not {value!r}")
            changed[name] = _YES_OR_NO[value.casefold()]
        else:
            changed[name] = [value]
    return changed


def _compared(found: "PatternReport", other: "PatternReport") -> "Comparison":
    from lmsys_store.analyze.comparing import compare

    return compare(found, other)


def _write(path: Path, found: "PatternReport", compared: "Comparison | None") -> None:
    from lmsys_store.analyze.html import write_html
    from lmsys_store.analyze.page import page

    write_html(page(found, compared), path, replace=True)


def _json(found: "PatternReport", compared: "Comparison | None", *, texts: bool) -> dict[str, Any]:
    value = found.model_dump(mode="json")
    value |= {
        "successful_patterns": [str(one) for one in found.successful_patterns],
        "failure_indicators": [str(one) for one in found.failure_indicators],
        "recommended_structure": [slot.model_dump(mode="json") for slot in found.recommended_structure],
    }
    if texts:
        value["promptloop"] = found.to_promptloop()
    if compared is not None:
        value["comparison"] = compared.model_dump(mode="json")
    return value


# ------------------------------------------------------------------------------------------------- the terminal


def _print(found: "PatternReport", compared: "Comparison | None") -> None:
    from rich.console import Console

    from lmsys_store.analyze.wording import percent, sentence

    console = Console(highlight=False, soft_wrap=False)
    _line(console, f"Patterns in {found.level}", "bold")
    _line(
        console,
        f"{found.rows:,} rows, {found.prompts} different first prompts, {percent(found.duplicates)} duplicates; "
        f"{percent(found.no_evidence)} of the ratings rest on nothing",
    )
    if compared is not None:
        title = f"{compared.one} ({compared.rows:,} rows) against {compared.other} ({compared.other_rows:,})"
        words = [
            f"words of {name}: {', '.join(one.word for one in words)}"
            for name, words in ((compared.one, compared.words), (compared.other, compared.other_words))
            if words
        ]
        _lines(console, title, [*map(str, compared.outcomes), *map(str, compared.shares[:_FINDINGS]), *words])
    slots = [slot.instruction for slot in found.recommended_structure]
    _lines(console, "Recommended structure", [sentence(slots)] if slots else ["no part of a prompt passed"], "green")
    _findings(console, "Goes with success", found.successful_patterns, "green")
    _findings(console, "Goes with failure", found.failure_indicators, "red")
    _lines(console, "How often", map(str, (one for one in found.outcomes if one.of)))
    for title, kind in (
        ("Kinds of questions", "question kind"),
        ("Verbs and objects", "verb and object"),
        ("Templates", "template"),
    ):
        _bars(console, title, found.structures(kind)[:_FINDINGS])
    _lines(console, "Missing", found.missing)
    _lines(console, "Caveats", found.caveats)


def _line(console: "Console", text: str, style: str = "", indent: int = 0) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from lmsys_store.cli import display

    console.print(Padding(Text(display.visible(text), style=style), (0, 0, 0, indent)))


def _lines(console: "Console", title: str, lines: Iterable[str], style: str = "") -> None:
    shown = list(lines)
    if not shown:
        return
    console.print()
    _line(console, title, "bold")
    for line in shown:
        _line(console, line, style, indent=2)


def _findings(console: "Console", title: str, found: "Sequence[Association]", style: str) -> None:
    more = [f"and {len(found) - _FINDINGS} more: --json has all"] if len(found) > _FINDINGS else []
    _lines(console, title, [*map(str, found[:_FINDINGS]), *more], style)


def _bars(console: "Console", title: str, found: "Sequence[Structure]") -> None:
    from rich.bar import Bar
    from rich.table import Table
    from rich.text import Text

    from lmsys_store.cli import display

    if not found:
        return
    table = Table(box=None, show_header=False, padding=(0, 1), title=title, title_justify="left", title_style="bold")
    table.add_column(max_width=54)
    table.add_column(justify="right")
    table.add_column(min_width=10, max_width=24)
    for one in found:
        name = Text(display.one_line(one.name.removeprefix("a prompt that "), 54))
        table.add_row(name, f"{one.rows:,}", Bar(found[0].share, 0, one.share, width=24))
    console.print()
    console.print(table)
