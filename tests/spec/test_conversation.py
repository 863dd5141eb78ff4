"""What a real gateway says on its streams, against the AsyncAPI document that it serves."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import orjson
from aiohttp import ClientSession

from gateway.wires.spec.events import ENDS, MOVING
from gateway.wires.sse import listener
from tests.demos import Demo, running
from tests.schemas import Strict, resolve
from tests.streamclient import StreamClient
from tests.written import Written

ASKED: Final = {"welcome", "subscribed", "snapshot", "day", "ticks", "subscriptions", "pong", "error", "candles"}
"""What a conversation of some seconds brings about, on a gateway that asks for no token."""


async def _document(http: ClientSession, demo: Demo) -> dict[str, Any]:
    async with http.get(f"{demo.page}v1/asyncapi.json") as answer:
        found: dict[str, Any] = await answer.json()
    return found


async def test_native_wire() -> None:
    """Every frame that a client gets, and every command that it is obeyed for, is a message of the document."""
    written, faults = Written(most=1000), []

    def look(text: bytes) -> None:
        faults.extend(written.faults(text))

    async with running() as demo, ClientSession() as http, StreamClient(http, seen=look) as client:
        welcome = await client.connect(demo.stream)
        await client.subscribe("AAPL", "MSFT", "ZZZZ")
        await client.subscribe("AAPL", max_rate=2)
        await client.until(lambda: client.counts["ticks"] and client.counts["day"])
        epoch = next(frame["epoch"] for frame in client.frames if frame["op"] == "snapshot")
        await client.subscribe("TSLA", resume={"TSLA": {"epoch": epoch, "seq": 10**9}})
        await client.subscribe("NVDA", resume={"NVDA": {"epoch": 1, "seq": 1}})
        await client.say("subscribe", symbols=["AAPL"], candles="1s", history=3)
        await client.until(lambda: client.counts["candles"])
        await client.list()
        await client.answered(await client.say("ping"))
        await client.blurt('{"op":"fly","id":7000}')
        await client.blurt(b"\0")
        await client.until(lambda: client.counts["error"] >= 2)
        await client.until(lambda: client.counts["gap"])
        await client.unsubscribe("*")

    assert faults == []
    assert welcome["op"] == "welcome"
    assert set(written.seen) >= ASKED | {"gap", "unsubscribed"}


async def test_events() -> None:
    """Every event's name, data and id are those of the document."""
    async with running() as demo, ClientSession() as http:
        document = await _document(http, demo)
        seen = await _events(http, demo, {"subscribed", "error", "snapshot", "day", "ticks"})
    strict = Strict(document)
    messages = [resolve(document, each["$ref"]) for each in document["channels"]["sse"]["messages"].values()]
    schemas = {message["name"]: message["payload"] for message in messages}

    assert document["channels"]["sse"]["x-events-with-id"] == list(MOVING)
    for name, identity, data in seen:
        assert strict.faults(schemas[name], data) == [], name
        assert bool(identity) == (name in MOVING), name


async def _events(http: ClientSession, demo: Demo, wanted: set[str]) -> list[tuple[str, str | None, Any]]:
    """Return the events of a stream until each of *wanted* has come."""
    seen: list[tuple[str, str | None, Any]] = []
    async with (
        asyncio.timeout(20),
        http.get(f"{demo.page}v1/sse", params={"symbols": "AAPL,ZZZZ"}) as answer,
    ):
        assert answer.headers["Tickwire-Resumed"] == "none"
        fields: dict[str, str] = {}
        while wanted - {name for name, _, _ in seen}:
            line = (await answer.content.readline()).decode().rstrip("\n")
            name, _, value = line.partition(": ")
            if line:
                fields[name] = value
            elif "event" in fields:
                seen.append((fields["event"], fields.get("id"), orjson.loads(fields["data"])))
                fields = {}
    return seen


def test_ends_of_streams() -> None:
    """The document has the reasons for which the gateway ends a stream."""
    assert {code for code, _ in listener._WORDS.values()} == set(ENDS)
