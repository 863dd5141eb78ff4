"""A client that keeps going: whenever its connection ends it resumes on the next gateway, as clients should.

Lean like `tests.loadclient`, on which it stands, so that 1,000 of them fit beside what they test.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from picows import WSError, WSFrame, WSMsgType, WSTransport

from tests.checker import Checker
from tests.loadclient import LoadClient

BASE_S: Final = 0.1
CAP_S: Final = 10.0
"""The waits of `docs/protocol.md`, "Resuming"."""


class Roamer(LoadClient):
    """One logical client over any number of connections; *streams* returns where it may connect, best first."""

    def __init__(
        self, checker: Checker, symbols: Sequence[str], streams: Callable[[int], Sequence[str]], number: int
    ) -> None:
        super().__init__(checker, seen=_ignore)
        self.symbols, self.number = list(symbols), number
        self.closes: list[int | None] = []
        """The close codes of its connections that ended by themselves."""
        self.recovered_s: list[float] = []
        """How long it took from each `expect` to being up to date again."""
        self.failures = 0
        """Attempts to connect that failed."""
        self.address = ""
        """Where it is connected, or tries to be."""
        self._streams = streams
        self._task: asyncio.Task[None] | None = None
        self._due: set[str] = set()
        self._since_us, self._since = 0, 0.0
        self._elsewhere_at = 0.0
        self._ended = asyncio.Event()

    # ------------------------------------------------------------------------------------------------- its life

    def begin(self) -> None:
        """Connect, and stay connected until `end`."""
        self._task = asyncio.create_task(self._roam(), name=f"roam:{self.checker.name}")

    async def end(self) -> None:
        """Leave."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self.__aexit__(None, None, None)

    def expect(self) -> None:
        """From now on time runs until each of its symbols has a tick that is younger than this moment."""
        self._due = set(self.symbols)
        self._since_us, self._since = time.time_ns() // 1000, time.monotonic()

    def move(self) -> None:
        """Drop the connection, to come back elsewhere."""
        if self._transport is not None:
            self._transport.disconnect(graceful=False)

    @property
    def recovering(self) -> bool:
        """Whether it is not up to date again since `expect`."""
        return bool(self._due)

    @property
    def standing(self) -> bool:
        """Whether all its symbols are subscribed on a connection."""
        return len(self.checker.subscribed) == len(self.symbols)

    async def _roam(self) -> None:
        failed = 0
        while True:
            try:
                await self._stay(failed)
                failed = 0
            except (OSError, WSError, TimeoutError):
                failed += 1
                self.failures += 1
            longest = min(CAP_S, BASE_S * 2**failed)
            told = self._elsewhere_at - time.monotonic()
            await asyncio.sleep(told if told > 0 else random.uniform(0, longest))

    async def _stay(self, failed: int) -> None:
        streams = self._streams(self.number)
        self._ended.clear()
        self.address = streams[failed % len(streams)]
        await self.connect(self.address)
        self.say("subscribe", symbols=self.symbols, resume=self.checker.resume(self.symbols))
        await self._ended.wait()
        self.closes.append(self.close_code)
        self.close_code = None

    # ---------------------------------------------------------------------------------------------- what comes

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Check a frame (called by picows)."""
        if frame.msg_type is not WSMsgType.TEXT:
            super().on_ws_frame(transport, frame)
            return
        told = self.checker.received(frame.get_payload_as_bytes())
        op = told.get("op", "")
        if self._due and op in {"ticks", "snapshot"}:
            self._note(told["data"])
        if op != "ticks":
            self._told(op, told)
            if op == "reconnect":
                self._elsewhere_at = time.monotonic() + told["in_ms"] / 1000

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Nothing comes any more (called by picows)."""
        super().on_ws_disconnected(transport)
        self._ended.set()

    def _note(self, ticks: Sequence[dict[str, object]]) -> None:
        for tick in ticks:
            if tick["symbol"] in self._due and int(str(tick["ts"])) >= self._since_us:
                self._due.discard(str(tick["symbol"]))
        if not self._due:
            self.recovered_s.append(time.monotonic() - self._since)


def _ignore(_: bytes) -> None:
    """Nobody else looks at the frames."""
