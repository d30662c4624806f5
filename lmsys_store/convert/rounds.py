"""Which rounds of a chat become test cases, by the modes. Pure."""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from lmsys_store.records import Conversation, Message

Outputs = Literal["blank", "reference_after", "reference_before", "correction_pair"]
Turns = Literal["first_turn", "every_turn", "last_turn", "full_replay"]

_CORRECTIONS: Final = frozenset({"user-correction", "rephrase"})
"""What a user says of a reply and then gets another: what was wrong, or the same asked in other words."""


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
    if len(chat.messages) < 4:
        return []
    said = _feedback_by_turn(chat)
    return [
        Asked(2 * turn - 2, 2 * turn + 1, signal)
        for turn, signal in sorted(said.items())
        if signal in _CORRECTIONS and 2 * turn + 1 < len(chat.messages)
    ]


def _feedback_by_turn(chat: Conversation) -> dict[int, str]:
    """What the user said of the reply of each round: as the labels keep it, or read anew where the chat has none that do."""
    evidence = chat.labels.evidence
    if evidence is None:
        from lmsys_store.labels.labeller import feedback_of  # loads numpy and the table: chats of a store need neither

        return feedback_of([message.content for message in chat.messages])
    return {one.turn: one.id for one in evidence if one.id in _CORRECTIONS}
