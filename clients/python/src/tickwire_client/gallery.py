"""Who gets which candles: the subscriptions of a feed."""

from __future__ import annotations

from tickwire_client.candle import CandleUpdate
from tickwire_client.candleline import CandleLine


class Gallery:
    """The lines of a feed that are of candles, by symbol and interval."""

    def __init__(self) -> None:
        self._by_key: dict[tuple[str, str], list[CandleLine]] = {}

    def add(self, line: CandleLine) -> int:
        """One more watches; return how many candles to begin with anybody wants."""
        self._by_key.setdefault(line.key, []).append(line)
        return max(each.history for each in self._by_key[line.key])

    def remove(self, line: CandleLine) -> bool:
        """One fewer; return whether it was the last one of its candles."""
        lines = self._by_key.get(line.key, [])
        if line not in lines:
            return False
        lines.remove(line)
        if not lines:
            del self._by_key[line.key]
        return not lines

    def watching(self, key: tuple[str, str]) -> list[CandleLine]:
        """Return the lines of these candles."""
        return list(self._by_key.get(key, ()))

    def all(self) -> list[CandleLine]:
        """Return every line."""
        return [line for lines in self._by_key.values() for line in lines]

    def show(self, update: CandleUpdate) -> None:
        """Give an update to everybody whom it is for."""
        for line in self.watching((update.symbol, update.interval)):
            line.offer(update)
