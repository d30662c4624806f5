"""The stand-in answers as the dataset viewer does: routes, parameters, access, forms, and how it is run. Over real sockets."""

import asyncio
import gc
import json
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
import urllib.request
from typing import Any

import aiohttp
import pytest

from tests.standin import GeneratedRows, OtherHost, Script, StandIn, Window, rule, serving
from tests.standin.asking import GOOD, PAGE, ask, ask_url, until
from tests.standin.faults import stall
from tests.standin.server import COOKIE, TOKENS

pytestmark = pytest.mark.anyio
ROWS = GeneratedRows(250)
ANYONE: dict[str, str] = {}


def test_a_generated_row_depends_on_its_number_and_the_seed_alone() -> None:
    assert GeneratedRows(10)[7] == GeneratedRows(1_000_000)[7] == GeneratedRows(10)[5:][2] == GeneratedRows(10)[-3]
    assert GeneratedRows(10, seed=1)[7] != GeneratedRows(10)[7]
    with pytest.raises(IndexError):
        GeneratedRows(10)[10]


# -- routes and parameters ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/api/rows", "/search", "/nothing"])
async def test_an_unknown_path_is_a_plain_text_404_without_a_code(path: str) -> None:
    async with StandIn(ROWS) as server:
        reply = await ask(server, path)
    assert (reply.status, reply.body, reply.headers["Content-Type"]) == (404, b"Not Found", "text/plain; charset=utf-8")
    assert "X-Error-Code" not in reply.headers


async def test_methods_and_slashes() -> None:
    async with StandIn(ROWS) as server:
        post = await ask(server, "/rows", GOOD, "POST")
        head = await ask(server, "/rows", GOOD, "HEAD")
        slash = await ask(server, "/rows/", length=1)
        followed = await ask_url(slash.headers["Location"], **GOOD)
    assert (post.status, post.body, post.headers["Allow"]) == (405, b"Method Not Allowed", "HEAD, GET")
    assert (head.status, head.raw) == (200, b"")
    assert (slash.status, followed.row_indexes) == (307, [0])


@pytest.mark.parametrize(
    ("params", "code", "text"),
    [
        ({"dataset": " ", "config": ""}, "MissingRequiredParameter", "Parameter 'dataset' is required"),
        ({"config": "", "length": "x"}, "MissingRequiredParameter", "Parameter 'config' is required"),
        ({"split": ""}, "MissingRequiredParameter", "Parameter 'split' is required"),
        ({"offset": "1.0"}, "InvalidParameter", "Parameter 'offset' must be integer"),
        ({"offset": "-1"}, "InvalidParameter", "Parameter 'offset' must be positive"),
        ({"length": ""}, "InvalidParameter", "Parameter 'length' must be integer"),
        ({"length": "-1"}, "InvalidParameter", "Parameter 'length' must be positive"),
        ({"length": "101"}, "InvalidParameter", "Parameter 'length' must not be greater than 100"),
    ],
)
@pytest.mark.parametrize("path", ["/rows", "/filter"])
async def test_parameters_are_checked_before_access(path: str, params: dict[str, str], code: str, text: str) -> None:
    async with StandIn(ROWS) as server:
        reply = await ask(server, path, ANYONE, **params)
    assert reply.error == (422, code, text)
    assert "X-Revision" not in reply.headers


async def test_numbers_are_read_as_python_does_and_the_last_duplicate_wins() -> None:
    async with StandIn(ROWS) as server:
        plain = await ask(server, "/rows", offset="1_0", length=" +2 ")
        twice = await ask_url(f"{server.url}/rows?offset=9&offset=3&length=1&config=default&split=train"
                              "&dataset=lmsys%2Flmsys-chat-1m", **GOOD)  # fmt: skip
        limit = await ask(server, "/rows", limit=5)
    assert plain.row_indexes == [10, 11]
    assert twice.row_indexes == [3]
    assert limit.row_indexes == list(range(100))


async def test_what_all_three_or_only_the_dataset_is_required_for() -> None:
    async with StandIn(ROWS) as server:
        assert (await ask(server, "/statistics", split="")).error[2] == (
            "Parameters 'dataset', 'config' and 'split' are required"
        )
        for path in ("/splits", "/size", "/info", "/is-valid"):
            assert (await ask(server, path, dataset="")).error[2] == "Parameter 'dataset' is required"
            assert (await ask(server, path, config="", split="")).status == 200


