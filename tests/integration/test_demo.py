"""`python -m tickwire demo`, as a stranger runs it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import pytest

from gateway.wires.pages import FOLDER, INDEX


@asynccontextmanager
async def _demo(**variables: str) -> AsyncIterator[asyncio.subprocess.Process]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TICKWIRE_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tickwire",
        "demo",
        env={**kept, "TICKWIRE_LOG_STYLE": "json", "TICKWIRE_OPS_PORT": "0", **variables},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _event(process: asyncio.subprocess.Process, name: str) -> dict[str, Any]:
    """Return the log line *name*, within 20 s."""
    assert process.stdout is not None
    async with asyncio.timeout(20):
        async for line in process.stdout:
            event: dict[str, Any] = json.loads(line)
            if event["event"] == name:
                return event
    pytest.fail(f"the process ended without {name}")


async def _until(stream: aiohttp.ClientWebSocketResponse, op: str) -> dict[str, Any]:
    """Return the next frame *op*, within 20 s."""
    async with asyncio.timeout(20):
        while True:
            frame: dict[str, Any] = await stream.receive_json()
            if frame["op"] == op:
                return frame


async def test_first_tick_to_exit() -> None:
    """The demo serves ticks, page and metrics, and upon SIGTERM closes with 1012 and exits with 0."""
    async with _demo(TICKWIRE_PORT="0", TICKWIRE_DRAIN_S="1") as process, aiohttp.ClientSession() as http:
        found = await _event(process, "demo.started")

        async with http.ws_connect(found["stream"], protocols=("tickwire.v1",)) as stream:
            await stream.send_json({"op": "subscribe", "id": 1, "symbols": ["AAPL", "MSFT"]})
            snapshot = await _until(stream, "snapshot")
            ticks = await _until(stream, "ticks")

            async with http.get(found["metrics"]) as metrics:
                exposed = await metrics.text()
            async with http.get(found["history_metrics"]) as metrics:
                remembered = await metrics.text()
            process.send_signal(signal.SIGTERM)
            await _until(stream, "reconnect")
            async with asyncio.timeout(10):
                while not stream.closed:
                    await stream.receive()
            assert stream.close_code == 1012

        async with asyncio.timeout(10):
            code = await process.wait()

    assert code == 0
    assert snapshot["data"]
    assert ticks["data"][0]["symbol"] in {"AAPL", "MSFT"}
    assert "tickwire_connections 1.0" in exposed
    assert "tickwire_history_connected 1.0" in remembered


async def test_a_resume_is_answered_by_history() -> None:
    """A client that resumes below what its gateway has seen gets each tick, from history."""
    async with _demo(TICKWIRE_PORT="0", TICKWIRE_RATE="1000") as process, aiohttp.ClientSession() as http:
        found = await _event(process, "demo.started")
        async with http.ws_connect(found["stream"]) as stream:
            await stream.send_json({"op": "subscribe", "id": 1, "symbols": ["AAPL"]})
            snapshot = await _until(stream, "snapshot")
        # Nobody followed when the run's second tick came, so that only the log has it.
        resume = {"AAPL": {"epoch": snapshot["epoch"], "seq": 1}}
        async with http.ws_connect(found["stream"]) as stream:
            await stream.send_json({"op": "subscribe", "id": 1, "symbols": ["AAPL"], "resume": resume})
            seqs: list[int] = []
            while len(seqs) < 2:  # history may have read no more than one of them
                seqs += [tick["seq"] for tick in (await _until(stream, "ticks"))["data"]]
    assert seqs[:2] == [2, 3]


async def test_plain_http() -> None:
    """The demo answers every resource of plain HTTP, with the real directory, history and ticks behind it."""
    async with _demo(TICKWIRE_PORT="0", TICKWIRE_RATE="1000") as process, aiohttp.ClientSession() as http:
        page = (await _event(process, "demo.started"))["page"]
        async with asyncio.timeout(20):
            for path, found in (
                ("v1/symbols?prefix=AAPL", lambda told: told["symbols"][0]["name"] == "Apple Inc."),
                ("v1/quotes?symbols=AAPL,MSFT", lambda told: told["quotes"].keys() == {"AAPL", "MSFT"}),
                ("v1/ticks/AAPL?limit=5", lambda told: len(told["ticks"]) == 5),
                ("v1/candles/AAPL?interval=1s", lambda told: told["candles"]),
            ):
                told: dict[str, Any] = {"symbols": [{"name": ""}], "quotes": {}, "ticks": [], "candles": []}
                while not found(told):
                    async with http.get(page + path) as answer:
                        told = await answer.json() if answer.status == 200 else told


async def test_page() -> None:
    """The page and each file it names answer, under a policy that allows nothing inline; unbuilt it says so."""
    built = await asyncio.to_thread((FOLDER / INDEX).exists)
    async with _demo(TICKWIRE_PORT="0") as process, aiohttp.ClientSession() as http:
        found = await _event(process, "demo.started")
        page = found["page"]
        async with http.get(page) as answer:
            assert answer.status == (200 if built else 503)
            assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
            text = await answer.text()
        names = re.findall(r'(?:src|href)="\./([^"]+)"', text)
        assert any(name.endswith(".js") for name in names) if built else "make web" in text
        for name in names:
            async with http.get(page + name) as answer:
                assert answer.status == 200, name
    assert "<style" not in text
    assert "<script>" not in text


async def test_port_in_use() -> None:
    """A taken port is one sentence that names the variable, and exit code 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with _demo(TICKWIRE_PORT=str(port)) as process:
            event = await _event(process, "process.failed")
            async with asyncio.timeout(10):
                code = await process.wait()

    assert event["reason"] == (
        f"cannot listen on 127.0.0.1:{port}: the port is in use; TICKWIRE_PORT chooses another port"
    )
    assert code == 1


async def test_bad_settings() -> None:
    """Bad settings end the demo with exit code 2, before anything listens."""
    async with _demo(TICKWIRE_PORT="seventy") as process:
        async with asyncio.timeout(20):
            code = await process.wait()

    assert code == 2
