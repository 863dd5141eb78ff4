"""A stream's connection, with a transport that takes and acknowledges what the test says."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from gateway.admission.census import Census
from gateway.admission.doorkeeper import Seat
from gateway.closing import GONE
from gateway.counters import Counters, Eviction
from gateway.frames import Reconnect
from gateway.sessions import Sessions
from gateway.settings import GatewaySettings
from gateway.wires.native.encode import encode
from gateway.wires.sse.desk import StreamDesk
from gateway.wires.sse.figures import Figures
from gateway.wires.sse.pace import PACE_S
from gateway.wires.sse.session import StreamSession
from gateway.wires.sse.speech import Speech
from services.market.position import Position
from services.market.symbol import Symbol
from tests.handclock import HandClock
from tests.listeners import line

AAPL = Symbol("AAPL")


class Wire:
    """A transport."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.aborted = False

    def write(self, data: bytes) -> None:
        """Take it."""
        self.writes.append(data)

    def get_write_buffer_size(self) -> int:
        """Nothing waits here."""
        return 0

    def get_extra_info(self, name: str) -> Any:
        """It is no socket."""
        assert name

    def is_closing(self) -> bool:
        """It is not."""
        return self.aborted

    def abort(self) -> None:
        """It is now."""
        self.aborted = True


class Bench:
    """A session, its transport, and the time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock, self.wire, self.queued = HandClock(), Wire(), 0
        self.later: list[tuple[float, Any]] = []
        self.counters = Counters()
        settings = GatewaySettings()
        sessions = Sessions(
            self.clock, self.counters, max_connections=9, stuck_s=9, heartbeat_s=15, flush_s=0,
            encode=encode, later=self._later, soon=lambda _: None,
        )  # fmt: skip
        self.desk = StreamDesk(
            settings, cast("Any", None), sessions, cast("Any", None), figures=Figures(), later=self._later
        )
        census = Census(max_per_address=9, max_per_subject=9, rate=9, burst=9)
        self.heard = self.said = 0
        self.session = StreamSession(
            "s", cast("asyncio.Transport", self.wire), Speech((AAPL,), {AAPL: Position(1, 0)}), self.desk,
            interrupt=bool, heard=self._hear, said=self._say, now=0.0, seat=Seat(census, "here", None),
        )  # fmt: skip
        monkeypatch.setattr("gateway.sendqueue.queued", lambda _: self.queued)

    def _later(self, seconds: float, call: Any) -> Any:
        self.later.append((seconds, call))

    def _hear(self) -> None:
        self.heard += 1

    def _say(self) -> None:
        self.said += 1

    def tick(self, seq: int) -> None:
        """A tick comes, and the pass is written out."""
        self.session.outbox.tick(line("AAPL", seq))
        self.desk.sessions.flush._write(self.clock.monotonic())

    def beat(self, seconds: float) -> None:
        """Let time pass, and the metronome's timer come up."""
        self.clock.now += seconds
        for _, call in self.later[-1:]:
            call()


@pytest.fixture(name="bench")
def _bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A new bench."""
    return Bench(monkeypatch)


def test_nothing_before_the_head(bench: Bench) -> None:
    """Until its head is written a stream only gathers; then all comes by one write, behind the greeting."""
    bench.tick(1)
    bench.tick(2)
    assert (bench.wire.writes, bench.heard) == ([], 1)

    bench.session.begin(b"retry: 5\n\n", 0.0, 7)

    (written,) = bench.wire.writes
    assert written.startswith(b"a\r\nretry: 5\n\n\r\n")
    assert written.count(b"event: ticks") == 1
    assert b'"seq":2' in written


def test_pace(bench: Bench) -> None:
    """What comes during a rest is written at its end, by one event; what comes later, at once."""
    bench.session.begin(b"retry: 5\n\n", 0.0, 7)
    for seq in (1, 2, 3):
        bench.tick(seq)
    assert len(bench.wire.writes) == 1

    bench.beat(PACE_S)
    assert len(bench.wire.writes) == 2
    assert bench.wire.writes[1].count(b"event: ticks") == 1

    bench.beat(PACE_S)
    assert len(bench.wire.writes) == 2
    bench.tick(4)
    assert len(bench.wire.writes) == 3
    assert bench.desk.figures.writes == 3
    assert bench.counters.ticks == 4


def test_blocked(bench: Bench) -> None:
    """A stream whose socket is full is not written to at the end of its rest, but once it has room."""
    bench.session.begin(b"retry: 5\n\n", 0.0, 7)
    bench.tick(1)
    bench.session.outbox.blocked = True
    bench.beat(PACE_S)
    assert len(bench.wire.writes) == 1

    bench.session.outbox.blocked = False
    bench.session.flush(bench.clock.monotonic(), 7)
    assert len(bench.wire.writes) == 2


def test_who_waits_for_room_is_told(bench: Bench) -> None:
    """A replay that waited goes on once the stream was written out."""
    bench.session.begin(b"retry: 5\n\n", 0.0, 7)
    bench.tick(1)
    bench.session.outbox.await_room()
    bench.beat(PACE_S)

    assert bench.desk.sessions.flush._emptied == [bench.session]


def test_life(bench: Bench) -> None:
    """A client whose machine acknowledges nothing for 60 s is gone; one that takes a little is not."""
    session = bench.session
    session.begin(b"retry: 5\n\n", 0.0, 7)
    session.turn(0.0, 7, heartbeat_s=15)
    for now, queued in ((15.0, 10), (30.0, 10), (45.0, 10), (59.0, 9), (74.0, 30), (89.0, 50), (104.0, 70)):
        bench.queued = queued
        session.turn(now, 7, heartbeat_s=15)
        assert not bench.wire.aborted, now
    bench.queued = 1_000
    session.turn(179.0, 7, heartbeat_s=15)

    assert bench.wire.aborted
    assert session.closing is GONE
    assert bench.counters.evictions[Eviction.SILENT] == 1


def test_keep_alive(bench: Bench) -> None:
    """A silence is broken by a comment, and nobody is pinged."""
    bench.session.begin(b"retry: 5\n\n", 0.0, 7)
    assert bench.session.turn(14.0, 7, heartbeat_s=15) == 15.0
    assert bench.session.turn(15.0, 7, heartbeat_s=15) == 30.0
    assert bench.wire.writes[1:] == [b"e\r\n: keep-alive\n\n\r\n"]


def test_after_a_write(bench: Bench) -> None:
    """Whoever has to look at what was said is told after each write."""
    bench.session.begin(b"retry: 5\n\n", 0.0, 7)
    bench.session.outbox.say(Reconnect(5, "restart"))
    bench.session.rested(0.0, 7)

    assert bench.said == 2
