"""A candle that still grows, and its bytes.  Pure."""

from __future__ import annotations

from services.market.candle import Candle
from services.market.wire import format_price


class Growing:
    """First, highest, lowest and last trade since *start* (µs); prices are whole numbers of 10**-decimals.

    *partial*: it may lack trades.  *stamp*: the turn at which it changed last.
    """

    __slots__ = (
        "_text",
        "close",
        "decimals",
        "epoch",
        "high",
        "low",
        "open",
        "partial",
        "stamp",
        "start",
        "trades",
        "volume",
    )

    def __init__(self, start: int, epoch: int, price: int, size: int, decimals: int, *, partial: bool) -> None:
        self.start, self.epoch, self.decimals, self.partial = start, epoch, decimals, partial
        self.open = self.high = self.low = self.close = price
        self.volume, self.trades = size, 1
        self.stamp = 0
        self._text: bytes | None = None

    @classmethod
    def of(cls, candle: Candle, *, partial: bool) -> Growing:
        """History's candle."""
        self = cls(candle.start, candle.epoch, candle.open, candle.volume, candle.decimals, partial=partial)
        self.high, self.low, self.close, self.trades = candle.high, candle.low, candle.close, candle.trades
        return self

    def add(self, epoch: int, price: int, size: int, decimals: int) -> None:
        """Count a trade that comes after all of ours."""
        if decimals != self.decimals:
            self._scale(decimals)
            price *= 10 ** (self.decimals - decimals)
        if price > self.high:
            self.high = price
        elif price < self.low:
            self.low = price
        self.close, self.epoch = price, epoch
        self.volume += size
        self.trades += 1
        self._text = None

    def doubt(self) -> None:
        """It may lack trades from now on."""
        self.partial, self._text = True, None

    def _scale(self, decimals: int) -> None:
        """State the prices with at least *decimals*."""
        if decimals > self.decimals:
            factor = 10 ** (decimals - self.decimals)
            self.open, self.high, self.low, self.close = (
                price * factor for price in (self.open, self.high, self.low, self.close)
            )
            self.decimals = decimals

    @property
    def text(self) -> bytes:
        """The candle as it stands, as a native client sees it."""
        if self._text is None:
            opened, high, low, close = (
                format_price(price, self.decimals) for price in (self.open, self.high, self.low, self.close)
            )
            doubt = ',"partial":true' if self.partial else ""
            self._text = (
                f'{{"start":{self.start},"epoch":{self.epoch},"open":{opened},"high":{high},"low":{low},'
                f'"close":{close},"volume":{self.volume},"trades":{self.trades}{doubt}}}'
            ).encode()
        return self._text
