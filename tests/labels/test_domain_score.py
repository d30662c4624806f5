"""How sure a domain must be: a keyword beside the domain, a step of the funnel, and what PromptLoop's calls leave out."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lmsys_store import Query, Store, fields, seeds
from lmsys_store.errors import QueryError
from lmsys_store.promptloop import fetch_conversations, generate_domain_test_cases
from lmsys_store.query import CLEAR_DOMAIN
from tests.cli.program import run


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store.db") as opened:
        opened.sync(seeds)
        yield opened


@pytest.mark.parametrize("name", ["coding", "communication", "ai-development"])
def test_it_goes_with_a_domain_and_with_each_part_of_an_alias(store: Store, name: str) -> None:
    every = list(store.select(domain=name))
    sure = list(store.select(domain=name, min_domain_score=0.9))
    assert 0 < len(sure) < len(every)
    assert sure == [chat for chat in every if (chat.labels.domain_score or 0) >= 0.9]
    assert store.select(domain=name, min_domain_score=0).count() == len(every)


def test_without_a_domain_it_means_nothing_and_says_so() -> None:
    with pytest.raises(QueryError, match="give domain too"):
        Query.of(min_domain_score=0.5)
    assert Query.of(domain="legal", min_domain_score=0) == Query.of(domain="legal")


def test_an_imported_domain_is_as_sure_as_can_be(store: Store, tmp_path: Path) -> None:
    chat = store.select(fields.domain_score < 0.5).first()
    assert chat is not None
    path = tmp_path / "votes.jsonl"
    path.write_text(f'{{"conversation_id": "{chat.conversation_id}", "domain": "legal"}}\n')
    store.import_labels(path)
    store.relabel()
    found = {one.conversation_id for one in store.select(domain="legal", min_domain_score=1)}
    assert chat.conversation_id in found


def test_test_cases_of_a_domain_say_what_was_left_out(store: Store, tmp_path: Path) -> None:
    guess = store.select((fields.domain_score < CLEAR_DOMAIN) & (fields.domain != "general")).first()
    assert guess is not None and guess.labels.domain is not None
    domain, path = guess.labels.domain, store.path
    store.close()
    arguments = ["testcases", "--store", path, "--fallback", "cache", "--domain", domain, "--output"]
    clear = run(*arguments, tmp_path / "clear.json").stdout
    every = run(*arguments, tmp_path / "every.json", "--min-domain-score", "0").stdout
    assert f"with domain_score >= {CLEAR_DOMAIN}" in clear and "domain_score" not in every


def test_promptloops_calls_leave_out_what_is_of_a_domain_by_a_hair(store: Store) -> None:
    every = store.select(domain="general").count()
    sure = store.select(domain="general", min_domain_score=CLEAR_DOMAIN).count()
    found = fetch_conversations({"domain": "general", "maxConversations": 1000}, store=store)
    assert len(found) == sure <= every
    cases = generate_domain_test_cases("coding", 100, store=store)
    assert len(cases) <= store.select(domain="coding", min_domain_score=CLEAR_DOMAIN, language="en").count()
