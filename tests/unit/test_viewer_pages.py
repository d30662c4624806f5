"""The pure parts of reading the viewer's answers: rows by their own index, lists of structs in either form, columns, runs."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lmsys_store.records import DATASET_SPELLING
from lmsys_store.sources.base import BrokenRow
from lmsys_store.sources.viewer import _column_names, _numbered, _runs, transposed
from tests.generated import row
from tests.standin.features import LMSYS, cell_in_form, in_form, in_info_form

_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
json_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)

# ------------------------------------------------------------------------------------------------- rows by their index


def _entry(row_index: object, row: object, truncated: object = ()) -> dict[str, Any]:
    return {"row_idx": row_index, "row": row, "truncated_cells": list(truncated) if truncated == () else truncated}


@given(st.dictionaries(st.integers(0, 10**7), st.integers()), st.randoms())
def test_rows_come_back_by_their_own_index_whatever_their_order_and_however_often(
    held: dict[int, int], shuffler: Any
) -> None:
    """A shuffled and partly doubled page is the same page."""
    entries = [_entry(index, {"value": value}) for index, value in held.items()]
    entries += entries[: len(entries) // 2]
    shuffler.shuffle(entries)
    assert _numbered({"rows": entries}) == [(index, {"value": held[index]}) for index in sorted(held)]


def test_of_a_doubled_row_the_first_counts() -> None:
    assert _numbered({"rows": [_entry(3, {"a": 1}), _entry(3, {"a": 2})]}) == [(3, {"a": 1})]


_entries = st.fixed_dictionaries(
    {}, optional={"row_idx": st.integers(-2, 5) | json_values, "row": json_values, "truncated_cells": json_values}
)


@given(st.dictionaries(st.just("rows"), st.lists(_entries | json_values, max_size=6) | json_values) | json_values)
@example({"rows": [{"row_idx": True, "row": {}}, {"row_idx": 1, "row": {}}]})
def test_whatever_is_no_row_of_the_api_is_left_out_and_never_raises(value: Any) -> None:
    found = _numbered(value if isinstance(value, dict) else {"rows": value})
    indexes = [index for index, _ in found]
    assert all(type(index) is int for index in indexes), "true is no index"
    assert indexes == sorted(set(indexes))


@given(st.lists(st.text(), min_size=1), json_values)
def test_a_row_with_cut_cells_is_a_broken_one_that_keeps_their_names(cut: list[str], held: object) -> None:
    [(index, found)] = _numbered({"rows": [_entry(7, held, cut)]})
    assert index == 7
    assert isinstance(found, BrokenRow)
    assert found.raw == repr(cut)


@pytest.mark.parametrize("number", range(5))
def test_a_page_of_the_data_set_reads_the_same_in_todays_form_and_as_objects_of_lists(number: int) -> None:
    plain = row(number)
    old = {name: cell_in_form(plain[name], LMSYS[name], "sequence") for name in plain}
    assert isinstance(old["conversation"], dict) and isinstance(old["openai_moderation"], dict)
    assert _numbered({"rows": [_entry(number, old)]}) == [(number, plain)]
    assert _numbered({"rows": [_entry(number, plain)]}) == [(number, plain)]


# ---------------------------------------------------------------------------------------------------------- transposed

_FIELDS = st.lists(st.text(max_size=5), min_size=1, max_size=4, unique=True)


@st.composite
def _structs(draw: st.DrawFn, depth: int = 1) -> list[dict[str, Any]]:
    """Up to five structs of the same fields, some of which may be structs themselves."""
    count, names = draw(st.integers(0, 5)), draw(_FIELDS)
    columns: dict[str, list[Any]] = {}
    for name in names:
        if depth and count and draw(st.booleans()):
            inner = draw(_FIELDS)
            columns[name] = [{key: draw(_scalars) for key in inner} for _ in range(count)]
        else:
            columns[name] = draw(st.lists(_scalars | st.lists(_scalars, max_size=2), min_size=count, max_size=count))
    return [{name: columns[name][at] for name in names} for at in range(count)]


def _as_lists(structs: list[dict[str, Any]], *, deep: bool) -> Any:
    """The object of lists that stands for structs; with ``deep`` the structs inside are objects of lists too."""
    columns: dict[str, Any] = {name: [one[name] for one in structs] for name in structs[0]}
    if deep:
        for name, column in columns.items():
            if all(isinstance(one, dict) for one in column):
                columns[name] = _as_lists(column, deep=True)
    return columns


@given(_structs().filter(len), st.booleans())
def test_an_object_of_lists_becomes_the_structs_it_was(structs: list[dict[str, Any]], deep: bool) -> None:
    assert transposed(_as_lists(structs, deep=deep)) == structs


def test_an_object_of_empty_lists_is_an_empty_list() -> None:
    assert transposed({"role": [], "content": []}) == []


def test_moderation_as_objects_of_lists_at_every_depth() -> None:
    [(_, found)] = _numbered({"rows": [_entry(0, {"openai_moderation": _moderation_as_lists()})]})
    assert isinstance(found, dict)
    assert found["openai_moderation"] == row(0)["openai_moderation"]


def _moderation_as_lists() -> Any:
    structs = row(0)["openai_moderation"]
    assert set(structs[0]["categories"]) == set(DATASET_SPELLING.values())
    return _as_lists(structs, deep=True)


@given(json_values.filter(lambda value: not isinstance(value, dict)))
def test_anything_but_an_object_stays_as_it_is(value: object) -> None:
    assert transposed(value) is value


@pytest.mark.parametrize(
    "value",
    [{}, {"a": 1}, {"a": [1, 2], "b": [1]}, {"a": [1], "b": 2}, {"a": [1], "b": None}, {"a": {"b": 1}}],
    ids=str,
)
def test_an_object_whose_lists_do_not_fit_stays_as_it_is(value: dict[str, Any]) -> None:
    """It is then one bad row, set aside with its reason, and not an error of the whole page."""
    assert transposed(value) == value


@given(json_values)
def test_transposing_never_raises_and_loses_no_column(value: Any) -> None:
    found = transposed(value)
    if isinstance(value, dict) and isinstance(found, list):
        assert all(list(one) == list(value) for one in found)
    else:
        assert found == value


# ------------------------------------------------------------------------------------------------------------- columns

COLUMNS = list(LMSYS)


def _listed(types: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"feature_idx": place, "name": name, "type": kind} for place, (name, kind) in enumerate(types.items())]


@pytest.mark.parametrize(
    "features",
    [
        _listed({name: in_form(feature, "list") for name, feature in LMSYS.items()}),
        _listed({name: in_form(feature, "legacy") for name, feature in LMSYS.items()}),
        _listed({name: in_form(feature, "sequence") for name, feature in LMSYS.items()}),
        {name: in_info_form(feature) for name, feature in LMSYS.items()},
    ],
    ids=["list", "legacy", "sequence", "info"],
)
def test_the_columns_in_every_form_of_features(features: object) -> None:
    assert _column_names(features) == COLUMNS


@pytest.mark.parametrize("features", [None, "", 7, [], {}, [None, 1, "model", {"feature_idx": 0}]], ids=repr)
def test_no_columns_where_the_answer_does_not_say(features: object) -> None:
    assert _column_names(features) == []


@given(json_values)
def test_columns_are_texts_whatever_is_there(features: object) -> None:
    assert all(isinstance(name, str) for name in _column_names(features))


# ---------------------------------------------------------------------------------------------------------------- runs


@given(st.sets(st.integers(0, 40) | st.integers(0, 10**12)), st.randoms())
def test_runs_hold_exactly_the_indexes_in_as_few_intervals_as_can_be(indexes: set[int], shuffler: Any) -> None:
    shuffled = list(indexes)
    shuffler.shuffle(shuffled)
    runs = _runs(shuffled)
    assert {index for start, stop in runs for index in range(start, stop)} == indexes
    assert all(start < stop for start, stop in runs)
    assert all(earlier.stop < later.start for earlier, later in pairwise(runs))
