"""The contract of a store, once for both classes: AsyncStore is driven through Store's names by a thin adapter."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Self, cast

import pytest

from lmsys_store import AsyncResults, AsyncStore, Store, seeds
from lmsys_store.operations import STAGES
from tests import generated
from tests.contract.filling import copy_store

StoreClass = Callable[[Path], Store]
"""Makes an unopened store; what an adapter makes is seen through Store's own signatures."""
OpenStore = Callable[[Path], Store]
"""Makes and opens a store that is closed after the test."""


class DrivenStore:
    """An AsyncStore with a private event loop, which runs exactly while something is awaited."""

    def __init__(self, path: Path) -> None:
        self._store = AsyncStore(path)
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        self._runner.run(self._store.open())
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._store.close())
        self._runner.close()

    def select(self, *arguments: Any, **keywords: Any) -> "DrivenResults":
        return DrivenResults(self._store.select(*arguments, **keywords), self._runner)

    def rejects(self) -> Iterator[Any]:
        return _each(self._store.rejects(), self._runner)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._store, name)
        return lambda *arguments, **keywords: self._runner.run(method(*arguments, **keywords))


class DrivenResults:
    """AsyncResults with Results' names; the attributes that await nothing are its own."""

    def __init__(self, results: AsyncResults, runner: asyncio.Runner) -> None:
        self._results = results
        self._runner = runner

    def __iter__(self) -> Iterator[Any]:
        return _each(self._results, self._runner)

    def pages(self) -> Iterator[Any]:
        return _each(self._results.pages(), self._runner)

    def _with(self, operation: str, *arguments: Any, **keywords: Any) -> "DrivenResults":
        return DrivenResults(getattr(self._results, operation)(*arguments, **keywords), self._runner)

    def first(self) -> Any:
        return self._runner.run(self._results.first())

    def count(self) -> int:
        return self._runner.run(self._results.count())

    def fold(self, analyzer: Any, **keywords: Any) -> Any:
        return self._runner.run(self._results.fold(analyzer, **keywords))

    def __getattr__(self, name: str) -> Any:
        if any(name in stage for stage in STAGES):
            return partial(self._with, name)
        return getattr(self._results, name)


def _each(items: AsyncIterable[Any], runner: asyncio.Runner) -> Iterator[Any]:
    async def following(iterator: AsyncIterator[Any]) -> Any:
        return await anext(iterator, None)

    iterator = aiter(items)
    while (item := runner.run(following(iterator))) is not None:
        yield item


CLASSES: dict[str, StoreClass] = {"AsyncStore": cast(StoreClass, DrivenStore), "Store": Store}


@pytest.fixture(scope="module", params=list(CLASSES))
def store_class(request: pytest.FixtureRequest) -> StoreClass:
    """Either class, unopened."""
    return CLASSES[request.param]


@pytest.fixture
def other_class(store_class: StoreClass) -> StoreClass:
    """The class that ``store_class`` is not."""
    return next(kind for kind in CLASSES.values() if kind is not store_class)


@pytest.fixture
def open_store(store_class: StoreClass) -> Iterator[OpenStore]:
    with ExitStack() as stack:
        yield lambda path: stack.enter_context(store_class(path))


@pytest.fixture(scope="session")
def generated_jsonl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """400 generated rows without moderation, all of them valid."""
    rows = generated.rows(400, seed=5, moderation=False)
    return generated.write_jsonl(tmp_path_factory.mktemp("rows") / "rows.jsonl", rows)


@pytest.fixture(scope="session")
def generated_parquet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """400 generated rows with moderation."""
    return generated.write_parquet(tmp_path_factory.mktemp("rows") / "rows.parquet", 400, seed=6, group=150)


@pytest.fixture(scope="session")
def parquet_chats() -> list[Any]:
    """What a store of ``generated_parquet`` must hold."""
    return [generated.conversation(row, number) for number, row in enumerate(generated.rows(400, seed=6))]


@pytest.fixture(scope="session")
def _seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("seeded") / "store.db"
    with Store(path) as store:
        store.sync(seeds)
    return path


@pytest.fixture(scope="session")
def _generated(tmp_path_factory: pytest.TempPathFactory, generated_parquet: Path) -> Path:
    path = tmp_path_factory.mktemp("generated") / "store.db"
    with Store(path) as store:
        store.sync(generated_parquet)
    return path


@pytest.fixture
def seeded_path(_seeded: Path, store_path: Path) -> Path:
    """A store of one's own that holds the bundled seeds."""
    return copy_store(_seeded, store_path)


@pytest.fixture
def generated_path(_generated: Path, store_path: Path) -> Path:
    """A store of one's own that holds ``generated_parquet``."""
    return copy_store(_generated, store_path)
