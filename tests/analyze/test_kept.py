"""Values kept in the store by name, and the default analysis of a domain among them: made once, then looked up."""

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from lmsys_store import AsyncStore, Store
from lmsys_store.analyze import PatternReport, Patterns
from lmsys_store.errors import QueryError, StoreReadOnlyError
from lmsys_store.insights import CONSUMER_DOMAINS, analyze_domain, keep_analyses
from tests import generated
from tests.analyze.planted import Plan, fill

PLAN = Plan(times=10.0)
ROWS = 15_000


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which chats of one domain are rated well more often where they name an output format."""
    path = fill(tmp_path_factory.mktemp("planted") / "store.db", ROWS, PLAN)
    with Store(path) as store:
        store.run(keep_analyses)
    return path


@pytest.mark.timeout(120)
@pytest.mark.parametrize("domain", CONSUMER_DOMAINS)
def test_every_domain_of_the_consumer_is_answered_at_once(planted: Path, domain: str) -> None:
    with Store(planted) as store:
        started = time.monotonic()
        report = store.run(lambda opened: analyze_domain(opened, domain))
        assert time.monotonic() - started < 1
        found = report.to_promptloop()
        assert set(found) == {"commonPatterns", "successfulPrompts", "failureIndicators", "recommendedStructure"}
        assert len(found["commonPatterns"]) >= 3 and len(found["failureIndicators"]) >= 1
        assert len(found["successfulPrompts"]) >= 5
        stored = {chat.first_prompt for chat in store.select(fallback="cache")}
        assert set(found["successfulPrompts"]) <= stored
        ratings = [one.rating or 0.0 for one in report.exemplars if one.level == domain]
        assert ratings == sorted(ratings, reverse=True)


@pytest.mark.timeout(120)
def test_an_effect_planted_in_one_domain_is_recommended_there_and_nowhere_else(planted: Path) -> None:
    with Store(planted) as store:
        found = {domain: _recommended(store, domain) for domain in CONSUMER_DOMAINS}
    assert found.pop("legal") == "Name the output format."
    assert not any("output format" in sentence for sentence in found.values()), found


def _recommended(store: Store, domain: str) -> str:
    return store.run(lambda opened: analyze_domain(opened, domain)).to_promptloop()["recommendedStructure"]


def test_a_domain_of_twelve_rows_says_where_its_evidence_comes_from(planted: Path) -> None:
    with Store(planted) as store:
        report = store.run(lambda opened: analyze_domain(opened, PLAN.small))
    assert report.rows == PLAN.small_rows
    assert any(
        f"finance has 12 rows: lines marked 'all rows' rest on all {ROWS:,} rows" in line for line in report.caveats
    )
    assert all("all rows" in line for line in report.to_promptloop()["failureIndicators"])
    assert {one.level for one in report.common_structures} == {"finance", "all rows"}


def test_an_analysis_says_when_the_store_has_changed_since(tmp_path: Path) -> None:
    path = fill(tmp_path / "store.db", 400, PLAN)
    with Store(path) as store:
        assert not _is_old(store)
        store.sync(tmp_path / "store-rows.jsonl")  # nothing new
        assert not _is_old(store)
        (tmp_path / "more.jsonl").write_text(json.dumps({"conversation_id": f"{5:032x}", "rating": 5.0}) + "\n")
        store.import_labels(tmp_path / "more.jsonl")
        assert _is_old(store)
        store.run(lambda opened: analyze_domain(opened, "legal", refresh=True))
        assert not _is_old(store)
        with pytest.raises(QueryError, match="did you mean"):
            store.run(lambda opened: analyze_domain(opened, "leegal"))


def _is_old(store: Store) -> bool:
    report = store.run(lambda opened: analyze_domain(opened, "legal"))
    return any("make it anew" in line for line in report.caveats)


@pytest.mark.anyio
async def test_a_sync_makes_anew_what_was_kept(tmp_path: Path) -> None:
    rows = list(generated.rows(60, moderation=False))

    async def keep_two(store: AsyncStore) -> None:
        await keep_analyses(store, ["coding", "science"])

    async with AsyncStore(tmp_path / "store.db") as store:
        await store.sync(generated.write_jsonl(tmp_path / "rows.jsonl", rows), after=[keep_two])
        kept = [await store.recall(name) for name in await _names(store)]
        assert len(kept) == 3 and all(one is not None and one.current for one in kept)


async def _names(store: AsyncStore) -> list[str]:
    from lmsys_store import Query
    from lmsys_store.insights import clear_query

    return [f"patterns/{query.digest}" for query in (Query(), clear_query("coding"), clear_query("science"))]


def test_values_are_kept_by_name_with_their_stamp(tmp_path: Path) -> None:
    rows = generated.write_jsonl(tmp_path / "rows.jsonl", generated.rows(40, moderation=False))
    with Store(tmp_path / "store.db") as store:
        store.sync(rows, limit=20)
        assert store.recall("mine") is None
        assert store.remember("mine", {"words": ["ü", 1.5, None]})
        found = store.recall("mine")
        assert found is not None and found.value == {"words": ["ü", 1.5, None]} and found.current
        assert store.remember("mine", 2)
        store.sync(rows)
        found = store.recall("mine")
        assert found is not None and found.value == 2 and not found.current
        with pytest.raises(TypeError):
            store.remember("mine", object())
        with pytest.raises(ValueError, match="JSON compliant"):
            store.remember("mine", float("nan"))


@pytest.mark.parametrize("forget", [True, False])
def test_deleted_texts_leave_what_was_kept(tmp_path: Path, forget: bool) -> None:
    """Also what is being made while they are deleted."""
    rows = list(generated.rows(30, moderation=False))
    rows[3]["conversation"][0]["content"] = "the quinquereme of Nineveh"
    with Store(tmp_path / "store.db") as store:
        store.sync(generated.write_jsonl(tmp_path / "rows.jsonl", rows))
        announced = store.announce("late")
        quoted = store.select(search="quinquereme", fallback="cache").first()
        assert quoted is not None
        store.remember("early", f"kept: {quoted.first_prompt}")
        assert store.delete(search="quinquereme", forget=forget) == 1
        assert store.recall("early") is None
        assert not store.remember("late", quoted.first_prompt, announced=announced)
        assert store.recall("late") is None
        assert store.check().ok
    left = b"".join(path.read_bytes() for path in tmp_path.glob("store.db*"))
    assert b"kept: the quinquereme" not in left


def test_an_announcement_of_another_does_not_stand_for_ones_own(tmp_path: Path) -> None:
    """Else a text that was deleted between the two comes back with what the first maker had read."""
    with Store(tmp_path / "store.db") as store:
        store.sync(generated.write_jsonl(tmp_path / "rows.jsonl", generated.rows(30, moderation=False)))
        first = store.announce("mine")
        quoted = store.select(fallback="cache").first()
        assert quoted is not None
        store.delete(conversation_id=quoted.conversation_id)
        second = store.announce("mine")
        assert not store.remember("mine", quoted.first_prompt, announced=first)
        assert store.recall("mine") is None
        third = store.announce("mine")
        assert store.remember("mine", 2, announced=second) and store.remember("mine", 3, announced=third)
        assert not store.remember("mine", 4, announced=third), "an announcement serves once"


@pytest.mark.parametrize("made", ["before", "meanwhile"])
def test_what_was_made_of_other_labels_is_not_current(tmp_path: Path, made: str) -> None:
    """The version of the labels does not say it: it is the code's, and rows may have older ones."""
    with Store(tmp_path / "store.db") as store:
        store.sync(generated.write_jsonl(tmp_path / "rows.jsonl", generated.rows(30, moderation=False)))
        with closing(sqlite3.connect(store.path)) as connection, connection:
            connection.execute("UPDATE conversation SET labels_version = 'of before'")
        announced = store.announce("mine")
        if made == "before":
            assert store.remember("mine", 1, announced=announced)
        assert store.relabel().rows == 30
        if made == "meanwhile":
            assert store.remember("mine", 1, announced=announced)
        found = store.recall("mine")
        assert found is not None and not found.current
        assert store.relabel().rows == 0 and store.remember("mine", 2)
        found = store.recall("mine")
        assert found is not None and found.current


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Another writer holds the store meanwhile."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def test_a_deadline_is_held_while_another_writes(tmp_path: Path) -> None:
    path = fill(tmp_path / "store.db", 400, PLAN)
    with Store(path) as store, _held(path):
        started = time.monotonic()
        report = store.run(lambda opened: analyze_domain(opened, "legal", deadline=3.0))
        assert report.rows and time.monotonic() - started < 4


