"""Values kept by name beside the rows they were made of: JSON, stamped with the labels' version and the store's ``seq``.

The hazard: a value may quote texts. A deletion of any row therefore removes all of them, in its own transaction (removal.py).
"""

import json
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select

from lmsys_store.storage.codec import now
from lmsys_store.storage.engine import Database
from lmsys_store.storage.reader import read_state
from lmsys_store.storage.tables import kept_value

_PENDING: Final = "pending/"


@dataclass(frozen=True)
class Remembered:
    """A kept value with its stamp: the labels' version and ``seq`` of the store when it was made, and the time.

    ``current`` says whether neither has changed since.
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

    async def announce(self, name: str, labels_version: str) -> int:
        """Say that a value is about to be made, of the rows as they are now; gives the store's ``seq``."""

        def operation(connection: Connection) -> int:
            seq = _seq(connection)
            _put(connection, _PENDING + name, "null", labels_version, seq)
            return seq

        return await self._database.write(operation)

    async def keep(self, name: str, value: object, labels_version: str, *, announced: int | None = None) -> bool:
        """Keep a value, in place of an earlier one of its name; gives whether it was kept.

        Args:
            name: of the value.
            value: whatever JSON can hold.
            labels_version: of the labels it was made of.
            announced: what :meth:`announce` gave. If rows were deleted since, the value may quote them, and is not kept.

        Raises:
            TypeError, ValueError: JSON cannot hold it.
        """
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)

        def operation(connection: Connection) -> bool:
            if announced is not None:
                gone = delete(kept_value).where(kept_value.c.name == _PENDING + name).returning(kept_value.c.name)
                if connection.execute(gone).one_or_none() is None:
                    return False
            _put(connection, name, text, labels_version, _seq(connection) if announced is None else announced)
            return True

        return await self._database.write(operation)

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


def _seq(connection: Connection) -> int:
    state = read_state(connection)
    return 0 if state is None else state.seq


def _put(connection: Connection, name: str, text: str, labels_version: str, seq: int) -> None:
    row = {"name": name, "value": text, "labels_version": labels_version, "seq": seq, "kept_at": now()}
    connection.execute(insert(kept_value).prefix_with("OR REPLACE").values(row))
