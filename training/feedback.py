"""Trains the table that tells what a user's next message says of a reply: ``make labels``. Cross-validated figures first.

Learns from the follow-ups and chats written for it (training/followups, training/chats.jsonl) and, where the folder is given,
from labelled chats; the table holds weights of words, no text.
"""

import argparse
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from unittest import mock

from lmsys_store.labels import feedback as used
from lmsys_store.labels.feedback import KINDS, TABLE, feedback, feedback_words, said_in
from lmsys_store.labels.linear import table_of
from lmsys_store.labels.rounds import Round
from training.domains import FOLDS, Example, read_rows, shuffled, train

SHIPPED = Path(__file__).parents[1] / "lmsys_store" / "labels" / TABLE
FOLLOWUPS = Path(__file__).parent / "followups"
CHATS = Path(__file__).parent / "chats.jsonl"
STRENGTH = 10.0
LEAST = 2
KIND_OF: Final = {
    "none": "none", "rephrase": "rephrase", "correction": "user_correction", "rejection": "user_rejection",
    "clarification": "clarification", "praise": "praise",
}  # fmt: skip
"""The kinds by the names that labelled files give them."""


def example_of(asked: Round, label: str, weight: float = 1.0) -> Example:
    """An example of an earlier prompt, a reply, the next message and what it says."""
    words = tuple(dict.fromkeys(feedback_words(asked, said_in(asked.message))))
    return Example(asked.message, {"feedback": [KIND_OF[label]]}, weight, words)


def own_examples() -> list[Example]:
    """The follow-ups written for training."""
    rows = [row for path in sorted(FOLLOWUPS.glob("*.jsonl")) for row in read_rows(path)]
    return [example_of(Round(row["prompt"], row["reply"], row["message"]), row["label"]) for row in rows]


def rounds_of(chat: Mapping[str, Any]) -> list[tuple[Round, str]]:
    """The labelled rounds of a chat: what is said after its first reply, and by the user's last message."""
    texts = [message["content"] for message in chat["messages"]]
    last = (len(texts) - 1) // 2 * 2
    labels = {2: chat["labels"]["feedback"], last: chat["labels"]["final_feedback"]}
    return [(Round(*texts[at - 2 : at + 1]), label) for at, label in labels.items() if 2 <= at < len(texts)]


def learned(examples: Sequence[Example]) -> dict[str, Any]:
    """The table of some examples."""
    return train(
        examples, strength=STRENGTH, least=LEAST, temperatures={"feedback": 1.0}, questions={"feedback": KINDS},
        weigh_rarity=False,
    )  # fmt: skip


def judged(rounds: Sequence[tuple[Round, str]], value: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is found and what is right, with this table."""
    with mock.patch.object(used, "shipped_table", lambda name: table_of(value)):
        found = feedback([asked for asked, _ in rounds])
    names = {"resend": "rephrase", "user_builds_on": "none"}
    said = ["none" if one is None else names.get(one.id, one.id) for one in found]
    return [(one, KIND_OF[label]) for one, (_, label) in zip(said, rounds, strict=True)]


def figures(pairs: Iterable[tuple[str, str]]) -> str:
    """F1 of each kind, their mean, and how often nothing was said and something found."""
    counted = Counter(pairs)
    scores = {}
    for kind in KINDS[1:]:
        hits = counted[kind, kind]
        found = sum(count for (one, _), count in counted.items() if one == kind)
        right = sum(count for (_, one), count in counted.items() if one == kind)
        scores[kind] = 2 * hits / max(found + right, 1)
    nothing = sum(count for (_, right), count in counted.items() if right == "none")
    wrong = nothing - counted["none", "none"]
    kinds = ", ".join(f"{kind} {score:.2f}" for kind, score in scores.items())
    return f"mean F1 {sum(scores.values()) / len(scores):.3f} ({kinds}); {wrong} of {nothing} that say nothing"


def cross_validated(chats: Sequence[Mapping[str, Any]], own: Sequence[Example]) -> list[list[tuple[str, str]]]:
    """The labelled rounds of every chat, in the chats' order, by a table that has not seen it."""
    order = shuffled(len(chats))
    found: dict[int, list[tuple[str, str]]] = {}
    for fold in range(FOLDS):
        held = order[fold::FOLDS]
        seen = [example_of(*one) for at, chat in enumerate(chats) if at not in set(held) for one in rounds_of(chat)]
        value = learned([*own, *seen])
        found |= {at: judged(rounds_of(chats[at]), value) for at in held}
    return [found[at] for at in range(len(chats))]


def main() -> None:
    """Print what cross-validation says, then train on everything and write the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--labels", type=Path, help="the folder of feedback_dev.jsonl")
    options.add_argument("--dry-run", action="store_true", help="write nothing")
    given = options.parse_args()
    followups, ours = own_examples(), read_rows(CHATS)
    public = read_rows(given.labels / "feedback_dev.jsonl") if given.labels else []
    chats = [*public, *ours]
    print(f"{len(followups)} own follow-ups, {len(ours)} own chats, {len(public)} public ones")
    found = cross_validated(chats, followups)
    for name, part in (("public", found[: len(public)]), ("own", found[len(public) :])):
        if part:
            print(f"feedback, {FOLDS}-fold, on the {name} chats: {figures(one for chat in part for one in chat)}")
    value = learned([*followups, *(example_of(*one) for chat in chats for one in rounds_of(chat))])
    packed = zlib.compress(json.dumps(value, separators=(",", ":")).encode(), 9)
    print(f"{len(value['words'])} words, {len(packed)} bytes")
    if not given.dry_run:
        SHIPPED.write_bytes(packed)


if __name__ == "__main__":
    main()
