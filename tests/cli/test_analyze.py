"""``lmsys-store analyze``: at a terminal, as JSON, Markdown and a page; filters, comparisons and what it refuses."""

import json
from pathlib import Path

import pytest

from lmsys_store import Store
from tests import generated
from tests.cli.program import run


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("analysed")
    with Store(folder / "store.db") as store:
        store.sync(generated.write_jsonl(folder / "rows.jsonl", generated.rows(1200, seed=4)))
    return folder / "store.db"


def test_the_summary_names_findings_and_their_limits(analysed: Path) -> None:
    done = run("analyze", "--store", analysed)
    assert done.returncode == 0 and "Patterns in all rows" in done.stdout
    for title in ("Recommended structure", "How often", "Kinds of questions", "Missing", "Caveats"):
        assert title in done.stdout
    assert "1,200 rows" in done.stdout


def test_json_has_the_whole_report(analysed: Path) -> None:
    done = run("analyze", "--store", analysed, "--json", "--model", "vicuna-13b")
    value = json.loads(done.stdout)
    assert value["level"] == "vicuna-13b" and value["version"] == 1
    assert {"associations", "untested", "common_structures", "promptloop", "missing", "caveats"} <= set(value)
    assert [one["name"] for one in value["models"]] == ["vicuna-13b"]


def test_without_examples_no_text_of_a_chat_is_printed(analysed: Path) -> None:
    value = json.loads(run("analyze", "--store", analysed, "--json", "--no-examples").stdout)
    assert "promptloop" not in value and value["exemplars"] == []
    assert all(one["example"] == "" for one in value["common_structures"])


def test_markdown_is_printed(analysed: Path) -> None:
    done = run("analyze", "--store", analysed, "--markdown", "--language", "en")
    assert done.stdout.startswith("# Patterns in en\n") and "## Caveats" in done.stdout


def test_a_domain_is_backed_by_the_rows_outside_it(analysed: Path) -> None:
    value = json.loads(run("analyze", "--store", analysed, "--json", "--domain", "business").stdout)
    assert value["level"] == "business"
    assert any("lines marked 'all rows'" in line for line in value["caveats"])


@pytest.mark.parametrize(
    ("change", "level"),
    [("model=koala-13b", "koala-13b"), ("flagged=yes", "flagged = True"), ("domain=science", "science")],
)
def test_two_queries_are_compared(analysed: Path, change: str, level: str) -> None:
    done = run("analyze", "--store", analysed, "--json", "--compare", change)
    value = json.loads(done.stdout)["comparison"]
    assert (value["one"], value["other"]) == ("all rows", level) and value["other_rows"] > 0
    assert f"against {level}" in run("analyze", "--store", analysed, "--compare", change).stdout


def test_a_page_is_written_and_not_over_another(analysed: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    done = run("analyze", "--store", analysed, "--report", page, "--compare", "model=koala-13b")
    assert done.returncode == 0 and "is written" in done.stderr
    assert page.read_text().startswith("<!doctype html>")
    again = run("analyze", "--store", analysed, "--report", page)
    assert again.returncode == 1 and "--force" in again.stderr
    assert run("analyze", "--store", analysed, "--report", page, "--force", "--no-examples").returncode == 0
    assert "may be passed on" in page.read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--compare", "rating=4"), "FIELD=VALUE"),
        (("--compare", "flagged=perhaps"), "flagged=yes"),
        (("--json", "--markdown"), "one of"),
        (("--domain", "lgal"), "did you mean"),
        (("--limit", "5", "--processes", "2"), "processes"),
    ],
)
def test_what_cannot_be_is_a_usage_error(analysed: Path, arguments: tuple[str, ...], says: str) -> None:
    done = run("analyze", "--store", analysed, *arguments)
    assert done.returncode == 2 and says in done.stderr


def test_an_empty_store_says_what_is_missing(empty: Path) -> None:
    done = run("analyze", "--store", empty)
    assert done.returncode == 0 and "widen the query, or sync" in " ".join(done.stdout.split())


def test_analyses_are_kept_for_look_up(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with Store(path) as store:
        store.sync(generated.write_jsonl(tmp_path / "rows.jsonl", generated.rows(60, moderation=False)))
    assert "are kept in the store" in run("analyze", "--store", path, "--keep").stdout
