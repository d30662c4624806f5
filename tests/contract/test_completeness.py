"""What results say of themselves: origins, completeness and the notes that explain an empty answer."""

from pathlib import Path

import pytest

from lmsys_store import seeds
from lmsys_store.errors import IncompleteResultError
from tests.contract.conftest import OpenStore


def test_a_store_that_covers_the_split_answers_completely(open_store: OpenStore, generated_path: Path) -> None:
    chats = open_store(generated_path).select(turns=2, require_complete=True)
    before = chats.complete
    number = len(list(chats))
    assert (before, chats.complete) == (None, True), "nothing is known before the end"
    assert (chats.origins, chats.notes) == ({"cache": number}, ())


def test_partial_coverage_is_not_complete(open_store: OpenStore, store_path: Path, generated_jsonl: Path) -> None:
    store = open_store(store_path)
    store.sync(generated_jsonl, limit=100)
    chats = store.select()
    assert len(list(chats)) == 100
    assert chats.complete is False


def test_require_complete_raises_instead_of_ending_short(
    open_store: OpenStore, store_path: Path, generated_jsonl: Path
) -> None:
    store = open_store(store_path)
    store.sync(generated_jsonl, limit=100)
    rows = iter(store.select(require_complete=True))
    taken = [next(rows) for _ in range(100)]
    assert len(taken) == 100
    with pytest.raises(IncompleteResultError, match="sync"):
        next(rows)


def test_a_reached_limit_is_complete(open_store: OpenStore, store_path: Path, generated_jsonl: Path) -> None:
    store = open_store(store_path)
    store.sync(generated_jsonl, limit=100)
    chats = store.select(require_complete=True).limit(60)
    assert len(list(chats)) == 60
    assert chats.complete is True


def test_a_limit_that_is_not_reached_is_not(open_store: OpenStore, store_path: Path, generated_jsonl: Path) -> None:
    store = open_store(store_path)
    store.sync(generated_jsonl, limit=100)
    chats = store.select().limit(101)
    assert len(list(chats)) == 100
    assert chats.complete is False


def test_a_count_reports_as_an_iteration_does(open_store: OpenStore, store_path: Path, generated_jsonl: Path) -> None:
    store = open_store(store_path)
    store.sync(generated_jsonl, limit=100)
    everything = store.select(model="gpt4")
    for chats in (everything, everything.distinct("prompt"), everything.shuffle(1)):
        assert chats.count() == 0
        assert ["gpt4" in note for note in chats.notes] == [True]
        assert (chats.complete, chats.origins, chats.token) == (False, {}, None)


def test_a_count_that_must_be_complete_raises_whatever_is_done_to_the_rows(
    open_store: OpenStore, store_path: Path, generated_jsonl: Path
) -> None:
    store = open_store(store_path)
    store.sync(generated_jsonl, limit=100)
    everything = store.select(require_complete=True)
    for chats in (everything, everything.distinct("prompt"), everything.sample(5, seed=1)):
        with pytest.raises(IncompleteResultError, match="sync"):
            chats.count()
        assert chats.complete is False


def test_deleted_rows_leave_the_answer_complete(open_store: OpenStore, generated_path: Path) -> None:
    store = open_store(generated_path)
    store.delete(redacted=True)
    chats = store.select(require_complete=True)
    assert len(list(chats)) > 0
    assert chats.complete is True


def test_an_empty_store_says_what_to_do(open_store: OpenStore, store_path: Path) -> None:
    store = open_store(store_path)
    chats = store.select(model="gpt-4")
    assert list(chats) == []
    assert any("empty" in note and "sync" in note for note in chats.notes)
    assert (chats.complete, chats.origins, chats.count(), chats.first()) == (None, {}, 0, None)


def test_an_empty_store_cannot_promise_completeness(open_store: OpenStore, store_path: Path) -> None:
    with pytest.raises(IncompleteResultError):
        list(open_store(store_path).select(require_complete=True))


@pytest.mark.parametrize(
    ("filters", "word", "nearest"),
    [
        ({"model": "gpt4"}, "gpt4", "gpt-4"),
        ({"model": ["claude-2", "vicuna-33"]}, "vicuna-33", "vicuna-33b"),
        ({"language": "Portugese"}, "Portugese", "Portuguese"),
    ],
)
def test_an_unknown_model_or_language_is_noted_with_the_nearest_name(
    open_store: OpenStore, generated_path: Path, filters: dict[str, str], word: str, nearest: str
) -> None:
    store = open_store(generated_path)
    chats = store.select(**filters)  # type: ignore[arg-type]
    list(chats)
    (note,) = chats.notes
    assert repr(word) in note
    assert repr(nearest) in note
    assert store.explain(**filters).notes == (note,)  # type: ignore[arg-type]


def test_a_known_language_by_code_is_no_note(open_store: OpenStore, generated_path: Path) -> None:
    chats = open_store(generated_path).select(language=["en", "pt-BR"])
    assert {chat.language for chat in chats} == {"English", "Portuguese"}
    assert chats.notes == ()


def test_the_seeds_say_that_they_are_mock_wherever_they_lie(open_store: OpenStore, store_path: Path) -> None:
    store = open_store(store_path)
    report = store.sync(seeds)
    chats = store.select()
    assert {chat.origin.value for chat in chats} == {"mock"}
    assert chats.origins == {"mock": report.rows_added}
    one = store.get(0)
    assert one is not None
    assert (one.origin.value, one.conversation_id) == ("mock", "mock-0001")
