"""Labels in a store: the same from every source, computed anew, laid over from outside and taken back, explained."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lmsys_store import Store, fields, seeds
from lmsys_store.convert import to_test_cases
from lmsys_store.errors import LabelError
from lmsys_store.labels import labeller
from lmsys_store.phases import MockRowsWarning
from tests import generated

ROWS = 120


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    source = generated.write_jsonl(tmp_path / "rows.jsonl", list(generated.rows(ROWS, moderation=False)))
    with Store(tmp_path / "store.db") as opened:
        opened.sync(source)
        yield opened


def all_labels(store: Store) -> list[object]:
    return [chat.labels for chat in store.select()]


def make_stale(store: Store, where: str) -> None:
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute(f"UPDATE conversation SET labels = NULL, labels_version = '0', domain = NULL WHERE {where}")
        connection.commit()


def test_rows_have_labels_and_queries_find_them(store: Store) -> None:
    domains = dict(store.facet("domain"))
    assert sum(domains.values()) == ROWS and None not in domains
    name = next(iter(domains))
    assert {chat.labels.domain for chat in store.select(domain=name)} == {name}
    assert store.select(min_rating=3).count() + store.select(fields.rating < 3).count() == ROWS
    assert {chat.labels.rating for chat in store.select(fields.rating_basis == "none")} == {3.0}


def test_seeds_are_labelled_alike_from_the_store_and_from_the_package(tmp_path: Path) -> None:
    with Store(tmp_path / "seeds.db") as held, Store(tmp_path / "empty.db") as empty:
        held.sync(seeds)
        with pytest.warns(MockRowsWarning):
            served = {chat.conversation_id: chat.labels for chat in empty.select(domain="coding", fallback="mock")}
        assert served == {chat.conversation_id: chat.labels for chat in held.select(domain="coding")} != {}


def test_labelling_anew_goes_on_where_it_stopped_and_gives_the_same(store: Store) -> None:
    before = all_labels(store)
    make_stale(store, "row_index % 3 = 0")
    assert store.status().stale_labels == ROWS / 3
    assert store.relabel().rows == ROWS / 3
    assert all_labels(store) == before and store.status().stale_labels == 0
    assert store.relabel().rows == 0


def test_what_goes_by_templates_notes_labels_of_another_version(store: Store) -> None:
    def notes() -> list[tuple[str, ...]]:
        found = []
        for results in (
            store.select().split("train"), store.select().distinct("family"), store.select().sample(5, seed=1, per_family=1),
            store.select().shard(0, 2), store.select().sample(5, seed=1),
        ):  # fmt: skip
            for read in (list, type(results).count):
                read(results)
                found.append(results.notes)
        return found

    assert set(notes()) == {()}
    make_stale(store, "row_index < 7")
    noted = notes()
    assert set(noted[6:]) == {()}, "shards and plain samples need no label"
    assert all(len(one) == 1 and "7 rows" in one[0] and "lmsys-store relabel" in one[0] for one in noted[:6])
    store.relabel()
    assert set(notes()) == {()}


def write_lines(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_labels_from_outside_are_laid_over_survive_and_are_taken_back(store: Store, tmp_path: Path) -> None:
    first, second, *_ = list(store.select())
    before = all_labels(store)
    votes = write_lines(
        tmp_path / "votes.jsonl",
        {"conversation_id": first.conversation_id, "rating": 4.5, "domain": "legal"},
        {"conversation_id": second.conversation_id, "category": "UR5", "feedback_turn": 1},
    )
    entry = store.import_labels(votes)
    assert (entry.name, entry.matched, entry.unmatched) == ("votes.jsonl", 2, 0)
    over = store.get(first.row_index)
    assert over is not None and (over.labels.rating, over.labels.domain, over.labels.rating_basis) == (
        4.5,
        "legal",
        "external",
    )
    praised = store.get(second.row_index)
    assert (
        praised is not None and "praise" in (praised.labels.signals or ()) and praised.labels.rating_basis == "external"
    )
    make_stale(store, "1")
    store.relabel()
    assert store.get(first.row_index) == over
    assert [one.name for one in store.status().label_imports] == ["votes.jsonl"]
    store.remove_labels("votes.jsonl")
    assert all_labels(store) == before and store.status().label_imports == ()


@pytest.mark.parametrize(
    ("vote", "rating"), [("winner", 5.0), ("tie", 3.0), ("both bad", 2.0), ("both-bad", 2.0), ("loser", 1.0)]
)
def test_a_vote_is_a_rating_from_outside_and_a_later_import_lies_over_it(
    store: Store, tmp_path: Path, vote: str, rating: float
) -> None:
    [chat] = list(store.select().limit(1))
    store.import_labels(
        write_lines(tmp_path / "vote.jsonl", {"conversation_id": chat.conversation_id, "vote": vote}), name="vote"
    )
    store.relabel()
    voted = store.get(chat.row_index)
    assert voted is not None and (voted.labels.rating, voted.labels.rating_basis) == (rating, "external")
    judged = {"conversation_id": chat.conversation_id, "rating": 1.5}
    store.import_labels(write_lines(tmp_path / "judge.jsonl", judged), name="judge")
    store.relabel()
    over = store.get(chat.row_index)
    assert over is not None and over.labels.rating == 1.5


def test_the_evidence_is_stored_with_the_labels_and_nothing_is_computed_anew(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = [
        {"role": "user", "content": "What is the capital of Australia?"},
        {"role": "assistant", "content": "The capital of Australia is Sydney."},
        {"role": "user", "content": "no, that's wrong. it is Canberra"},
        {"role": "assistant", "content": "You are right, I apologize. It is Canberra."},
    ]
    path = write_lines(tmp_path / "one.jsonl", {"conversation_id": "wrong", "model": "m", "conversation": messages})
    with Store(tmp_path / "one.db") as other:
        other.sync(path)
        [chat] = list(other.select())
        kept = [(one.id, one.turn, one.message) for one in chat.labels.evidence or ()]
        assert kept == [("user-correction", 1, 2), ("assistant-apology", 1, 3)]
        monkeypatch.setattr(labeller, "said_of", lambda chats: pytest.fail("computed anew"))
        explained = other.explain_labels("wrong")
        assert explained is not None and explained.rating.evidence == chat.labels.evidence
        [case] = list(other.select().convert(to_test_cases(outputs="correction_pair")))
        assert case.input == messages[0]["content"]


@pytest.mark.parametrize(
    "row, word",
    [
        ({"conversation_id": "nobody", "rating": 3}, "nobody"), ({"rating": 3}, "conversation_id is missing"),
        ({"conversation_id": "x"}, "nothing is said"), ({"conversation_id": "x", "rating": 9}, "rating"),
        ({"conversation_id": "x", "vote": "best"}, "winner"),
        ({"conversation_id": "x", "tags": "[greeting"}, "list"), ({"conversation_id": "x", "tags": 5}, "list"),
        ({"conversation_id": "x", "tags": [1]}, "list"), ({"conversation_id": "x", "feedback": ["x"], "round": 1}, "feedback"),
        ({"conversation_id": "x", "feedback": "praise", "round": float("inf")}, "round"),
        ({"conversation_id": "x", "vote": "tie", "rating": 3}, "one of them"),
        ({"conversation_id": "x", "domain": "leagl"}, "legal"), ({"conversation_id": "x", "feedback": "praise"}, "round"),
    ],
)  # fmt: skip
def test_a_bad_label_file_is_named_and_changes_nothing(
    store: Store, tmp_path: Path, row: dict[str, object], word: str
) -> None:
    before = all_labels(store)
    with pytest.raises(LabelError, match=word):
        store.import_labels(write_lines(tmp_path / "bad.jsonl", row))
    assert all_labels(store) == before and store.status().label_imports == ()


def test_unknown_ids_can_be_left_out_and_are_counted(store: Store, tmp_path: Path) -> None:
    known = store.select().first()
    assert known is not None
    path = tmp_path / "judge.csv"
    path.write_text(f'conversation_id,rating,tags\n{known.conversation_id},2,"marketing, multi-turn"\nnobody,5,\n')
    entry = store.import_labels(path, name="judge", skip_unknown=True)
    assert (entry.matched, entry.unmatched) == (1, 1)
    labelled = store.get(known.row_index)
    assert labelled is not None and labelled.labels.rating == 2 and labelled.labels.tags == ("marketing", "multi-turn")
    assert [(one.label, one.both) for one in store.label_agreement(write_lines(
        tmp_path / "same.jsonl", {"conversation_id": known.conversation_id, "domain": str(known.labels.domain)}
    ))] == [(f"domain {known.labels.domain}", 1)]  # fmt: skip


def test_a_row_explains_its_labels(store: Store) -> None:
    found = store.explain_labels(5)
    chat = store.get(5)
    assert found is not None and chat is not None and found.labels == chat.labels
    assert store.explain_labels("nobody") is None
