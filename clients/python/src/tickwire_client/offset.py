"""How far the gateway's clock is ahead of ours: Cristian's estimate from ping and pong.  Pure.

The pong's `server_time` was read somewhere within the round trip; the middle is wrong by half of it at most.
So the sample with the least round trip of the last few is the best one.
"""

from __future__ import annotations

from collections import deque
from typing import Final

KEPT: Final = 16
"""Samples that are looked at: 8 min at one in 30 s, in which a clock drifts by 10 ms at 20 ppm."""


class ClockOffset:
    """The estimate; both figures are None until the first pong."""

    __slots__ = ("_samples", "offset_us", "rtt_us")

    def __init__(self) -> None:
        self._samples: deque[tuple[int, int]] = deque(maxlen=KEPT)
        self.offset_us: int | None = None
        """Microseconds that the gateway's clock is ahead."""
        self.rtt_us: int | None = None
        """Microseconds of the round trip that the estimate is made of; half of it bounds the error."""

    def add(self, sent: int, server: int, received: int) -> None:
        """Take one pong: our clock at sending and receiving, the gateway's in between, in microseconds."""
        rtt = max(0, received - sent)
        self._samples.append((rtt, server - sent - rtt // 2))
        self.rtt_us, self.offset_us = min(self._samples)

    def forget(self) -> None:
        """Begin anew: another gateway has another clock."""
        self._samples.clear()
        self.offset_us = self.rtt_us = None
