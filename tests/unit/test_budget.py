"""One host's budget: requests in flight, their distance in time, and the circuit breaker, from coroutines and from threads."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest

from lmsys_store.errors import RemoteUnavailableError
from lmsys_store.sources.budget import FIRST_IN_FLIGHT, Budget, Limits, budget_of

pytestmark = pytest.mark.anyio
FREE = Limits(in_flight=4, max_rate=None, pace_seconds=0.03)


class Gauge:
    """Counts who is inside, from any thread, and remembers the most at once and every start."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self.most = 0
        self.starts: list[float] = []

    async def visit(self, budget: Budget, limits: Limits, turns: int = 1) -> None:
        """Enter, let the others run for some turns of the loop, be answered, leave."""
        await budget.enter(limits)
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)
            self.starts.append(time.monotonic())
        for _ in range(turns):
            await asyncio.sleep(0)
        with self._lock:
            self._inside -= 1
        budget.succeeded(limits)
        budget.leave()


async def _within(seconds: float, work: Awaitable[Any]) -> None:
    async with asyncio.timeout(seconds):
        await work


def _grown(limits: Limits) -> Budget:
    """A budget that has been answered often."""
    budget = Budget()
    for _ in range(50):
        budget.succeeded(limits)
    return budget


async def _is_full(budget: Budget, limits: Limits) -> bool:
    """Whether one more request would have to wait for another's end; undone if not."""
    try:
        await asyncio.wait_for(budget.enter(limits), 0.02)
    except TimeoutError:
        return True
    budget.leave()
    return False


# ------------------------------------------------------------------------------------------------------------ in flight


@pytest.mark.parametrize("in_flight", [1, 2, 3, 4, 9])
async def test_no_more_are_in_flight_than_the_limit_and_in_the_end_no_fewer(in_flight: int) -> None:
    budget, gauge, limits = Budget(), Gauge(), Limits(in_flight, None, 0.03)
    await _within(20, asyncio.gather(*(gauge.visit(budget, limits, turns=3) for _ in range(200))))
    assert gauge.most == in_flight
    assert len(gauge.starts) == 200


async def test_it_begins_with_two_and_adds_one_after_as_many_answers_as_are_allowed() -> None:
    budget, seen = Budget(), []
    for _ in range(12):
        seen.append(budget.allowed(FREE))
        budget.succeeded(FREE)
    assert (seen[0], budget.allowed(FREE)) == (FIRST_IN_FLIGHT, FREE.in_flight)
    assert seen == sorted(seen) and {2, 3, 4} == set(seen)


async def test_a_waiter_starts_when_another_ends_and_not_before() -> None:
    budget, order = Budget(), []

    async def waiter() -> None:
        await budget.enter(FREE)
        order.append("entered")

    await budget.enter(FREE)
    await budget.enter(FREE)
    assert await _is_full(budget, FREE)
    task = asyncio.create_task(waiter())
    await asyncio.sleep(0)
    order.append("left")
    budget.leave()
    await _within(5, task)
    assert order == ["left", "entered"]


def test_two_threads_with_loops_of_their_own_share_one_limit_and_wake_each_other() -> None:
    budget, gauge = Budget(), Gauge()

    def run() -> None:
        async def all_visits() -> None:
            await asyncio.gather(*(gauge.visit(budget, FREE, turns=5) for _ in range(300)))

        asyncio.run(_within(30, all_visits()))

    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(run) for _ in range(2)]:
            done.result(timeout=40)
    assert len(gauge.starts) == 600
    assert 2 <= gauge.most <= FREE.in_flight


def test_a_request_of_another_thread_is_waited_for_and_its_end_is_heard() -> None:
    budget, one, entered = Budget(), Limits(1, None, 0.03), threading.Event()
    asyncio.run(budget.enter(one))  # its loop is closed, and it is still in flight

    def wait_for_it() -> None:
        asyncio.run(_within(10, budget.enter(one)))
        entered.set()

    thread = threading.Thread(target=wait_for_it)
    thread.start()
    assert not entered.wait(0.05)
    budget.leave()
    assert entered.wait(10)
    thread.join()


