"""What the watcher knows: one row per symbol, made from the frames of the native wire.  Pure.

Prices are `Decimal` as the wire spelled them, so `230.10` stays `230.10` and a change is exact.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, NamedTuple

from services.market.position import Position
from services.market.symbol import Symbol
from tickwire.cursor import Cursor

RETRY_S: Final = 5.0
"""Seconds until a symbol that the gateway could not serve is asked for again."""
WINDOW_S: Final = 5
"""Seconds over which ticks per second are counted."""
_BATCH: Final = 200
"""Most symbols in one subscribe command: 16 characters each stay far below the wire's 64 KiB."""
_FOREVER: Final = float("inf")


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

    symbol: Symbol
    position: Position | None
    price: Decimal
    change: Decimal
    tick: dict[str, Any]


@dataclass(slots=True)
class Row:
    """One symbol as it stands."""

    symbol: Symbol
    cursor: Cursor = field(default_factory=Cursor)
    rate: Rate = field(default_factory=Rate)
    state: str = "waiting"
    first: Decimal | None = None
    """The first price seen, which changes are counted from."""
    last: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    size: int = 0
    volume: int = 0
    received: float | None = None
    """When the last tick came (monotonic seconds)."""
    direction: int = 0
    """Sign of the last change of price."""
    gaps: int = 0
    skipped: int = 0
    retry_at: float = -_FOREVER

    @property
    def change(self) -> Decimal | None:
        """The last price less the first one seen."""
        return None if self.last is None or self.first is None else self.last - self.first

    def show(self, tick: dict[str, Any], now: float) -> None:
        """Take the tick's values."""
        price = Decimal(tick["price"])
        if self.last is None:
            self.first = price
        elif price != self.last:
            self.direction = 1 if price > self.last else -1
        self.last, self.bid, self.ask = price, Decimal(tick["bid"]), Decimal(tick["ask"])
        self.size, self.volume, self.received = tick["size"], tick["volume"], now
        self.rate.add(now)


