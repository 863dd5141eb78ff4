"""A program that runs while a test reads what it prints: the demo, an example, a server of pages."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.brokers import free_ports

SOON_S: Final = 30.0
"""Longest wait for a line: a demo needs 2 s and Vite 1 s on two idle cores."""
STOP_S: Final = 10.0
"""Longest wait for the end after SIGTERM."""
KEPT_LINES: Final = 2_000


class Program:
    """One running program.  *lines* has its last 2,000 lines, of both outputs."""

    def __init__(self, process: Process) -> None:
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._process = process
        self._news = asyncio.Condition()
        self._reader = asyncio.create_task(self._read(), name=f"lines:{process.pid}")

    @property
    def output(self) -> str:
        """What it printed."""
        return "\n".join(self.lines)

    async def printed(self, words: str, deadline: float = SOON_S) -> str:
        """Return the first line with *words*, once it is printed."""
        try:
            async with asyncio.timeout(deadline), self._news:
                while True:
                    for line in self.lines:
                        if words in line:
                            return line
                    assert not self._reader.done(), f"ended without {words!r}: {self.output}"
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"no {words!r} within {deadline} s: {self.output}") from None

    async def ended(self, deadline: float = SOON_S) -> int:
        """Return the exit code, once it has ended by itself."""
        try:
            async with asyncio.timeout(deadline):
                code = await self._process.wait()
                await self._reader
        except TimeoutError:
            raise AssertionError(f"had not ended after {deadline} s: {self.output}") from None
        return code

    async def kill(self) -> None:
        """Send SIGKILL to it and to what it started, and wait."""
        self._signal(signal.SIGKILL)
        await self.ended(STOP_S)

    async def stop(self) -> None:
        """Send SIGTERM to it and to what it started, SIGKILL where that does not help, and wait."""
        self._signal(signal.SIGTERM)
        try:
            await self.ended(STOP_S)
        except AssertionError:
            await self.kill()

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            async with self._news:
                self.lines.append(line.decode(errors="replace").rstrip())
                self._news.notify_all()
        async with self._news:
            self._news.notify_all()


@asynccontextmanager
async def running(
    *command: str | Path, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> AsyncIterator[Program]:
    """Start *command* in *folder*, a process group of its own; stop it in the end.

    Args:
        command: the program and its arguments.
        environment: all variables that it sees; None: ours.
        folder: where it runs; None: here.
    """
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, cwd=folder, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, start_new_session=True
    )
    program = Program(process)
    try:
        yield program
    finally:
        await program.stop()


@asynccontextmanager
async def demo(**settings: object) -> AsyncIterator[tuple[Program, dict[str, Any]]]:
    """Run `tickwire demo` with *settings*: `RATE=1000` is TICKWIRE_RATE; yield it and its addresses.

    The addresses are those of the log line `demo.started`: `page`, `stream`, `metrics` and others.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TICKWIRE_")}
    given = {"PORT": 0, "OPS_PORT": 0, "LOG_STYLE": "json", "DRAIN_S": 0.1, **settings}
    ours = {f"TICKWIRE_{name}": str(value) for name, value in given.items()}
    async with running(sys.executable, "-m", "tickwire", "demo", environment=kept | ours) as program:
        yield program, json.loads(await program.printed('"demo.started"'))


class Demo(NamedTuple):
    """Where a demo answers."""

    page: str
    """Ends with a slash."""
    stream: str


@asynccontextmanager
async def answering(**settings: object) -> AsyncIterator[Demo]:
    """Run a demo as `demo` does; yield once its history answers, too."""
    async with demo(**settings) as (program, addresses):
        await program.printed('"history.open"')
        yield Demo(addresses["page"], addresses["stream"])


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    return free_ports(1)[0]
