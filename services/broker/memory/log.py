"""The in-memory log, as plain as a broker's: entries in the order written, the oldest dropped.  Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Final

from services.broker.memory.queue import Item
from services.errors import MalformedMessage
from services.market.candle import Candle
from services.market.symbol import Symbol

KEEP_SECONDS: Final = 1_800.0
"""An entry older than this is dropped, as RabbitMQ's log does with its segments."""
KEEP_MESSAGES: Final = 50_000
"""Most entries: about 22 MB, and four minutes at the demo's rate."""
KEEP_CANDLES: Final = 50_000
"""Most candles in the candle log: about 20 MB, and eight hours of 100 symbols."""


class Log:
    """Messages with ticks, and finished candles; both counted from 0 since the first one ever written."""

    def __init__(self, *, keep_messages: int = KEEP_MESSAGES) -> None:
        self._keep = keep_messages
        self._entries: deque[tuple[float, Item]] = deque()
        self._candles: deque[Candle] = deque(maxlen=KEEP_CANDLES)
        self._epochs: dict[str, int] = {}
        self.written = self.stored = 0
        """How many messages, and candles, were ever written."""

    def write(self, item: Item, now: float) -> None:
        """Append *item* at *now* (monotonic seconds)."""
        self._entries.append((now, item))
        self.written += 1
        if not isinstance(item, MalformedMessage):
            self._epochs[item.symbol] = max(item.epoch, self._epochs.get(item.symbol, 0))
        while len(self._entries) > self._keep or self._entries[0][0] < now - KEEP_SECONDS:
            self._entries.popleft()

    def store(self, candles: Sequence[Candle]) -> None:
        """Append finished candles."""
        self._candles.extend(candles)
        self.stored += len(candles)

    def clear(self) -> None:
        """Lose everything, as a log that was deleted and made anew; what comes next counts from 0."""
        self._entries.clear()
        self._candles.clear()
        self._epochs.clear()
        self.written = self.stored = 0

    def since(self, time: float) -> int:
        """The number of the first entry written at *time* (monotonic seconds) or later."""
        first = self.written - len(self._entries)
        return first + sum(1 for _ in self._older(time))

    def read(self, number: int, most: int) -> tuple[list[Item], int]:
        """Return at most *most* entries from *number* on (or the oldest there is), and the number that follows."""
        first = self.written - len(self._entries)
        begin = max(number, first)
        items = [item for _, item in islice(self._entries, begin - first, begin - first + most)]
        return items, begin + len(items)

    def candles(self, number: int) -> list[Candle]:
        """The candles from *number* on."""
        first = self.stored - len(self._candles)
        return list(islice(self._candles, max(number, first) - first, None))

    def newest_epoch(self, symbols: Collection[Symbol]) -> int | None:
        """The largest epoch written of *symbols*."""
        return max((self._epochs[symbol] for symbol in symbols if symbol in self._epochs), default=None)

    def _older(self, time: float) -> Iterator[None]:
        for written, _ in self._entries:
            if written >= time:
                return
            yield None
