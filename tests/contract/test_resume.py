"""Resume tokens: taken after any row they yield exactly the rest, anywhere; what is not such a token is refused."""

import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmsys_store import Query, Store, fields
from lmsys_store.errors import ResumeTokenError
from lmsys_store.results import Position
from tests import generated
from tests.contract.conftest import OpenStore, StoreClass

QUERY = Query.of(turns=(1, 3))
_RESUME = """
import json, sys
from lmsys_store import Query, Store
with Store(sys.argv[1]) as store:
    results = store.select(Query.from_json(json.loads(sys.argv[2])), resume=sys.argv[3])
    print(json.dumps([chat.row_index for chat in results]))
"""


def _indexes(store: Store, query: Query = QUERY, *, resume: str | None = None, limit: int | None = None) -> list[int]:
    results = store.select(query, resume=resume)
    return [chat.row_index for chat in (results if limit is None else results.limit(limit))]


def _token_after(store: Store, taken: int, *, limit: int | None = None, query: Query = QUERY) -> str:
    results = store.select(query) if limit is None else store.select(query).limit(limit)
    rows = iter(results)
    for _ in range(taken):
        next(rows)
    assert results.token is not None
    return results.token


def test_a_token_of_any_row_yields_exactly_the_rest(
    open_store: OpenStore, other_class: StoreClass, generated_path: Path
) -> None:
    """In the same store and by the other class, over the boundaries of the first pages and at the end."""
    store = open_store(generated_path)
    everything = _indexes(store)
    assert len(everything) > 160
    with other_class(generated_path) as other:
        for taken in (1, 2, 49, 50, 51, 149, 150, 151, len(everything) - 1, len(everything)):
            token = _token_after(store, taken)
            assert _indexes(store, resume=token) == everything[taken:]
            assert _indexes(other, resume=token) == everything[taken:]


def test_another_process_resumes(open_store: OpenStore, generated_path: Path) -> None:
    store = open_store(generated_path)
    command = [sys.executable, "-c", _RESUME, str(generated_path), json.dumps(QUERY.to_json()), _token_after(store, 57)]
    output = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    assert json.loads(output) == _indexes(store)[57:]


def test_a_limit_counts_the_rows_before_the_token(open_store: OpenStore, generated_path: Path) -> None:
    store = open_store(generated_path)
    everything = _indexes(store)
    for taken in (1, 60, 70):
        assert _indexes(store, resume=_token_after(store, taken, limit=70), limit=70) == everything[taken:70]


def test_a_chain_of_resumptions_yields_every_row_once(open_store: OpenStore, generated_path: Path) -> None:
    """Each run takes a few rows, saves its token in the loop body and dies."""
    store = open_store(generated_path)
    token: str | None = None
    seen: list[int] = []
    for run in range(1, 1000):
        results = store.select(QUERY, resume=token)
        before = len(seen)
        for chat in results:
            seen.append(chat.row_index)
            token = results.token
            if len(seen) - before == run:
                break
        if len(seen) == before:
            break
    assert seen == _indexes(store)


def test_a_token_does_not_see_what_was_stored_after_its_iteration_began(
    open_store: OpenStore, store_path: Path, generated_jsonl: Path
) -> None:
    store = open_store(store_path)
    store.sync(generated_jsonl, limit=250)
    before = _indexes(store)
    token = _token_after(store, 60)
    store.sync(generated_jsonl)
    assert _indexes(store, resume=token) == before[60:]
    assert len(_indexes(store)) > len(before)


def test_the_token_of_a_resumed_iteration_before_its_first_row_is_the_one_given(
    open_store: OpenStore, generated_path: Path
) -> None:
    store = open_store(generated_path)
    token = _token_after(store, 5)
    assert store.select(QUERY, resume=token).token == token
    assert store.select(QUERY).token is None


def test_origins_count_only_the_rows_of_this_run(open_store: OpenStore, generated_path: Path) -> None:
    store = open_store(generated_path)
    results = store.select(QUERY, resume=_token_after(store, 60))
    assert results.origins == {}
    rest = list(results)
    assert results.origins == {"cache": len(rest)}


# ------------------------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("query", "limit"),
    [(Query.of(turns=(1, 4)), None), (Query(), None), (QUERY, 9), (QUERY.where(fields.redacted == True), None)],  # noqa: E712
    ids=["other bounds", "no condition", "a limit", "one more condition"],
)
def test_a_token_of_another_query_or_limit_is_refused(
    open_store: OpenStore, generated_path: Path, query: Query, limit: int | None
) -> None:
    store = open_store(generated_path)
    with pytest.raises(ResumeTokenError, match="another query or limit"):
        _indexes(store, query, resume=_token_after(store, 3), limit=limit)


def test_a_token_of_another_revision_is_refused(open_store: OpenStore, generated_path: Path, tmp_path: Path) -> None:
    store = open_store(generated_path)
    other = open_store(tmp_path / "other.db")
    other.sync(generated.write_jsonl(tmp_path / "other.jsonl", generated.rows(5, seed=9)))
    with pytest.raises(ResumeTokenError, match="revision"):
        _indexes(other, resume=_token_after(store, 3))


def test_a_token_in_an_empty_store_is_refused(open_store: OpenStore, generated_path: Path, tmp_path: Path) -> None:
    token = _token_after(open_store(generated_path), 3)
    with pytest.raises(ResumeTokenError, match="empty"):
        _indexes(open_store(tmp_path / "empty.db"), resume=token)


def test_a_token_of_another_version_is_refused_with_both_versions(open_store: OpenStore, generated_path: Path) -> None:
    store = open_store(generated_path)
    newer = replace(Position.of_token(_token_after(store, 3)), version=99).token()
    with pytest.raises(ResumeTokenError, match="99"):
        _indexes(store, resume=newer)


def test_a_token_cut_short_anywhere_is_refused(open_store: OpenStore, generated_path: Path) -> None:
    """Down to nothing: an empty checkpoint file must not start the loop anew in silence."""
    store = open_store(generated_path)
    token = _token_after(store, 3)
    for length in range(len(token)):
        with pytest.raises(ResumeTokenError):
            _indexes(store, resume=token[:length])


def test_garbage_is_refused_by_select_itself(open_store: OpenStore, generated_path: Path) -> None:
    store = open_store(generated_path)
    for garbage in ("garbage", "e30", "{}", "0" * 300, "é"):
        with pytest.raises(ResumeTokenError, match="not a resume token"):
            store.select(QUERY, resume=garbage)


@given(st.text(min_size=1) | st.binary(min_size=1).map(bytes.hex))
@settings(max_examples=200)
def test_no_text_but_a_token_reads_as_one(text: str) -> None:
    with pytest.raises(ResumeTokenError):
        Position.of_token(text)


@given(st.data())
def test_a_token_with_any_character_changed_is_refused(data: st.DataObject) -> None:
    token = Position("0123456789abcdef", "r1", 7, 41, 42).token()
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("ABCXYZabcxyz0189-_").filter(lambda character: character != token[at]))
    changed = token[:at] + other + token[at + 1 :]
    with suppress(ResumeTokenError):
        assert Position.of_token(changed) == Position.of_token(token), (
            "only unused bits of the last character may differ"
        )
