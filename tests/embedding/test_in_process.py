"""C14 where nothing goes wrong: a server, a notebook, threads, many loops, spawned workers."""

from pathlib import Path

import pytest

from lmsys_store.query import Query
from lmsys_store.records import Conversation
from tests import generated
from tests.embedding.conftest import ROWS
from tests.embedding.running import facts_of, run_cli

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are counted in /proc")
HELD_BEFORE = 1_000


def test_a_server_answers_200_requests_at_once_while_a_sync_fills_its_store(store_path: Path, chats: Path) -> None:
    """Rows arrive in order, so an answer is the beginning of the final one, and holds at least what was there before."""
    run_cli("sync", chats, "--store", store_path, "--limit", HELD_BEFORE)
    facts = facts_of("server", store_path, chats)
    assert facts["beside"], "the sync ended before the first request"
    assert (facts["added"], facts["complete"], facts["closed"]) == (ROWS - HELD_BEFORE, True, True)
    assert len(facts["answers"]) == 200
    held = _rows()
    expected: dict[Query, list[int]] = {}
    for answer in facts["answers"]:
        asked = Query.of(language=answer["language"], model=answer["model"])
        if asked not in expected:
            expected[asked] = [chat.row_index for chat in held if asked.matches(chat)][:5]
        first = expected[asked]
        before = sum(row_index < HELD_BEFORE for row_index in first)
        assert answer["status"] == 200
        assert answer["rows"] == first[: len(answer["rows"])] and len(answer["rows"]) >= before, (answer, first)


def _rows() -> list[Conversation]:
    rows = enumerate(generated.rows(ROWS, moderation=False))
    return [generated.conversation(row, number) for number, row in rows]


def test_store_works_beside_a_running_event_loop(store_path: Path, chats: Path) -> None:
    facts = facts_of("notebook", store_path, chats)
    assert facts["ticks"] > 1
    assert facts | {"ticks": 0} == {"added": 2000, "seen": True, "got": True, "same": True, "ticks": 0, "excess": []}


def test_eight_threads_share_one_store(filled: Path) -> None:
    facts = facts_of("threads", filled)
    assert facts["iterated"] == [True] * 8
    assert facts["counted"] == [True] * 8
    assert facts["got"] == [number * 100 for number in range(8)]
    assert facts["connections"] <= 4
    assert facts["excess"] == []


def test_fifty_loops_each_with_a_store_leave_no_thread_and_no_descriptor(filled: Path, chats: Path) -> None:
    assert facts_of("loops", filled, chats) == {"seen": True, "excess": []}


def test_spawned_workers_resume_from_a_token_each(filled: Path) -> None:
    facts = facts_of("spawn", filled)
    assert facts["rows"] > 3000
    assert facts["resumed"] == [True] * 5
