"""A client of the native wire for tests with many of them: lean, so that it is not what is measured.

200 of them with their checkers take 0.3 to 0.4 of a core at 40,000 frames/s.  It speaks through picows, so it
shares nothing with the gateway, which stands on aiohttp.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

import orjson
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from tests.checker import Checker

DEADLINE: Final = 30.0

Seen = Callable[[bytes], None]


class LoadClient(WSListener):
    """One client on one connection; every frame passes through *checker*, and its raw text through *seen*."""

    def __init__(self, checker: Checker, *, seen: Seen) -> None:
        self.checker = checker
        self.counts: Counter[str] = Counter()
        self.rejected: dict[str, str] = {}
        self.close_code: int | None = None
        self._seen = seen
        self._received = checker.received
        self._transport: WSTransport | None = None
        self._answered: dict[int, asyncio.Event] = {}

    async def __aenter__(self) -> Self:
        """Nothing is open yet: see `connect`."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close, if open."""
        transport, self._transport = self._transport, None
        if transport is not None and not transport.is_disconnected:
            transport.send_close()
            async with asyncio.timeout(DEADLINE):
                await transport.wait_disconnected()

    async def connect(self, url: str, *, token: str | None = None) -> None:
        """Open the connection to *url*, with *token* where one is needed."""
        self.checker.opened()
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._transport, _ = await ws_connect(
            lambda: self, url, websocket_handshake_timeout=DEADLINE, extra_headers=headers
        )

    def say(self, op: str, **fields: Any) -> int:
        """Send a command with the next id, and return that."""
        assert self._transport is not None, "not connected"
        identity = len(self._answered) + 1
        self._answered[identity] = asyncio.Event()
        command = {"op": op, "id": identity, **fields}
        self.checker.sent(command)
        self._transport.send(WSMsgType.TEXT, orjson.dumps(command))
        return identity

    @property
    def connected(self) -> bool:
        """Whether the connection stands."""
        return self._transport is not None and not self._transport.is_disconnected

    async def subscribe(self, *symbols: str) -> None:
        """Subscribe to *symbols* and wait for the whole answer; what was rejected is in *rejected*."""
        identity = self.say("subscribe", symbols=list(symbols))
        async with asyncio.timeout(DEADLINE):
            await self._answered[identity].wait()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Check a frame (called by picows)."""
        if frame.msg_type is not WSMsgType.TEXT:
            if frame.msg_type is WSMsgType.CLOSE:
                self.close_code = frame.get_close_code().value
                transport.disconnect()
            return
        raw = frame.get_payload_as_bytes()
        told = self._received(raw)
        self._seen(raw)
        if (op := told.get("op", "")) != "ticks":
            self._told(op, told)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Nothing comes any more (called by picows)."""
        del transport
        self.checker.closed()

    def _told(self, op: str, frame: dict[str, Any]) -> None:
        self.counts[op] += 1
        self.rejected |= frame.get("rejected") or {}
        identity = frame.get("id")
        if identity in self._answered and identity not in self.checker.unanswered:
            self._answered[identity].set()
