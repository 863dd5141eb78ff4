"""Who is let in, and how many at a time."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import cast

import pytest
import trustme
import uvloop
from structlog.testing import capture_logs

from gateway.admission.porch import Overdue, Porch
from gateway.doorway import AT_ONCE, MOST_REST_S, REST_S, Doorway, Guest, bind, rest_after
from services.runtime.clock import SystemClock
from tests.eventually import eventually

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


class Caller(asyncio.Protocol):
    """Counts itself; "request" is one."""

    def __init__(self, guest: Guest, seen: list[Caller]) -> None:
        self.guest, self._seen = guest, seen

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note it."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none
        self._seen.append(self)
        self.guest.connected(self.transport)

    def data_received(self, data: bytes) -> None:
        """Note it."""
        self.guest.heard(len(data))
        if data == b"request":
            self.guest.arrived()
        if data == b"request, and another":
            self.guest.arrived()
            self.guest.rests()
        if data.startswith(b"request"):
            self.transport.write(b"answer")
        if data == b"head":
            self.guest.asks()
            self.transport.write(b"go on")

    def connection_lost(self, _: Exception | None) -> None:
        """Note it."""
        self.guest.left()


@asynccontextmanager
async def doorway(
    listener: socket.socket | None = None,
    *,
    context: ssl.SSLContext | None = None,
    first_byte_s: float = 60.0,
    request_s: float = 60.0,
    most: int = 1_000,
) -> AsyncIterator[tuple[Doorway, list[Caller]]]:
    """A doorway on a free port."""
    seen: list[Caller] = []
    porch: Porch[Guest] = Porch(first_byte_s=first_byte_s, request_s=request_s, most=most)
    listener = listener or bind("127.0.0.1", 0)
    door = Doorway(listener, lambda guest: Caller(guest, seen), lambda: context, porch, SystemClock())
    try:
        yield door, seen
    finally:
        door.close()
        for guest in seen:
            guest.transport.close()


@contextmanager
def visitors(port: int, count: int) -> Iterator[list[socket.socket]]:
    """Connections that the kernel has made, whether they are accepted or not."""
    made = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    try:
        yield made
    finally:
        for one in made:
            one.close()


async def test_everybody_is_let_in_a_few_at_a_time() -> None:
    """However many wait, one turn of the loop accepts a few; in the end nobody is left."""
    async with doorway() as (door, seen):
        with visitors(door.port, 5 * AT_ONCE):
            most = before = 0
            while len(seen) < 5 * AT_ONCE:
                await asyncio.sleep(0)
                most, before = max(most, door.accepted - before), door.accepted
            assert most == AT_ONCE
            assert door.accepted == 5 * AT_ONCE


@pytest.mark.parametrize(
    ("late", "rest"), [(-0.001, REST_S), (0.0, REST_S), (0.004, 0.01), (0.02, 0.042), (1.0, MOST_REST_S)]
)
def test_a_late_loop_lets_fewer_in(late: float, rest: float) -> None:
    """The rest grows with the lateness of the last one's end, up to a limit."""
    assert rest_after(late) == pytest.approx(rest)


