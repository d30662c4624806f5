"""Orders and parts as such: the same rows on every machine, parts that are disjoint and complete, shares that are fair."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, select

from lmsys_store import Query, Store, fields
from lmsys_store.operations import Distinct
from lmsys_store.parts import SPLITS, Part, shard_of, split_of
from lmsys_store.plans import allotted, hashed, in_shard
from lmsys_store.storage.compile import compile_query
from lmsys_store.storage.tables import conversation, metadata
from tests import generated
from tests.loops import model

GOLDEN_SHUFFLE = [24, 248, 262, 274, 163, 88, 184, 4, 93, 20]
GOLDEN_SAMPLE = [24, 85, 88, 155, 160, 163, 170, 184, 232, 248, 262, 274]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """300 rows."""
    folder = tmp_path_factory.mktemp("rows")
    path = generated.write_jsonl(folder / "rows.jsonl", generated.rows(300, seed=5, moderation=False))
    opened = Store(folder / "store.db").open()
    opened.sync(path)
    return opened


@pytest.fixture(scope="module", autouse=True)
def _closed(store: Store) -> object:
    yield
    store.close()


def test_a_seed_means_the_same_rows_on_every_machine(store: Store) -> None:
    """Golden values: whoever changes them breaks every token and every sample that was ever written down."""
    assert [chat.row_index for chat in store.select().shuffle(2026).limit(10)] == GOLDEN_SHUFFLE
    sample = store.select().sample(12, seed=2026, by=["language"], per_family=1, allocation="sqrt")
    assert sorted(chat.row_index for chat in sample) == GOLDEN_SAMPLE


@given(st.lists(st.integers(0, 2**40), min_size=1), st.integers())
def test_hashes_are_splitmix64(row_indexes: list[int], seed: int) -> None:
    found = hashed(np.array(row_indexes, np.int64), seed)
    assert found.tolist() == [model.hashed(row_index, seed) for row_index in row_indexes]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_shards_are_disjoint_complete_and_balanced(store: Store, count: int) -> None:
    shards = [[chat.row_index for chat in store.select().shard(number, count)] for number in range(count)]
    assert sorted(row for shard in shards for row in shard) == list(range(300))
    assert all(abs(len(shard) - 300 / count) <= 3 for shard in shards)


@given(st.integers(2, 8), st.integers(2, 12), st.integers(0, 10**6))
def test_shards_are_balanced_at_any_distance_of_rows(count: int, step: int, first: int) -> None:
    """A file may have a period (two answers to each question, in turns): no shard gets one of them alone."""
    found = Counter(shard_of(first + step * number, count) for number in range(2000))
    assert all(abs(found[number] - 2000 / count) <= 2000 / count / 2 for number in range(count))


def test_splits_partition_whole_families(store: Store) -> None:
    found: dict[str, dict[int, int | None]] = {}
    for name in SPLITS:
        found[name] = {chat.row_index: chat.labels.family for chat in store.select().split(name)}
    assert sorted(row for rows in found.values() for row in rows) == list(range(300))
    families = [set(rows.values()) for rows in found.values()]
    assert not (families[0] & families[1] or families[1] & families[2] or families[0] & families[2])
    assert len(found["train"]) > 4 * len(found["dev"]) and found["dev"] and found["test"]


def test_a_row_keeps_split_and_shard_when_the_store_grows(store: Store, tmp_path: Path) -> None:
    source = generated.write_jsonl(tmp_path / "rows.jsonl", generated.rows(300, seed=5, moderation=False))

    def parts(opened: Store) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for name in SPLITS:
            found[name] = [chat.row_index for chat in opened.select().split(name)]
        return found | {str(at): [chat.row_index for chat in opened.select().shard(at, 3)] for at in range(3)}

    with Store(tmp_path / "store.db") as small:
        small.sync(source, limit=100)
        before = parts(small)
    assert before == {name: [row for row in rows if row < 100] for name, rows in parts(store).items()}


@given(st.lists(st.tuples(st.integers(0, 2**40), st.none() | st.integers(-(2**63), 2**63 - 1)), min_size=1, max_size=20,
                unique_by=lambda row: row[0]), st.integers(1, 9))  # fmt: skip
def test_rows_sql_and_arrays_agree_on_parts(rows: list[tuple[int, int | None]], count: int) -> None:
    engine = create_engine("sqlite://")
    columns = (conversation.c.row_index, conversation.c.family)
    with engine.begin() as connection:
        metadata.tables["conversation"].create(connection)
        blank: dict[str, int | None] = {column.name: 0 for column in conversation.columns if not column.nullable}
        connection.execute(
            conversation.insert(), [blank | {"row_index": row_index, "family": family} for row_index, family in rows]
        )
        for name in SPLITS:
            for number in range(count):
                where = compile_query(Part(name, (number, count)), replies_indexed=False)
                found = set(connection.execute(select(columns[0]).where(where)).scalars())
                assert found == {
                    row for row, family in rows if split_of(family, row) == name and shard_of(row, count) == number
                }
    engine.dispose()
    indexes = np.array([row_index for row_index, _ in rows], np.int64)
    for number in range(count):
        assert in_shard(indexes, number, count).tolist() == [shard_of(row, count) == number for row, _ in rows]


@given(
    st.lists(st.integers(0, 10**6), max_size=12), st.integers(0, 10**6), st.sampled_from(["proportional", "equal", "sqrt"])
)  # fmt: skip
def test_shares_add_up_and_are_fair(sizes: list[int], number: int, allocation: str) -> None:
    """All that is asked for is given where there is so much; no stratum gives more than it has; a larger one gives no less."""
    given_ = allotted(sizes, number, allocation)  # type: ignore[arg-type]
    assert sum(given_) == min(number, sum(sizes))
    assert all(0 <= share <= size for share, size in zip(given_, sizes, strict=True))
    by_size = sorted(zip(sizes, given_, strict=True))
    assert all(other - one >= -1 for (_, one), (_, other) in pairwise(by_size))


def test_a_funnel_says_what_each_step_left_and_what_a_stratum_lacked(store: Store) -> None:
    english = store.select(language="en").sample(40, seed=1, by="model", per_family=1, allocation="equal")
    assert sum(1 for _ in english) == 40
    steps = english.funnel.steps
    assert [step.name for step in steps] == ["stored", "matching", "sampled"]
    assert [step.count for step in steps] == [300, store.select(language="en").count(), 40]
    assert str(english.funnel).startswith("300 stored > ")
    few = store.select(None, fields.row_index < 30).sample(50, seed=1)
    assert sum(1 for _ in few) == 30
    assert few.funnel.notes == ("all rows: 30 of 50 asked for, all there are",)
    claude = store.select().sample(90, seed=1, by="model", allocation="equal")
    assert sum(1 for _ in claude) == 90
    assert claude.funnel.notes and all("asked for, all there are" in note for note in claude.funnel.notes)


def test_a_funnel_in_row_order_counts_what_was_handed_over(store: Store) -> None:
    train = store.select(language="en").split("train").shard(0, 2)
    rows = sum(1 for _ in train)
    english, in_train = store.select(language="en"), store.select(language="en").split("train")
    assert str(train.funnel) == (
        f"300 stored > {english.count()} matching > {in_train.count()} in train > {rows} in shard 0 of 2"
    )
    assert not store.select().funnel.steps
    few = store.select().limit(5)
    assert str((len(list(few)), few.funnel)) == str((5, few.funnel)) and str(few.funnel) == "5 within the limit"


def test_distinct_keeps_the_row_that_comes_first_in_the_data_set(tmp_path: Path) -> None:
    """Whatever the order is, and among the rows that match alone."""
    rows = list(generated.rows(30, seed=5, moderation=False))
    with Store(tmp_path / "store.db") as store:
        store.sync(generated.write_jsonl(tmp_path / "rows.jsonl", [*rows, *rows[10:], *rows]))
        keys: tuple[Distinct, ...] = ("prompt", "family")
        for key in keys:
            kept = store.select().shuffle(3).distinct(key)
            assert sorted(chat.row_index for chat in kept) == list(range(30))
            later = store.select(None, fields.row_index >= 15).distinct(key)
            assert [chat.row_index for chat in later] == [*range(15, 35), *range(50, 60)]
        assert str(later.funnel) == "80 stored > 65 matching > 30 distinct families"


def test_a_sample_and_its_parts_are_the_samples_rows(store: Store) -> None:
    """What stands after a sample chooses among its rows, and draws no others."""
    whole = {chat.row_index for chat in store.select().sample(100, seed=4)}
    parts = [{chat.row_index for chat in store.select().sample(100, seed=4).split(name)} for name in SPLITS]
    assert set().union(*parts) == whole and sum(map(len, parts)) == 100
    assert store.select(Query()).sample(100, seed=4).split("train").count() == len(parts[0])
