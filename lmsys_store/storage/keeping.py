"""Values kept by name beside the rows they were made of: JSON, stamped with the labels' version and the store's ``seq``.

The hazard: a value may quote texts. A deletion of any row therefore removes all of them, in its own transaction (removal.py),
and with them what says that a value is being made: each announcement has a row of its own, so that no maker takes another's for
its own.
"""

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from lmsys_store.storage.codec import now
from lmsys_store.storage.engine import BUSY_SECONDS, Database
from lmsys_store.storage.reader import read_state
from lmsys_store.storage.tables import kept_value

_PENDING: Final = "pending/"
_NONCE_BITS: Final = 63
_LONGEST: Final = timedelta(days=2)
"""Announcements that are older were left behind: what a killed program leaves must not pile up."""


@dataclass(frozen=True)
class Remembered:
    """A kept value with its stamp: the labels' version and ``seq`` of the store when it was made, and the time.

    ``current`` says whether neither has changed since. ``labels_version`` is empty if rows were labelled anew since.
    """

    value: Any
    labels_version: str
    seq: int
    kept_at: str
    current: bool = True


class Keeper:
    """The values that an open store keeps by name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def announce(self, name: str, labels_version: str, *, wait: float = BUSY_SECONDS) -> int:
        """Say that a value is about to be made, of the rows as they are now; gives a number for this announcement alone.

        Raises:
            StoreBusyError: another writer held the store for ``wait`` seconds.
        """
        nonce = secrets.randbits(_NONCE_BITS)
        abandoned = (datetime.now(UTC) - _LONGEST).isoformat(timespec="seconds")

        def operation(connection: Connection) -> int:
            pending = kept_value.c.name.startswith(_PENDING, autoescape=True)
            connection.execute(delete(kept_value).where(pending, kept_value.c.kept_at < abandoned))
            _put(connection, _pending(name, nonce), "null", labels_version, _seq(connection))
            return nonce

        return await self._database.write(operation, busy_seconds=wait)

    async def keep(
        self,
        name: str,
        value: object,
        labels_version: str,
        *,
        announced: int | None = None,
        wait: float = BUSY_SECONDS,
    ) -> bool:
        """Keep a value, in place of an earlier one of its name; gives whether it was kept.

        Args:
            name: of the value.
            value: whatever JSON can hold.
            labels_version: of the labels it was made of, if it was not announced.
            announced: what :meth:`announce` gave, good for once: the value has the stamp of then. If rows were deleted since,
                it may quote them, and is not kept.
            wait: seconds to wait for another writer.

        Raises:
            TypeError, ValueError: JSON cannot hold it.
            StoreBusyError: another writer held the store for longer.
        """
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)

        def operation(connection: Connection) -> bool:
            stamp = labels_version, _seq(connection)
            if announced is not None:
                gone = delete(kept_value).where(kept_value.c.name == _pending(name, announced))
                row = connection.execute(gone.returning(kept_value.c.labels_version, kept_value.c.seq)).one_or_none()
                if row is None:
                    return False
                stamp = row.labels_version, row.seq
            _put(connection, name, text, *stamp)
            return True

        return await self._database.write(operation, busy_seconds=wait)

    async def kept(self, name: str, labels_version: str) -> Remembered | None:
        """The value of a name; None if there is none. ``labels_version`` is the present one."""
        statement = select(kept_value).where(kept_value.c.name == name)

        def operation(connection: Connection) -> Remembered | None:
            row = connection.execute(statement).one_or_none()
            if row is None:
                return None
            current = (row.labels_version, row.seq) == (labels_version, _seq(connection))
            return Remembered(json.loads(row.value), row.labels_version, row.seq, row.kept_at, current)

        return await self._database.read(operation)


def mark_relabelled(connection: Connection) -> None:
    """Say, in the transaction that labels rows anew, that nothing kept or being made is of the labels as they are then."""
    connection.execute(update(kept_value).values(labels_version=""))


def _pending(name: str, nonce: int) -> str:
    return f"{_PENDING}{nonce}/{name}"


def _seq(connection: Connection) -> int:
    state = read_state(connection)
    return 0 if state is None else state.seq


def _put(connection: Connection, name: str, text: str, labels_version: str, seq: int) -> None:
    row = {"name": name, "value": text, "labels_version": labels_version, "seq": seq, "kept_at": now()}
    connection.execute(insert(kept_value).prefix_with("OR REPLACE").values(row))
