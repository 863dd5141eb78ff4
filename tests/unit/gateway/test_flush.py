"""Who is written out, and when."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence

import pytest

from gateway.counters import Counters, Stage
from gateway.flush import Flush
from gateway.frames import Pong
from gateway.outbox import Outbox
from gateway.traces import Traces
from gateway.window import REST, Window
from gateway.wires import framing
from gateway.wires.native.encode import FRAME_BYTES, encode
from services.market.symbol import Symbol
from services.market.tick import Tick
from services.market.trace import TraceContext, encode_traceparent
from services.market.wire import TickMessage, decode_message, encode_tick, with_context
from tests.unit.tracer import Notebook


class Hands:
    """A clock whose wall time the test sets."""

    def __init__(self) -> None:
        self.now_us = 2_000_000

    def monotonic(self) -> float:
        """Seconds."""
        return self.now_us / 1e6

    def wall_us(self) -> int:
        """Microseconds."""
        return self.now_us


class Client:
    """A client that notes what is done with it."""

    def __init__(self, bench: Bench, name: str, fd: int = -1) -> None:
        self.outbox = Outbox(self, bench.flush.touched, bench.flush.wake)
        self.outbox.fd = fd
        self.written: list[bytes] = []
        self._bench, self._name = bench, name

    def flush(self, now: float, sent_us: int) -> None:
        """Note."""
        assert now == sent_us / 1e6
        if not self.outbox.blocked:
            self._bench.log.append(f"flush {self._name}: {len(self.outbox.take())}")

    def write(self, data: bytes) -> None:
        """Note."""
        self.written.append(data)

    def send(self, frames: Sequence[bytes]) -> None:
        """Note."""
        self.written.extend(frames)

    def go_on(self) -> None:
        """Note."""
        self._bench.log.append(f"go on {self._name}")


class Bench:
    """A flush whose loop is the test."""

    def __init__(self, limit: float = 0.0) -> None:
        self.hands, self.counters, self.log = Hands(), Counters(), list[str]()
        self.soon: list[Callable[[], None]] = []
        self.later: list[tuple[float, Callable[[], None]]] = []
        self.flush = Flush(
            self.hands,
            self.counters,
            window=Window(limit),
            encode=encode,
            soon=self.soon.append,
            later=lambda wait, call: self.later.append((wait, call)),
        )

    def deliver(self, *messages: TickMessage, began: float | None = None) -> None:
        """End a pass of the feed."""
        now = self.hands.monotonic()
        self.flush.deliver(messages, self.hands.wall_us(), now if began is None else began)


def frame(*lines: bytes) -> bytes:
    """The one frame that says *lines* at the clock's first time."""
    (payload,) = encode(lines, 2_000_000)
    return framing.text(payload)


def message(*times: int) -> TickMessage:
    """A message with ticks of these times."""
    symbol = Symbol("A")
    lines = tuple(
        encode_tick(Tick(seq, ts, symbol, 1, 1, 1, 2, 1, 1, 1, 2)) for seq, ts in enumerate(times, start=1)
    )
    return TickMessage(symbol, 1, 1, times[-1], times[-1], lines)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A server's non-blocking socket, and its client's."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def test_a_pass_writes_each_client_once() -> None:
    """A pass writes all that waits for a client by one write, and leaves nothing for the loop's next turn."""
    bench = Bench()
    client = Client(bench, "a")
    client.outbox.tick(b"1")
    client.outbox.tick(b"2\n3")
    bench.deliver()
    assert client.written == [frame(b"1", b"2", b"3")]
    assert client.outbox.said == 2.0
    bench.soon.pop()()
    assert len(client.written) == 1


def test_clients_with_the_same_content_share_its_bytes() -> None:
    """Equal content is encoded once, and every client gets the very same object."""
    bench = Bench()
    clients = [Client(bench, str(n)) for n in range(5)]
    for n, client in enumerate(clients):
        client.outbox.tick(b"1" * 10)
        if n % 2:
            client.outbox.tick(b"2" * 10)
    bench.deliver()
    assert clients[0].written == [frame(b"1" * 10)]
    assert clients[1].written == [frame(b"1" * 10, b"2" * 10)]
    assert clients[0].written[0] is clients[2].written[0] is clients[4].written[0]
    assert clients[1].written[0] is clients[3].written[0]
    assert bench.counters.contents == 2
    assert bench.counters.frames == 5
    assert bench.counters.ticks == 3 + 2 * 2
    assert bench.counters.bytes == sum(len(client.written[0]) for client in clients)


def test_what_one_frame_cannot_hold_goes_out_in_several() -> None:
    """More than 64 KiB of ticks become several frames for each of their clients."""
    bench = Bench()
    clients = [Client(bench, name) for name in "ab"]
    for client in clients:
        client.outbox.tick(b"1" * 40_000)
        client.outbox.tick(b"2" * 40_000)
    bench.deliver()
    assert [len(client.written) for client in clients] == [2, 2]
    assert max(map(len, clients[0].written)) <= FRAME_BYTES + 10
    assert bench.counters.ticks == 4
    assert bench.counters.frames == 4


def test_an_odd_client_is_flushed_by_itself() -> None:
    """Frames, and a replay that waits for room, are the session's own business."""
    bench = Bench()
    client = Client(bench, "a")
    client.outbox.tick(b"1")
    client.outbox.say(Pong(1))
    bench.deliver()
    assert bench.log == ["flush a: 2"]
    assert client.written == []


