"""From outboxes to sockets: who has something to say, and when it is written.

A pass of live ticks touches many clients; each gets one write, however many ticks it takes.  What is touched
outside a pass (answers, turns, replay) is written one turn of the event loop later, together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from gateway.metrics import Counters, Stage
from services.market.wire import TickMessage
from services.runtime.clock import Clock

_TS: Final = b'"ts":'


class Flushable(Protocol):
    """Whose outbox can be written out."""

    def flush(self, now: float, sent_us: int) -> None:
        """Write what waits, as far as the socket takes it; never raises."""
        ...

    def go_on(self) -> None:
        """Tell the feed that there is room again."""
        ...


class Flush:
    """The clients that were touched since the last write.  *soon* is the loop's `call_soon`."""

    def __init__(self, clock: Clock, counters: Counters, soon: Callable[[Callable[[], None]], object]) -> None:
        self._clock = clock
        self._counters = counters
        self._soon = soon
        self._scheduled = False
        self._touched: list[Flushable] = []
        self._emptied: list[Flushable] = []

    def touch(self, client: Flushable) -> None:
        """Write out *client* at the end of this pass, at the latest in the next turn of the loop."""
        self._touched.append(client)
        self._schedule()

    def emptied(self, client: Flushable) -> None:
        """Let the feed go on with *client* in the next turn of the loop: never inside a pass of the feed."""
        self._emptied.append(client)
        self._schedule()

    def deliver(self, messages: Sequence[TickMessage], received_us: int) -> None:
        """Write out everybody touched, then observe how long each tick of *messages* took."""
        self._write()
        written_us = self._clock.wall_us()
        observe, ticks = self._counters.observe, 0
        for message in messages:
            ticks += len(message.lines)
            for ts in _times(message):
                observe(Stage.BROKER, received_us - ts)
                observe(Stage.TOTAL, written_us - ts)
        if ticks:
            observe(Stage.FANOUT, written_us - received_us, ticks)

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._soon(self._late)

    def _late(self) -> None:
        self._scheduled = False
        emptied, self._emptied = self._emptied, []
        for client in emptied:
            client.go_on()
        self._write()

    def _write(self) -> None:
        if not self._touched:
            return
        touched, self._touched = self._touched, []
        now, sent_us = self._clock.monotonic(), self._clock.wall_us()
        # No await in this loop, and flush never raises: one dead client must not end the others' pass.
        for client in touched:
            client.flush(now, sent_us)


def _times(message: TickMessage) -> Sequence[int]:
    if len(message.lines) == 1:
        return (message.ts,)
    # Grouped ticks are up to 10 ms apart: the last one's time for all would flatter the histogram.
    return [int(line[line.index(_TS) + 5 : line.index(b",", line.index(_TS))]) for line in message.lines]
