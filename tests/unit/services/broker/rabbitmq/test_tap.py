"""The reading end of a connection, between what a transport reads and what aiormq sees."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pamqp.frame
from pamqp import commands
from pamqp.heartbeat import Heartbeat
from structlog.testing import capture_logs

from services.broker.rabbitmq.deliveries import Batch, Deliveries, Delivery, Wanted
from services.broker.rabbitmq.frames import Blocked, Envelopes, Event, NotFrames
from services.broker.rabbitmq.tap import REST_S, Tap, TapListener
from services.market.symbol import Symbol
from tests.eventually import eventually

A = Symbol("A")
HEARTBEAT = bytes(pamqp.frame.marshal(Heartbeat(), 0))
BLOCKED = bytes(pamqp.frame.marshal(commands.Connection.Blocked("memory"), 0))


class Hands:
    """A clock whose hands are set by the test."""

    now = 100.0

    def monotonic(self) -> float:
        """Return what was set."""
        return self.now

    def wall_us(self) -> int:
        """Return what was set, in microseconds."""
        return int(self.now * 1_000_000)


class Told(TapListener):
    """Writes down what it is told; *fails* makes it raise afterwards."""

    def __init__(self, *, fails: bool = False) -> None:
        self._fails = fails
        self.reads: list[list[bytes]] = []
        self.others: list[Event | NotFrames] = []

    def on_deliveries(self, deliveries: Sequence[Delivery]) -> None:
        """Keep the bodies that came together."""
        self.reads.append([body for _, _, body in deliveries])
        self._fail()

    def on_event(self, event: Event) -> None:
        """Keep it."""
        self.others.append(event)
        self._fail()

    def on_garbage(self, error: NotFrames) -> None:
        """Keep it."""
        self.others.append(error)
        self._fail()

    def _fail(self) -> None:
        if self._fails:
            raise RuntimeError("a listener's mistake")


def delivered(body: bytes, tag: str = "t") -> bytes:
    """The frames of a delivery: those of a publish behind another method."""
    parts: list[bytes] = []
    Envelopes(1, 4_096).add(parts, "e", "tick.A", "1-2-3", body)
    published = b"".join(parts)
    content = published[8 + int.from_bytes(published[3:7], "big") :]
    return bytes(pamqp.frame.marshal(commands.Basic.Deliver(tag, 1, False, "e", "tick.A"), 1)) + content


def tap_of(told: Told, clock: Hands | None = None) -> tuple[Tap, Callable[[], bytes]]:
    """A tap that lifts what comes for tag `t`, and what aiormq would read from it."""
    deliveries = Deliveries()
    deliveries.wanted[(1, b"t")] = Wanted(A)
    tap = Tap(clock or Hands(), deliveries, told)

    def read() -> bytes:
        seen = bytes(tap._buffer)  # type: ignore[attr-defined]
        tap._buffer.clear()  # type: ignore[attr-defined]
        return seen

    return tap, read


async def test_what_comes_by_one_read_is_told_at_once() -> None:
    """Deliveries of one read are told by one call, in order; the rest reaches aiormq in order and whole."""
    told = Told()
    tap, read = tap_of(told)
    strange = delivered(b"other", tag="strange")
    tap.feed_data(delivered(b"1") + strange + BLOCKED + delivered(b"2") + HEARTBEAT[:3])
    assert told.reads == [[b"1", b"2"]]
    assert told.others == [Blocked(blocked=True)]
    assert read() == strange + BLOCKED
    tap.feed_data(HEARTBEAT[3:])
    assert read() == HEARTBEAT
    assert len(told.reads) == 1


async def test_aiormq_is_told_once_a_second_that_something_came() -> None:
    """A heartbeat is made up behind whole frames, only for lifted deliveries, at most once a second."""
    clock = Hands()
    tap, read = tap_of(Told(), clock)
    seen = []
    for step in range(40):  # 10 s in quarters
        clock.now = 100.0 + step / 4
        tap.feed_data(delivered(b"x") + BLOCKED[:5])
        seen.append(read())
        tap.feed_data(BLOCKED[5:])
        assert read() == BLOCKED
    assert [i for i, data in enumerate(seen) if data] == list(range(4, 40, 4))
    assert set(seen) == {b"", HEARTBEAT}
    clock.now += 60
    tap.feed_data(HEARTBEAT + BLOCKED)
    assert read() == HEARTBEAT + BLOCKED


async def test_a_listener_that_fails_costs_neither_bytes_nor_connection() -> None:
    """An exception of a listener is logged and stays inside; what follows is told and passed on."""
    told = Told(fails=True)
    tap, read = tap_of(told)
    with capture_logs() as lines:
        tap.feed_data(delivered(b"1") + BLOCKED)
        tap.feed_data(delivered(b"2"))
        tap.feed_data(b"\x01no frame")
    assert told.reads == [[b"1"], [b"2"]]
    assert told.others[0] == Blocked(blocked=True)
    assert isinstance(told.others[1], NotFrames)
    assert read().startswith(BLOCKED)
    assert [(line["event"], line["call"]) for line in lines] == [
        ("broker.listener_failed", name) for name in ("on_deliveries", "on_event", "on_deliveries", "on_garbage")
    ]


async def test_garbage_is_told_once_and_left_to_aiormq() -> None:
    """Bytes that are no frames are told once, and aiormq gets them, so that it waits for nothing."""
    told = Told()
    tap, read = tap_of(told)
    for _ in range(3):
        tap.feed_data(b"HTTP/1.1 400 Bad Request\r\n")
    assert len(told.others) == 1
    assert read() == b"HTTP/1.1 400 Bad Request\r\n" * 3


async def test_every_read_is_a_sign_of_life() -> None:
    """The time of the last byte moves with each read, whole frame or not, lifted or not."""
    clock = Hands()
    tap, _ = tap_of(Told(), clock)
    for data in (HEARTBEAT[:2], HEARTBEAT[2:], delivered(b"x"), BLOCKED):
        clock.now += 1
        tap.feed_data(data)
        assert tap.heard == clock.now


class Wire:
    """A transport that is read, or not."""

    def __init__(self) -> None:
        self.reading = True
        self.closing = False

    def is_reading(self) -> bool:
        """Whether it is read."""
        return self.reading

    def is_closing(self) -> bool:
        """Whether it is over."""
        return self.closing

    def pause_reading(self) -> None:
        """Read no more."""
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        """Read on."""
        assert not self.closing
        self.reading = True


async def test_a_batch_goes_to_its_reader() -> None:
    """What an acked consumer gets is told to its own reader, once per read, and not to the listener."""
    told, batches = Told(), list[Batch]()
    deliveries = Deliveries()
    deliveries.wanted[(1, b"t")] = Wanted(A, batches.append)
    tap = Tap(Hands(), deliveries, told)
    tap.feed_data(delivered(b"1") + delivered(b"2"))
    assert [[body for _, _, body in batch.entries] for batch in batches] == [[b"1", b"2"]]
    assert told.reads == []


async def test_a_busy_connection_is_read_now_and_then() -> None:
    """Deliveries that come right behind others stop the reading for a moment; those after a pause do not."""
    clock, wire = Hands(), Wire()
    tap, _ = tap_of(Told(), clock)
    tap.set_transport(wire)  # type: ignore[arg-type]
    clock.now += 1
    tap.feed_data(delivered(b"1"))
    assert wire.reading
    clock.now += REST_S / 2
    tap.feed_data(BLOCKED)
    assert wire.reading
    tap.feed_data(delivered(b"2"))
    assert [wire.reading] == [False]
    await eventually(lambda: wire.reading, deadline=5)


async def test_the_longer_of_two_rests_counts() -> None:
    """A rest inside a rest makes it longer, never shorter, and a connection that ended stays so."""
    wire, loop = Wire(), asyncio.get_running_loop()
    tap, _ = tap_of(Told())
    tap.rest(1.0)  # no effect: there is no transport
    tap.set_transport(wire)  # type: ignore[arg-type]
    began = loop.time()
    tap.rest(0.005)
    tap.rest(0.05)
    tap.rest(0.001)
    await eventually(lambda: wire.reading, deadline=5)
    assert loop.time() - began >= 0.045
    tap.rest(0.001)
    wire.closing = True
    await eventually(lambda: not tap._resting, deadline=5)
    assert not wire.reading
