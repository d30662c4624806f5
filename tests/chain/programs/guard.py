"""A network that is not there: whoever connects or looks up a name is noted, and fails."""

import asyncio
import socket
from typing import Any, NoReturn

touched: list[str] = []


def _refused(name: str) -> Any:
    def refuse(*arguments: Any, **keywords: Any) -> NoReturn:
        touched.append(f"{name}{arguments}")
        raise OSError(f"{name}: the network was touched")

    return refuse


def install() -> None:
    """From now on nothing reaches a network, by whichever road."""
    guarded = type("guarded", (socket.socket,), {name: _refused(name) for name in ("connect", "connect_ex", "sendto")})
    setattr(socket, "socket", guarded)  # noqa: B010
    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "create_connection"):
        setattr(socket, name, _refused(name))
    for name in ("create_connection", "getaddrinfo", "sock_connect", "create_datagram_endpoint"):
        setattr(asyncio.BaseEventLoop, name, _refused(f"loop.{name}"))
