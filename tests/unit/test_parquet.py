"""The quick column path of Parquet batches gives what the plain way gives, row by row, whatever shape a batch has."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmsys_store.errors import InvalidRowError
from lmsys_store.records import DATASET_SPELLING, MODERATION_CATEGORIES, CodedModeration, Conversation
from lmsys_store.rows import conversation_from_row
from lmsys_store.sources.base import BrokenRow
from lmsys_store.sources.parquet import ParquetShard, rows_of

SPELLED = tuple(DATASET_SPELLING.values())
Outcome = tuple[Conversation, str] | str


def outcome(row: object) -> Outcome:
    """The conversation (and its scores to the last bit: 0.0 == -0.0, their reprs differ), or why there is none."""
    if isinstance(row, BrokenRow):
        return row.reason
    try:
        chat = conversation_from_row(row, 0)
    except InvalidRowError as error:
        return str(error)
    return chat, repr(chat.moderation)


def outcomes(batch: Any) -> list[Outcome]:
    return [outcome(row) for row in rows_of(batch)]


# ------------------------------------------------------------------------------------------- shapes and batches


def _ordered(draw: st.DrawFn, names: Sequence[str]) -> list[str]:
    return draw(st.permutations(names)) if draw(st.booleans()) else list(names)


def _category_names(draw: st.DrawFn) -> list[str]:
    """The data set's spelling, ours, both, or one category short."""
    kind = draw(st.sampled_from(["data set", "data set", "ours", "both", "short"]))
    names = {"data set": SPELLED, "ours": MODERATION_CATEGORIES, "short": SPELLED[1:]}.get(kind)
    return _ordered(draw, list(dict.fromkeys(SPELLED + MODERATION_CATEGORIES)) if names is None else names)


@st.composite
def shapes(draw: st.DrawFn) -> dict[str, Any]:
    """A schema as exports have it: fields in any order, large types, other spellings, more fields, narrower scores."""
    text = draw(st.sampled_from([pa.string(), pa.string(), pa.large_string()]))
    a_list = draw(st.sampled_from([pa.list_, pa.list_, pa.large_list]))
    fields = ["content", "role", *draw(st.sampled_from([[], [], ["name"]]))]
    message = pa.struct([(name, text) for name in _ordered(draw, fields)])
    score = draw(st.sampled_from([pa.float64(), pa.float64(), pa.float32()]))
    parts = {
        "categories": pa.struct([(name, pa.bool_()) for name in _category_names(draw)]),
        "category_scores": pa.struct([(name, score) for name in _category_names(draw)]),
        "flagged": pa.bool_(),
    }
    moderation = pa.struct([(name, parts[name]) for name in _ordered(draw, list(parts))])
    return {"text": text, "conversation": a_list(message), "openai_moderation": a_list(moderation)}