async def test_a_busy_loop_is_seen_by_the_doorway(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a turn of the loop takes 20 ms, the doorway hears of it."""
    late: list[float] = []

    def rest_after(seconds: float) -> float:
        late.append(seconds)
        return REST_S

    monkeypatch.setattr("gateway.doorway.rest_after", rest_after)
    async with doorway() as (door, seen):
        with visitors(door.port, 3 * AT_ONCE):
            while len(seen) < 3 * AT_ONCE:
                end = time.monotonic() + 0.02
                while time.monotonic() < end:
                    pass
                await asyncio.sleep(0)
    assert max(late) > REST_S


async def test_nobody_is_let_in_after_the_end() -> None:
    """A closed doorway refuses connections."""
    async with doorway() as (door, _):
        door.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", door.port))


class Poor:
    """A listener without a file descriptor for *failures* newcomers."""

    def __init__(self, failures: int) -> None:
        self._real, self.failures = bind("127.0.0.1", 0), failures

    def accept(self) -> tuple[socket.socket, object]:
        """Fail, or accept."""
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return self._real.accept()

    def __getattr__(self, name: str) -> object:
        """Everything else is the real one's."""
        return getattr(self._real, name)


async def test_without_file_descriptors_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process out of files says so once, counts each attempt, and lets people in once it has some again."""
    monkeypatch.setattr("gateway.doorway.OUT_OF_FILES_S", 0.01)
    with capture_logs() as lines:
        async with doorway(Poor(3)) as (door, seen):  # type: ignore[arg-type]
            with visitors(door.port, 1):
                await eventually(lambda: seen)
                assert door.exhausted == 3
    assert [line["event"] for line in lines] == ["gateway.out_of_files"]


async def test_the_last_file_descriptors_are_not_for_newcomers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who would get one of the last 16 descriptors is sent away, and those behind wait until there are more."""
    monkeypatch.setattr("gateway.doorway.OUT_OF_FILES_S", 0.01)
    allowed = 0
    monkeypatch.setattr("gateway.doorway.files_allowed", lambda: allowed)
    with capture_logs() as lines:
        async with doorway() as (door, seen):
            with visitors(door.port, 3) as made:
                made[0].settimeout(5)
                assert await asyncio.to_thread(made[0].recv, 1) == b""
                assert not seen
                allowed = 1_000_000
                await eventually(lambda: len(seen) + door.exhausted == 3)
                assert seen
    assert [line["event"] for line in lines] == ["gateway.out_of_files"]


async def test_a_shared_port_has_two_doors() -> None:
    """Two listeners share a port if both ask for it, and newcomers of either are let in."""
    first = bind("127.0.0.1", 0, shared=True)
    async with doorway(first) as (one, seen), doorway(bind("127.0.0.1", one.port, shared=True)) as (two, others):
        with visitors(one.port, 40):
            await eventually(lambda: len(seen) + len(others) == 40)
        assert one.port == two.port
        assert seen
        assert others


def test_a_taken_port_is_an_error() -> None:
    """A port that somebody has for himself cannot be bound."""
    taken = bind("127.0.0.1", 0)
    taken.listen()
    with taken, pytest.raises(OSError, match="in use"):
        bind("127.0.0.1", taken.getsockname()[1])


async def read(one: socket.socket, seconds: float = 5.0) -> bytes:
    """Return what comes; nothing: the other side has ended the connection."""
    one.settimeout(seconds)
    try:
        return await asyncio.to_thread(one.recv, 100)
    except ConnectionResetError:
        return b""


@pytest.fixture(name="context")
def _context() -> ssl.SSLContext:
    """A certificate to serve."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    return context


async def test_who_says_nothing_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection without a byte in time is ended and counted; one that spoke, or asked, stays."""
    monkeypatch.setattr("gateway.doorway.LOOK_S", 0.01)
    async with doorway(first_byte_s=0.2) as (door, _):
        with visitors(door.port, 3) as (silent, slow, asking):
            slow.send(b"r")
            asking.send(b"request")
            assert await read(silent) == b""
            assert await read(asking) == b"answer"
            assert len(door.porch) == 1
            assert door.overdue == {**dict.fromkeys(Overdue, 0), Overdue.FIRST_BYTE: 1}
            slow.send(b"request")
            assert await read(slow) == b"answer"
            assert not door.porch


async def test_a_slow_request_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection whose request is not complete in time is ended, however often it says something."""
    monkeypatch.setattr("gateway.doorway.LOOK_S", 0.01)
    async with doorway(request_s=0.2) as (door, _):
        with visitors(door.port, 1) as (slow,):
            await eventually(lambda: door.porch)
            while door.porch:
                with suppress(ConnectionError):
                    slow.send(b"r")
                await asyncio.sleep(0.005)
            assert await read(slow) == b""
            assert door.overdue[Overdue.REQUEST] == 1


async def test_a_later_request_has_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The body of a second request on one connection is awaited as long as the first, not longer."""
    monkeypatch.setattr("gateway.doorway.LOOK_S", 0.01)
    async with doorway(request_s=0.3) as (door, _):
        with visitors(door.port, 1) as (one,):
            one.send(b"request, and another")
            assert await read(one) == b"answer"
            assert len(door.porch) == 1
            one.send(b"head")
            assert await read(one) == b"go on"
            assert len(door.porch) == 1
            assert await read(one) == b""
            assert door.overdue[Overdue.REQUEST] == 1


async def test_a_crowd_loses_its_oldest() -> None:
    """Where more are pending than may be, the oldest is dropped for each newcomer; who asked is not among them."""
    async with doorway(most=5) as (door, _):
        with visitors(door.port, 1) as (asking,):
            asking.send(b"request")
            assert await read(asking) == b"answer"
            with visitors(door.port, 25) as crowd:
                await eventually(lambda: door.accepted == 26)
                assert [await read(one) for one in crowd[:20]] == [b""] * 20
                assert len(door.porch) == 5
                assert door.overdue[Overdue.CROWDED] == 20
                for one in crowd[20:]:
                    one.send(b"request")
                assert [await read(one) for one in crowd[20:]] == [b"answer"] * 5
                asking.send(b"request")
                assert await read(asking) == b"answer"


async def test_who_leaves_is_not_pending() -> None:
    """A connection that its client ends takes nobody's place."""
    async with doorway() as (door, _):
        with visitors(door.port, 3):
            await eventually(lambda: len(door.porch) == 3)
        await eventually(lambda: not door.porch)
        assert sum(door.overdue.values()) == 0


async def test_a_handshake_of_tls_is_pending(context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does not get on with TLS is dropped as any other: when too many wait, or the time is over."""
    monkeypatch.setattr("gateway.doorway.LOOK_S", 0.01)
    async with doorway(context=context, request_s=0.5, most=2) as (door, seen):
        with visitors(door.port, 3) as (first, second, third):
            second.send(b"\x16\x03\x01")
            assert await read(first) == b""
            assert door.overdue[Overdue.CROWDED] == 1
            assert await read(second) == b""
            assert await read(third) == b""
            assert door.overdue[Overdue.REQUEST] == 2
            await eventually(lambda: not door.porch)
        assert not seen


async def test_tls_has_a_time_of_its_own(context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """A TLS handshake that stalls is ended and counted, and is pending no more."""
    monkeypatch.setattr("gateway.doorway.HANDSHAKE_S", 0.2)
    async with doorway(context=context, first_byte_s=0.1) as (door, _):
        with visitors(door.port, 3) as stalled:
            assert [await read(one) for one in stalled] == [b""] * 3
            await eventually(lambda: not door.porch)
            assert door.unfinished == 3
            assert sum(door.overdue.values()) == 0
