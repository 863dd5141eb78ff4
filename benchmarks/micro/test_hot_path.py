"""The pure parts of a tick's way through a gateway, each alone: `make bench-micro`."""

from __future__ import annotations

from typing import Any, Final

import pytest
from pamqp import body, commands, frame, header
from pamqp.common import FieldTable
from pytest_benchmark.fixture import BenchmarkFixture

from gateway.counters import Counters
from gateway.flush import Flush
from gateway.follower import Follower
from gateway.outbox import Outbox
from gateway.recovery import Recovery
from gateway.tally import Tally
from gateway.window import Window
from gateway.wires import framing
from gateway.wires.inbound import Inbound, Message
from gateway.wires.native.encode import encode
from gateway.wires.native.parse import parse
from gateway.wires.sse.speech import Speech
from services.broker.rabbitmq.deliveries import Deliveries, Wanted
from services.broker.rabbitmq.frames import Envelopes
from services.market.position import Position
from services.market.symbol import Symbol
from services.market.tick import Tick
from services.market.wire import decode_message, encode_tick, message_id
from services.runtime.clock import SystemClock

AAPL: Final = Symbol("AAPL")
TICK: Final = Tick(1042, 1_795_000_000_000_000, AAPL, 23_015, 100, 23_014, 23_016, 3, 1, 1_200_345, 2)
LINE: Final = encode_tick(TICK)
IDENTITY: Final = message_id(1, 1042, 1_795_000_000_000_000)
CONTEXT: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CLIENTS: Final = 500


class Silent:
    """A client whose socket takes everything and costs nothing."""

    def __init__(self, flush: Flush) -> None:
        self.outbox = Outbox(self, flush.touched, flush.wake)
        self.writes = 0

    def write(self, data: bytes) -> None:
        """Take it."""
        self.writes += len(data) > 0


def _flush() -> Flush:
    return Flush(
        SystemClock(), Counters(), window=Window(0.0), encode=encode,
        soon=lambda _: None, later=lambda _, __: None,
    )  # fmt: skip


def test_encode_tick(benchmark: BenchmarkFixture) -> None:
    """A tick becomes the bytes that clients see."""
    assert benchmark(encode_tick, TICK) == LINE


def test_decode_message(benchmark: BenchmarkFixture) -> None:
    """A message of one tick is checked and cut into lines."""
    assert benchmark(decode_message, AAPL, IDENTITY, LINE).lines == (LINE,)


@pytest.mark.parametrize("context", [None, CONTEXT])
@pytest.mark.parametrize("count", [1, 50])
def test_lift(benchmark: BenchmarkFixture, count: int, context: str | None) -> None:
    """As many deliveries as one read brings are cut out of the bytes: divide by their number.

    Nearly all messages have no trace context.
    """
    consumer = (1, b"tickwire-1")
    headers: FieldTable | None = None if context is None else {"traceparent": context}
    given = commands.Basic.Properties(message_id=IDENTITY, delivery_mode=1, headers=headers)
    parts = (
        frame.marshal(commands.Basic.Deliver("tickwire-1", 1, False, "tickwire.ticks", "tick.AAPL"), 1),
        frame.marshal(header.ContentHeader(0, len(LINE), given), 1),
        frame.marshal(body.ContentBody(LINE), 1),
    )
    lifter = Deliveries()
    lifter.wanted[consumer] = Wanted(AAPL)
    assert len(benchmark(lifter.feed, b"".join(parts) * count).deliveries) == count


@pytest.mark.parametrize("traced", [0, 1])
def test_write_publishes(benchmark: BenchmarkFixture, traced: int) -> None:
    """50 messages, one of them perhaps traced, become the bytes that publish them: divide by 50."""
    envelopes = Envelopes(1, 131_072)

    def write() -> int:
        parts: list[bytes] = []
        for _ in range(traced):
            envelopes.add_traced(parts, "tickwire.ticks", "tick.AAPL", IDENTITY, LINE, context=CONTEXT)
        for _ in range(50 - traced):
            envelopes.add(parts, "tickwire.ticks", "tick.AAPL", IDENTITY, LINE)
        return b"".join(parts).count(LINE)

    assert benchmark(write) == 50


@pytest.mark.parametrize("ticks", [1, 16])
def test_encode_frame(benchmark: BenchmarkFixture, ticks: int) -> None:
    """Lines become one frame."""
    lines = b"\n".join([LINE] * ticks)
    frames = benchmark(lambda: [framing.text(payload) for payload in encode((lines,), 1_795_000_000_000_001)])
    assert frames[0].count(LINE) == ticks


def test_spread_and_flush(benchmark: BenchmarkFixture) -> None:
    """One tick goes to 500 clients, all but the kernel's part: divide by 500."""
    flush, recovery, seq = _flush(), Recovery(AAPL, Tally(), history=False), iter(range(1, 10**9))
    clients = [Silent(flush) for _ in range(CLIENTS)]
    for client in clients:
        recovery.join(Follower(AAPL, client.outbox, 0), resume=None, snapshot=True)

    def one_tick() -> None:
        recovery.accept(1, next(seq), (LINE,), 1.0)
        flush._write(0.0)  # noqa: SLF001 - without the window

    for client in clients:
        client.flush = lambda _, __, c=client: c.outbox.take()  # type: ignore[attr-defined]
    one_tick()
    benchmark(one_tick)
    assert {client.writes > 0 for client in clients} == {True}


@pytest.mark.parametrize("symbols", [1, 10, 500])
def test_sse_event(benchmark: BenchmarkFixture, symbols: int) -> None:
    """What 20 ticks of a stream of so many symbols become, with its id: divide by 20."""
    names = [Symbol(f"S{n:03}") for n in range(symbols)]
    speech = Speech(names, {name: Position(1, 1) for name in names})
    lines = [LINE.replace(b"AAPL", names[n % symbols].encode()) for n in range(20)]
    (event,) = benchmark(lambda: [speech.frame(event) for event in speech.encode(lines, 0)])
    assert event.count(b'"seq"') == 20


def test_inbound_command(benchmark: BenchmarkFixture) -> None:
    """A masked frame of a client becomes a command."""
    payload = b'{"op":"subscribe","id":1,"symbols":["AAPL","MSFT"]}'
    mask = bytes([1, 2, 3, 4])
    masked = bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload))
    sent = bytes([0x81, 0x80 | len(payload)]) + mask + masked

    def read() -> Any:
        (message,) = Inbound(65_536).feed(sent)
        assert isinstance(message, Message)
        return parse(message.data, max_symbols=10).command

    assert benchmark(read).symbols == ("AAPL", "MSFT")
