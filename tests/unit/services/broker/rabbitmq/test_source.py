"""What becomes of the deliveries of one read."""

from __future__ import annotations

from services.broker.rabbitmq.deliveries import Delivery
from services.broker.rabbitmq.source import Arrivals
from services.market.control import encode_control
from services.market.symbol import Symbol
from tests.listeners import SourceRecord, heartbeat, outgoing

A, B, CONTROL = Symbol("A"), Symbol("B"), Symbol("")


def tick(symbol: Symbol, seq: int) -> Delivery:
    """The delivery of a tick."""
    message = outgoing(symbol, seq)
    return symbol, message.identity, message.body


def test_the_ticks_of_one_read_are_told_by_one_call() -> None:
    """Ticks of all symbols come in one call, in the order delivered."""
    got = SourceRecord()
    Arrivals(got).take([tick(A, 1), tick(B, 1), tick(A, 2)])
    Arrivals(got).take([tick(B, 2)])
    assert [[(m.symbol, m.first) for m in batch] for batch in got.batches] == [
        [("A", 1), ("B", 1), ("A", 2)],
        [("B", 2)],
    ]


def test_what_is_malformed_is_told_and_skipped() -> None:
    """Malformed ticks and control messages are told one by one; what came with them is not lost."""
    got = SourceRecord()
    broken: list[Delivery] = [(A, tick(A, 2)[1], b"x"), (A, None, tick(A, 3)[2])]
    controls: list[Delivery] = [(CONTROL, None, b"{}"), (CONTROL, None, encode_control(heartbeat("s")))]
    Arrivals(got).take([tick(A, 1), *broken, *controls, tick(A, 4)])
    assert [m.first for batch in got.batches for m in batch] == [1, 4]
    assert len(got.batches) == 1
    assert len(got.malformed) == 3
    assert got.controls == [heartbeat("s")]


def test_control_messages_alone_tell_no_ticks() -> None:
    """A read without ticks does not call `on_ticks`."""
    got = SourceRecord()
    Arrivals(got).take([(CONTROL, None, encode_control(heartbeat("s")))])
    assert (got.batches, got.controls) == ([], [heartbeat("s")])
