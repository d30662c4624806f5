"""With a warm store nothing connects and no name is looked up; with the remote switched off neither does anything else."""

import json
from pathlib import Path

import pytest

from lmsys_store import Query
from tests.chain.conftest import ROWS, Stores
from tests.chain.processes import answer, run
from tests.chain.stores import FILTERED, chats_of, matching

CHATS = chats_of(ROWS)


@pytest.fixture
def warm(stores: Stores) -> Path:
    return stores("complete")


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of a user who has set nothing at all: a chain may go as far as the seeds, and the network is allowed."""
    for name in ("HF_HUB_OFFLINE", "LMSYS_STORE_FALLBACK", "HF_TOKEN"):
        monkeypatch.delenv(name)


def test_the_guard_notes_every_road_to_a_network() -> None:
    assert answer("guard_works") == 5


@pytest.mark.usefixtures("online")
def test_a_complete_store_is_read_without_touching_the_network(warm: Path) -> None:
    found = answer("guarded_store", warm)
    assert found["touched"] == []
    assert found["fallback"] == "mock"
    assert (found["rows"], found["origins"]) == (matching(CHATS, FILTERED), {"cache": len(found["rows"])})
    assert found["searched"] == matching(CHATS, Query().search("how")) != []
    assert (found["count"], sum(found["facet"].values())) == (350, 350)
    assert all(found[name] is True for name in ("complete", "explained", "status", "got"))
    assert found["aiohttp"] is False, "nothing of the network is even imported"


@pytest.mark.usefixtures("online")
def test_the_command_line_reads_a_complete_store_without_touching_the_network(warm: Path) -> None:
    commands = (
        ["--help"],
        ["status", "--store", warm],
        ["export", "--store", warm, "--fallback", "cache", "--limit", "3"],
        ["count", "--store", warm],
        ["query", "--store", warm, "--model", "gpt-4", "--json"],
    )
    outputs = []
    for command in commands:
        done = run("guarded_cli", *command)
        assert done.returncode == 0, (command, done.stderr)
        outputs.append(done.stdout)
    assert "Usage" in outputs[0] and "350" in outputs[1]
    assert [json.loads(line)["row_index"] for line in outputs[2].splitlines()] == [0, 1, 2]
    assert outputs[3] == "350\n"
    assert len(outputs[4].splitlines()) == len(matching(CHATS, Query.of(model="gpt-4")))


def test_switched_off_an_empty_store_gives_the_seeds_loudly_and_opens_no_socket(stores: Stores) -> None:
    found = answer("guarded_empty", stores("empty"), "mock", HF_HUB_OFFLINE="1")
    assert found["touched"] == []
    assert found["origins"] == {"mock": found["rows"]} != {}
    assert (found["error"], found["complete"]) == (None, False)
    (warning,) = found["warned"]
    assert "HF_HUB_OFFLINE" in warning and "fallback=" in warning
    assert any("HF_HUB_OFFLINE" in note for note in found["notes"])


@pytest.mark.parametrize(("fallback", "error"), [("remote", "OfflineError"), ("cache", None)])
def test_switched_off_without_the_seeds_there_is_an_error_or_a_reason(
    fallback: str, error: str | None, stores: Stores
) -> None:
    found = answer("guarded_empty", stores("empty"), fallback, HF_HUB_OFFLINE="1")
    assert (found["touched"], found["warned"], found["error"]) == ([], [], error)
    assert found["notes"]


def test_switched_off_a_store_with_holes_gives_what_it_has(stores: Stores) -> None:
    found = answer("guarded_empty", stores("holes"), "mock", HF_HUB_OFFLINE="1")
    assert (found["touched"], found["warned"], found["error"]) == ([], [], None)
    assert (found["origins"], found["complete"]) == ({"cache": 120}, False)


def test_the_seeds_are_announced_on_the_command_line(stores: Stores) -> None:
    command = ("query", "--store", stores("empty"), "--fallback", "mock", "--limit", "2", "--json")
    done = run("guarded_cli", *command, warnings="default")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["origin"] for line in done.stdout.splitlines()] == ["mock", "mock"]
    assert "mock seeds" in done.stderr and "2 from mock" in done.stderr
    assert "HF_HUB_OFFLINE" in done.stderr
