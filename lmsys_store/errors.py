"""Every error this library raises, in one tree. Imports nothing of ours.

::

    LmsysStoreError
    ├── QueryError                    a query that cannot mean anything: unknown field, operator, value type or name
    ├── ResumeTokenError              a token of another query, revision or format
    ├── IncompleteResultError         require_complete=True, and completeness cannot be promised
    ├── NotLoadedError                per-message moderation that the select did not ask for
    ├── SourceError                   bytes that cannot be read as conversations
    │   ├── SourceNotFoundError       no such file, or a directory without data
    │   ├── SourceFormatError         not Parquet, truncated, not JSON Lines
    │   ├── SourceSchemaError         readable, but required columns are missing
    │   ├── InvalidRowError           one row that failed validation (raised only with on_invalid="raise")
    │   ├── DatasetMismatchError      the source is of another data set or revision than the store
    │   └── RemoteError               the remote did not deliver
    │       ├── RemoteUnavailableError   no answer, or a failing server's, after all attempts (transient)
    │       │   ├── RateLimitedError     the server asks for fewer requests (transient)
    │       │   ├── RemoteNotReadyError  the server is still preparing the answer (transient)
    │       │   └── DeadlineError        the time given for the remote is used up (transient)
    │       ├── RemoteAnswerError        an answer that is not the API's: a wrong address, a redirect elsewhere, no end
    │       ├── RevisionChangedError     the data set was changed at its source; one store holds one revision
    │       ├── OfflineError             HF_HUB_OFFLINE is set
    │       └── AccessError              the data set is not open to this user
    │           ├── TokenMissingError    no token was found
    │           ├── TokenRefusedError    the token is not valid
    │           ├── TermsNotAcceptedError  a valid token whose owner has not accepted the data set's terms
    │           └── DatasetNotFoundError   no such data set, configuration or split
    ├── LabelError                    a file of labels or weights that cannot be used
    ├── MissingExtraError             a library that only an extra brings is not installed
    ├── ExportError                   an output that exists already or cannot be written
    └── StoreError                    the store itself
        ├── StoreNotFoundError        there is no store at that path
        ├── NotAStoreError            the file is something else
        ├── StoreCorruptError         SQLite finds the file damaged
        ├── SchemaTooNewError         written by a newer lmsys_store
        ├── SchemaOutdatedError       written by an older one, in a place that cannot be upgraded
        ├── StoreReadOnlyError        the place cannot be written
        ├── StoreFullError            the disk is full
        ├── StoreBusyError            another writer held the store for too long (transient)
        ├── StoreLockedError          another sync holds the store (transient)
        ├── StoreRestartedError       the store was emptied while it was being read
        ├── StoreClosedError          used after close()
        ├── WrongLoopError            an AsyncStore used from another event loop
        └── ForkedStoreError          a store carried across a fork

Errors keep their arguments raw, so that they pickle; messages end with what to do.
"""

from typing import ClassVar


class LmsysStoreError(Exception):
    """The root of all errors of this library."""

    transient: ClassVar[bool] = False
    """True where trying the same call again later may succeed."""


class QueryError(LmsysStoreError, ValueError):
    """A query that cannot mean anything."""


class ResumeTokenError(LmsysStoreError, ValueError):
    """A resume token of another query, revision or format."""


class IncompleteResultError(LmsysStoreError):
    """The answer cannot be promised to be complete, and completeness was required."""


class NotLoadedError(LmsysStoreError, AttributeError):
    """Per-message moderation was not loaded with this row."""


class SourceError(LmsysStoreError):
    """A source that cannot be read as conversations."""


class SourceNotFoundError(SourceError):
    """No such file, or a directory without data files."""


class SourceFormatError(SourceError):
    """Bytes that are not the format they claim to be."""


class SourceSchemaError(SourceError):
    """A readable source without the required columns."""


class InvalidRowError(SourceError):
    """One row that failed validation."""


class DatasetMismatchError(SourceError):
    """A source of another data set or revision than the one the store holds."""


class RemoteError(SourceError):
    """The remote did not deliver."""


class RemoteUnavailableError(RemoteError):
    """No answer, or a failing server's, after all attempts."""

    transient = True


class RateLimitedError(RemoteUnavailableError):
    """The server asks for fewer requests."""


class RemoteNotReadyError(RemoteUnavailableError):
    """The server is still preparing the answer."""


class DeadlineError(RemoteUnavailableError):
    """The time given for the remote is used up.

    ``unanswered``: every request so far had failed, and the next was being waited for: it is down, not slow.
    """

    def __init__(self, message: str, unanswered: bool = False) -> None:
        super().__init__(message, unanswered)
        self.unanswered = unanswered

    def __str__(self) -> str:
        return str(self.args[0])


class RemoteAnswerError(RemoteError):
    """An answer that is not the API's."""


class RevisionChangedError(RemoteError):
    """The data set was changed at its source, and one store holds one revision."""


class OfflineError(RemoteError):
    """The remote must not be asked."""


class AccessError(RemoteError):
    """The data set is not open to this user."""


class TokenMissingError(AccessError):
    """The data set asks for a token, and none was found."""


class TokenRefusedError(AccessError):
    """The token is not valid, or no longer."""


class TermsNotAcceptedError(AccessError):
    """The token is valid, and its owner has not accepted the data set's terms."""


class DatasetNotFoundError(AccessError):
    """No such data set, configuration or split."""


class LabelError(LmsysStoreError):
    """A file of labels or weights that cannot be used."""


class MissingExtraError(LmsysStoreError):
    """A library that only an extra brings is not installed; the message has the pip command."""


class ExportError(LmsysStoreError):
    """An output that exists already or cannot be written."""


class StoreError(LmsysStoreError):
    """Anything about the store itself."""


class StoreNotFoundError(StoreError):
    """There is no store at the path."""


class NotAStoreError(StoreError):
    """The file is not a store of this library."""


class StoreCorruptError(StoreError):
    """SQLite finds the file damaged."""


class SchemaTooNewError(StoreError):
    """The store was written by a newer lmsys_store."""


class SchemaOutdatedError(StoreError):
    """The store was written by an older lmsys_store and cannot be upgraded where it is."""


class StoreReadOnlyError(StoreError):
    """The place of the store cannot be written."""


class StoreFullError(StoreError):
    """The disk (or the store's page limit) is full."""


class StoreBusyError(StoreError):
    """Another writer held the store for longer than the time limit."""

    transient = True


class StoreLockedError(StoreError):
    """Another sync holds the store."""

    transient = True


class StoreRestartedError(StoreError):
    """The store was emptied and is being filled anew; an iteration over the old rows cannot go on."""


class StoreClosedError(StoreError):
    """The store was closed."""


class WrongLoopError(StoreError):
    """An AsyncStore was used from an event loop that did not open it."""


class ForkedStoreError(StoreError):
    """A store, results or iterator was carried across a fork."""