def test_a_report_is_not_lost_because_another_writes_when_it_is_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fill(tmp_path / "store.db", 400, PLAN)
    with Store(path) as store, closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        update = Patterns.update

        def held(self: Patterns, batch: object) -> None:
            if not other.in_transaction:
                other.execute("BEGIN IMMEDIATE")
            update(self, batch)  # type: ignore[arg-type]

        monkeypatch.setattr(Patterns, "update", held)
        assert store.run(lambda opened: analyze_domain(opened, "legal", deadline=3.0)).rows
        other.execute("ROLLBACK")


def test_of_rows_that_could_not_be_read_in_time_nothing_is_reckoned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The result of all rows costs as much as it does when they are whole, and would be thrown away."""
    path = fill(tmp_path / "store.db", 3000, PLAN)
    results: list[str] = []
    result = Patterns.result

    def noted(self: Patterns) -> PatternReport:
        results.append(self.level)
        return result(self)

    monkeypatch.setattr(Patterns, "result", noted)
    with Store(path) as store:
        rows = store.select(domain="legal", fallback="cache").count()
        update = Patterns.update
        late = [False]

        def slow(self: Patterns, batch: list[object]) -> None:
            late[0] = late[0] or self.level == "all rows"
            update(self, batch)  # type: ignore[arg-type]

        monkeypatch.setattr(Patterns, "update", slow)
        clock = time.monotonic
        monkeypatch.setattr("lmsys_store.insights.time.monotonic", lambda: clock() + 1000 * late[0])
        report = store.run(lambda opened: analyze_domain(opened, "legal", deadline=500.0))
    assert report.rows == rows and results == ["legal"]


def test_analyses_that_cannot_be_kept_are_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fill(tmp_path / "store.db", 400, PLAN)
    access = os.access
    monkeypatch.setattr(Patterns, "update", lambda *_: pytest.fail("it is of no use"))
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda place, mode: mode != os.W_OK and access(place, mode))
        with Store(path) as store, pytest.raises(StoreReadOnlyError):
            store.run(keep_analyses)


def test_an_analysis_that_rows_were_deleted_from_meanwhile_is_made_anew_to_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fill(tmp_path / "store.db", 400, PLAN)
    update = Patterns.update
    deleted: list[int] = []

    def deleting(self: Patterns, batch: list[object]) -> None:
        if not deleted:
            with Store(path) as other:
                deleted.append(other.delete(domain="legal"))
        update(self, batch)  # type: ignore[arg-type]

    async def keep_one(store: AsyncStore) -> None:
        await keep_analyses(store, ["science"])

    with Store(path) as store:
        rows = store.select(fallback="cache").count()
        monkeypatch.setattr(Patterns, "update", deleting)
        store.run(keep_one)
        kept = store.recall(f"patterns/{store.select().query.digest}")
        assert deleted[0] and kept is not None and kept.value["rows"] == rows - deleted[0]
