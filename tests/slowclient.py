"""A client that reads only so many bytes a second, with a checker that sees all that comes.

Bytes become messages in the sans-I/O part of websockets, so that a frame may take as long as it likes.
"""

from __future__ import annotations

import asyncio
import json
import math
import socket
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri

from tests.checker import Checker

EVERY_S: Final = 0.05
"""Between two reads."""
RECEIVE_BYTES: Final = 4_096
"""Of the kernel's receive buffer: what comes fills it soon."""
SEGMENT_BYTES: Final = 1_448
"""As on an Ethernet; on the loopback interface it would be 65,483, and a window opens by no less than one."""


class SlowClient:
    """One connection.  *rate* may be changed at any time: bytes a second, 0 reads nothing, inf all there is."""

    def __init__(self, checker: Checker, rate: float) -> None:
        self.checker, self.rate = checker, rate
        self.close_code: int | None = None
        self.ended = asyncio.Event()
        """The other side has ended the connection, in whatever way."""
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES)
        self._socket.setblocking(False)
        self._protocol: ClientProtocol
        self._answered = False
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Nothing is open yet: see `follow`."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop the connection."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        self._socket.close()

    async def follow(self, url: str, *symbols: str) -> None:
        """Connect to *url*, subscribe to *symbols*, and read from then on."""
        self._protocol, uri = ClientProtocol(parse_uri(url), max_size=None), parse_uri(url)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self._socket, (uri.host, uri.port))
        self._protocol.send_request(self._protocol.connect())
        await self._send()
        self.checker.opened()
        while not self._answered:
            self._protocol.receive_data(await loop.sock_recv(self._socket, 512))
            self._look()
        command = {"op": "subscribe", "id": 1, "symbols": symbols}
        self.checker.sent(command)
        self._protocol.send_text(json.dumps(command).encode())
        await self._send()
        self._reading = asyncio.create_task(self._read(), name=f"slow:{self.checker.name}")

    @property
    def port(self) -> int:
        """Of this end."""
        name: tuple[Any, ...] = self._socket.getsockname()
        return int(name[1])

    async def _send(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def _read(self) -> None:
        try:
            while not self.ended.is_set():
                await asyncio.sleep(EVERY_S)
                if self.rate:
                    await self._take(65_536 if math.isinf(self.rate) else max(1, int(self.rate * EVERY_S)))
        finally:
            self.checker.closed()

    async def _take(self, most: int) -> None:
        try:
            data = await asyncio.get_running_loop().sock_recv(self._socket, most)
        except ConnectionError:
            data = b""
        if not data:
            self.ended.set()
            return
        self._protocol.receive_data(data)
        await self._send()
        self._look()

    def _look(self) -> None:
        for event in self._protocol.events_received():
            if isinstance(event, Response):
                assert event.status_code == HTTPStatus.SWITCHING_PROTOCOLS
                self._answered = True
                continue
            assert isinstance(event, Frame)
            if event.opcode is Opcode.TEXT:
                self.checker.received(bytes(event.data))
            elif event.opcode is Opcode.CLOSE:
                self.close_code = int.from_bytes(event.data[:2])
