"""All connections of one gateway: how many there may be, their shared timers, and how they end together."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from typing import Final

from gateway.admission import refusal
from gateway.admission.refusal import Refusal
from gateway.closing import RESTART
from gateway.counters import Counters, Eviction
from gateway.flush import Entries, Flush
from gateway.frames import Reconnect
from gateway.outbox import Outbox
from gateway.session import Session
from gateway.wheel import Wheel
from gateway.window import Window
from services.runtime.clock import Clock

LOOK_S: Final = 0.025
"""Seconds between two looks at the sockets that are full."""
TURN_S: Final = 0.25
"""Seconds of one turn of the wheel: how late a heartbeat may be."""
CLOSES_PER_S: Final = 500
"""Connections closed per second while draining, where the time allows: the other gateways take them in."""
CLOSE_SHARE: Final = 0.8
"""Part of the drain time over which connections are closed; the rest is for their answers."""
END_S: Final = 2.0
"""Seconds that the handlers have to end after their sockets were torn down."""


class Sessions:
    """The open sessions, and what they share.  *later* and *soon* are the loop's `call_later` and `call_soon`."""

    def __init__(
        self,
        clock: Clock,
        counters: Counters,
        *,
        max_connections: int,
        stuck_s: float,
        heartbeat_s: float,
        flush_s: float,
        encode: Callable[[Entries, int], list[bytes]],
        later: Callable[[float, Callable[[], None]], asyncio.TimerHandle],
        soon: Callable[[Callable[[], None]], object],
    ) -> None:
        self.clock = clock
        self.counters = counters
        self.heartbeat_s = heartbeat_s
        self.flush = Flush(clock, counters, window=Window(flush_s), encode=encode, soon=soon, later=later)
        self.leaving = self.draining = False
        self._max_connections = max_connections
        self._stuck_s = stuck_s
        self._later = later
        self._open: set[Session] = set()
        self._blocked: set[Session] = set()
        self._wheel: Wheel[Session] = Wheel(TURN_S, clock.monotonic())
        self._looking = False
        self._turning = False
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Session]:
        return iter(self._open)

    @property
    def blocked(self) -> int:
        """How many sockets are full."""
        return len(self._blocked)

    def unsent(self) -> tuple[int, int]:
        """Return the bytes that wait for all clients, and the most for one.

        Where nothing waits behind a socket and nothing is to be said, there are none: 0.1 µs per such client.
        Each other one takes 1 µs, less than `look`, which is there 40 times a second.
        """
        total = most = 0
        for session in self._open:
            if session.idle:
                continue
            size = session.unsent
            total += size
            most = max(most, size)
        return total, most

    @property
    def full(self) -> bool:
        """Whether the connection limit is reached."""
        return len(self._open) >= self._max_connections

    def refusal(self) -> Refusal | None:
        """Why a client may not come in now; None: it may."""
        if self.draining:
            return refusal.DRAINING
        return refusal.FULL if self.full else None

    def add(self, session: Session) -> None:
        """Take a new session in."""
        self._open.add(session)
        self._empty.clear()
        self.hurry(session)
        if not self._turning:
            self._turning = True
            self._later(TURN_S, self._turn)

    def hurry(self, session: Session) -> None:
        """Look at *session* when its time asks for something, at the latest at the next heartbeat."""
        due = self.clock.monotonic() + self.heartbeat_s
        self._wheel.put(session, due if session.stay is None else min(due, session.stay.next))

    def remove(self, session: Session) -> None:
        """Forget a session whose connection has ended."""
        self._open.discard(session)
        self._blocked.discard(session)
        self._wheel.drop(session)
        if not self._open:
            self._empty.set()

    # ------------------------------------------------------------------------------- what a session asks

    @property
    def touched(self) -> list[Outbox]:
        """The sessions that have something to say."""
        return self.flush.touched

    def wake(self) -> None:
        """Write out who is touched, soon."""
        self.flush.wake()

    def emptied(self, session: Session) -> None:
        """Let the feed go on with *session* soon."""
        self.flush.emptied(session)

    def watch(self, session: Session) -> None:
        """Look at *session*, whose socket is full, until it is not."""
        self._blocked.add(session)
        if not self._looking:
            self._looking = True
            self._later(LOOK_S, self._look)

    def sent(self, frames: int, ticks: int, size: int) -> None:
        """Count what was written."""
        self.counters.sent(frames, ticks, size)

    def write_failed(self) -> None:
        """Count a write to a connection that is gone."""
        self.counters.dead_writes += 1

    def evicted(self, reason: Eviction) -> None:
        """Count a connection that was torn down."""
        self.counters.evictions[reason] += 1

    # -------------------------------------------------------------------------------------------- timers

    def _look(self) -> None:
        now = self.clock.monotonic()
        for session in tuple(self._blocked):
            if not session.look(now, stuck_s=self._stuck_s):
                self._blocked.discard(session)
        self._looking = bool(self._blocked)
        if self._looking:
            self._later(LOOK_S, self._look)

    def _turn(self) -> None:
        now, sent_us = self.clock.monotonic(), self.clock.wall_us()
        for session in self._wheel.due(now):
            again = session.turn(now, sent_us, heartbeat_s=self.heartbeat_s)
            self._wheel.put(session, again if session.stay is None else min(again, session.stay.next))
        self._turning = bool(self._open)
        if self._turning:
            self._later(TURN_S, self._turn)

    # ----------------------------------------------------------------------------------------- the end

    async def drain(self, drain_s: float) -> None:
        """Send everybody away within *drain_s* seconds; afterwards nobody is left.

        Each client is told to come back elsewhere, and its own handler closes it with 1012 at that moment.
        """
        self.draining = True
        loop = asyncio.get_running_loop()
        start = loop.time()
        window = min(drain_s * CLOSE_SHARE, len(self._open) / CLOSES_PER_S)
        waves = sorted((random.uniform(0, window), n, s) for n, s in enumerate(self._open))  # noqa: S311 - jitter
        for delay, _, session in waves:
            session.outbox.say(Reconnect(round(delay * 1000), "restart"))
        for delay, _, session in waves:
            # at least one turn of the loop passes, in which the flush writes the frame above
            await asyncio.sleep(max(0.0, start + delay - loop.time()))
            session.end(RESTART)
        await self._wait_empty(start + drain_s - loop.time())
        for session in tuple(self._open):
            session.abort(RESTART, Eviction.DRAIN)
        await self._wait_empty(END_S)

    async def _wait_empty(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._empty.wait()
        except TimeoutError:
            pass
