"""The remote of one store: which data set that is, the Hub's own cache of it, and the client that asks for it.

Nothing of the network is imported before it is needed: aiohttp costs a tenth of a second, and most stores never ask.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lmsys_store.errors import DatasetMismatchError, DeadlineError, RemoteError
from lmsys_store.intervals import Interval
from lmsys_store.settings import Settings
from lmsys_store.sources import access
from lmsys_store.sources.budget import budget_of
from lmsys_store.sources.files import FileSource
from lmsys_store.storage.reader import EMPTYING, StoreState

if TYPE_CHECKING:
    from lmsys_store.sources.client import RemoteClient
    from lmsys_store.sources.viewer import ViewerSource

_ONLY_LOCAL: Final = ("local/", "mock/")
_SHARD = re.compile(r"-\d+-of-(?P<count>\d+)(?:-[0-9a-f]+)?\.parquet$")


class Remote:
    """Opens sources of the data set that a store holds, or that the settings name for an empty one."""

    def __init__(self, settings: Settings | None) -> None:
        self._given = settings
        self._client: RemoteClient | None = None

    @property
    def settings(self) -> Settings:
        """The settings given, or the environment's, read when they are first needed."""
        self._given = self._given or Settings()
        return self._given

    @property
    def client(self) -> "RemoteClient":
        """The one client of this store."""
        from lmsys_store.sources.client import RemoteClient

        self._client = self._client or RemoteClient(self.settings)
        return self._client

    async def close(self) -> None:
        """Close the client, if there is one."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def place(self, state: StoreState | None) -> tuple[str, str, str]:
        """The data set, configuration and split of a store's rows, or of those an empty store is to get."""
        if state is not None:
            return state.dataset, state.config, state.split
        return self.settings.dataset, self.settings.config, self.settings.split

    def has(self, state: StoreState | None) -> bool:
        """Whether a remote can have the store's data set at all: local files and seeds are nowhere else."""
        return not self.place(state)[0].startswith(_ONLY_LOCAL)

    def require(self, state: StoreState | None) -> None:
        """Refuse a store whose data set is on no remote: the seeds, or files of a user's own.

        Raises:
            DatasetMismatchError: so it is.
        """
        if not self.has(state):
            dataset, *_ = self.place(state)
            raise DatasetMismatchError(
                f"the store holds {dataset}, which is on no remote: sync its files again, or name another store with --store"
            )

    def refusal(self) -> RemoteError | None:
        """Why the remote is not to be asked; None if it may be."""
        return access.offline(self.settings)

    def left_alone(self) -> RemoteError | None:
        """Why selects leave the remote alone for a while: it failed a moment ago. A sync asks all the same."""
        broken = budget_of(self.settings.viewer_url).broken()
        if broken is None:
            return None
        # Without the seconds that are left: Python shows a warning again whose text has changed.
        text = f"left alone for a while, since it failed: {broken}"
        return DeadlineError(text, broken.unanswered) if isinstance(broken, DeadlineError) else type(broken)(text)

    def leave_alone(self, error: RemoteError) -> None:
        """Let selects leave the remote alone for a while."""
        budget_of(self.settings.viewer_url).broke(error, self.settings.breaker_seconds)

    def viewer(self, state: StoreState | None, revision: str | None) -> "ViewerSource":
        """The viewer's source at a revision, nothing asked yet."""
        from lmsys_store.sources.viewer import ViewerSource

        return ViewerSource(self.client, *self.place(state), revision)

    async def open(self, state: StoreState | None, first: Interval, *, any_revision: bool = False) -> "ViewerSource":
        """The viewer's source, its first page of the interval fetched.

        Raises:
            DatasetMismatchError: the store's data set is on no remote.
            RemoteError: it cannot be asked, or does not answer.
        """
        self.require(state)
        if (refusal := self.refusal()) is not None:
            raise refusal
        source = self.viewer(state, _pinned(state, any_revision=any_revision))
        await source.begin(first)
        return source

    async def cached_files(self, state: StoreState | None, *, any_revision: bool = False) -> FileSource | None:
        """The data set where the Hub's own tools downloaded it, at the store's revision; None if it is not there whole."""
        dataset, _, split = self.place(state)
        if not self.has(state):
            return None
        folder = self.settings.hub_cache() / f"datasets--{dataset.replace('/', '--')}"
        revision = _pinned(state, any_revision=any_revision) or _head(folder)
        files = sorted((folder / "snapshots" / revision).rglob(f"{split}-*.parquet")) if revision else []
        if not files or len(files) < _shard_count(files[0]):
            return None
        source = await FileSource.open(*files, dataset=dataset)
        source.name = f"the Hub's cache, {folder / 'snapshots' / str(revision)}"
        source.notes = [*source.notes, f"read from {source.name}: no network was used"]
        return source


def _pinned(state: StoreState | None, *, any_revision: bool) -> str | None:
    """The revision a store holds to; None where it may be any."""
    return None if state is None or any_revision or state.revision == EMPTYING else state.revision


def _head(folder: Path) -> str | None:
    """The commit that the Hub's tools know as the newest."""
    try:
        return (folder / "refs" / "main").read_text(encoding="utf8").strip() or None
    except OSError:
        return None


def _shard_count(file: Path) -> int:
    match = _SHARD.search(file.name)
    return int(match["count"]) if match else 1
