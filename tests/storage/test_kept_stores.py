"""A store file of every released schema is kept in tests/data, and today's code opens it."""

import shutil
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from lmsys_store import Store, fields, seeds
from lmsys_store.errors import DatasetMismatchError
from lmsys_store.storage.schema import scripts_path
from tests.storage.make_kept_store import DATA, DELETED, ROWS

KEPT = sorted(DATA.glob("store-*.db"))


@pytest.fixture(params=KEPT, ids=[path.stem for path in KEPT])
def kept(request: pytest.FixtureRequest, store_path: Path) -> Path:
    """A copy of a kept file, as a user's disk has it."""
    return Path(shutil.copy(request.param, store_path))


def test_there_is_a_kept_store_of_every_schema() -> None:
    config = Config()
    config.set_main_option("script_location", str(scripts_path()))
    revisions = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    assert {path.stem.removeprefix("store-") for path in KEPT} == revisions
    assert all(path.stat().st_size < 1_000_000 for path in KEPT)


def test_a_kept_store_opens_whole_with_its_rows(kept: Path) -> None:
    with Store(kept) as store:
        assert store.check().problems == ()
        chats = list(store.select(moderation=True))
        assert [chat.row_index for chat in chats] == [number for number in range(ROWS) if number != DELETED]
        assert [chat.conversation_id for chat in chats[:3]] == ["mock-0001", "mock-0002", "mock-0003"]
        assert all(chat.first_prompt for chat in chats)
        status = store.status()
        assert (status.rows, status.deleted, status.index_replies, status.dataset) == (ROWS - 1, 1, True, "mock/seeds")


def test_a_kept_store_is_searched_and_written_by_todays_code(kept: Path) -> None:
    with Store(kept) as store:
        word = "the"
        found = [chat.row_index for chat in store.select(store.select().query.search(word, replies=True))]
        query = store.select().query.search(word, replies=True)
        assert found == [chat.row_index for chat in store.select() if query.matches(chat)] != []
        assert store.delete(None, fields.row_index == found[0]) == 1
        assert store.select(query).count() == len(found) - 1
        assert store.check().problems == ()


def test_a_kept_store_takes_up_its_sync_or_says_that_the_seeds_have_changed(kept: Path) -> None:
    """The seeds of another release are another revision, which must not be mixed in."""
    with Store(kept) as store:
        try:
            assert store.sync(seeds).rows_added > 0
        except DatasetMismatchError as error:
            assert "mock/seeds" in str(error)
        assert store.get(DELETED) is None
        assert store.check().problems == ()
