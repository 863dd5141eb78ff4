"""An aiohttp session whose sockets are closed when it ends."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import AsyncIterator

import aiohappyeyeballs
import aiohttp

from tests.eventually import eventually


@contextlib.asynccontextmanager
async def client_session(context: ssl.SSLContext | bool = True) -> AsyncIterator[aiohttp.ClientSession]:  # noqa: FBT001, FBT002 - aiohttp's own kind of value
    """Yield a session that trusts *context* (True: what the machine trusts); afterwards no socket of it is open.

    aiohttp's own end leaves a TLS transport to wait up to 30 s for the peer's farewell.  By then the loop of the
    test is closed, and the collector blames a later test for the open socket.
    """
    sockets: list[socket.socket] = []

    def plug(address: aiohappyeyeballs.AddrInfoType) -> socket.socket:
        sockets.append(socket.socket(*address[:3]))
        return sockets[-1]

    connector = aiohttp.TCPConnector(ssl=context, limit=0, socket_factory=plug)
    try:
        async with aiohttp.ClientSession(connector=connector) as http:
            yield http
    finally:
        await _unplug(sockets)


async def _unplug(sockets: list[socket.socket]) -> None:
    for plug in sockets:
        with contextlib.suppress(OSError):  # closed already
            plug.shutdown(socket.SHUT_RDWR)
    await eventually(lambda: all(plug.fileno() == -1 for plug in sockets))
