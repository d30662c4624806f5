"""The commands that write test cases in the formats of test tools, and that list these formats."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from lmsys_store.cli import app, boundary, fail
from lmsys_store.cli.options import (
    DeadlineOption,
    FallbackOption,
    ForceOption,
    JsonOption,
    LimitOption,
    ResumeOption,
    StoreOption,
    far_of,
    open_store,
    with_filters,
)
from lmsys_store.cli.reading import tell_next, with_operations

if TYPE_CHECKING:
    from lmsys_store.blocking import Store
    from lmsys_store.cli.reading import Operate
    from lmsys_store.convert.export import CasesReport
    from lmsys_store.funnel import Step

_STDOUT: Final = "-"


@app.command()
@boundary
@with_filters
@with_operations()
def testcases(
    filters: dict[str, Any],
    operate: "Operate",
    format: Annotated[
        str, typer.Option("--format", metavar="NAME", help="One of those that lmsys-store formats lists.")
    ] = "promptloop",
    outputs: Annotated[
        Literal["blank", "reference_after", "reference_before", "correction_pair"],
        typer.Option("--outputs", help="What stands as the outputs before and after."),
    ] = "blank",
    rounds: Annotated[
        Literal["first_turn", "every_turn", "last_turn", "full_replay"],
        typer.Option("--rounds", help="Which rounds of a chat become cases."),
    ] = "first_turn",
    keep_duplicates: Annotated[
        bool, typer.Option("--keep-duplicates", help="Of chats with equal first prompts take all, not only the first.")
    ] = False,
    include_flagged: Annotated[
        bool, typer.Option("--include-flagged", help="Take chats too that moderation flagged.")
    ] = False,
    scrub: Annotated[
        bool, typer.Option("--scrub/--no-scrub", help="Replace e-mails, phones, cards, IP addresses, keys.")
    ] = True,
    min_input_chars: Annotated[
        int | None, typer.Option("--min-input-chars", min=0, metavar="N", help="Inputs of N characters or more.")
    ] = None,
    max_input_chars: Annotated[
        int | None, typer.Option("--max-input-chars", min=0, metavar="N", help="Inputs of N characters or less.")
    ] = None,
    store: StoreOption = None,
    limit: LimitOption = None,
    resume: ResumeOption = None,
    fallback: FallbackOption = None,
    deadline: DeadlineOption = None,
    json: JsonOption = False,
    output: Annotated[
        str, typer.Option("--output", metavar="FILE", help="Where to; - is stdout. A manifest goes beside a file.")
    ] = _STDOUT,
    force: ForceOption = False,
) -> None:
    """Write test cases of the chats that match, for test tools: promptfoo, DeepEval, Inspect, LangSmith, DSPy, …"""
    from lmsys_store.cli import display
    from lmsys_store.convert.cases import to_test_cases
    from lmsys_store.convert.export import write_cases
    from lmsys_store.convert.formats import format_named
    from lmsys_store.query import CLEAR_DOMAIN

    path = None if output == _STDOUT else Path(output)
    if json and path is None:
        fail("--json reports on a file: name one with --output FILE", 2)
    format_named(format)  # before a store is opened for an unknown one
    far = far_of(fallback)
    if "domain" in filters:
        filters.setdefault("min_domain_score", CLEAR_DOMAIN)
    converter = to_test_cases(
        outputs=outputs, turns=rounds, distinct=None if keep_duplicates else "prompt", include_flagged=include_flagged,
        scrub=scrub, min_chars=min_input_chars, max_chars=max_input_chars,
    )  # fmt: skip
    with open_store(store, far) as opened, _written_bar() as tell:
        selected = opened.select(resume=resume, fallback=far, deadline=deadline, **filters)
        results = operate(selected, limit)
        report = write_cases(
            results.convert(converter),
            path,
            format=format,
            force=force,
            before=lambda: _steps(opened, filters),
            on_written=tell,
        )
    display.notes(report.notes)
    tell_next(results)
    if json:
        typer.echo(display.json_line(_shape(report)))
    else:
        _tell(report, filters)


def _steps(store: "Store", filters: Mapping[str, Any]) -> "list[Step]":
    """How many rows the store holds, and how many each further filter leaves of them."""
    from lmsys_store.funnel import Step
    from lmsys_store.query import Query

    def held(query: Query) -> int:
        return store.select(query, fallback="cache").count()

    steps, given = [Step(held(Query()), "stored")], dict[str, Any]()
    for name, value in filters.items():
        before, given = Query.of(**given), {**given, name: value}
        query = Query.of(**given)
        if query != before:
            sure = name == "min_domain_score"
            words = f"domain_score >= {value}" if sure else str(Query.of(**{name: value}))
            steps.append(Step(held(query), f"with {words}"))
    return steps


def _tell(report: "CasesReport", filters: Mapping[str, Any]) -> None:
    from lmsys_store.cli import display

    say = typer.echo if report.path is not None else display.note
    if report.path is not None:
        say(f"{report.cases:,} cases written to {report.path}, and what they are made of to {report.manifest_path}")
    say(str(report.funnel))
    if report.scrubbed:
        say("replaced: " + ", ".join(f"{count:,} {kind}" for kind, count in report.scrubbed.items()))
    if not report.cases:
        display.note(_hint(report, filters))
    elif report.manifest["licence"]:
        display.note(f"licence: {report.manifest['licence']}")


def _hint(report: "CasesReport", filters: Mapping[str, Any]) -> str:
    """What removed everything, and what to do."""
    step = next(step for step in report.funnel.steps if not step.count)
    if step.name == "stored":
        return "the store is empty: fill it with lmsys-store sync"
    if step.name == "with a reply":
        return "no chat has a reply: take --outputs blank"
    if step.name == "not flagged":
        return "moderation flagged every chat: --include-flagged takes them too"
    if step.name == "corrected":
        return "no reply was corrected by the user and answered again: take other --outputs"
    return f"nothing was left {step.name}: leave that out, or widen it" + (
        "" if filters else "; lmsys-store status says what the store holds"
    )


def _shape(report: "CasesReport") -> dict[str, Any]:
    """The stable shape of ``testcases --json``."""
    return {
        "path": str(report.path),
        "manifest": str(report.manifest_path),
        "format": report.format,
        "cases": report.cases,
        "funnel": report.manifest["funnel"],
        "scrubbed": dict(report.scrubbed),
        "origins": dict(report.origins),
        "complete": report.complete,
    }


@contextmanager
def _written_bar() -> "Iterator[Callable[[int], None] | None]":
    """A live count of cases written; None when stderr is not a terminal."""
    from lmsys_store.cli import display

    with display.count_bar("writing") as show:
        yield None if show is None else lambda written: show(written, None)


@app.command()
@boundary
def formats(json: JsonOption = False) -> None:
    """The formats of test cases, and what each is for."""
    from lmsys_store.cli import display
    from lmsys_store.convert.formats import known_formats

    known = known_formats()
    if json:
        typer.echo(
            display.json_line([{"name": one.name, "extension": one.extension, "purpose": one.purpose} for one in known])
        )
    else:
        typer.echo(display.table([(one.name, one.extension, one.purpose) for one in known]))
