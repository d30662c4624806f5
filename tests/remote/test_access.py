"""Access that explains itself, and a token that goes to the configured hosts alone and is in nothing that could be shown."""

import asyncio
import logging
import pickle
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from lmsys_store import AsyncStore
from lmsys_store.errors import (
    DatasetNotFoundError,
    LmsysStoreError,
    OfflineError,
    RemoteAnswerError,
    RemoteError,
    RemoteUnavailableError,
    TermsNotAcceptedError,
    TokenMissingError,
    TokenRefusedError,
)
from lmsys_store.settings import Settings
from lmsys_store.sources.client import RemoteClient
from tests.standin import GeneratedRows, OtherHost, Script, StandIn, rule
from tests.standin.faults import error, html, redirect, reset_before_headers, stall
from tests.standin.wire import Action

pytestmark = pytest.mark.anyio
ROWS = GeneratedRows(120, moderation=False)
DATASET = "lmsys/lmsys-chat-1m"
SECRET = "hf_SecretOfThisTest"
STRANGER = "hf_StrangerOfThisTest"
TOKENS: dict[str, Any] = {
    SECRET: 200, STRANGER: 403, "hf_renamed": 307, "hf_throttled": 429, "hf_slow": "timeout",
}  # fmt: skip


def _settings(standin: StandIn, **changed: Any) -> Settings:
    known: dict[str, Any] = {
        "viewer_url": standin.url, "hub_url": standin.hub_url, "offline": False, "attempts": 2, "request_seconds": 5,
        "backoff_seconds": 0.02, "poll_seconds": 0.02, "rate_wait_seconds": 0.02, "pace_seconds": 0.02,
    }  # fmt: skip
    return Settings(**known | changed)


async def _sync(path: Path, standin: StandIn, **changed: Any) -> None:
    async with AsyncStore(path, settings=_settings(standin, **changed)) as store:
        await store.sync()


async def _error(path: Path, standin: StandIn, **changed: Any) -> LmsysStoreError:
    """The error a sync ends in."""
    with pytest.raises(LmsysStoreError) as raised:
        await _sync(path, standin, **changed)
    return raised.value


def _gated(*rules: Any) -> StandIn:
    return StandIn(ROWS, tokens=TOKENS, script=Script(*rules))


# ------------------------------------------------------------------------------------------------ five different errors


async def test_no_token(store_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "my token"))
    async with _gated() as standin:
        found = await _error(store_path, standin)
    assert type(found) is TokenMissingError
    for text in (f"{standin.hub_url}/datasets/{DATASET}", f"{standin.hub_url}/settings/tokens", "HF_TOKEN"):
        assert text in str(found)
    assert str(tmp_path / "my token") in str(found), "the file that is looked at here"


