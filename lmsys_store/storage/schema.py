"""One road to the schema: new and old stores both run the migrations, when a plain look says so.

alembic is imported only then (240 ms); its context is a module global, hence the in-process lock. The hazard: two stores
opened at once in one process, or one by two processes. `BEGIN IMMEDIATE` around look and upgrade settles the second.
"""

import threading
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from lmsys_store.errors import NotAStoreError, SchemaTooNewError, StoreError

HEAD: Final = "0002"
"""The newest revision; a test holds it equal to the head of the scripts."""
PAGE_SIZE: Final = 16384
APPLICATION_ID: Final = 0x4C4D5359
"""``LMSY`` in SQLite's header: what tells a store from any other file, also when it is too damaged to open."""
_APPLICATION_ID_AT: Final = 68

_alembic_lock = threading.Lock()


def revision_of(connection: Connection, path: Path) -> str | None:
    """The schema revision of an open file; None for an empty one.

    Raises:
        NotAStoreError: the file has tables, but not ours.
        SchemaTooNewError: a revision this package does not know.
    """
    names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars().all()
    if not names:
        return None
    if "alembic_version" not in names or "conversation" not in names:
        raise NotAStoreError(f"{path} is an SQLite database, but not an lmsys_store; name another path with --store")
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    if found is not None and found > HEAD:
        raise SchemaTooNewError(
            f"{path} has schema {found}, this package knows schemas up to {HEAD}; "
            "upgrade the package: pip install --upgrade lmsys-store"
        )
    return str(found) if found is not None else None


def upgrade(connection: Connection, path: Path) -> None:
    """Bring the open write transaction's database to HEAD; does nothing if it is there."""
    if revision_of(connection, path) == HEAD:
        return
    with _alembic_lock:
        _run_migrations(connection)
    connection.execute(text(f"PRAGMA application_id = {APPLICATION_ID}"))


def _run_migrations(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(scripts_path()).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    if not inspect(connection).has_table("conversation"):
        raise StoreError("the migrations ran but built no tables; reinstall lmsys-store")


def is_store_file(path: Path) -> bool:
    """Whether a file's header says that it is a store (or it is still empty)."""
    with path.open("rb") as file:
        header = file.read(_APPLICATION_ID_AT + 4)
    return not header or header[_APPLICATION_ID_AT:] == APPLICATION_ID.to_bytes(4, "big")


def scripts_path() -> Path:
    """The migration scripts: beside the package in a wheel, at the top of a checkout.

    Raises:
        StoreError: neither place has them (a broken install, or a zip: alembic needs real files).
    """
    package = Path(__file__).parent.parent
    for place in (package / "_migrations", package.parent / "migrations"):
        if (place / "env.py").is_file():
            return place
    raise StoreError("this install has no migration scripts; reinstall lmsys-store from a wheel or a checkout")
