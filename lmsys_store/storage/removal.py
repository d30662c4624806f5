"""What is removed from a store: rows with their texts and words, rejects, everything. Each function is part of one transaction.

The writer runs them in short batches, with ``secure_delete`` on where texts must not be left on the disk.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, delete, insert, select, update

from lmsys_store.intervals import missing
from lmsys_store.query import Query
from lmsys_store.storage.codec import conversation_of, fts_columns, now, select_conversations
from lmsys_store.storage.compile import compile_query
from lmsys_store.storage.reader import EMPTYING, StoreState, read_state
from lmsys_store.storage.schema import PAGE_SIZE
from lmsys_store.storage.tables import (
    conversation,
    conversation_text,
    coverage,
    external_label,
    kept_value,
    label_import,
    moderation,
    predicate,
    rejected_row,
    store,
    tombstone,
)

DELETE_BATCH: Final = 1000
_FREE_PAGES_A_BLOB: Final = 4096
_DELETE_FTS: Final = (
    "INSERT INTO conversation_fts(conversation_fts, rowid, prompts, replies) VALUES ('delete', ?, ?, ?)"
)


def delete_batch(connection: Connection, query: Query, reason: str, *, forget: bool) -> int:
    """Delete some rows of a query; gives how many."""
    state = read_state(connection)
    if state is None:
        return 0
    where = compile_query(query.expression, replies_indexed=state.index_replies)
    selected = select_conversations(with_moderation=False).where(where).limit(DELETE_BATCH)
    chats = [conversation_of(row, state.origin) for row in connection.execute(selected).all()]
    if not chats:
        return 0
    entries = [
        (chat.row_index, *fts_columns(chat.prompts, chat.replies, index_replies=state.index_replies)) for chat in chats
    ]
    connection.exec_driver_sql(_DELETE_FTS, entries)
    indexes = [chat.row_index for chat in chats]
    for table in (conversation, conversation_text, moderation, external_label):
        connection.execute(delete(table).where(table.c.row_index.in_(indexes)))
    connection.execute(delete(kept_value))  # what was made of the rows may quote them
    if forget:
        _uncover(connection, indexes)
        connection.execute(delete(predicate))  # which of them the rows belong to is not known
    else:
        _bury(connection, indexes, reason)
    return len(chats)


def delete_rejects(connection: Connection, row_indexes: Sequence[int], reason: str) -> int:
    """Delete these rejected rows; gives how many there were."""
    found: list[int] = []
    for at in range(0, len(row_indexes), DELETE_BATCH):
        doomed = rejected_row.c.row_index.in_(row_indexes[at : at + DELETE_BATCH])
        found += connection.execute(delete(rejected_row).where(doomed).returning(rejected_row.c.row_index)).scalars()
    if found:
        _bury(connection, found, reason)
    return len(found)


def _bury(connection: Connection, row_indexes: Sequence[int], reason: str) -> None:
    seq = int(connection.execute(select(store.c.seq)).scalar_one())
    at = now()
    rows = [{"row_index": row_index, "seq": seq, "reason": reason, "deleted_at": at} for row_index in row_indexes]
    connection.execute(insert(tombstone), rows)


def _uncover(connection: Connection, row_indexes: Sequence[int]) -> None:
    """Cut single rows out of the coverage map; the rest of each interval stays covered."""
    for row_index in row_indexes:
        where = (coverage.c.start <= row_index) & (coverage.c.stop > row_index)
        held = connection.execute(select(coverage).where(where)).mappings().one_or_none()
        if held is None:
            continue
        connection.execute(delete(coverage).where(coverage.c.start == held["start"]))
        for gap in missing((held["start"], held["stop"]), [(row_index, row_index + 1)]):
            connection.execute(insert(coverage).values(dict(held) | {"start": gap.start, "stop": gap.stop}))


def clean_free_space(connection: Connection) -> None:
    """Leave no trace of deleted texts: one fresh segment for the full-text index, zeros in every free page.

    Until then a deleted text's words lie in older segments, and in pages that merges freed while secure_delete was off.
    """
    connection.exec_driver_sql("INSERT INTO conversation_fts(conversation_fts) VALUES ('optimize')")
    free = int(connection.exec_driver_sql("PRAGMA freelist_count").scalar_one())
    connection.exec_driver_sql("CREATE TABLE free_space (zeros BLOB)")
    for first in range(0, free, _FREE_PAGES_A_BLOB):
        size = min(_FREE_PAGES_A_BLOB, free - first) * PAGE_SIZE
        connection.exec_driver_sql("INSERT INTO free_space VALUES (zeroblob(?))", (size,))
    connection.exec_driver_sql("DROP TABLE free_space")


def begin_emptying(connection: Connection) -> None:
    """Forget what is covered, and let every iteration over the store end."""
    emptied = {"revision": EMPTYING, "generation": store.c.generation + 1, "total_rows": None}
    connection.execute(update(store).where(store.c.revision != EMPTYING).values(emptied))
    for table in (coverage, predicate, rejected_row, tombstone, external_label, label_import, kept_value):
        connection.execute(delete(table))
    connection.exec_driver_sql("INSERT INTO conversation_fts(conversation_fts) VALUES ('delete-all')")


def empty_batch(connection: Connection) -> int:
    """Remove some rows; gives how many."""
    indexes = connection.execute(select(conversation.c.row_index).limit(DELETE_BATCH)).scalars().all()
    for table in (conversation, conversation_text, moderation):
        connection.execute(delete(table).where(table.c.row_index.in_(indexes)))
    return len(indexes)


def end_emptying(connection: Connection, state: StoreState) -> None:
    """The store is empty, and takes its new revision."""
    values = {"revision": state.revision, "total_rows": state.total_rows, "first_fetch": None}
    connection.execute(update(store).values(values))
