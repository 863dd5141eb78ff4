"""Who gets which tick: the subscriptions of a feed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from tickwire_client.events import Gap
from tickwire_client.follows import EVERYTHING
from tickwire_client.line import Line
from tickwire_client.tick import Tick


class Audience:
    """The lines of a feed, and by symbol those that hear it; what is not named there is for those of `*`."""

    def __init__(self) -> None:
        self.lines: set[Line] = set()
        self._by_symbol: Mapping[str, tuple[Line, ...]] = {}

    def add(self, line: Line) -> None:
        """One more listens."""
        self.lines.add(line)
        self._arrange()

    def remove(self, line: Line) -> bool:
        """One fewer; return whether it was here."""
        if line not in self.lines:
            return False
        self.lines.remove(line)
        self._arrange()
        return True

    def naming(self, symbols: Collection[str]) -> list[Line]:
        """Return the lines that name any of *symbols*."""
        return [line for line in self.lines if any(symbol in line.symbols for symbol in symbols)]

    def missed(self, gap: Gap) -> None:
        """Tell the lines that hear its symbol, where their owners want to know."""
        for line in self._by_symbol.get(gap.symbol, self._by_symbol.get(EVERYTHING, ())):
            if line.on_gap is not None:
                line.on_gap(gap)

    def rate(self, symbol: str) -> float | None:
        """The fastest rate that any line wants of *symbol*, by that name; None: every tick."""
        return _fastest(line for line in self.lines if symbol in line.symbols)

    def deliver(self, ticks: Sequence[Tick], now: float) -> set[Line]:
        """Put each tick into every buffer that it is for, and wake their readers; return these lines."""
        by_symbol, everything = self._by_symbol, self._by_symbol.get(EVERYTHING, ())
        touched: set[Line] = set()
        for tick in ticks:
            for line in by_symbol.get(tick.fields["symbol"], everything):
                line.buffer.offer(tick, now)
                touched.add(line)
        for line in touched:
            line.wake()
        return touched

    def _arrange(self) -> None:
        by_symbol: dict[str, list[Line]] = {symbol: [] for line in self.lines for symbol in line.symbols}
        for symbol, listening in by_symbol.items():
            listening += [line for line in self.lines if symbol in line.symbols or EVERYTHING in line.symbols]
        self._by_symbol = {symbol: tuple(listening) for symbol, listening in by_symbol.items()}
        fastest = {symbol: _fastest(listening) for symbol, listening in by_symbol.items()}
        for line in self.lines:  # what the gateway conflates already is not conflated once more
            heard = by_symbol if EVERYTHING in line.symbols else line.symbols
            interval = None if line.rate is None else 1 / line.rate
            line.buffer.pace({s: None if line.rate == fastest[s] else interval for s in heard})


def _fastest(lines: Iterable[Line]) -> float | None:
    rates = [line.rate for line in lines]
    return None if None in rates else max((rate for rate in rates if rate is not None), default=None)
