"""A client of the stack that comes back when it is cut off, and checks all that it is told."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from typing import Final

import aiohappyeyeballs
import aiohttp

from tests.checker import Checker
from tests.eventually import eventually

PATIENCE_S: Final = 0.2
"""Between two attempts to connect."""


class Visitor:
    """One logical client: its checker lives on over all its connections."""

    def __init__(self, name: str, symbols: Sequence[str]) -> None:
        self.checker = Checker(name, conflates=True)
        self.connections = 0
        self.connected = False
        self._symbols = list(symbols)

    async def stay(self, http: aiohttp.ClientSession, url: str) -> None:
        """Be connected, or try to be, until cancelled."""
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, ConnectionError):
                await self._visit(http, url)
            await asyncio.sleep(PATIENCE_S)

    async def _visit(self, http: aiohttp.ClientSession, url: str) -> None:
        async with http.ws_connect(url, heartbeat=10) as wire:
            self.checker.opened()
            self.connections += 1
            self.connected = True
            try:
                command = {"op": "subscribe", "id": 1, "symbols": self._symbols}
                if resume := self.checker.resume(self._symbols):
                    command["resume"] = resume
                self.checker.sent(command)
                await wire.send_json(command)
                async for message in wire:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        self.checker.received(message.data)
            finally:
                self.connected = False
                self.checker.closed()


@contextlib.asynccontextmanager
async def visitors(
    count: int, symbols: Sequence[str], *, url: str, context: ssl.SSLContext
) -> AsyncIterator[list[Visitor]]:
    """Have *count* visitors of *symbols* stay while the context lasts; a violation by then is an error."""
    guests = [Visitor(f"visitor {number}", symbols) for number in range(count)]
    sockets: list[socket.socket] = []

    def plug(address: aiohappyeyeballs.AddrInfoType) -> socket.socket:
        sockets.append(socket.socket(*address[:3]))
        return sockets[-1]

    connector = aiohttp.TCPConnector(ssl=context, limit=0, socket_factory=plug)
    async with aiohttp.ClientSession(connector=connector) as http:
        stays = [asyncio.create_task(guest.stay(http, url)) for guest in guests]
        try:
            yield guests
            for guest in guests:
                guest.checker.check()
        finally:
            for stay in stays:
                stay.cancel()
            await asyncio.gather(*stays, return_exceptions=True)
    await _unplug(sockets)


async def _unplug(sockets: list[socket.socket]) -> None:
    """Return once all *sockets* are closed: asyncio waits up to 30 s for the peer's TLS farewell otherwise."""
    for plug in sockets:
        with contextlib.suppress(OSError):  # closed already
            plug.shutdown(socket.SHUT_RDWR)
    await eventually(lambda: all(plug.fileno() == -1 for plug in sockets))
