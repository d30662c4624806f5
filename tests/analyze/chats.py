"""Conversations as a store gives them back, made in memory: labelled by our own code, or with labels that a test gives."""

import random
from collections.abc import Sequence

from lmsys_store.labels.labeller import Labeller
from lmsys_store.records import Conversation, Labels, Message
from lmsys_store.rows import CheckedRow

MODELS = ("alpha-7b", "beta-13b", "gamma-33b")
_OPENINGS = (
    "Write a story about",
    "How do I cook",
    "What is",
    "Please list facts of",
    "Act as a poet. Praise",
    "Explain step by step",
)
_NOUNS = "rivers bread stars copper chess violins honey glaciers lanterns orchids engines tides".split()  # noqa: SIM905
_SAID_NEXT = ("Thanks, that is perfect!", "No, that is wrong.", "And what else?", "", "")
_REPLIES = ("I'm sorry, but I cannot help with that request.", "Here you are: it is so, and no other way.")


def labelled(chats: Sequence[Conversation]) -> list[Conversation]:
    """The same with the labels that a store would keep of them."""
    labels = Labeller().labels([CheckedRow.of(chat) for chat in chats])
    return [chat.model_copy(update={"packed_labels": one.packed()}) for chat, one in zip(chats, labels, strict=True)]


def chat(
    row_index: int, *texts: str, model: str = "alpha-7b", labels: Labels | None = None, **fields: object
) -> Conversation:
    """A conversation of these messages, the user's first."""
    roles = ("user", "assistant")
    messages = tuple(Message(role=roles[at % 2], content=text) for at, text in enumerate(texts))  # type: ignore[arg-type]
    packed = None if labels is None else labels.packed()
    return Conversation(
        row_index=row_index, conversation_id=f"{row_index:032x}", model=model, messages=messages, packed_labels=packed,
        **fields,  # type: ignore[arg-type]
    )  # fmt: skip


def random_chats(count: int, seed: int) -> list[Conversation]:
    """Chats with every outcome among them, many of one template, some word for word the same."""
    rng = random.Random(f"chats/{seed}")
    found = []
    for row_index in range(count):
        prompt = f"{rng.choice(_OPENINGS)} {rng.choice(_NOUNS)} {rng.choice(['', 'and ' + rng.choice(_NOUNS), 'in 50 words'])}"
        said = rng.choice(_SAID_NEXT)
        more = (said, "Very well.") if said else ()
        found.append(
            chat(row_index, prompt.strip(), rng.choice(_REPLIES), *more, model=rng.choice(MODELS), language="English")
        )
    return labelled(found)
