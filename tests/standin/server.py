"""The stand-in itself: a dataset viewer and the Hub's auth-check on two local ports, answering as the real ones do.

It holds one data set of one config and one split. It has no ``/first-rows``, ``/search`` or ``/parquet``: they are a 404 like
any other unknown path.
"""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any, Final, Self

from aiohttp import web

from tests.standin import parameters
from tests.standin.access import Access, Verdict
from tests.standin.answers import Answer, RefusedError, dressed, json_answer, refused, text_answer
from tests.standin.descriptions import Description
from tests.standin.faults import Script
from tests.standin.features import Features, Form, cell_in_form, features_of, in_form
from tests.standin.grammar import BadQueryError, OutsideGrammarError, parse_order_by, parse_where
from tests.standin.hosts import Host
from tests.standin.index import Index
from tests.standin.limits import Limits, Window
from tests.standin.parameters import PAGE, Call
from tests.standin.rows import Row
from tests.standin.wire import Action, Page, Seen, Sending, never

COOKIE: Final = "AWSALB"
TOKENS: Final[Mapping[str, Verdict]] = MappingProxyType({"hf_good": 200, "hf_stranger": 403, "hf_bad": 401})
_COOKIE_SECONDS: Final = 300
_KEPT_RESULTS: Final = 16

Route = Callable[[Call, web.Request, Action], Awaitable[Answer]]


