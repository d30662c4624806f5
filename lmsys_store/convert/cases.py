"""From a conversation to test cases: which of its messages are asked, what stands beside them, and what is left out and counted.

Pure. The hazard: a logged reply taken for a right one. It is some model's of 2023, and stands as ``referenceOutput``; only
``outputs`` says that it is to be more. See rounds.py for which rounds are asked, scrub.py for what is replaced in texts.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar, Final, Literal, NamedTuple, get_args

from lmsys_store.convert.base import Provenanced
from lmsys_store.convert.rounds import Asked, Outputs, Turns, asked_rounds
from lmsys_store.convert.scrub import Scrubber
from lmsys_store.convert.seen import Seen
from lmsys_store.errors import QueryError
from lmsys_store.funnel import Funnel, Step
from lmsys_store.labels.keys import family_key, prompt_key
from lmsys_store.records import Conversation, Labels, Message, Origin, Provenance, Record

Distinct = Literal["prompt", "family"]

LMSYS_DATASET: Final = "lmsys/lmsys-chat-1m"
_SEEDS_NOTICE: Final = "the bundled mock seeds of lmsys_store, MIT licensed"
_UNKNOWN_NOTICE: Final = "unknown to lmsys_store: it is that of the file the rows came from"


class TestCase(Record):
    """One test case: what is asked, and what stands beside it. Texts are never None.

    ``history`` are the messages before ``input``, as they were logged; ``conversation`` all messages, where the whole chat is
    to be replayed. ``reference`` is the logged reply to ``input``. ``metadata`` has the names that PromptLoop uses.
    """

    __test__: ClassVar[bool] = False

    id: str
    input: str
    history: tuple[Message, ...] = ()
    conversation: tuple[Message, ...] = ()
    reference: str | None = None
    before_output: str = ""
    after_output: str = ""
    passed: bool = False
    score: float = 0.0
    metadata: dict[str, object]

    def __repr__(self) -> str:
        """The id only: a repr ends in logs, and message texts must not."""
        return f"<TestCase {self.id!r}>"

    __str__ = __repr__

    @property
    def prompt(self) -> tuple[Message, ...]:
        """The messages to send, the user's last: history and input, or of a chat to replay all up to the last question."""
        if self.conversation:
            return self.conversation[: len(self.conversation) - 1 + len(self.conversation) % 2]
        return (*self.history, Message.assembled({"role": "user", "content": self.input}))

    @property
    def expected(self) -> str:
        """The answer that ``outputs`` names as the better one; empty where it names none."""
        if self.conversation and self.after_output:
            return self.conversation[-1 - len(self.conversation) % 2].content
        return self.after_output

    def to_promptloop(self) -> dict[str, object]:
        """The ``TestCase`` of PromptLoop, as a JSON object."""
        return {
            "input": self.input,
            "beforeOutput": self.before_output,
            "afterOutput": self.after_output,
            "passed": self.passed,
            "score": self.score,
            "metadata": self.metadata,
        }


def to_test_cases(
    *,
    outputs: Outputs = "blank",
    turns: Turns = "first_turn",
    distinct: Distinct | None = "prompt",
    include_flagged: bool = False,
    scrub: bool = True,
    min_chars: int | None = None,
    max_chars: int | None = None,
    target_domain: str | None = None,
) -> "CaseConverter":
    """A converter to :class:`TestCase`, for ``results.convert``.

    >>> from lmsys_store.convert.base import Converted, GivenRows
    >>> chat = Conversation.model_validate({"row_index": 0, "conversation_id": "a1", "model": "gpt-4", "messages": [
    ...     {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]})
    >>> [case] = Converted(GivenRows([chat]), to_test_cases(outputs="reference_after"))
    >>> case.input, case.before_output, case.after_output, case.metadata["conversationId"]
    ('Hi', '', 'Hello', 'a1')

    Args:
        outputs: ``"blank"`` leaves both outputs empty, to be filled by the evaluation; ``"reference_after"`` and
            ``"reference_before"`` put the logged reply there; ``"correction_pair"`` gives the rounds whose reply the user
            corrected or asked again for, with that reply before and the next one after.
        turns: ``"first_turn"``, ``"every_turn"`` (a case a round, the messages before it as history), ``"last_turn"``, or
            ``"full_replay"`` (a case a chat, with all its messages). Of ``"correction_pair"``: the first, every or the last
            such round.
        distinct: of chats that begin with equal prompts (``"prompt"``: but for case, spacing and marks; ``"family"``: of one
            template) take the first; None takes all.
        include_flagged: take chats too in which moderation flagged a message.
        scrub: replace e-mail addresses, phone and card numbers, IP addresses and keys.
        min_chars: leave out shorter inputs; in characters.
        max_chars: leave out longer ones.
        target_domain: the domain of chats that have none of their own.

    Raises:
        QueryError: an unknown mode, or two that do not go together.
    """
    for kind, given, known in (
        ("outputs", outputs, get_args(Outputs)),
        ("turns", turns, get_args(Turns)),
        ("distinct", distinct, (*get_args(Distinct), None)),
    ):
        if given not in known:
            raise QueryError(f"unknown {kind} {given!r}; known: {', '.join(map(str, known))}")
    if outputs == "correction_pair" and turns == "full_replay":
        raise QueryError(
            "correction_pair gives single rounds, full_replay whole chats; take first_turn, every_turn or last_turn"
        )
    return CaseConverter(outputs, turns, distinct, include_flagged, scrub, min_chars, max_chars, target_domain)