def test_a_loop_that_closed_while_it_waited_does_not_keep_others_from_their_turn() -> None:
    budget, one = Budget(), Limits(1, None, 0.03)

    async def give_up() -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(budget.enter(one), 0.01)

    async def enter_and_hand_over() -> None:
        waiting = asyncio.create_task(budget.enter(one))
        await asyncio.sleep(0)
        budget.leave()
        await _within(5, waiting)
        assert waiting.done() and not waiting.cancelled()

    asyncio.run(budget.enter(one))
    asyncio.run(give_up())
    asyncio.run(enter_and_hand_over())


# ---------------------------------------------------------------------------------------------------------- cancellation


async def test_a_cancelled_waiter_leaves_no_trace() -> None:
    """Whether it was cancelled before or after its turn was announced: as many may enter as before, and no more."""
    budget = Budget()
    for announced in (False, True) * 20:
        await budget.enter(FREE)
        await budget.enter(FREE)
        waiters = [asyncio.create_task(budget.enter(FREE)) for _ in range(5)]
        await asyncio.sleep(0)
        if announced:
            budget.leave()
            await asyncio.sleep(0)  # the loop has marked all as ready to run; none has run yet, or one has entered
        for waiter in waiters:
            waiter.cancel()
        ended = await asyncio.gather(*waiters, return_exceptions=True)
        for _ in range(ended.count(None) + (1 if announced else 2)):
            budget.leave()
        await _within(5, asyncio.gather(budget.enter(FREE), budget.enter(FREE)))
        assert await _is_full(budget, FREE)
        budget.leave()
        budget.leave()


async def test_a_waiter_cancelled_while_it_keeps_its_distance_holds_no_place() -> None:
    budget, one = Budget(), Limits(1, None, 0.03)
    budget.refused(one, time.monotonic(), 0.3)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(budget.enter(one), 0.01)
    await _within(5, budget.enter(one))


# -------------------------------------------------------------------------------------------------------------- distance


async def _seconds_for(budget: Budget, limits: Limits, starts: int) -> float:
    began = time.monotonic()
    for _ in range(starts):
        await budget.enter(limits)
        budget.leave()
    return time.monotonic() - began


async def test_without_a_refusal_there_is_no_distance() -> None:
    assert await _seconds_for(Budget(), Limits(4, None, 9.0), 100) < 1


async def test_a_highest_rate_keeps_starts_apart() -> None:
    assert await _seconds_for(Budget(), Limits(4, 50.0, 0.001), 11) >= 10 / 50


async def test_after_a_refusal_all_wait_as_long_as_told_and_then_keep_a_distance() -> None:
    budget, gauge, began = _grown(FREE), Gauge(), time.monotonic()
    budget.refused(FREE, began, 0.15)
    await _within(10, asyncio.gather(*(gauge.visit(budget, FREE) for _ in range(6))))
    starts = sorted(gauge.starts)
    assert starts[0] - began >= 0.15
    assert starts[-1] - began >= 0.15 + 5 * FREE.pace_seconds
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    assert all(gap > FREE.pace_seconds * 0.5 for gap in gaps), "evenly apart, not in a crowd at the end"


async def test_a_wait_is_for_all_threads() -> None:
    budget, began = Budget(), time.monotonic()
    budget.refused(FREE, began, 0.15)
    with ThreadPoolExecutor(1) as threads:
        await asyncio.wrap_future(threads.submit(lambda: asyncio.run(_within(10, budget.enter(FREE)))))
    assert time.monotonic() - began >= 0.15


def _refuse(budget: Budget, limits: Limits) -> None:
    """One request is answered, the next is refused: the distance between them was too short."""
    budget.succeeded(limits)
    budget.refused(limits, time.monotonic(), 0.0)


async def test_a_refusal_at_a_distance_lengthens_it() -> None:
    budget = Budget()
    _refuse(budget, FREE)
    _refuse(budget, FREE)
    assert await _seconds_for(budget, FREE, 6) >= 5 * FREE.pace_seconds * 1.5


