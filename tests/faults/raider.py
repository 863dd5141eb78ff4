"""One connection of somebody who means no good: raw bytes over a real socket, and how it ended."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from collections import Counter
from typing import Any, Final, cast

import orjson

from tests.hostile import masked

ANSWER_S: Final = 20.0
"""Longest wait for anything."""
HEAD_BYTES: Final = 16 * 1024
TEXT, CLOSE, PING = 1, 8, 9


class Raider:
    """A connection to port *port* of this machine, from the address *source*."""

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self.headers: dict[str, str] = {}
        self._port, self._source = port, source
        self._reader: StreamReader
        self._writer: StreamWriter | None = None

    async def reach(self) -> None:
        """Open the connection and say nothing yet.

        Raises:
            OSError: it cannot be opened.
        """
        self._reader, self._writer = await asyncio.open_connection(
            "127.0.0.1", self._port, local_addr=(self._source, 0), limit=HEAD_BYTES
        )

    async def knock(self, *headers: str, path: str = "/v1/stream") -> str:
        """Ask for a WebSocket, with more *headers*; return the status, or how the connection ended before one."""
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: 127.0.0.1:{self._port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            *headers,
        ]
        try:
            async with asyncio.timeout(ANSWER_S):
                if self._writer is None:
                    await self.reach()
                assert self._writer is not None
                self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
                head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except (OSError, EOFError, TimeoutError) as error:
            return _ended(error)
        status, *fields = head.split("\r\n")
        self.headers = {
            name.strip().lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)
        }
        return status.split()[1]

    async def send(self, data: bytes) -> bool:
        """Write *data*; False: the other side takes nothing any more."""
        assert self._writer is not None
        try:
            self._writer.write(data)
            async with asyncio.timeout(ANSWER_S):
                await self._writer.drain()
        except (OSError, TimeoutError):
            return False
        return not self._writer.is_closing()

    async def say(self, command: object) -> bool:
        """Write *command*, anything that JSON can carry, as one text frame."""
        return await self.send(masked(TEXT, orjson.dumps(command)))

    async def frame(self) -> tuple[int, bytes]:
        """Return opcode and payload of the next frame.

        Raises:
            OSError, EOFError: there will be none.
        """
        first, size = await self._reader.readexactly(2)
        if size > 125:
            size = int.from_bytes(await self._reader.readexactly(2 if size == 126 else 8), "big")
        return first & 15, await self._reader.readexactly(size)

    async def first(self) -> str:
        """Return `welcome`, or how the connection ended before one."""
        try:
            async with asyncio.timeout(ANSWER_S):
                opcode, payload = await self.frame()
        except (OSError, EOFError, TimeoutError) as error:
            return _ended(error)
        return "welcome" if opcode == TEXT else _closed(payload)

    async def answer(self) -> dict[str, Any]:
        """Return the next text frame but ticks and greeting, parsed; `close`: how it ended instead."""
        try:
            async with asyncio.timeout(ANSWER_S):
                while True:
                    opcode, payload = await self.frame()
                    if opcode == CLOSE:
                        return {"op": "close", "how": _closed(payload)}
                    if opcode == TEXT and not payload.startswith((b'{"op":"ticks"', b'{"op":"welcome"')):
                        answer: dict[str, Any] = orjson.loads(payload)
                        return answer
        except (OSError, EOFError, TimeoutError) as error:
            return {"op": "close", "how": _ended(error)}

    async def end(self, told: Counter[str] | None = None) -> str:
        """Read until the end, and return how it came; *told* counts the answers before it."""
        while (answer := await self.answer())["op"] != "close":
            if told is not None:
                told[_name(answer)] += 1
        return str(answer["how"])

    def deafen(self) -> None:
        """Read nothing from now on: neither does the kernel, once its buffer is full."""
        self._transport.pause_reading()

    def listen(self) -> None:
        """Read again."""
        if not self._transport.is_closing():
            self._transport.resume_reading()

    @property
    def _transport(self) -> asyncio.Transport:
        assert self._writer is not None
        return cast("asyncio.Transport", self._writer.transport)

    def leave(self) -> None:
        """Drop the connection."""
        if self._writer is not None:
            self._writer.transport.abort()


def _name(answer: dict[str, Any]) -> str:
    """What to count *answer* as."""
    if answer["op"] == "error":
        return f"error {answer['code']}"
    if answer["op"] == "subscribed" and answer["rejected"]:
        return "rejected " + " ".join(sorted(set(answer["rejected"].values())))
    return str(answer["op"])


def _closed(payload: bytes) -> str:
    return f"close {int.from_bytes(payload[:2], 'big')}" if payload else "close without a code"


def _ended(error: BaseException) -> str:
    return "no answer" if isinstance(error, TimeoutError) else "dropped"
