"""Many connections that never make a request: some say nothing, some a byte a second; and how long each lived."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle, islice
from typing import Final, cast

from tests.eventually import eventually

AT_ONCE: Final = 50
"""Soldiers that connect together."""
REST_S: Final = 0.125
"""Until the next ones do: 400 a second, which a busy machine lets in, so that nobody waits in the kernel."""


class Soldier(asyncio.Protocol):
    """One connection that says *text* a byte at a time; how long it lived is *life*, None while it does."""

    def __init__(self, text: bytes, lives: list[float]) -> None:
        self._text, self._lives = cycle(text) if text else None, lives
        self._born = asyncio.get_running_loop().time()
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It begins."""
        self.transport = cast("asyncio.Transport", transport)

    def speak(self) -> None:
        """Say the next byte."""
        if self._text is not None and not self.transport.is_closing():
            self.transport.write(bytes(islice(self._text, 1)))

    def connection_lost(self, _: Exception | None) -> None:
        """It ended."""
        self._lives.append(asyncio.get_running_loop().time() - self._born)


class Army:
    """Soldiers at one port; *lives*: seconds of those whose connections were ended."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.soldiers: list[Soldier] = []
        self.lives: list[float] = []

    async def recruit(self, count: int, text: bytes) -> None:
        """Open *count* more connections, which say *text*; without one nothing."""
        for first in range(0, count, AT_ONCE):
            await asyncio.gather(*(self._one(text) for _ in range(min(AT_ONCE, count - first))))
            await asyncio.sleep(REST_S)

    async def _one(self, text: bytes) -> None:
        loop = asyncio.get_running_loop()
        _, soldier = await loop.create_connection(lambda: Soldier(text, self.lives), "127.0.0.1", self._port)
        self.soldiers.append(soldier)

    async def march(self) -> None:
        """Let each say a byte a second until cancelled."""
        while True:
            for soldier in self.soldiers:
                soldier.speak()
            await asyncio.sleep(1)

    async def gone(self, deadline: float) -> None:
        """Return once all connections were ended."""
        await eventually(lambda: len(self.lives) == len(self.soldiers), deadline=deadline)


@asynccontextmanager
async def army(port: int, *, silent: int, slow: int, text: bytes) -> AsyncIterator[Army]:
    """An army of *silent* soldiers and *slow* ones that say *text*, on the march."""
    here = Army(port)
    marching = asyncio.create_task(here.march())
    try:
        await here.recruit(silent, b"")
        await here.recruit(slow, text)
        yield here
    finally:
        marching.cancel()
        for soldier in here.soldiers:
            soldier.transport.abort()