async def test_refusals_with_no_answer_between_them_lengthen_the_distance_to_a_few_paces_at_most() -> None:
    """A server that is closed for an hour must not be asked ever more slowly once it opens."""
    budget = Budget()
    for _ in range(20):
        budget.refused(FREE, time.monotonic(), 0.0)
    assert await _seconds_for(budget, FREE, 6) < 5 * FREE.pace_seconds * 6
    assert budget.allowed(FREE) == 1


async def test_answers_shorten_the_distance_and_never_below_one_that_was_refused() -> None:
    slow = Limits(4, None, 0.2)
    budget = Budget()
    budget.refused(slow, time.monotonic(), 0.0)
    for _ in range(30 * 40):
        budget.succeeded(slow)
    assert await _seconds_for(budget, slow, 6) < 5 * slow.pace_seconds * 0.2

    budget = Budget()
    _refuse(budget, FREE)
    _refuse(budget, FREE)
    for _ in range(30 * 40):
        budget.succeeded(FREE)
    assert await _seconds_for(budget, FREE, 6) >= 5 * FREE.pace_seconds, "at which the second refusal came"


async def test_a_shorter_wait_never_shortens_a_longer_one() -> None:
    budget, began = Budget(), time.monotonic()
    budget.refused(FREE, began, 0.2)
    budget.refused(FREE, began, 0.0)
    await budget.enter(FREE)
    assert time.monotonic() - began >= 0.2


# --------------------------------------------------------------------------------------------------------------- halving


@pytest.mark.parametrize(("grown", "halved"), [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (8, 4), (9, 4)])
def test_a_refusal_halves_what_may_be_in_flight_and_one_remains(grown: int, halved: int) -> None:
    limits = Limits(grown, None, 0.03)
    budget = _grown(limits)
    assert budget.allowed(limits) == grown
    budget.refused(limits, time.monotonic(), 0.0)
    assert budget.allowed(limits) == halved


async def test_a_burst_of_refusals_counts_once() -> None:
    eight = Limits(8, None, 0.03)
    budget, started = _grown(eight), time.monotonic()
    for _ in range(8):
        budget.refused(eight, started, 0.0)
    assert budget.allowed(eight) == 4
    assert await _seconds_for(budget, eight, 6) < 5 * eight.pace_seconds * 1.5, "the distance has not grown either"
    budget.refused(eight, time.monotonic(), 0.0)
    assert budget.allowed(eight) == 2, "a request that began after that refusal is another matter"


def test_a_budget_is_never_more_than_its_caller_wants() -> None:
    budget = _grown(Limits(9, None, 0.03))
    assert [budget.allowed(Limits(number, None, 0.03)) for number in (1, 4, 9, 50)] == [1, 4, 9, 9]


# ------------------------------------------------------------------------------------------------------- circuit breaker


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  # a breaker tells nobody that its time is over
            await asyncio.sleep(0)


async def test_the_breaker_opens_with_its_error_and_closes_by_itself() -> None:
    budget, error = Budget(), RemoteUnavailableError("down")
    assert budget.broken() is None
    budget.broke(error, 0.05)
    assert budget.broken() is error
    await _until(lambda: budget.broken() is None)


def test_an_answer_closes_the_breaker_at_once_and_it_opens_again() -> None:
    budget, first, second = Budget(), RemoteUnavailableError("down"), RemoteUnavailableError("down again")
    budget.broke(first, 60)
    budget.succeeded(FREE)
    assert budget.broken() is None
    budget.broke(first, 60)
    budget.broke(second, 30)
    assert budget.broken() is second


def test_a_breaker_of_no_seconds_never_opens() -> None:
    budget = Budget()
    budget.broke(RemoteUnavailableError("down"), 0)
    assert budget.broken() is None


def test_a_host_has_one_budget_for_all_threads_and_paths_and_another_host_another() -> None:
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda number: id(budget_of(f"https://one.example/{number}")), range(200)))
    assert found == {id(budget_of("https://one.example"))}
    others = ["https://two.example", "https://one.example:8000", "https://sub.one.example"]
    assert len({id(budget_of(url)) for url in others} | found) == 4
