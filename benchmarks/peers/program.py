"""Peers that are one program, which is told the schedule and makes the ticks itself."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from typing import Final

from benchmarks.generator import Missing, compiled
from benchmarks.peers.peer import HELLO, Schedule, Target, Unavailable

START_S: Final = 20.0


class Program:
    """A server that is started as `COMMAND CLIENTS RATE TICKS SECONDS` and prints its port."""

    def __init__(self, name: str, how: str, command: Sequence[str]) -> None:
        self.name, self.how, self._command = name, how, command
        self._process: Process | None = None

    async def start(self, schedule: Schedule, clients: int) -> Target:
        """See `Peer`."""
        told = (clients, schedule.rate, schedule.ticks, schedule.seconds)
        self._process = await asyncio.create_subprocess_exec(*self._command, *map(str, told), stdout=PIPE)
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), START_S)
        if not line:
            raise Unavailable(f"{self.name} did not start")
        return Target(int(line), "/", hello=[HELLO])

    @property
    def pids(self) -> Sequence[int]:
        """See `Peer`."""
        return [] if self._process is None else [self._process.pid]

    async def publish(self, schedule: Schedule) -> None:
        """See `Peer`: the program does it."""
        del schedule

    async def stop(self) -> None:
        """See `Peer`."""
        if self._process is not None:
            if self._process.returncode is None:
                self._process.kill()
            await self._process.wait()


def floor() -> Program:
    """The plain C loop.

    Raises:
        Unavailable: there is no C compiler.
    """
    try:
        program = compiled("floor")
    except Missing as missing:
        raise Unavailable(str(missing)) from missing
    return Program("C send loop", "floor.c: one prebuilt frame, one `send` per client; the floor", [str(program)])


def aiohttp_naive() -> Program:
    """What aiohttp's documentation shows first (docs.aiohttp.org, "Web Server Quickstart: WebSockets")."""
    how = "aiohttp on uvloop, `await ws.send_json` for each client in turn"
    return Program("aiohttp send_json", how, [sys.executable, "-m", "benchmarks.peers.aiohttp_naive"])


def websockets_broadcast() -> Program:
    """What websockets' documentation advises ("Broadcasting": `broadcast`, and compression off)."""
    how = "`websockets.broadcast` on uvloop, compression off"
    return Program("websockets.broadcast", how, [sys.executable, "-m", "benchmarks.peers.websockets_broadcast"])
