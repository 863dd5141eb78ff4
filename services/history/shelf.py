"""Every symbol's ring, within three bounds: age, ticks of a symbol, bytes of all.  Pure.

Age is that of the reading, on the clock that never goes back.  A wall clock, the producer's or ours, may be set by
an hour and then forgets nothing.  The price: after a restart ticks are kept up to twice as long, since all that is
read again counts as new; the bound in bytes holds meanwhile.

What was read in one second is one layer, and layers end together.  So neither age nor bytes cost a search: the
oldest of all symbols goes first.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from services.history.ring import Ring
from services.market.symbol import Symbol
from services.market.wire import TickMessage

LAYER_S: Final = 1.0
"""Seconds of reading that are forgotten together: how exactly the age is kept."""
TOUCH_BYTES: Final = 104
"""What a symbol takes in a layer: its place in a dict and a whole number (`tracemalloc`, Python 3.11)."""


class Forgotten(StrEnum):
    """Why a tick was dropped."""

    AGE = "age"
    COUNT = "count"
    """Its symbol has too many."""
    MEMORY = "memory"
    """All symbols together have too many."""


class Shelf:
    """The rings.  *keep_s*: seconds; *ring_ticks*: most ticks of a symbol; *most_bytes*: of all."""

    def __init__(self, *, keep_s: float, ring_ticks: int, most_bytes: int) -> None:
        self._keep_s, self._ring_ticks, self._most_bytes = keep_s, ring_ticks, most_bytes
        self._rings: dict[Symbol, Ring] = {}
        self._layers: deque[tuple[float, dict[Ring, int]]] = deque()
        self._ends = 0.0
        self._touches = 0
        self._bytes = 0
        self.ticks = 0
        """Ticks kept."""
        self.read = self.repeated = self.fenced = 0
        """Ticks taken in; dropped because they had come before; dropped because a later epoch had begun."""
        self.forgotten: Counter[Forgotten] = Counter()

    @property
    def bytes(self) -> int:
        """What everything takes."""
        return self._bytes + self._touches * TOUCH_BYTES

    def __len__(self) -> int:
        return len(self._rings)

    def __iter__(self) -> Iterator[Ring]:
        return iter(self._rings.values())

    def get(self, symbol: Symbol) -> Ring | None:
        """The ring of *symbol*, None where nothing was read."""
        return self._rings.get(symbol)

    def accept(self, message: TickMessage, now: float) -> int:
        """Take in the new ticks of *message*, read at *now* (s); return how many: they are its last ones."""
        ring = self._rings.get(message.symbol)
        if ring is None:
            ring = self._rings[message.symbol] = Ring()
        before = ring.bytes
        new = ring.accept(message)
        if new < len(message.lines):
            self._dropped(ring, message.epoch, len(message.lines) - new)
            if not new:
                return 0
        self._bytes += ring.bytes - before
        self.ticks += new
        self.read += new
        self._touch(ring, now)
        if len(ring) > self._ring_ticks:
            self._forget(ring, len(ring) - self._ring_ticks, Forgotten.COUNT)
        if self.bytes > self._most_bytes:
            self._make_room()
        return new

    def skip(self) -> None:
        """Part of the log may be missing between what was read and what comes."""
        for ring in self:
            ring.broken = True

    def expire(self, now: float) -> None:
        """Drop what was read more than *keep_s* ago.  A symbol that fell silent keeps its last tick."""
        while self._layers and self._layers[0][0] <= now - self._keep_s:
            self._end_layer(Forgotten.AGE)

    def _dropped(self, ring: Ring, epoch: int, ticks: int) -> None:
        if ring.newest is not None and epoch < ring.newest.epoch:
            self.fenced += ticks
        else:
            self.repeated += ticks

    def _touch(self, ring: Ring, now: float) -> None:
        """Note how far *ring* had come in this layer."""
        if now >= self._ends or not self._layers:
            self._ends = now + LAYER_S
            self._layers.append((self._ends, {}))
            self.expire(now)
        layer = self._layers[-1][1]
        if ring not in layer:
            self._touches += 1
        layer[ring] = ring.count

    def _make_room(self) -> None:
        """Drop the oldest layers until the bytes fit, or only each symbol's last tick is left."""
        while self.bytes > self._most_bytes and self._layers:
            self._end_layer(Forgotten.MEMORY)

    def _end_layer(self, reason: Forgotten) -> None:
        _, layer = self._layers.popleft()
        self._touches -= len(layer)
        for ring, reached in layer.items():
            # What the ring has dropped for another reason counts too: `reached` is of all ticks ever.
            self._forget(ring, reached - (ring.count - len(ring)), reason)

    def _forget(self, ring: Ring, ticks: int, reason: Forgotten) -> None:
        before = ring.bytes
        gone = ring.forget(ticks)
        self._bytes -= before - ring.bytes
        self.ticks -= gone
        self.forgotten[reason] += gone
