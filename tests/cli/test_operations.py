"""The options that order and choose rows, against the same calls in Python; and that a stopped run says how to go on."""

import json
import re
import signal
from pathlib import Path

import pytest

from lmsys_store import Store
from lmsys_store.results import Position
from tests import generated
from tests.cli.program import CHATS, assert_one_line, lines, run, run_all
from tests.embedding.running import started_cli


def _numbers(store: Path, *options: object) -> list[int]:
    return [row["row_index"] for row in lines(run("query", "--json", "--store", store, *options))]


def test_options_are_the_calls(filled: Path) -> None:
    with Store(filled) as store:
        wanted = {
            ("--shuffle", 7): store.select().shuffle(7),
            ("--order-by", "turn", "--descending", "--language", "en"): store.select(language="en").order_by(
                "turn", descending=True
            ),
            ("--sample", 5, "--seed", 3, "--by", "model", "--by", "language", "--per-family", 1): store.select().sample(
                5, seed=3, by=["model", "language"], per_family=1
            ),
            ("--sample", 4, "--by", "model", "--allocation", "equal"): store.select().sample(
                4, seed=0, by="model", allocation="equal"
            ),
            ("--distinct", "prompt", "--split", "train", "--shard", "0/2"): store.select()
            .distinct("prompt")
            .split("train")
            .shard(0, 2),
        }
        expected = [[chat.row_index for chat in results] for results in wanted.values()]
    commands = ("query", "export")
    runs = run_all(*((command, "--store", filled, *given, *(["--json"] if command == "query" else []))
                     for given in wanted for command in commands))  # fmt: skip
    found = [[row["row_index"] for row in lines(done)] for done in runs]
    assert found == [rows for rows in expected for _ in commands]


def test_what_counts_and_groups_takes_parts(filled: Path) -> None:
    with Store(filled) as store:
        wanted = [store.select().distinct("family").count(), store.select().split("train").shard(1, 2).count()]
    distinct, train, grouped, facet = run_all(
        ("count", "--distinct", "family", "--store", filled),
        ("count", "--split", "train", "--shard", "1/2", "--store", filled),
        ("duplicates", "--across-splits", "--split", "train", "--store", filled),
        ("count", "--by", "model", "--split", "dev", "--store", filled),
    )
    assert [int(done.stdout) for done in (distinct, train)] == wanted
    assert "0 of " in grouped.stdout and "pairs of near-duplicates lie in two splits" in grouped.stdout
    assert_one_line(facet, 2, "--by", "--split")


def test_a_reached_limit_tells_the_token_of_the_next_rows(filled: Path) -> None:
    found: list[int] = []
    resume: list[str] = []
    while len(found) < len(CHATS):
        done = run("query", "--json", "--store", filled, "--shuffle", 4, "--limit", 4, *resume)
        found += [row["row_index"] for row in lines(done)]
        if len(found) < len(CHATS):
            assert "to go on with the next 4 add --resume " in done.stderr
            resume = ["--resume", done.stderr.split()[-1]]
    assert "--resume" not in done.stderr, "there were fewer rows than the limit"
    with Store(filled) as store:
        assert found == [chat.row_index for chat in store.select().shuffle(4)]


def test_test_cases_tell_the_token_of_the_next_rows(filled: Path, tmp_path: Path) -> None:
    found: list[str] = []
    resume: list[str] = []
    for output in ("-", tmp_path / "cases.jsonl", "-"):
        done = run("testcases", "--format", "jsonl", "--include-flagged", "--store", filled, "--limit", 4, *resume,
                   "--output", output)  # fmt: skip
        assert done.returncode == 0, done.stderr
        text = done.stdout if output == "-" else Path(output).read_text()
        found += [json.loads(line)["metadata"]["conversationId"] for line in text.splitlines()]
        told = re.search(r"to go on with the next 4 add --resume (\S+)", done.stderr)
        assert (told is None) == (len(found) == len(CHATS))
        resume = [] if told is None else ["--resume", told[1]]
    assert found == [row["conversation_id"] for row in CHATS]


