"""PromptLoop's analyse call: from the store, from the remote where the store is empty, from the seeds; and never late."""

import json
import sqlite3
import time
import warnings
from contextlib import closing
from pathlib import Path

import pytest

from lmsys_store import Store
from lmsys_store.errors import QueryError
from lmsys_store.phases import MockRowsWarning
from lmsys_store.promptloop import analyze_conversation_patterns
from lmsys_store.settings import Settings
from tests import generated
from tests.chain.stores import settings
from tests.cli.program import run
from tests.standin import GeneratedRows, StandIn, serving

FIELDS = {"commonPatterns", "successfulPrompts", "failureIndicators", "recommendedStructure"}


@pytest.fixture
def filled(store_path: Path) -> Path:
    """A store of a few thousand generated rows."""
    source = generated.write_parquet(store_path.with_suffix(".parquet"), 2000)
    with Store(store_path) as store:
        store.sync(source)
    return store_path


def test_the_second_call_is_a_look_up(filled: Path) -> None:
    first = analyze_conversation_patterns("general", store=filled)
    assert set(first) == FIELDS and first["commonPatterns"]
    started = time.process_time()
    assert analyze_conversation_patterns("general", store=filled) == first
    assert time.process_time() - started < 1


def test_what_cannot_be_read_in_time_is_left_out(filled: Path) -> None:
    cut = analyze_conversation_patterns("general", store=filled, deadline=0)
    assert set(cut) == FIELDS
    with Store(filled) as store:
        held = {chat.first_prompt for chat in store.select()}
    assert set(cut["successfulPrompts"]) <= held


def test_an_empty_store_is_filled_from_the_remote_and_the_next_call_needs_none(store_path: Path) -> None:
    with serving(StandIn(GeneratedRows(400))) as standin:
        found = analyze_conversation_patterns(
            "general", store=store_path, settings=settings(standin, fallback="remote")
        )
        asked = len(standin.log)
    assert found["commonPatterns"] and asked
    assert set(analyze_conversation_patterns("general", store=store_path)) == FIELDS


def test_what_was_fetched_is_analysed_where_it_cannot_be_kept(store_path: Path) -> None:
    with Store(store_path):
        pass
    with serving(StandIn(GeneratedRows(400))) as standin, closing(sqlite3.connect(store_path)) as other:
        other.execute("BEGIN IMMEDIATE")
        found = analyze_conversation_patterns(
            "general", store=store_path, settings=settings(standin, fallback="remote")
        )
    assert found["commonPatterns"] and found["successfulPrompts"]


def test_where_nothing_real_can_be_had_the_seeds_are_analysed(store_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MockRowsWarning)
        found = analyze_conversation_patterns(
            "legal", store=store_path, settings=Settings(offline=True, fallback="mock")
        )
    assert found["commonPatterns"] and found["successfulPrompts"]


def test_an_unknown_domain_is_an_error() -> None:
    with pytest.raises(QueryError, match="unknown domain"):
        analyze_conversation_patterns("lega1")


def test_the_command_gives_one_json_value(filled: Path) -> None:
    done = run("promptloop", "analyze", "--store", filled, input='{"domain": "general"}')
    assert done.returncode == 0, done
    assert set(json.loads(done.stdout)) == FIELDS
    wrong = run("promptloop", "analyze", "--store", filled, input="{}")
    assert wrong.returncode == 1 and set(json.loads(wrong.stdout)) == {"error", "remedy"}