# -- access ------------------------------------------------------------------------------------------------------------

VERDICTS: dict[str, Any] = {**TOKENS, "gone": 404, "renamed": 307, "throttled": 429, "slow": "timeout"}


@pytest.mark.parametrize(
    ("token", "gated", "public"),
    [
        (None, (401, "ExternalUnauthenticatedError"), (200, None)),
        ("hf_good", (200, None), (200, None)),
        ("hf_stranger", (404, "ExternalAuthenticatedError"), (200, None)),
        ("hf_bad", (401, "ExternalUnauthenticatedError"), (401, "ExternalUnauthenticatedError")),
        ("never seen", (401, "ExternalUnauthenticatedError"), (401, "ExternalUnauthenticatedError")),
        ("gone", (404, "ExternalAuthenticatedError"), (404, "ExternalAuthenticatedError")),
        ("renamed", (404, "RenamedDatasetError"), (404, "RenamedDatasetError")),
        ("throttled", (500, "UnexpectedApiError"), (500, "UnexpectedApiError")),
        ("slow", (500, "AuthCheckHubRequestError"), (500, "AuthCheckHubRequestError")),
    ],
)
async def test_access(token: str | None, gated: tuple[int, str | None], public: tuple[int, str | None]) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else ANYONE
    for open_to_all, expected in ((False, gated), (True, public)):
        async with StandIn(ROWS, gated=not open_to_all, tokens=VERDICTS) as server:
            for path in ("/rows", "/filter", "/size"):
                reply = await ask(server, path, {**headers, "Cookie": "token=hf_good"})
                assert (reply.status, reply.headers.get("X-Error-Code")) == expected
                assert ("X-Revision" in reply.headers) == (reply.status == 200)
            assert (await ask(server, "/healthcheck", ANYONE)).body == b"ok"


async def test_an_unknown_dataset_looks_like_one_without_access_and_an_api_key_is_an_error() -> None:
    async with StandIn(ROWS, gated=False) as server:
        assert (await ask(server, "/rows", ANYONE, dataset="no/such")).error[:2] == (
            401,
            "ExternalUnauthenticatedError",
        )
        assert (await ask(server, "/rows", dataset="no/such")).error[:2] == (404, "ExternalAuthenticatedError")
        assert (await ask(server, "/rows", {"X-Api-Key": "hf_good"})).error[:2] == (500, "UnexpectedApiError")


@pytest.mark.parametrize(
    ("token", "dataset", "status", "code"),
    [
        (None, "lmsys/lmsys-chat-1m", 401, "GatedRepo"),
        ("hf_stranger", "lmsys/lmsys-chat-1m", 403, "GatedRepo"),
        ("hf_good", "lmsys/lmsys-chat-1m", 200, None),
        ("hf_bad", "lmsys/lmsys-chat-1m", 401, None),
        ("throttled", "lmsys/lmsys-chat-1m", 429, None),
        ("renamed", "lmsys/lmsys-chat-1m", 307, None),
        (None, "no/such", 401, "RepoNotFound"),
        ("hf_good", "no/such", 404, "RepoNotFound"),
    ],
)
async def test_the_hub_tells_gated_from_unknown(token: str | None, dataset: str, status: int, code: str | None) -> None:
    async with StandIn(ROWS, tokens=VERDICTS) as server:
        headers = {"Authorization": f"Bearer {token}"} if token else ANYONE
        reply = await ask_url(f"{server.hub_url}/api/datasets/{dataset}/auth-check", **headers)
        elsewhere = await ask_url(f"{server.hub_url}/rows")
    assert (reply.status, reply.headers.get("X-Error-Code")) == (status, code)
    assert elsewhere.status == 404
    assert (server.log[0].endpoint, server.log[0].params, server.log[0].status) == (
        "/auth-check",
        {"dataset": dataset},
        status,
    )


# -- the form of answers -----------------------------------------------------------------------------------------------


