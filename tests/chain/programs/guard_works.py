"""That the guard guards: each road to a network is tried once. Prints how many were noted."""

import asyncio
import socket
import sys
from collections.abc import Callable
from contextlib import suppress

from tests.chain.programs import guard

guard.install()


async def asyncio_roads() -> None:
    loop = asyncio.get_running_loop()
    with suppress(OSError):
        await loop.create_connection(asyncio.Protocol, "127.0.0.1", 9)
    with suppress(OSError):
        await loop.getaddrinfo("localhost", 9)


def connect() -> None:
    with socket.socket() as plain:
        plain.connect(("127.0.0.1", 9))


roads: list[Callable[[], object]] = [
    connect,
    lambda: socket.create_connection(("127.0.0.1", 9)),
    lambda: socket.getaddrinfo("localhost", 9),
]
for road in roads:
    with suppress(OSError):
        road()
asyncio.run(asyncio_roads())
sys.stdout.write(str(len(guard.touched)))
