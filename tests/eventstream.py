"""A test client of Server-Sent Events, over real sockets, with a checker that sees all that comes.

Lines become events as the HTML standard says (section 9.2.6), and nothing of Tickwire's is used.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

import orjson
from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout

from tests.checker import Checker
from tests.streamclient import DEADLINE
from tests.tick_content import Frame

KEPT_EVENTS: Final = 50
_NO_END: Final = ClientTimeout(total=None)


class EventStream:
    """One logical client, on one connection at a time, which comes back with the id of the last event.

    The newest fifty events that are no ticks are in *frames*, and all are counted by name in *counts*.
    """

    def __init__(self, http: ClientSession, symbols: Sequence[str], checker: Checker | None = None) -> None:
        self.checker = checker or Checker()
        self.symbols = list(symbols)
        self.frames: deque[Frame] = deque(maxlen=KEPT_EVENTS)
        self.counts: Counter[str] = Counter()
        self.arrivals: list[float] = []
        """When each read brought something, in seconds."""
        self.comments = 0
        self.last_event_id = ""
        self.retry_ms: int | None = None
        self.resumed: str | None = None
        """What `Tickwire-Resumed` said last."""
        self.ended: str | None = None
        """How the connection ended: `clean`, as HTTP ends a body, or `cut`."""
        self._http = http
        self._answer: ClientResponse | None = None
        self._reader: asyncio.Task[None] | None = None
        self._waiters: set[asyncio.Event] = set()

    async def __aenter__(self) -> Self:
        """Nothing is open yet: see `connect`."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close, if open."""
        await self.close()

    # ------------------------------------------------------------------------------------------- connection

    async def connect(self, url: str, *, headers: Mapping[str, str] | None = None, **parameters: str) -> None:
        """Open a stream of `url` (`http://host:port`), as a browser does: with the last id, if there is one."""
        await self.close()
        said = {"Accept": "text/event-stream", **(headers or {})}
        if self.last_event_id:
            said.setdefault("Last-Event-ID", self.last_event_id)
        query = {"symbols": ",".join(self.symbols), **parameters}
        async with asyncio.timeout(DEADLINE):
            answer = await self._http.get(f"{url}/v1/sse", params=query, headers=said, timeout=_NO_END)
        assert answer.status == 200, (answer.status, await answer.text())
        assert answer.headers["Content-Type"] == "text/event-stream"
        self._answer, self.ended = answer, None
        self.resumed = answer.headers.get("Tickwire-Resumed")
        self.begin(said.get("Last-Event-ID") or parameters.get("last_event_id"), parameters)
        self._reader = asyncio.create_task(self._read(answer), name=f"events:{self.checker.name}")

    def begin(self, event_id: str | None, parameters: Mapping[str, str]) -> None:
        """Tell the checker what this stream comes to, in words of the native wire."""
        self.checker.opened()
        self.checker.received(b'{"op":"welcome"}')
        command: dict[str, Any] = {"op": "subscribe", "id": 1, "symbols": self.symbols}
        command["snapshot"] = parameters.get("snapshot", "true") == "true"
        if "max_rate" in parameters:
            command["max_rate"] = float(parameters["max_rate"])
        if event_id:
            command["resume"] = self.checker.resume(self.symbols)
        self.checker.sent(command)

    async def close(self) -> None:
        """Drop the connection, if one is open; cursors are kept."""
        answer, reader = self._answer, self._reader
        self._answer = self._reader = None
        if answer is not None:
            answer.close()
        if reader is not None:
            await asyncio.wait_for(reader, DEADLINE)

    @property
    def connected(self) -> bool:
        """Whether the connection stands."""
        return self._reader is not None and not self._reader.done()

    async def gone(self, deadline: float = DEADLINE) -> str | None:
        """Return how the other side has ended the connection."""
        await self.until(lambda: not self.connected, deadline)
        return self.ended

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
            raise TimeoutError(
                f"{self.checker.name}: not within {deadline} s; {self.ended}, {dict(self.counts)}, "
                f"last {list(self.frames)[-3:]}, violations {self.checker.violations[:3]}"
            ) from None
        finally:
            self._waiters.discard(event)

    # ---------------------------------------------------------------------------------------------- what comes

    async def _read(self, answer: ClientResponse) -> None:
        left = b""
        try:
            async for data, _ in answer.content.iter_chunks():
                self.arrivals.append(time.monotonic())
                *blocks, left = (left + data).split(b"\n\n")
                for block in blocks:
                    self._block(block)
                self._wake()
            self.ended = "clean"
        except (ClientError, ConnectionError):
            self.ended = "cut"
        finally:
            self.ended = self.ended or "cut"
            self.checker.closed()
            self._wake()

    def _block(self, block: bytes) -> None:
        event, data, event_id = "message", None, None
        for line in block.split(b"\n"):
            name, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            match name:
                case b"event":
                    event = value.decode()
                case b"data":
                    data = value
                case b"id":
                    event_id = value.decode()
                case b"retry":
                    self.retry_ms = int(value)
                case b"":
                    self.comments += 1
                case _:
                    raise AssertionError(f"a field that is none: {line!r}")
        if data is not None:
            self.dispatch(event, data)
            self.last_event_id = event_id if event_id is not None else self.last_event_id

    def dispatch(self, event: str, data: bytes) -> None:
        """Take one event."""
        self.counts[event] += 1
        if event == "ticks":
            self.checker.received(b'{"op":"ticks","sent":0,"data":%b}' % data)
            return
        frame = self.checker.received(data)
        assert frame["op"] == event, block_of(event, data)
        self.frames.append(frame)

    def _wake(self) -> None:
        for event in self._waiters:
            event.set()


def block_of(event: str, data: bytes) -> str:
    """Return an event in short."""
    return f"{event}: {orjson.loads(data)}"[:200]