class StandIn:
    """A dataset viewer (``url``) and a Hub (``hub_url``) while the context is open.

    Args:
        rows: Any sequence of row mappings; its columns are those of the first rows.
        tokens: What the Hub's auth-check says of each token: 200, 401, 403, 404, 307, 429 or ``"timeout"``.
        features: The form of the types in pages: today's ``list``, the ``legacy`` array, or ``sequence``, whose cells are objects
            of lists.
        page_seconds: How long a page takes; pages asked at the same time take it at the same time.
        index_ready_after: How many calls of ``/filter`` with one cookie are not ready.
        max_rate: Requests a second, with bursts of two; more are refused with 429.
        requests_per_window: A ``Window``, or count and seconds.

    ``rows``, ``total``, ``revision``, ``partial``, ``access``, ``limits`` and ``script`` may be changed while it runs.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        *,
        dataset: str = "lmsys/lmsys-chat-1m",
        config: str = "default",
        split: str = "train",
        revision: str = "a" * 40,
        gated: bool = True,
        tokens: Mapping[str, Verdict] = TOKENS,
        features: Form = "list",
        page_seconds: float = 0.0,
        index_ready_after: int = 0,
        partial: bool = False,
        script: Script | None = None,
        max_rate: float | None = None,
        requests_per_window: tuple[int, float] | Window | None = None,
        port: int = 0,
    ) -> None:
        self.rows = rows
        self.dataset, self.config, self.split = dataset, config, split
        self.revision = revision
        self.partial = partial
        self.page_seconds = page_seconds
        self.index_ready_after = index_ready_after
        self.access = Access(dataset, gated, tokens)
        self.limits = Limits(max_rate, Window(*requests_per_window) if requests_per_window else None)
        self.script = Script() if script is None else script
        self.log: list[Seen] = []
        self._form = features
        self._looked_at: tuple[Sequence[Row] | None, Features] = (None, {})
        self._told_total: int | None = None
        self._counts: Counter[str] = Counter()
        self._pods: Counter[str] = Counter()
        self._viewer, self._hub = Host(self._viewer_request, port), Host(self._hub_request)
        self._worker: ThreadPoolExecutor | None = None
        self._index: Index | None = None
        self._results: dict[tuple[str | None, str | None, int], list[int]] = {}
        self._closing = False
        self._routes: Mapping[str, Route] = {
            "/rows": self._rows,
            "/filter": self._filter,
            "/splits": self._splits,
            "/size": self._size,
            "/info": self._info,
            "/is-valid": self._is_valid,
            "/statistics": self._statistics,
            "/healthcheck": self._healthcheck,
        }

    @property
    def url(self) -> str:
        """The viewer."""
        return self._viewer.url

    @property
    def hub_url(self) -> str:
        """The Hub."""
        return self._hub.url

    @property
    def total(self) -> int:
        """How many rows it says it has: all of ``rows``, until told otherwise. It gives none beyond."""
        return len(self.rows) if self._told_total is None else self._told_total

    @total.setter
    def total(self, value: int | None) -> None:
        self._told_total = value

    async def __aenter__(self) -> Self:
        self._closing = False
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="standin-index")
        await self._viewer.start()
        try:
            await self._hub.start()
        except BaseException:
            await self._viewer.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(self._viewer.stop(), self._hub.stop())
        # Only now: a request that still waits for the index must not be answered from half of one.
        self._closing = True
        if self._index is not None:
            self._index.interrupt()
        if self._worker is not None:
            self._worker.shutdown(cancel_futures=True)
        if self._index is not None:
            self._index.close()
            self._index = None

    # -- how a request goes through ----------------------------------------------------------------------------------

    async def _viewer_request(self, request: web.Request) -> web.StreamResponse:
        call, seen, before = self._arrived(request, request.path, _last_values(request))
        try:
            refusal = self.limits.refusal()
            if refusal is not None:
                return await Sending(request, refusal, seen).whole()
            action = self.script.action(call, before)
            await action.before()
            answer = action.instead(call) or action.answer(await self._answer(call, request, action))
            if call.endpoint == "/filter" and COOKIE not in request.cookies:
                answer = answer.with_headers(
                    Set_Cookie=f"{COOKIE}={uuid.uuid4().hex}; Max-Age={_COOKIE_SECONDS}; Path=/"
                )
            answer = dressed(answer, seen.accept_encoding, request.headers.get("Origin"))
            return await action.send(Sending(request, answer, seen))
        finally:
            seen.ended = time.monotonic()

    async def _hub_request(self, request: web.Request) -> web.StreamResponse:
        head, _, tail = request.path.partition("/api/datasets/")
        dataset, _, rest = tail.rpartition("/")
        known = not head and rest == "auth-check"
        call, seen, before = self._arrived(request, "/auth-check" if known else request.path, {"dataset": dataset})
        try:
            action = self.script.action(call, before)
            await action.before()
            answer = action.instead(call)
            if answer is None:
                answer = self.access.hub_answer(dataset, seen.authorization) if known else text_answer(404, "Not Found")
            if answer is None:
                return await never()
            return await action.send(Sending(request, action.answer(answer), seen))
        finally:
            seen.ended = time.monotonic()

    def _arrived(self, request: web.Request, endpoint: str, params: Mapping[str, str]) -> tuple[Call, Seen, int]:
        headers = request.headers
        authorization, encoding = headers.get("Authorization"), headers.get("Accept-Encoding")
        seen = Seen(endpoint, params, time.monotonic(), authorization, dict(request.cookies), encoding)
        self.log.append(seen)
        before = self._counts[endpoint]
        self._counts[endpoint] += 1
        return Call.of(endpoint, params), seen, before

    async def _answer(self, call: Call, request: web.Request, action: Action) -> Answer:
        path = request.path.rstrip("/")
        if path not in self._routes:
            return text_answer(404, "Not Found")
        if path != request.path:
            return Answer(307, b"", {"Location": str(request.url.with_path(path, keep_query=True))})
        if request.method not in ("GET", "HEAD"):
            return text_answer(405, "Method Not Allowed", Allow="HEAD, GET")
        try:
            return await self._routes[path](call, request, action)
        except RefusedError as refusal:
            return refusal.answer

    # -- rows --------------------------------------------------------------------------------------------------------

    async def _rows(self, call: Call, request: web.Request, action: Action) -> Answer:
        parameters.check_page(call)
        self._check_access(call, request)
        await asyncio.sleep(self.page_seconds)
        self._check_config(call)
        if call.params["split"] != self.split:
            raise refused("UnexpectedApiError")
        asked = action.asked(call)
        wanted = range(min(self.total, len(self.rows)))[asked.offset : asked.offset + asked.length]
        return self._page(wanted, self.total, action)

    async def _filter(self, call: Call, request: web.Request, action: Action) -> Answer:
        parameters.check_names(call)
        _check_grammar(call)
        parameters.check_numbers(call)
        self._check_access(call, request)
        self._check_config(call)
        if call.params["split"] != self.split:
            raise refused("UnexpectedApiError", revision=self.revision)
        self._check_ready(request)
        await asyncio.sleep(self.page_seconds)
        try:
            found = await self._in_worker(self._matching, call.params.get("where"), call.params.get("orderby"))
        except BadQueryError:
            raise refused("InvalidParameter", "A query parameter is invalid", revision=self.revision) from None
        asked = action.asked(call)
        return self._page(found[asked.offset : asked.offset + asked.length], len(found), action)

    def _page(self, row_indexes: Sequence[int], total: int, action: Action) -> Answer:
        features = self._features()
        page = action.page(Page(features, [(row_index, self.rows[row_index]) for row_index in row_indexes]))
        payload = {
            "features": [
                {"feature_idx": place, "name": name, "type": in_form(feature, self._form)}
                for place, (name, feature) in enumerate(page.features.items())
            ],
            "rows": [
                {"row_idx": row_index, "row": self._row(row, page.features), "truncated_cells": []}
                for row_index, row in page.rows
            ],
            "num_rows_total": action.total(total),
            "num_rows_per_page": PAGE,
            "partial": action.partial(self.partial),
        }
        return json_answer(payload, self.revision)

    def _features(self) -> Features:
        if self._looked_at[0] is not self.rows:
            self._looked_at = self.rows, features_of(self.rows)
        return self._looked_at[1]

    def _row(self, row: Row, features: Features) -> dict[str, Any]:
        return {name: cell_in_form(row.get(name), feature, self._form) for name, feature in features.items()}

    # -- what is told about them -------------------------------------------------------------------------------------

    async def _splits(self, call: Call, request: web.Request, action: Action) -> Answer:
        return json_answer(self._described(call, request, action).splits(call.level()[0]), self.revision)

    async def _size(self, call: Call, request: web.Request, action: Action) -> Answer:
        return json_answer(self._described(call, request, action).size(call.level()[0]), self.revision)

    async def _info(self, call: Call, request: web.Request, action: Action) -> Answer:
        return json_answer(self._described(call, request, action).info(call.level()[0]), self.revision)

    async def _is_valid(self, call: Call, request: web.Request, action: Action) -> Answer:
        described = self._described(call, request, action)
        if call.level()[1] not in (None, self.split):
            raise refused("ResponseNotFound")
        return json_answer(described.is_valid(), self.revision)

    async def _statistics(self, call: Call, request: web.Request, action: Action) -> Answer:
        parameters.check_all_three(call)
        self._check_access(call, request)
        if (call.params["config"], call.params["split"]) != (self.config, self.split):
            raise refused("ResponseNotFound")
        count = min(self.total, len(self.rows))
        statistics = await self._in_worker(lambda: self._built().statistics(count))
        told = {
            "num_examples": action.total(self.total),
            "statistics": statistics,
            "partial": action.partial(self.partial),
        }
        return json_answer(told, self.revision)

    async def _healthcheck(self, call: Call, request: web.Request, action: Action) -> Answer:
        return text_answer(200, "ok", Cache_Control="no-store")

    def _described(self, call: Call, request: web.Request, action: Action) -> Description:
        parameters.check_dataset(call)
        self._check_access(call, request)
        if call.level()[0] not in (None, self.config):
            raise refused("ResponseNotFound")
        total, partial = action.total(self.total), action.partial(self.partial)
        return Description(self.dataset, self.config, self.split, self._features(), total, partial)

    # -- checks and the index ----------------------------------------------------------------------------------------

    def _check_access(self, call: Call, request: web.Request) -> None:
        self.access.check(call.params["dataset"], request.headers)

    def _check_config(self, call: Call) -> None:
        if call.params["config"] != self.config:
            raise refused("ResponseNotFound")

    def _check_ready(self, request: web.Request) -> None:
        """Each cookie is a pod that builds its index while it is asked; without one, every request meets another pod."""
        pod = request.cookies.get(COOKIE, "")
        self._pods[pod] += 1
        if (self._pods[pod] if pod else 1) <= self.index_ready_after:
            raise refused("ResponseNotReady", revision=self.revision)

    async def _in_worker(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work, *arguments)

    def _built(self) -> Index:
        """The index of the rows as they are now."""
        rows = self.rows
        if self._index is None or self._index.rows is not rows:
            if self._index is not None:
                self._index.close()
            self._index = None
            self._results.clear()
            self._index = Index(rows, self._features(), lambda: self._closing)
        return self._index

    def _matching(self, where: str | None, order_by: str | None) -> list[int]:
        index = self._built()
        count = min(self.total, len(index.rows))
        key = where, order_by, count
        if key not in self._results:
            if len(self._results) == _KEPT_RESULTS:
                del self._results[next(iter(self._results))]
            condition, order = parse_where(where) if where else None, parse_order_by(order_by) if order_by else None
            self._results[key] = index.matching(condition, order, count)
        return self._results[key]


def _last_values(request: web.Request) -> dict[str, str]:
    """The parameters, of a repeated one the last."""
    return {name: text for name, text in request.query.items()}  # noqa: C416  # dict(query) would keep the first


def _check_grammar(call: Call) -> None:
    """Refuse what is outside the pattern; what only the database can refuse is an error that comes later, after access."""
    parsers: Mapping[str, Callable[[str], object]] = {"where": parse_where, "orderby": parse_order_by}
    for name, parse in parsers.items():
        try:
            if text := call.params.get(name):
                parse(text)
        except OutsideGrammarError:
            raise refused("InvalidParameter", f"Parameter '{name}' contains errors or invalid symbols") from None
        except BadQueryError:
            continue
