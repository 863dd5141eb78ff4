"""The window: how long ticks may wait for more before they are written.  Pure.

A write costs about 9 µs however few ticks it carries, so ticks that wait for each other are cheaper; but where
nothing else is to be done, waiting is only a delay.  The rule: **rest half as long as you have worked**.  A flush
starts no sooner after the last one than half of what the passes and the flush before it took, and no tick waits
longer than `limit`.

So an idle gateway adds no delay: its last work is over long before the next tick comes.  One that is busy with
two thirds of its time finds each tick's flush due at once or nearly so.  Beyond, the rests, and with them the
batches, grow until the work fits into two thirds of the time, or the rests reach the limit.
"""

from __future__ import annotations

from typing import Final

REST: Final = 0.5
"""Seconds of rest per second of work: passes and flushes take at most two thirds of a busy gateway's time.

Measured with 250,000 deliveries a second on two cores, which RabbitMQ, producer and clients share (medians of
three runs in turns): at 1, 0.5, 0.25 and 0 a delivery cost 1.60, 1.76, 2.02 and 2.49 µs; p99 was 69, 63, 64 and
61 ms.
"""


class Window:
    """When what waits may be written.  Times in seconds of one clock that never goes back."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        """Most seconds that a tick waits; 0: none does."""
        self.rest = 0.0
        """Seconds from the end of the last flush to the earliest next one."""
        self._worked = 0.0
        self._rested_at = float("-inf")

    def work(self, seconds: float) -> None:
        """Note that a pass has taken so long."""
        self._worked += seconds

    def flushed(self, now: float) -> None:
        """Note that all was written, at *now*."""
        self.rest = min(self.limit, self._worked * REST)
        self._rested_at = now + self.rest
        self._worked = 0.0

    def wait(self, now: float) -> float:
        """Return how many seconds what came at *now* waits, at most `limit`."""
        return max(0.0, min(self._rested_at - now, self.limit))
