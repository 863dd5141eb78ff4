"""One connection: what its socket takes, what waits, and its timers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from typing import Any, cast

import pytest

from gateway.admission.limits import TokenBucket
from gateway.admission.stay import Stay, Turn
from gateway.backlog import SLOW_S
from gateway.closing import GONE, RESTART, TOO_SLOW
from gateway.counters import Eviction
from gateway.frames import Error, Pong
from gateway.outbox import ROOM_BYTES
from gateway.session import LINGER_MS, PING_S, UNSENT_BYTES, Session, tune
from gateway.wires import framing
from gateway.wires.native import encode

LINE = b'{"seq":1,"ts":1,"symbol":"A"}'


class Wire:
    """A transport whose socket takes *takes* bytes."""

    def __init__(self, takes: int = 1 << 30) -> None:
        self.takes = takes
        self.writes: list[bytes] = []
        self.buffered = 0
        self.closing = self.closed = self.aborted = False
        self.reading = True
        self.error: Exception | None = None
        self.protocol: Session | None = None
        self.connection: socket.socket | None = None

    def write(self, data: bytes) -> None:
        """Take what fits, buffer the rest and say so."""
        if self.error is not None:
            raise self.error
        self.writes.append(data)
        taken = min(self.takes, len(data))
        self.takes -= taken
        self.buffered += len(data) - taken
        if self.buffered and self.protocol is not None:
            self.protocol.pause()

    def drain(self, takes: int = 1 << 30) -> None:
        """Let the client read everything, and *takes* bytes more."""
        self.buffered, self.takes = 0, takes
        if self.protocol is not None:
            self.protocol.resume()

    def pause_reading(self) -> None:
        """Note."""
        self.reading = False

    def resume_reading(self) -> None:
        """Note."""
        self.reading = True

    def get_write_buffer_size(self) -> int:
        """Bytes that were not taken."""
        return self.buffered

    def is_closing(self) -> bool:
        """Whether it is over."""
        return self.closing

    def abort(self) -> None:
        """End."""
        self.closing = self.aborted = True

    def close(self) -> None:
        """End when all is taken."""
        self.closing = self.closed = True

    def get_extra_info(self, name: str) -> Any:
        """There is no socket unless the test gave one, and no TLS."""
        return self.connection if name == "socket" else None

    def set_write_buffer_limits(self, high: int, low: int) -> None:
        """It pauses as soon as a byte waits."""
        assert (high, low) == (0, 0)


class Hands:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now

    def wall_us(self) -> int:
        """Microseconds."""
        return int(self.now * 1e6)


class Host:
    """Notes what a session asks."""

    def __init__(self, clock: Hands) -> None:
        self.clock = clock
        self.touched: list[Any] = []
        self.calls: list[str] = []
        self.frames = self.ticks = self.size = self.failed = 0
        self.reasons: list[Eviction] = []

    def wake(self) -> None:
        """Note."""
        self.calls.append("touch")

    def emptied(self, _: Session) -> None:
        """Note."""
        self.calls.append("emptied")

    def watch(self, _: Session) -> None:
        """Note."""
        self.calls.append("watch")

    def sent(self, frames: int, ticks: int, size: int) -> None:
        """Add."""
        self.frames, self.ticks, self.size = self.frames + frames, self.ticks + ticks, self.size + size

    def write_failed(self) -> None:
        """Note."""
        self.failed += 1

    def evicted(self, reason: Eviction) -> None:
        """Note."""
        self.reasons.append(reason)


class Follow:
    """Notes what the feed is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def slow(self) -> None:
        """Note."""
        self.told.append("slow")

    def drained(self) -> None:
        """Note."""
        self.told.append("drained")

    def timed(self, turn: Turn) -> None:
        """Note."""
        self.told.append(turn.name)


class Bench:
    """A session on a transport, a host and a feed that the test looks at."""

    def __init__(self, takes: int = 1 << 30) -> None:
        self.clock = Hands()
        self.wire, self.host, self.follow = Wire(takes), Host(self.clock), Follow()
        self.interrupts = 0
        self.session = Session(
            "s",
            cast("asyncio.Transport", self.wire),
            encode,
            self.host,
            bucket=TokenBucket(1, 1, 0.0),
            interrupt=self._interrupt,
            now=0.0,
        )
        self.session.follow(self.follow)
        self.wire.protocol = self.session

    def _interrupt(self) -> None:
        self.interrupts += 1

    def look(self, now: float) -> bool:
        """Let the session look at its socket."""
        self.clock.now = now
        return self.session.look(now, stuck_s=10)


