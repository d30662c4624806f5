"""PromptLoop's own calls, with its types and its patience: conversations, and test cases made of them.

Each call ends by its ``deadline`` with what is there by then, raises nothing for a remote that cannot be reached, and leaves
nothing running; what was fetched is kept, so that the next call finds more. The objects are JSON values in PromptLoop's
spelling. For programs that are not Python the same calls are commands: ``lmsys-store promptloop fetch|convert|cases|analyze``.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NotRequired, TypedDict, TypeVar, cast

from lmsys_store.blocking import Results, Store
from lmsys_store.convert.base import Converted, GivenRows
from lmsys_store.convert.cases import to_test_cases
from lmsys_store.errors import InvalidRowError, QueryError, RemoteError
from lmsys_store.insights import analyze_domain, clear_query
from lmsys_store.query import CLEAR_DOMAIN, Query, fields
from lmsys_store.records import NO_LABELS, Conversation, Labels, Message, Origin, Provenance
from lmsys_store.rows import checked_row
from lmsys_store.settings import Settings, store_path
from lmsys_store.sources.mock import seed_ids

if TYPE_CHECKING:
    from lmsys_store.analyze.report import PromptLoopAnalysis

T = TypeVar("T")

DEADLINE: Final = 8.0
"""Seconds a call may take: PromptLoop gives up at 10."""
MOST_CONVERSATIONS: Final = 10
"""How many conversations a query without ``maxConversations`` gets."""
MOST_ANALYSED: Final = 100
"""How many conversations are fetched for an analysis where the store has none: as many as PromptLoop asks for."""
_MARGIN: Final = 0.25
"""Seconds of a deadline that are kept for what is not the remote: the rows in hand are labelled, stored and converted."""


class PromptLoopMessage(TypedDict):
    """A message; ``turn`` counts messages from 1."""

    content: str
    role: Literal["user", "assistant"]
    turn: int


class LMSYSConversation(TypedDict):
    """A conversation as PromptLoop declares it. ``timestamp`` is empty where the data set has none; rating, tags and domain
    are absent where nothing is known."""

    conversation_id: str
    model: str
    timestamp: str
    conversation: list[PromptLoopMessage]
    language: str
    redacted: bool
    rating: NotRequired[float]
    tags: NotRequired[list[str]]
    domain: NotRequired[str]


class LMSYSDatasetQuery(TypedDict, total=False):
    """PromptLoop's query object."""

    domain: str | None
    language: str | None
    minRating: float | None
    maxConversations: int | None
    models: list[str] | None
    tags: list[str] | None


class PromptLoopTestCase(TypedDict):
    """PromptLoop's ``TestCase``."""

    input: str
    beforeOutput: str
    afterOutput: str
    passed: bool
    score: float
    metadata: dict[str, object]


def fetch_conversations(
    query: LMSYSDatasetQuery | Mapping[str, object] | None = None,
    *,
    store: Store | str | Path | None = None,
    deadline: float = DEADLINE,
    settings: Settings | None = None,
) -> list[LMSYSConversation]:
    """Conversations of a query object, at most ``maxConversations`` (10); of a domain, those that are clearly of it.

    >>> from tempfile import TemporaryDirectory
    >>> from lmsys_store.sources.mock import seeds
    >>> with TemporaryDirectory() as folder, Store(f"{folder}/demo.db") as store:
    ...     report = store.sync(seeds)
    ...     [chat] = fetch_conversations({"language": "de", "maxConversations": 1}, store=store)
    >>> chat["language"], chat["timestamp"], [message["turn"] for message in chat["conversation"][:2]]
    ('German', '', [1, 2])

    Args:
        query: domain, language, minRating, maxConversations, models, tags; what is left out or None does not filter.
        store: an open store, or where one lies; default ``LMSYS_STORE_PATH``.
        deadline: seconds, all in all.
        settings: how the remote is reached, of a store that is opened here.

    Raises:
        QueryError: the query object cannot mean anything.
    """
    clock = _Clock(deadline)
    wanted, limit = Query.from_promptloop(query or {})
    if query and query.get("domain"):
        wanted = wanted.where(fields.domain_score >= CLEAR_DOMAIN)
    limit = MOST_CONVERSATIONS if limit is None else limit
    with _opened(store, settings) as opened:
        return [conversation_object(chat) for chat in _until_the_end(_selected(opened, wanted, clock).limit(limit))]


