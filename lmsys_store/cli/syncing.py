"""``lmsys-store sync``: its options, its plan and what it says at the end. Imports inside, so that --help stays quick."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from lmsys_store.cli import app, boundary, fail
from lmsys_store.cli.options import JsonOption, LimitOption, StoreOption, with_filters

if TYPE_CHECKING:
    from lmsys_store.ingest import SyncReport
    from lmsys_store.settings import Settings


@app.command()
@boundary
@with_filters
def sync(
    filters: dict[str, Any],
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH...]", help="Parquet or JSON Lines: files, directories, globs. None: the remote."),
    ] = None,
    mock: Annotated[bool, typer.Option("--mock", help="Take the bundled mock seeds, to try things out.")] = False,
    store: StoreOption = None,
    dataset: Annotated[
        str | None, typer.Option("--dataset", metavar="NAME", help="The data set's name, if the path does not say it.")
    ] = None,
    limit: LimitOption = None,
    index_replies: Annotated[
        bool, typer.Option("--index-replies", help="On a store's first sync: make replies searchable too.")
    ] = False,
    on_invalid: Annotated[
        Literal["keep", "raise"], typer.Option("--on-invalid", help="Set invalid rows aside, or stop at the first.")
    ] = "keep",
    restart: Annotated[
        bool, typer.Option("--restart", help="Empty the store first, to fill it anew at the source's revision.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan, and do nothing.")] = False,
    concurrency: Annotated[
        int | None, typer.Option("--concurrency", min=1, metavar="N", help="Requests in flight, at most (4).")
    ] = None,
    max_rate: Annotated[
        float | None, typer.Option("--max-rate", min=0.001, metavar="R", help="Requests a second, at most.")
    ] = None,
    wait: Annotated[
        float, typer.Option("--wait", min=0, metavar="SECONDS", help="Wait for another sync of this store.")
    ] = 0.0,
    json: JsonOption = False,
) -> None:
    """Fill the store: store what it lacks of the files, or of the remote, page by page. Run again to go on."""
    from lmsys_store.blocking import Store
    from lmsys_store.cli import display
    from lmsys_store.query import Query
    from lmsys_store.sources.mock import seeds

    if paths and mock:
        fail("sync takes files (sync PATH...) or --mock for the bundled seeds, not both", 2)
    sources: list[Any] = [seeds] if mock else list(paths or ())
    settings = _settings(None if sources else dataset, concurrency, max_rate)
    with Store(store, settings=settings) as opened, display.progress_bar("syncing") as show:
        report = opened.sync(
            *sources,
            query=Query.of(**filters) if filters else None,
            dataset=dataset,
            limit=limit,
            index_replies=index_replies,
            on_invalid=on_invalid,
            restart=restart,
            dry_run=dry_run,
            on_plan=lambda plan: display.notes(display.plan_lines(plan)) if dry_run or not sources else None,
            on_progress=show,
            wait=wait,
        )
        path = opened.path
    display.notes(report.notes)
    if json:
        typer.echo(display.json_line(_report_shape(report)))
    elif dry_run:
        typer.echo("nothing was fetched: leave --dry-run out to carry the plan out")
    else:
        typer.echo("\n".join(_report_lines(report, path)))


def _settings(dataset: str | None, concurrency: int | None, max_rate: float | None) -> "Settings":
    from lmsys_store.settings import Settings

    given = {"dataset": dataset, "concurrency": concurrency, "max_rate": max_rate}
    return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]


def _report_shape(report: "SyncReport") -> dict[str, Any]:
    """The stable shape of ``sync --json``."""
    values = asdict(report)
    names = ("rows_added", "rows_rejected", "rows_skipped", "turn_mismatches", "seconds", "requests")
    return {name: values[name] for name in names} | {"bytes": report.byte_count, "complete": report.complete}


def _report_lines(report: "SyncReport", path: Path) -> list[str]:
    rate = f" ({report.rows_added / report.seconds:,.0f} rows/s)" if report.rows_added else ""
    why = ["why rows were rejected: lmsys-store status"] if report.rows_rejected else []
    return [
        f"{report.rows_added:,} rows added, {report.rows_rejected:,} rejected, {report.rows_skipped:,} held already, "
        f"in {report.seconds:.1f} s{rate}",
        *why,
        f"{'complete' if report.complete else 'not complete'}: {path}",
    ]
