"""What a user's next message says about the reply before it: wrong, no good, asked again, unclear, thanks; or nothing.

A linear model weighs the message's words and vector with its likeness to the prompt and to the reply. The hazard: a wish is not a
complaint. "Shorter", "another one", "continue" and thanks in advance say nothing about the reply.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from lmsys_store.labels.facts import Likeness, message_facts
from lmsys_store.labels.likeness import things_exchanged
from lmsys_store.labels.reading import Pages, Round
from lmsys_store.search import tokens

MODEL: Final = "message"
NONE: Final = "none"
_SURE: Final = 0.65
_SURE_PRAISE: Final = 0.5
"""A message says something of the reply from such a score of all kinds together on; below it no rating moves. Set at the natural
shares of the kinds: most messages say nothing, and most of those that do give thanks."""
_NARRATES: Final = tuple('*"“„«—')
"""A message that begins so tells a story or plays a role."""
_NUMBERS: Final = re.compile(r"[\d\s.,:;()-]+")
_BARE_NO: Final = re.compile(r"\W*(?:no|nope|nah|nein|non|não|нет|不|いいえ)\W*", re.I)
_COMPARED: Final = 400
_SAME_WORDS: Final = 0.5
_WISH: Final = (15, 260)
"""The lengths of a message that can take up words of the reply and ask for more, in characters."""
_TAKEN_UP: Final = (0.3, 0.8)


def feedback(pages: Pages, rounds: Any, texts: Sequence[Round], asked: Any) -> list[str | None]:
    """What messages say about the replies before them: of each round one thing, or None.

    The ids: ``user-correction`` (what is wrong or should be), ``user-rejection`` (no good, without saying why), ``rephrase``
    (the same asked in other words), ``resend`` (in the same), ``clarification`` (about the reply itself), ``praise`` (thanks,
    approval, success), ``user-builds-on`` (goes on from the reply; weak, and no feedback).

    Args:
        pages: the texts that were read.
        rounds: numbers of texts, columns prompt, reply, message; every round has a message.
        texts: the same rounds as texts.
        asked: whether each reply ends with a question.
    """
    if not len(rounds):
        return []
    read = pages.texts
    messages = rounds[:, 2]
    like = Likeness(read, rounds)
    model = read.table.models[MODEL]
    features = read.features(messages)
    scores = model.scores(features, read.vectors, messages, message_facts(read, rounds, like, asked))["feedback"]
    names = model.axes["feedback"].names
    kinds = decided(scores, names)
    kinds[~read.known[messages]] = 0
    sizes = read.sizes[messages]
    builds_on = (_WISH[0] <= sizes) & (sizes <= _WISH[1])
    builds_on &= (_TAKEN_UP[0] <= like.in_reply) & (like.in_reply <= _TAKEN_UP[1])
    again = [one.message == one.prompt for one in texts]
    # The same words, or the same frame around other things: rare, and looked at one by one.
    similar = (like.of_prompt >= _SAME_WORDS) & (like.in_prompt >= _SAME_WORDS)
    return [
        _said(one, names[kind].replace("_", "-"), bool(builds), bool(near), bool(answers))
        for one, kind, builds, near, answers in zip(
            texts,
            kinds.tolist(),
            builds_on.tolist(),
            (similar | again).tolist(),
            asked.tolist(),
            strict=True,
        )
    ]


def decided(scores: Any, names: Sequence[str]) -> Any:
    """The place of the kind that is decided for, by scores of the kinds, the first of which is nothing."""
    kinds = scores[:, 1:].argmax(axis=1) + 1
    least = np.where(kinds == names.index("praise"), _SURE_PRAISE, _SURE)
    kinds[np.round(1.0 - scores[:, 0], 4) < least] = 0
    return kinds


def _said(one: Round, kind: str, builds_on: bool, similar: bool, asked: bool) -> str | None:
    """The kind a model gave, but for what is certain without it."""
    message = (one.message or "").strip()
    if similar and message:
        ours, theirs = tokens(message[:_COMPARED]), tokens(one.prompt.strip()[:_COMPARED])
        if message == one.prompt.strip() or (ours == theirs and max(len(message), len(one.prompt)) <= _COMPARED):
            return "resend"
        if things_exchanged(theirs, ours):
            return None  # another question
    if not message or message.startswith(_NARRATES):
        return None
    if (asked and _BARE_NO.fullmatch(message)) or _NUMBERS.fullmatch(message):
        return None  # an answer to the assistant's own question, a move
    if kind != NONE:
        return kind
    return "user-builds-on" if builds_on else None
