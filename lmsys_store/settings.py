"""Settings from the environment: where the default store lies, how the remote is reached. Nothing is read on import."""

import os
from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import Field, PositiveFloat, PositiveInt, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

Fallback = Literal["cache", "remote", "mock"]
"""How far a select may go for rows: the store alone, then the remote, then the bundled mock seeds."""


def default_store_path() -> Path:
    """The default store file in the user's cache directory."""
    return Path(platformdirs.user_cache_dir("lmsys-store", appauthor=False)) / "lmsys--lmsys-chat-1m.db"


def _hub_home() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("HF_HOME") or f"{cache}/huggingface").expanduser()


class Settings(BaseSettings):
    """What the environment sets: variables named ``LMSYS_STORE_…``, and the Hub's own ``HF_…``."""

    model_config = SettingsConfigDict(
        env_prefix="LMSYS_STORE_", extra="ignore", populate_by_name=True, env_ignore_empty=True
    )

    path: Path = Field(default_factory=default_store_path)
    """The store file, where none is named."""
    fallback: Fallback = "mock"
    """How far a select may go, where it does not say."""

    rating_weights: Path | None = None
    """A TOML file of weights for the rating, in place of ours."""

    dataset: str = "lmsys/lmsys-chat-1m"
    """What an empty store is filled with from the remote; a store that has rows says it itself."""
    config: str = "default"
    split: str = "train"
    viewer_url: str = "https://datasets-server.huggingface.co"
    """Where the dataset viewer's API lies."""
    hub_url: str = Field(default="https://huggingface.co", validation_alias="HF_ENDPOINT")
    offline: bool = Field(default=False, validation_alias="HF_HUB_OFFLINE")
    """The network is not touched at all."""

    concurrency: PositiveInt = 4
    """Requests in flight at once, at most."""
    max_rate: PositiveFloat | None = None
    """Requests a second, at most; None: as many as the server bears."""
    request_seconds: PositiveFloat = 30.0
    """How long one answer may keep us waiting for its next byte."""
    attempts: PositiveInt = 6
    """How often a request is made that meets transient failures."""
    retry_seconds: PositiveFloat = 600.0
    """How long one request may take, waits included."""
    not_ready_seconds: PositiveFloat = 600.0
    """The same while the server says that it is still preparing the answer."""
    backoff_seconds: PositiveFloat = 1.0
    """The first wait after a transient failure; it doubles, up to a minute, and its length is random."""
    rate_wait_seconds: PositiveFloat = 20.0
    """The wait after a 429 that does not say how long."""
    poll_seconds: PositiveFloat = 10.0
    """The first wait for an answer that is not ready, and after an unexpected server error."""
    pace_seconds: PositiveFloat = 1.2
    """The time between two requests once the server has refused one; it is adapted from there."""
    breaker_seconds: float = Field(default=60.0, ge=0)
    """How long selects leave a remote alone that has failed."""
    max_remote_rows: int = Field(default=2000, ge=0)
    """How many rows a select may scan remotely for a query that the remote cannot filter."""

    def token(self) -> SecretStr | None:
        """The Hub's token: ``HF_TOKEN``, else the file that the Hub's own tools keep it in (``HF_TOKEN_PATH``, ``HF_HOME``)."""
        text = os.environ.get("HF_TOKEN", "").strip()
        if not text:
            try:
                text = self.token_path().read_text(encoding="utf8").strip()
            except (OSError, UnicodeDecodeError):
                text = ""
        text = "".join(text.splitlines())  # a line end in it would be a header of its own
        return SecretStr(text) if text else None

    @staticmethod
    def token_path() -> Path:
        """The file the Hub's tools keep the token in."""
        return Path(os.environ.get("HF_TOKEN_PATH") or _hub_home() / "token").expanduser()

    @staticmethod
    def hub_cache() -> Path:
        """The folder the Hub's tools download data sets to."""
        return Path(os.environ.get("HF_HUB_CACHE") or _hub_home() / "hub").expanduser()


def store_path(given: str | Path | None) -> Path:
    """The store file: the given one, else ``LMSYS_STORE_PATH``, else the default."""
    return Path(given if given is not None else Settings().path).expanduser().absolute()
