"""Between a Conversation and its columns. The hot path of every read: one JSON parse and one construction a row."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic import TypeAdapter
from pydantic_core import to_json
from sqlalchemy import ColumnElement, Select, bindparam, select, union_all

from lmsys_store.errors import StoreCorruptError
from lmsys_store.records import (
    NO_LABELS,
    CheckedRow,
    Conversation,
    Labels,
    Message,
    ModerationSummary,
    Origin,
    PackedModeration,
)
from lmsys_store.search import index_text
from lmsys_store.storage.tables import SCORE_COLUMNS, conversation, conversation_text, fts, moderation

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
_parse_messages: Final = TypeAdapter(tuple[Message, ...]).validator.validate_json

CONVERSATION_COLUMNS: Final = tuple(column.name for column in conversation.columns if column.name != "seq")
"""What a row stores, in order."""
_READ_COLUMNS: Final = (
    "row_index", "conversation_id", "model", "language", "source_turn", "redacted", "timestamp", "domain", "task", "rating",
    "tags", "labels_version", "flagged", "category_bits",
)  # fmt: skip
"""What a record needs of it: the rest follows from the messages, and every column costs time."""


def select_conversations(*, with_moderation: bool) -> Select[Any]:
    """Columns in the order :func:`conversation_of` reads them; add conditions, order and limit."""
    columns = [conversation.c[name] for name in _READ_COLUMNS]
    columns += [conversation_text.c.maxima, conversation_text.c.messages]
    # The text's row exists for every conversation; the moderation's only where the source had any.
    source = conversation.join(conversation_text, conversation_text.c.row_index == conversation.c.row_index)
    if with_moderation:
        columns += [moderation.c.flags, moderation.c.scores]
        source = source.outerjoin(moderation, moderation.c.row_index == conversation.c.row_index)
    return select(*columns).select_from(source)


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
    (
        row_index, conversation_id, model, language, source_turn, redacted, timestamp, domain, task, rating, tags,
        labels_version, flagged, category_bits, maxima, messages, *per_message,
    ) = row  # fmt: skip
    labels = NO_LABELS
    if labels_version is not None:
        words = None if tags is None else tuple(json.loads(tags))
        labels = Labels(domain=domain, task=task, rating=rating, tags=words, version=labels_version)
    has_per_message = per_message and per_message[0] is not None
    try:
        parsed = _parse_messages(messages)
    except ValueError:  # its own message would quote the text
        raise StoreCorruptError(
            f"row {row_index} of the store is damaged: its text cannot be read; purge the store and sync it anew"
        ) from None
    return Conversation.assembled(
        {
            "row_index": row_index,
            "conversation_id": conversation_id,
            "model": model,
            "messages": parsed,
            "language": language,
            "redacted": redacted == 1,
            "origin": origin,
            "timestamp": None if timestamp is None else EPOCH + timestamp * MICROSECOND,
            "labels": labels,
            "source_turn": source_turn,
            "moderation_summary": None if flagged is None else ModerationSummary(flagged == 1, category_bits, maxima),
            "packed_moderation": PackedModeration(*per_message) if has_per_message else None,
        }
    )


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
        labels.domain,
        labels.task,
        labels.rating,
        None if labels.tags is None else json.dumps(labels.tags, ensure_ascii=False),
        labels.version,
        None if summary is None else int(summary.flagged),
        None if summary is None else summary.category_bits,
        *(_NO_SCORES if summary is None else summary.raw_maxima),  # SQLite stores NaN as NULL
    )


_NO_SCORES: Final = (None,) * len(SCORE_COLUMNS)


def messages_json(row: CheckedRow) -> str:
    """The messages as one JSON text: NUL and control characters are escaped, all else is as it is."""
    return to_json(row.messages).decode()


def fts_columns(prompts: Sequence[str], replies: Sequence[str], *, index_replies: bool) -> tuple[str, str]:
    """What the full-text index holds of a conversation; the same values remove it again."""
    return index_text(prompts), index_text(replies) if index_replies else ""


def now() -> str:
    """The time as it is stored: ISO 8601 text, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
