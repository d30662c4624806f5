"""Near-duplicate prompts: what counts as one, on pairs made by known edits, and that any text may be among them."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmsys_store.analyze.duplicates import DuplicateReport, near_duplicates
from lmsys_store.labels.keys import family_key
from lmsys_store.parts import split_of
from lmsys_store.records import Conversation, Labels, Origin
from lmsys_store.rows import CheckedRow

PROMPTS = [
    json.loads(line)["prompt"]
    for path in sorted((Path(__file__).parents[2] / "training" / "prompts").glob("*.jsonl"))
    for line in path.read_text(encoding="utf8").splitlines()
]


def chats(prompts: Iterable[str]) -> list[Conversation]:
    return [
        CheckedRow(number, str(number), "model", (prompt, "reply")).conversation(Origin.CACHE)
        for number, prompt in enumerate(prompts)
    ]


def groups(prompts: Sequence[str]) -> list[tuple[int, ...]]:
    return [one.row_indexes for one in near_duplicates(chats(prompts), largest=len(prompts)).largest]


def swapped(text: str, choose: random.Random) -> str:
    at = choose.randrange(len(text) - 1)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


EDITS: dict[str, Callable[[str, random.Random], str]] = {
    "politeness": lambda text, choose: f"{choose.choice(('Please', 'Hi! Could you please', 'Hello, can you'))} {text}",
    "thanks": lambda text, choose: f"{text.rstrip('.?!')}, please. Thanks!",
    "case": lambda text, choose: choose.choice((text.upper(), text.title(), text.lower())),
    "spacing": lambda text, choose: f" {text.replace(' ', choose.choice(('  ', ' ​ ', chr(10))))} ",
    "a letter more": lambda text, choose: (at := choose.randrange(len(text))) * "" + text[:at] + "x" + text[at:],
    "letters swapped": swapped,
}


def edited_pairs(seed: int) -> tuple[list[str], list[str], list[str]]:
    """Prompts, the same with a small edit each, and the names of the edits."""
    choose = random.Random(seed)
    first = [prompt for prompt in dict.fromkeys(PROMPTS) if len(prompt) >= 25]
    names = [choose.choice(list(EDITS)) for _ in first]
    return first, [EDITS[name](prompt, choose) for name, prompt in zip(names, first, strict=True)], names


def test_prompts_with_small_edits_are_found_and_others_are_not() -> None:
    """Recall and precision of pairs, both asked to be 0.95 at least: all other pairs are to be apart."""
    first, edited, names = edited_pairs(20261124)
    wanted = {(at, at + len(first)) for at in range(len(first))}
    found = {pair for group in groups([*first, *edited]) for pair in combinations(group, 2)}
    hits = found & wanted
    missed = [(names[one], edited[one]) for one, _ in wanted - found]
    assert len(first) > 400
    assert len(hits) / len(wanted) >= 0.95, missed
    assert len(hits) / len(found) >= 0.95, [(one, other) for one, other in found - wanted]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Write a poem about a cat in the rain", "Write a poem about a house in the rain"),
        ("What is 12 plus 30 times 4?", "What is 12 plus 31 times 4?"),
        ("Translate 'good morning' to French", "Translate 'good morning' to Japanese"),
        ("用中文写一首关于春天的诗", "用中文写一首关于大海的诗"),
    ],
)
def test_another_question_in_the_same_frame_is_no_duplicate(one: str, other: str) -> None:
    assert groups([one, other]) == []


def test_what_is_reported() -> None:
    prompts = [
        "Sort a list of names in Python",
        "sort a list of names in python!",
        "Why is the sky blue?",
        "Sort a list of nmaes in Python",
    ]
    report = near_duplicates(chats(prompts))
    [group] = report.largest
    assert (report.rows, report.prompts, report.groups) == (4, 3, 2)
    assert (group.rows, group.exact, group.row_index, group.prompt) == (3, 2, 0, prompts[0])
    assert group.row_indexes == (0, 1, 3)
    assert near_duplicates([]) == DuplicateReport(0, 0, 0, ())


def torn(first: Sequence[str], edited: Sequence[str]) -> list[tuple[str, str]]:
    """The pairs whose two prompts lie in different splits."""
    pairs = zip(first, edited, strict=True)
    return [pair for pair in pairs if len({split_of(family_key(text), 0) for text in pair}) > 1]


def test_near_duplicates_mostly_lie_in_one_split() -> None:
    """At most 2 % of the pairs are torn apart, though a third of them has a letter more, or two exchanged."""
    first, edited, _ = edited_pairs(20261124)
    assert len(torn(first, edited)) <= 0.02 * len(first), torn(first, edited)
    report = near_duplicates(chats([*first, *edited]))
    assert report.pairs >= 0.95 * len(first)
    assert report.straddling <= 0.02 * report.pairs


def test_so_they_do_whatever_the_edits_are() -> None:
    made = [edited_pairs(seed)[:2] for seed in range(8)]
    assert sum(len(torn(*pairs)) for pairs in made) <= 0.02 * sum(len(first) for first, _ in made)


def test_splits_are_of_the_size_they_say() -> None:
    """8 in 10, 1 in 10 and 1 in 10 of the families of our prompts, give or take what chance takes."""
    families = {family_key(prompt) for prompt in PROMPTS}
    found = Counter(split_of(family, 0) for family in families)
    shares = {name: found[name] / len(families) for name in ("train", "dev", "test")}
    assert shares == pytest.approx({"train": 0.8, "dev": 0.1, "test": 0.1}, abs=0.02)


def test_pairs_in_two_splits_are_counted() -> None:
    """Three rows of one group, one of them elsewhere: two of the three pairs."""
    prompt, split = "Sort a list of names in Python", split_of(family_key("Sort a list of names in Python"), 0)
    other = next(family for family in range(1 << 16) if split_of(family, 0) != split)
    rows = [chat.model_copy(update={"packed_labels": Labels(family=family).packed()}) for chat, family in
            zip(chats([prompt] * 3), (family_key(prompt), family_key(prompt), other), strict=True)]  # fmt: skip
    report = near_duplicates(rows)
    assert (report.pairs, report.straddling) == (3, 2)


@settings(max_examples=50)
@given(st.lists(st.text(max_size=40), max_size=12))
def test_any_text_is_taken_and_every_row_is_in_one_group(prompts: list[str]) -> None:
    report = near_duplicates(chats(prompts), largest=len(prompts))
    several = [row for group in report.largest for row in group.row_indexes]
    assert len(several) == len(set(several)) and report.rows == len(prompts)
    assert report.groups == report.rows - len(several) + len(report.largest)


@pytest.mark.parametrize("text", ["", "\x00\x01", "\ud800 half", "a" * 1_000_000, "word " * 100_000])
def test_hard_texts_are_duplicates_of_themselves(text: str) -> None:
    assert groups([text, "something else", text]) == [(0, 2)]
