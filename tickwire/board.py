"""What the watcher shows: one row per symbol, made from the ticks and events of the client.  Pure.

Prices are `Decimal` as the wire spelled them, so `230.10` stays `230.10` and a change is exact.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, NamedTuple

from services.market.symbol import Symbol
from tickwire_client.day import Day
from tickwire_client.events import Complaint, Gap, SessionChange, Status, Violation
from tickwire_client.tick import Tick

WINDOW_S: Final = 5
"""Whole seconds over which ticks per second are counted."""

Happening = Complaint | Gap | SessionChange | Status | Violation


class Rate:
    """Ticks per second over the last `WINDOW_S` whole seconds."""

    __slots__ = ("_counts", "_second")

    def __init__(self) -> None:
        self._counts = [0] * (WINDOW_S + 1)
        self._second = 0

    def add(self, now: float) -> None:
        """Count one tick at *now* (monotonic seconds)."""
        self._turn(now)
        self._counts[self._second % len(self._counts)] += 1

    def per_second(self, now: float) -> float:
        """The mean of the last `WINDOW_S` seconds that are over."""
        self._turn(now)
        return (sum(self._counts) - self._counts[self._second % len(self._counts)]) / WINDOW_S

    def _turn(self, now: float) -> None:
        second = int(now)
        for passed in range(max(self._second + 1, second - WINDOW_S), second + 1):
            self._counts[passed % len(self._counts)] = 0
        self._second = max(self._second, second)


class Seen(NamedTuple):
    """One tick as it was shown: a row goes on changing, this does not."""

    tick: Tick
    change: Decimal


@dataclass(slots=True)
class Row:
    """One symbol as it stands."""

    symbol: Symbol
    rate: Rate = field(default_factory=Rate)
    state: str = "waiting"
    day: Day | None = None
    first: Decimal | None = None
    """The first price seen, which changes are counted from while the previous close is not known."""
    last: Decimal | None = None
    tick: Tick | None = None
    received: float | None = None
    """When the last tick came (monotonic seconds)."""
    direction: int = 0
    """Sign of the last change of price."""
    gaps: int = 0

    @property
    def change(self) -> Decimal | None:
        """The last price less the previous close, or less the first price seen while that is not known."""
        before = self.day.previous_close if self.day is not None else None
        before = self.first if before is None else before
        return None if self.last is None or before is None else self.last - before

    @property
    def change_percent(self) -> Decimal | None:
        """The change in percent of the previous close, once that is known."""
        return None if self.day is None else self.day.change_percent

    def show(self, tick: Tick, now: float) -> Seen:
        """Take the tick's values."""
        price = tick.price
        if self.last is None:
            self.first = price
        elif price != self.last:
            self.direction = 1 if price > self.last else -1
        self.last, self.tick, self.received = price, tick, now
        self.rate.add(now)
        return Seen(tick, price - (self.first or price))


class Board:
    """The rows of *symbols*, and how the connection and the feed stand.

    Attributes:
        connection: `connecting`, `connected`, or why there is none.
        shown: ticks, and notices as text, in order, since somebody emptied the list.
        violations: frames that broke the cursor table.
        states, days: where `look` finds what the client knows of a symbol.
    """

    def __init__(self, symbols: Sequence[Symbol]) -> None:
        self.rows = {str(symbol): Row(symbol) for symbol in symbols}
        self.connection = "connecting"
        self.feeds: dict[str, str] = {}
        self.violations = 0
        self.shown: list[Seen | str] = []
        self.states: Callable[[str], str] = lambda _: "waiting"
        self.days: Callable[[str], Day | None] = lambda _: None
        self._later: deque[tuple[int, str]] = deque()
        """Notices, each with the number of ticks that came before it."""
        self._taken = 0

    @property
    def feed(self) -> str:
        """`live`, or which shards are stale."""
        stale = sorted(shard for shard, feed in self.feeds.items() if feed != "live")
        return f"stale ({', '.join(stale)})" if stale else "live"

    def take(self, tick: Tick, now: float) -> None:
        """Show one tick."""
        self._catch_up(self._taken)
        self._taken += 1
        if row := self.rows.get(tick.symbol):
            self.shown.append(row.show(tick, now))

    def tell(self, happening: Happening, waiting: int) -> None:
        """Take what happened, after the *waiting* ticks that were not taken yet."""
        if (notice := self._notice(happening)) is not None:
            self._later.append((self._taken + waiting, notice))
        if not waiting:
            self.settle()

    def look(self) -> None:
        """Bring the rows up to date with what the client knows besides ticks."""
        for symbol, row in self.rows.items():
            row.state, row.day = self.states(symbol), self.days(symbol)

    def settle(self) -> None:
        """No tick waits any more."""
        self._catch_up(float("inf"))

    def _catch_up(self, taken: float) -> None:
        while self._later and self._later[0][0] <= taken:
            self.shown.append(self._later.popleft()[1])

    def _notice(self, happening: Happening) -> str | None:
        match happening:
            case Status(shard=None):
                return self._connection(happening)
            case Status(feed=feed, shard=shard):
                self.feeds[str(shard)] = feed
                return f"feed {feed}, shard {shard}"
            case Gap(symbol=symbol, first=first, last=last, reason=reason):
                self.rows[symbol].gaps += 1
                return f"{symbol}: gap {first} to {'?' if last is None else last}, {reason}"
            case SessionChange(symbol=symbol, state=state):
                return f"{symbol}: {state}"
            case Violation(symbol=symbol):
                self.violations += 1
                return f"{symbol}: a frame broke the protocol's cursor rules"
        return f"{happening.code}: {happening.message}"

    def _connection(self, status: Status) -> str | None:
        before, self.connection = self.connection, status.feed
        if status.reason is None:
            self.feeds.clear()
            return None
        self.connection = f"{status.reason}; reconnecting"
        return f"disconnected: {self.connection}" if before == "connected" else None
