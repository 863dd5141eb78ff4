"""Bursts become messages that the codec takes apart again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from producer.grouping import BODY_BYTES, parcels
from producer.sources.source import Burst
from services.broker.ports import Route
from services.market.symbol import Symbol
from services.market.tick import Tick
from services.market.wire import decode_message, encode_tick

SYMBOL = Symbol("BRK.B")
PUBLISHED = 1_795_000_000_000_000


def burst(first: int, length: int, price: int = 50_860) -> Burst:
    """Ticks *first* to *first* + *length* - 1."""
    ticks = [
        Tick(seq, PUBLISHED + seq, SYMBOL, price, 100, price, price + 1, 3, 1, 10**9, 2)
        for seq in range(first, first + length)
    ]
    return Burst(ticks, first)


@given(first=st.integers(1, 10**12), length=st.integers(1, 1500), price=st.integers(1, 10**12))
def test_nothing_is_lost_and_bodies_are_bounded(first: int, length: int, price: int) -> None:
    """Every tick is in exactly one message, in order, and each message decodes and stays below 64 KiB."""
    given_burst = burst(first, length, price)
    lines: list[bytes] = []
    for parcel in parcels(given_burst, 17, PUBLISHED, 5):
        message = parcel.message
        assert message.route is Route.TICK
        assert len(message.body) < BODY_BYTES
        decoded = decode_message(SYMBOL, message.identity, message.body)
        assert (decoded.epoch, decoded.published, decoded.first) == (17, PUBLISHED, first + len(lines))
        assert (parcel.first, parcel.length, parcel.last) == (decoded.first, len(decoded.lines), decoded.last.seq)
        lines += decoded.lines
    assert lines == [encode_tick(tick) for tick in given_burst.ticks]


def test_messages_are_full() -> None:
    """A burst is split only where the next line would not fit."""
    sizes = [len(p.message.body) for p in parcels(burst(1, 1000), 17, PUBLISHED, 5)]
    line = len(encode_tick(burst(1000, 1).ticks[0]))
    assert len(sizes) > 1
    assert all(size + line + 1 >= BODY_BYTES for size in sizes[:-1])


def test_newest_is_the_last_tick_alone() -> None:
    """The newest of a parcel keeps position and time of publication, on the route that is asked for."""
    (parcel,) = parcels(burst(40, 3), 17, PUBLISHED, 5)
    newest = parcel.newest(Route.LAST)
    assert newest.message == (Route.LAST, SYMBOL, f"17-42-{PUBLISHED}", encode_tick(burst(42, 1).ticks[0]))
    assert (newest.first, newest.last, newest.length) == (42, 42, 1)
    assert newest.made == 5
