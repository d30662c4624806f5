"""Between a Conversation and its columns. The hot path of every read: one JSON parse and one construction a row."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic import TypeAdapter
from pydantic_core import to_json
from sqlalchemy import ColumnElement, FromClause, Select, bindparam, func, select, union_all

from lmsys_store.errors import StoreCorruptError
from lmsys_store.records import (
    Conversation,
    Labels,
    ModerationSummary,
    Origin,
    PackedModeration,
)
from lmsys_store.rows import CheckedRow
from lmsys_store.search import index_text
from lmsys_store.storage.tables import SCORE_COLUMNS, conversation, conversation_text, fts, moderation

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
_parse_record: Final = TypeAdapter(Conversation).validator.validate_json

CONVERSATION_COLUMNS: Final = tuple(column.name for column in conversation.columns if column.name != "seq")
"""What a row stores for filters, in order."""
_PLAIN_LABELS: Final = (
    "domain", "domain_score", "second_domain", "task", "rating", "rating_basis", "prompt_key", "family",
)  # fmt: skip
_LISTED_LABELS: Final = ("tags", "signals")
LABEL_COLUMNS: Final = (*_PLAIN_LABELS, *_LISTED_LABELS, "labels_version", "labels")
"""Those of them that labelling anew changes."""


def select_conversations(*, with_moderation: bool) -> Select[Any]:
    """Columns in the order :func:`conversation_of` reads them; add conditions, order and limit."""
    return _selected(conversation, with_moderation)


def _selected(conversations: FromClause, with_moderation: bool) -> Select[Any]:
    # Few columns, since each costs every row read: what filters need stands in the record once more.
    columns = [conversation.c.row_index, conversation.c.labels, conversation_text.c.summary, conversation_text.c.record]
    # The text's row exists for every conversation; the moderation's only where the source had any.
    source = conversations.join(conversation_text, conversation_text.c.row_index == conversation.c.row_index)
    if with_moderation:
        columns += [moderation.c.flags, moderation.c.scores]
        source = source.outerjoin(moderation, moderation.c.row_index == conversation.c.row_index)
    return select(*columns).select_from(source)


def select_columns(columns: Sequence[ColumnElement[Any]]) -> Select[Any]:
    """The row index and a few columns; add conditions, order and limit."""
    return select(conversation.c.row_index, *columns).select_from(conversation)


def select_listed(*, with_moderation: bool) -> Select[Any]:
    """The rows of a JSON array of row indexes, the parameter ``listed``, as far as they were stored until ``bound``."""
    listed = func.json_each(bindparam("listed")).table_valued("value").alias("listed")
    # The list leads, and each of its rows is looked up: IN would first make an index of the list.
    selected = _selected(conversation.join(listed, listed.c.value == conversation.c.row_index), with_moderation)
    return selected.where(conversation.c.seq <= bindparam("bound"))


def select_by_key(key: str | int) -> Select[Any]:
    """The row of a row index (int), or the first of a conversation id (str), with its per-message moderation."""
    column = conversation.c.row_index if isinstance(key, int) else conversation.c.conversation_id
    statement = select_conversations(with_moderation=True).where(column == key)
    return statement.order_by(conversation.c.row_index).limit(1)


def page_statement(selected: Select[Any], *wheres: ColumnElement[bool]) -> Select[Any]:
    """One keyset page in row order of the rows that satisfy any of ``wheres`` (default: of all).

    Its parameters are ``last``, ``bound`` (of seq) and ``size``. Several conditions are asked one by one, a page of row
    indexes each, so that each may use an index of its own.
    """
    if len(wheres) <= 1:
        return _keyset(selected.where(*wheres))
    pages = [_keyset(select(conversation.c.row_index).where(where)).subquery() for where in wheres]
    indexes = union_all(*(select(page.c.row_index) for page in pages))
    return (
        selected.where(conversation.c.row_index.in_(indexes))
        .order_by(conversation.c.row_index)
        .limit(bindparam("size"))
    )


def search_page_statement(selected: Select[Any], match: ColumnElement[bool], where: ColumnElement[bool]) -> Select[Any]:
    """One keyset page of the rows that a full-text search finds: the index hands them out in row order, and leads."""
    found = selected.join(fts, fts.c.rowid == conversation.c.row_index).where(match, where)
    after = (fts.c.rowid > bindparam("last"), conversation.c.seq <= bindparam("bound"))
    return found.where(*after).order_by(fts.c.rowid).limit(bindparam("size"))


def _keyset(statement: Select[Any]) -> Select[Any]:
    after = (conversation.c.row_index > bindparam("last"), conversation.c.seq <= bindparam("bound"))
    return statement.where(*after).order_by(conversation.c.row_index).limit(bindparam("size"))


def conversation_of(row: Sequence[Any], origin: Origin) -> Conversation:
    """The record of one selected row."""
    chat: Conversation
    row_index, labels, summary, record, *per_message = row
    try:
        chat = _parse_record(record)
    except ValueError:  # its own message would quote the text
        raise StoreCorruptError(
            f"row {row_index} of the store is damaged: its text cannot be read; purge the store and sync it anew"
        ) from None
    values = chat.__dict__  # of a record that nobody else has seen yet
    values["origin"], values["packed_labels"] = origin, labels
    if summary is not None:
        values["moderation_summary"] = ModerationSummary(summary)
    if per_message and per_message[0] is not None:
        values["packed_moderation"] = PackedModeration(*per_message)
    if chat.timestamp is not None:
        values["timestamp"] = chat.timestamp.astimezone(UTC)
    return chat


def columns_of(row: CheckedRow, prompts: Sequence[str], replies: Sequence[str]) -> tuple[Any, ...]:
    """The values of CONVERSATION_COLUMNS, in order; prompts and replies are the row's, cut out once for all uses."""
    labels, summary = row.labels, None if row.moderation is None else row.moderation.summary
    return (
        row.row_index,
        row.conversation_id,
        row.model,
        row.language,
        len(row.contents) // 2,
        row.source_turn,
        int(row.redacted),
        sum(map(len, prompts)),
        sum(map(len, replies)),
        None if row.timestamp is None else (row.timestamp - EPOCH) // MICROSECOND,
        *label_columns(labels),
        None if summary is None else int(summary.flagged),
        None if summary is None else summary.category_bits,
        *(_NO_SCORES if summary is None else summary.raw_maxima),  # SQLite stores NaN as NULL
    )