def test_no_rows_are_not_said_to_be_no_match(filled: Path) -> None:
    with Store(filled) as store:
        last = store.select(language="de")
        assert len(list(last)) == 1
    none, ended, nothing, grouped, grouped_json = run_all(
        ("query", "--limit", "0", "--store", filled),
        ("query", "--language", "de", "--resume", last.token, "--store", filled),
        ("query", "--turns", "99", "--store", filled),
        ("count", "--by", "model", "--turns", "99", "--store", filled),
        ("count", "--by", "model", "--turns", "99", "--json", "--store", filled),
    )
    assert (none.stdout, none.stderr) == ("", "")
    assert (ended.stdout, ended.stderr) == ("", "note: no more chats match\n")
    assert (nothing.stdout, nothing.stderr) == ("", "note: no chat matches\n")
    assert (grouped.stdout, grouped.stderr) == ("", "note: no chat matches\n")
    assert (grouped_json.stdout, grouped_json.stderr) == ("[]\n", "")


def test_a_count_says_what_its_rows_say(filled: Path, empty: Path) -> None:
    unknown, nothing = run_all(
        ("count", "--distinct", "prompt", "--model", "gpt4", "--store", filled), ("count", "--store", empty)
    )
    for done in (unknown, nothing):
        assert done.stdout == "0\n"
        assert len(done.stderr.splitlines()) == len({*done.stderr.splitlines()}), done.stderr
    assert "'gpt-4'" in unknown.stderr and "empty" in nothing.stderr


def test_a_sample_that_falls_short_says_why(filled: Path) -> None:
    done = run("query", "--json", "--store", filled, "--sample", 99)
    assert len(lines(done)) == len(CHATS)
    assert f"all rows: {len(CHATS)} of 99 asked for" in done.stderr


def test_options_that_do_not_go_together_are_usage_errors(filled: Path) -> None:
    errors = {
        ("--shuffle", 1, "--sample", 2): ("both orders", ".sample(2, seed=0)"),
        ("--seed", 1): ("--seed", "--sample"),
        ("--per-family", 1): ("--per-family", "--sample"),
        ("--descending",): ("--descending", "--order-by"),
        ("--shard", "2/2"): ("from 0 to 1",),
        ("--shard", "one"): ("0/4",),
        ("--order-by", "tag"): ("one value",),
    }
    done = run_all(*(("query", "--store", filled, *given) for given in errors))
    for words, failed in zip(errors.values(), done, strict=True):
        assert_one_line(failed, 2, *words)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of rows that no pipe takes at once."""
    folder = tmp_path_factory.mktemp("large")
    with Store(folder / "store.db") as store:
        store.sync(generated.write_jsonl(folder / "rows.jsonl", generated.rows(400, seed=5, moderation=False)))
    return folder / "store.db"


@pytest.mark.parametrize("command", [("query", "--json"), ("export", "--shuffle", 3)], ids=lambda command: command[0])
def test_ctrl_c_prints_whole_lines_and_the_token_of_the_rest(command: tuple[object, ...], large: Path) -> None:
    whole = [row["row_index"] for row in lines(run(*command, "--store", large))]
    with started_cli(*command, "--store", large) as process:
        assert process.stdout is not None and process.stderr is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        printed, told = first + process.stdout.read(), process.stderr.read()
        assert process.wait(30) == 130
    before = [json.loads(line)["row_index"] for line in printed.splitlines()]
    assert 0 < len(before) < len(whole)
    match = re.search(r"--resume (\S+)", told)
    assert match is not None and Position.of_token(match[1]).count == len(before)
    rest = [row["row_index"] for row in lines(run(*command, "--store", large, "--resume", match[1]))]
    assert before + rest == whole


def test_test_cases_of_a_sample_say_so_in_their_manifest(filled: Path, tmp_path: Path) -> None:
    output = tmp_path / "cases.json"
    done = run("testcases", "--sample", "20", "--seed", "1", "--by", "language", "--output", output, "--store", filled)
    assert done.returncode == 0, done
    manifest = json.loads(Path(f"{output}.manifest.json").read_text())
    assert manifest["operations"] == ".sample(20, seed=1, by=['language'])"
    steps = [one["step"] for one in manifest["funnel"]]
    assert steps[0] == "stored" and "sampled" in steps and steps[-1] == "written"
    assert len(json.loads(output.read_text())) == manifest["cases"] <= 20