def conversations_to_test_cases(
    conversations: Sequence[LMSYSConversation | Mapping[str, object]],
    target_domain: str | None = None,
    *,
    store: Store | str | Path | None = None,
) -> list[PromptLoopTestCase]:
    """A test case for each conversation, in their order, with blank outputs: the first user message is the input.

    Where each comes from is looked up by its id in the store and among the seeds; what neither has is ``user_provided``.
    Nothing is fetched.

    Raises:
        QueryError: an object is no conversation.
    """
    chats = [_conversation(one, number) for number, one in enumerate(conversations)]
    origins, provenance = _looked_up({chat.conversation_id for chat in chats}, store)
    converter = to_test_cases(distinct=None, include_flagged=True, target_domain=target_domain)
    cases = []
    for number, chat in enumerate(chats, 1):
        origin = origins.get(chat.conversation_id)
        given = GivenRows([chat.model_copy(update={"origin": origin or Origin.CACHE})], provenance if origin else None)
        [case] = Converted(given, converter)
        cases.append(_object({**case.to_promptloop(), "input": case.input or f"Query {number}"}))
    return cases


def generate_domain_test_cases(
    domain: str,
    count: int = 10,
    *,
    store: Store | str | Path | None = None,
    deadline: float = DEADLINE,
    settings: Settings | None = None,
) -> list[PromptLoopTestCase]:
    """Up to ``count`` test cases of a domain: English, rated 3 or more or unrated, with distinct prompts, none flagged.

    >>> from tempfile import TemporaryDirectory
    >>> from lmsys_store.sources.mock import seeds
    >>> with TemporaryDirectory() as folder, Store(f"{folder}/demo.db") as store:
    ...     report = store.sync(seeds)
    ...     cases = generate_domain_test_cases("coding", 3, store=store)
    >>> [(case["beforeOutput"], case["metadata"]["source"]) for case in cases]
    [('', 'standard'), ('', 'standard'), ('', 'standard')]

    Args:
        domain: by PromptLoop's names or ours.
        count: how many at most.
        store, deadline, settings: as of :func:`fetch_conversations`.

    Raises:
        QueryError: no such domain, or no such count.
    """
    clock = _Clock(deadline)
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise QueryError(f"{count!r} is no number of test cases; give count as 0 or more")
    wanted = clear_query(domain) & Query.of(min_rating=3, language="en")
    with _opened(store, settings) as opened:
        cases = _selected(opened, wanted, clock).convert(to_test_cases(target_domain=domain))
        return [_object(case.to_promptloop()) for case in islice(_until_the_end(cases), count)]


def analyze_conversation_patterns(
    domain: str,
    *,
    store: Store | str | Path | None = None,
    deadline: float = DEADLINE,
    settings: Settings | None = None,
) -> "PromptLoopAnalysis":
    """What prompts of a domain have in common, which of them were praised, what goes with failure, what is recommended.

    The default analysis of the domain: a look-up where it was kept (``lmsys-store analyze --keep``), else made of the rows that
    can be read in time. A store that has none of the domain first gets what the remote gives; where that is only seeds, or
    cannot be kept, it is analysed as it came. What is uncertain is not said here: ``lmsys_store.insights.analyze_domain`` has
    the whole report.

    Args:
        domain: by PromptLoop's names or ours.
        store, deadline, settings: as of :func:`fetch_conversations`.

    Raises:
        QueryError: no such domain.
        MissingExtraError: it must be made, and scipy is not installed.
    """
    from lmsys_store.analyze.patterns import Patterns

    clock = _Clock(deadline)
    wanted = clear_query(domain)
    with _opened(store, settings) as opened:
        if opened.select(wanted, fallback="cache").first() is None:
            chats = list(_until_the_end(_selected(opened, wanted, clock).limit(MOST_ANALYSED)))
            if opened.select(wanted, fallback="cache").first() is None:  # seeds, or rows that could not be kept
                patterns = Patterns(domain)
                patterns.update(chats)
                return patterns.result().to_promptloop()
        report = opened.run(lambda whole: analyze_domain(whole, domain, deadline=clock.left))
        return report.to_promptloop()


