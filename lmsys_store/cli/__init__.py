"""The command line. This module: the program, its exit codes and its one error boundary; imports nothing heavy.

Exit codes: 0 ok, 1 failure, 2 usage, 130 interrupted.
"""

import functools
import os
import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Annotated, Final, ParamSpec

import typer

from lmsys_store import __version__
from lmsys_store.errors import LmsysStoreError, QueryError

P = ParamSpec("P")

app = typer.Typer(
    name="lmsys-store",
    help="A local store for real LLM conversations: stream once, keep, query offline.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
_debug = False


def boundary(command: Callable[P, None]) -> Callable[P, None]:
    """Turn what a command raises into one line and an exit code; ``--debug`` lets the traceback through."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
            sys.stdout.flush()
        except KeyboardInterrupt:
            fail("interrupted; what was stored is kept, run the same again to go on", 130)
        except BrokenPipeError:
            _leave_quietly()
        except QueryError as error:
            fail(str(error), 2, error)
        except LmsysStoreError as error:
            fail(str(error), 1, error)
        except OSError as error:
            fail(f"{error.strerror or error}: {error.filename or 'no file'}", 1, error)
        except typer.Exit:
            raise
        except Exception as error:
            if not _debug:
                # Not its message: whoever wrote it did not promise that it quotes no chat.
                fail(f"unexpected {type(error).__name__}; run lmsys-store --debug … for the traceback", 1)
            raise

    return run


def fail(message: str, code: int, error: BaseException | None = None) -> None:
    """Say why on stderr and leave; with ``--debug`` raise the error itself."""
    if _debug and error is not None:
        raise error
    typer.echo(f"lmsys-store: {message}", err=True)
    raise typer.Exit(code)


def _leave_quietly() -> None:
    """The reader of the pipe is gone (``| head``): so is our reason to run. Python must not flush into it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise typer.Exit(0)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _program(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    global _debug
    _debug = debug
    if context.invoked_subcommand is None:
        from lmsys_store.cli.commands import overview

        boundary(overview)()


_HOMES: Final = {
    "sync": "syncing", "relabel": "labelling", "duplicates": "labelling", "labels": "labelling", "analyze": "analyzing",
    "testcases": "cases", "formats": "cases", "promptloop": "promptloop",
    **dict.fromkeys(("status", "query", "show", "count", "export", "check", "purge"), "commands"),
}  # fmt: skip
"""Where a command is."""
_MODULES: Final = ("syncing", "commands", "labelling", "analyzing", "cases", "promptloop")
"""All of them, in the order of --help."""


def main() -> None:
    """The entry point of ``lmsys-store``."""
    named = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    # A command is registered by its module, and each option costs time to set up: who asks for one needs no other.
    for module in (_HOMES[named],) if named in _HOMES else _MODULES:
        import_module(f"lmsys_store.cli.{module}")
    warnings.showwarning = lambda message, *_: typer.echo(f"warning: {message}", err=True)
    app()
