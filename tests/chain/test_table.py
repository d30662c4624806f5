"""What contract C5 promises of every fallback, state of the store and state of the remote; derived here from its rules."""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lmsys_store import Conversation, Query, fields
from lmsys_store.errors import (
    IncompleteResultError,
    LmsysStoreError,
    RemoteUnavailableError,
    RevisionChangedError,
    TokenMissingError,
)
from lmsys_store.labelling import Labelling
from lmsys_store.phases import MockRowsWarning, seed_conversations
from lmsys_store.settings import Fallback, Settings
from tests.chain.conftest import ROWS, SPANS, Stores
from tests.chain.stores import FILTERED, OTHER, SCANNED, in_chain_order, matching, store_of
from tests.standin import Script, StandIn, rule
from tests.standin.faults import html

pytestmark = pytest.mark.anyio

FALLBACKS: tuple[Fallback, ...] = ("cache", "remote", "mock")
CACHES = tuple(SPANS)
REMOTES = ("up", "no access", "down", "slow", "other revision")
QUERIES = {
    "all rows": Query(),
    "filtered": FILTERED,
    "none stored": Query().where(fields.row_index < 60),
}
DEADLINE = 0.15
FAILURES: dict[str, type[LmsysStoreError]] = {
    "no access": TokenMissingError,
    "down": RemoteUnavailableError,
    "other revision": RevisionChangedError,
}


def stand_in(remote: str) -> StandIn:
    """A remote in one of its states."""
    rules = [rule(html(503), times=None)] if remote == "down" else []
    slow = 5.0 if remote == "slow" else 0.0
    return StandIn(
        ROWS, page_seconds=slow, revision=OTHER if remote == "other revision" else "a" * 40, script=Script(*rules)
    )


@dataclass
class Outcome:
    """How a select ended; what a note must say is only known of what is expected."""

    rows: list[int]
    origins: dict[str, int]
    complete: bool | None
    error: type[LmsysStoreError] | None = None
    warned: bool = False
    asked: bool = False
    notes: Sequence[str] = field(default=(), compare=False)


def expected(
    fallback: Fallback,
    cache: str,
    remote: str,
    query: Query,
    chats: Sequence[Conversation],
    seeds: Sequence[Conversation],
) -> Outcome:
    """C5, rule by rule."""
    order = in_chain_order(chats, query, *SPANS[cache])
    stored = [number for number in order if any(start <= number < stop for start, stop in SPANS[cache])]
    held = {"cache": len(stored)} if stored else {}
    if cache == "complete":  # (1) coverage promises that these are all
        return Outcome(order, held, True)
    if fallback == "cache":  # nothing more is allowed; of an empty store not even the size of the split is known
        return Outcome(stored, held, None if cache == "empty" else False)
    if remote == "up" or (remote == "other revision" and cache == "empty"):  # (2); an empty store has no revision yet
        fetched = {"remote": len(order) - len(stored)} if len(order) > len(stored) else {}
        return Outcome(order, held | fetched, True, asked=True)
    if stored:  # real rows were yielded: the iteration ends with them, and says that it is not complete
        return Outcome(stored, held, False, asked=True)
    if remote == "slow":  # the deadline ends the iteration normally, with what there is
        return Outcome([], {}, False, asked=True)
    if fallback == "remote" or remote == "other revision":  # never mock where the remote answered
        return Outcome([], {}, None, FAILURES[remote], asked=True)
    mock = matching(seeds, query)  # (3)
    return Outcome(mock, {"mock": len(mock)} if mock else {}, False, warned=bool(mock), asked=True)


async def outcome(path: Path, fallback: Fallback | None, remote: str, query: Query, **options: Any) -> Outcome:
    """What the chain does."""
    async with stand_in(remote) as standin, store_of(path, standin) as store:
        results = store.select(query, fallback=fallback, deadline=DEADLINE if remote == "slow" else None, **options)
        rows: list[int] = []
        counted: Counter[str] = Counter()
        error = None
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                async for chat in results:
                    rows.append(chat.row_index)
                    counted[chat.origin.value] += 1
            except LmsysStoreError as raised:
                error = type(raised)
        warned = [one for one in caught if issubclass(one.category, MockRowsWarning)]
        assert len(warned) == len(caught) <= 1
        assert counted == results.origins, "every row says where it came from"
        complete = results.complete
        if error is not None:  # how complete it is, is promised of an iteration that ends
            assert complete is not True
            complete = None
        return Outcome(rows, results.origins, complete, error, bool(warned), bool(standin.log), results.notes)


def the_note(fallback: Fallback, cache: str, remote: str) -> str:
    """A word that some note must have, so that a user knows why rows may be missing."""
    if fallback == "cache":
        return "the store is empty" if cache == "empty" else ""
    return {"no access": "token", "down": "503", "slow": "deadline", "other revision": "revision"}.get(remote, "")


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("remote", REMOTES)
@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize("fallback", FALLBACKS)
async def test_every_cell_of_the_chain(
    fallback: Fallback, cache: str, remote: str, query: str, stores: Stores, chats: list[Conversation],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if remote == "no access":
        monkeypatch.delenv("HF_TOKEN")
    wanted = expected(fallback, cache, remote, QUERIES[query], chats, await seed_conversations(Labelling(Settings)))
    found = await outcome(stores(cache), fallback, remote, QUERIES[query])
    assert found == wanted
    if not wanted.complete:
        word = the_note(fallback, cache, remote)
        assert any(word in note for note in found.notes) or not word, found.notes


async def test_without_a_fallback_given_the_chain_goes_to_the_seeds(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LMSYS_STORE_FALLBACK")
    found = await outcome(stores("empty"), None, "down", Query())
    assert found.warned and list(found.origins) == ["mock"]


@pytest.mark.parametrize("remote", ["up", "down", "slow"])
@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize("fallback", FALLBACKS)
async def test_completeness_that_is_required_is_kept_or_its_lack_raised(
    fallback: Fallback, cache: str, remote: str, stores: Stores, chats: list[Conversation],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The same rows as without, and then an error in every cell that is not complete."""
    if remote == "no access":
        monkeypatch.delenv("HF_TOKEN")
    wanted = expected(fallback, cache, remote, SCANNED, chats, await seed_conversations(Labelling(Settings)))
    found = await outcome(stores(cache), fallback, remote, SCANNED, require_complete=True)
    if not wanted.complete and wanted.error is None:
        wanted.error, wanted.complete = IncompleteResultError, None
    assert found == wanted


@pytest.mark.parametrize("cache", ["empty", "holes"])
@pytest.mark.parametrize("fallback", ["remote", "mock"])
async def test_the_seeds_are_not_for_a_reachable_remote_without_a_match(
    fallback: Fallback, cache: str, stores: Stores
) -> None:
    """The seeds have a match for this query, the data set has none: real and empty beats mock."""
    found = await outcome(stores(cache), fallback, "up", Query.of(model="mock"))
    assert found == Outcome([], {}, True, asked=True)


async def test_an_answer_cut_short_by_its_fallback_says_so(holes: Path) -> None:
    """C5: notes say why each step was taken or skipped; here the remote was skipped, and nothing else tells why."""
    found = await outcome(holes, "cache", "up", Query())
    assert found.complete is False
    assert found.notes


async def test_an_answer_with_remote_rows_says_why_the_remote_was_asked(holes: Path) -> None:
    """C5: notes say why each step was taken."""
    found = await outcome(holes, "remote", "up", Query())
    assert found.origins["remote"] == 230
    assert found.notes
