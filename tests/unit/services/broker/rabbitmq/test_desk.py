"""What a desk writes for the requests that came by one read."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from services.broker.history import Answer, CandleAnswer, CandleQuestion, Question
from services.broker.metrics import BrokerMetrics
from services.broker.ports import LostReason
from services.broker.rabbitmq import desk
from services.broker.rabbitmq.content import MAX_BODY
from services.broker.rabbitmq.deliveries import Batch
from services.broker.rabbitmq.desk import Shift
from services.broker.rabbitmq.frames import Blocked, Closed, ack_frame
from services.broker.rabbitmq.post import UNSENT_BYTES
from services.broker.rpc import Request, encode_request
from services.market.candle import Candle
from services.market.position import Position
from services.market.symbol import Symbol
from tests.histories import Shelf

CHANNEL = 3
ACK = ack_frame(CHANNEL, 9)
A = Symbol("A")


@dataclass
class Transport:
    """Keeps what is written."""

    written: list[bytes] = field(default_factory=list)
    waiting: int = 0

    def write(self, data: bytes) -> None:
        """Keep it."""
        self.written.append(data)

    def is_closing(self) -> bool:
        """Never."""
        return False

    def get_write_buffer_size(self) -> int:
        """What the test says."""
        return self.waiting


class Bench:
    """A shift on a connection that goes nowhere."""

    def __init__(self, shelf: Shelf) -> None:
        self.transport = Transport()
        self.ends: list[tuple[LostReason, str]] = []
        tune = SimpleNamespace(frame_max=131_072)
        link = SimpleNamespace(
            transport=self.transport,
            open=True,
            connection=SimpleNamespace(connection_tune=tune),
            end=lambda reason, detail: self.ends.append((reason, detail)),
        )
        channel = SimpleNamespace(
            number=CHANNEL,
            is_closed=False,
            closing=asyncio.get_running_loop().create_future(),
            on_consumer_cancel_callbacks=set(),
        )
        self.registry = CollectorRegistry()
        metrics = BrokerMetrics(self.registry).rpc
        self.shift = Shift(cast("Any", link), cast("Any", channel), shelf, metrics)

    def take(self, *bodies: bytes) -> bytes:
        """Let requests come by one read, and return what is written for them."""
        self.shift._take(Batch(CHANNEL, [("history", None, body) for body in bodies], 9, None))
        return b"".join(self.transport.written)

    def count(self, name: str) -> float | None:
        """The value of `tickwire_rpc_<name>_total`."""
        return self.registry.get_sample_value(f"tickwire_rpc_{name}_total")


def request(number: int, *asked: Question | CandleQuestion) -> bytes:
    """The body of a request."""
    return encode_request(Request("amq.gen-asker", number, asked))


async def test_the_ack_follows_the_replies() -> None:
    """The replies to all requests of a read, and one ack behind them, are one write."""
    bench = Bench(shelf := Shelf())
    shelf.put(A, 2)
    written = bench.take(request(1, Question(A, None)), request(2))
    assert len(bench.transport.written) == 1
    assert written.endswith(ACK)
    assert written.count(b"amq.gen-asker") == 2
    assert written.index(b'{"id":1,') < written.index(b'{"id":2,') < written.index(ACK)
    assert bench.count("answered") == 1


async def test_a_malformed_request_is_acked() -> None:
    """What no codec wrote is counted and acked, and its neighbours are answered."""
    bench = Bench(Shelf())
    written = bench.take(b"{", request(2, Question(A, None)))
    assert written.endswith(ACK)
    assert b'{"id":2,' in written
    assert bench.count("malformed") == 1


@pytest.mark.parametrize("how", ["blocked", "full"])
async def test_while_the_broker_takes_nothing_requests_are_acked_only(how: str) -> None:
    """Under an alarm, or with 8 MiB unsent, nobody is asked: eight unacked requests would be the last ones."""
    bench = Bench(shelf := Shelf())
    if how == "blocked":
        bench.shift.post.observe(Blocked(blocked=True))
    else:
        bench.transport.waiting = UNSENT_BYTES
    assert bench.take(request(1, Question(A, None)), request(2)) == ACK
    assert (shelf.asked, bench.count("unsent")) == ([], 2)
    bench.shift.post.observe(Blocked(blocked=False))
    bench.transport.waiting = 0
    assert b'{"id":3,' in bench.take(request(3))


async def test_nothing_is_written_on_a_closed_channel() -> None:
    """Once the broker has closed the channel, the connection is ended and not a byte follows."""
    bench = Bench(Shelf())
    bench.shift.post.observe(Closed(CHANNEL, 404, "NOT_FOUND"))
    assert bench.take(request(1)) == b""
    assert bench.ends == [(LostReason.PROTOCOL, "404 NOT_FOUND")]


async def test_another_channels_end_does_not_matter() -> None:
    """The end of another channel stops nothing."""
    bench = Bench(Shelf())
    bench.shift.post.observe(Closed(CHANNEL + 1, 404, "NOT_FOUND"))
    assert bench.take(request(1)).endswith(ACK)
    assert not bench.ends


async def test_the_answers_to_one_request_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bytes of one request its other questions are left to the next attempt, and counted."""
    monkeypatch.setattr(desk, "ANSWERS_BYTES", 1_000)
    bench = Bench(shelf := Shelf())
    symbols = [Symbol(f"S{n}") for n in range(5)]
    for symbol in symbols:
        shelf.put(symbol, 5)
    bench.take(request(1, *(Question(s, Position(1, 0)) for s in symbols)))
    assert (bench.count("answered"), bench.count("left")) == (2, 3)


async def test_an_answer_too_large_for_its_asker_is_not_sent() -> None:
    """A reply above the largest message that an asker reads is dropped and counted: it would cost a connection."""
    bench = Bench(shelf := Shelf())
    shelf.made = (Candle(A, 60, 1_795_000_000_000_000, 0, 1, 5, 9, 4, 6, 3, 2, 2),) * (MAX_BODY // 40)
    assert bench.take(request(1, CandleQuestion(A, 60, 0, 10**6))) == ACK
    assert bench.count("left") == 1


async def test_a_respondent_that_raises_costs_its_request_only() -> None:
    """An exception of the respondent comes out, and the requests are acked all the same."""

    class Broken(Shelf):
        def respond(self, question: Question) -> Answer:
            raise RuntimeError(question)

        def candles(self, question: CandleQuestion) -> CandleAnswer:
            raise NotImplementedError

    bench = Bench(Broken())
    with pytest.raises(RuntimeError):
        bench.take(request(1, Question(A, None)))
    assert bench.transport.written == [ACK]
