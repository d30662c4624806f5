"""What the environment sets, by which names and in which order, and that a token is in nothing that could be shown."""

import pickle
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from lmsys_store.settings import Settings, default_store_path, store_path

SECRET = "hf_secretOfATest"

VARIABLES: list[tuple[str, str, str, Any]] = [
    ("LMSYS_STORE_PATH", "/tmp/other.db", "path", Path("/tmp/other.db")),
    ("LMSYS_STORE_FALLBACK", "cache", "fallback", "cache"),
    ("LMSYS_STORE_RATING_WEIGHTS", "/tmp/weights.toml", "rating_weights", Path("/tmp/weights.toml")),
    ("LMSYS_STORE_DATASET", "demo/generated", "dataset", "demo/generated"),
    ("LMSYS_STORE_CONFIG", "other", "config", "other"),
    ("LMSYS_STORE_SPLIT", "test", "split", "test"),
    ("LMSYS_STORE_VIEWER_URL", "http://127.0.0.1:8000", "viewer_url", "http://127.0.0.1:8000"),
    ("HF_ENDPOINT", "http://127.0.0.1:8001", "hub_url", "http://127.0.0.1:8001"),
    ("HF_HUB_OFFLINE", "1", "offline", True),
    ("LMSYS_STORE_CONCURRENCY", "7", "concurrency", 7),
    ("LMSYS_STORE_MAX_RATE", "0.5", "max_rate", 0.5),
    ("LMSYS_STORE_REQUEST_SECONDS", "5", "request_seconds", 5.0),
    ("LMSYS_STORE_ATTEMPTS", "2", "attempts", 2),
    ("LMSYS_STORE_RETRY_SECONDS", "61.5", "retry_seconds", 61.5),
    ("LMSYS_STORE_NOT_READY_SECONDS", "62", "not_ready_seconds", 62.0),
    ("LMSYS_STORE_BACKOFF_SECONDS", "0.1", "backoff_seconds", 0.1),
    ("LMSYS_STORE_RATE_WAIT_SECONDS", "33", "rate_wait_seconds", 33.0),
    ("LMSYS_STORE_POLL_SECONDS", "3", "poll_seconds", 3.0),
    ("LMSYS_STORE_PACE_SECONDS", "2.5", "pace_seconds", 2.5),
    ("LMSYS_STORE_BREAKER_SECONDS", "0", "breaker_seconds", 0.0),
    ("LMSYS_STORE_MAX_REMOTE_ROWS", "0", "max_remote_rows", 0),
]


