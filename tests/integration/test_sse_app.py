"""Streams of Server-Sent Events from a whole gateway in this process, for a checker and others' clients."""

from __future__ import annotations

import asyncio
import json
import shutil
from typing import Any, Final

import aiohttp
import httpx
import pytest
import sseclient
import uvloop
from httpx_sse import aconnect_sse

from tests.checker import Checker
from tests.eventstream import EventStream
from tests.integration.test_gateway_app import Stack, stack

SYMBOLS: Final = ("AAPL", "MSFT", "NVDA")
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def url(here: Stack) -> str:
    """Where the gateway serves HTTP."""
    return f"http://127.0.0.1:{here.port}"


async def problem(here: Stack, query: str) -> tuple[int, dict[str, Any]]:
    """Return status and problem of a request that must not succeed."""
    async with aiohttp.ClientSession() as http, http.get(f"{url(here)}/v1/sse?{query}") as answer:
        assert answer.content_type == "application/problem+json"
        return answer.status, await answer.json(content_type=None)


async def test_resume() -> None:
    """A client that comes back three times has every tick once, and each head says so; a drain ends it cleanly."""
    async with stack() as here, aiohttp.ClientSession() as http, EventStream(http, SYMBOLS) as stream:
        await stream.connect(url(here))
        assert stream.resumed == "none"
        for _ in range(3):
            ticks = stream.checker.ticks
            await stream.until(
                lambda ticks=ticks: (  # type: ignore[misc]
                    stream.checker.ticks > ticks + 50 and all(stream.checker.cursor(s) for s in SYMBOLS)
                )
            )
            await stream.close()
            await here.receives(50)
            await stream.connect(url(here))
            assert stream.resumed == "all"
        here.stop.set()
        assert await stream.gone() == "clean"

        assert stream.counts["reconnect"] == 1
        assert stream.counts["gap"] == stream.counts["epoch"] == 0
        assert [stream.checker.account(symbol).snapshots for symbol in SYMBOLS] == [1, 1, 1]
        stream.checker.finish()


async def test_conflation() -> None:
    """With `max_rate` a stream gets what is newest, and is told how many ticks it did not get."""
    async with stack() as here, aiohttp.ClientSession() as http, EventStream(http, SYMBOLS) as stream:
        await stream.connect(url(here), max_rate="2")
        await stream.until(lambda: all(stream.checker.account(symbol).conflated for symbol in SYMBOLS))
        stream.checker.check()


async def test_without_snapshot() -> None:
    """Without a snapshot a stream begins with the next tick."""
    async with stack() as here, aiohttp.ClientSession() as http:
        async with EventStream(http, SYMBOLS) as first:
            await first.connect(url(here))
            await first.until(lambda: all(first.checker.account(symbol).snapshots for symbol in SYMBOLS))
        async with EventStream(http, SYMBOLS, Checker("next")) as stream:
            await stream.connect(url(here), snapshot="false")
            await stream.until(lambda: stream.checker.ticks > 20)
            assert not stream.counts["snapshot"]
            stream.checker.check()


async def test_symbols_that_are_none() -> None:
    """An unknown symbol beside known ones is named by an error; alone it is a 404, as bad parameters are 400."""
    async with stack() as here, aiohttp.ClientSession() as http:
        async with EventStream(http, ("AAPL", "ZZZZ")) as stream:
            await stream.connect(url(here))
            await stream.until(lambda: stream.checker.ticks > 20)
            assert [frame["symbol"] for frame in stream.frames if frame["op"] == "error"] == ["ZZZZ"]
            stream.checker.check()
        status, told = await problem(here, "symbols=ZZZZ,YYYY")
        assert (status, told["code"], told["symbols"]) == (404, "unknown_symbol", ["YYYY", "ZZZZ"])
        for query, parameter in (
            ("", "symbols"),
            ("symbols=aapl", "symbols"),
            ("symbols=*", "symbols"),
            ("symbols=" + ",".join(f"S{n}" for n in range(501)), "symbols"),
            ("symbols=AAPL&max_rate=0", "max_rate"),
            ("symbols=AAPL&max_rate=nan", "max_rate"),
            ("symbols=AAPL&snapshot=maybe", "snapshot"),
        ):
            status, told = await problem(here, query)
            assert (status, told["parameter"], bool(told["allowed"])) == (400, parameter, True)