def test_one_write_per_flush() -> None:
    """Whatever waits below 64 KiB is one write of whole frames, and is counted."""
    bench = Bench()
    for _ in range(3):
        bench.session.outbox.tick(LINE)
    bench.session.outbox.say(Pong(1))
    bench.session.flush(1.0, 5)
    assert bench.host.calls == ["touch"]
    first, second = encode.encode([LINE, LINE, LINE], 5)[0], encode.encode([Pong(1)], 5)[0]
    assert bench.wire.writes == [framing.text(first) + framing.text(second)]
    assert (bench.host.frames, bench.host.ticks, bench.host.size) == (2, 3, len(bench.wire.writes[0]))


def test_much_is_written_piece_by_piece_while_it_is_taken() -> None:
    """More than 64 KiB goes out in pieces of at most that, as long as the socket takes them."""
    bench = Bench()
    for _ in range(400):
        bench.session.outbox.say(Error(1, "x", "y" * 1000))
    bench.session.flush(1.0, 5)
    assert sum(map(len, bench.wire.writes)) == bench.host.size > 400_000
    assert all(len(data) <= ROOM_BYTES for data in bench.wire.writes)
    assert len(bench.wire.writes) < 10


def test_a_full_socket_gets_no_more() -> None:
    """Once the socket is full the rest stays behind, and goes first when the socket takes it."""
    bench = Bench(takes=100_000)
    for n in range(1, 401):
        bench.session.outbox.say(Error(n, "x", "y" * 1000))
    bench.session.flush(1.0, 5)
    assert bench.session.outbox.blocked
    assert bench.host.calls == ["touch", "watch"]
    assert sum(map(len, bench.wire.writes)) <= 3 * ROOM_BYTES
    bench.session.outbox.say(Pong(999))
    bench.session.flush(1.1, 5)
    assert bench.look(1.1)
    assert sum(map(len, bench.wire.writes)) <= 3 * ROOM_BYTES
    bench.wire.drain()
    assert not bench.look(1.2)
    said = b"".join(bench.wire.writes)
    ids = [
        json.loads(part.partition(b"}")[0] + b"}")["id"]
        for part in said.split(b'{"op"')[1:]
        for part in [b'{"op"' + part]
    ]
    assert ids == [*range(1, 401), 999]
    assert bench.follow.told[-1] == "drained"
    assert not bench.session.outbox.blocked


def test_slow_is_told_once_and_drained_when_all_is_taken() -> None:
    """A client slow by time is told so once, even if what waited fills its socket again; then it is drained."""
    bench = Bench(takes=10)
    bench.session.outbox.tick(LINE)
    bench.session.flush(0.0, 5)
    assert bench.look(0.1)
    assert bench.follow.told == []
    assert bench.look(SLOW_S)
    assert bench.look(SLOW_S + 1)
    assert bench.follow.told == ["slow"]
    assert bench.session.slow_spells == 1
    bench.session.outbox.tick(LINE)
    bench.clock.now = 2.0
    bench.wire.drain(10)
    assert bench.look(2.0)
    assert bench.look(9.0)
    assert bench.follow.told == ["slow"]
    bench.wire.drain()
    assert not bench.look(9.1)
    assert bench.follow.told == ["slow", "drained"]
    bench.wire.takes = 10
    bench.session.outbox.tick(LINE)
    bench.clock.now = 20.0
    bench.session.flush(20.0, 5)
    assert bench.look(20.0 + SLOW_S)
    assert bench.follow.told == ["slow", "drained", "slow"]


def test_a_replay_goes_on_when_its_room_is_back() -> None:
    """An outbox that was full and is taken at once lets the feed go on, by way of the host."""
    bench = Bench()
    bench.session.outbox.tick(b"\n".join([LINE] * 3000))
    assert not bench.session.outbox.room()
    bench.session.flush(0.0, 5)
    assert bench.host.calls == ["touch", "emptied"]
    bench.session.go_on()
    assert bench.follow.told == ["drained"]


