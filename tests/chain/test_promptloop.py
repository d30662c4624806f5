"""PromptLoop's calls against a slow, failing or absent remote: what is there by the deadline, kept for the next time."""

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from lmsys_store import Store
from lmsys_store.promptloop import conversations_to_test_cases, fetch_conversations, generate_domain_test_cases
from lmsys_store.settings import Settings
from tests.chain.stores import settings
from tests.standin import Script, StandIn, rule, serving
from tests.standin import faults as f

CODING = "Write a Python function that {} and explain the code, with unit tests for the edge cases."
OTHER = "Tell me about the history of the town of {} in the middle ages."


def _rows(count: int) -> list[dict[str, Any]]:
    """Rows of which every 25th is about code, English all of them, each with another first prompt."""
    return [
        {
            "conversation_id": f"{number:032x}", "model": "gpt-4", "turn": 1, "language": "English", "redacted": False,
            "conversation": [
                {"role": "user", "content": (CODING if number % 25 == 3 else OTHER).format(f"number{number}")},
                {"role": "assistant", "content": f"answer {number}"},
            ],
            "openai_moderation": None,
        }
        for number in range(count)
    ]  # fmt: skip


def test_the_measured_line_of_the_issue(store_path: Path) -> None:
    """1.5 s a page, 429 with Retry-After 30 after page 3, an empty store: real rows within 9 s, and as many offline."""
    rules = Script(rule(f.too_many("30"), "rows", after=3, times=None))
    standin = StandIn(_rows(1000), page_seconds=1.5, index_ready_after=10_000, script=rules)
    with serving(standin):
        reached = settings(standin, poll_seconds=10.0, rate_wait_seconds=20.0, attempts=6, fallback="mock")
        started = time.monotonic()
        first = generate_domain_test_cases("coding", 10, store=store_path, settings=reached)
        took = time.monotonic() - started
    assert took < 9
    assert 1 <= len(first) <= 10
    assert {(case["metadata"]["source"], case["metadata"]["origin"]) for case in first} == {("lmsys", "remote")}
    started = time.monotonic()
    again = generate_domain_test_cases("coding", 10, store=store_path, settings=Settings(offline=True, fallback="mock"))
    assert time.monotonic() - started < 1
    assert len(again) >= len(first)
    assert {case["metadata"]["origin"] for case in again} == {"cache"}
    assert {case["input"] for case in first} <= {case["input"] for case in again}
    assert _left_behind() == []


def _left_behind() -> list[str]:
    """Threads of stores that are still running."""
    return [thread.name for thread in threading.enumerate() if thread.name == "lmsys_store"]


@pytest.mark.filterwarnings("ignore::lmsys_store.MockRowsWarning")
@pytest.mark.parametrize("fallback", ["cache", "remote", "mock"])
@pytest.mark.parametrize("fault", ["refused", "failing"])
def test_a_remote_that_fails_is_no_error(fallback: Any, fault: str, store_path: Path) -> None:
    standin = StandIn(_rows(300), script=Script(rule(f.html(503), times=None)))
    with serving(standin):
        reached = settings(standin, fallback=fallback)
        if fault == "refused":
            reached = reached.model_copy(update={"viewer_url": "http://127.0.0.1:9"})
        fetched = fetch_conversations({"language": "en"}, store=store_path, deadline=2, settings=reached)
        cases = generate_domain_test_cases("coding", 3, store=store_path, deadline=2, settings=reached)
    assert bool(cases) == bool(fetched) == (fallback == "mock")
    assert {case["metadata"]["source"] for case in cases} <= {"standard"}
    assert _left_behind() == []


def test_a_deadline_of_nothing_gives_what_the_store_has(store_path: Path) -> None:
    slow = StandIn(_rows(300), page_seconds=30)
    with serving(slow):
        started = time.monotonic()
        reached = settings(slow, fallback="remote")
        assert fetch_conversations({"language": "en"}, store=store_path, deadline=0, settings=reached) == []
        assert time.monotonic() - started < 1
    quick = StandIn(_rows(100))
    with serving(quick):
        assert (
            len(fetch_conversations({"language": "en"}, store=store_path, settings=settings(quick, fallback="remote")))
            == 10
        )
    found = fetch_conversations({"language": "en"}, store=store_path, deadline=0, settings=reached)
    assert len(found) == 10


def test_an_open_store_is_used_and_stays_open(store_path: Path) -> None:
    standin = StandIn(_rows(200))
    with serving(standin), Store(store_path, settings=settings(standin, fallback="remote")) as store:
        cases = generate_domain_test_cases("coding", 2, store=store)
        assert [case["metadata"]["source"] for case in cases] == ["lmsys", "lmsys"]
        fetched = fetch_conversations({"domain": "coding", "maxConversations": 2}, store=store)
        converted = conversations_to_test_cases(fetched, store=store)
        assert [case["metadata"]["source"] for case in converted] == ["lmsys", "lmsys"]
        assert [case["input"] for case in converted] == [case["input"] for case in cases]
        assert store.status().rows >= 100


def test_it_may_be_called_beside_a_running_loop(store_path: Path) -> None:
    standin = StandIn(_rows(100))

    async def call() -> int:
        tasks = len(asyncio.all_tasks())
        found = await asyncio.to_thread(
            fetch_conversations, {"language": "en"}, store=store_path, settings=settings(standin, fallback="remote")
        )
        assert len(asyncio.all_tasks()) == tasks
        return len(found)

    with serving(standin):
        assert asyncio.run(call()) == 10
