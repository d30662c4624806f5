"""PromptLoop's calls as commands: JSON on stdin, one JSON value on stdout; a failure is one too, with exit code 1."""

import functools
import sys
from collections.abc import Callable
from typing import Annotated, Any, ParamSpec

import typer

from lmsys_store.cli import app
from lmsys_store.cli.options import StoreOption
from lmsys_store.errors import LmsysStoreError, QueryError

P = ParamSpec("P")

calls = typer.Typer(
    name="promptloop",
    help="PromptLoop's own calls: JSON on stdin, one JSON value on stdout.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    rich_markup_mode=None,
    no_args_is_help=True,
)
app.add_typer(calls)

CallDeadlineOption = Annotated[
    float, typer.Option("--deadline", min=0, metavar="SECONDS", help="Give what is there by then.")
]


def answering(call: Callable[P, object]) -> Callable[P, None]:
    """Print what a call gives as one JSON value; what it raises as ``{"error", "remedy"}``, with exit code 1."""

    @functools.wraps(call)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        from lmsys_store.cli.display import json_line

        try:
            answer = call(*args, **kwargs)
        except LmsysStoreError as error:
            what, _, remedy = str(error).rpartition("; ")
            typer.echo(json_line({"error": what or remedy, "remedy": remedy if what else ""}))
            raise typer.Exit(1) from None
        except OSError as error:
            what = f"{error.strerror or error}: {error.filename or 'no file'}"
            typer.echo(json_line({"error": what, "remedy": "name a store in a place you can write with --store"}))
            raise typer.Exit(1) from None
        typer.echo(json_line(answer))

    return run


@calls.command()
@answering
def fetch(store: StoreOption = None, deadline: CallDeadlineOption = 8.0) -> object:
    """Conversations of a query object: {domain, language, minRating, maxConversations, models, tags}."""
    from lmsys_store.promptloop import fetch_conversations

    return fetch_conversations(_object(), store=store, deadline=deadline)


@calls.command()
@answering
def convert(store: StoreOption = None) -> object:
    """Test cases of conversations: an array of them, or {conversations, targetDomain}."""
    from lmsys_store.promptloop import conversations_to_test_cases

    given = _given()
    asked = given if isinstance(given, dict) else {"conversations": given}
    conversations, domain = asked.get("conversations"), asked.get("targetDomain")
    if not isinstance(conversations, list) or not isinstance(domain, str | None):
        raise QueryError("these are no conversations; give an array of them, or {conversations, targetDomain}")
    return conversations_to_test_cases(conversations, domain, store=store)


@calls.command()
@answering
def cases(store: StoreOption = None, deadline: CallDeadlineOption = 8.0) -> object:
    """Test cases of a domain: {domain, count}."""
    from lmsys_store.promptloop import generate_domain_test_cases

    asked = _object()
    return generate_domain_test_cases(_domain(asked), asked.get("count", 10), store=store, deadline=deadline)


@calls.command()
@answering
def analyze(store: StoreOption = None, deadline: CallDeadlineOption = 8.0) -> object:
    """Patterns of a domain's conversations: {domain}."""
    from lmsys_store.promptloop import analyze_conversation_patterns

    return analyze_conversation_patterns(_domain(_object()), store=store, deadline=deadline)


def _domain(asked: dict[str, Any]) -> str:
    domain = asked.get("domain")
    if not isinstance(domain, str):
        raise QueryError('a domain is missing; give {"domain": "coding"}')
    return domain


def _object() -> dict[str, Any]:
    given = _given()
    if not isinstance(given, dict):
        raise QueryError("stdin is no JSON object; give one, as {} for no wishes")
    return given


def _given() -> Any:
    """The JSON value on stdin; nothing there is an empty object."""
    import json

    try:
        text = sys.stdin.read()
        return json.loads(text) if text.strip() else {}
    except ValueError:
        raise QueryError("stdin is not JSON; give one JSON value") from None
