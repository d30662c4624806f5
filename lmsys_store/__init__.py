"""lmsys_store: a local, queryable store for real LLM conversations.

``Store`` and ``AsyncStore`` open a store file; ``Query`` and ``fields`` say which rows. Importing this package reads no file,
opens no connection and loads neither SQLAlchemy nor pyarrow.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lmsys_store import errors as errors
    from lmsys_store.blocking import Results as Results
    from lmsys_store.blocking import Store as Store
    from lmsys_store.funnel import Funnel as Funnel
    from lmsys_store.ingest import Progress as Progress
    from lmsys_store.ingest import SyncReport as SyncReport
    from lmsys_store.phases import MockRowsWarning as MockRowsWarning
    from lmsys_store.query import Filters as Filters
    from lmsys_store.query import Query as Query
    from lmsys_store.query import fields as fields
    from lmsys_store.records import Conversation as Conversation
    from lmsys_store.records import Labels as Labels
    from lmsys_store.records import Message as Message
    from lmsys_store.records import Moderation as Moderation
    from lmsys_store.records import Origin as Origin
    from lmsys_store.results import AsyncResults as AsyncResults
    from lmsys_store.settings import Settings as Settings
    from lmsys_store.sources.mock import seeds as seeds
    from lmsys_store.store import AsyncStore as AsyncStore
    from lmsys_store.syncing import SyncPlan as SyncPlan

__version__ = "0.1.0"

_HOMES = {
    "AsyncResults": "results",
    "AsyncStore": "store",
    "Conversation": "records",
    "Filters": "query",
    "Funnel": "funnel",
    "Labels": "records",
    "Message": "records",
    "MockRowsWarning": "phases",
    "Moderation": "records",
    "Origin": "records",
    "Progress": "ingest",
    "Query": "query",
    "Results": "blocking",
    "Settings": "settings",
    "Store": "blocking",
    "SyncPlan": "syncing",
    "SyncReport": "ingest",
    "fields": "query",
    "seeds": "sources.mock",
}

__all__ = (
    "AsyncResults",
    "AsyncStore",
    "Conversation",
    "Filters",
    "Funnel",
    "Labels",
    "Message",
    "MockRowsWarning",
    "Moderation",
    "Origin",
    "Progress",
    "Query",
    "Results",
    "Settings",
    "Store",
    "SyncPlan",
    "SyncReport",
    "errors",
    "fields",
    "seeds",
)


def __getattr__(name: str) -> object:
    if name == "errors":
        return import_module("lmsys_store.errors")
    if name not in _HOMES:
        raise AttributeError(f"module 'lmsys_store' has no attribute {name!r}")
    return getattr(import_module(f"lmsys_store.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
