"""lmsys-store testcases, formats and promptloop: files and stdout, the funnel, hints, and one JSON value for programs."""

import json
import resource
import shutil
from pathlib import Path

import pytest

from lmsys_store import Store, seeds
from lmsys_store.convert import known_formats
from tests.cli.program import SENTENCE, assert_one_line, lines, run, run_all, run_json, the_json

FORMATS = [one.name for one in known_formats()]


def test_cases_go_to_a_file_with_their_manifest_and_the_funnel_is_told(filled: Path, tmp_path: Path) -> None:
    out = tmp_path / "cases.json"
    done = run("testcases", "--store", filled, "--model", "gpt-4", "--language", "en", "--output", out)
    assert done.returncode == 0, done.stderr
    cases, manifest = json.loads(out.read_text()), json.loads((tmp_path / "cases.json.manifest.json").read_text())
    assert [case["metadata"]["conversationId"] for case in cases] == ["chat-00"]
    told = "10 stored > 3 with model = 'gpt-4' > 2 with language = 'English' > 1 not flagged"
    assert told in done.stdout and "1 written" in done.stdout and str(out) in done.stdout
    assert [step["left"] for step in manifest["funnel"]] == [10, 3, 2, 1, 1, 1]
    assert "licence" in done.stderr
    [other] = json.loads(
        run(
            "testcases", "--store", filled, "--id", "chat-09", "--include-flagged", "--no-scrub", "--output", "-"
        ).stdout
    )
    assert other["input"] == "x" * 5000
    assert_one_line(run("testcases", "--store", filled, "--output", out), 1, out, "--force")
    report = run_json("testcases", "--store", filled, "--model", "gpt-4", "--output", out, "--force", "--limit", 2)
    assert report["cases"] == 2 and report["funnel"][-1] == {"step": "written", "left": 2}
    assert (report["path"], report["format"], report["origins"]) == (str(out), "promptloop", {"cache": 2})


def test_stdout_has_the_cases_alone(filled: Path) -> None:
    done = run("testcases", "--store", filled, "--format", "jsonl", "--rounds", "every_turn", "--include-flagged")
    found = lines(done)
    assert len(found) == 2 + 1 + 1 + 3 + 1 + 2 + 4 + 1 + 1 + 5
    assert [case["id"] for case in found[:2]] == ["user-chat-00-t1", "user-chat-00-t2"]
    assert found[1]["metadata"]["messages"][0]["content"] == found[0]["input"]
    assert "stored" not in done.stdout and "10 stored" in done.stderr


def test_an_empty_result_is_no_failure_and_says_what_removed_everything(
    filled: Path, empty: Path, tmp_path: Path
) -> None:
    commands = {
        "with model = 'gpt-5'": ("--store", filled, "--model", "gpt-5", "--language", "en"),
        "--include-flagged": ("--store", filled, "--flagged"),
        "corrected": ("--store", filled, "--outputs", "correction_pair"),
        "of the length wanted": ("--store", filled, "--min-input-chars", 9000),
        "lmsys-store sync": ("--store", empty),
    }
    ran = run_all(*(("testcases", *options) for options in commands.values()))
    for hint, done in zip(commands, ran, strict=True):
        assert (done.returncode, json.loads(done.stdout)) == (0, []), done.stderr
        notes = [line for line in done.stderr.splitlines() if line.startswith("note: ")]
        assert hint in notes[-1], (hint, done.stderr)
        assert any("written" in note for note in notes)


def test_what_cannot_be_meant_is_a_usage_error(filled: Path, tmp_path: Path) -> None:
    unknown, mode, pair, json_only, nowhere = run_all(
        ("testcases", "--store", filled, "--format", "promptfo"),
        ("testcases", "--store", filled, "--outputs", "gold"),
        ("testcases", "--store", filled, "--outputs", "correction_pair", "--rounds", "full_replay"),
        ("testcases", "--store", filled, "--json"),
        ("testcases", "--store", filled, "--output", tmp_path / "no" / "cases.json"),
    )
    assert_one_line(unknown, 2, "'promptfoo'", *FORMATS)
    assert mode.returncode == 2 and "reference_after" in mode.stderr
    assert_one_line(pair, 2, "first_turn")
    assert_one_line(json_only, 2, "--output")
    assert_one_line(nowhere, 1, "cannot be written")


def test_an_openai_eval_without_answers_is_refused_and_leaves_no_file(filled: Path, tmp_path: Path) -> None:
    out = tmp_path / "evals.jsonl"
    options = ("testcases", "--store", filled, "--format", "openai-evals", "--output", out)
    assert_one_line(run(*options), 2, "--outputs reference_after")
    assert list(tmp_path.iterdir()) == []
    assert run(*options, "--outputs", "reference_after").returncode == 0
    assert json.loads(out.read_text().splitlines()[0])["ideal"] == "reply 0 to chat 0"


def test_formats_lists_each_with_what_it_is_for() -> None:
    shown, as_json = run_all(("formats",), ("formats", "--json"))
    assert [line.split()[0] for line in shown.stdout.splitlines()] == FORMATS
    found = the_json(as_json)
    assert [one["name"] for one in found] == FORMATS and all(one["purpose"] and one["extension"] for one in found)


