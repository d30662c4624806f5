"""The first schema: rows, texts, moderation, coverage, rejects, tombstones, sync runs and the full-text index.

Revision: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCORES = (
    "harassment", "harassment_threatening", "hate", "hate_threatening", "self_harm", "self_harm_instructions",
    "self_harm_intent", "sexual", "sexual_minors", "violence", "violence_graphic",
)  # fmt: skip


def upgrade() -> None:
    op.create_table(
        "store",
        sa.Column("id", sa.Integer, primary_key=True, comment="always 1"),
        sa.Column("dataset", sa.Text, nullable=False),
        sa.Column("config", sa.Text, nullable=False),
        sa.Column("split", sa.Text, nullable=False),
        sa.Column("revision", sa.Text, nullable=False),
        sa.Column("total_rows", sa.Integer),
        sa.Column("licence", sa.Text),
        sa.Column("licence_url", sa.Text),
        sa.Column("index_replies", sa.Integer, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("first_fetch", sa.Text),
        sa.Column("last_fetch", sa.Text),
    )
    op.create_table(
        "conversation",
        sa.Column("row_index", sa.Integer, primary_key=True),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("conversation_id", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("turn", sa.Integer, nullable=False),
        sa.Column("source_turn", sa.Integer),
        sa.Column("redacted", sa.Integer, nullable=False),
        sa.Column("prompt_chars", sa.Integer, nullable=False),
        sa.Column("reply_chars", sa.Integer, nullable=False),
        sa.Column("timestamp", sa.Integer),
        sa.Column("domain", sa.Text),
        sa.Column("domain_score", sa.REAL),
        sa.Column("second_domain", sa.Text),
        sa.Column("task", sa.Text),
        sa.Column("rating", sa.REAL),
        sa.Column("rating_basis", sa.Text),
        sa.Column("prompt_key", sa.Integer),
        sa.Column("family", sa.Integer),
        sa.Column("tags", sa.Text),
        sa.Column("signals", sa.Text),
        sa.Column("labels_version", sa.Text),
        sa.Column("labels", sa.Text),
        sa.Column("flagged", sa.Integer),
        sa.Column("category_bits", sa.Integer),
        *(sa.Column(f"score_{name}", sa.REAL) for name in SCORES),
    )
    for column in ("conversation_id", "model", "language", "domain", "rating", "prompt_key", "family"):
        op.create_index(f"ix_conversation_{column}", "conversation", [column])
    op.create_index("ix_conversation_flagged", "conversation", ["flagged"], sqlite_where=sa.text("flagged = 1"))
    op.create_index(
        "ix_conversation_source_turn", "conversation", ["source_turn"], sqlite_where=sa.text("source_turn IS NOT NULL")
    )
    op.create_table(
        "conversation_text",
        sa.Column("row_index", sa.Integer, primary_key=True),
        sa.Column("summary", sa.LargeBinary),
        sa.Column("record", sa.Text, nullable=False),
    )
    op.create_table(
        "moderation",
        sa.Column("row_index", sa.Integer, primary_key=True),
        sa.Column("flags", sa.LargeBinary, nullable=False),
        sa.Column("scores", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "label_import",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("matched", sa.Integer, nullable=False),
        sa.Column("unmatched", sa.Integer, nullable=False),
        sa.Column("imported_at", sa.Text, nullable=False),
    )
    op.create_table(
        "external_label",
        sa.Column("row_index", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "coverage",
        sa.Column("start", sa.Integer, primary_key=True),
        sa.Column("stop", sa.Integer, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
    )
    op.create_table(
        "predicate",
        sa.Column("expression", sa.Text, primary_key=True),
        sa.Column("remote_where", sa.Text, nullable=False),
        sa.Column("total_rows", sa.Integer, nullable=False),
        sa.Column("done_rows", sa.Integer, nullable=False),
        sa.Column("last_row", sa.Integer, nullable=False),
        sa.Column("complete", sa.Integer, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("fetched_at", sa.Text, nullable=False),
    )
    op.create_table(
        "rejected_row",
        sa.Column("row_index", sa.Integer, primary_key=True),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("raw", sa.Text, nullable=False),
    )
    op.create_table(
        "tombstone",
        sa.Column("row_index", sa.Integer, primary_key=True),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("deleted_at", sa.Text, nullable=False),
    )
    op.create_table(
        "kept_value",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("labels_version", sa.Text, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("kept_at", sa.Text, nullable=False),
    )
    op.create_table(
        "sync_run",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("started_at", sa.Text, nullable=False),
        sa.Column("ended_at", sa.Text),
        sa.Column("rows_added", sa.Integer, nullable=False),
        sa.Column("rows_rejected", sa.Integer, nullable=False),
        sa.Column("outcome", sa.Text),
    )
    op.execute("CREATE VIRTUAL TABLE conversation_fts USING fts5(prompts, replies, content='', tokenize='ascii')")


def downgrade() -> None:
    raise RuntimeError("stores are not downgraded: install the lmsys_store that wrote this one")
