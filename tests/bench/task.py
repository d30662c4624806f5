"""``python -m tests.bench.task TASK SOURCE STORE``: one task in a process of its own, for its peak memory to be measured."""

import asyncio
import sys
from pathlib import Path

from tests.peak import peak_of


def megabytes(task: str, source: str, store_path: Path) -> float:
    """The most memory a task used, in MB."""
    code, peak = peak_of([sys.executable, "-m", "tests.bench.task", task, source, str(store_path)])
    assert code == 0, f"{task} ended with {code}"
    return peak / 1e6


def work(task: str, source: str, store_path: Path) -> None:
    """Import the library, sync the file to the store, stream from an address, iterate the store, shuffled or not, analyze it."""
    from lmsys_store import AsyncStore, Settings

    address = source if task == "stream" else ""
    settings = Settings(viewer_url=address, hub_url=address, offline=False) if address else None

    async def run() -> None:
        async with AsyncStore(store_path, settings=settings) as store:
            if task == "sync":
                await store.sync(source)
            elif task == "stream":
                assert (await store.sync()).complete
            elif task in ("iterate", "shuffle"):
                results = store.select(fallback="cache")
                async for chat in results if task == "iterate" else results.shuffle(1):
                    assert chat.messages
            elif task == "analyze":
                from lmsys_store.analyze import Patterns

                assert (await store.select(fallback="cache").fold(Patterns())).rows

    asyncio.run(run())


if __name__ == "__main__":
    work(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
