"""A wrong address, offline, and the Hub's own cache: what is done where the remote cannot or need not be asked."""

from pathlib import Path

import pytest

from lmsys_store import AsyncStore, Query
from lmsys_store.errors import OfflineError, RemoteAnswerError
from lmsys_store.settings import Settings
from tests.embedding.running import run_cli
from tests.generated import write_parquet
from tests.remote.processes import run_guarded
from tests.remote.runs import ROWS, asked, assert_equal, covered, queried, row_contents, stand_in, synced
from tests.standin import StandIn

pytestmark = pytest.mark.anyio
COMMIT = "a" * 40
"""What the stand-ins call their revision too."""
CACHED = 300


def fill_cache(
    cache: Path, commit: str = COMMIT, *, shards: tuple[int, ...] = (0, 1), digest: str = "-4feeb3f83346a0e9"
) -> None:
    """A Hub cache with some shards of 150 rows; the data set's own files have a digest in their names."""
    folder = cache / "datasets--lmsys--lmsys-chat-1m"
    (folder / "refs").mkdir(parents=True, exist_ok=True)
    (folder / "refs" / "main").write_text(commit)
    data = folder / "snapshots" / commit / "data"
    data.mkdir(parents=True)
    for shard in shards:
        write_parquet(data / f"train-{shard:05}-of-00002{digest}.parquet", CACHED // 2, seed=shard)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the Hub's tools would download to."""
    place = tmp_path / "hub"
    monkeypatch.setenv("HF_HUB_CACHE", str(place))
    return place


# -- a wrong address ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tail", ["/api", "/api/", "/v1"])
async def test_an_address_that_is_no_viewer_gives_the_right_one(tail: str, token: str, store_path: Path) -> None:
    async with stand_in() as standin:
        with pytest.raises(
            RemoteAnswerError, match=r"https://datasets-server\.huggingface\.co.*LMSYS_STORE_VIEWER_URL"
        ):
            await synced(store_path, standin, {"viewer_url": standin.url + tail})
        assert {seen.endpoint for seen in standin.log} <= {
            f"{tail.rstrip('/')}/{one}" for one in ("rows", "splits", "size")
        }


async def test_a_slash_at_the_end_of_the_address_does_no_harm(token: str, store_path: Path, undisturbed: Path) -> None:
    async with stand_in() as standin:
        assert (
            await synced(store_path, standin, {"viewer_url": standin.url + "/", "hub_url": standin.hub_url + "/"})
        ).complete
    await assert_equal(store_path, undisturbed)


def test_the_program_says_the_remedy_in_one_line(
    served: StandIn, store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LMSYS_STORE_VIEWER_URL", served.url + "/api")
    done = run_cli("sync", "--store", store_path)
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert "https://datasets-server.huggingface.co" in done.err and "Traceback" not in done.err


# -- offline -----------------------------------------------------------------------------------------------------------


async def test_offline_nothing_is_asked(token: str, store_path: Path) -> None:
    async with stand_in() as standin:
        for query in (None, Query.of(model="gpt-4")):
            with pytest.raises(OfflineError, match="HF_HUB_OFFLINE"):
                await synced(store_path, standin, {"offline": True}, query=query)
        assert standin.log == []


def test_offline_by_the_environment_no_socket_is_opened(
    served: StandIn, store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    done = run_guarded("sync", "--store", store_path)
    assert (done.code, done.err.count("\n"), served.log) == (1, 1, []), done
    assert "HF_HUB_OFFLINE" in done.err


def test_the_guard_of_these_tests_would_see_a_connection(served: StandIn, store_path: Path) -> None:
    done = run_guarded("sync", "--store", store_path)
    assert "NETWORK socket.connect" in done.err and served.log == []


async def test_offline_a_complete_store_is_complete(token: str, store_path: Path) -> None:
    async with stand_in() as standin:
        await synced(store_path, standin)
        made = len(standin.log)
        report = await synced(store_path, standin, {"offline": True})
        assert (report.complete, report.rows_added, len(standin.log)) == (True, 0, made)


# -- the Hub's cache ---------------------------------------------------------------------------------------------------


def test_a_cached_data_set_fills_the_store_without_any_connection(cache: Path, store_path: Path) -> None:
    """Online or not: the program does not even look."""
    fill_cache(cache)
    done = run_guarded("sync", "--store", store_path)
    assert done.code == 0, done
    assert "no network was used" in done.err and str(cache) in done.err
    assert done.out.startswith(f"{CACHED} rows added") and "complete: " in done.out
    assert queried(store_path, "SELECT dataset, revision FROM store") == [("lmsys/lmsys-chat-1m", COMMIT)]


async def test_where_it_can_be_asked_the_remote_is_not_asked_for_what_is_cached(
    token: str, cache: Path, store_path: Path
) -> None:
    fill_cache(cache)
    async with stand_in() as standin:
        report = await synced(store_path, standin)
        assert (report.complete, report.rows_added, report.requests, standin.log) == (True, CACHED, 0, [])


async def test_the_rows_of_a_query_are_taken_from_the_cache_alone_and_the_query_is_covered(
    cache: Path, store_path: Path
) -> None:
    fill_cache(cache)
    query = Query.of(model="vicuna-13b")
    wanted = [at for at, row in enumerate(_cached_rows()) if row["model"] == "vicuna-13b"]
    async with AsyncStore(store_path, settings=Settings(offline=True)) as store:
        some = await store.sync(query=query, limit=40)
        assert (some.complete, some.requests) == (True, 0) and 40 <= some.rows_added < len(wanted)
        rest = await store.sync(query=query)
        assert (rest.complete, some.rows_added + rest.rows_added) == (True, len(wanted))
        assert any("no network was used" in note for note in rest.notes)
        assert (await store.sync(query=query)).rows_added == 0
        rows = store.select(query, fallback="cache")
        assert [chat.row_index async for chat in rows] == wanted and rows.complete is True
        nothing = await store.sync(query=Query.of(model="no such model"))
        assert (nothing.complete, nothing.rows_added) == (True, 0)
        assert (await store.check()).problems == ()
        assert (await store.sync()).rows_added == CACHED - len(wanted)


@pytest.mark.parametrize("variable", ["HF_HOME", "XDG_CACHE_HOME"])
async def test_the_cache_is_found_where_the_hubs_tools_put_it(
    variable: str, tmp_path: Path, store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv(variable, str(home))
    fill_cache((home if variable == "HF_HOME" else home / "huggingface") / "hub")
    async with AsyncStore(store_path, settings=Settings(offline=True)) as store:
        assert (await store.sync()).rows_added == CACHED


@pytest.mark.parametrize("digest", ["", "-4feeb3f83346a0e9"], ids=["plain", "digest"])
@pytest.mark.parametrize("shards", [(0,), (1,), ()])
async def test_an_incomplete_cache_is_not_used(
    shards: tuple[int, ...], digest: str, token: str, cache: Path, store_path: Path, undisturbed: Path
) -> None:
    fill_cache(cache, shards=shards, digest=digest)
    async with stand_in() as standin:
        with pytest.raises(OfflineError):
            await synced(store_path, standin, {"offline": True})
        assert covered(store_path) == []
        assert (await synced(store_path, standin)).requests > 0
    await assert_equal(store_path, undisturbed)


async def test_pages_and_files_of_one_commit_share_one_coverage(
    token: str, cache: Path, store_path: Path, tmp_path: Path
) -> None:
    """What came by pages is not read again from the cache, and the rows are the same."""
    rows = _cached_rows()
    async with stand_in(rows=rows) as standin:
        await synced(store_path, standin, limit=130)
        await synced(tmp_path / "paged.db", standin)
        made = len(standin.log)
        fill_cache(cache)
        report = await synced(store_path, standin, {"offline": True})
        assert (report.complete, report.rows_added, report.rows_skipped) == (True, CACHED - 130, 130)
        assert len(standin.log) == made
    ours, theirs = row_contents(store_path), row_contents(tmp_path / "paged.db")
    assert ours == theirs
    assert covered(store_path) == [(0, CACHED)]


def _cached_rows() -> list[dict[str, object]]:
    from tests.generated import rows

    return [*rows(CACHED // 2, seed=0), *rows(CACHED // 2, seed=1)]


async def test_a_cache_of_another_commit_is_not_mixed_in(
    token: str, cache: Path, store_path: Path, undisturbed: Path
) -> None:
    async with stand_in() as standin:
        await synced(store_path, standin, limit=100)
        fill_cache(cache, "c" * 40)
        assert (await synced(store_path, standin)).complete
        assert [offset for offset, _ in asked(standin)] == [0, 100, 200, 300, 400]
    await assert_equal(store_path, undisturbed)


async def test_a_restart_of_another_data_sets_store_does_not_take_the_cached_one(
    token: str, cache: Path, store_path: Path
) -> None:
    fill_cache(cache)
    async with stand_in(dataset="demo/generated") as standin:
        await synced(store_path, standin, {"dataset": "demo/generated"}, limit=50)
        report = await synced(store_path, standin, restart=True)
        assert report.rows_added == len(ROWS)
    async with AsyncStore(store_path) as store:
        assert (await store.status()).dataset == "demo/generated"


async def test_a_limit_reads_no_more_of_the_cache(cache: Path, store_path: Path) -> None:
    fill_cache(cache)
    async with AsyncStore(store_path, settings=Settings(offline=True)) as store:
        assert (await store.sync(limit=70)).rows_added == 70
        assert (await store.sync()).rows_added == CACHED - 70
