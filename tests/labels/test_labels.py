"""Labels are pure functions of the row: any text, alone or among others, from any source; and a rating can be redone by hand."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmsys_store import vocabulary
from lmsys_store.labels.external import ExternalLabel
from lmsys_store.labels.keys import family_key, family_text, plain_words, prompt_key
from lmsys_store.labels.labeller import Labeller, said_of
from lmsys_store.labels.patterns import Patterns
from lmsys_store.labels.rating import WEIGHTS, rate
from lmsys_store.labels.structure import QUESTION_KINDS, STRUCTURE_TAGS, question_kind, structure_tags, verb_and_object
from lmsys_store.records import Evidence
from lmsys_store.rows import CheckedRow

LABELLER = Labeller()
DATA = Path(__file__).parents[1] / "data"
WORDS = (
    "I'm sorry,",
    "thanks!",
    "that's wrong",
    "write a poem",
    "```",
    "NAME_1",
    "你好",
    "as an AI",
    "\x00",
    "import os\n",
    "?",
    "1.",
)
VERSES = " ".join(f"Verse {number} speaks of another day." for number in range(30))
texts = st.lists(st.sampled_from(WORDS) | st.text(max_size=12), max_size=12).map(" ".join)


def said(*messages: str) -> str | None:
    """What the last message says of the reply before it."""
    [read] = said_of([messages])
    return read.feedback[-1]


def row(*contents: str, row_index: int = 0) -> CheckedRow:
    return CheckedRow(row_index, "c", "m", contents)


@settings(max_examples=150)
@given(st.lists(texts, min_size=1, max_size=6), texts)
def test_a_row_is_labelled_alike_whatever_comes_with_it(contents: Sequence[str], other: str) -> None:
    [first] = LABELLER.labels([row(*contents)])
    among = LABELLER.labels([row(other), row(*contents, row_index=7), row(other, *contents), row(*contents)])
    assert among[1] == among[3] == first == Labeller().labels([row(*contents)])[0]
    assert first.domain in vocabulary.DOMAINS and first.task in vocabulary.TASKS
    assert first.rating is not None and 1 <= first.rating <= 5
    assert set(first.tags or ()) <= set(vocabulary.TAGS) and set(first.signals or ()) <= set(vocabulary.SIGNALS)


def test_feedback_from_outside_is_about_rounds_that_have_a_reply() -> None:
    """About the last one it names the reply, for no message of the user follows; of rounds that are not there it says nothing."""
    chat = row("write a poem", "Roses.", "now shorter", "Rose.", "and now?")
    said = {"import": ExternalLabel(feedback={1: "rephrase", 2: "praise", 3: "praise", 9: "praise"})}
    rating = LABELLER.explain(chat, said).rating
    assert [(one.id, one.turn, one.message, one.role) for one in rating.evidence] == [
        ("rephrase", 1, 2, "user"), ("praise", 2, 4, "user"),
    ]  # fmt: skip
    whole = row(*chat.contents, "Rose!")
    [*_, last] = LABELLER.explain(whole, said).rating.evidence
    assert (last.id, last.turn, last.message, last.role, last.start, last.end) == ("praise", 3, 5, "assistant", 0, 0)
    beyond = {"import": ExternalLabel(feedback={9: "praise"})}
    assert LABELLER.explain(whole, beyond).rating == LABELLER.explain(whole).rating


@given(st.lists(texts, min_size=1, max_size=6))
def test_evidence_lies_inside_the_message_it_names(contents: Sequence[str]) -> None:
    for one in LABELLER.explain(row(*contents)).rating.evidence:
        assert 0 <= one.start <= one.end <= len(contents[one.message])
        assert one.role == ("user", "assistant")[one.message % 2]


@pytest.mark.parametrize(
    "text",
    ["", " \n", "a" * 1_000_000, "(" * 50_000, "\x00\x01\x02" * 1000, "sorry, " * 20_000, "١٢٣ ابجد 漢字 हिन्दी " * 500],
)  # fmt: skip
def test_any_text_is_labelled_in_linear_time(text: str) -> None:
    assert LABELLER.labels([row(text, text, text)])[0].version == LABELLER.version


@given(texts)
def test_a_set_of_patterns_finds_what_each_finds_alone(text: str) -> None:
    alternatives = {"sorry": [r"\bsorry\b"], "thanks": [r"^thanks", "你好"], "code": ["```", r"import \w+"]}
    together = Patterns(alternatives).ids(text)
    assert together == [name for name, one in alternatives.items() if Patterns({name: one}).ids(text)]


def evidence(signal: str, turn: int = 1, *, last: bool = True) -> Evidence:
    return Evidence(
        id=signal, turn=turn, message=2 * turn, role="user", start=0, end=1, weight=WEIGHTS[signal][0 if last else 1]
    )


def test_no_evidence_is_three_and_has_no_basis() -> None:
    rating = rate([], "1")
    assert (rating.value, rating.basis, rating.confidence) == (3.0, "none", 0.0)


@pytest.mark.parametrize(
    "found, value",
    [
        ([evidence("praise")], 4.52),
        ([evidence("praise", last=False)], 4.0),
        ([evidence("user-correction")], 1.67),
        ([evidence("user-correction", last=False), evidence("praise", 2)], 4.07),
        ([evidence("refusal")], 1.67),
        ([evidence("user-correction"), evidence("assistant-apology")], 1.67),
    ],
)
def test_the_documented_examples_of_the_rating(found: list[Evidence], value: float) -> None:
    rating = rate(found, "1")
    assert round(rating.value, 2) == value
    assert math.isclose(rating.value, 1 + 4 / (1 + math.exp(-rating.z)), abs_tol=1e-3)


def test_a_longer_reply_or_an_emotional_topic_earns_nothing() -> None:
    verses = " ".join(f"Verse {number} speaks of another day." for number in range(30))
    short, long = LABELLER.labels(
        [row("a sad poem about war", "Here it is."), row("an angry poem, I hate Mondays", f"Here it is. {verses}")]
    )
    assert short.rating == long.rating == 3.0 and short.rating_basis == long.rating_basis == "none"


@pytest.mark.parametrize(
    "message, signal",
    [
        ("thank you so much, that fixed it", "praise"), ("no, that's wrong. Paris has 20 of them", "user-correction"),
        ("this is useless", "user-rejection"), ("are you sure?", "clarification"), ("shorter please", None),
        ("continue", None), ("Danke, das hat geholfen", "praise"), ("это неправильно, в Париже 20 округов", "user-correction"),
        ("你确定吗", "clarification"),
    ],
)  # fmt: skip
def test_what_a_user_says_next(message: str, signal: str | None) -> None:
    assert said("how many districts has Paris", "Paris has 12 districts.", message) == signal


def test_the_same_text_again_is_resent() -> None:
    assert said("how many districts has Paris", "12", "How many districts has Paris?") == "resend"


def test_the_same_frame_around_other_things_is_another_question() -> None:
    asked = "can you tell me how i get from the airport of paris to the center of lyon in a day"
    other = asked.replace("paris", "rome").replace("lyon", "nice").replace("day", "week")
    assert said(asked, "By train.", other) is None


@pytest.mark.parametrize(
    "reply, signal",
    [
        ("I'm sorry, but I can't assist with that request.", "refusal"), ("", "empty-or-canned"),
        ("I'm sorry to hear that your dog is ill. Give it water and rest, and call the vet.", None),
        ("As an AI, I don't have access to real-time data, so I cannot see the weather.", "capability-disclaimer"),
        ("Here is the code:\n```python\nprint(1)\n", "truncated"),
        ("Sure! " + "the cat sat on the mat and " * 30, "repetition-loop"),
        ('"I cannot help you," said the wizard, and closed the door. The knight rode home.', None),
    ],
)  # fmt: skip
def test_what_a_reply_shows(reply: str, signal: str | None) -> None:
    [read] = said_of([("tell me", reply)])
    found = [one.id for one in read.shown[0] if one.id != "truncated-weak"]
    assert found == [] if signal is None else signal in found


def test_the_refusal_of_a_flagged_prompt_is_recorded_and_weighs_nothing() -> None:
    from lmsys_store.labels.signals import evidence_of

    contents = ("something bad", "I'm sorry, but I can't assist with that request.")
    [read] = said_of([contents])
    (open_,), (flagged,) = (evidence_of(contents, read.shown, (), flags, WEIGHTS) for flags in (None, [True, False]))
    assert (open_.weight, flagged.weight) == (WEIGHTS["refusal"][0], 0.0)


@pytest.mark.parametrize("signal", ["partial-refusal", "capability-disclaimer"])
def test_a_reply_that_declines_a_part_costs_nothing_unless_the_user_complains(signal: str) -> None:
    from lmsys_store.labels.replies import Shown
    from lmsys_store.labels.signals import evidence_of

    contents, shown = ("why", "I cannot know. However, …", "no"), [[Shown(signal, 0, 14)]]
    weights = {
        said: evidence_of(contents, shown, [said], None, WEIGHTS)[0].weight
        for said in (None, "praise", "user-builds-on", "user-correction", "user-rejection", "rephrase")
    }
    full = WEIGHTS[signal][0]
    assert weights == {
        None: 0, "praise": 0, "user-builds-on": 0, "user-correction": full, "user-rejection": full, "rephrase": full,
    }  # fmt: skip


def test_feedback_from_outside_decides_what_weighs_only_with_a_complaint() -> None:
    reply = "As an AI, I don't have access to real-time data, so I cannot see the weather."
    chat = row("is it raining in Oslo?", reply, "tell me of its history", "Oslo was founded …")
    declined = ("capability-disclaimer", "partial-refusal")
    for signal, weighs in (("user-correction", True), ("praise", False)):
        rating = LABELLER.explain(chat, {"import": ExternalLabel(feedback={1: signal})}).rating
        assert [bool(one.weight) for one in rating.evidence if one.id in declined] == [weighs]


# -------------------------------------------------------------------------------------------------- keys and structure


@given(texts)
def test_keys_do_not_see_case_spaces_or_marks_at_the_end(text: str) -> None:
    assert prompt_key(f"  {text} ") == prompt_key(text)
    assert -(2**63) <= family_key(text) < 2**63


def test_keys_are_the_same_on_every_machine() -> None:
    assert prompt_key("What is love?") == prompt_key("what  is love") == 7120917939678296555
    assert family_key("Write 3 poems about Berlin") == family_key("Hello! could you please write 12 poems about Rome?")


def test_a_greeting_alone_is_its_own_family() -> None:
    assert family_text("Hello!") == "hello" != family_text("Hi")
    assert family_text("good food near me") != family_text("food near me")


@given(texts)
def test_structure_is_of_the_closed_lists(text: str) -> None:
    assert set(structure_tags(text)) <= set(STRUCTURE_TAGS) and question_kind(text) in QUESTION_KINDS


def test_tags_and_kinds_of_plain_prompts() -> None:
    assert "role-given" in structure_tags("Act as a chef. Give me a recipe as a table with columns name, grams")
    assert structure_tags("You are a poet. Explain step by step in 100 words") == (
        "length-named",
        "role-given",
        "step-by-step",
    )
    assert (
        question_kind("can dogs eat chocolate") == "yes-no" and question_kind("can you write a poem") == "instruction"
    )
    assert (
        question_kind("what is photosynthesis") == "definition"
        and question_kind("what is the capital of Peru?") == "what"
    )
    assert verb_and_object("Please write a short poem about cats") == ("write", "poem")


@pytest.mark.parametrize("greeting", ["Hi! ", "Hello there, ", "Bonjour, ", "你好！", "您好，"])
def test_a_greeting_in_any_language_is_none_of_a_prompts_plain_words(greeting: str) -> None:
    assert plain_words(f"{greeting}写一首诗") == plain_words("写一首诗") == ["写", "一", "首", "诗"]


def test_the_kind_of_a_question_is_what_a_reader_says() -> None:
    """200 prompts labelled by hand, many of them hard: a greeting or a story first, slips of the pen, other languages."""
    rows = [json.loads(line) for line in (DATA / "question_kinds.jsonl").read_text().splitlines()]
    wrong = [row for row in rows if question_kind(row["prompt"]) != row["kind"]]
    assert len(rows) == 200 and {row["kind"] for row in rows} == set(QUESTION_KINDS)
    assert 1 - len(wrong) / len(rows) >= 0.85, wrong


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [
        ("Do cats swim well?", "yes-no"),
        ("Don't you like it?", "yes-no"),
        ("don't use lists in what follows", "instruction"),
        ("Was the treaty ever signed?", "yes-no"),
        ("Was kostet ein Ei?", "what"),
        ("so where does the river end", "where"),
        ("ok cool", "statement"),
        ("Can you tell me who wrote it?", "who"),
        ("Почему трава зелёная?", "why"),
    ],
)
def test_the_kind_of_short_prompts(prompt: str, kind: str) -> None:
    assert question_kind(prompt) == kind
