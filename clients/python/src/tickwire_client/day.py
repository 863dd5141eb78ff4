"""A symbol's trading day: what the gateway said of it, carried on by the ticks that follow.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from tickwire_client.cursor import Position

_HUNDREDTH: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Day:
    """The day as far as this client knows; None: not known (yet).

    `high` and `low` hold every trade that the gateway knew and every one received since; what conflation or a gap
    left out may have been beyond them.
    """

    previous_close: Decimal | None
    open: Decimal | None
    high: Decimal | None
    low: Decimal | None
    last: Decimal | None
    volume: int | None

    @property
    def change(self) -> Decimal | None:
        """The last price less the previous close."""
        if self.last is None or self.previous_close is None:
            return None
        return self.last - self.previous_close

    @property
    def change_percent(self) -> Decimal | None:
        """The same in percent of the previous close, to two decimals."""
        if (change := self.change) is None or not self.previous_close:
            return None
        return (change / self.previous_close * 100).quantize(_HUNDREDTH)


class Diary:
    """Keeps one symbol's day.  Prices stay the wire's text and are compared as floats.

    A tick whose `volume` is below the one before begins a new day, so the feed says it itself.
    """

    __slots__ = ("_at", "_close", "_high", "_last", "_low", "_open", "_top", "_under", "_volume")

    def __init__(self, said: Mapping[str, Any]) -> None:
        self._close, self._open = said.get("previous_close"), said.get("open")
        self._high, self._low, self._volume = said.get("high"), said.get("low"), said.get("volume")
        self._last: Any = None
        epoch, seq = said.get("epoch"), said.get("seq")
        self._at = None if epoch is None or seq is None else Position(epoch, seq)
        self._top, self._under = 0.0, 0.0
        self._bound()

    def take(self, fields: Mapping[str, Any], epoch: int) -> None:
        """Carry the day on by a tick; one that the gateway's figures hold already only gives the last price."""
        price, volume = fields["price"], fields["volume"]
        if self._at is not None:
            if (epoch, fields["seq"]) <= self._at:
                self._last = price
                return
            self._at = None  # from here on each tick is news
        if self._volume is not None and volume < self._volume:
            self._close, self._open, self._high, self._low = self._last or self._close, None, None, None
            self._bound()
        self._last, self._volume = price, volume
        if fields["size"] > 0:
            self._trade(price)

    def show(self) -> Day:
        """Return the day as it stands."""
        return Day(
            previous_close=_exact(self._close),
            open=_exact(self._open),
            high=_exact(self._high),
            low=_exact(self._low),
            last=_exact(self._last),
            volume=self._volume,
        )

    def _trade(self, price: Any) -> None:
        value = float(price)
        if self._open is None:
            self._open = price
        if value > self._top:
            self._high, self._top = price, value
        if value < self._under:
            self._low, self._under = price, value

    def _bound(self) -> None:
        self._top = float("-inf") if self._high is None else float(self._high)
        self._under = float("inf") if self._low is None else float(self._low)


def _exact(price: Any) -> Decimal | None:
    return None if price is None else Decimal(price)
