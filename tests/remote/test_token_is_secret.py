"""The token goes to the two configured hosts and nowhere else: no output, file, log, error or repr has it."""

import logging
import pickle
from pathlib import Path

import pytest

from lmsys_store import AsyncStore
from lmsys_store.errors import LmsysStoreError
from tests.embedding.running import run_cli
from tests.remote.processes import everything_beside
from tests.remote.runs import TOKEN, settings, stand_in
from tests.standin import OtherHost, StandIn, rule
from tests.standin import faults as f
from tests.standin.wire import Action

SECRET = TOKEN.removeprefix("hf_")
FAULTS = {
    "none": f.delay(0),
    "503": f.html(503),
    "refused": f.error(401, "ExternalUnauthenticatedError"),
    "not followed": f.redirect("http://localhost:9/rows"),
    "echoed": f.error(422, "InvalidParameter", "no good"),
    "stall": f.stall(),
    "circle": f.redirect("/rows"),
}


@pytest.mark.parametrize(("name", "options"), [("none", ()), ("503", ("--debug",)), ("refused", ())])
def test_no_output_and_no_file_of_a_run_has_it(
    name: str, options: tuple[str, ...], served: StandIn, store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LMSYS_STORE_ATTEMPTS", "2")
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    served.script.rules.append(rule(FAULTS[name], "rows", offset=200, times=None))
    done = run_cli(*options, "sync", "--store", store_path)
    assert done.code == (0 if name == "none" else 1), done
    assert ("Traceback" in done.err) is bool(options)
    assert SECRET not in done.out + done.err
    assert SECRET.encode() not in everything_beside(store_path)
    assert {seen.authorization for seen in served.log} == {f"Bearer {TOKEN}"}, "the remote itself was told"


@pytest.mark.anyio
@pytest.mark.parametrize("name", FAULTS)
async def test_no_log_error_or_repr_has_it(
    name: str, token: str, store_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    action: Action = FAULTS[name]
    async with stand_in(rule(action, "rows", times=None)) as standin:
        given = settings(standin, attempts=2, request_seconds=0.1)
        store = AsyncStore(store_path, settings=given)
        async with store:
            error = None
            try:
                await store.sync()
            except LmsysStoreError as caught:
                error = caught
            seen = [repr(store), repr(given), repr(given.token()), repr(store._remote.client), given.model_dump_json()]
    assert (error is None) is (name == "none")
    while error is not None:
        seen += [str(error), repr(error), str(vars(error))]
        if isinstance(error, LmsysStoreError):
            seen.append(repr(pickle.loads(pickle.dumps(error))))
        error = error.__cause__  # type: ignore[assignment]
    seen += [record.getMessage() + str(record.exc_text) for record in caplog.records]
    assert SECRET not in "\n".join(seen)
    assert SECRET.encode() not in everything_beside(store_path)


@pytest.mark.anyio
@pytest.mark.parametrize("endpoint", ["rows", "filter", "size", "splits", "auth-check"])
async def test_no_other_host_is_told_whichever_answer_points_there(endpoint: str, token: str, store_path: Path) -> None:
    from lmsys_store import Query

    async with OtherHost() as other, stand_in() as standin:
        standin.script.rules.append(rule(f.redirect(f"{other.url}/x"), endpoint, times=None))
        if endpoint == "auth-check":
            standin.script.rules.append(rule(f.error(404, "ExternalAuthenticatedError"), "rows", times=None))
        async with AsyncStore(store_path, settings=settings(standin)) as store:
            for query in (None, Query.of(model="gpt-4")):
                try:
                    await store.sync(query=query, limit=5)
                except LmsysStoreError as error:
                    assert SECRET not in str(error)
        assert other.log == []
