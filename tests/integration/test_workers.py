"""Several gateways on one port, as real processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.brokers import free_ports
from tests.eventually import eventually
from tests.stack import Stack

END_S = 15.0


class Parent:
    """`tickwire gateway --workers 2` and the lines that it and its workers log."""

    def __init__(self, process: Process, port: int) -> None:
        self.process, self.port = process, port
        self.lines: list[dict[str, Any]] = []
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def events(self, name: str) -> list[dict[str, Any]]:
        """The lines of one event."""
        return [line for line in self.lines if line["event"] == name]

    async def started(self, count: int) -> list[int]:
        """The operations ports of the first *count* starts."""
        await eventually(lambda: len(self.events("gateway.started")) >= count, deadline=30)
        return [line["ops_port"] for line in self.events("gateway.started")]

    async def ended(self) -> int:
        """Its exit code."""
        code = await asyncio.wait_for(self.process.wait(), END_S)
        await self._reading
        return code


@contextlib.asynccontextmanager
async def workers(broker_url: str) -> AsyncIterator[Parent]:
    """Two workers on a free port."""
    port, ops_port = free_ports(2)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TICKWIRE_")}
    given = {"BROKER_URL": broker_url, "PORT": port, "OPS_PORT": ops_port - 10, "LOG_STYLE": "json", "DRAIN_S": 2}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tickwire", "gateway", "--workers", "2",
        env=clean | {f"TICKWIRE_{k}": str(v) for k, v in given.items()}, stdout=PIPE, stderr=STDOUT,
    )  # fmt: skip
    parent = Parent(process, port)
    try:
        yield parent
    finally:
        if process.returncode is None:
            process.kill()
        await parent.ended()


def pid_of(ops_port: int) -> int:
    """The process that was started with an operations port."""
    wanted = f"TICKWIRE_OPS_PORT={ops_port}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if wanted in (process / "environ").read_bytes().split(b"\0"):
                return int(process.name)
    raise AssertionError(f"nobody has port {ops_port}")


async def connect(http: aiohttp.ClientSession, port: int) -> aiohttp.ClientWebSocketResponse:
    """A client that has read its welcome."""
    client = await http.ws_connect(f"http://127.0.0.1:{port}/v1/stream")
    assert (await client.receive_json(timeout=5))["op"] == "welcome"
    return client


@pytest.mark.timeout(120)
async def test_a_worker_that_dies_comes_back_and_disturbs_nobody_else(stack: Stack) -> None:
    """Two workers share a port; the clients of the other one stay when one is killed, which is replaced."""
    producer = await stack.producer(RATE=500)
    assert producer.alive
    async with workers(stack.broker_url) as parent, aiohttp.ClientSession() as http:
        ops = await parent.started(2)
        assert sorted(ops) == [min(ops), min(ops) + 1]
        clients = [await connect(http, parent.port) for _ in range(30)]
        victim = pid_of(ops[0])
        os.kill(victim, signal.SIGKILL)
        await parent.started(3)
        assert [(line["code"]) for line in parent.events("workers.died")] == [-signal.SIGKILL]
        gone = 0
        for client in clients:
            with contextlib.suppress(aiohttp.ClientConnectionResetError):
                await client.send_json({"op": "ping", "id": 1})
            answer = await client.receive(timeout=5)
            gone += answer.type is not aiohttp.WSMsgType.TEXT
        assert 0 < gone < 30
        await (await connect(http, parent.port)).close()

        parent.process.send_signal(signal.SIGTERM)
        for client in clients:
            if not client.closed:
                while (answer := await client.receive(timeout=5)).type is aiohttp.WSMsgType.TEXT:
                    pass
                assert client.close_code == 1012
        assert await parent.ended() == 0
        assert len(parent.events("gateway.stopped")) == 2


@pytest.mark.timeout(120)
async def test_workers_end_with_their_parent(stack: Stack) -> None:
    """Workers whose parent was killed end by themselves: nobody would restart or stop them."""
    async with workers(stack.broker_url) as parent:
        ops = await parent.started(2)
        pids = [pid_of(port) for port in ops]
        parent.process.kill()
        await eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), deadline=END_S)
