"""What all streams of a gateway share: the pace, and what they count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from gateway.admission.reception import Reception
from gateway.sessions import Sessions
from gateway.settings import GatewaySettings
from gateway.wires.native.desk import ClientFeed, Desk
from gateway.wires.sse.figures import Figures
from gateway.wires.sse.pace import Pace
from services.runtime.clock import Clock

GRAIN_S: Final = 0.005
"""Seconds by which a rest may be longer, so that a thousand streams need no timer each."""


class Resting(Protocol):
    """A stream's connection."""

    def rested(self, now: float, sent_us: int) -> None:
        """Write what has gathered."""
        ...


class Metronome:
    """Writes to each stream when its rest is over.  *later* is the loop's `call_later`."""

    def __init__(self, clock: Clock, later: Callable[[float, Callable[[], None]], object]) -> None:
        self._clock, self._later = clock, later
        self._pace: Pace[Resting] = Pace()
        self._waiting = False

    def rest(self, stream: Resting, now: float) -> None:
        """*stream* was written to."""
        self._pace.rest(stream, now)
        self._wait(now)

    def resting(self, stream: Resting) -> bool:
        """Whether *stream* must not be written to yet; its `rested` is called then."""
        return self._pace.resting(stream)

    def forget(self, stream: Resting) -> None:
        """*stream* is gone."""
        self._pace.forget(stream)

    def _wait(self, now: float) -> None:
        at = self._pace.next
        if at is not None and not self._waiting:
            self._waiting = True
            self._later(max(at - now, GRAIN_S), self._beat)

    def _beat(self) -> None:
        self._waiting = False
        now, sent_us = self._clock.monotonic(), self._clock.wall_us()
        for stream in self._pace.rested(now):
            stream.rested(now, sent_us)
        self._wait(self._clock.monotonic())


class StreamDesk(Desk):
    """The desk of the native wire, and beside it what only streams need."""

    def __init__(
        self,
        settings: GatewaySettings,
        feed: ClientFeed,
        sessions: Sessions,
        reception: Reception,
        *,
        figures: Figures,
        later: Callable[[float, Callable[[], None]], Any],
    ) -> None:
        super().__init__(settings, feed, sessions, reception)
        self.figures = figures
        self.metronome = Metronome(sessions.clock, later)