def test_a_stuck_client_is_torn_down() -> None:
    """Ten seconds without a byte: the transport is aborted, once, and counted."""
    bench = Bench(takes=10)
    bench.session.outbox.tick(LINE)
    bench.session.flush(0.0, 5)
    assert bench.look(9.9)
    assert not bench.look(10.0)
    assert bench.wire.aborted
    assert bench.session.closing is TOO_SLOW
    assert bench.host.reasons == [Eviction.STUCK]
    bench.session.abort(RESTART, Eviction.DRAIN)
    assert bench.host.reasons == [Eviction.STUCK]


def test_a_dead_transport_is_no_error() -> None:
    """What a dead transport raises, and one that is closing, are counted and nothing else."""
    for error in (RuntimeError("unable to perform operation"), AttributeError("NoneType"), OSError("broken")):
        bench = Bench()
        bench.wire.error = error
        bench.session.outbox.tick(LINE)
        bench.session.flush(0.0, 5)
        assert bench.host.failed == 1
    bench = Bench()
    bench.wire.closing = True
    bench.session.outbox.tick(LINE)
    bench.session.flush(0.0, 5)
    assert bench.host.failed == 1
    assert bench.wire.writes == []


def test_silence_is_broken_and_pings_go_out() -> None:
    """A heartbeat follows 15 s after the last text, a ping every 30 s; one takes the other along if it is near."""
    bench = Bench()
    assert bench.session.turn(14.9, 5, heartbeat_s=15) == 15
    assert bench.wire.writes == []
    assert bench.session.turn(15.0, 5, heartbeat_s=15) == PING_S
    heartbeat = framing.text(b'{"op":"heartbeat","sent":5}')
    assert bench.wire.writes == [heartbeat]
    assert bench.session.turn(PING_S, 5, heartbeat_s=15) == 45
    assert bench.wire.writes[1:] == [heartbeat + framing.PING]
    bench.session.outbox.tick(LINE)
    bench.session.flush(59.0, 5)
    bench.session.heard = 59.0
    assert bench.session.turn(60.0, 5, heartbeat_s=15) == 74
    assert bench.wire.writes[-1] == framing.PING
    assert len(bench.wire.writes) == 4


def test_the_time_of_a_pong() -> None:
    """A pong answers the oldest ping that had none; one that answers none has no time."""
    bench = Bench()
    assert bench.session.answered() is None
    bench.session.turn(PING_S, 5, heartbeat_s=15)
    assert bench.session.answered() == PING_S
    assert bench.session.answered() is None
    bench.session.heard = 2 * PING_S
    bench.session.turn(2 * PING_S, 5, heartbeat_s=15)
    bench.session.turn(3 * PING_S, 5, heartbeat_s=15)
    assert bench.session.answered() == 2 * PING_S


def test_what_waits_for_a_client() -> None:
    """What the socket has not taken and what the outbox holds are its unsent bytes; without either it is idle."""
    bench = Bench(takes=10)
    assert (bench.session.idle, bench.session.unsent) == (True, 0)
    bench.session.outbox.tick(LINE)
    assert (bench.session.idle, bench.session.unsent) == (False, len(LINE))
    bench.session.flush(1.0, 5)
    left = bench.wire.buffered
    assert (bench.session.idle, bench.session.unsent) == (False, left)
    bench.session.outbox.tick(LINE)
    bench.session.send([b"x" * 7, b"y" * 8])
    assert bench.session.unsent == left + len(LINE) + 15
    bench.wire.drain()
    assert (bench.session.idle, bench.session.unsent) == (True, 0)


