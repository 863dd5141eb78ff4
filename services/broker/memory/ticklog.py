"""The side of the in-memory broker that history reads and answers on."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from services.broker.history import LogListener
from services.broker.memory.link import Link
from services.broker.memory.source import CONTROL_MESSAGES
from services.errors import MalformedMessage
from services.market.candle import Candle
from services.market.control import Control

if TYPE_CHECKING:
    from services.broker.memory.broker import MemoryBroker

READ_MESSAGES: Final = 500
"""Most entries read in one turn of the loop: about 2 ms of work for history."""


class MemoryTickLog(Link):
    """A `TickLog` of the in-memory broker."""

    def __init__(self, broker: MemoryBroker, name: str) -> None:
        super().__init__(broker, name)
        self._listener: LogListener | None = None
        self._keep_s = 0.0
        self._next: int | None = None
        self._next_candle = 0
        self._skips = True
        """Whether what comes next does not follow what came last."""
        self._control: deque[Control | MalformedMessage] = deque(maxlen=CONTROL_MESSAGES)
        self._scheduled = False
        self.paused = False
        """True: reads no ticks and no candles.  Set through `MemoryBroker.pause_log`."""

    # ---------------------------------------------------------------------------------------- what a TickLog does

    async def run(self, listener: LogListener, *, keep_s: float) -> None:
        """See `TickLog.run`."""
        self._listener, self._keep_s = listener, keep_s
        await self._supervise(listener)

    def store(self, candles: Sequence[Candle]) -> None:
        """See `TickLog.store`."""
        if self.standing and candles:
            self._broker.store(candles)

    def reread(self) -> None:
        """See `TickLog.reread`."""
        self._next, self._next_candle, self._skips = None, 0, True
        self.schedule()

    # -------------------------------------------------------------------------------------- what the broker asks

    def offer_control(self, message: Control | MalformedMessage) -> None:
        """Queue a control message."""
        self._control.append(message)
        self.schedule()

    def schedule(self) -> None:
        """Read in the loop's next turn."""
        if not self._scheduled and self.standing:
            self._scheduled = True
            self._later(self._deliver)

    # ----------------------------------------------------------------------------------------------------- inside

    def _stands(self) -> None:
        self.schedule()

    def _forget(self) -> None:
        self._control.clear()
        self._scheduled = False

    def _deliver(self) -> None:
        self._scheduled = False
        connection, listener = self._connection, self._listener
        if listener is None:
            return
        for message in self._controls():
            if isinstance(message, MalformedMessage):
                listener.on_malformed(message)
            else:
                listener.on_control(message)
            # A listener may have ended the connection; nothing comes after that.
            if self._connection is not connection:
                return
        if not self.paused:
            self._read(listener)

    def _controls(self) -> list[Control | MalformedMessage]:
        messages = list(self._control)
        self._control.clear()
        return messages

    def _read(self, listener: LogListener) -> None:
        log = self._broker.log
        if self._next is None:
            self._next = log.since(self._broker.clock.monotonic() - self._keep_s)
        begin = self._next
        candles, self._next_candle = log.candles(self._next_candle), log.stored
        if candles:
            listener.on_candles(candles)
        items, self._next = log.read(self._next, READ_MESSAGES)
        if items and (self._skips or self._next - len(items) != begin):
            self._skips = False
            listener.on_skipped()
        messages = [item for item in items if not isinstance(item, MalformedMessage)]
        if messages:
            listener.on_ticks(messages)
        for item in items:
            if isinstance(item, MalformedMessage):
                listener.on_malformed(item)
        if self._next < log.written:
            self.schedule()
