"""The tables, as SQLAlchemy Core metadata: today's shape of what the migrations build. Imports nothing of ours but names.

What filters need (``conversation``) stands apart from what they do not (``conversation_text``, ``moderation``): a scan of a
million rows for a rare combination then reads 150 MB, not the 2.4 GB of text, so no choice of index can be badly wrong.
Types are the ones SQLite returns as they are (no Boolean, no DateTime): a row is decoded in codec.py, once.
"""

from typing import Final

from sqlalchemy import REAL, Column, Index, Integer, LargeBinary, MetaData, Table, Text, column, literal_column, table

from lmsys_store.records import MODERATION_CATEGORIES

metadata = MetaData()

SCORE_COLUMNS: Final = tuple(f"score_{name}" for name in MODERATION_CATEGORIES)

store = Table(
    "store",
    metadata,
    Column("id", Integer, primary_key=True, comment="always 1"),
    Column("dataset", Text, nullable=False),
    Column("config", Text, nullable=False),
    Column("split", Text, nullable=False),
    Column("revision", Text, nullable=False),
    Column("total_rows", Integer),
    Column("licence", Text),
    Column("licence_url", Text),
    Column("index_replies", Integer, nullable=False),
    Column("seq", Integer, nullable=False, comment="number of the last transaction that stored rows"),
    Column("generation", Integer, nullable=False, comment="raised when the store is emptied to be filled anew"),
    Column("first_fetch", Text),
    Column("last_fetch", Text),
)

conversation = Table(
    "conversation",
    metadata,
    Column("row_index", Integer, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("conversation_id", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("turn", Integer, nullable=False),
    Column("source_turn", Integer),
    Column("redacted", Integer, nullable=False),
    Column("prompt_chars", Integer, nullable=False),
    Column("reply_chars", Integer, nullable=False),
    Column("timestamp", Integer, comment="microseconds since 1970, UTC"),
    Column("domain", Text),
    Column("domain_score", REAL),
    Column("second_domain", Text),
    Column("task", Text),
    Column("rating", REAL),
    Column("rating_basis", Text),
    Column("prompt_key", Integer, comment="hash of the first prompt"),
    Column("family", Integer, comment="hash of the first prompt's template"),
    Column("tags", Text, comment="a JSON array"),
    Column("signals", Text, comment="a JSON array"),
    Column("labels_version", Text, comment="null: to be computed anew"),
    Column("labels", Text, comment="all labels packed: one column to read instead of all of them"),
    Column("flagged", Integer),
    Column("category_bits", Integer, comment="bit k: category k is true for any message"),
    *(Column(name, REAL) for name in SCORE_COLUMNS),
    Index("ix_conversation_conversation_id", "conversation_id"),
    Index("ix_conversation_model", "model"),
    Index("ix_conversation_language", "language"),
    Index("ix_conversation_domain", "domain"),
    Index("ix_conversation_rating", "rating"),
    Index("ix_conversation_prompt_key", "prompt_key"),
    Index("ix_conversation_family", "family"),
    Index("ix_conversation_flagged", "flagged", sqlite_where=literal_column("flagged = 1")),
    Index("ix_conversation_source_turn", "source_turn", sqlite_where=literal_column("source_turn IS NOT NULL")),
)

conversation_text = Table(
    "conversation_text",
    metadata,
    Column("row_index", Integer, primary_key=True),
    Column("summary", LargeBinary, comment="flags and maxima of the moderation, packed"),
    Column("record", Text, nullable=False, comment="the Conversation as JSON: one text to parse, not a column a field"),
)

moderation = Table(
    "moderation",
    metadata,
    Column("row_index", Integer, primary_key=True),
    Column("flags", LargeBinary, nullable=False, comment="little-endian uint16 a message"),
    Column("scores", LargeBinary, nullable=False, comment="11 little-endian float64 a message"),
)

label_import = Table(
    "label_import",
    metadata,
    Column("name", Text, primary_key=True),
    Column("digest", Text, nullable=False, comment="SHA-256 of the imported file"),
    Column("matched", Integer, nullable=False, comment="how many of its ids some row has"),
    Column("unmatched", Integer, nullable=False),
    Column("imported_at", Text, nullable=False),
)

external_label = Table(
    "external_label",
    metadata,
    Column("row_index", Integer, primary_key=True),
    Column("name", Text, primary_key=True, comment="of the import"),
    Column("value", Text, nullable=False, comment="what it says of the row, as JSON"),
)

coverage = Table(
    "coverage",
    metadata,
    Column("start", Integer, primary_key=True),
    Column("stop", Integer, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("digest", Text, nullable=False),
    Column("source", Text, nullable=False),
)

predicate = Table(
    "predicate",
    metadata,
    Column("expression", Text, primary_key=True, comment="the query as JSON"),
    Column("remote_where", Text, nullable=False),
    Column("total_rows", Integer, nullable=False, comment="its matches, as the remote counts them"),
    Column(
        "done_rows", Integer, nullable=False, comment="the first so many of them are held (or rejected, or deleted)"
    ),
    Column("last_row", Integer, nullable=False, comment="the row index of the last of these"),
    Column("complete", Integer, nullable=False, comment="1: whatever implies the expression is answered whole"),
    Column("seq", Integer, nullable=False),
    Column("source", Text, nullable=False),
    Column("fetched_at", Text, nullable=False),
)

rejected_row = Table(
    "rejected_row",
    metadata,
    Column("row_index", Integer, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("raw", Text, nullable=False, comment="the row as ASCII JSON"),
)

tombstone = Table(
    "tombstone",
    metadata,
    Column("row_index", Integer, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("deleted_at", Text, nullable=False),
)

kept_value = Table(
    "kept_value",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False, comment="JSON; may quote texts, so it goes when any row is deleted"),
    Column("labels_version", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("kept_at", Text, nullable=False),
)

sync_run = Table(
    "sync_run",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("source", Text, nullable=False),
    Column("started_at", Text, nullable=False),
    Column("ended_at", Text),
    Column("rows_added", Integer, nullable=False),
    Column("rows_rejected", Integer, nullable=False),
    Column("outcome", Text, comment="null while running or killed; else complete, partial or the error's name"),
)

# A contentless FTS5 table, outside the metadata: SQLAlchemy cannot describe it, and alembic must not compare it.
FTS_DDL: Final = "CREATE VIRTUAL TABLE conversation_fts USING fts5(prompts, replies, content='', tokenize='ascii')"
fts = table("conversation_fts", column("rowid"), column("prompts"), column("replies"))
