"""``python -m tests.standin``: serve generated rows until told to end; the first line of output says where, as JSON."""

import argparse
import asyncio
import json
import signal
import sys

from tests.standin.rows import GeneratedRows
from tests.standin.server import StandIn


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.standin", description=__doc__)
    parser.add_argument("--rows", type=int, default=2000, metavar="N", help="how many rows (2000)")
    parser.add_argument("--seed", type=int, default=0, help="of the generated rows (0)")
    parser.add_argument("--port", type=int, default=0, help="of the viewer (any free one)")
    parser.add_argument("--dataset", default="demo/generated", help="its name (demo/generated)")
    parser.add_argument("--page-seconds", type=float, default=0.0, metavar="S", help="how long a page takes (0)")
    parser.add_argument("--open", action="store_true", help="no token is needed")
    options = parser.parse_args()
    asyncio.run(_serve(options))


async def _serve(options: argparse.Namespace) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    rows = GeneratedRows(options.rows, options.seed)
    server = StandIn(
        rows, dataset=options.dataset, gated=not options.open, page_seconds=options.page_seconds, port=options.port
    )
    async with server:
        sys.stdout.write(json.dumps({"url": server.url, "hub_url": server.hub_url}) + "\n")
        sys.stdout.flush()
        await ended.wait()


if __name__ == "__main__":
    main()
