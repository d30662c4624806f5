"""Alembic's entry: uses the connection the library hands over, or opens the file of ``alembic -x store=PATH``."""

from alembic import context
from sqlalchemy import Connection, create_engine

from lmsys_store.storage.tables import metadata


def include_name(name: str | None, kind: str, parents: object) -> bool:
    """Leave the full-text index and its shadow tables out of comparisons."""
    return not (kind == "table" and (name or "").startswith("conversation_fts"))


def run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, include_name=include_name, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    path = context.get_x_argument(as_dictionary=True).get("store", "development.db")
    with create_engine(f"sqlite:///{path}").begin() as opened:
        run(opened)
