"""The labels of stored rows: which are stale, how they are written anew, what imports say of them.

A row is stale when its ``labels_version`` is not the code's. Imports only mark the rows they touch as stale and keep what they
say; labelling anew does the rest, so a kill between the two loses nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from lmsys_store.errors import LabelError
from lmsys_store.records import Labels, Origin
from lmsys_store.rows import CheckedRow
from lmsys_store.storage.codec import (
    LABEL_COLUMNS,
    conversation_of,
    label_columns,
    now,
    select_by_key,
    select_conversations,
)
from lmsys_store.storage.engine import Database
from lmsys_store.storage.keeping import mark_relabelled
from lmsys_store.storage.tables import conversation, external_label, label_import

_IDS_A_QUERY: Final = 500
_NAMED: Final = 5


class StaleRow(NamedTuple):
    """A stored row as labelling needs it, and what each import (by name, in order of import) says of it, as JSON."""

    row: CheckedRow
    external: Mapping[str, str]


@dataclass(frozen=True)
class LabelImport:
    """Labels that were laid over the derived ones: the name and SHA-256 of their file, how many ids some row has or none."""

    name: str
    digest: str
    matched: int = 0
    unmatched: int = 0
    imported_at: str = ""


class LabelStore:
    """The labels of an open store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def stale_count(self, version: str) -> int:
        """How many rows have labels of another version, or none."""
        statement = select(func.count()).select_from(conversation).where(_is_stale(version))
        return int(await self._database.read(lambda connection: connection.execute(statement).scalar_one()))

    async def stale(self, version: str, after: int, size: int) -> list[StaleRow]:
        """Up to ``size`` stale rows after a row index, in row order."""
        statement = select_conversations(with_moderation=True).where(_is_stale(version))
        statement = statement.where(conversation.c.row_index > after).order_by(conversation.c.row_index).limit(size)
        return await self._database.read(lambda connection: _with_external(connection, statement))

    async def row(self, key: str | int) -> StaleRow | None:
        """The row of a row index, or the first of a conversation id."""
        statement = select_by_key(key)
        found = await self._database.read(lambda connection: _with_external(connection, statement))
        return found[0] if found else None

    async def write(self, labels: Iterable[tuple[int, Labels]]) -> None:
        """Store new labels of rows by row index, in one transaction; a row deleted meanwhile is left alone.

        What is kept of the rows counts as outdated from then on: neither ``seq`` nor the code's version tells of new labels.
        """
        values = [dict(zip(_BOUND, (row_index, *label_columns(one)), strict=True)) for row_index, one in labels]

        def operation(connection: Connection) -> None:
            connection.execute(_WRITE, values)
            mark_relabelled(connection)

        await self._database.write(operation)

    async def imports(self) -> list[LabelImport]:
        """What was imported, in order."""
        statement = select(label_import).order_by(label_import.c.imported_at, label_import.c.name)

        def operation(connection: Connection) -> list[LabelImport]:
            return [LabelImport(**row) for row in connection.execute(statement).mappings()]

        return await self._database.read(operation)

    async def add(self, name: str, digest: str, labels: Mapping[str, str], *, skip_unknown: bool) -> LabelImport:
        """Keep what an import says by conversation id, in place of an earlier one of its name; the rows become stale.

        Raises:
            LabelError: ids that no row has, unless they are to be skipped.
        """

        def operation(connection: Connection) -> LabelImport:
            _forget(connection, name)
            rows = list(_rows_of(connection, list(labels)))
            matched = {conversation_id for _, conversation_id in rows}
            unknown = [key for key in labels if key not in matched]
            if unknown and not skip_unknown:
                raise LabelError(_unknown_text(unknown, len(labels)))
            values = [{"row_index": row, "name": name, "value": labels[key]} for row, key in rows]
            if values:
                connection.execute(insert(external_label), values)
            _mark_stale(connection, [row for row, _ in rows])
            # Which import lies over which goes by this: two of one second must not be told by their names.
            entry = LabelImport(name, digest, len(matched), len(unknown), now("microseconds"))
            connection.execute(insert(label_import).values(asdict(entry)))
            return entry

        return await self._database.write(operation)

    async def remove(self, name: str) -> LabelImport:
        """Forget an import; the rows it labelled become stale.

        Raises:
            LabelError: nothing of that name was imported.
        """

        def operation(connection: Connection) -> LabelImport:
            entry = connection.execute(select(label_import).where(label_import.c.name == name)).mappings().one_or_none()
            if entry is None:
                names = connection.execute(select(label_import.c.name)).scalars().all()
                known = f"imported are: {', '.join(names)}" if names else "nothing is imported"
                raise LabelError(f"no labels named {name!r} were imported; {known}")
            _forget(connection, name)
            return LabelImport(**entry)

        return await self._database.write(operation)


_BOUND: Final = ("at", *(f"new_{name}" for name in LABEL_COLUMNS))
_WRITE: Final = (
    update(conversation)
    .where(conversation.c.row_index == bindparam("at"))
    .values({name: bindparam(f"new_{name}") for name in LABEL_COLUMNS})
)


def _is_stale(version: str) -> Any:
    return conversation.c.labels_version.is_distinct_from(version)


def _with_external(connection: Connection, statement: Any) -> list[StaleRow]:
    chats = [conversation_of(row, Origin.CACHE) for row in connection.execute(statement).all()]
    said: dict[int, dict[str, str]] = {chat.row_index: {} for chat in chats}
    for part in _parts(list(said)):
        joined = external_label.join(label_import, label_import.c.name == external_label.c.name)
        found = select(external_label).select_from(joined).where(external_label.c.row_index.in_(part))
        for row_index, name, value in connection.execute(found.order_by(label_import.c.imported_at)).all():
            said[row_index][name] = value
    return [StaleRow(CheckedRow.of(chat), said[chat.row_index]) for chat in chats]


def _parts(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (values[at : at + _IDS_A_QUERY] for at in range(0, len(values), _IDS_A_QUERY))


def _rows_of(connection: Connection, ids: Sequence[str]) -> Iterator[tuple[int, str]]:
    for part in _parts(ids):
        statement = select(conversation.c.row_index, conversation.c.conversation_id)
        for row in connection.execute(statement.where(conversation.c.conversation_id.in_(part))).all():
            yield row[0], row[1]


def _mark_stale(connection: Connection, row_indexes: Sequence[int]) -> None:
    for part in _parts(row_indexes):
        connection.execute(update(conversation).where(conversation.c.row_index.in_(part)).values(labels_version=None))


def _forget(connection: Connection, name: str) -> None:
    gone = delete(external_label).where(external_label.c.name == name).returning(external_label.c.row_index)
    _mark_stale(connection, connection.execute(gone).scalars().all())
    connection.execute(delete(label_import).where(label_import.c.name == name))


def _unknown_text(unknown: Sequence[str], total: int) -> str:
    shown = ", ".join(map(repr, unknown[:_NAMED])) + (", …" if len(unknown) > _NAMED else "")
    return (
        f"{len(unknown):,} of {total:,} ids are of no row in the store: {shown}; sync these rows first, or leave the ids out "
        "with skip_unknown (--skip-unknown)"
    )
