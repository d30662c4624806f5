"""check() finds every kind of damage and names the row; each damage is done to the closed file, past our own code."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lmsys_store import Store, fields
from lmsys_store.search import index_text
from tests import generated
from tests.contract.filling import copy_store

Damage = Callable[[sqlite3.Connection], object]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 39 rows, 2 rejects and a tombstone, in two coverage intervals."""
    folder = tmp_path_factory.mktemp("whole")
    rows: list[object] = list(generated.rows(42, seed=4))
    rows[10] = rows[40] = {"conversation_id": "no more than that"}
    path = generated.write_jsonl(folder / "rows.jsonl", rows)
    with Store(folder / "store.db") as store:
        store.sync(path, limit=30)
        store.sync(path)
        store.delete(None, fields.row_index == 20)
    return folder / "store.db"


@pytest.fixture
def damaged(whole: Path, store_path: Path) -> Iterator[Callable[[Damage], tuple[str, ...]]]:
    """Does a damage to a copy of the store and gives what check() finds."""

    def find(damage: Damage) -> tuple[str, ...]:
        copy_store(whole, store_path)
        with closing(sqlite3.connect(store_path)) as connection, connection:
            damage(connection)
        with Store(store_path) as store:
            return store.check().problems

    yield find


def _sql(statement: str) -> Damage:
    return lambda connection: connection.execute(statement)


def _prompts(connection: sqlite3.Connection, row_index: int) -> str:
    query = (
        "SELECT json_extract(value, '$.content') FROM conversation_text, json_each(record, '$.messages') "
        "WHERE row_index = ? AND json_extract(value, '$.role') = 'user'"
    )
    return index_text(text for (text,) in connection.execute(query, (row_index,)).fetchall())


def _unindex(connection: sqlite3.Connection, row_index: int) -> None:
    delete = "INSERT INTO conversation_fts(conversation_fts, rowid, prompts, replies) VALUES ('delete', ?, ?, '')"
    connection.execute(delete, (row_index, _prompts(connection, row_index)))


def _reindex(connection: sqlite3.Connection) -> None:
    _unindex(connection, 3)
    connection.execute("INSERT INTO conversation_fts(rowid, prompts, replies) VALUES (3, 'quite another text', '')")


def test_a_whole_store_has_no_problems(whole: Path) -> None:
    with Store(whole) as store:
        report = store.check()
    assert report.ok
    assert (report.rows, report.problems) == (39, ())


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (_sql("DELETE FROM conversation_text WHERE row_index = 3"), "conversation: without a text: 1 row(s): 3"),
        (_sql("DELETE FROM conversation WHERE row_index = 3"), "conversation_text: without a row: 1 row(s): 3"),
        (_sql("DELETE FROM conversation WHERE row_index = 3"), "full-text index: without a row: 1 row(s): 3"),
        (_sql("DELETE FROM conversation WHERE row_index = 3"), "moderation: without a row: 1 row(s): 3"),
        (_sql("DELETE FROM conversation WHERE row_index = 3"), "42 rows are covered, but 38 stored"),
        (lambda connection: _unindex(connection, 3), "full-text index: row missing: 1 row(s): 3"),
        (_reindex, "row 3: the full-text index holds another text of it"),
        (_sql("UPDATE coverage SET stop = stop + 1 WHERE start = 30"), "43 rows are covered"),
        (_sql("UPDATE coverage SET stop = stop + 1 WHERE start = 0"), "coverage: intervals overlap"),
        (_sql("DELETE FROM coverage WHERE start = 30"), "conversation: outside of coverage: 11 row(s): 30, 31"),
        (_sql("DELETE FROM coverage WHERE start = 30"), "rejected_row: outside of coverage: 1 row(s): 40"),
        (_sql("DELETE FROM coverage WHERE start = 0"), "tombstone: outside of coverage: 1 row(s): 20"),
        (_sql("DELETE FROM rejected_row"), "0 rejected"),
        (_sql("UPDATE conversation SET score_hate = 0.5 WHERE row_index = 3"), "row 3: its moderation maxima"),
        (_sql("UPDATE conversation_text SET summary = NULL WHERE row_index = 3"), "row 3: its moderation maxima"),
        (_sql("UPDATE conversation SET category_bits = category_bits + 1 WHERE row_index = 3"), "row 3: its moderation"),
        (_sql("UPDATE conversation SET flagged = 1 - flagged WHERE row_index = 3"), "row 3: its moderation"),
        (_sql("UPDATE conversation SET flagged = NULL WHERE row_index = 3"), "row 3"),
        (_sql("UPDATE moderation SET flags = zeroblob(2), scores = zeroblob(88) WHERE row_index = 3"), "row 3: its moderation"),
        (_sql("DELETE FROM moderation WHERE row_index = 3"), "3"),
        (_sql("UPDATE conversation SET turn = turn + 1 WHERE row_index = 3"), "row 3: its columns do not fit its text"),
        (_sql("UPDATE conversation SET prompt_chars = 0 WHERE row_index = 3"), "row 3: its columns do not fit its text"),
        (
            _sql("UPDATE conversation_text SET record = json_set(record, '$.model', 'other') WHERE row_index = 3"),
            "row 3: its columns do not fit its text",
        ),
        (_sql("UPDATE conversation_text SET record = 'torn' WHERE row_index = 3"), "row 3"),
    ],
)  # fmt: skip
def test_damage_is_found(damaged: Callable[[Damage], tuple[str, ...]], damage: Damage, found: str) -> None:
    problems = damaged(damage)
    assert any(found in problem for problem in problems), problems


def test_one_damage_is_told_once_for_each_thing_it_breaks(damaged: Callable[[Damage], tuple[str, ...]]) -> None:
    assert damaged(lambda connection: _unindex(connection, 3)) == ("full-text index: row missing: 1 row(s): 3",)


def test_many_damaged_rows_are_counted_and_a_few_named(damaged: Callable[[Damage], tuple[str, ...]]) -> None:
    problems = damaged(_sql("DELETE FROM conversation_text WHERE row_index < 8"))
    assert "conversation: without a text: 8 row(s): 0, 1, 2, 3, 4, …" in problems


def test_damage_within_sqlites_own_pages_is_found(whole: Path, store_path: Path) -> None:
    """An index that lacks what the table has: only SQLite's own check sees that."""
    copy_store(whole, store_path)
    with closing(sqlite3.connect(store_path)) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, '(model)', '(language)') WHERE name = 'ix_conversation_model'"
        )
        connection.execute("PRAGMA writable_schema = RESET")
    with Store(store_path) as store:
        problems = store.check().problems
    assert any(problem.startswith("SQLite: ") for problem in problems), problems
