"""What becomes of a chat: which messages are asked, what stands beside them, what is left out and counted."""

import json
from typing import get_args

import pytest

from lmsys_store.convert import to_test_cases
from lmsys_store.convert.rounds import Outputs, Turns
from lmsys_store.errors import QueryError
from tests.convert.chats import CAPITALS, LMSYS, as_mock, chat, converted

THREE = chat(1, *CAPITALS)
OPEN = chat(2, "one", "two", "three")
"""Its last message has no reply."""


@pytest.mark.parametrize(
    ("turns", "inputs", "histories"),
    [
        ("first_turn", [CAPITALS[0]], [[]]),
        ("every_turn", CAPITALS[::2], [[], CAPITALS[:2], CAPITALS[:4]]),
        ("last_turn", [CAPITALS[4]], [CAPITALS[:4]]),
        ("full_replay", [CAPITALS[0]], [[]]),
    ],
)
def test_the_turns_mode_says_which_messages_are_asked(
    turns: Turns, inputs: list[str], histories: list[list[str]]
) -> None:
    cases = list(converted(to_test_cases(turns=turns), [THREE]))
    assert [case.input for case in cases] == inputs
    assert [[message.content for message in case.history] for case in cases] == histories
    assert [case.reference for case in cases] == [CAPITALS[CAPITALS.index(text) + 1] for text in inputs]
    assert all(case.prompt[-1].role == "user" for case in cases)


def test_a_replay_has_the_whole_chat_and_its_last_reply_is_the_expected_one() -> None:
    [case] = converted(to_test_cases(turns="full_replay", outputs="reference_after"), [THREE])
    assert [message.content for message in case.conversation] == CAPITALS
    assert [message.content for message in case.prompt] == CAPITALS[:5]
    assert (case.after_output, case.expected) == (CAPITALS[1], CAPITALS[5])
    [open_end] = converted(to_test_cases(turns="full_replay", outputs="reference_after"), [OPEN])
    assert ([message.content for message in open_end.prompt], open_end.expected) == (["one", "two", "three"], "two")


@pytest.mark.parametrize(
    ("outputs", "before", "after"),
    [("blank", "", ""), ("reference_after", "", CAPITALS[1]), ("reference_before", CAPITALS[1], "")],
)
def test_the_outputs_mode_says_where_the_logged_reply_stands(outputs: Outputs, before: str, after: str) -> None:
    [case] = converted(to_test_cases(outputs=outputs), [THREE])
    assert (case.before_output, case.after_output) == (before, after)
    assert (case.metadata["referenceOutput"], case.metadata["outputsMode"]) == (CAPITALS[1], outputs)
    assert (case.passed, case.score) == (False, 0.0)


@pytest.mark.parametrize("turns", ["first_turn", "every_turn", "last_turn"])
def test_a_correction_pair_is_the_contested_reply_and_the_one_after_the_correction(turns: Turns) -> None:
    twice = chat(3, *CAPITALS[:4], "No, the capital is in New Zealand, you got that wrong.", "Wellington.")
    one, other = (list(converted(to_test_cases(outputs="correction_pair", turns=turns), [x])) for x in (THREE, twice))
    assert [(case.input, case.before_output, case.after_output) for case in one] == [
        (CAPITALS[0], CAPITALS[1], CAPITALS[3])
    ]
    assert one[0].metadata["correction"] == CAPITALS[2]
    assert one[0].metadata["correctionSignal"] == "user-correction"
    assert [case.metadata["round"] for case in other] == {"first_turn": [1], "every_turn": [1, 2], "last_turn": [2]}[
        turns
    ]


def test_a_chat_without_a_correction_or_an_answer_to_it_gives_no_pair() -> None:
    asked = converted(to_test_cases(outputs="correction_pair"), [OPEN, chat(4, *CAPITALS[:3])])
    assert list(asked) == []
    assert [(step.name, step.count) for step in asked.funnel.steps][-2:] == [
        ("corrected", 0),
        ("of distinct prompts", 0),
    ]


def test_every_text_is_a_text_and_nothing_is_invented() -> None:
    """PromptLoop's panes call substring on the outputs."""
    for outputs in get_args(Outputs):
        for turns in ("first_turn", "every_turn", "last_turn"):
            for case in converted(to_test_cases(outputs=outputs, turns=turns), [THREE, OPEN, chat(5, "")]):
                found = case.to_promptloop()
                assert all(isinstance(found[name], str) for name in ("input", "beforeOutput", "afterOutput"))
                metadata = case.metadata
                assert None not in metadata.values()
                assert metadata["timestamp"] == ""
                json.dumps(found)


