"""Whether a store is whole: SQLite's own check, and ours of rows against coverage, texts and the full-text index."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Select, func, select, text

from lmsys_store import intervals
from lmsys_store.errors import StoreCorruptError
from lmsys_store.search import MESSAGE_BREAK, tokens
from lmsys_store.storage.codec import conversation_of, fts_columns, page_statement, select_conversations
from lmsys_store.storage.engine import Database
from lmsys_store.storage.reader import StoreState, read_state
from lmsys_store.storage.tables import (
    SCORE_COLUMNS,
    conversation,
    conversation_text,
    coverage,
    moderation,
    predicate,
    rejected_row,
    tombstone,
)

PAGE: Final = 1000
_SCORES: Final = tuple(conversation.c[name] for name in SCORE_COLUMNS)


@dataclass(frozen=True)
class CheckReport:
    """What a check found: every problem in words, and how many rows were looked at."""

    rows: int
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.problems


async def check(database: Database) -> CheckReport:
    """Check the whole store, page by page; beside a running sync it may report what is only just being added."""
    problems: list[str] = list(await database.read(_sqlite_problems))
    state = await database.read(read_state)
    if state is None:
        return CheckReport(0, tuple(problems))
    problems += await database.read(_table_problems)
    rows, last = 0, -1
    while True:
        seen, last, found = await database.read(lambda connection, after=last: _page_problems(connection, state, after))  # type: ignore[misc]
        problems += found
        rows += seen
        if not seen:
            return CheckReport(rows, tuple(problems))


def _sqlite_problems(connection: Connection) -> Sequence[str]:
    found = connection.execute(text("PRAGMA integrity_check(20)")).scalars().all()
    return [] if found == ["ok"] else [f"SQLite: {line}" for line in found]


def _table_problems(connection: Connection) -> list[str]:
    """Rows + rejects + tombstones = covered, each inside; every row has its text and its full-text entry and no other has."""
    problems = []
    held = [intervals.Interval(*row) for row in connection.execute(select(coverage.c.start, coverage.c.stop)).all()]
    if intervals.size(held) != intervals.size(intervals.merged(held)):
        problems.append("coverage: intervals overlap")
    counts, outside = [], []
    for table in _OUTCOMES:
        inside = select(1).where(coverage.c.start <= table.c.row_index, coverage.c.stop > table.c.row_index).exists()
        astray = select(table.c.row_index).where(~inside)
        counts.append(_count(connection, select(table.c.row_index)) - _count(connection, astray))
        outside += _listed(connection, astray, f"{table.name}: outside of coverage")
    if sum(counts) != intervals.size(held):
        stored, rejected, deleted = counts
        problems.append(
            f"coverage: {intervals.size(held)} rows are covered, but {stored} stored + {rejected} rejected + {deleted} deleted "
            f"= {sum(counts)}"
        )
    if not _count(
        connection, select(predicate.c.expression)
    ):  # rows fetched by a predicate lie where no page is covered
        problems += outside
    row_indexes = select(conversation.c.row_index)
    for table in (conversation_text, moderation):
        orphans = select(table.c.row_index).where(table.c.row_index.not_in(row_indexes))
        problems += _listed(connection, orphans, f"{table.name}: without a row")
    textless = row_indexes.where(conversation.c.row_index.not_in(select(conversation_text.c.row_index)))
    problems += _listed(connection, textless, "conversation: without a text")
    docsize = "SELECT id FROM conversation_fts_docsize"
    for statement, what in (
        (f"{docsize} WHERE id NOT IN (SELECT row_index FROM conversation)", "full-text index: without a row"),
        (f"SELECT row_index FROM conversation WHERE row_index NOT IN ({docsize})", "full-text index: row missing"),
    ):
        problems += _listed(connection, text(statement), what)
    return problems


_PLAIN: Final = (
    "conversation_id", "model", "language", "turn", "source_turn", "redacted", "prompt_chars", "reply_chars",
)  # fmt: skip
"""Columns that filters read, and fields of the record: both say the same."""
_DERIVED: Final = (
    *(conversation.c[name] for name in _PLAIN),
    conversation.c.flagged,
    conversation.c.category_bits,
    *_SCORES,
)
_NO_SUMMARY: Final = (None,) * (2 + len(_SCORES))
_OUTCOMES = (conversation, rejected_row, tombstone)


def _count(connection: Connection, statement: Select[Any]) -> int:
    return int(connection.execute(select(func.count()).select_from(statement.subquery())).scalar_one())


def _listed(connection: Connection, statement: Any, what: str) -> list[str]:
    found = sorted(connection.execute(statement).scalars())
    shown = ", ".join(map(str, found[:5])) + (", …" if len(found) > 5 else "")
    return [f"{what}: {len(found)} row(s): {shown}"] if found else []


def _page_problems(connection: Connection, state: StoreState, after: int) -> tuple[int, int, list[str]]:
    """One page of rows decoded and held against their columns and their full-text entry's word counts."""
    statement = page_statement(select_conversations(with_moderation=True).add_columns(*_DERIVED))
    rows = connection.execute(statement, {"last": after, "bound": state.seq, "size": PAGE}).all()
    if not rows:
        return 0, after, []
    last = rows[-1].row_index
    sizes = text("SELECT id, sz FROM conversation_fts_docsize WHERE id > :after AND id <= :last")
    found = connection.execute(sizes, {"after": after, "last": last})
    indexed: dict[int, bytes] = dict(map(tuple, found.all()))
    problems = [problem for row in rows for problem in _row_problems(row, state, indexed.get(row.row_index))]
    return len(rows), last, problems


def _row_problems(row: Any, state: StoreState, indexed: bytes | None) -> list[str]:
    """What is wrong with one row; of the full-text index word counts are compared, not the words."""
    try:
        chat = conversation_of(row[: -len(_DERIVED)], state.origin)
    except StoreCorruptError:
        return [f"row {row.row_index}: its text cannot be read"]
    summary, packed = chat.moderation_summary, chat.packed_moderation
    try:
        summarised = _NO_SUMMARY if summary is None else (summary.flagged, summary.category_bits, *summary.maxima)
        summed = None if packed is None else packed.summary()
    except (TypeError, struct.error):
        return [f"row {row.row_index}: its moderation maxima or its moderation cannot be read"]
    problems = []
    plain = row[-len(_DERIVED) : len(_PLAIN) - len(_DERIVED)]
    if chat.row_index != row.row_index or tuple(getattr(chat, name) for name in _PLAIN) != tuple(plain):
        problems.append(f"row {chat.row_index}: its columns do not fit its text")
    if summed != summary or tuple(row[-len(_NO_SUMMARY) :]) != summarised:
        problems.append(f"row {chat.row_index}: its moderation maxima do not fit its moderation")
    columns = fts_columns(chat.prompts, chat.replies, index_replies=state.index_replies)
    if indexed is not None and _varints(indexed) != [_word_count(column) for column in columns]:
        problems.append(f"row {chat.row_index}: the full-text index holds another text of it")
    return problems


def _word_count(column: str) -> int:
    return sum(map(len, map(tokens, column.split(MESSAGE_BREAK)))) + column.count(MESSAGE_BREAK)


def _varints(blob: bytes) -> list[int]:
    """SQLite's big-endian variable-length integers, as FTS5 keeps a row's word counts."""
    values, value = [], 0
    for byte in blob:
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            values.append(value)
            value = 0
    return values
