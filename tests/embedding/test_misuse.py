"""C14 where a program errs: forks, other loops, use after close, no close at all. Each is an error at once, never a hang."""

from pathlib import Path

import pytest

from tests.embedding.conftest import ROWS
from tests.embedding.running import facts_of, run_program

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are counted in /proc")


def test_a_forked_child_of_a_store_is_refused_at_once_and_can_open_anew(filled: Path, chats: Path) -> None:
    facts = facts_of("fork", "Store", filled, chats)
    assert facts["uses"].pop("close") == "nothing"
    assert facts["uses"] == dict.fromkeys(facts["uses"], "ForkedStoreError")
    assert facts["file"], "the child removed its parent's store"
    assert facts["anew"] == {"rest": True, "complete": True}
    assert facts["parent"]


def test_a_forked_child_of_an_async_store_is_refused_at_once_and_can_open_anew(filled: Path, chats: Path) -> None:
    facts = facts_of("fork", "AsyncStore", filled, chats)
    assert facts["uses"] == dict.fromkeys(facts["uses"], "ForkedStoreError")
    assert facts["file"], "the child removed its parent's store"
    assert facts["anew"] == {"rest": True, "complete": True}
    assert facts["parent"]


def test_a_child_that_goes_on_in_the_forked_coroutine_is_refused(filled: Path, chats: Path) -> None:
    """There no loop is running, so the refusal has to come before anything needs one."""
    facts = facts_of("fork", "AsyncStore", filled, chats)
    assert len(facts["going on"]) > 10
    assert facts["going on"] == dict.fromkeys(facts["going on"], "ForkedStoreError")


def test_a_closed_store_is_refused_and_may_be_closed_again(filled: Path, chats: Path) -> None:
    facts = facts_of("misuse", "Store", filled, chats)
    assert facts["store"] == dict.fromkeys(facts["store"], "StoreClosedError")
    assert facts["rows"] == ROWS
    assert facts["excess"] == []


@pytest.mark.parametrize("use", ["close", "purge"])
def test_another_loop_cannot_end_an_async_store_under_its_owner(use: str, filled: Path, chats: Path) -> None:
    facts = facts_of("misuse", use, filled, chats)
    assert facts == {"elsewhere": {use: "WrongLoopError"}, "file": True, "usable": "nothing", "excess": []}


def test_an_async_store_in_another_loop_or_closed_is_refused_at_once(filled: Path, chats: Path) -> None:
    facts = facts_of("misuse", "AsyncStore", filled, chats)
    assert facts["elsewhere"] == dict.fromkeys(facts["elsewhere"], "WrongLoopError")
    assert facts["usable"], "a use from another loop harmed the store"
    assert facts["closed"] == dict.fromkeys(facts["closed"], "StoreClosedError")
    assert facts["file"]
    assert facts["excess"] == []


@pytest.mark.parametrize("kind", ["", "async_"])
@pytest.mark.parametrize("how", ["opened", "dropped", "synced", "iterating"])
def test_a_program_that_never_closes_its_store_ends_with_a_warning(
    kind: str, how: str, filled: Path, chats: Path
) -> None:
    ended = run_program("unclosed", f"{kind}{how}", filled, chats, limit=15)
    assert ended.code == 0, ended
    assert ended.facts == {"reached_the_end": True}
    assert f"ResourceWarning: unclosed <{'AsyncStore' if kind else 'Store'} " in ended.err
    assert "Traceback" not in ended.err and "Exception ignored" not in ended.err, ended.err


@pytest.mark.parametrize("kind", ["Store", "AsyncStore"])
def test_abandoned_iterators_hold_nothing(kind: str, filled: Path) -> None:
    facts = facts_of("abandoned", kind, filled)
    assert facts["rows"]
    assert facts["connections"] <= 4 and facts["after"] <= 4
    assert facts["usable"] == ROWS
    assert facts["excess"] == []
