"""What is made but not yet safe: on the wire without an answer, or waiting for its turn.  Pure.

Four places, each bounded, in the order in which their content goes out:

- *again*: was on the wire when the connection was lost; at most WIRE_TICKS parcels.
- *queue*: waits in order; at most QUEUE_US between its ends and QUEUE_BYTES.
- *newest*: beyond that, the newest tick of each symbol; the ticks that it replaces are lost, and history will say
  so.  While anything is here everything new joins it, until the queue has drained: a symbol's order holds, and
  a producer that is faster than its broker falls at most QUEUE_US behind, then catches up.
- *wire*: handed to the sink, no answer yet; at most WIRE_TICKS parcels, and with control messages and repeats,
  which are sent or left, never kept, WIRE messages.

Each tick that was added ends as exactly one of confirmed, refused or lost.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from producer.grouping import Parcel
from services.broker.ports import Outgoing
from services.market.symbol import Symbol
from services.telemetry.histogram import Histogram

WIRE: Final = 5_000
"""Most messages without an answer: 0.25 s of what a broker with a log on 2 cores confirms."""
WIRE_TICKS: Final = 4_800
"""Most of them that carry ticks; the others are left to heartbeats, directory and repeats."""
QUEUE_US: Final = 10_000_000
QUEUE_BYTES: Final = 64 * 1024 * 1024

CONFIRM_SECONDS: Final = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
"""Buckets of confirms: up to the wait after which the connection is given up."""


@dataclass(slots=True)
class Counts:
    """Ticks by what became of them, since the start."""

    confirmed: int = 0
    refused: int = 0
    """The broker said no (nack): not in its log, so lost."""
    lost: int = 0
    """Replaced in *newest*, never sent; or of a run that was over before the broker answered."""
    repeated: int = 0
    """Sent once more after a lost connection; also counted under what became of them."""


class Backlog:
    """The parcels of a run and the answers to them.  Message numbers start at 1 with each connection."""

    def __init__(
        self,
        wire: int = WIRE,
        wire_ticks: int = WIRE_TICKS,
        queue_us: int = QUEUE_US,
        queue_bytes: int = QUEUE_BYTES,
    ) -> None:
        self._wire_limit, self._ticks_limit = wire, wire_ticks
        self._queue_us, self._queue_bytes = queue_us, queue_bytes
        self._again: deque[Parcel] = deque()
        self._queue: deque[Parcel] = deque()
        self._newest: dict[Symbol, Parcel] = {}
        self._wire: dict[int, tuple[Parcel | None, int]] = {}
        """What is on the wire and since when (µs), by its number."""
        self._on_wire = 0
        self._oldest: tuple[int, int] | None = None
        self._answered = 0
        self._discarded = 0
        self.number = 0
        """Of the newest message handed over on this connection."""
        self.bytes = 0
        """Of the bodies in *queue*."""
        self.counts = Counts()
        self.confirms = Histogram(CONFIRM_SECONDS, parts=1_000_000)
        """How long messages were on the wire that the broker took over."""

    # --------------------------------------------------------------------------------------------------- going in

    def add(self, parcel: Parcel) -> None:
        """Take a new parcel in, behind everything of its symbol."""
        size = len(parcel.message.body)
        if not self._newest and self._fits(parcel, size):
            self._queue.append(parcel)
            self.bytes += size
            return
        replaced = self._newest.pop(parcel.symbol, None)
        self.counts.lost += parcel.length - 1 + (replaced.length if replaced else 0)
        self._newest[parcel.symbol] = parcel.newest() if parcel.length > 1 else parcel

    def _fits(self, parcel: Parcel, size: int) -> bool:
        if not self._queue:
            return True
        return parcel.made - self._queue[0].made <= self._queue_us and self.bytes + size <= self._queue_bytes

    # -------------------------------------------------------------------------------------------------- going out

    def take(self, now: int) -> list[Parcel]:
        """Return what may go on the wire at *now* (µs), in order; it counts as handed over."""
        room = min(self._ticks_limit - self._on_wire, self._wire_limit - len(self._wire))
        taken: list[Parcel] = []
        while room > len(taken):
            if self._again:
                parcel = self._again.popleft()
                self.counts.repeated += parcel.length
            elif self._queue:
                parcel = self._queue.popleft()
                self.bytes -= len(parcel.message.body)
            elif self._newest:
                parcel = self._newest.pop(next(iter(self._newest)))
            else:
                break
            taken.append(parcel)
        for number, parcel in enumerate(taken, self.number + 1):
            self._wire[number] = parcel, now
        self.number += len(taken)
        self._on_wire += len(taken)
        return taken

    def spare(self, messages: list[Outgoing], now: int) -> list[Outgoing]:
        """Return those of *messages*, none worth keeping, that may go at *now*; they count as handed over."""
        taken = messages[: self._wire_limit - len(self._wire)]
        for number in range(self.number + 1, self.number + 1 + len(taken)):
            self._wire[number] = None, now
        self.number += len(taken)
        return taken

    # --------------------------------------------------------------------------------------------- what came back

    def settle(self, number: int, now: int, *, multiple: bool, accepted: bool) -> None:
        """Note the broker's answer at *now* (µs) for message *number*, or for all up to it.

        Unknown numbers have no effect.
        """
        if not multiple:
            self._settle(number, now, accepted=accepted)
            return
        for each in range(self._answered + 1, min(number, self.number) + 1):
            self._settle(each, now, accepted=accepted)
        self._answered = max(self._answered, min(number, self.number))

    def _settle(self, number: int, now: int, *, accepted: bool) -> None:
        parcel, since = self._wire.pop(number, (None, None))
        if since is not None and accepted:
            self.confirms.observe(now - since)
        if parcel is None:
            return
        self._on_wire -= 1
        if accepted:
            self.counts.confirmed += parcel.length
        else:
            self.counts.refused += parcel.length

    def disconnect(self) -> None:
        """The connection is gone: what had no answer goes out first on the next one, in its old order."""
        for number, (parcel, _) in sorted(self._wire.items(), reverse=True):
            if parcel is None:
                continue
            if number > self._discarded:
                self._again.appendleft(parcel)
            else:
                self.counts.lost += parcel.length
        self._wire.clear()
        self._oldest = None
        self._on_wire = self._answered = self._discarded = self.number = 0

    def discard(self) -> None:
        """The run is over: what waits is lost, and what is on the wire goes out on no other connection."""
        waiting = (*self._again, *self._queue, *self._newest.values())
        self.counts.lost += sum(parcel.length for parcel in waiting)
        self._again.clear()
        self._queue.clear()
        self._newest.clear()
        self.bytes = 0
        self._discarded = self.number

    # -------------------------------------------------------------------------------------------------- how it is

    def overdue(self, now: int) -> int:
        """Return for how long (µs) the oldest message on the wire has been that, as far as calls have seen.

        A broker answers in any order, but each one: a node that goes with a queue can take an answer with it, and
        then the message would count as on its way for ever.
        """
        oldest = next(iter(self._wire), None)
        if oldest is None:
            self._oldest = None
            return 0
        if self._oldest is None or self._oldest[0] != oldest:
            self._oldest = (oldest, now)
        return now - self._oldest[1]

    @property
    def unconfirmed(self) -> int:
        """Messages on the wire without an answer."""
        return len(self._wire)

    @property
    def waiting(self) -> int:
        """Messages that wait to go on the wire."""
        return len(self._again) + len(self._queue) + len(self._newest)

    @property
    def conflating(self) -> bool:
        """Whether only the newest tick of each symbol is kept."""
        return bool(self._newest)

    @property
    def empty(self) -> bool:
        """Whether every tick that was added has found its end."""
        return not self.waiting and not self._on_wire