def _values(names: Sequence[str], value: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(dict.fromkeys(names, value))


def _moderations(kind: Any, holes: st.SearchStrategy[None]) -> st.SearchStrategy[Any]:
    scores, categories = kind.field("category_scores").type, kind.field("categories").type
    narrow = scores.field(0).type == pa.float32()
    score = holes | st.floats(width=32 if narrow else 64) | st.sampled_from([0.0, -0.0, math.inf, 1.0])
    return st.fixed_dictionaries(
        {
            "categories": holes | _values([field.name for field in categories], holes | st.booleans()),
            "category_scores": holes | _values([field.name for field in scores], score),
            "flagged": holes | st.booleans(),
        }
    )


_words = st.sampled_from(["", "hi", "wine", "é東", "a\x00b", "NAME_1"])


@st.composite
def batches(draw: st.DrawFn) -> Any:
    """A batch of one shape. Clean ones go the quick way; in the others any value may be null or miss its place."""
    shape = draw(shapes())
    holes = st.none() if draw(st.booleans()) else st.nothing()
    # A few entries for all messages: each holds up to 44 values, and drawing those costs more than all the rest.
    entries = draw(st.lists(_moderations(shape["openai_moderation"].value_type, holes), min_size=1, max_size=3))
    count = draw(st.integers(1, 5))
    rows = [_row(draw, shape, st.sampled_from(entries), clean=holes.is_empty) for _ in range(count)]
    types = {"conversation_id": shape["text"], "model": shape["text"], "turn": pa.int64(), "language": shape["text"]}
    types |= {"conversation": shape["conversation"], "openai_moderation": shape["openai_moderation"]}
    batch = pa.RecordBatch.from_pylist(rows, schema=pa.schema(list(types.items())))
    start = draw(st.integers(0, count - 1))
    return batch.slice(start, draw(st.integers(1, count - start)))


def _row(draw: st.DrawFn, shape: Mapping[str, Any], entry: st.SearchStrategy[Any], *, clean: bool) -> dict[str, Any]:
    extra = {"name": "x"} if shape["conversation"].value_type.num_fields == 3 else {}
    contents = draw(st.lists(_words, min_size=1 if clean else 0, max_size=4))
    messages: list[Any] = [
        {"content": text, "role": ("user", "assistant")[position % 2]} | extra for position, text in enumerate(contents)
    ]
    row: dict[str, Any] = {"conversation_id": draw(_words), "model": "gpt-4", "conversation": messages}
    row |= {"turn": draw(st.none() | st.integers(0, 3)), "language": draw(st.none() | _words)}
    row["openai_moderation"] = [draw(entry) for _ in messages]
    if not clean:
        _spoil(draw, row)
    return row


def _spoil(draw: st.DrawFn, row: dict[str, Any]) -> None:
    """Now and then a null list, a null struct, a null text, a wrong role or a missing entry."""
    messages, moderation = row["conversation"], row["openai_moderation"]
    fault = draw(
        st.sampled_from(["none", "none", "lists", "moderation", "struct", "entry", "text", "role", "length", "id"])
    )
    at = draw(st.integers(0, max(len(messages) - 1, 0)))
    if fault in ("lists", "moderation"):
        row |= {"openai_moderation": None} | ({"conversation": None} if fault == "lists" else {})
    elif fault == "id":
        row["conversation_id"] = None
    elif messages and fault in ("struct", "entry"):
        (messages if fault == "struct" else moderation)[at] = None
    elif messages and fault in ("text", "role"):
        messages[at] |= (
            {"content": None} if fault == "text" else {"role": draw(st.sampled_from(["system", "user", None]))}
        )
    elif messages and fault == "length":
        moderation.pop()


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(batches())
def test_the_quick_way_and_the_plain_way_agree(batch: Any) -> None:
    assert outcomes(batch) == [outcome(row) for row in batch.to_pylist()]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(batches(), st.integers(1, 3))
def test_a_file_gives_what_its_batches_hold(tmp_path: Path, batch: Any, group: int) -> None:
    """Any interval of rows, over row groups of any size, with ``start`` where it was asked for."""
    path = tmp_path / "shard.parquet"
    pq.write_table(pa.Table.from_batches([batch]), path, row_group_size=group)
    shard, expected = ParquetShard(path), [outcome(row) for row in batch.to_pylist()]
    assert shard.total_rows == len(expected)
    for start in range(len(expected)):
        for stop in range(start + 1, len(expected) + 1):
            pages = list(shard.pages(start, stop))
            assert [outcome(row) for page in pages for row in page.rows] == expected[start:stop]
            assert [page.start for page in pages] == [start, *(page.stop for page in pages[:-1])]


# ------------------------------------------------------------------------------------------------------- by hand


def _clean_rows(count: int) -> list[dict[str, Any]]:
    messages = [{"content": "hi", "role": "user"}, {"content": "hello", "role": "assistant"}]
    entry = {
        "categories": dict.fromkeys(SPELLED, False),
        "category_scores": dict.fromkeys(SPELLED, 0.5),
        "flagged": True,
    }
    return [
        {"conversation_id": str(at), "model": "gpt-4", "conversation": messages, "openai_moderation": [entry, entry]}
        for at in range(count)
    ]


def test_clean_moderation_is_packed_from_its_columns() -> None:
    """Without this the property above could hold because the quick way is never gone."""
    packed = [
        row["openai_moderation"] for row in rows_of(pa.RecordBatch.from_pylist(_clean_rows(3))) if isinstance(row, dict)
    ]
    assert [type(moderation) for moderation in packed] == [CodedModeration] * 3


@pytest.mark.parametrize("values", [(0.0, -0.0), (-0.0, 0.0)])
def test_zeros_of_both_signs_make_one_summary(values: tuple[float, float]) -> None:
    (row,) = _clean_rows(1)
    entries = [row["openai_moderation"][0] | {"category_scores": dict.fromkeys(SPELLED, value)} for value in values]
    batch = pa.RecordBatch.from_pylist([row | {"openai_moderation": entries}])
    assert outcomes(batch) == [outcome(row) for row in batch.to_pylist()]


def test_a_batch_without_moderation_or_without_rows_is_fine() -> None:
    rows = [{name: value for name, value in row.items() if name != "openai_moderation"} for row in _clean_rows(2)]
    batch = pa.RecordBatch.from_pylist(rows)
    assert outcomes(batch) == [outcome(row) for row in rows]
    assert rows_of(batch.slice(0, 0)) == []
    assert rows_of(pa.RecordBatch.from_pylist(_clean_rows(1)).slice(0, 0)) == []


def test_a_conversation_column_of_json_texts_is_read() -> None:
    rows = _clean_rows(2)
    batch = pa.RecordBatch.from_pylist([row | {"conversation": json.dumps(row["conversation"])} for row in rows])
    assert outcomes(batch) == [outcome(row) for row in rows]


def test_dictionary_encoded_columns_are_read() -> None:
    rows = _clean_rows(3)
    batch = pa.RecordBatch.from_pylist(rows)
    encoded = batch.set_column(
        batch.schema.get_field_index("model"), "model", batch.column("model").dictionary_encode()
    )
    assert outcomes(encoded) == [outcome(row) for row in rows]


# --------------------------------------------------------------------------------------- what cannot be decoded


def _broken_strings(texts: Sequence[bytes]) -> Any:
    """An Arrow string column of bytes as they are: writers of other languages check nothing."""
    offsets, end = [0], 0
    for text in texts:
        end += len(text)
        offsets.append(end)
    buffers = [pa.array(offsets, pa.int32()).buffers()[1], pa.py_buffer(b"".join(texts))]
    return pa.StringArray.from_buffers(len(texts), *buffers)


_BAD = [b"caf\xe9", b"\xff", b"\xed\xa0\x80"]


def _with_bad_column(column: str, bad: bytes, at: int, count: int = 4) -> Any:
    batch = pa.RecordBatch.from_pylist([row | {"language": "English"} for row in _clean_rows(count)])
    texts = [bad if number == at else b"fine" for number in range(count)]
    return batch.set_column(batch.schema.get_field_index(column), column, _broken_strings(texts))


def _with_bad_message(bad: bytes, at: int, count: int = 4, *, name: bool = False) -> Any:
    contents = [bad if number == 2 * at + 1 else b"fine" for number in range(2 * count)]
    arrays = [_broken_strings(contents), pa.array(["user", "assistant"] * count)]
    names = ["content", "role"]
    if name:
        arrays, names = [*arrays, pa.array(["x"] * 2 * count)], [*names, "name"]
    offsets = pa.array(range(0, 2 * count + 1, 2), pa.int32())
    messages = pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(arrays, names))
    batch = pa.RecordBatch.from_pylist(_clean_rows(count))
    return batch.set_column(batch.schema.get_field_index("conversation"), "conversation", messages)


