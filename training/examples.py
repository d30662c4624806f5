"""Labelled text as examples: what was written for this project, and public sets where their folder is given."""

import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

SEED: Final = 20240611
OWN: Final = Path(__file__).parent
KINDS: Final = ("none", "rephrase", "user_correction", "user_rejection", "clarification", "praise")
"""What a message may say of the reply before it. The first is nothing."""
KIND_OF: Final = {
    "none": "none", "rephrase": "rephrase", "correction": "user_correction", "rejection": "user_rejection",
    "clarification": "clarification", "praise": "praise",
}  # fmt: skip
"""The kinds by the names that labelled files give them."""
DOUBT: Final = {"user_correction": 0.55, "user_rejection": 0.15, "clarification": 0.3}
"""What a message that doubts a reply may be, where only that is known."""
REPLY_KINDS: Final = ("answer", "refusal", "partial", "disclaimer")
_DECLINES: Final = re.compile(
    r"\bas an? (?:\w+ )?(?:ai|language model)|\b(?:cannot|can't|unable|not able to|not appropriate|not ethical)\b", re.I
)
_DECLINES_ELSEWHERE: Final = re.compile(
    r"kann (?:ich )?(?:\w+ ){0,3}nicht|tut mir leid|no puedo|lo siento|ne peux pas|désolé|não posso|desculpe|non posso|"
    r"mi dispiace|kan (?:ik )?(?:\w+ ){0,2}niet|не могу|извини|nie mogę|przepraszam|"
    r"抱歉|对不起|不能|无法|できません|申し訳|할 수 없|죄송",
    re.I,
)
"""Common words that decline in other languages: what has them is not taken for an ordinary reply."""
_COURTESY: Final = re.compile(
    r"\W*(?:oh|ok|okay|wow|ah)?\W*"
    r"(?:thank|great|nice|awesome|perfect|good|sounds|interesting|that'?s (?:a )?(?:great|helpful|good))",
    re.I,
)
"""Openings that are praise here. The dialogues known by how they were made call them none: nobody learns from these."""
_SUBJECTS: Final = {
    "business": "business", "law": "legal", "psychology": "humanities", "biology": "science", "chemistry": "science",
    "history": "humanities", "health": "healthcare", "economics": "finance", "math": "mathematics", "physics": "science",
    "computer science": "software-development", "philosophy": "humanities", "engineering": "science",
}  # fmt: skip
"""Exam subjects to domains. The questions are formal, so few are taken and they count little."""
_EXAMS_A_SUBJECT: Final = 60