@dataclass(frozen=True)
class CaseConverter:
    """What :func:`to_test_cases` gives: how cases are made, as a value."""

    outputs: Outputs
    turns: Turns
    distinct: Distinct | None
    include_flagged: bool
    scrub: bool
    min_chars: int | None
    max_chars: int | None
    target_domain: str | None

    def begin(self, rows: Provenanced) -> "CaseConversion":
        """A pass over rows."""
        return CaseConversion(self, rows)

    @property
    def options(self) -> dict[str, object]:
        """How cases are made, for a manifest."""
        return asdict(self)


class CaseConversion:
    """One pass over rows: what was seen, and what each step left."""

    def __init__(self, converter: CaseConverter, rows: Provenanced) -> None:
        self._converter = converter
        self._rows = rows
        self._seen = Seen()
        self._scrubber = Scrubber() if converter.scrub else None
        self._left: Counter[str] = Counter()
        self._origins: dict[Origin, _Origin] = {}
        self.label_versions: set[str] = set()
        """The versions of the labels of the rows."""

    @property
    def scrubbed(self) -> dict[str, int]:
        """How much of each kind of personal data was replaced."""
        return {} if self._scrubber is None else dict(sorted(self._scrubber.counts.items()))

    @property
    def funnel(self) -> Funnel:
        """What each step left."""
        made, left = self._converter, self._left
        asked = "corrected" if made.outputs == "correction_pair" else "with a reply"
        steps = [
            ("read", True),
            ("not flagged", not made.include_flagged),
            (asked, made.outputs != "blank"),
            ("of distinct prompts", made.distinct is not None),
            ("cases", made.turns == "every_turn"),
            ("of the length wanted", made.min_chars is not None or made.max_chars is not None),
        ]
        return Funnel(tuple([Step(left[name], name) for name, taken in steps if taken]))

    def __call__(self, chat: Conversation) -> list[TestCase]:
        """The cases of a row."""
        made, left = self._converter, self._left
        left["read"] += 1
        if chat.flagged and not made.include_flagged:
            return []
        left["not flagged"] += 1
        rounds = asked_rounds(chat, made.outputs, made.turns)
        if not rounds:
            return []
        left["corrected" if made.outputs == "correction_pair" else "with a reply"] += 1
        labels = chat.labels
        if not self._is_first(chat, labels):
            return []
        left["of distinct prompts"] += 1
        left["cases"] += len(rounds)
        wanted = rounds
        if made.min_chars is not None or made.max_chars is not None:
            wanted = [asked for asked in rounds if self._has_length(chat.messages[asked.at].content)]
        left["of the length wanted"] += len(wanted)
        return self._cases(chat, labels, wanted) if wanted else []

    def _is_first(self, chat: Conversation, labels: Labels) -> bool:
        if labels.version is not None:
            self.label_versions.add(labels.version)
        if self._converter.distinct is None:
            return True
        if self._converter.distinct == "family":
            return self._seen.is_new(family_key(chat.first_prompt) if labels.family is None else labels.family)
        return self._seen.is_new(prompt_key(chat.first_prompt) if labels.prompt_key is None else labels.prompt_key)

    def _has_length(self, text: str) -> bool:
        low, high = self._converter.min_chars, self._converter.max_chars
        return (low is None or len(text) >= low) and (high is None or len(text) <= high)

    def _cases(self, chat: Conversation, labels: Labels, rounds: Sequence[Asked]) -> list[TestCase]:
        needed = len(chat.messages) if self._converter.turns == "full_replay" else max(one.last for one in rounds) + 1
        messages = chat.messages[:needed]
        if self._scrubber is not None and self._scrubber.finds("\n".join([message.content for message in messages])):
            messages = tuple([self._scrubbed(message, self._scrubber.scrub) for message in messages])
        origin = self._origin_of(chat)
        shared = self._shared_metadata(chat, labels, origin)
        name = self._name_of(chat, origin)
        return [self._case(f"{name}-t{asked.round}", asked, messages, shared) for asked in rounds]

    @staticmethod
    def _scrubbed(message: Message, scrub: Callable[[str], str]) -> Message:
        text = scrub(message.content)
        return message if text is message.content else Message(role=message.role, content=text)

    def _case(self, id: str, asked: Asked, messages: Sequence[Message], shared: Mapping[str, object]) -> TestCase:
        outputs = self._converter.outputs
        input, reply = messages[asked.at].content, asked.reply_of(messages)
        before = (reply or "") if outputs in ("reference_before", "correction_pair") else ""
        after = (reply or "") if outputs == "reference_after" else ""
        if outputs == "correction_pair":
            after = asked.later_reply_of(messages)
        replayed = self._converter.turns == "full_replay"
        history, conversation = ((), tuple(messages)) if replayed else (tuple(messages[: asked.at]), ())
        metadata = {
            **shared,
            "referenceOutput": reply or "",
            "outputsMode": outputs,
            "turnsMode": self._converter.turns,
            "round": asked.round,
            "id": id,
            "contentHash": _content_hash(input, history or conversation, before, after),
        }
        if history or conversation:
            metadata["messages"] = _plain(history or conversation)
        if asked.said is not None:
            metadata["correction"] = messages[asked.at + 2].content
            metadata["correctionSignal"] = asked.said
        return TestCase.assembled(
            {
                "id": id, "input": input, "history": history, "conversation": conversation, "reference": reply,
                "before_output": before, "after_output": after, "passed": False, "score": 0.0,
                "metadata": metadata,
            }
        )  # fmt: skip

    def _name_of(self, chat: Conversation, origin: "_Origin") -> str:
        """The row's part of an id: its conversation id, so the same in every export of the data set.

        Of several rows of one conversation id the first that gives cases in this pass has it alone, the later ones their row
        index beside it: their ids may differ where other rows are taken, or in another order.
        """
        name = f"{origin.id_prefix}-{chat.conversation_id}"
        return name if self._seen.is_new(hash(name)) else f"{name}-r{chat.row_index}"

    def _origin_of(self, chat: Conversation) -> "_Origin":
        """Where a row comes from, in PromptLoop's words; the same for all rows of one origin."""
        found = self._origins.get(chat.origin)
        if found is None:
            provenance, mock = self._rows.provenance, chat.origin is Origin.MOCK
            is_lmsys = provenance is not None and provenance.dataset == LMSYS_DATASET
            source = "standard" if mock else "lmsys" if is_lmsys else "user_provided"
            found = _Origin(source, chat.origin.value, _ID_PREFIX[source], licence_notice(provenance, mock=mock))
            self._origins[chat.origin] = found
        return found

    def _shared_metadata(self, chat: Conversation, labels: Labels, origin: "_Origin") -> dict[str, object]:
        """What is said of a chat beside each of its cases."""
        rated = {} if labels.rating is None else {"rating": labels.rating, "originalRating": labels.rating}
        return {
            "source": origin.source,
            "origin": origin.origin,
            "conversationId": chat.conversation_id,
            "originalModel": chat.model,
            **rated,
            "ratingBasis": labels.rating_basis or "none",
            "language": chat.language,
            "timestamp": "" if chat.timestamp is None else chat.timestamp.isoformat(),
            "domain": labels.domain or self._converter.target_domain or "general",
            "useCase": use_case(labels.domain, labels.task),
            "tags": list(labels.tags or ()),
            "licence": origin.licence,
        }