@pytest.mark.parametrize("token", ["hf_unknown", "nothing like a token"])
async def test_a_token_that_is_not_valid(token: str, store_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    async with _gated() as standin:
        found = await _error(store_path, standin)
    assert type(found) is TokenRefusedError
    for text in (f"{standin.hub_url}/settings/tokens", "HF_TOKEN", str(Settings.token_path())):
        assert text in str(found)


async def test_terms_that_are_not_accepted(store_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", STRANGER)
    async with _gated() as standin:
        found = await _error(store_path, standin)
    assert type(found) is TermsNotAcceptedError
    assert f"{standin.hub_url}/datasets/{DATASET}" in str(found), "the page to accept them on"
    assert "terms" in str(found) and "account" in str(found)


@pytest.mark.parametrize("token", [None, SECRET, STRANGER])
@pytest.mark.parametrize("gated", [True, False])
async def test_no_such_data_set(
    gated: bool, token: str | None, store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if token is not None:
        monkeypatch.setenv("HF_TOKEN", token)
    async with StandIn(ROWS, gated=gated, tokens=TOKENS) as standin:
        found = await _error(store_path, standin, dataset="lmsys/misspelt")
    assert type(found) is DatasetNotFoundError
    assert "lmsys/misspelt" in str(found) and "name" in str(found)


async def test_offline_asks_nobody(store_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)
    async with _gated() as standin:
        found = await _error(store_path, standin, offline=True)
    assert type(found) is OfflineError
    assert "HF_HUB_OFFLINE" in str(found) and "unset" in str(found)
    assert standin.log == []


async def test_with_access_it_just_works(store_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", f" {SECRET}\n")
    async with _gated() as standin:
        await _sync(store_path, standin)
    assert {seen.authorization for seen in standin.log} == {f"Bearer {SECRET}"}
    assert "/auth-check" not in {seen.endpoint for seen in standin.log}, "it is asked only where something is wrong"


async def test_an_open_data_set_needs_no_token(store_path: Path) -> None:
    async with StandIn(ROWS, gated=False) as standin:
        await _sync(store_path, standin)
    assert {seen.authorization for seen in standin.log} == {None}


async def test_no_access_is_found_out_at_once(store_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No attempt is repeated: nothing but the user can change it."""
    monkeypatch.setenv("HF_TOKEN", STRANGER)
    async with _gated() as standin:
        await _error(store_path, standin, attempts=6)
    endpoints = [seen.endpoint for seen in standin.log]
    assert endpoints.count("/rows") == 1
    assert len(endpoints) <= 6, "the first page, size and splits beside it, and the Hub at most once for each"


# ------------------------------------------------------------------------------------------- what else the Hub may say


async def test_a_renamed_data_set(store_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_renamed")
    async with _gated() as standin:
        found = await _error(store_path, standin)
    assert type(found) is DatasetNotFoundError
    assert "renamed" in str(found) and f"{standin.hub_url}/datasets/{DATASET}" in str(found)


@pytest.mark.parametrize("fault", [html(503), html(502), reset_before_headers(), stall(), error(429), error(500)])
async def test_the_hubs_check_is_down(fault: Action, store_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The viewer refused, and nobody says why: that is no proof of anything, so it may be tried again."""
    monkeypatch.setenv("HF_TOKEN", STRANGER)
    async with _gated(rule(fault, endpoint="/auth-check", times=None)) as standin:
        found = await _error(store_path, standin, request_seconds=0.2)
    assert type(found) is RemoteUnavailableError and found.transient
    for text in (standin.hub_url, "token", "terms", "try again"):
        assert text in str(found)


@pytest.mark.parametrize("token", ["hf_throttled", "hf_slow"])
async def test_the_viewer_itself_cannot_ask_the_hub(
    token: str, store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    async with _gated() as standin:
        found = await _error(store_path, standin)
    assert type(found) is RemoteUnavailableError and found.transient
    assert 2 <= [seen.endpoint for seen in standin.log].count("/rows") <= 3, "as often as the policy says"


async def test_the_viewer_refuses_while_the_hub_grants(store_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)
    async with _gated(rule(error(404, "ExternalAuthenticatedError"), times=None)) as standin:
        found = await _error(store_path, standin)
    assert type(found) is RemoteUnavailableError and "try again" in str(found)


# ------------------------------------------------------------------------------------------------- where the token goes


@pytest.mark.parametrize("path", ["/rows", "/", "/rows?dataset=x"])
async def test_no_redirect_takes_the_token_to_another_host(
    path: str, store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)
    async with OtherHost() as other, _gated(rule(redirect(other.url + path), endpoint="/rows", times=None)) as standin:
        found = await _error(store_path, standin)
    assert type(found) is RemoteAnswerError and "another host" in str(found) and "LMSYS_STORE_VIEWER_URL" in str(found)
    assert other.log == [], "not even without the token"


async def test_a_redirect_of_the_hubs_check_is_not_followed(store_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", STRANGER)
    async with OtherHost() as other, _gated() as standin:
        standin.script = Script(rule(redirect(f"{other.url}/api/check"), endpoint="/auth-check", times=None))
        found = await _error(store_path, standin)
    assert isinstance(found, RemoteError)
    assert other.log == []


@pytest.mark.parametrize(
    "location", ["http://[::1", "mailto:someone", "//", "", "https://", "http://\x7f/", "ftp://x/y"]
)
async def test_a_redirect_to_nowhere_is_an_error_of_ours(
    location: str, store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)
    async with _gated(rule(redirect(location), endpoint="/rows", times=None)) as standin:
        assert isinstance(await _error(store_path, standin), RemoteError)


async def test_a_redirect_on_the_same_host_is_followed(store_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)
    async with _gated() as standin:
        where = f"/rows?dataset={DATASET}&config=default&split=train&offset=0&length=100"
        standin.script = Script(rule(redirect(where), endpoint="/rows"))
        await _sync(store_path, standin)
        pages = [seen.status for seen in standin.log if seen.endpoint == "/rows"]
        assert pages[:2] == [307, 200]


@pytest.mark.parametrize("token", [SECRET, None])
async def test_what_netrc_holds_for_the_host_changes_nothing(
    token: str | None, store_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Who pushes to the Hub with git has such a file: it must neither stop a request nor go along with it."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1\nlogin someone\npassword hf_ofNetrc\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    if token is not None:
        monkeypatch.setenv("HF_TOKEN", token)
    async with StandIn(ROWS, gated=False, tokens=TOKENS) as standin:
        await _sync(store_path, standin)
    assert {seen.authorization for seen in standin.log} == {token and f"Bearer {token}"}


# ------------------------------------------------------------------------------------------------- and where it is shown


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and all it comes from."""
    seen: list[BaseException] = []
    todo = [error]
    while todo:
        found = todo.pop()
        if found is not None and not any(found is one for one in seen):
            seen.append(found)
            todo += [found.__cause__, found.__context__]
    return iter(seen)


def _shown(error: BaseException) -> str:
    """All that a log, a debugger or another process would show of an error."""
    texts = [f"{one} {one!r} {vars(one)!r}" for one in _chain(error)]
    return "\n".join([*texts, repr(pickle.dumps(error))])


FAULTS: dict[str, tuple[str, Any]] = {
    "refused": ("hf_notKnownToTheHub", []),
    "a stranger's": (STRANGER, []),
    "check down": (STRANGER, [rule(stall(), endpoint="/auth-check", times=None)]),
    "renamed": ("hf_renamed", []),
    "reset": (SECRET, [rule(reset_before_headers(), times=None)]),
    "stalled": (SECRET, [rule(stall(), times=None)]),
    "server down": (SECRET, [rule(html(503), times=None)]),
    "unexpected": (SECRET, [rule(error(500, "UnexpectedApiError"), times=None)]),
    "wrong address": (SECRET, [rule(html(404), times=None)]),
    "redirected": (SECRET, [rule(redirect("http://127.0.0.2:1/rows"), times=None)]),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_no_error_and_no_log_record_shows_the_token(
    name: str, store_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    token, rules = FAULTS[name]
    monkeypatch.setenv("HF_TOKEN", token)
    for logger in ("lmsys_store", "aiohttp", "asyncio"):
        caplog.set_level(logging.DEBUG, logger)
    async with _gated(*rules) as standin:
        found = await _error(store_path, standin, request_seconds=0.2)
    assert token not in _shown(found)
    assert not [
        record for record in caplog.records if token in f"{record.getMessage()} {record.args!r} {vars(record)!r}"
    ]


@asynccontextmanager
async def _answering(raw: bytes) -> AsyncIterator[str]:
    """A server that answers everything with these bytes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(raw)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\nplain",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["no http", "no length", "long header", "no gzip", "no chunk"],
)
async def test_what_is_no_http_shows_no_token_either(raw: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The HTTP library's own errors carry the request with all its headers; ours must not carry them on."""
    monkeypatch.setenv("HF_TOKEN", SECRET)
    async with _answering(raw) as url:
        client = RemoteClient(Settings(viewer_url=url, offline=False, attempts=1))
        try:
            with pytest.raises(RemoteUnavailableError) as raised:
                await client.get("rows", {"dataset": DATASET})
        finally:
            await client.close()
    assert SECRET not in _shown(raised.value)


async def test_no_repr_and_no_byte_of_the_store_holds_the_token(
    store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)
    async with _gated() as standin:
        settings = _settings(standin)
        async with AsyncStore(store_path, settings=settings) as store:
            await store.sync()
            shown = [repr(one) for one in (store, settings, RemoteClient(settings), await store.status())]
            written = [path for path in store_path.parent.iterdir() if path.is_file()]
            assert store_path in written
            assert not [path for path in written if SECRET.encode() in path.read_bytes()]
    assert not [text for text in shown if SECRET in text]
    assert not [path for path in store_path.parent.iterdir() if path.is_file() and SECRET.encode() in path.read_bytes()]


@pytest.mark.parametrize("token", [None, "hf_notKnownToTheHub", STRANGER, "hf_renamed", "hf_slow"])
async def test_the_errors_cross_processes(token: str | None, store_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if token is not None:
        monkeypatch.setenv("HF_TOKEN", token)
    async with _gated() as standin:
        found = await _error(store_path, standin)
        offline = await _error(store_path, standin, offline=True)
    for one in (found, offline):
        copy = pickle.loads(pickle.dumps(one))
        assert type(copy) is type(one) and copy.args == one.args and str(copy) == str(one)
