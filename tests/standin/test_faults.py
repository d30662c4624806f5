"""Each fault does what its name says, to the requests its rule is for. Over real sockets."""

import time
import zlib
from email.utils import formatdate

import aiohttp
import pytest

from tests.standin import GeneratedRows, OtherHost, Script, StandIn, rule
from tests.standin import faults as f
from tests.standin.answers import CACHED_CODES, LIVE_CODES
from tests.standin.asking import GOOD, PAGE, Reply, ask, ask_url, until
from tests.standin.wire import Action

pytestmark = pytest.mark.anyio
ROWS = list(GeneratedRows(250))


async def faulty(action: Action, path: str = "/rows", *, gzip: bool = True, **params: str | int) -> Reply:
    """The answer of a stand-in whose every answer has this fault."""
    headers = {**GOOD, "Accept-Encoding": "gzip"} if gzip else GOOD
    async with StandIn(ROWS, script=Script(rule(action, times=None))) as server:
        return await ask(server, path, headers, **params)


# -- which request -----------------------------------------------------------------------------------------------------


async def statuses(script: Script, *paths: str, offset: int = 0) -> list[int]:
    async with StandIn(ROWS, script=script) as server:
        return [(await ask(server, path, offset=offset, length=0)).status for path in paths]


async def test_the_first_fitting_rule_acts_until_it_is_used_up() -> None:
    script = Script(rule(f.error(500), times=2), rule(f.html(503)))
    assert await statuses(script, *["/rows"] * 4) == [500, 500, 503, 200]


async def test_rules_are_for_an_endpoint_an_offset_and_a_number() -> None:
    pair = ["/rows", "/size"] * 2
    assert await statuses(Script(rule(f.error(500), endpoint="size", times=None)), *pair) == [200, 500, 200, 500]
    assert await statuses(Script(rule(f.error(500), endpoint="/rows", after=1)), *pair) == [200, 200, 500, 200]
    assert await statuses(Script(rule(f.error(500), offset=100)), "/rows") == [200]
    assert await statuses(Script(rule(f.error(500), offset=100)), "/rows", offset=100) == [500]


async def test_the_hub_has_faults_of_its_own_only() -> None:
    script = Script(rule(f.error(500), times=None), rule(f.html(503), endpoint="auth-check"))
    async with StandIn(ROWS, script=script) as server:
        url = f"{server.hub_url}/api/datasets/{server.dataset}/auth-check"
        assert [(await ask_url(url, **GOOD)).status for _ in range(2)] == [503, 200]


async def test_several_faults_together() -> None:
    reply = await faulty(f.together(f.fewer_rows(90), f.revision("c" * 40), f.total(7), f.partial(), f.shuffled_page()))
    assert (reply.headers["X-Revision"], reply.json["num_rows_total"], reply.json["partial"]) == ("c" * 40, 7, True)
    assert sorted(reply.row_indexes) == list(range(10)) != reply.row_indexes
    assert (await faulty(f.together(f.delay(0), f.too_many("1")))).status == 429
    with pytest.raises(aiohttp.ClientPayloadError):
        await faulty(f.together(f.short_body(), f.total(3)))


# -- other answers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("retry_after", [None, "30", "0", formatdate(2_000_000_000, usegmt=True)])
async def test_too_many(retry_after: str | None) -> None:
    reply = await faulty(f.too_many(retry_after, ratelimit='"api";r=0;t=2' if retry_after is None else None))
    assert (reply.status, reply.headers.get("Retry-After")) == (429, retry_after)
    assert reply.headers.get("RateLimit") == ('"api";r=0;t=2' if retry_after is None else None)


async def test_every_code_with_its_status() -> None:
    codes = [*LIVE_CODES.items(), *CACHED_CODES.items()]
    script = Script(*(rule(f.error(status, code, "why")) for code, status in codes))
    async with StandIn(ROWS, script=script) as server:
        replies = [await ask(server, "/rows") for _ in codes]
    assert [reply.error for reply in replies] == [(status, code, "why") for code, status in codes]
    assert {reply.headers["Cache-Control"] for reply in replies} == {"max-age=10"}


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_html(status: int) -> None:
    reply = await faulty(f.html(status))
    assert (reply.status, reply.headers["Content-Type"], reply.body[:6]) == (status, "text/html", b"<html>")
    assert "X-Error-Code" not in reply.headers


async def test_wrong_type() -> None:
    reply = await faulty(f.wrong_type())
    assert (reply.status, reply.headers["Content-Type"], reply.body[:9]) == (200, "text/html", b"<!doctype")


async def test_redirect_to_another_host_that_sees_what_it_gets() -> None:
    script = Script(rule(f.redirect("http://placeholder")))
    async with OtherHost() as other, StandIn(ROWS, script=script) as server:
        script.rules[0].action = f.redirect(f"{other.url}/rows")
        moved = await ask(server, "/rows")
        await ask_url(moved.headers["Location"], **GOOD)
    assert (moved.status, other.log[0]["Authorization"]) == (307, "Bearer hf_good")


