"""Who is let in, and how many at a time."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
from structlog.testing import capture_logs

from gateway.doorway import AT_ONCE, MOST_REST_S, REST_S, Doorway, bind, rest_after
from tests.eventually import eventually


class Guest(asyncio.Protocol):
    """Counts itself."""

    def __init__(self, seen: list[Guest]) -> None:
        self._seen = seen

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note it."""
        self.transport = transport
        self._seen.append(self)


@asynccontextmanager
async def doorway(listener: socket.socket | None = None) -> AsyncIterator[tuple[Doorway, list[Guest]]]:
    """A doorway on a free port."""
    seen: list[Guest] = []
    door = Doorway(listener or bind("127.0.0.1", 0), lambda: Guest(seen), None)
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
