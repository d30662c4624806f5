"""What the commands that read rows share: the options that order and choose them, and the token of a run that stopped."""

import functools
import inspect
import re
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Protocol

import typer

from lmsys_store.errors import QueryError

if TYPE_CHECKING:
    from lmsys_store.blocking import Results
    from lmsys_store.records import Conversation

_OPTIONS: Final[dict[str, Any]] = {
    "order_by": Annotated[str | None, typer.Option("--order-by", metavar="FIELD", help="In the order of a field.")],
    "descending": Annotated[bool | None, typer.Option("--descending", help="With --order-by: the highest first.")],
    "shuffle": Annotated[
        int | None, typer.Option("--shuffle", metavar="SEED", help="In an order that the seed says, the same anywhere.")
    ],
    "sample": Annotated[int | None, typer.Option("--sample", min=0, metavar="N", help="N rows drawn by --seed.")],
    "seed": Annotated[int | None, typer.Option("--seed", metavar="SEED", help="Of the sample (default 0).")],
    "by": Annotated[list[str] | None, typer.Option("--by", metavar="FIELD", help="Strata of the sample; repeatable.")],
    "per_family": Annotated[
        int | None, typer.Option("--per-family", min=1, metavar="K", help="At most K of one template in the sample.")
    ],
    "allocation": Annotated[
        Literal["proportional", "equal", "sqrt"] | None,
        typer.Option("--allocation", help="What each stratum gives (default proportional)."),
    ],
    "distinct": Annotated[
        Literal["prompt", "family"] | None, typer.Option("--distinct", help="One row of each prompt, or template.")
    ],
    "split": Annotated[
        Literal["train", "dev", "test"] | None, typer.Option("--split", help="80, 10 and 10 %, by whole templates.")
    ],
    "shard": Annotated[
        str | None, typer.Option("--shard", metavar="I/N", help="Worker I's rows out of N workers, from 0/N.")
    ],
}
PARTS: Final = ("distinct", "split", "shard")
"""The operations that choose among rows, and leave their order."""
_OF_SAMPLE: Final = ("seed", "by", "per_family", "allocation")


def with_operations(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command these options, by default all; it receives a function ``operate`` that does them to results."""
    options = {name: annotation for name, annotation in _OPTIONS.items() if not names or name in names}

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(**given: Any) -> None:
            chosen = {name: given.pop(name) for name in options}
            operations = {name: value for name, value in chosen.items() if value is not None and value != []}
            command(operate=functools.partial(operated, given=operations), **given)

        own = [one for one in inspect.signature(command).parameters.values() if one.name != "operate"]
        shared = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
            for name, annotation in options.items()
        ]
        run.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *shared]}
        return run

    return decorate


def operated(results: "Results", limit: int | None = None, *, given: Mapping[str, Any]) -> "Results":
    """The results after the operations of a command line, and a limit.

    Raises:
        QueryError: an option that says nothing without another, or operations that exclude each other.
    """
    for names, needed in ((_OF_SAMPLE, "sample"), (("descending",), "order_by")):
        if needed not in given and (idle := [name for name in names if name in given]):
            raise QueryError(f"{_option(idle[0])} says how to {needed.replace('_', ' ')}: give {_option(needed)} too")
    if "order_by" in given:
        results = results.order_by(given["order_by"], descending=given.get("descending", False))
    if "shuffle" in given:
        results = results.shuffle(given["shuffle"])
    if "sample" in given:
        how = {"seed": 0} | {name: given[name] for name in _OF_SAMPLE if name in given}
        results = results.sample(given["sample"], **how)
    if "distinct" in given:
        results = results.distinct(given["distinct"])
    if "split" in given:
        results = results.split(given["split"])
    if "shard" in given:
        results = results.shard(*shard(given["shard"]))
    return results if limit is None else results.limit(limit)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def shard(text: str) -> tuple[int, int]:
    """``0/4`` to ``3/4``.

    >>> shard("3/4")
    (3, 4)
    """
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text.strip())
    if match is None:
        raise QueryError(f"--shard needs I/N, as 0/4 to 3/4, not {text!r}")
    return int(match[1]), int(match[2])


class Operate(Protocol):
    """What a command gets: it does the operations that were given to results, and a limit."""

    def __call__(self, results: "Results", limit: int | None = None) -> "Results":
        """The results after them."""


class Told:
    """Rows that are printed as they come, and how many were printed whole: no interruption cuts a line, or loses one."""

    def __init__(self, results: "Results") -> None:
        self._results = results
        self._done = 0
        self._printing = self._interrupted = False

    def __iter__(self) -> "Iterator[Conversation]":
        for chat in self._results:
            self._printing = True
            yield chat
            self._done += 1
            self._printing = False
            if self._interrupted:
                raise KeyboardInterrupt

    def interrupt(self, _signal: int, _frame: object) -> None:
        """Stop at once while rows are waited for, else after the line that is being printed; the second time at once."""
        if not self._printing or self._interrupted:
            raise KeyboardInterrupt
        self._interrupted = True

    def stopped(self) -> None:
        """Say on stderr how to go on after the last row that was printed whole."""
        from lmsys_store.cli import display

        if sum(self._results.origins.values()) > self._done:
            self._results.put_back()
        if self._results.token is not None:
            display.note(f"go on after the last row: the same with --resume {self._results.token}")


@contextmanager
def told(results: "Results") -> Iterator[Told]:
    """Rows to be printed; whoever interrupts them gets the token to go on with."""
    rows = Told(results)
    before = signal.signal(signal.SIGINT, rows.interrupt)
    try:
        yield rows
    except KeyboardInterrupt:
        rows.stopped()
        raise
    finally:
        signal.signal(signal.SIGINT, before)


def tell_next(results: "Results") -> None:
    """Say on stderr how to get the next rows, if a limit was reached."""
    from lmsys_store.cli import display
    from lmsys_store.position import Position

    limit, token = results.selection.operations.limit, results.token
    if limit and token is not None and Position.of_token(token).count >= limit:
        display.note(f"to go on with the next {limit:,} add --resume {results.next_token}")