def test_the_metadata_has_what_promptloop_reads() -> None:
    [case] = converted(to_test_cases(), [chat(1, "Write a Python function that sorts a list.", "def f(): ...")])
    metadata = case.metadata
    assert metadata["source"] == "lmsys" and metadata["origin"] == "cache"
    assert (metadata["conversationId"], metadata["originalModel"], metadata["language"]) == ("c1", "gpt-4", "English")
    assert metadata["rating"] == metadata["originalRating"] == 3.0 and metadata["ratingBasis"] == "none"
    assert (metadata["domain"], metadata["useCase"]) == ("software-development", "coding")
    assert "the licence" in str(metadata["licence"])


def test_the_source_is_in_promptloops_words() -> None:
    sources = {}
    for name, one, provenance in (("lmsys", THREE, LMSYS), ("own", THREE, None), ("seed", as_mock(THREE), None)):
        [case] = converted(to_test_cases(), [one], provenance)
        sources[name] = (case.metadata["source"], case.id.split("-")[0])
    assert sources == {"lmsys": ("lmsys", "lmsys"), "own": ("user_provided", "user"), "seed": ("standard", "seed")}


def test_ids_and_hashes_are_the_same_every_time_and_differ_between_cases() -> None:
    chats = [THREE, OPEN, chat(3, "three", "four", conversation_id="c2")]
    first, again = (list(converted(to_test_cases(turns="every_turn"), chats)) for _ in range(2))
    assert [case.id for case in first] == [
        "lmsys-c1-t1", "lmsys-c1-t2", "lmsys-c1-t3", "lmsys-c2-t1", "lmsys-c2-t2", "lmsys-c2-r3-t1",
    ]  # fmt: skip
    assert first == again
    hashes = [case.metadata["contentHash"] for case in first]
    assert len(set(hashes)) == len(hashes)
    [alone] = converted(to_test_cases(), [chat(9, *CAPITALS, conversation_id="another")])
    assert alone.metadata["contentHash"] == hashes[0], "the hash is of the texts, not of the id"


def test_what_is_left_out_is_counted_step_by_step() -> None:
    chats = [
        chat(1, "Hello there", "Hi"),
        chat(2, "hello  THERE!", "Hi again"),
        chat(3, "A bad thing", "No.", flagged=True),
        chat(4, "No reply"),
        chat(5, "x" * 50, "long"),
        chat(6, "fine", "yes", flagged=False),
    ]
    asked = converted(to_test_cases(outputs="reference_after", max_chars=20), chats)
    assert [case.metadata["conversationId"] for case in asked] == ["c1", "c6"]
    assert str(asked.funnel) == (
        "6 read > 5 not flagged > 4 with a reply > 3 of distinct prompts > 2 of the length wanted"
    )
    everything = converted(to_test_cases(distinct=None, include_flagged=True), chats)
    assert len(list(everything)) == 6
    assert str(everything.funnel) == "6 read"
    assert len(list(converted(to_test_cases(min_chars=20), chats))) == 1


def test_families_keep_one_of_a_template() -> None:
    chats = [
        chat(at, f"Write an introduction of {number} words about steel.", "ok") for at, number in enumerate((50, 60))
    ]
    assert len(list(converted(to_test_cases(), chats))) == 2
    assert len(list(converted(to_test_cases(distinct="family"), chats))) == 1


def test_iterating_again_starts_anew() -> None:
    asked = converted(to_test_cases(), [THREE, OPEN])
    assert [case.id for case in asked] == [case.id for case in asked]
    assert str(asked.funnel) == "2 read > 2 not flagged > 2 of distinct prompts"


def test_personal_data_is_replaced_in_every_text_and_counted() -> None:
    mail = "write to jo@mail.example"
    for outputs in ("reference_after", "reference_before"):
        asked = converted(to_test_cases(outputs=outputs, turns="last_turn"), [chat(1, mail, mail, mail, mail)])
        [case] = asked
        assert "jo@mail.example" not in json.dumps(case.to_promptloop())
        assert getattr(asked.conversion, "scrubbed", None) == {"email": 4}
    [case] = converted(to_test_cases(scrub=False), [chat(1, mail, mail)])
    assert case.input == mail


@pytest.mark.parametrize(
    "wrong",
    [
        {"outputs": "golden"},
        {"turns": "all"},
        {"distinct": "id"},
        {"outputs": "correction_pair", "turns": "full_replay"},
    ],
)
def test_a_mode_that_is_none_is_refused_with_those_that_are(wrong: dict[str, str]) -> None:
    with pytest.raises(QueryError, match=r"first_turn|blank|prompt"):
        to_test_cases(**wrong)  # type: ignore[arg-type]


def test_a_repr_quotes_no_text() -> None:
    [case] = converted(to_test_cases(), [THREE])
    assert "Australia" not in repr(case) + str(case)
