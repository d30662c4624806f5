"""What the columns are called and what type they have, in each of the forms the viewer has written types in.

A type is kept in the form of today: ``{"dtype": …, "_type": "Value"}``, ``{"feature": …, "_type": "List"}``, or a plain object
for a struct.
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Literal

from lmsys_store.records import DATASET_SPELLING
from tests.standin.rows import Row

Form = Literal["list", "legacy", "sequence"]
Kind = Literal["string", "int", "float", "bool", "list", "other"]
Features = dict[str, Any]

_LOOK_AHEAD = 100


def value(dtype: str) -> dict[str, str]:
    """A scalar's type."""
    return {"dtype": dtype, "_type": "Value"}


def list_of(feature: Any) -> dict[str, Any]:
    """A list's type."""
    return {"feature": feature, "_type": "List"}


LMSYS: Features = {
    "conversation_id": value("string"),
    "model": value("string"),
    "conversation": list_of({"content": value("string"), "role": value("string")}),
    "turn": value("int64"),
    "language": value("string"),
    "openai_moderation": list_of(
        {
            "categories": {name: value("bool") for name in DATASET_SPELLING.values()},
            "category_scores": {name: value("float64") for name in DATASET_SPELLING.values()},
            "flagged": value("bool"),
        }
    ),
    "redacted": value("bool"),
}


def features_of(rows: Sequence[Row]) -> Features:
    """The columns of the first rows, in their order; one that LMSYS has keeps its type there, another is looked at."""
    found: Features = {}
    for row in islice(rows, _LOOK_AHEAD):
        for name, cell in row.items():
            if found.get(name) in (None, value("null")):
                found[name] = LMSYS.get(name) or _type_of(cell)
    return found or dict(LMSYS)


def _type_of(cell: Any) -> Any:
    if isinstance(cell, Mapping):
        return {name: _type_of(inner) for name, inner in cell.items()}
    if isinstance(cell, list | tuple):
        return list_of(_type_of(cell[0]) if cell else value("null"))
    names = {bool: "bool", int: "int64", float: "float64", str: "string"}
    return value(names.get(type(cell), "null"))


def kind_of(feature: Any) -> Kind:
    """What a filter may do with a column of this type."""
    if feature.get("_type") == "List":
        return "list"
    kinds: dict[str, Kind] = {"string": "string", "int64": "int", "float64": "float", "bool": "bool"}
    return kinds.get(feature.get("dtype"), "other") if feature.get("_type") == "Value" else "other"


def in_form(feature: Any, form: Form) -> Any:
    """A type as the row endpoints write (``list``) or once wrote it."""
    if not isinstance(feature, dict) or feature.get("_type") == "Value" or form == "list":
        return feature
    if feature.get("_type") != "List":
        return {name: in_form(inner, form) for name, inner in feature.items()}
    inner = in_form(feature["feature"], form)
    if form == "legacy" and _is_struct(feature["feature"]):
        return [inner]
    return {"feature": inner, "_type": "Sequence"}


def in_info_form(feature: Any) -> Any:
    """A type as ``/info`` still writes it: every list is an array of one element."""
    if feature.get("_type") == "Value":
        return feature
    if feature.get("_type") == "List":
        return [in_info_form(feature["feature"])]
    return {name: in_info_form(inner) for name, inner in feature.items()}


def cell_in_form(cell: Any, feature: Any, form: Form) -> Any:
    """A cell beside such a type: a ``Sequence`` of structs meant an object of lists."""
    if form == "sequence" and isinstance(cell, list) and _is_struct(feature.get("feature")):
        return {name: [item.get(name) for item in cell] for name in feature["feature"]}
    return cell


def _is_struct(feature: Any) -> bool:
    return isinstance(feature, dict) and "_type" not in feature
