"""A test client of the native wire, over real sockets, with a checker that sees all that is sent and received."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Final, Self

import orjson
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

from tests.checker import Checker
from tests.tick_content import Frame
from tests.written import WRITTEN

DEADLINE: Final = 20.0
"""Seconds that a test waits at most, where it says nothing else: enough for a broker's restart on busy cores."""
KEPT_FRAMES: Final = 50

Seen = Callable[[bytes], None]


class StreamClient:
    """One logical client, on one connection at a time.

    All frames pass through *checker*, and the first ones of each op past their schemas; the newest fifty that are
    no ticks are in *frames*, parsed, and all are counted by op in *counts*.  *seen* is called with the raw
    text of each frame.
    """

    def __init__(self, http: ClientSession, checker: Checker | None = None, *, seen: Seen | None = None) -> None:
        self.checker = checker or Checker()
        self.frames: deque[Frame] = deque(maxlen=KEPT_FRAMES)
        self.counts: Counter[str] = Counter()
        self.close_code: int | None = None
        self._http, self._seen = http, seen
        self._socket: ClientWebSocketResponse[bool] | None = None
        self._reader: asyncio.Task[None] | None = None
        self._waiters: set[asyncio.Event] = set()
        self._ids = 0
        self._unwritten: list[str] = []

    async def __aenter__(self) -> Self:
        """Nothing is open yet: see `connect`."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close, if open."""
        await self.close()

    # ------------------------------------------------------------------------------------------- connection

    async def connect(self, url: str, **options: Any) -> Frame:
        """Open a connection to *url* (`ws://host:port/v1/stream`) and return its `welcome`."""
        await self.close()
        self._socket = await self._http.ws_connect(url, decode_text=False, max_msg_size=0, **options)
        self.checker.opened()
        self.frames.clear()
        self.close_code, self._ids = None, 0
        self._reader = asyncio.create_task(self._read(self._socket), name=f"read:{self.checker.name}")
        await self.until(lambda: bool(self.frames))
        return self.frames[0]

    async def close(self) -> None:
        """Close the connection, if one is open; cursors are kept.

        Raises:
            AssertionError: a frame came that the AsyncAPI document does not have.
        """
        socket, reader = self._socket, self._reader
        self._socket = self._reader = None
        if socket is not None:
            await socket.close()
        if reader is not None:
            await asyncio.wait_for(reader, DEADLINE)
        assert not self._unwritten, self._unwritten[:3]

    async def abort(self) -> None:
        """Drop the connection without a word."""
        if self._socket is not None and (connection := self._socket._conn) is not None and connection.transport:
            connection.transport.abort()
        await self.close()

    @property
    def connected(self) -> bool:
        """Whether the connection stands."""
        return self._reader is not None and not self._reader.done()

    async def gone(self, deadline: float = DEADLINE) -> int | None:
        """Return the close code once the other side has ended the connection."""
        await self.until(lambda: not self.connected, deadline)
        return self.close_code

    # --------------------------------------------------------------------------------------------- commands

    async def say(self, op: str, **fields: Any) -> int:
        """Send a command with the next id, and return that."""
        assert self._socket is not None, "not connected"
        self._ids += 1
        command = {"op": op, "id": self._ids, **fields}
        self.checker.sent(command)
        await self._socket.send_str(orjson.dumps(command).decode())
        return self._ids

    async def blurt(self, text: str | bytes) -> None:
        """Send anything, unnoticed by the checker: text, or bytes as a binary frame."""
        assert self._socket is not None, "not connected"
        await (self._socket.send_str(text) if isinstance(text, str) else self._socket.send_bytes(text))

    async def subscribe(self, *symbols: str, deadline: float = DEADLINE, **options: Any) -> dict[str, str]:
        """Subscribe to *symbols*, wait for the whole answer and return what was rejected, and why."""
        identity = await self.say("subscribe", symbols=list(symbols), **options)
        await self.answered(identity, deadline)
        answers = [frame for frame in self.frames if frame["op"] == "subscribed" and frame["id"] == identity]
        return {symbol: reason for frame in answers for symbol, reason in frame["rejected"].items()}

    async def unsubscribe(self, *symbols: str) -> None:
        """Unsubscribe from *symbols* and wait for the answer."""
        await self.answered(await self.say("unsubscribe", symbols=list(symbols)))

    async def list(self) -> Frame:
        """Return the answer to `list`; the checker compares it with its own cursors."""
        await self.answered(await self.say("list"))
        return next(frame for frame in reversed(self.frames) if frame["op"] == "subscriptions")

    async def resume(self, url: str, symbols: Iterable[str]) -> dict[str, str]:
        """Go on with *symbols* on a new connection to *url*; return what was rejected."""
        names = list(symbols)
        await self.connect(url)
        return await self.subscribe(*names, resume=self.checker.resume(names))

    # ---------------------------------------------------------------------------------------------- waiting

    async def answered(self, identity: int, deadline: float = DEADLINE) -> None:
        """Return once command *identity* has its whole answer."""
        await self.until(lambda: identity not in self.checker.unanswered, deadline)

    async def until(self, true: Callable[[], object], deadline: float = DEADLINE) -> None:
        """Return as soon as *true* is, asked after each read.

        Raises:
            TimeoutError: not within *deadline* seconds; the message says what came last.
        """
        event = asyncio.Event()
        self._waiters.add(event)
        try:
            async with asyncio.timeout(deadline):
                while not true():
                    event.clear()
                    await event.wait()
        except TimeoutError:
            last = [dict(frame) for frame in list(self.frames)[-3:]]
            raise TimeoutError(
                f"{self.checker.name}: not within {deadline} s; close code {self.close_code}, "
                f"{dict(self.counts)}, last {last}, violations {self.checker.violations[:3]}"
            ) from None
        finally:
            self._waiters.discard(event)

    async def _read(self, socket: ClientWebSocketResponse[bool]) -> None:
        received, counts, seen = self.checker.received, self.counts, self._seen
        try:
            # receive() in a loop: `async for` hides the close frame's code behind StopAsyncIteration.
            while (message := await socket.receive()).type is WSMsgType.TEXT:
                frame = received(message.data)
                op = frame.get("op", "")
                counts[op] += 1
                self._unwritten += WRITTEN.faults(message.data)
                if op != "ticks":
                    self.frames.append(frame)
                if seen is not None:
                    seen(message.data)
                for event in self._waiters:
                    event.set()
        finally:
            self.close_code = socket.close_code
            self.checker.closed()
            for event in self._waiters:
                event.set()
