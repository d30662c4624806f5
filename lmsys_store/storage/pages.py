"""A page made ready to be stored: flat lists of SQL values, one a table. Pure, and therefore built outside the writer.

Flat, because a page of tuples a row costs the interpreter (and its garbage collector) more than SQLite needs to store it.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from lmsys_store.intervals import Interval
from lmsys_store.rows import CheckedRow
from lmsys_store.storage.codec import CONVERSATION_COLUMNS, columns_of, fts_columns, record_json
from lmsys_store.storage.reader import Predicate, Reject

TEXT_COLUMNS: Final = ("row_index", "summary", "record")
MODERATION_COLUMNS: Final = ("row_index", "flags", "scores")
FTS_COLUMNS: Final = ("rowid", "prompts", "replies")
_ROWS_BETWEEN_YIELDS: Final = 32
"""How often a page in preparation offers the interpreter's lock to others: whoever wants it from a busy thread waits 5 ms, and
both the writer's many short steps and the coroutines of a program that embeds us do."""


@dataclass(frozen=True)
class PreparedPage:
    """What one page adds: the values of its rows for each table, its rejects, and the interval it covers.

    An interval of None: it holds single rows, and nothing is known of those between them. Every list of values holds as many
    a row as its table has columns above; the first of a row is its row index.
    """

    interval: Interval | None
    source: str
    row_indexes: Sequence[int] = ()
    conversations: Sequence[Any] = ()
    texts: Sequence[Any] = ()
    moderation: Sequence[Any] = ()
    entries: Sequence[Any] = ()
    turn_differs: Sequence[int] = ()
    rejects: Sequence[Reject] = ()
    digest: str = ""
    byte_count: int = field(default=0)
    progress: Predicate | None = None
    """How far a predicate is fetched with this page, if it is one of matches."""

    @property
    def records(self) -> Sequence[str]:
        """The JSON text of each row."""
        return self.texts[2 :: len(TEXT_COLUMNS)]

    def only(self, wanted: set[int]) -> "PreparedPage":
        """The page without the rows and rejects of other row indexes."""
        return replace(
            self,
            row_indexes=[row_index for row_index in self.row_indexes if row_index in wanted],
            conversations=_only(self.conversations, len(CONVERSATION_COLUMNS), wanted),
            texts=_only(self.texts, len(TEXT_COLUMNS), wanted),
            moderation=_only(self.moderation, len(MODERATION_COLUMNS), wanted),
            entries=_only(self.entries, len(FTS_COLUMNS), wanted),
            turn_differs=[row_index for row_index in self.turn_differs if row_index in wanted],
            rejects=[reject for reject in self.rejects if reject.row_index in wanted],
        )


def _only(values: Sequence[Any], width: int, wanted: set[int]) -> list[Any]:
    starts = (start for start in range(0, len(values), width) if values[start] in wanted)
    return [value for start in starts for value in values[start : start + width]]


def prepared_page(
    interval: Interval | None, source: str, rows: Iterable[CheckedRow], *, index_replies: bool
) -> PreparedPage:
    """Encode rows as a page, taking them one by one."""
    row_indexes: list[int] = []
    turn_differs: list[int] = []
    conversations: list[Any] = []
    texts: list[Any] = []
    moderation: list[Any] = []
    entries: list[Any] = []
    for row in rows:
        row_index, coded, prompts, replies = row.row_index, row.moderation, row.contents[::2], row.contents[1::2]
        row_indexes.append(row_index)
        if row_index % _ROWS_BETWEEN_YIELDS == 0:
            time.sleep(0)
        conversations += columns_of(row, prompts, replies)
        texts += (row_index, None if coded is None else coded.summary.packed, record_json(row))
        entries += (row_index, *fts_columns(prompts, replies, index_replies=index_replies))
        if coded is not None:
            moderation += (row_index, *coded.packed)
        if row.source_turn is not None:
            turn_differs.append(row_index)
    return PreparedPage(interval, source, row_indexes, conversations, texts, moderation, entries, turn_differs)
