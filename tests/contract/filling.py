"""Stores filled straight through the writer: with labels and odd rows that no sync of a file would bring."""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path

from lmsys_store.intervals import Interval
from lmsys_store.records import CodedModeration, Conversation
from lmsys_store.rows import CheckedRow
from lmsys_store.storage.engine import Database
from lmsys_store.storage.pages import prepared_page
from lmsys_store.storage.reader import StoreState
from lmsys_store.storage.writer import Writer


def filled(path: Path, chats: Sequence[Conversation], *, index_replies: bool = True) -> Path:
    """Store the conversations, whose row indexes must be 0, 1, 2…, as two pages of a complete store."""
    asyncio.run(_fill(path, chats, index_replies))
    return path


async def _fill(path: Path, chats: Sequence[Conversation], index_replies: bool) -> None:
    database = Database(path)
    await database.open(create=True)
    try:
        writer = Writer(database)
        _, run_id = await writer.begin(_state(len(chats), index_replies), "a test", rows=len(chats))
        half = len(chats) // 2
        for start, stop in ((0, half), (half, len(chats))):
            rows = map(row_of, chats[start:stop])
            page = prepared_page(Interval(start, stop), "a test", rows, index_replies=index_replies)
            await writer.store_page(page, run_id)
        await writer.end(run_id, "complete", len(chats))
    finally:
        await database.close()


def row_of(chat: Conversation) -> CheckedRow:
    """The row a conversation with all its moderation was made of."""
    packed, summary = chat.packed_moderation, chat.moderation_summary
    return CheckedRow(
        chat.row_index, chat.conversation_id, chat.model, [message.content for message in chat.messages], chat.language,
        chat.redacted, chat.timestamp, chat.source_turn,
        None if packed is None or summary is None else CodedModeration(packed, summary), chat.labels,
    )  # fmt: skip


def _state(total_rows: int, index_replies: bool) -> StoreState:
    return StoreState(
        dataset="local/test", config="default", split="train", revision="r1", total_rows=total_rows, licence=None,
        licence_url=None, index_replies=index_replies, seq=0, generation=0, first_fetch=None,
        last_fetch=None,
    )  # fmt: skip


def copy_store(store: Path, to: Path) -> Path:
    """Copy a closed store, with the log that may still hold its newest pages."""
    for suffix in ("", "-wal"):
        if Path(f"{store}{suffix}").exists():
            shutil.copy(f"{store}{suffix}", f"{to}{suffix}")
    return to