@dataclass(frozen=True)
class Example:
    """A labelled text or round.

    ``shares`` gives by axis what the text teaches: names with shares that sum to 1. ``right`` gives all names that a careful
    reader could defend. What is of one ``group`` is never on both sides of a split.
    """

    messages: tuple[str, ...]
    shares: Mapping[str, Mapping[str, float]]
    right: Mapping[str, Sequence[str]]
    source: str
    group: str
    weight: float = 1.0
    language: str = "English"
    task: str = ""


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON Lines file; none where there is no such file."""
    # Not splitlines: a text may hold a line separator (U+2028), which JSON does not escape.
    return [json.loads(line) for line in path.read_text(encoding="utf8").split("\n") if line.strip()]


def _ordered(first: str, names: Sequence[str]) -> list[str]:
    return [first, *(name for name in names if name != first)]


def _shared(names: Sequence[str]) -> dict[str, float]:
    """Two defensible names both teach, the first mostly."""
    if len(names) == 1:
        return {names[0]: 1.0}
    return {name: 0.7 if place == 0 else 0.3 / (len(names) - 1) for place, name in enumerate(names)}


# -------------------------------------------------------------------------------------------------- prompts: domain, task


def _prompt(row: Mapping[str, Any], source: str, group: str, weight: float) -> Example:
    right = {"domain": _ordered(row["domain"], row["domains"]), "task": _ordered(row["task"], row["tasks"])}
    shares = {axis: _shared(names) for axis, names in right.items()}
    return Example((row["prompt"],), shares, right, source, group, weight, row.get("language", "English"))


def own_prompts() -> list[Example]:
    """The prompts written for training, in many languages."""
    return [
        _prompt(row, "own", f"{path.stem}-{number}", 1.0)
        for path in sorted((OWN / "prompts").glob("*.jsonl"))
        for number, row in enumerate(read_rows(path))
    ]


def own_terms() -> list[Example]:
    """The terms of each domain, an example each: prompts alone name most of them too seldom. They say nothing of tasks."""
    terms = [
        (term.strip(), path.stem, "English")
        for path in sorted((OWN / "terms").glob("*.txt"))
        for term in path.read_text(encoding="utf8").replace("\n", ",").split(",")
    ]
    terms += [
        (row["term"], row["domain"], row["language"])
        for path in sorted((OWN / "terms").glob("*.jsonl"))
        for row in read_rows(path)
    ]
    return [
        Example((term,), {"domain": {domain: 1.0}}, {"domain": [domain]}, "term", f"{domain}-{term}", 1.0, language)
        for term, domain, language in terms
        if term
    ]


def exam_prompts(folder: Path) -> list[Example]:
    """Some exam questions of each subject, for their words. They say nothing of tasks."""
    rows = read_rows(folder / "subjects_mmlu_pro.jsonl")
    random.Random(SEED).shuffle(rows)
    taken: Counter[str] = Counter()
    found = []
    for number, row in enumerate(rows):
        domain = _SUBJECTS.get(row["subject"])
        taken[row["subject"]] += 1
        if domain is not None and taken[row["subject"]] <= _EXAMS_A_SUBJECT:
            found.append(
                Example(
                    (row["prompt"],), {"domain": {domain: 1.0}}, {"domain": [domain]}, "exam", f"exam-{number}", 0.3
                )
            )
    return found


def public_prompts(folder: Path) -> list[Example]:
    """The labelled public prompts: English ones (source ``domains``), and questions in nine languages (``multilingual``)."""
    names = {"domains": "domains_dev.jsonl", "multilingual": "prompts_multilingual_dev.jsonl"}
    return [
        _prompt(row, source, row["group"], 2.0) for source, name in names.items() for row in read_rows(folder / name)
    ]


# -------------------------------------------------------------------------------------------------- messages: feedback


def _message(
    messages: Sequence[str], labels: Sequence[str], source: str, group: str, weight: float, **more: str
) -> Example:
    right = [KIND_OF[label] for label in labels]
    return Example(tuple(messages), {"feedback": _shared(right)}, {"feedback": right}, source, group, weight, **more)


def own_messages() -> list[Example]:
    """The later messages written for training. The first ones are short, and half of them are feedback: they count less."""
    found = []
    for path in sorted((OWN / "followups").glob("*.jsonl")):
        natural = path.stem.startswith("natural")
        for row in read_rows(path):
            texts = row["prompt"], row["reply"], row["message"]
            group = f"{path.stem}-{row['prompt']}"
            source, weight = ("own natural", 1.0) if natural else ("own short", 0.3)
            language = row.get("language", "English")
            found.append(_message(texts, [row["label"]], source, group, weight, language=language))
    return found


def chat_messages(path: Path, source: str) -> list[Example]:
    """The labelled rounds of chats: what is said after the first reply, and by the user's last message."""
    return [
        _message(texts[at - 2 : at + 1], [label], source, f"{source}-{number}", 1.0)
        for number, chat in enumerate(read_rows(path))
        for texts, at, label in _labelled_rounds(chat)
    ]


def _labelled_rounds(chat: Mapping[str, Any]) -> Iterator[tuple[list[str], int, str]]:
    texts = [message["content"] for message in chat["messages"]]
    last = (len(texts) - 1) // 2 * 2
    for at, label in {2: chat["labels"]["feedback"], last: chat["labels"]["final_feedback"]}.items():
        if 2 <= at < len(texts):
            yield texts, at, label