@pytest.mark.parametrize("bad", _BAD)
@pytest.mark.parametrize("column", ["conversation_id", "model", "language"])
def test_bytes_that_are_no_text_reject_their_row_alone(column: str, bad: bytes) -> None:
    for at in range(4):
        found = outcomes(_with_bad_column(column, bad, at))
        assert [isinstance(one, str) for one in found] == [number == at for number in range(4)]
        assert found[at] == "a text is not UTF-8"


@pytest.mark.parametrize("bad", _BAD)
@pytest.mark.parametrize("extra_field", [False, True])
def test_a_message_that_is_no_text_rejects_its_row_alone(bad: bytes, extra_field: bool) -> None:
    for at in range(4):
        batch = _with_bad_message(bad, at, name=extra_field)
        assert [number for number, one in enumerate(outcomes(batch)) if isinstance(one, str)] == [at]
        assert [number for number, one in enumerate(outcomes(batch.slice(1, 3))) if isinstance(one, str)] == [
            at - 1
        ] * (at > 0)


_DAY = datetime(2023, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
def test_times_of_every_unit_are_read(unit: str, zone: str | None) -> None:
    times = pa.array([_DAY, _DAY], pa.timestamp(unit, "UTC")).cast(pa.timestamp(unit, zone))
    batch = pa.RecordBatch.from_pylist(_clean_rows(2)).append_column("timestamp", times)
    assert [conversation_from_row(row, 0).timestamp for row in rows_of(batch)] == [_DAY, _DAY]


@pytest.mark.parametrize(
    "bad, kind",
    [(2**45, pa.timestamp("s")), (1_682_899_200_000_000_001, pa.timestamp("ns"))],
    ids=["year 1116918", "nanoseconds"],
)
def test_a_time_that_python_cannot_hold_concerns_its_row_alone(bad: int, kind: Any) -> None:
    """Parquet's times reach further and finer than a datetime; one such value must not end a sync."""
    batch = pa.RecordBatch.from_pylist(_clean_rows(3)).append_column("timestamp", pa.array([None, bad, None], kind))
    assert [isinstance(one, str) for one in outcomes(batch)][::2] == [False, False]
