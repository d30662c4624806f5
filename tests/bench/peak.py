"""``python -m tests.bench.peak TASK SOURCE STORE``: one task in a process of its own, and its peak memory in MB.

The task runs in a child of this small process: on Linux a program's own ``ru_maxrss`` begins with the peak of whoever
started it, and the benchmark is larger than what it measures.
"""

import asyncio
import resource
import subprocess
import sys
from pathlib import Path

BYTES = 1 if sys.platform == "darwin" else 1024
"""The unit of ``ru_maxrss``."""


def work(task: str, source: str, store_path: Path) -> None:
    """Import the library, sync the file to the store, stream from an address, or iterate the store."""
    from lmsys_store import AsyncStore, Settings

    address = source if task == "stream" else ""
    settings = Settings(viewer_url=address, hub_url=address, offline=False) if address else None

    async def run() -> None:
        async with AsyncStore(store_path, settings=settings) as store:
            if task == "sync":
                await store.sync(source)
            elif task == "stream":
                assert (await store.sync()).complete
            elif task == "iterate":
                async for chat in store.select():
                    assert chat.messages

    asyncio.run(run())


def main() -> None:
    """Do the task (the child), or have it done and print its peak (its parent)."""
    if sys.argv[1] == "--child":
        work(sys.argv[2], sys.argv[3], Path(sys.argv[4]))
        return
    subprocess.run([sys.executable, "-m", "tests.bench.peak", "--child", *sys.argv[1:]], check=True)
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * BYTES / 1e6)


if __name__ == "__main__":
    main()