async def test_a_page_in_full() -> None:
    async with StandIn(ROWS, partial=True) as server:
        reply = await ask(server, "/rows", offset=240, length=100)
    page = reply.json
    assert list(page) == ["features", "rows", "num_rows_total", "num_rows_per_page", "partial"]
    assert (page["num_rows_total"], page["num_rows_per_page"], page["partial"]) == (250, 100, True)
    assert page["rows"][9] == {"row_idx": 249, "row": ROWS[249], "truncated_cells": []}
    assert [feature["name"] for feature in page["features"]] == list(page["rows"][0]["row"]) == list(ROWS[0])
    assert [feature["feature_idx"] for feature in page["features"]] == list(range(7))
    assert reply.body == json.dumps(page, separators=(",", ":"), ensure_ascii=False).encode()


async def test_past_the_end_there_are_features_and_no_rows() -> None:
    async with StandIn(ROWS) as server:
        past, none = await ask(server, "/rows", offset=10**30), await ask(server, "/rows", length=0)
    assert past.row_indexes == none.row_indexes == []
    assert len(past.json["features"]) == 7
    assert none.json["num_rows_total"] == 250


async def test_every_column_is_in_every_row_and_odd_numbers_are_null() -> None:
    rows: list[dict[str, Any]] = [{"a": 1, "b": "é"}, {"b": None, "a": float("nan")}, {"a": 2, "more": b"x"}]
    async with StandIn(rows) as server:
        page = (await ask(server, "/rows")).json
    assert [feature["name"] for feature in page["features"]] == ["a", "b", "more"]
    assert page["rows"][1]["row"] == {"a": None, "b": None, "more": None}
    assert page["rows"][2]["row"] == {"a": 2, "b": None, "more": "eA=="}


async def test_the_three_forms_of_features_and_the_form_of_info() -> None:
    text, found, info = {"dtype": "string", "_type": "Value"}, {}, {}
    for form in ("list", "legacy", "sequence"):
        async with StandIn(ROWS, features=form) as server:
            page = (await ask(server, "/rows", length=1)).json
            info[form] = (await ask(server, "/info")).json["dataset_info"]["features"]["conversation"]
        found[form] = page["features"][2]["type"], page["rows"][0]["row"]["conversation"]
    inner, messages = {"content": text, "role": text}, ROWS[0]["conversation"]
    columns = {name: [message[name] for message in messages] for name in ("content", "role")}
    assert found["list"] == ({"feature": inner, "_type": "List"}, messages)
    assert found["legacy"] == ([inner], messages)
    assert found["sequence"] == ({"feature": inner, "_type": "Sequence"}, columns)
    assert info == {form: [inner] for form in found}


async def test_headers_of_success_and_error() -> None:
    async with StandIn(ROWS) as server:
        good, bad = await ask(server, "/rows", length=0), await ask(server, "/rows", ANYONE)
        crossed = await ask(server, "/rows", {**GOOD, "Origin": "http://there"}, length=0)
        health = await ask(server, "/healthcheck")
    assert good.headers["Content-Type"] == bad.headers["Content-Type"] == "application/json"
    assert (good.headers["Cache-Control"], bad.headers["Cache-Control"]) == ("max-age=120", "max-age=10")
    assert (good.headers["X-Revision"], "X-Error-Code" in good.headers) == ("a" * 40, False)
    assert not [name for name in good.headers if name.startswith("Access-Control")]
    assert crossed.headers["Access-Control-Allow-Origin"] == "http://there"
    assert crossed.headers["Access-Control-Expose-Headers"] == "X-Error-Code, X-Revision"
    assert health.headers["Cache-Control"] == "no-store"


async def test_gzip_for_those_who_accept_it_from_500_bytes_on() -> None:
    accepting = {**GOOD, "Accept-Encoding": "gzip, deflate"}
    async with StandIn(ROWS) as server:
        large, plain = await ask(server, "/rows", accepting), await ask(server, "/rows")
        small = await ask(server, "/splits", accepting)
    assert (large.headers["Content-Encoding"], large.headers["Vary"]) == ("gzip", "Accept-Encoding")
    assert large.json == plain.json
    assert len(large.raw) < len(plain.raw)
    assert len(small.raw) < 500
    assert "Content-Encoding" not in {**plain.headers, **small.headers}
    assert [seen.bytes_sent for seen in server.log] == [len(reply.raw) for reply in (large, plain, small)]
    assert [seen.accept_encoding for seen in server.log] == ["gzip, deflate", None, "gzip, deflate"]


