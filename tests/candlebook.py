"""The candles that a client holds, by the frames alone; and what they must be.  Imports nothing of Tickwire's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import orjson

from tests.ledger import Fault
from tests.tick_content import Frame
from tests.verdicts import Rule

SECOND_US: Final = 1_000_000
STEPS: Final = {"1s": SECOND_US, "1m": 60 * SECOND_US}
FIELDS: Final = ["start", "epoch", "open", "high", "low", "close", "volume", "trades"]

Key = tuple[str, str]
"""Symbol and interval."""
Candle = Mapping[str, Any]


class CandleBook:
    """The candles of one client; on a new connection nothing is followed, and what is held waits for a reset."""

    def __init__(self) -> None:
        self.held: dict[Key, dict[int, Candle]] = {}
        """By start."""
        self.resets: dict[Key, int] = {}
        self._due: dict[Key, bool] = {}
        """What is followed, and whether a reset must come next."""

    def clear(self) -> None:
        """Begin a connection."""
        self._due.clear()

    @property
    def followed(self) -> set[Key]:
        """What is followed on this connection."""
        return set(self._due)

    def settled(self, key: Key) -> bool:
        """Whether the reset of what is followed has come."""
        return not self._due.get(key, True)

    def begin(self, key: Key) -> None:
        """`subscribed` was said."""
        self._due[key] = True

    def end(self, key: Key) -> None:
        """`unsubscribed` was said."""
        self._due.pop(key, None)

    def take(self, frame: Frame) -> Iterator[Fault]:
        """Take a `candles` frame; yield what is wrong with it."""
        key = symbol, interval = frame["symbol"], frame["interval"]
        if key not in self._due:
            yield Rule.NOT_SUBSCRIBED, symbol, f"candles of {interval}"
            return
        reset = frame.get("reset", False)
        if self._due[key] and not reset:
            yield Rule.CANDLES, symbol, "the first frame is no reset"
        self._due[key] = False
        if reset:
            self.resets[key] = self.resets.get(key, 0) + 1
            self.held[key] = {}
        held = self.held.setdefault(key, {})
        newest = max(held, default=0)
        for row in frame["data"]:
            fault = _fault(row, STEPS[interval])
            if fault is None and row["start"] < newest:
                fault = f"{row['start']} comes after {newest}"
            if fault is not None:
                yield Rule.CANDLES, symbol, fault
            newest = row["start"]
            held[newest] = row


def _fault(row: Candle, step_us: int) -> str | None:
    """Say what no candle can be."""
    if list(row) not in (FIELDS, [*FIELDS, "partial"]):
        return f"fields {list(row)}"
    if row["start"] % step_us:
        return f"start {row['start']}"
    low, high = row["low"], row["high"]
    if not low <= min(row["open"], row["close"]) <= max(row["open"], row["close"]) <= high:
        return f"prices of {row}"
    if not 0 < row["trades"] <= row["volume"]:
        return f"volume of {row}"
    return None


def recount(lines: Iterable[tuple[tuple[int, int], bytes]], interval: str) -> dict[int, Candle]:
    """Return the candles of ticks, given as position and bytes in their order: by the rule of docs/protocol.md."""
    candles: dict[int, dict[str, Any]] = {}
    clock, step = 0, STEPS[interval]
    for (epoch, _), line in lines:
        tick = orjson.loads(line)
        clock = max(clock, tick["ts"] - tick["ts"] % SECOND_US)
        if not tick["size"]:
            continue
        price, start = tick["price"], clock - clock % step
        candle = candles.setdefault(
            start,
            {
                "start": start,
                "epoch": 0,
                "open": price,
                "high": price,
                "low": price,
                "close": 0,
                "volume": 0,
                "trades": 0,
            },
        )
        candle["epoch"], candle["close"] = epoch, price
        candle["high"], candle["low"] = max(candle["high"], price), min(candle["low"], price)
        candle["volume"] += tick["size"]
        candle["trades"] += 1
    return dict(candles)