@pytest.fixture(autouse=True)
def _online(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_HUB_OFFLINE", "LMSYS_STORE_FALLBACK"):  # the test run sets them for all others
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("variable", "text", "field", "value"), VARIABLES, ids=[row[0] for row in VARIABLES])
def test_a_variable_sets_its_field_and_nothing_else(
    variable: str, text: str, field: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Settings().model_dump()
    assert before[field] != value, "the test would see nothing"
    monkeypatch.setenv(variable, text)
    assert Settings().model_dump() == before | {field: value}


def test_every_field_has_its_variable_in_the_table() -> None:
    assert {row[2] for row in VARIABLES} == set(Settings.model_fields)


def test_what_a_program_names_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, text, _, _ in VARIABLES:
        monkeypatch.setenv(variable, text)
    settings = Settings(offline=False, hub_url="http://hub", viewer_url="http://viewer", attempts=9)
    assert (settings.offline, settings.hub_url, settings.viewer_url) == (False, "http://hub", "http://viewer")
    assert (settings.attempts, settings.concurrency) == (9, 7)


def test_the_defaults_are_the_public_hosts() -> None:
    settings = Settings()
    assert settings.viewer_url == "https://datasets-server.huggingface.co", "without /api, which does not exist"
    assert settings.hub_url == "https://huggingface.co"
    assert (settings.dataset, settings.config, settings.split) == ("lmsys/lmsys-chat-1m", "default", "train")
    assert (settings.fallback, settings.offline, settings.concurrency) == ("mock", False, 4)


@pytest.mark.parametrize("name", ["HUB_URL", "hub_url", "OFFLINE", "offline", "VIEWER_URL", "DATASET", "PATH_INFO"])
def test_a_variable_of_somebody_elses_changes_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Hub gets the token: a ``HUB_URL`` meant for another program must not say where it lies."""
    before = Settings().model_dump()
    monkeypatch.setenv(name, "1")
    assert Settings().model_dump() == before


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("LMSYS_STORE_CONCURRENCY", "0"), ("LMSYS_STORE_ATTEMPTS", "-1"), ("LMSYS_STORE_MAX_RATE", "0"),
        ("LMSYS_STORE_RETRY_SECONDS", "soon"), ("LMSYS_STORE_FALLBACK", "none"), ("LMSYS_STORE_MAX_REMOTE_ROWS", "-1"),
        ("LMSYS_STORE_BREAKER_SECONDS", "-1"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_refused(variable: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(ValidationError, match=variable.removeprefix("LMSYS_STORE_").lower()):
        Settings()


@pytest.mark.parametrize(
    ("text", "offline"),
    [
        *((word, True) for word in ("1", "true", "True", "TRUE", "yes", "YES", "on", "ON")),
        *((word, False) for word in ("0", "false", "False", "no", "off", "")),
    ],
)
def test_the_hubs_spellings_of_offline(text: str, offline: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", text)
    assert Settings().offline is offline


def test_a_store_lies_where_it_is_named_else_where_the_environment_says_else_in_the_users_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert store_path(None) == default_store_path()
    assert default_store_path() == tmp_path / "cache" / "lmsys-store" / "lmsys--lmsys-chat-1m.db"
    monkeypatch.setenv("LMSYS_STORE_PATH", str(tmp_path / "set.db"))
    assert store_path(None) == tmp_path / "set.db"
    assert store_path(tmp_path / "given.db") == tmp_path / "given.db"


# --------------------------------------------------------------------------------------------------------------- token


def _token() -> str | None:
    token = Settings().token()
    return None if token is None else token.get_secret_value()


def _written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf8")
    return path


def test_the_token_is_looked_for_in_four_places_in_this_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert _token() is None
    _written(tmp_path / "cache" / "huggingface" / "token", "of-the-default-file")
    assert _token() == "of-the-default-file"
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    assert _token() is None, "the one home or the other, never both"
    _written(tmp_path / "home" / "token", "of-the-home")
    assert _token() == "of-the-home"
    monkeypatch.setenv("HF_TOKEN_PATH", str(_written(tmp_path / "elsewhere", "of-the-path")))
    assert _token() == "of-the-path"
    monkeypatch.setenv("HF_TOKEN", "of-the-variable")
    assert _token() == "of-the-variable"


def test_without_any_variable_the_home_is_in_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Settings.token_path() == tmp_path / ".cache" / "huggingface" / "token"
    assert Settings.hub_cache() == tmp_path / ".cache" / "huggingface" / "hub"
    for variable in ("HF_TOKEN_PATH", "HF_HUB_CACHE", "HF_HOME"):
        monkeypatch.setenv(variable, "~/mine")
    assert Settings.token_path() == Settings.hub_cache() == tmp_path / "mine"


@pytest.mark.parametrize("text", ["hf_abc\n", "  hf_abc  ", "\r\nhf_abc\r\n", "\thf_abc", "hf_\nabc", "hf_abc\r\n\r\n"])
def test_white_space_and_line_ends_are_no_part_of_a_token(
    text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Inside it neither: a line end in a header is refused by the HTTP library in words of its own."""
    monkeypatch.setenv("HF_TOKEN", text)
    assert _token() == "hf_abc"
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setenv("HF_TOKEN_PATH", str(_written(tmp_path / "token", text)))
    assert _token() == "hf_abc"


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_an_empty_place_is_passed_over(text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_TOKEN", text)
    assert _token() is None
    monkeypatch.setenv("HF_TOKEN_PATH", str(_written(tmp_path / "token", "of-the-file")))
    assert _token() == "of-the-file"
    _written(tmp_path / "token", text)
    assert _token() is None


def test_a_token_file_that_cannot_be_read_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path))
    assert _token() is None, "a directory"
    (tmp_path / "token").write_bytes(b"hf_\xff\xfe")
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "token"))
    assert _token() is None, "no text"


@pytest.mark.parametrize("place", ["variable", "file"])
def test_no_form_of_the_settings_shows_the_token(place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if place == "variable":
        monkeypatch.setenv("HF_TOKEN", SECRET)
    else:
        monkeypatch.setenv("HF_TOKEN_PATH", str(_written(tmp_path / "token", SECRET)))
    settings = Settings()
    token = settings.token()
    assert isinstance(token, SecretStr) and token.get_secret_value() == SECRET
    shown = [repr(token), str(token), f"{token}", repr(settings), str(settings), repr(settings.model_dump())]
    shown += [settings.model_dump_json(), repr(pickle.dumps(settings)), repr(vars(settings)), repr(settings.__dict__)]
    assert not [text for text in shown if SECRET in text]


# ----------------------------------------------------------------------------------------------------------- hub cache


def test_the_hubs_cache_is_looked_for_in_this_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert Settings.hub_cache() == tmp_path / "cache" / "huggingface" / "hub"
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    assert Settings.hub_cache() == tmp_path / "home" / "hub"
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "shared"))
    assert Settings.hub_cache() == tmp_path / "shared"
    monkeypatch.setenv("HF_HOME", "")
    monkeypatch.setenv("HF_HUB_CACHE", "")
    assert Settings.hub_cache() == tmp_path / "cache" / "huggingface" / "hub", "empty is not set"