@pytest.mark.parametrize(
    ("path", "params", "status", "code", "revision"),
    [
        ("/rows", {"config": "x"}, 404, "ResponseNotFound", False),
        ("/filter", {"config": "x"}, 404, "ResponseNotFound", False),
        ("/splits", {"config": "x"}, 404, "ResponseNotFound", False),
        ("/rows", {"split": "x"}, 500, "UnexpectedApiError", False),
        ("/filter", {"split": "x"}, 500, "UnexpectedApiError", True),
        ("/statistics", {"split": "x"}, 404, "ResponseNotFound", False),
        ("/is-valid", {"split": "x"}, 404, "ResponseNotFound", False),
    ],
)
async def test_an_unknown_config_or_split(
    path: str, params: dict[str, str], status: int, code: str, revision: bool
) -> None:
    async with StandIn(ROWS) as server:
        reply = await ask(server, path, **params)
    assert (*reply.error[:2], "X-Revision" in reply.headers) == (status, code, revision)


async def test_splits_size_info_and_is_valid() -> None:
    async with StandIn(ROWS, dataset="demo/generated") as server:
        told = {
            (path, config): (await ask(server, path, dataset="demo/generated", config=config)).json
            for path in ("/splits", "/size", "/info", "/is-valid")
            for config in ("", "default")
        }
    assert told["/splits", ""]["splits"] == [{"dataset": "demo/generated", "config": "default", "split": "train"}]
    assert (told["/splits", ""]["pending"], "pending" in told["/splits", "default"]) == ([], False)
    assert told["/size", ""]["size"]["dataset"]["num_rows"] == 250
    assert told["/size", "default"]["size"]["config"]["num_columns"] == 7
    assert told["/info", ""]["dataset_info"]["default"] == told["/info", "default"]["dataset_info"]
    assert told["/info", "default"]["dataset_info"]["splits"]["train"]["num_examples"] == 250
    assert set(told["/is-valid", ""]) == {"preview", "viewer", "search", "filter", "statistics"}


async def test_statistics_count_labels_exactly() -> None:
    async with StandIn(ROWS) as server:
        told = (await ask(server, "/statistics")).json
    by_name = {entry["column_name"]: entry for entry in told["statistics"]}
    english = sum(row["language"] == "English" for row in ROWS)
    assert by_name["language"]["column_statistics"]["frequencies"]["English"] == english
    assert {name: entry["column_type"] for name, entry in by_name.items()} == {
        "conversation_id": "string_text", "model": "string_label", "conversation": "list", "turn": "int",
        "language": "string_label", "openai_moderation": "list", "redacted": "bool",
    }  # fmt: skip
    assert by_name["conversation"]["column_statistics"]["max"] == max(len(row["conversation"]) for row in ROWS)


# -- limits, changes under way, and running it -------------------------------------------------------------------------


async def test_more_than_the_rate_is_refused() -> None:
    async with StandIn(ROWS, max_rate=0.01) as server:
        replies = [await ask(server, "/rows", length=0) for _ in range(4)]
    assert [reply.status for reply in replies] == [200, 200, 429, 429]
    assert not {"X-Error-Code", "Retry-After"} & set(replies[-1].headers)


async def test_more_than_the_window_takes_is_refused_and_may_say_for_how_long() -> None:
    for window, header in (((2, 60), None), (Window(2, 60, retry_after=True), "60")):
        async with StandIn(ROWS, requests_per_window=window) as server:
            replies = [await ask(server, "/size") for _ in range(3)]
        assert [reply.status for reply in replies] == [200, 200, 429]
        assert replies[-1].headers.get("Retry-After") == header


async def test_the_index_gets_ready_for_a_client_that_keeps_its_cookie() -> None:
    async with StandIn(ROWS, index_ready_after=2) as server:
        first = await ask(server, "/filter", length=0)
        cookie = {**GOOD, "Cookie": first.headers["Set-Cookie"].partition(";")[0]}
        kept = [await ask(server, "/filter", cookie, length=0) for _ in range(3)]
        lost = [await ask(server, "/filter", length=0) for _ in range(3)]
    assert [reply.status for reply in kept] == [500, 500, 200]
    assert {reply.error[1] for reply in (first, *kept[:2], *lost)} == {"ResponseNotReady"}
    assert "Set-Cookie" not in kept[0].headers
    assert server.log[1].cookies == {COOKIE: cookie["Cookie"].partition("=")[2]}