def test_a_blocked_client_keeps_its_entries() -> None:
    """Nothing is written past a full socket."""
    bench = Bench()
    client = Client(bench, "a")
    client.outbox.tick(b"1")
    client.outbox.blocked = True
    bench.deliver()
    assert client.outbox.entries == [b"1"]
    assert client.written == []


def test_a_socket_is_written_to_directly(pair: tuple[socket.socket, socket.socket]) -> None:
    """A frame goes to the socket without the transport where there is one."""
    ours, theirs = pair
    bench = Bench()
    client = Client(bench, "a", ours.fileno())
    client.outbox.tick(b"1")
    bench.deliver()
    assert theirs.recv(1000) == frame(b"1")
    assert client.written == []


def test_what_a_socket_does_not_take_goes_to_the_transport(pair: tuple[socket.socket, socket.socket]) -> None:
    """A frame that is taken in part, or not at all, is completed by the transport, byte for byte."""
    ours, theirs = pair
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    bench = Bench()
    client = Client(bench, "a", ours.fileno())
    expected = b""
    while not client.written:
        client.outbox.tick(b"x" * 3000)
        bench.deliver()
        expected += frame(b"x" * 3000)
    client.outbox.tick(b"y" * 3000)
    bench.deliver()
    assert client.written[-1] == frame(b"y" * 3000)
    ours.close()
    assert b"".join([*iter(lambda: theirs.recv(65536), b""), *client.written[:-1]]) == expected


def test_a_dead_socket_does_not_end_the_pass(pair: tuple[socket.socket, socket.socket]) -> None:
    """A client whose socket is gone is left to its transport, and the others get theirs."""
    ours, theirs = pair
    theirs.close()
    bench = Bench()
    dead, alive = Client(bench, "dead", ours.fileno()), Client(bench, "alive")
    for client in (dead, alive):
        client.outbox.tick(b"1")
    bench.deliver()
    assert dead.written == alive.written == [frame(b"1")]


def test_outside_a_pass_all_are_written_in_one_turn() -> None:
    """What is touched by commands and timers waits for one turn of the loop, and is written together."""
    bench = Bench()
    first, second = Client(bench, "a"), Client(bench, "b")
    first.outbox.tick(b"1")
    second.outbox.tick(b"2")
    assert not first.written
    assert len(bench.soon) == 1
    bench.soon.pop()()
    assert first.written
    assert second.written
    first.outbox.tick(b"3")
    assert len(bench.soon) == 1


def test_the_feed_goes_on_outside_a_pass_only() -> None:
    """A client with room again is reported in the loop's next turn, never inside the feed's own pass."""
    bench = Bench()
    client = Client(bench, "a")
    bench.flush.emptied(client)
    bench.deliver()
    assert bench.log == []
    bench.soon.pop(0)()
    assert bench.log == ["go on a"]
    assert bench.soon == []


def test_a_busy_gateway_gathers_passes() -> None:
    """After work the next passes wait, and go out together when the rest is over; answers wait with them."""
    bench = Bench(limit=0.01)
    client = Client(bench, "a")
    client.outbox.tick(b"1")
    bench.deliver(began=bench.hands.monotonic() - 0.004)  # 4 ms of work
    assert len(client.written) == 1
    client.outbox.tick(b"2")
    bench.deliver()
    client.outbox.tick(b"3")
    bench.deliver()
    assert len(client.written) == 1
    ((wait, rested),) = bench.later
    assert wait == pytest.approx(0.004 * REST)
    bench.soon.pop()()
    assert len(client.written) == 1
    rested()
    assert client.written[1] == frame(b"2", b"3")
    assert bench.counters.flushes == 2
    assert bench.counters.flush_clients.count == 2


def test_latency_of_every_tick_of_a_group() -> None:
    """Each tick is observed with its own time, not with its group's last, when it is written."""
    bench = Bench(limit=0.01)
    bench.flush.deliver([message(1_990_000, 1_999_900), message(2_000_000)], 2_000_200, 1.99)
    counters = bench.counters
    assert counters.latencies[Stage.BROKER].total == (10_200 + 300 + 200) / 1e6
    assert counters.latencies[Stage.TOTAL].total == (10_000 + 100 + 0) / 1e6
    bench.flush.deliver([message(2_000_000)], 2_000_000, 2.0)
    bench.hands.now_us = 2_000_300
    bench.later.pop()[1]()
    assert counters.latencies[Stage.TOTAL].total == (10_000 + 100 + 300) / 1e6
    assert counters.latencies[Stage.FANOUT].total == 300 / 1e6
    assert counters.latencies[Stage.FANOUT].buckets()[-1] == ("+Inf", 4.0)


def test_a_traced_message_is_recorded_with_the_times_of_its_fanout() -> None:
    """The span of a traced message runs from when it came to when its clients were written, rest included."""
    bench, book = Bench(limit=0.01), Notebook()
    bench.flush.traces = Traces(book)
    context = TraceContext(1, 2, sampled=True)
    plain = message(1_900_000)
    traced = decode_message(plain.symbol, with_context("1-1-1900000", encode_traceparent(context)), plain.lines[0])
    bench.deliver(plain, traced, began=1.99)  # work for which there is a rest
    first = [(found, began, ended) for _, found, began, ended in book.processed]
    assert first == [(context, 2_000_000, 2_000_000)]
    bench.deliver(traced)
    bench.hands.now_us += 5_000
    wait, rested = bench.later.pop()
    assert wait > 0
    rested()
    bench.deliver(plain)
    assert [(began, ended) for _, _, began, ended in book.processed[1:]] == [(2_000_000, 2_005_000)]
