"""Is a tick what `docs/protocol.md` says a tick is?  Imports nothing of Tickwire's."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from tests.cursors import Position
from tests.verdicts import Rule

Raw = str | bytes
Frame = dict[str, Any]
Content = Callable[[str, int, int], bytes | Mapping[str, Any] | None]
"""(symbol, epoch, seq) -> the tick's exact bytes, or some of its fields, or None where that is not known."""

FIELDS: Final = ("seq", "ts", "symbol", "price", "size", "bid", "ask", "bid_size", "ask_size", "volume")
_DAY_US: Final = 86_400_000_000
_PRICE: Final = r"[0-9]+(?:\.([0-9]+))?"
_TICK: Final = re.compile(
    r'\{"seq":[1-9][0-9]*,"ts":[1-9][0-9]*,"symbol":"[A-Z0-9][A-Z0-9.\-]{0,15}",'
    rf'"price":{_PRICE},"size":[0-9]+,"bid":{_PRICE},"ask":{_PRICE},'
    r'"bid_size":[0-9]+,"ask_size":[0-9]+,"volume":[0-9]+(?:,"skipped":[0-9]+)?\}'
).fullmatch

Fault = tuple[Rule, str]


class TickContent:
    """The contents of one client's ticks: spelling, market sense, time's direction, and what was *expected*."""

    def __init__(self, expected: Content | None, *, clock_is_set: bool = False) -> None:
        self._expected, self._clock_is_set = expected, clock_is_set
        self._seen: dict[str, tuple[Position, int, int]] = {}

    def fault(self, tick: Frame, epoch: int, raw: Raw | Frame) -> Fault | None:
        """Return the first thing that is wrong with *tick*, which came in frame *raw*, or None."""
        line = None if isinstance(raw, dict) else _cut(raw, tick)
        if not (_spelt(line) if line is not None else tuple(tick)[: len(FIELDS)] == FIELDS):
            return Rule.FORMAT, f"tick {tick['seq']} of {tick['symbol']}: {line or list(tick)}"
        if not (0 < tick["bid"] < tick["ask"] and tick["bid"] <= tick["price"] <= tick["ask"]):
            return Rule.CONTENT, "not bid < ask and bid <= price <= ask"
        return self._time(tick, epoch) or self._compare(tick, epoch, line)

    def _time(self, tick: Frame, epoch: int) -> Fault | None:
        """Neither time nor the day's volume falls within an epoch, in the order of the positions."""
        symbol, ts, volume = tick["symbol"], tick["ts"], tick["volume"]
        position = Position(epoch, tick["seq"])
        last, before, traded = self._seen.get(symbol, (Position(0, 0), 0, 0))
        self._seen[symbol] = (position, ts, volume)
        if last.epoch != epoch or position <= last:
            return None
        if (ts < before and not self._clock_is_set) or (volume < traded and ts // _DAY_US == before // _DAY_US):
            return Rule.CONTENT, f"ts or volume fell: {before} and {traded} at {tuple(last)}"
        return None

    def _compare(self, tick: Frame, epoch: int, line: str | None) -> Fault | None:
        expected = self._expected(tick["symbol"], epoch, tick["seq"]) if self._expected else None
        if expected is None:
            return None
        if line is not None and isinstance(expected, bytes):
            same = _bare(line) == expected.decode()
        else:
            fields = orjson.loads(expected) if isinstance(expected, bytes) else expected
            same = fields.items() <= tick.items()
        return None if same else (Rule.CONTENT, f"tick {tick['seq']} is not the expected {expected!r}")


def _cut(raw: Raw, tick: Frame) -> str:
    """Return the bytes of *tick* as they stand in the frame; empty where they do not begin as they must."""
    text = raw if isinstance(raw, str) else raw.decode()
    start = text.find(f'{{"seq":{tick["seq"]},"ts":{tick["ts"]},"symbol":"{tick["symbol"]}"')
    return text[start : text.find("}", start) + 1] if start >= 0 else ""


def _spelt(line: str) -> bool:
    """Whether *line* has the fields in order, no spaces, and as many decimals in each price."""
    match = _TICK(line)
    return match is not None and len({len(fraction or "") for fraction in match.groups()}) == 1


def _bare(line: str) -> str:
    """Return *line* as the producer encoded it."""
    return line.partition(',"skipped":')[0].removesuffix("}") + "}"