def label_columns(labels: Labels) -> tuple[Any, ...]:
    """The values of LABEL_COLUMNS, in order."""
    values = labels.__dict__
    return (
        *[values[name] for name in _PLAIN_LABELS],
        *[None if values[name] is None else json.dumps(values[name]) for name in _LISTED_LABELS],
        labels.version,
        labels.packed(),
    )


_NO_SCORES: Final = (None,) * len(SCORE_COLUMNS)


def record_json(row: CheckedRow) -> str:
    """The row as the JSON text of a Conversation, without what is stored beside it: labels and moderation."""
    values = {
        "row_index": row.row_index,
        "conversation_id": row.conversation_id,
        "model": row.model,
        "language": row.language,
        "redacted": row.redacted,
        "messages": row.messages,
    }
    if row.timestamp is not None:
        values["timestamp"] = row.timestamp.isoformat()
    if row.source_turn is not None:
        values["source_turn"] = row.source_turn
    return to_json(values).decode()


def fts_columns(prompts: Sequence[str], replies: Sequence[str], *, index_replies: bool) -> tuple[str, str]:
    """What the full-text index holds of a conversation; the same values remove it again."""
    return index_text(prompts), index_text(replies) if index_replies else ""


def now(timespec: str = "seconds") -> str:
    """The time as it is stored: ISO 8601 text, UTC, to the second unless what is timed comes closer than that."""
    return datetime.now(UTC).isoformat(timespec=timespec)
