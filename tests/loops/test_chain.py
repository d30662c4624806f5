"""Operations over a store with holes and a remote: row order stays lazy, other orders bring all first (C5, C9)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lmsys_store import Conversation, MockRowsWarning, Query
from tests.chain.stores import (
    FILTERED,
    SCANNED,
    chats_of,
    fill,
    in_chain_order,
    indexes,
    matching,
    offline,
    short_rows,
    store_of,
)
from tests.contract.filling import copy_store
from tests.loops.model import Call, Calls, expected, operated
from tests.standin import StandIn, serving

pytestmark = pytest.mark.anyio

ROWS = short_rows(700)
HELD = ((100, 300), (450, 500))
FAR = 5000
PARTS: list[Calls] = [
    (Call("split", ("train",)),),
    (Call("shard", (1, 3)),),
    (Call("split", ("train",)), Call("shard", (0, 2)), Call("limit", (200,))),
]
ORDERS: list[Calls] = [
    (Call("shuffle", (5,)),),
    (Call("order_by", ("model",), {"descending": True}), Call("limit", (150,))),
    (Call("sample", (90,), {"seed": 2, "by": ["language"], "per_family": 2}), Call("split", ("train",))),
    (Call("distinct", ("family",)), Call("shard", (0, 2))),
]


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_good")


@pytest.fixture(scope="module")
def chats() -> list[Conversation]:
    return chats_of(ROWS)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that covers the intervals of ``HELD``."""
    return fill(tmp_path_factory.mktemp("made") / "store.db", ROWS, *HELD)


@pytest.fixture(scope="module")
def standin() -> Iterator[StandIn]:
    with serving(StandIn(ROWS)) as standin:
        yield standin


@pytest.mark.parametrize("query", [Query(), FILTERED, SCANNED], ids=["all", "filtered", "scanned"])
@pytest.mark.parametrize("operations", PARTS, ids=lambda calls: "".join(call.name for call in calls))
async def test_parts_are_lazy_over_both_phases(
    query: Query, operations: Calls, made: Path, tmp_path: Path, standin: StandIn, chats: list[Conversation]
) -> None:
    """In the order of the chain: stored rows ascending, then missing rows ascending; cut in either, it goes on exactly."""
    by_number = {chat.row_index: chat for chat in chats}
    whole = expected((by_number[number] for number in in_chain_order(chats, query, *HELD)), operations)
    stored = sum(any(start <= number < stop for start, stop in HELD) for number in whole)
    assert 0 < stored < len(whole) - 10
    for cut in (stored // 2, stored, stored + 7, len(whole)):
        path = copy_store(made, tmp_path / f"{cut}.db")
        async with store_of(path, standin, max_remote_rows=FAR) as store:
            results = operated(store.select(query, fallback="remote"), operations)
            asked = len(standin.log)
            before = await indexes(results, cut)
            assert before == whole[:cut]
            if cut <= stored:
                assert len(standin.log) == asked, "nothing is asked for while stored rows are left"
        async with store_of(path, standin, max_remote_rows=FAR) as store:
            rest = operated(store.select(query, fallback="remote", resume=results.token), operations)
            assert before + await indexes(rest) == whole
            assert rest.complete is True


@pytest.mark.parametrize("query", [Query(), FILTERED, SCANNED], ids=["all", "filtered", "scanned"])
@pytest.mark.parametrize("operations", ORDERS, ids=lambda calls: "".join(call.name for call in calls))
async def test_orders_know_all_rows_before_the_first(
    query: Query, operations: Calls, made: Path, tmp_path: Path, standin: StandIn, chats: list[Conversation]
) -> None:
    """The whole answer is brought into the store; from then on the token needs no remote."""
    whole = expected((chats[number] for number in matching(chats, query)), operations)
    path = copy_store(made, tmp_path / "store.db")
    async with store_of(path, standin, max_remote_rows=FAR) as store:
        results = operated(store.select(query, fallback="remote"), operations)
        before = await indexes(results, 25)
        assert before == whole[:25]
        assert await operated(store.select(query, fallback="cache"), operations).count() == len(whole)
    async with offline(path) as store:
        rest = operated(store.select(query, fallback="remote", resume=results.token), operations)
        assert before + await indexes(rest) == whole
        assert rest.complete is True


async def test_a_cycle_brings_all_rows_once(made: Path, tmp_path: Path, standin: StandIn) -> None:
    async with store_of(copy_store(made, tmp_path / "store.db"), standin, max_remote_rows=FAR) as store:
        results = store.select(FILTERED, fallback="remote").cycle()
        rows = await indexes(results, 1500)
    once = rows[: rows.index(rows[0], 1)]
    assert once == sorted(once) and rows == (once * 9)[:1500]


@pytest.mark.parametrize(
    "operations", [*ORDERS, *PARTS, (Call("shuffle", (1,)), Call("cycle"))], ids=lambda calls: "".join(c.name for c in calls)
)  # fmt: skip
async def test_seeds_go_through_the_same_operations(operations: Calls, store_path: Path) -> None:
    """In memory, with tokens of their own; a token of seeds goes on in them."""
    async with offline(store_path) as store:
        with pytest.warns(MockRowsWarning):
            seeds = [chat async for chat in store.select(fallback="mock")]
            plain = tuple(call for call in operations if call.name != "cycle")
            whole = expected(seeds, plain)
            if plain != operations:
                whole *= 2
            results = operated(store.select(fallback="mock"), operations)
            cut = len(whole) // 2 + 1
            before = await indexes(results, cut)
            assert before == whole[:cut] and results.origins == {"mock": cut}
            rest = operated(store.select(fallback="mock", resume=results.token), operations)
            assert before + await indexes(rest, len(whole) - cut) == whole
            if plain == operations:
                assert await operated(store.select(fallback="mock"), operations).count() == len(whole)