def conversation_object(chat: Conversation) -> LMSYSConversation:
    """A conversation in PromptLoop's spelling."""
    labels = chat.labels
    found = LMSYSConversation(
        conversation_id=chat.conversation_id,
        model=chat.model,
        timestamp="" if chat.timestamp is None else chat.timestamp.isoformat(),
        conversation=[
            PromptLoopMessage(content=message.content, role=message.role, turn=turn)
            for turn, message in enumerate(chat.messages, 1)
        ],
        language=chat.language,
        redacted=chat.redacted,
    )
    if labels.rating is not None:
        found["rating"] = labels.rating
    if labels.tags is not None:
        found["tags"] = list(labels.tags)
    if labels.domain is not None:
        found["domain"] = labels.domain
    return found


class _Clock:
    """Counts a deadline from when the call began: opening the store is part of it."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds for the remote."""
        return max(self._end - time.monotonic() - _MARGIN, 0.0)


@contextmanager
def _opened(store: Store | str | Path | None, settings: Settings | None) -> Iterator[Store]:
    """The store given, or one opened for this call alone."""
    if isinstance(store, Store):
        yield store
        return
    with Store(store, settings=settings) as opened:
        yield opened


def _selected(store: Store, query: Query, clock: _Clock) -> Results:
    return store.select(query, deadline=clock.left)


def _until_the_end(found: Iterable[T]) -> Iterator[T]:
    """What comes, until the remote fails: then there is no more, and that is no error here."""
    with suppress(RemoteError):
        yield from found


def _looked_up(ids: set[str], store: Store | str | Path | None) -> tuple[dict[str, Origin], Provenance | None]:
    """Where the conversations of these ids are from, as far as the store or the seeds have them; and the store's data set."""
    found: dict[str, Origin] = {}
    provenance = None
    if ids and (isinstance(store, Store) or store_path(store).exists()):
        with _opened(store, None) as opened:
            held = opened.select(conversation_id=sorted(ids), fallback="cache")
            found = {chat.conversation_id: chat.origin for chat in held}
            provenance = held.provenance
    if any(id.startswith(_SEED_ID) for id in ids - found.keys()):
        found |= dict.fromkeys((ids & seed_ids()) - found.keys(), Origin.MOCK)
    return found, provenance


_SEED_ID: Final = "mock-"


def _conversation(value: Mapping[str, Any], number: int) -> Conversation:
    """The record of a conversation object, from its first user message on; what the object says goes over our labels."""
    try:
        said = [Message(role=one["role"], content=one["content"]) for one in value["conversation"]]
        first = next((at for at, message in enumerate(said) if message.role == "user"), None)
        messages = (Message(role="user", content=""),) if first is None else tuple(said[first:])
        chat = Conversation(
            row_index=number,
            conversation_id=value["conversation_id"],
            model=value["model"],
            messages=messages,
            language=value.get("language", "unknown"),
            redacted=value.get("redacted", False),
            timestamp=value.get("timestamp") or None,
        )
        given = {"domain": value.get("domain"), "rating": value.get("rating"), "tags": value.get("tags")}
        over = {name: one for name, one in given.items() if one is not None}
        labels = Labels.model_validate({**_labels_of(chat).model_dump(), **over})
    except (ValueError, KeyError, TypeError, AttributeError):
        raise QueryError(
            f"conversation {number + 1} is not one: it needs conversation_id, model and conversation [{{role, content}}]; "
            "give what fetch gave"
        ) from None
    return chat.model_copy(update={"packed_labels": labels.packed()})


def _labels_of(chat: Conversation) -> Labels:
    """Labels computed anew; none where the messages do not take turns."""
    messages = [{"role": message.role, "content": message.content} for message in chat.messages]
    try:
        row = checked_row(
            {"conversation_id": chat.conversation_id, "model": chat.model, "conversation": messages}, chat.row_index
        )
    except InvalidRowError:
        return NO_LABELS
    from lmsys_store.labels.labeller import Labeller  # loads tables of words: no other call needs them

    labels = Labeller().labels([row])[0]
    return labels.model_copy(
        update={"rating": None, "rating_basis": None}
    )  # its rating is what the object says, or none


def _object(case: Mapping[str, Any]) -> PromptLoopTestCase:
    return cast(PromptLoopTestCase, dict(case))
