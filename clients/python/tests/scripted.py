"""A gateway that speaks a script, over a real socket; and the frames it says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from ssl import SSLContext
from typing import Any, Final

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

DEADLINE: Final = 20.0
"""Seconds that anything may take here: two busy cores need a tenth of it."""
LIMITS: Final = {
    "symbols": 1000,
    "message_bytes": 65536,
    "commands_per_s": 50.0,
    "command_burst": 100,
    "max_rate": [0.1, 100.0],
}

Script = Callable[["Peer"], Awaitable[None]]


def tick(symbol: str, seq: int, price: str = "10.50", **more: object) -> str:
    """Return a tick as the gateway spells it."""
    fields = {"size": 5, "bid": "9.90", "ask": "10.10", "bid_size": 1, "ask_size": 2, "volume": 7, **more}
    rest = "".join(f',"{name}":{value}' for name, value in fields.items())
    return f'{{"seq":{seq},"ts":1000000,"symbol":"{symbol}","price":{price}{rest}}}'


def ticks(*data: str, sent: int = 1) -> str:
    """Return a `ticks` frame."""
    return f'{{"op":"ticks","sent":{sent},"data":[{",".join(data)}]}}'


def snapshot(epoch: int, *data: str) -> str:
    """Return a `snapshot` frame."""
    return f'{{"op":"snapshot","epoch":{epoch},"data":[{",".join(data)}],"none":{{}}}}'


def frame(op: str, **fields: Any) -> str:
    """Return any other frame; *first* and *last* stand for `from` and `to`."""
    names = {"first": "from", "last": "to"}
    return json.dumps({"op": op, **{names.get(name, name): value for name, value in fields.items()}})


def welcome(**more: Any) -> str:
    """Return the first frame of a connection."""
    fields = {"protocol": 1, "session": "x", "server_time": 1, "heartbeat": 15, "limits": LIMITS, "feed": "live"}
    return frame("welcome", **{**fields, "auth": "none", **more})


def subscribed(identity: int, rejected: dict[str, str], **positions: tuple[int, int] | None) -> str:
    """Return the answer to a subscribe command."""
    symbols = {
        symbol: {"epoch": None, "seq": None} if at is None else {"epoch": at[0], "seq": at[1]}
        for symbol, at in positions.items()
    }
    return frame("subscribed", id=identity, symbols=symbols, rejected=rejected, pending=0)


class Peer:
    """The gateway's end of one connection.  *number*: which one, from 1; *headers*: of its request."""

    def __init__(self, socket: ServerConnection, number: int) -> None:
        self.socket, self.number = socket, number
        assert socket.request is not None
        self.headers = socket.request.headers

    async def say(self, *frames: str) -> None:
        """Send frames."""
        for text in frames:
            await self.socket.send(text)

    async def command(self, op: str = "subscribe") -> dict[str, Any]:
        """Return the next command that is *op*; pings are answered, nothing else may come."""
        while True:
            body: dict[str, Any] = json.loads(await self.socket.recv())
            if body["op"] == op:
                return body
            assert body["op"] == "ping", f"{body} came, not {op}"
            await self.say(frame("pong", id=body["id"], server_time=1))

    async def serve(self, *frames: str, **positions: tuple[int, int] | None) -> dict[str, Any]:
        """Answer the next subscribe command, for *positions*, and say *frames*."""
        command = await self.command()
        await self.say(subscribed(command["id"], {}, **positions), *frames)
        return command

    async def gone(self) -> None:
        """Return once the client has ended the connection; what it says until then goes unanswered."""
        await self.socket.wait_closed()


@asynccontextmanager
async def gateway(
    script: Script,
    *,
    port: int = 0,
    refuse: HTTPStatus | None = None,
    refusals: int | None = None,
    headers: Mapping[str, str] | None = None,
    tls: SSLContext | None = None,
    patience: float = DEADLINE,
) -> AsyncIterator[str]:
    """Serve *script* on each connection, or *refuse* them (or only the first *refusals*); yield the address.

    *headers*: of refusals.
    An assertion that fails in the script fails the test.
    """
    count, refused, failures = 0, 0, list[BaseException]()

    async def handle(socket: ServerConnection) -> None:
        nonlocal count
        count += 1
        try:
            await script(Peer(socket, count))
        except (AssertionError, KeyError) as error:
            failures.append(error)

    def answer(connection: ServerConnection, _: Request) -> Response | None:
        nonlocal refused
        if refuse is None or (refusals is not None and refused >= refusals):
            return None
        refused += 1
        response = connection.respond(refuse, "no")
        response.headers["Location"] = "/elsewhere"
        response.headers.update(headers or {})
        return response

    async with serve(
        handle,
        "127.0.0.1",
        port,
        subprotocols=[Subprotocol("tickwire.v1")],
        process_request=answer,
        compression=None,
        close_timeout=1,
        ssl=tls,
    ) as server:
        async with asyncio.timeout(patience):
            yield f"{'wss' if tls else 'ws'}://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/stream"
    if failures:
        raise failures[0]


async def eventually(predicate: Callable[[], object]) -> None:
    """Return as soon as *predicate* is true; it is asked every 5 ms."""
    async with asyncio.timeout(DEADLINE):
        while not predicate():  # noqa: ASYNC110 - what is asked for says nothing when it changes
            await asyncio.sleep(0.005)
