"""How long ticks take, and by how much two clocks differ.  Pure; times are microseconds since 1970 UTC."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from services.telemetry.histogram import Histogram
from tickwire_client.offset import ClockOffset

LATENCIES: Final = (
    0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025,
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0,
)  # fmt: skip
"""Upper bounds of latencies, seconds: from one machine to a tick that history had to bring."""
ROUND_TRIPS: Final = (
    0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
)  # fmt: skip
"""Upper bounds of round trips, seconds."""
HELD: Final = 4_096
"""Most ticks of a new connection that wait for its first pong, which says the clocks' offset."""
OPEN_PINGS: Final = 16
"""Most pings without a pong that are remembered; at one in 5 s a connection is dead before that."""
_MICRO: Final = 1_000_000


class Stage(StrEnum):
    """A part of a tick's way."""

    FEED = "feed"
    """From the tick's `ts` to the frame's `sent`: producer's clock to gateway's."""
    WIRE = "wire"
    """From `sent` to here."""
    TOTAL = "total"


class _Arrived(NamedTuple):
    sent: int
    received: int
    times: Sequence[int]


class Stopwatch:
    """Measures ticks, with the offset of the gateway's clock taken out.

    Attributes:
        stages: latencies by stage; one below zero counts as zero.
        invalid: how many were below zero.
        round_trips: of all pings.
        clock: how far the gateway's clock is ahead of ours.
    """

    def __init__(self) -> None:
        self.stages = {stage: Histogram(LATENCIES, parts=_MICRO) for stage in Stage}
        self.round_trips = Histogram(ROUND_TRIPS, parts=_MICRO)
        self.invalid = 0
        self.clock = ClockOffset()
        self._pings: dict[int, int] = {}
        self._held: list[_Arrived] = []
        self._held_ticks = 0
        self._last_offset = 0

    def opened(self) -> None:
        """A connection stands: another gateway has another clock."""
        self._release(self._last_offset)
        self.clock.forget()
        self._pings.clear()

    def pinged(self, identity: int, at: int) -> None:
        """A ping is being sent."""
        if len(self._pings) >= OPEN_PINGS:
            self._pings.pop(next(iter(self._pings)))
        self._pings[identity] = at

    def ponged(self, identity: int, server_time: int, at: int) -> None:
        """Its pong came."""
        if (sent := self._pings.pop(identity, None)) is None:
            return
        self.clock.add(sent, server_time, at)
        self.round_trips.observe(max(0, at - sent))
        self._last_offset = self.clock.offset_us or 0
        self._release(self._last_offset)

    def arrived(self, sent: int, received: int, times: Sequence[int]) -> None:
        """A frame came that was written at *sent*, with ticks of these *times*.

        Until the offset of this connection is known it waits; beyond `HELD` ticks the last connection's counts.
        """
        self._count(Stage.FEED, [sent - time for time in times])
        self._held.append(_Arrived(sent, received, times))
        self._held_ticks += len(times)
        if self.clock.offset_us is not None:
            self._release(self.clock.offset_us)
        elif self._held_ticks > HELD:
            self._release(self._last_offset)

    def _release(self, offset: int) -> None:
        for sent, received, times in self._held:
            here = received + offset
            self._count(Stage.WIRE, [here - sent] * len(times))
            self._count(Stage.TOTAL, [here - time for time in times])
        self._held.clear()
        self._held_ticks = 0

    def _count(self, stage: Stage, latencies: list[int]) -> None:
        if latencies and min(latencies) < 0:
            self.invalid += sum(latency < 0 for latency in latencies)
            latencies = [max(0, latency) for latency in latencies]
        self.stages[stage].observe_all(latencies)
