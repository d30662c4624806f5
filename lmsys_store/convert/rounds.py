"""Which rounds of a chat become test cases, by the modes. Pure."""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from lmsys_store.records import Conversation, Message

Outputs = Literal["blank", "reference_after", "reference_before", "correction_pair"]
Turns = Literal["first_turn", "every_turn", "last_turn", "full_replay"]

_CORRECTIONS: Final = frozenset({"user_correction", "rephrase"})
"""What a user says of a reply and then gets another: what was wrong, or the same asked in other words."""
_CORRECTION_LABELS: Final = frozenset({"user-correction", "rephrase"})


class Asked(NamedTuple):
    """A user's message that becomes a case: ``messages[at]``, the prompt of a round (1 is the first).

    ``last`` is the last message the case needs; ``said`` how the user's next message corrects the reply, where that is asked for.
    """

    at: int
    last: int
    said: str | None = None

    @property
    def round(self) -> int:
        """The round it is the prompt of."""
        return self.at // 2 + 1

    def reply_of(self, messages: Sequence[Message]) -> str | None:
        """The logged reply."""
        return messages[self.at + 1].content if self.at + 1 < len(messages) else None

    def later_reply_of(self, messages: Sequence[Message]) -> str:
        """The reply after the correction."""
        return messages[self.at + 3].content


def asked_rounds(chat: Conversation, outputs: Outputs, turns: Turns) -> list[Asked]:
    """The rounds that the modes pick, in order; those without a reply are left out where the outputs need one."""
    if outputs == "correction_pair":
        corrected = _corrected(chat)
        return corrected if turns == "every_turn" else corrected[:1] if turns == "first_turn" else corrected[-1:]
    messages = len(chat.messages)
    last_prompt = (messages - 1) // 2 * 2
    if turns == "every_turn":
        places: Sequence[int] = range(0, messages, 2)
    else:
        places = (last_prompt if turns == "last_turn" else 0,)
    answered = [at for at in places if outputs == "blank" or at + 1 < messages]
    return [Asked(at, min(at + 1, messages - 1)) for at in answered]


def _corrected(chat: Conversation) -> list[Asked]:
    """The rounds whose reply the user corrected, and that were answered again."""
    signals = chat.labels.signals
    if len(chat.messages) < 4 or (signals is not None and not _CORRECTION_LABELS & set(signals)):
        return []
    from lmsys_store.labels.feedback import feedback  # loads numpy: no other mode needs it
    from lmsys_store.labels.rounds import Round

    texts = [message.content for message in chat.messages]
    places = range(0, len(texts) - 3, 2)
    said = feedback([Round(texts[at], texts[at + 1], texts[at + 2]) for at in places])
    return [
        Asked(at, at + 3, one.id.replace("_", "-"))
        for at, one in zip(places, said, strict=True)
        if one is not None and one.id in _CORRECTIONS
    ]
