"""Settings from the environment: where the default store lies. Nothing is read on import."""

from pathlib import Path

import platformdirs
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def default_store_path() -> Path:
    """The default store file in the user's cache directory."""
    return Path(platformdirs.user_cache_dir("lmsys-store", appauthor=False)) / "lmsys--lmsys-chat-1m.db"


class Settings(BaseSettings):
    """What the environment sets; every variable begins with ``LMSYS_STORE_``."""

    model_config = SettingsConfigDict(env_prefix="LMSYS_STORE_", extra="ignore")

    path: Path = Field(default_factory=default_store_path)
    """``LMSYS_STORE_PATH``: the store file, where none is named."""


def store_path(given: str | Path | None) -> Path:
    """The store file: the given one, else ``LMSYS_STORE_PATH``, else the default."""
    return Path(given if given is not None else Settings().path).expanduser().absolute()
