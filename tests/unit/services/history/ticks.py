"""Ticks of trades, and messages of them, for what counts and remembers."""

from __future__ import annotations

from services.market.symbol import Symbol
from services.market.tick import Tick
from services.market.wire import TickMessage, encode_tick

A, B = Symbol("A"), Symbol("B")
NOON = 1_795_003_200_000_000
"""The beginning of a minute, in microseconds."""
SECOND, MINUTE = 1_000_000, 60_000_000


def tick(
    seq: int, at: float, price: int, size: int, volume: int, *, symbol: Symbol = A, decimals: int = 2
) -> bytes:
    """A tick *at* seconds after `NOON`."""
    ts = NOON + round(at * SECOND)
    return encode_tick(Tick(seq, ts, symbol, price, size, 1, 2, 3, 4, volume, decimals))


def message(first: int, *lines: bytes, epoch: int = 1, published: float = 0.0, symbol: Symbol = A) -> TickMessage:
    """A message of *lines*, published so many seconds after `NOON`."""
    return TickMessage(symbol, epoch, first, NOON + round(published * SECOND), 1, lines)


def plain(first: int, count: int = 1, *, epoch: int = 1, size: int = 10, symbol: Symbol = A) -> TickMessage:
    """*count* lines of *size* bytes, which are no ticks, from *first* on."""
    return TickMessage(symbol, epoch, first, NOON, 1, tuple(b"%0*d" % (size, first + i) for i in range(count)))
