"""Any operations on any query of any store give what a model in plain Python gives; cut anywhere, they go on exactly."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lmsys_store import Conversation, Query, Store, fields, iteration
from lmsys_store.errors import QueryError, ResumeTokenError
from lmsys_store.results import Position
from tests import generated
from tests.contract.conftest import CLASSES
from tests.contract.filling import filled
from tests.contract.strategies import conversations, queries
from tests.loops.model import Call, Calls, calls, expected, operated

ROOT = Path(__file__).parents[2]
QUERY = Query.of(turns=(1, 3))
SHUFFLED = (Call("shuffle", (7,)),)


def indexes(results: Any, count: int | None = None) -> list[int]:
    """The row indexes that results give: all, or those before a break after ``count``."""
    found: list[int] = []
    if count == 0:
        return found
    for chat in results:
        found.append(chat.row_index)
        if len(found) == count:
            break
    return found


@pytest.fixture(scope="module", autouse=True)
def _short_pages() -> Any:
    """Of one row to nine, so that a few rows have seams."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(iteration, "FIRST_PAGE", 1)
        patch.setattr(iteration, "LAST_PAGE", 9)
        yield


# A store an example: to shrink one would take minutes.
@settings(max_examples=25, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(conversations(), st.lists(st.tuples(queries, calls()), min_size=4, max_size=4), st.data())
def test_any_operations_give_what_the_model_gives_and_resume_at_any_row(
    tmp_path_factory: pytest.TempPathFactory,
    chats: list[Conversation],
    asked: list[tuple[Query, Calls]],
    data: st.DataObject,
) -> None:
    path = filled(tmp_path_factory.mktemp("stores") / "store.db", chats)
    for kind in CLASSES.values():
        with kind(path) as store:
            for query, operations in asked:
                whole = expected((chat for chat in chats if query.matches(chat)), operations)
                results = operated(store.select(query), operations)
                assert indexes(results) == whole
                assert operated(store.select(query), operations).count() == len(whole)
                cut = data.draw(st.integers(0, len(whole)))
                assert indexes(results, cut) == whole[:cut]
                if cut:
                    assert indexes(operated(store.select(query, resume=results.token), operations)) == whole[cut:]


@pytest.fixture(scope="module")
def growing(tmp_path_factory: pytest.TempPathFactory, generated_jsonl: Path) -> tuple[Path, Path, list[Conversation]]:
    """A store of 200 rows, the same store grown to 400, and the rows of the first."""
    folder = tmp_path_factory.mktemp("growing")
    for name, limits in (("half.db", (120, 200)), ("whole.db", (120, 200, 260, None))):
        with Store(folder / name) as store:
            for limit in limits:
                store.sync(generated_jsonl, limit=limit)
    rows = generated.rows(200, seed=5, moderation=False)
    return folder / "half.db", folder / "whole.db", [generated.conversation(row, at) for at, row in enumerate(rows)]


@settings(max_examples=60)
@given(operations=calls(), data=st.data())
def test_a_token_resumes_exactly_when_the_store_has_grown(
    growing: tuple[Path, Path, list[Conversation]], operations: Calls, data: st.DataObject
) -> None:
    """Rows stored later are not seen, whatever their place in the order would be."""
    half, whole, chats = growing
    wanted = expected((chat for chat in chats if QUERY.matches(chat)), operations)
    cut = data.draw(st.integers(1, max(len(wanted), 1)))
    with Store(half) as store, Store(whole) as grown:
        results = operated(store.select(QUERY), operations)
        before = indexes(results, cut)
        assert before == wanted[:cut]
        if before:
            rest = operated(grown.select(QUERY, resume=results.token), operations)
            assert before + indexes(rest) == wanted


def test_another_process_resumes_every_order(growing: tuple[Path, Path, list[Conversation]]) -> None:
    half, whole, chats = growing
    chains: list[Calls] = [
        SHUFFLED,
        (Call("order_by", ("rating",), {"descending": True}), Call("limit", (90,))),
        (Call("order_by", ("model",)), Call("distinct", ("family",))),
        (Call("sample", (80,), {"seed": 3, "by": ["model"], "per_family": 1}), Call("shard", (0, 2))),
        (Call("distinct", ("prompt",)), Call("split", ("train",)), Call("shard", (1, 2))),
    ]
    asked, wanted = [], []
    with Store(half) as store:
        for operations in chains:
            results = operated(store.select(QUERY), operations)
            whole_run = expected((chat for chat in chats if QUERY.matches(chat)), operations)
            assert indexes(results, 20) == whole_run[:20]
            asked.append([results.token, [[call.name, call.arguments, call.keywords] for call in operations]])
            wanted.append(whole_run[20:])
    command = [
        sys.executable,
        "-m",
        "tests.loops.programs.resume",
        str(whole),
        json.dumps(QUERY.to_json()),
        json.dumps(asked),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True, cwd=ROOT)
    assert json.loads(done.stdout) == wanted


@pytest.mark.parametrize("operations", [SHUFFLED, (Call("order_by", ("turn",)),)], ids=["shuffle", "order_by"])
def test_rows_deleted_meanwhile_shift_nothing(operations: Calls, tmp_path: Path, generated_jsonl: Path) -> None:
    """Neither for the loop that runs nor for the one that resumes, though the row of the token itself is gone."""
    with Store(tmp_path / "store.db") as store:
        store.sync(generated_jsonl)
        whole = indexes(operated(store.select(), operations))
        results = operated(store.select(), operations)
        rows = iter(results)
        before = [next(rows).row_index for _ in range(30)]
        gone = [*before[-5:], *whole[40:60]]
        store.delete(None, fields.row_index.in_(gone))
        rest = [number for number in whole[30:] if number not in gone]
        resumed = operated(store.select(resume=results.token), operations)
        assert indexes(resumed) == rest
        assert [chat.row_index for chat in rows] == rest


def test_cycles_repeat_the_same_rows_and_resume_in_their_round(growing: tuple[Path, Path, list[Conversation]]) -> None:
    half, whole, _ = growing
    for operations in ((), SHUFFLED, (*SHUFFLED, Call("limit", (7,)))):
        with Store(half) as store, Store(whole) as grown:
            once = indexes(operated(store.select(QUERY), operations))
            cycle = (*operations, Call("cycle"))
            number = 2 * len(once) + 5
            results = operated(store.select(QUERY), cycle)
            assert indexes(results, number) == (once * 3)[:number]
            token = results.token
            assert token is not None and Position.of_token(token).round == 2
            rest = operated(grown.select(QUERY, resume=token), cycle)
            assert indexes(rest, len(once)) == (once * 4)[number : number + len(once)]
            with pytest.raises(QueryError, match="no end"):
                results.count()


def test_a_cycle_of_nothing_ends_at_once(growing: tuple[Path, Path, list[Conversation]]) -> None:
    with Store(growing[0]) as store:
        assert indexes(store.select(turns=999).cycle()) == []
        assert indexes(store.select().limit(0).cycle()) == []


@pytest.mark.parametrize("operations", [(), SHUFFLED, (Call("distinct", ("family",)),)], ids=str)
def test_the_next_token_counts_a_limit_anew(operations: Calls, growing: tuple[Path, Path, list[Conversation]]) -> None:
    with Store(growing[0]) as store:
        whole = indexes(operated(store.select(QUERY), operations))
        token: str | None = None
        found: list[int] = []
        while True:
            results = operated(store.select(QUERY, resume=token), (*operations, Call("limit", (30,))))
            page = indexes(results)
            if not page:
                break
            found += page
            token = results.next_token
        assert found == whole


def test_a_row_put_back_comes_again(growing: tuple[Path, Path, list[Conversation]]) -> None:
    with Store(growing[0]) as store:
        for operations in ((), SHUFFLED):
            whole = indexes(operated(store.select(QUERY), operations))
            results = operated(store.select(QUERY), operations)
            assert indexes(results, 10) == whole[:10]
            results.put_back()
            assert indexes(operated(store.select(QUERY, resume=results.token), operations)) == whole[9:]


@pytest.mark.parametrize(
    "operations",
    [(), SHUFFLED, (Call("order_by", ("turn",)),), (Call("limit", (1,)),), (Call("limit", (25,)),)],
    ids=["row order", "shuffle", "order_by", "one row", "a limit"],
)
def test_the_last_row_of_all_is_put_back_too(operations: Calls, growing: tuple[Path, Path, list[Conversation]]) -> None:
    with Store(growing[0]) as store:
        results = operated(store.select(QUERY), operations)
        whole = indexes(results)
        results.put_back()
        results.put_back()
        assert sum(results.origins.values()) == len(whole) - 1
        assert indexes(operated(store.select(QUERY, resume=results.token), operations)) == whole[-1:]


@pytest.mark.parametrize(
    "other",
    [(), (Call("shuffle", (8,)),), (*SHUFFLED, Call("limit", (5,))), (Call("order_by", ("turn",)),)],
    ids=["row order", "another seed", "a limit", "order_by"],
)
def test_a_token_of_other_operations_is_refused(other: Calls, growing: tuple[Path, Path, list[Conversation]]) -> None:
    with Store(growing[0]) as store:
        results = operated(store.select(QUERY), SHUFFLED)
        indexes(results, 3)
        with pytest.raises(ResumeTokenError, match="other operations"):
            indexes(operated(store.select(QUERY, resume=results.token), other))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda chats: chats.limit(3).shuffle(1), r"shuffle comes before limit: write \.shuffle\(1\)\.limit\(3\)"),
        (lambda chats: chats.shard(0, 2).split("dev"), r"write \.split\('dev'\)\.shard\(0, 2\)"),
        (lambda chats: chats.shuffle(1).order_by("turn"), r"both orders.*write \.order_by\('turn'\)"),
        (lambda chats: chats.sample(5, seed=1).sample(6, seed=1), r"given twice: write \.sample\(6, seed=1\)"),
        (lambda chats: chats.cycle().limit(2), r"write \.limit\(2\)\.cycle\(\)"),
        (lambda chats: chats.order_by("tag"), "one value a row"),
        (lambda chats: chats.order_by("modle"), "model"),
        (lambda chats: chats.sample(-1, seed=1), "0 or more"),
        (lambda chats: chats.sample(1, seed=1, by="tag"), "one value a row"),
        (lambda chats: chats.sample(1, seed=1, by=["model", "model"]), "twice"),
        (lambda chats: chats.sample(1, seed=1, allocation="fair"), "proportional, equal, sqrt"),
        (lambda chats: chats.sample(1, seed=1, per_family=0), "1 or more"),
        (lambda chats: chats.distinct("model"), "'prompt' or 'family'"),
        (lambda chats: chats.split("validation"), "train, dev, test"),
        (lambda chats: chats.shard(2, 2), "from 0 to 1"),
        (lambda chats: chats.shuffle("x"), "seed"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(
    given: Any, message: str, growing: tuple[Path, Path, list[Conversation]]
) -> None:
    with Store(growing[0]) as store, pytest.raises(QueryError, match=message):
        given(store.select())


def test_following_knows_row_order_alone(growing: tuple[Path, Path, list[Conversation]]) -> None:
    with Store(growing[0]) as store, pytest.raises(QueryError, match=r"follow=True.*\.shuffle\(1\)"):
        store.select(follow=True).shuffle(1)
