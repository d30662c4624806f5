"""The index behind ``/filter`` and ``/statistics``: the scalars and lengths of all rows in an SQLite database in memory.

Nested cells stay where they are and are looked up by row, so 100,000 generated rows cost some 20 MB. All calls must come from
one thread at a time. Order by a nested column is by its JSON text, which is not DuckDB's order.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tests.standin.features import Features, Kind, kind_of
from tests.standin.filtering import FUNCTIONS, Compiler, apply, matches
from tests.standin.grammar import BadQueryError, Condition, Operand, Order
from tests.standin.rows import Row

_LONGEST_TABLE = 1000


class Index:
    """Answers which rows match. ``stopped`` is asked while it is built, which takes seconds for many generated rows."""

    def __init__(self, rows: Sequence[Row], features: Features, stopped: Callable[[], bool]) -> None:
        self.rows = rows
        self._names = list(features)
        self._columns = [(name, kind_of(feature)) for name, feature in features.items()]
        measured = [name for name, kind in self._columns if kind in ("string", "list")]
        columns: list[tuple[str, Kind]] = [*self._columns, *((f"{name}.length", "int") for name in measured)]
        self._compiler = Compiler(columns)
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        self._database.create_function("matches", 3, matches)
        self._database.create_function("apply", -1, apply)
        self._database.create_function("cell", -1, self._cell)
        self._database.execute(
            f"CREATE TABLE data (id INTEGER PRIMARY KEY{''.join(f', c{n}' for n in range(len(columns)))})"
        )
        marks = ", ".join("?" * (len(columns) + 1))
        self._database.executemany(f"INSERT INTO data VALUES ({marks})", self._records(measured, stopped))

    def interrupt(self) -> None:
        """End a query that runs in another thread."""
        self._database.interrupt()

    def close(self) -> None:
        """Drop the database."""
        self._database.close()

    def matching(self, where: Condition | None, order: Order | None, total: int) -> list[int]:
        """The rows that match, in the data set's order where none is asked for; nulls come last in both directions.

        Raises:
            BadQueryError: a column, type or function is not there.
        """
        condition, parameters = self._compiler.condition(where) if where else ("TRUE", ())
        sql, values = self._order(order) if order else ("id", ())
        query = f"SELECT id FROM data WHERE {condition} AND id < ? ORDER BY {sql}, id"
        try:
            return [row_index for (row_index,) in self._database.execute(query, (*parameters, total, *values))]
        except (sqlite3.Error, OverflowError) as error:
            raise BadQueryError(str(error)) from error

    def statistics(self, total: int) -> list[dict[str, Any]]:
        """One entry per column: exact tables of the labels and booleans, the range of all else."""
        return [self._column_statistics(name, kind, total) for name, kind in self._columns]

    def _order(self, order: Order) -> tuple[str, tuple[Any, ...]]:
        key = self._compiler.operand(order.operand)
        if key.kind in ("list", "other"):
            key = self._compiler.operand(Operand(order.operand.keys, "to_json"))
        return f"{key.sql} {'DESC' if order.descending else 'ASC'} NULLS LAST", key.parameters

    def _records(self, measured: Sequence[str], stopped: Callable[[], bool]) -> Iterator[list[Any]]:
        for number, row in enumerate(self.rows):
            if stopped():
                return
            cells = [None if kind in ("list", "other") else row.get(name) for name, kind in self._columns]
            lengths = [None if (cell := row.get(name)) is None else len(cell) for name in measured]
            yield [number, *cells, *lengths]

    def _cell(self, function: str, row_index: int, place: int, *arguments: str) -> Any:
        value = self.rows[row_index].get(self._names[place])
        return None if value is None else FUNCTIONS[function].call(value, *arguments)

    def _column_statistics(self, name: str, kind: Kind, total: int) -> dict[str, Any]:
        place = f"c{self._names.index(name)}"
        nans, distinct = self._one(f"count(*) - count({place}), count(DISTINCT {place})", total)
        counted = {"nan_count": nans, "nan_proportion": nans / total if total else 0.0}
        if kind == "bool":
            table = {str(bool(label)): count for label, count in self._frequencies(place, total)}
            return _entry(name, "bool", {**counted, "frequencies": table})
        if kind == "string" and distinct <= _LONGEST_TABLE and distinct <= 0.2 * total:
            table = dict(self._frequencies(place, total))
            without = {"no_label_count": 0, "no_label_proportion": 0.0, "n_unique": distinct}
            return _entry(name, "string_label", {**counted, **without, "frequencies": table})
        source, column_type = place, {"int": "int", "float": "float", "string": "string_text"}.get(kind, "list")
        if kind in ("string", "list"):
            source = self._compiler.operand(Operand((f"{name}.length",))).sql
        low, high, mean = self._one(f"min({source}), max({source}), avg({source})", total)
        empty = {"median": None, "std": None, "histogram": None}
        return _entry(name, column_type, {**counted, "min": low, "max": high, "mean": mean, **empty})

    def _frequencies(self, place: str, total: int) -> list[Any]:
        query = f"SELECT {place}, count(*) FROM data WHERE id < ? AND {place} IS NOT NULL GROUP BY 1 ORDER BY 1"
        return self._database.execute(query, (total,)).fetchall()

    def _one(self, what: str, total: int) -> Any:
        return self._database.execute(f"SELECT {what} FROM data WHERE id < ?", (total,)).fetchone()


def _entry(name: str, column_type: str, statistics: dict[str, Any]) -> dict[str, Any]:
    return {"column_name": name, "column_type": column_type, "column_statistics": statistics}
