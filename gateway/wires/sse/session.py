"""A stream's connection: as any client's, but written to at most ten times a second, and never pinged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from gateway import sendqueue
from gateway.admission.doorkeeper import Seat
from gateway.admission.limits import TokenBucket
from gateway.closing import INTERNAL
from gateway.frames import Frame
from gateway.session import Session, tune
from gateway.wires.sse.desk import StreamDesk
from gateway.wires.sse.speech import Speech

_log = structlog.get_logger("tickwire.session")
_NO_COMMANDS: Final = TokenBucket(1.0, 1, 0.0)
"""A client of this wire says nothing after its request."""


class StreamSession(Session):
    """One stream.  *heard* is called when something waits, until `begin`; *said* after each write.

    Nothing is written before `begin`: what comes meanwhile waits in the outbox.  A client that acknowledges bytes
    lives; there is nothing else to know it by.
    """

    __slots__ = ("_acknowledged", "_desk", "_heard", "_said", "_speech", "_written")

    def __init__(
        self,
        identity: str,
        transport: asyncio.Transport,
        speech: Speech,
        desk: StreamDesk,
        *,
        interrupt: Callable[[], object],
        heard: Callable[[], object],
        said: Callable[[], object],
        now: float,
        seat: Seat,
    ) -> None:
        super().__init__(
            identity,
            transport,
            speech,
            desk.sessions,
            bucket=_NO_COMMANDS,
            interrupt=interrupt,
            now=now,
            seat=seat,
            stay=desk.stay(seat, now),
            alone=True,
        )
        self._desk, self._speech = desk, speech
        self._heard: Callable[[], object] | None = heard
        self._said = said
        self._written = 0
        self._acknowledged = -1
        """Bytes that the client's machine had acknowledged at the last look, of those in `_written`."""

    def begin(self, greeting: bytes, now: float, sent_us: int) -> None:
        """The head of the answer is written: say *greeting* and what has gathered, by one write."""
        self._heard = None
        self._put_out([greeting, *self._words(self.outbox.take(), sent_us)], now)

    def adopt(self, transport: asyncio.Transport) -> None:
        """Write to *transport* from now on."""
        self._transport = transport
        tune(transport)

    def flush(self, now: float, sent_us: int) -> None:
        """Write what waits, unless the stream rests; then it gathers."""
        if self._heard is not None:
            self._heard()
        elif not self._desk.metronome.resting(self):
            self.rested(now, sent_us)

    def rested(self, now: float, sent_us: int) -> None:
        """Write what has gathered, if anything, as far as the socket takes it."""
        outbox = self.outbox
        if outbox.blocked or not (outbox.entries or outbox.awaited) or self._heard is not None:
            return
        awaited = outbox.awaited
        entries = outbox.take()
        if entries:
            self._desk.counters.ticks += sum(e.count(b"\n") + 1 for e in entries if isinstance(e, bytes))
            self._put_out(self._words(entries, sent_us), now)
        if awaited and not outbox.blocked:
            self._host.emptied(self)

    def say(self, payload: bytes, now: float, *, and_ping: bool = False) -> None:
        """Write one event or comment at once, past the outbox."""
        del and_ping
        self._put_out([payload], now)

    def write(self, frame: bytes) -> None:
        """Write a part of the stream."""
        self._written += len(frame)
        super().write(frame)

    def turn(self, now: float, sent_us: int, *, heartbeat_s: float) -> float:
        """Break a silence, give up a client whose machine acknowledges nothing; return when to come again."""
        left = self._buffered + sendqueue.queued(self._transport)
        if not left or self._written - left > self._acknowledged:
            self.heard = now
        self._acknowledged = self._written - left
        return super().turn(now, sent_us, heartbeat_s=heartbeat_s)

    def lost(self) -> None:
        """The transport is about to close the socket."""
        super().lost()
        self._desk.metronome.forget(self)

    def _words(self, entries: Sequence[bytes | Frame], sent_us: int) -> list[bytes]:
        try:
            events = self._speech.encode(entries, sent_us)
        except Exception:  # noqa: BLE001 - a defect of ours ends one client, not the pass that writes to all
            _log.exception("session.failed", session=self.id)
            asyncio.get_running_loop().call_soon(self.end, INTERNAL)
            return []
        self._desk.figures.events += len(events)
        return events

    def _put_out(self, events: list[bytes], now: float) -> None:
        if not events:
            return
        frames = [self._speech.frame(event) for event in events]
        size = sum(map(len, frames))
        self.outbox.said = now
        self._host.sent(len(frames), 0, size)
        figures = self._desk.figures
        figures.writes += 1
        figures.bytes += size
        self.send(frames)
        self._desk.metronome.rest(self, now)
        self._said()