class Board:
    """The rows of *symbols*, and how the connection and the feed stand.

    Attributes:
        refused: why watching makes no sense, once the gateway said so: a sentence.
        notices: events other than ticks, each a line of text; whoever shows them empties the list.
        shown: the ticks since somebody emptied the list, in order.
        violations: frames that broke the cursor table.
    """

    def __init__(self, symbols: Sequence[Symbol]) -> None:
        self.rows = {symbol: Row(symbol) for symbol in symbols}
        self.connection = "connecting"
        self.feeds: dict[str, str] = {}
        self.refused: str | None = None
        self.reconnect_ms: int | None = None
        self.violations = 0
        self.notices: list[str] = []
        self.shown: list[Seen] = []
        self.fresh = False
        """Whether this connection has delivered a tick."""
        self._ids = itertools.count(1)
        self._served = False

    @property
    def feed(self) -> str:
        """`live`, or which shards are stale."""
        stale = sorted(shard for shard, feed in self.feeds.items() if feed != "live")
        return f"stale ({', '.join(stale)})" if stale else "live"

    def connected(self) -> None:
        """A new connection stands; nothing is subscribed on it."""
        self.connection, self.reconnect_ms, self.fresh = "connected", None, False
        self.feeds.clear()

    def disconnected(self, reason: str) -> None:
        """The connection is gone; cursors stay, to resume from."""
        if self.connection == "connected":
            self.notices.append(f"disconnected: {reason}")
        self.connection = reason
        for row in self.rows.values():
            row.cursor.disconnect()
            row.state, row.retry_at = "waiting", -_FOREVER

    def command(self, now: float) -> bytes | None:
        """Return the next subscribe command, for symbols that are not subscribed and are due; None: none is."""
        due = [r for r in self.rows.values() if not r.cursor.subscribed and r.retry_at <= now][:_BATCH]
        if not due:
            return None
        for row in due:
            row.retry_at = _FOREVER  # until the gateway answers
        body: dict[str, Any] = {"op": "subscribe", "id": next(self._ids), "symbols": [r.symbol for r in due]}
        resume = {r.symbol: r.cursor.position._asdict() for r in due if r.cursor.position is not None}
        if resume:
            body["resume"] = resume
        return json.dumps(body, separators=(",", ":")).encode()

    def take(self, text: str | bytes, now: float) -> None:
        """Apply one frame; an op that is not known, as a later server may send, changes nothing.

        Raises:
            ValueError: *text* is not JSON.
            KeyError, TypeError: a field that the protocol promises is missing or of another type.
        """
        frame: dict[str, Any] = json.loads(text, parse_float=Decimal)
        taker = getattr(self, f"_take_{frame['op']}", None)
        if taker is not None:
            taker(frame, now)

    def _take_ticks(self, frame: dict[str, Any], now: float) -> None:
        for tick in frame["data"]:
            if (row := self.rows.get(tick["symbol"])) is None:
                continue
            skipped = tick.get("skipped", 0)
            self._judge(row.cursor.tick(tick["seq"], skipped), row)
            row.skipped += skipped
            row.state = "conflating" if skipped else "live"
            self._show(row, tick, now)

    def _take_snapshot(self, frame: dict[str, Any], now: float) -> None:
        for tick in frame["data"]:
            if row := self.rows.get(tick["symbol"]):
                self._judge(row.cursor.snapshot(Position(frame["epoch"], tick["seq"])), row)
                row.state = "live"
                self._show(row, tick, now)
        for symbol, reason in (frame.get("none") or {}).items():
            if row := self.rows.get(symbol):
                row.state = str(reason).replace("_", " ")

    def _take_subscribed(self, frame: dict[str, Any], now: float) -> None:
        for symbol, given in frame["symbols"].items():
            if row := self.rows.get(symbol):
                self._judge(row.cursor.subscribe(_position(given)), row)
                row.state = "subscribed"
                self._served = True
        for symbol, reason in (frame.get("rejected") or {}).items():
            if row := self.rows.get(symbol):
                self._reject(row, str(reason), now)

    def _reject(self, row: Row, reason: str, now: float) -> None:
        row.state = reason.replace("_", " ")
        row.retry_at = now + RETRY_S
        # A symbol that this gateway once served is not misspelled: a directory may change, so ask again.
        if row.last is None and reason != "feed_unavailable":
            sentence = f"{row.symbol}: {row.state}"
            self.refused = f"{self.refused}, {sentence}" if self.refused else sentence

    def _take_unsubscribed(self, frame: dict[str, Any], now: float) -> None:
        for symbol in frame["symbols"]:
            if row := self.rows.get(symbol):
                row.cursor.unsubscribe()
                row.state, row.retry_at = str(frame.get("reason") or "unsubscribed"), now + RETRY_S

    def _take_gap(self, frame: dict[str, Any], _: float) -> None:
        if row := self.rows.get(frame["symbol"]):
            last = frame["to"]
            self._judge(row.cursor.gap(frame["epoch"], frame["from"], last), row)
            row.gaps += 1
            upto = "?" if last is None else last
            self.notices.append(f"{row.symbol}: gap {frame['from']} to {upto}, {frame['reason']}")

    def _take_epoch(self, frame: dict[str, Any], _: float) -> None:
        if row := self.rows.get(frame["symbol"]):
            self._judge(row.cursor.epoch(frame["epoch"]), row)

    def _take_session(self, frame: dict[str, Any], _: float) -> None:
        if row := self.rows.get(frame["symbol"]):
            row.state = frame["state"]
            self.notices.append(f"{row.symbol}: {frame['state']}")

    def _take_status(self, frame: dict[str, Any], _: float) -> None:
        self.feeds[str(frame.get("shard"))] = frame["feed"]
        self.notices.append(f"feed {frame['feed']}, shard {frame.get('shard')}")

    def _take_reconnect(self, frame: dict[str, Any], _: float) -> None:
        self.reconnect_ms = frame["in_ms"]

    def _take_error(self, frame: dict[str, Any], _: float) -> None:
        sentence = f"{frame['code']}: {frame['message']}"
        self.notices.append(sentence)
        if frame["code"] != "bad_resume" and not self._served:
            self.refused = sentence

    def _show(self, row: Row, tick: dict[str, Any], now: float) -> None:
        self.fresh = True
        row.show(tick, now)
        price = Decimal(tick["price"])
        self.shown.append(Seen(row.symbol, row.cursor.position, price, price - (row.first or price), tick))

    def _judge(self, legal: bool, row: Row) -> None:  # noqa: FBT001 - the verdict is the subject
        if not legal:
            self.violations += 1
            self.notices.append(f"{row.symbol}: a frame broke the protocol's cursor rules")


def _position(given: dict[str, Any] | None) -> Position | None:
    if not given or given.get("epoch") is None:
        return None
    return Position(given["epoch"], given["seq"])