class _Origin(NamedTuple):
    """Where rows come from, as their cases say it."""

    source: str
    origin: str
    id_prefix: str
    licence: str


def licence_notice(provenance: Provenance | None, *, mock: bool) -> str:
    """Whose the texts are, in a line."""
    if mock:
        return _SEEDS_NOTICE
    if provenance is None or provenance.licence is None:
        return _UNKNOWN_NOTICE
    return f"{provenance.licence}: {provenance.licence_url}; do not pass the texts on"


def use_case(domain: str | None, task: str | None) -> str:
    """The use case in PromptLoop's words: coding, writing, analysis, education, assistance or general.

    >>> use_case("software-development", "explanation"), use_case("humanities", "explanation"), use_case(None, None)
    ('coding', 'education', 'general')
    """
    return _USE_CASES.get(domain or "") or _USE_CASES.get(task or "") or "general"


_USE_CASES: Final = {
    "software-development": "coding", "data-analysis": "analysis", "education": "education", "customer-service": "assistance",
    "code-writing": "coding", "debugging": "coding", "explanation": "education", "question-answering": "education",
    "summarization": "analysis", "extraction-classification": "analysis", "reasoning": "analysis", "math-solving": "analysis",
    "rewriting": "writing", "translation": "writing", "brainstorming": "writing", "roleplay": "writing",
    "text-generation": "writing", "advice-planning": "assistance",
}  # fmt: skip
"""By domain first, then by task."""

_ID_PREFIX: Final = {"lmsys": "lmsys", "standard": "seed", "user_provided": "user"}


def _content_hash(input: str, messages: Sequence[Message], before: str, after: str) -> str:
    """Equal for cases of the same texts, whatever their ids."""
    texts = [input, before, after, *[message.content for message in messages]]
    lengths = " ".join([str(len(text)) for text in texts])  # so that no two lists of texts join to the same
    return hashlib.blake2b(f"{lengths}\0{''.join(texts)}".encode(), digest_size=16).hexdigest()


def _plain(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in messages]
