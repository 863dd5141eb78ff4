"""A candle that still grows.  Pure."""

from __future__ import annotations

from services.history.series import Row


class Bar:
    """First, highest, lowest and last trade of a stretch of time, and what was traded.  `trades` 0: none yet."""

    __slots__ = ("close", "decimals", "epoch", "high", "low", "open", "start", "trades", "volume")

    def __init__(self) -> None:
        self.start = self.epoch = self.open = self.high = self.low = self.close = 0
        self.volume = self.trades = self.decimals = 0

    def begin(self, start: int, epoch: int, price: int, size: int, decimals: int) -> None:
        """Begin again with a trade."""
        self.start, self.epoch, self.decimals = start, epoch, decimals
        self.open = self.high = self.low = self.close = price
        self.volume, self.trades = size, 1

    def merge(self, later: Bar) -> None:
        """Add the trades of *later*, which all come after ours."""
        if not self.trades:
            self.epoch, self.decimals = later.epoch, later.decimals
            self.open, self.high, self.low, self.close = later.open, later.high, later.low, later.close
            self.volume, self.trades = later.volume, later.trades
            return
        if later.decimals != self.decimals:
            later = Bar.of(later.row(0))
            self.scale(later.decimals)
            later.scale(self.decimals)
        self.epoch, self.close = later.epoch, later.close
        self.high, self.low = max(self.high, later.high), min(self.low, later.low)
        self.volume, self.trades = self.volume + later.volume, self.trades + later.trades

    def scale(self, decimals: int) -> None:
        """State the prices with at least *decimals*."""
        if decimals > self.decimals:
            factor = 10 ** (decimals - self.decimals)
            self.open, self.high, self.low, self.close = (
                price * factor for price in (self.open, self.high, self.low, self.close)
            )
            self.decimals = decimals

    def row(self, day: int) -> Row:
        """The candle as it stands, of the day that began at *day*."""
        return Row(
            self.start,
            day,
            self.epoch,
            self.open,
            self.high,
            self.low,
            self.close,
            self.volume,
            self.trades,
            self.decimals,
        )

    @classmethod
    def of(cls, row: Row) -> Bar:
        """A bar with what *row* says."""
        bar = cls()
        bar.start, bar.epoch, bar.decimals = row.start, row.epoch, row.decimals
        bar.open, bar.high, bar.low, bar.close = row.open, row.high, row.low, row.close
        bar.volume, bar.trades = row.volume, row.trades
        return bar
