"""Logs of made-up chats with planted effects: rows of the data set's schema, and labels that say what became of them.

Prompts are put together from parts that our own labels recognise, so what is planted goes through the whole of the library.
"""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmsys_store import Store

MODELS = ("alpha-7b", "beta-13b", "gamma-33b", "delta-70b")
PARTS = {
    "role-given": "Act as a {topic} expert. ",
    "output-format": " In table format.",
    "length-named": " Use 80 words.",
    "step-by-step": " Go step by step.",
    "polite": " Thank you, please be kind.",
    "examples-given": " For example, take a plain one.",
}
"""A feature with the words that give a prompt this tag."""
ASKED = ("Write a note about {topic}", "Explain {topic}", "How do I handle {topic}?", "What should I know of {topic}?")
TOPICS = {
    "software-development": "parsers", "content-creation": "fables", "data-analysis": "outliers", "customer-service": "refunds",
    "healthcare": "fevers", "legal": "leases", "finance": "pensions", "education": "homework", "general": "weekends",
    "business": "marketing campaigns", "ai-assistants": "neural networks", "language": "greetings",
}  # fmt: skip
"""A domain with what its prompts are about; between them they answer every name the consumer has for a domain."""


@dataclass(frozen=True)
class Plan:
    """How often a chat is rated 4 and 2, and what is planted: domain and feature of which prompts are rated 4 more often."""

    well: float = 0.02
    badly: float = 0.06
    planted: Sequence[tuple[str, str]] = (("legal", "output-format"),)
    times: float = 6.0
    small: str = "finance"
    small_rows: int = 12


def chats(count: int, plan: Plan, seed: int = 0) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Rows, each with its label."""
    rng = random.Random(f"planted/{seed}")
    domains = [domain for domain in TOPICS if domain != plan.small]
    # Prompts differ by a place name, which is masked: by number they would all be of a handful of templates.
    for number in range(count):
        domain = plan.small if number < plan.small_rows else domains[number % len(domains)]
        has = {part for at, part in enumerate(PARTS) if rng.random() < 0.15 + 0.05 * ((at + len(domain)) % 4)}
        times = plan.times if any((domain, part) in plan.planted for part in has) else 1.0
        drawn = rng.random()
        rating = 4.5 if drawn < plan.well * times else 1.5 if drawn > 1 - plan.badly else 3.0
        yield (
            {
                "conversation_id": f"{seed:04x}{number:028x}", "model": rng.choice(MODELS), "language": "English",
                "conversation": _messages(rng, domain, has, number), "turn": 1, "openai_moderation": None, "redacted": False,
            },
            {"conversation_id": f"{seed:04x}{number:028x}", "domain": domain, "rating": rating, "task": "text-generation"},
        )  # fmt: skip


def _messages(rng: random.Random, domain: str, has: set[str], number: int) -> list[dict[str, str]]:
    topic = TOPICS[domain]
    start = PARTS["role-given"].format(topic=topic) if "role-given" in has else ""
    asked = rng.choice(ASKED).format(topic=f"{topic} {_syllables(number)}")
    rest = "".join(PARTS[part] for part in PARTS if part in has and part != "role-given")
    return [
        {"role": "user", "content": f"{start}{asked}{'' if asked.endswith('?') else '.'}{rest}"},
        {"role": "assistant", "content": "Here is what there is to say about it, in a few plain words."},
    ]


def _syllables(number: int) -> str:
    """A word for a number, in small letters: another template for each."""
    word = ""
    while number or not word:
        number, at = divmod(number, 60)
        word += "bdfgklmnprst"[at // 5] + "aeiou"[at % 5]
    return word


def fill(path: Path, count: int, plan: Plan, seed: int = 0) -> Path:
    """A store of such chats, their labels laid over ours."""
    folder = path.parent
    rows, labels = folder / f"{path.stem}-rows.jsonl", folder / f"{path.stem}-labels.jsonl"
    with rows.open("w") as row_file, labels.open("w") as label_file:
        for row, label in chats(count, plan, seed):
            row_file.write(json.dumps(row) + "\n")
            label_file.write(json.dumps(label) + "\n")
    with Store(path) as store:
        store.sync(rows)
        store.import_labels(labels)
    return path