async def test_metrics() -> None:
    """What streams do is counted."""
    async with stack() as here, aiohttp.ClientSession() as http, EventStream(http, SYMBOLS) as stream:
        await stream.connect(url(here))
        await stream.until(lambda: stream.checker.ticks > 20)
        figures = await here.figures()
        assert figures["tickwire_sse_connections"] == figures["tickwire_connections"] == 1
        assert figures['tickwire_sse_resumes_total{outcome="none"}'] == 1
        assert figures["tickwire_sse_events_total"] >= figures["tickwire_sse_writes_total"] >= 2
        assert figures["tickwire_sse_bytes_total"] > 1_000


async def test_httpx_sse() -> None:
    """httpx-sse reads a stream, and goes on with the id of its last event."""
    async with stack() as here, httpx.AsyncClient() as client:
        last: dict[str, int] = {}
        event_id = ""
        for _ in range(2):
            events = 0
            async with aconnect_sse(
                client,
                "GET",
                f"{url(here)}/v1/sse",
                params={"symbols": "AAPL"},
                headers={"Last-Event-ID": event_id},
            ) as source:
                assert source.response.headers["Tickwire-Resumed"] == ("all" if event_id else "none")
                async for event in source.aiter_sse():
                    if event.event == "ticks":
                        for tick in json.loads(event.data):
                            assert tick["seq"] == last.get("AAPL", tick["seq"] - 1) + 1
                            last["AAPL"] = tick["seq"]
                        event_id = event.id
                        events += 1
                        if events == 5:
                            break


async def test_sseclient() -> None:
    """sseclient-py reads a stream in a thread of its own."""

    def read(address: str) -> list[str]:
        with httpx.Client() as client, client.stream("GET", address) as answer:
            names = []
            for event in sseclient.SSEClient(answer.iter_bytes()).events():
                names.append(event.event)
                if names.count("ticks") == 3:
                    assert str(event.id).startswith("1")
                    break
            return names

    async with stack() as here:
        names = await asyncio.to_thread(read, f"{url(here)}/v1/sse?symbols=AAPL,MSFT")
    assert names[:2] == ["subscribed", "snapshot"]


async def test_curl() -> None:
    """`curl -N` shows events as they come, and takes the end of a drain for an end, not for an error."""
    curl = shutil.which("curl")
    assert curl is not None, "curl is not installed"
    async with stack() as here:
        process = await asyncio.create_subprocess_exec(
            curl, "-sSN", f"{url(here)}/v1/sse?symbols=AAPL", stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        while not (await process.stdout.readline()).startswith(b"event: ticks"):
            pass
        here.stop.set()
        rest = await process.stdout.read()
        assert b"event: reconnect" in rest
        assert await process.wait() == 0


@pytest.mark.parametrize(
    "event_id",
    [pytest.param("1WAhNWwGAvNnynjSSCN0B", marks=pytest.mark.slow), "rubbish"],  # who is doubted is so for 5 s
)
async def test_an_id_from_long_ago(event_id: str) -> None:
    """A position that nobody knows any more is answered by a gap and a snapshot; rubbish by a snapshot alone."""
    async with stack() as here, aiohttp.ClientSession() as http:
        async with EventStream(http, ("AAPL",)) as first:
            await first.connect(url(here))
            await first.until(lambda: first.checker.ticks > 2)
        headers = {"Last-Event-ID": event_id}
        query = f"{url(here)}/v1/sse?symbols=AAPL,MSFT"
        async with http.get(query, headers=headers) as answer:
            assert answer.headers["Tickwire-Resumed"] == ("none" if event_id == "rubbish" else "gap")
            names = []
            while "snapshot" not in names:
                line = (await answer.content.readline()).decode()
                names += [line.split()[1]] if line.startswith("event: ") else []
            assert ("gap" in names) is (event_id != "rubbish")
