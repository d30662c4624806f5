"""What a round shows beside the words of one text: likeness, shared words, lengths, marks. Many rounds at once. Pure."""

from typing import Any, Final

import numpy as np

from lmsys_store.labels.features import FIRST_FREE_FACT, fact
from lmsys_store.labels.reading import Texts
from lmsys_store.labels.table import cosines

_COSINES: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_SHARES: Final = (0.01, 0.25, 0.5, 0.75, 0.99)
_RATIOS: Final = (0.1, 0.3, 0.7, 1.3, 3.0)
_ANSWER_SIZES: Final = (4, 11)
_MARKED_SIZES: Final = (3, 6, 13)
_REPLY_SIZES: Final = (80, 160, 240, 320, 450, 650, 1000, 2000)
_MARKS: Final = {"?": 1, "？": 1, "!": 2, "！": 2, ".": 3, "。": 3, "…": 4}
(
    _LIKE_PROMPT, _LIKE_REPLY, _IN_PROMPT, _IN_REPLY, _OF_PROMPT, _IN_AND_OF_PROMPT, _MARK, _ASKED, _RATIO, _MARK_AND_SIZE,
    _REPLY_SIZE,
) = range(FIRST_FREE_FACT, FIRST_FREE_FACT + 11)  # fmt: skip


class Likeness:
    """What texts of rounds have in common; ``rounds`` has the columns prompt, reply, message."""

    def __init__(self, texts: Texts, rounds: Any) -> None:
        prompts, replies, messages = rounds.T
        vectors = texts.vectors
        self.to_prompt = cosines(vectors[messages], vectors[prompts])
        self.to_reply = cosines(vectors[messages], vectors[replies])
        self.in_prompt, self.of_prompt = texts.shared(messages, prompts)
        self.in_reply, _ = texts.shared(messages, replies)


def message_facts(texts: Texts, rounds: Any, like: Likeness, asked: Any) -> list[Any]:
    """The facts about each later message; ``asked``: whether the reply before it ends with a question."""
    prompts, _, messages = rounds.T
    marks = np.array([_MARKS.get(mark, 0) for mark in texts.last_marks], np.int64)[messages]
    words = texts.word_counts[messages]
    in_prompt, of_prompt = _step(like.in_prompt, _SHARES), _step(like.of_prompt, _SHARES)
    ratio = texts.sizes[messages] / np.maximum(texts.sizes[prompts], 1)
    return [
        fact(_LIKE_PROMPT, _step(like.to_prompt, _COSINES)),
        fact(_LIKE_REPLY, _step(like.to_reply, _COSINES)),
        fact(_IN_PROMPT, in_prompt),
        fact(_IN_REPLY, _step(like.in_reply, _SHARES)),
        fact(_OF_PROMPT, of_prompt),
        fact(_IN_AND_OF_PROMPT, in_prompt * 10 + of_prompt),
        fact(_MARK, marks),
        fact(_ASKED, asked * 10 + _step(words, _ANSWER_SIZES)),
        fact(_RATIO, _step(ratio, _RATIOS)),
        fact(_MARK_AND_SIZE, marks * 10 + _step(words, _MARKED_SIZES)),
    ]


def reply_facts(sizes: Any) -> list[Any]:
    """The facts about each reply; ``sizes`` are the lengths of the whole replies, in characters."""
    return [fact(_REPLY_SIZE, _step(sizes, _REPLY_SIZES))]


def _step(values: Any, limits: tuple[float, ...]) -> Any:
    return np.searchsorted(limits, values, "right")