def test_what_the_kernel_does_not_take_of_a_heartbeat_waits_in_the_transport() -> None:
    """A heartbeat goes to the socket itself; where that is full, or gone, the transport gets the rest."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        bench = Bench()
        bench.session.outbox.fd = ours.fileno()
        bench.session.turn(15.0, 5, heartbeat_s=15)
        heartbeat = framing.text(b'{"op":"heartbeat","sent":5}')
        assert theirs.recv(1000) == heartbeat
        assert bench.wire.writes == []
        with contextlib.suppress(BlockingIOError):
            while True:
                ours.send(bytes(100_000))
        bench.session.turn(45.0, 5, heartbeat_s=15)
        assert bench.wire.writes == [heartbeat + framing.PING]


def test_nothing_overtakes_what_waits_in_the_transport() -> None:
    """While the socket is full, what is said goes behind what waits in the transport, not past it."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        bench = Bench()
        bench.session.outbox.fd = ours.fileno()
        bench.session.pause()
        bench.session.say(b"{}", 1.0)
        assert bench.wire.writes == [framing.text(b"{}")]
        with pytest.raises(BlockingIOError):
            theirs.recv(1)


def test_a_silent_client_is_given_up() -> None:
    """A client that answered two pings with nothing is torn down as gone; one that spoke is not."""
    bench = Bench()
    bench.session.heard = 1.0
    bench.session.turn(2 * PING_S, 5, heartbeat_s=15)
    assert bench.host.reasons == []
    bench.session.turn(2 * PING_S + 1, 5, heartbeat_s=15)
    assert bench.wire.aborted
    assert bench.session.closing is GONE
    assert bench.host.reasons == [Eviction.SILENT]


def test_nothing_follows_a_close_frame() -> None:
    """A session that is being closed sends neither heartbeat nor ping."""
    bench = Bench()
    bench.session.end(RESTART)
    assert bench.session.turn(60.0, 5, heartbeat_s=15) == 75.0
    assert bench.wire.writes == []


def test_a_client_that_does_not_read_is_not_read_from() -> None:
    """Commands wait while the socket is full, or their answers would pile up."""
    bench = Bench(takes=10)
    bench.session.outbox.tick(LINE)
    bench.session.flush(0.0, 5)
    assert not bench.wire.reading
    bench.wire.drain()
    assert bench.wire.reading


def test_a_socket_that_is_gone_is_not_written_to() -> None:
    """The file descriptor is given up as soon as the connection is lost or finished: its number may come again."""
    for end in (Session.lost, Session.finish):
        bench = Bench()
        bench.session.outbox.fd = 7
        end(bench.session)
        assert bench.session.outbox.fd == -1


def test_the_kernel_gives_up_closed_connections_only() -> None:
    """TCP_USER_TIMEOUT is set when we close: before, Linux ends slow readers by it, whatever they take."""
    bench = Bench()
    with socket.socket() as connection:
        bench.wire.connection = connection
        tune(cast("asyncio.Transport", bench.wire))
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == UNSENT_BYTES
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 0
        bench.session.finish()
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == LINGER_MS


def test_ending_interrupts_the_handler_once() -> None:
    """The first reason to end counts, and the handler is interrupted once."""
    bench = Bench()
    bench.session.end(RESTART)
    bench.session.end(GONE)
    assert (bench.session.closing, bench.interrupts) == (RESTART, 1)


def test_unsent_bytes_go_with_the_connection() -> None:
    """A connection that ends with unsent bytes is aborted, one that has sent all is left to close."""
    bench = Bench(takes=10)
    bench.session.outbox.tick(LINE)
    bench.session.flush(0.0, 5)
    bench.session.finish()
    assert bench.wire.aborted
    bench = Bench()
    bench.session.finish()
    assert bench.wire.closed
    assert not bench.wire.aborted


def test_a_stay_is_looked_at_even_behind_a_full_socket() -> None:
    """What the connection's time asks for is told at its turn, whether or not its socket is full."""
    bench = Bench(takes=0)
    bench.session.stay = Stay(old_at=100)
    bench.session.stay.grant(70)
    bench.session.outbox.say(Pong(1))
    bench.session.flush(1.0, 5)
    assert bench.session.blocked

    for now in (9.0, 10.0, 11.0, 70.0):
        bench.session.turn(now, 5, heartbeat_s=15)
    assert bench.follow.told == ["WARN", "EXPIRED"]
    bench.session.end(RESTART)
    bench.session.turn(100.0, 5, heartbeat_s=15)
    assert bench.follow.told == ["WARN", "EXPIRED"]
