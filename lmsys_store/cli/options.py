"""The options that several commands share: filters, which become a Query, and the store's path."""

import functools
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar

import typer

from lmsys_store.errors import QueryError
from lmsys_store.settings import Fallback

if TYPE_CHECKING:
    from lmsys_store.blocking import Store

T = TypeVar("T")

StoreOption = Annotated[
    Path | None,
    typer.Option("--store", metavar="PATH", help="The store file; default: $LMSYS_STORE_PATH or the user's cache."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
LimitOption = Annotated[int | None, typer.Option("--limit", min=0, metavar="N", help="At most N rows.")]
ResumeOption = Annotated[
    str | None, typer.Option("--resume", metavar="TOKEN", help="Go on after the row that the token was printed for.")
]
OutputOption = Annotated[
    Path | None, typer.Option("--output", metavar="FILE", help="Write to a file instead of stdout.")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace the output file if it exists.")]

FallbackOption = Annotated[
    Literal["cache", "remote", "mock"] | None,
    typer.Option("--fallback", help="How far to go for rows: the store, then the remote, then the mock seeds."),
]
DeadlineOption = Annotated[
    float | None, typer.Option("--deadline", min=0, metavar="SECONDS", help="Time for the remote, at most.")
]

_FILTERS: Final[dict[str, Any]] = {
    "model": Annotated[
        list[str] | None, typer.Option("--model", metavar="NAME", help="Any of these models; repeatable.")
    ],
    "language": Annotated[
        list[str] | None, typer.Option("--language", metavar="NAME", help="Name or code, as German or de; repeatable.")
    ],
    "domain": Annotated[
        list[str] | None, typer.Option("--domain", metavar="NAME", help="Any of these domains; repeatable.")
    ],
    "min_domain_score": Annotated[
        float | None,
        typer.Option(
            "--min-domain-score",
            min=0,
            max=1,
            metavar="S",
            help="With --domain: how sure the domain is, 0 to 1; 0: any.",
        ),
    ],
    "task": Annotated[list[str] | None, typer.Option("--task", metavar="NAME", help="Any of these tasks; repeatable.")],
    "tag": Annotated[list[str] | None, typer.Option("--tag", metavar="NAME", help="All of these tags; repeatable.")],
    "conversation_id": Annotated[
        list[str] | None, typer.Option("--id", metavar="ID", help="Any of these conversation ids; repeatable.")
    ],
    "min_rating": Annotated[
        float | None, typer.Option("--min-rating", metavar="R", help="Rated R or more (to 3: or unrated).")
    ],
    "max_rating": Annotated[float | None, typer.Option("--max-rating", metavar="R", help="Rated R or less.")],
    "turns": Annotated[str | None, typer.Option("--turns", metavar="A..B", help="Rounds: 3, 2..5, 2.. or ..5.")],
    "flagged": Annotated[
        bool | None, typer.Option("--flagged/--no-flagged", help="Flagged by moderation in any message.")
    ],
    "redacted": Annotated[
        bool | None, typer.Option("--redacted/--no-redacted", help="Names were replaced by NAME_1, …")
    ],
    "moderation_category": Annotated[
        list[str] | None, typer.Option("--moderation", metavar="CATEGORY", help="True for any message; repeatable.")
    ],
    "min_prompt_chars": Annotated[
        int | None, typer.Option("--min-prompt-chars", metavar="N", help="User text of N or more.")
    ],
    "max_prompt_chars": Annotated[
        int | None, typer.Option("--max-prompt-chars", metavar="N", help="User text of N or less.")
    ],
    "search": Annotated[
        str | None,
        typer.Option("--search", metavar="WORDS", help='Words, "a phrase", prefix* and -not, in user messages.'),
    ],
}


def far_of(given: Fallback | None) -> Fallback:
    """How far a command goes for rows: as given, else as set."""
    from lmsys_store.settings import Settings

    return Settings().fallback if given is None else given


def open_store(path: Path | None, fallback: Fallback = "cache") -> "Store":
    """The store; one that is not there is made only to keep what a remote delivers."""
    from lmsys_store.blocking import Store

    return Store(path, create=fallback != "cache")


def by_id_or_row(find: Callable[[str | int], T | None], key: str) -> T | None:
    """What a conversation id finds, or else a row number that could be one."""
    found = find(key)
    return find(int(key)) if found is None and key.isdecimal() and len(key) < _ROW_DIGITS else found


_ROW_DIGITS: Final = 19
"""From so many digits on a number may be beyond 64 bits."""


def with_filters(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command all filter options; it receives them as one ``filters`` dictionary of those that were given."""

    @functools.wraps(command)
    def run(**options: Any) -> None:
        given = {name: options.pop(name) for name in _FILTERS}
        filters = {name: value for name, value in given.items() if value is not None and value != []}
        if "turns" in filters:
            filters["turns"] = turns(filters["turns"])
        command(filters=filters, **options)

    own = [parameter for parameter in inspect.signature(command).parameters.values() if parameter.name != "filters"]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in _FILTERS.items()
    ]
    run.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *shared]}
    return run


def turns(text: str) -> int | tuple[int | None, int | None]:
    """``3``, ``2..5``, ``2..`` or ``..5``.

    >>> turns("3"), turns("2..5"), turns("..5")
    (3, (2, 5), (None, 5))
    """
    match = re.fullmatch(r"(?P<one>\d+)|(?P<low>\d*)\.\.(?P<high>\d*)", text.strip())
    if match is None or text.strip() == "..":
        raise QueryError(f"--turns needs 3, 2..5, 2.. or ..5, not {text!r}")
    if match["one"]:
        return int(match["one"])
    return tuple(int(end) if end else None for end in (match["low"], match["high"]))  # type: ignore[return-value]