# ---------------------------------------------------------------------------------------------------------- promptloop


def test_fetch_gives_conversations_as_promptloop_declares_them(filled: Path) -> None:
    done = run("promptloop", "fetch", "--store", filled, input='{"language": "en", "models": ["gpt-4"]}')
    [first, second] = the_json(done)
    assert first.keys() == {
        "conversation_id", "model", "timestamp", "conversation", "language", "redacted", "rating", "tags", "domain",
    }  # fmt: skip
    assert (first["conversation_id"], second["conversation_id"]) == ("chat-00", "chat-09")
    assert first["timestamp"] == "" and isinstance(first["rating"], float)
    assert [(one["role"], one["turn"]) for one in first["conversation"]] == [
        ("user", 1), ("assistant", 2), ("user", 3), ("assistant", 4),
    ]  # fmt: skip
    assert len(the_json(run("promptloop", "fetch", "--store", filled, input='{"maxConversations": 3}'))) == 3
    assert len(the_json(run("promptloop", "fetch", "--store", filled))) == 10


def test_convert_makes_a_case_of_each_conversation_in_order(filled: Path) -> None:
    fetched = run("promptloop", "fetch", "--store", filled).stdout
    bare, wrapped = (
        the_json(run("promptloop", "convert", "--store", filled, input=given))
        for given in (fetched, json.dumps({"conversations": json.loads(fetched), "targetDomain": "legal"}))
    )
    conversations = json.loads(fetched)
    assert [case["input"] for case in bare] == [one["conversation"][0]["content"] for one in conversations]
    assert {(case["beforeOutput"], case["afterOutput"], case["passed"], case["score"]) for case in bare} == {
        ("", "", False, 0.0)
    }
    assert [case["metadata"]["originalRating"] for case in bare] == [one["rating"] for one in conversations]
    assert [case["metadata"]["domain"] for case in wrapped] == [one["domain"] for one in conversations]
    own = [{"conversation_id": "x", "model": "m", "conversation": [{"role": "assistant", "content": "hi", "turn": 1}]}]
    [odd] = the_json(run("promptloop", "convert", "--store", filled, input=json.dumps(own)))
    assert (odd["input"], odd["metadata"]["source"]) == ("Query 1", "user_provided")


def test_seeds_are_named_as_such_by_every_call(tmp_path: Path) -> None:
    store = tmp_path / "new.db"
    mock = {"LMSYS_STORE_FALLBACK": "mock"}
    fetched = run("promptloop", "fetch", "--store", store, input='{"domain": "coding"}', env=mock)
    assert "mock seeds" in fetched.stderr
    converted = the_json(run("promptloop", "convert", "--store", store, input=fetched.stdout))
    cases = the_json(run("promptloop", "cases", "--store", store, input='{"domain": "coding", "count": 3}', env=mock))
    assert len(cases) == 3 and converted
    assert {case["metadata"]["source"] for case in [*cases, *converted]} == {"standard"}


@pytest.mark.parametrize(
    ("call", "given", "words"),
    [
        ("cases", '{"domain": "codng"}', ("codng", "'coding'")),
        ("cases", "{}", ("domain",)),
        ("cases", '{"domain": "coding", "count": -1}', ("-1",)),
        ("fetch", '{"domain":', ("JSON",)),
        ("fetch", '{"unknown": 1}', ("unknown", "known:")),
        ("fetch", "[1]", ("object",)),
        ("convert", f'[{{"text": "{SENTENCE}"}}]', ("conversation 1", "conversation_id")),
        ("convert", '"text"', ("array",)),
    ],
)
def test_a_failure_is_one_json_value_with_the_remedy(
    call: str, given: str, words: tuple[str, ...], filled: Path
) -> None:
    done = run("promptloop", call, "--store", filled, input=given)
    assert done.returncode == 1 and SENTENCE not in done.stdout + done.stderr
    answer = json.loads(done.stdout)
    assert answer.keys() == {"error", "remedy"} and all(answer.values())
    assert all(word in answer["error"] + answer["remedy"] for word in words), answer


def test_a_store_that_cannot_be_is_a_failure_too(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("this is no store at all")
    done = run("promptloop", "fetch", "--store", tmp_path / "file")
    assert done.returncode == 1 and json.loads(done.stdout).keys() == {"error", "remedy"}


def test_a_warm_store_answers_in_time(tmp_path: Path) -> None:
    """Under 1.5 s, the start of the program included: of the processor's time, since other tests run beside it."""
    with Store(tmp_path / "warm.db") as store:
        store.sync(seeds)
    shutil.copy(tmp_path / "warm.db", tmp_path / "copy.db")
    given = {"fetch": '{"domain": "coding"}', "cases": '{"domain": "coding", "count": 10}'}
    given["convert"] = run("promptloop", "fetch", "--store", tmp_path / "copy.db", input=given["fetch"]).stdout
    for call, text in given.items():
        seconds = []
        for _ in range(3):
            started = _children_seconds()
            assert the_json(run("promptloop", call, "--store", tmp_path / "warm.db", input=text))
            seconds.append(_children_seconds() - started)
        assert min(seconds) < 1.5, (call, seconds)


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
