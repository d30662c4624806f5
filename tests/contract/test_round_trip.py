"""What goes in comes out: record to store to record, and file to store to record, equal to the last bit."""

import copy
import pickle
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings

from lmsys_store import Conversation, Store
from lmsys_store.errors import NotLoadedError
from tests import generated
from tests.contract.conftest import OpenStore, StoreClass
from tests.contract.filling import copy_store, filled
from tests.contract.strategies import conversations

_number = count()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("examples")
    with Store(folder / "empty.db"):
        return folder


def _without_per_message(chat: Conversation) -> Conversation:
    return chat.model_copy(update={"packed_moderation": None})


@given(chats=conversations())
@settings(max_examples=15)
def test_a_stored_record_reads_back_equal(store_class: StoreClass, folder: Path, chats: list[Conversation]) -> None:
    path = filled(copy_store(folder / "empty.db", folder / f"{next(_number)}.db"), chats)
    first_of_id = {chat.conversation_id: chat for chat in reversed(chats)}
    with store_class(path) as store:
        assert list(store.select(moderation=True)) == chats
        assert list(store.select()) == [_without_per_message(chat) for chat in chats]
        assert [store.get(chat.row_index) for chat in chats] == chats
        assert {key: store.get(key) for key in first_of_id} == first_of_id
        assert store.check().ok, store.check().problems


def test_a_parquet_file_reads_back_as_its_rows(
    open_store: OpenStore, generated_path: Path, parquet_chats: list[Conversation]
) -> None:
    store = open_store(generated_path)
    assert list(store.select(moderation=True)) == parquet_chats
    assert [chat.moderation for chat in store.select(moderation=True)] == [chat.moderation for chat in parquet_chats]


def test_a_json_lines_file_reads_back_as_its_rows(open_store: OpenStore, store_path: Path, tmp_path: Path) -> None:
    rows = list(generated.rows(60, seed=3))
    store = open_store(store_path)
    store.sync(generated.write_jsonl(tmp_path / "rows.jsonl", rows))
    assert list(store.select(moderation=True)) == [generated.conversation(row, at) for at, row in enumerate(rows)]


def test_a_record_that_was_read_is_as_good_as_one_that_was_built(
    open_store: OpenStore, generated_path: Path, parquet_chats: list[Conversation]
) -> None:
    """It copies with changes, pickles, dumps and hashes alike."""
    chat, built = open_store(generated_path).get(3), parquet_chats[3]
    assert chat is not None
    assert chat.model_copy(update={"language": "Latin"}) == built.model_copy(update={"language": "Latin"})
    assert copy.deepcopy(chat) == built
    assert pickle.loads(pickle.dumps(chat)) == built
    assert chat.model_dump() == built.model_dump()
    assert hash(chat) == hash(built)
    assert chat.model_fields_set >= {"row_index", "messages"}


def test_moderation_of_each_message_is_read_only_when_asked_for(open_store: OpenStore, generated_path: Path) -> None:
    store = open_store(generated_path)
    chat = store.select().first()
    assert chat is not None
    assert chat.moderation_summary is not None
    with pytest.raises(NotLoadedError, match="moderation=True"):
        _ = chat.moderation
    loaded = store.select(moderation=True).first()
    assert loaded is not None
    assert loaded.moderation is not None
    assert len(loaded.moderation) == len(loaded.messages)


def test_get_of_what_is_not_held_is_none(open_store: OpenStore, generated_path: Path, tmp_path: Path) -> None:
    store = open_store(generated_path)
    assert (store.get(400), store.get(-1), store.get("no such id")) == (None, None, None)
    empty = open_store(tmp_path / "empty.db")
    assert (empty.get(0), empty.get("a")) == (None, None)
