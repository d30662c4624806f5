"""``follow=True``: what the store gets while it is read is read too, each row once, wherever it lies."""

from pathlib import Path

import pytest

from lmsys_store import Store, fields
from tests.contract.conftest import CLASSES


@pytest.fixture(params=list(CLASSES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> object:
    """A store of either class."""
    with CLASSES[request.param](tmp_path / "store.db") as opened:
        yield opened


def test_rows_stored_meanwhile_are_seen_once(store: Store, generated_jsonl: Path) -> None:
    store.sync(generated_jsonl, limit=100)
    chats = store.select(follow=True)
    rows = iter(chats)
    found = [next(rows).row_index for _ in range(100)]
    store.sync(generated_jsonl, limit=250)
    found += [next(rows).row_index for _ in range(20)]
    store.sync(generated_jsonl)
    found += [chat.row_index for chat in rows]
    assert found == list(range(400))
    assert chats.complete is True


def test_a_row_that_comes_back_below_is_seen_too(store: Store, generated_jsonl: Path) -> None:
    """It lies behind the loop, and belongs to a later transaction: it comes when the stored rows have ended."""
    store.sync(generated_jsonl)
    store.delete(None, fields.row_index == 300, forget=True)
    rows = iter(store.select(follow=True))
    found = [next(rows).row_index for _ in range(350)]
    store.sync(generated_jsonl)
    assert found + [chat.row_index for chat in rows] == [*range(300), *range(301, 400), 300]


def test_a_token_goes_on_with_what_came_since(store: Store, generated_jsonl: Path) -> None:
    """Taken in the middle, after a second look, and at the end."""
    store.sync(generated_jsonl, limit=100)
    chats = store.select(follow=True)
    rows = iter(chats)
    found = [next(rows).row_index for _ in range(30)]
    first = chats.token
    found += [next(rows).row_index for _ in range(70)]
    store.sync(generated_jsonl, limit=200)
    found += [next(rows).row_index for _ in range(10)]
    second = chats.token
    found += [chat.row_index for chat in rows]
    assert found == list(range(200))
    last = chats.token
    store.sync(generated_jsonl)
    for token, start in ((first, 30), (second, 110), (last, 200)):
        assert [chat.row_index for chat in store.select(follow=True, resume=token)] == list(range(start, 400))


def test_it_goes_with_what_chooses_rows_one_by_one(store: Store, generated_jsonl: Path) -> None:
    store.sync(generated_jsonl, limit=150)
    train = store.select(follow=True).split("train").shard(0, 2).limit(120)
    rows = iter(train)
    found = [next(rows).row_index]
    store.sync(generated_jsonl)
    found += [chat.row_index for chat in rows]
    assert found == [chat.row_index for chat in store.select().split("train").shard(0, 2).limit(120)]