async def test_too_big_above_a_length() -> None:
    async with StandIn(ROWS, script=Script(rule(f.too_big(50)))) as server:
        replies = [await ask(server, "/rows", length=length) for length in (50, 51, 51)]
    assert [reply.status for reply in replies] == [200, 500, 200]
    assert replies[1].headers["X-Error-Code"] == "TooBigContentError"


async def test_delay() -> None:
    started = time.monotonic()
    assert (await faulty(f.delay(0.2))).status == 200
    assert time.monotonic() - started >= 0.2


# -- other pages -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/rows", "/filter"])
async def test_pages_of_other_rows(path: str) -> None:
    async def indexes(action: Action) -> list[int]:
        return (await faulty(action, path, offset=20, length=10)).row_indexes

    asked = list(range(20, 30))
    assert await indexes(f.fewer_rows(3)) == asked[:7]
    assert await indexes(f.more_rows(3)) == [*asked, 30, 31, 32]
    assert await indexes(f.duplicated_page()) == list(range(10, 20))
    assert await indexes(f.empty_page()) == []
    shuffled = await indexes(f.shuffled_page())
    assert sorted(shuffled) == asked != shuffled


async def test_shuffled_rows_keep_their_own_index() -> None:
    reply = await faulty(f.shuffled_page(), length=2)
    assert reply.row_indexes == [1, 0]
    assert all(row["row"] == ROWS[row["row_idx"]] for row in reply.json["rows"])


async def test_a_bad_row() -> None:
    rows = (await faulty(f.bad_row(1, column="turn", value="x"), length=3)).json["rows"]
    assert [row["row"]["turn"] for row in rows] == [ROWS[0]["turn"], "x", ROWS[2]["turn"]]
    assert (await faulty(f.bad_row(0), length=1)).json["rows"][0]["row"]["conversation"] == "not a list"
    assert (await faulty(f.bad_row(5), length=1)).json["rows"][0]["row"] == ROWS[0]


async def test_missing_and_extra_columns() -> None:
    missing = (await faulty(f.missing_column("model"), length=1)).json
    extra = (await faulty(f.extra_column("more"), length=1)).json
    assert len(missing["features"]) == len(missing["rows"][0]["row"]) == 6
    assert "model" not in missing["rows"][0]["row"]
    assert extra["features"][7] == {"feature_idx": 7, "name": "more", "type": {"dtype": "string", "_type": "Value"}}
    assert extra["rows"][0]["row"]["more"] == "extra"


async def test_revision_total_and_partial() -> None:
    assert (await faulty(f.revision("b" * 40))).headers["X-Revision"] == "b" * 40
    assert (await faulty(f.total(5), length=9)).json["num_rows_total"] == 5
    assert (await faulty(f.total(5), "/size")).json["size"]["splits"][0]["num_rows"] == 5
    assert (await faulty(f.partial())).json["partial"] is True
    assert (await faulty(f.partial(), "/size")).json["partial"] is True


# -- other bytes -------------------------------------------------------------------------------------------------------


async def test_truncated_json_fits_its_headers() -> None:
    reply = await faulty(f.truncated_json(), gzip=False)
    assert (reply.status, int(reply.headers["Content-Length"])) == (200, len(reply.raw))
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        _ = reply.json


async def test_invalid_utf8() -> None:
    reply = await faulty(f.invalid_utf8(), length=1)
    with pytest.raises(UnicodeDecodeError):
        reply.body.decode()
    assert b'"conversation_id":"\xff\xfe' in reply.body


@pytest.mark.parametrize("gzip", [False, True])
@pytest.mark.parametrize("action", [f.reset_mid_body(), f.short_body()])
async def test_a_body_that_breaks_off(action: Action, gzip: bool) -> None:
    with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ClientConnectionError)):
        await faulty(action, gzip=gzip)


async def test_reset_before_headers() -> None:
    with pytest.raises(aiohttp.ClientOSError):
        await faulty(f.reset_before_headers())


async def test_stall_ends_with_the_client() -> None:
    async with StandIn(ROWS, script=Script(rule(f.stall()))) as server, aiohttp.ClientSession() as session:
        with pytest.raises(TimeoutError):
            await session.get(f"{server.url}/rows", params=PAGE, timeout=aiohttp.ClientTimeout(total=0.1))
        await until(lambda: server.log[0].ended)
        assert (server.log[0].status, (await ask(server, "/rows")).status) == (None, 200)


async def test_slow_body() -> None:
    plain = await faulty(f.delay(0), gzip=False, length=2)
    started = time.monotonic()
    slow = await faulty(f.slow_body(len(plain.raw) / 0.4), gzip=False, length=2)
    assert time.monotonic() - started >= 0.35
    assert slow.raw == plain.raw


async def test_endless_body() -> None:
    script = Script(rule(f.endless_body()))
    async with StandIn(ROWS, script=script) as server, aiohttp.ClientSession(auto_decompress=False) as session:
        inflated, read, inflating = 0, 0, zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        async with session.get(f"{server.url}/rows", params=PAGE, headers=GOOD) as response:
            while inflated < 50_000_000:
                raw = await response.content.readany()
                read, inflated = read + len(raw), inflated + len(inflating.decompress(raw))
        assert read < inflated / 500
        assert response.headers["Content-Encoding"] == "gzip"
