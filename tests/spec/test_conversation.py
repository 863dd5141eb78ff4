"""What a real gateway says on its streams, against the AsyncAPI document that it serves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, Final

import orjson
import pytest
from aiohttp import ClientSession

from gateway.wires.spec.events import ENDS, MOVING
from gateway.wires.sse import listener
from gateway.wires.sse.wish import STREAM_SYMBOLS
from tests.programs import Demo, answering
from tests.schemas import Strict, resolve
from tests.streamclient import StreamClient
from tests.written import Written

ASKED: Final = {"welcome", "subscribed", "snapshot", "day", "ticks", "subscriptions", "pong", "error", "candles"}
"""What a conversation of some seconds brings about, on a gateway that asks for no token."""


@pytest.fixture(name="demo", scope="module")
def _demo() -> Iterator[Demo]:
    """A demo for all requests that end at once."""
    with asyncio.Runner() as runner:
        context = answering()
        yield runner.run(context.__aenter__())
        runner.run(context.__aexit__(None, None, None))


async def _document(http: ClientSession, demo: Demo) -> dict[str, Any]:
    async with http.get(f"{demo.page}v1/asyncapi.json") as answer:
        found: dict[str, Any] = await answer.json()
    return found


async def test_native_wire() -> None:
    """Every frame that a client gets, and every command that it is obeyed for, is a message of the document."""
    written, faults = Written(most=1000), []

    def look(text: bytes) -> None:
        faults.extend(written.faults(text))

    async with answering() as demo, ClientSession() as http, StreamClient(http, seen=look) as client:
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
    async with answering() as demo, ClientSession() as http:
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


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 400),
        ({"symbols": ""}, 400),
        ({"symbols": "aapl"}, 400),
        ({"symbols": ",".join(f"S{number}" for number in range(STREAM_SYMBOLS + 1))}, 400),
        ({"symbols": "AAPL", "max_rate": "1000"}, 400),
        ({"symbols": "AAPL", "snapshot": "perhaps"}, 400),
        ({"symbols": "AAPL", "token": "secret"}, 400),
        ({"symbols": "ZZZZ"}, 404),
    ],
)
async def test_refused_streams(demo: Demo, query: dict[str, str], status: int) -> None:
    """A stream that cannot be is a problem of the OpenAPI document, with a code that it has for that status."""
    async with ClientSession(demo.page) as http:
        async with http.get("v1/openapi.json") as answer:
            document = await answer.json()
        async with http.get("v1/sse", params=query) as answer:
            body = await answer.json()
            found = answer.status, answer.content_type
    ((media, expected),) = document["paths"]["/v1/sse"]["get"]["responses"][str(status)]["content"].items()

    assert found == (status, media)
    assert Strict(document).faults(expected["schema"], body) == []


def test_ends_of_streams() -> None:
    """The document has the reasons for which the gateway ends a stream."""
    assert {code for code, _ in listener._WORDS.values()} == set(ENDS)
