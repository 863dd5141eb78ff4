"""A client of the stack that comes back when it is cut off, and checks all that it is told."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Sequence
from typing import Final

import aiohttp

from tests.checker import Checker
from tests.e2e.sockets import client_session

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
    async with client_session(context) as http:
        stays = [asyncio.create_task(guest.stay(http, url)) for guest in guests]
        try:
            yield guests
            for guest in guests:
                guest.checker.check()
        finally:
            for stay in stays:
                stay.cancel()
            await asyncio.gather(*stays, return_exceptions=True)