async def test_revision_rows_and_total_may_change_while_it_runs() -> None:
    async with StandIn(ROWS) as server:
        server.revision, server.total = "b" * 40, 120
        shrunk = await ask(server, "/rows", offset=100)
        matching = await ask(server, "/filter", where='"turn">=0', length=0)
        server.rows, server.total = GeneratedRows(300, seed=1), None
        changed = await ask(server, "/rows", offset=299)
        refiltered = await ask(server, "/filter", where='"turn">=0', length=0)
    assert (shrunk.headers["X-Revision"], len(shrunk.row_indexes), shrunk.json["num_rows_total"]) == ("b" * 40, 20, 120)
    assert matching.json["num_rows_total"] == 120
    assert changed.json["rows"][0]["row"] == GeneratedRows(300, seed=1)[299]
    assert refiltered.json["num_rows_total"] == 300


async def test_pages_asked_together_take_their_time_together() -> None:
    async with StandIn(ROWS, page_seconds=0.3) as server:
        started = time.monotonic()
        await asyncio.gather(*(ask(server, "/rows", length=1) for _ in range(10)))
        assert 0.3 <= time.monotonic() - started < 1.5
    assert all(seen.ended and seen.ended - seen.started >= 0.3 for seen in server.log)


async def test_closing_drops_what_is_stalled_and_leaves_no_task() -> None:
    before = asyncio.all_tasks()
    async with StandIn(ROWS, script=Script(rule(stall(), times=None))) as server, aiohttp.ClientSession() as session:
        stalled = asyncio.create_task(session.get(f"{server.url}/rows", params=PAGE))
        await until(lambda: server.log)
        closing = time.monotonic()
        await server.__aexit__()
        assert time.monotonic() - closing < 1
        with pytest.raises(aiohttp.ClientConnectionError):
            await stalled
        assert asyncio.all_tasks() == before
    gc.collect()
    assert (server.log[0].status, server.log[0].ended is None) == (None, False)


async def test_closing_does_not_wait_for_an_index() -> None:
    threads = threading.active_count()
    async with StandIn(GeneratedRows(1_000_000)) as server, aiohttp.ClientSession() as session:
        asked = asyncio.create_task(session.get(f"{server.url}/filter", params=PAGE, headers=GOOD))
        await until(lambda: threading.active_count() > threads)
        closing = time.monotonic()
        await server.__aexit__()
        assert time.monotonic() - closing < 1
        with pytest.raises(aiohttp.ClientConnectionError):
            await asked


async def test_many_generated_rows_need_little_memory() -> None:
    tracemalloc.start()
    try:
        async with StandIn(GeneratedRows(10_000_000)) as server:
            assert (await ask(server, "/rows", offset=9_999_999)).row_indexes == [9_999_999]
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_it_serves_from_a_thread_to_callers_that_block() -> None:
    with serving(StandIn(ROWS, gated=False)) as server, serving(OtherHost()) as other:
        with urllib.request.urlopen(f"{server.url}/size?dataset=lmsys/lmsys-chat-1m") as response:
            assert json.load(response)["size"]["dataset"]["num_rows"] == 250
        with urllib.request.urlopen(urllib.request.Request(other.url, headers=GOOD)) as response:
            assert response.status == 200
        assert (server.log[0].status, other.log[0]["authorization"]) == (200, "Bearer hf_good")


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_as_a_process_until_told_to_end(ending: signal.Signals) -> None:
    command = [sys.executable, "-m", "tests.standin", "--rows", "20", "--open"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        urls = json.loads(process.stdout.readline())
        with urllib.request.urlopen(f"{urls['url']}/size?dataset=demo/generated") as response:
            assert json.load(response)["size"]["dataset"]["num_rows"] == 20
        with urllib.request.urlopen(f"{urls['hub_url']}/api/datasets/demo/generated/auth-check") as response:
            assert response.status == 200
        process.send_signal(ending)
        assert process.communicate(timeout=5) == ("", "")
    assert process.returncode == 0