def public_messages(folder: Path) -> list[Example]:
    """The labelled public messages: read by hand (``natural``), known by how they were made (``by task``), second prompts."""
    found = []
    for row in read_rows(folder / "followups_natural_dev.jsonl"):
        texts = row["prompt"], row["reply"], row["message"]
        found.append(_message(texts, _ordered(row["label"], row["labels"]), "natural", row["group"], 2.0))
    for row in read_rows(folder / "followups_by_task_dev.jsonl"):
        texts = row["prompt"], row["reply"], row["message"]
        shares = {"none": 1.0} if row["expected"] == "none" else DOUBT
        right = {"feedback": list(shares)}
        weight = 0.0 if row["expected"] == "none" and _COURTESY.match(row["message"]) else 0.4
        found.append(Example(texts, {"feedback": shares}, right, "by task", row["group"], weight, task=row["task"]))
    for row in read_rows(folder / "prompts_multilingual_dev.jsonl"):
        if row["second_prompt"]:
            texts = row["prompt"], "", row["second_prompt"]
            found.append(_message(texts, ["none"], "second prompt", row["group"], 1.0, language=row["language"]))
    return found


# -------------------------------------------------------------------------------------------------- replies: refusals


def _reply(prompt: str, reply: str, kind: str, source: str, group: str) -> Example:
    return Example((prompt, reply), {"reply": {kind: 1.0}}, {"reply": [kind]}, source, group)


def own_replies() -> list[Example]:
    """The replies written for training."""
    return [
        _reply(row["prompt"], row["reply"], row["kind"], "own replies", f"{name}-{number}")
        for name in ("replies.jsonl", "replies_short.jsonl")
        for number, row in enumerate(read_rows(OWN / name))
    ]


def kept_apart_replies() -> list[Example]:
    """Replies that decline a part and then answer, written for testing alone."""
    rows = read_rows(OWN.parent / "tests" / "data" / "declines_then_answers.jsonl")
    return [
        _reply(row["prompt"], row["reply"], row["kind"], "apart", f"apart-{number}") for number, row in enumerate(rows)
    ]


def public_replies(folder: Path) -> list[Example]:
    """The replies that were clearly refused or answered. Of the answered ones, those with words that decline are partial."""
    found = []
    for number, row in enumerate(read_rows(folder / "refusals_dev.jsonl")):
        kind = {"rejected": "refusal", "complied": "answer", "disclaimed": "disclaimer"}.get(row["tone"])
        if kind == "answer" and _DECLINES.search(row["reply"][:300]):
            kind = "partial"
        if kind is not None:
            found.append(_reply(row["prompt"], row["reply"], kind, "refusals", f"refusals-{number}"))
    return found


def plain_replies(folder: Path) -> list[Example]:
    """Ordinary replies that decline nothing: those of the dialogues whose later messages are labelled, in many languages."""
    rows = read_rows(folder / "followups_by_task_dev.jsonl")[::3]
    for path in sorted((OWN / "followups").glob("natural_*.jsonl")):
        rows += read_rows(path)
    replies = {row["reply"]: row for row in rows if row["reply"].strip()}
    return [
        _reply(row["prompt"], reply, "answer", "plain", f"plain-{row.get('group', row['prompt'])}")
        for reply, row in replies.items()
        if not _DECLINES.search(reply[:300]) and not _DECLINES_ELSEWHERE.search(reply[:300])
    ]


# -------------------------------------------------------------------------------------------------- texts without labels


class NaturalTexts(NamedTuple):
    """All texts that the vocabulary is of, and those of them that no figure is measured on."""

    all: Sequence[str]
    unheld: Sequence[str]


_MEASURED: Final = ("domains_dev.jsonl", "prompts_multilingual_dev.jsonl")


def natural_texts(folder: Path) -> NaturalTexts:
    """The texts of the labelled sets and of our own, each once."""
    texts = [
        text
        for path in (*sorted(folder.glob("*.jsonl")), *sorted(OWN.rglob("*.jsonl")))
        for row in read_rows(path)
        for text in _texts_of(row)
    ]
    held = {row["prompt"] for name in _MEASURED for row in read_rows(folder / name)}
    return NaturalTexts(texts, [text for text in dict.fromkeys(texts) if text not in held])


def _texts_of(row: Mapping[str, Any]) -> Iterator[str]:
    for name in ("prompt", "reply", "message", "second_prompt", "term"):
        if isinstance(row.get(name), str):
            yield row[name]
    for message in row.get("messages", ()):
        yield message["content"]
