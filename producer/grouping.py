"""What is due together becomes messages: one symbol each, consecutive, below 64 KiB.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from producer.sources.source import Burst
from services.broker.ports import Outgoing, Route
from services.market.symbol import Symbol
from services.market.wire import encode_body, encode_tick, message_id

BODY_BYTES: Final = 64 * 1024
"""A body stays below this: what a gateway frames at once, and half of what one AMQP frame carries."""


class Parcel(NamedTuple):
    """A message of ticks on its way; *made* is in microseconds on the clock that never goes back."""

    message: Outgoing
    symbol: Symbol
    epoch: int
    first: int
    length: int
    """How many ticks it carries."""
    published: int
    made: int

    @property
    def last(self) -> int:
        """The sequence of its newest tick."""
        return self.first + self.length - 1

    def newest(self, route: Route = Route.TICK) -> Parcel:
        """A parcel with its newest tick alone; same position, same time of publication."""
        line = self.message.body.rpartition(b"\n")[2]
        identity = message_id(self.epoch, self.last, self.published)
        return self._replace(message=Outgoing(route, self.symbol, identity, line), first=self.last, length=1)


def parcels(burst: Burst, epoch: int, published: int, made: int) -> Iterator[Parcel]:
    """Yield the messages that carry *burst*, handed over at *published* (microseconds since 1970)."""
    symbol, first = burst.ticks[0].symbol, burst.first
    for lines in _bodies([encode_tick(tick) for tick in burst.ticks]):
        message = Outgoing(Route.TICK, symbol, message_id(epoch, first, published), encode_body(lines))
        yield Parcel(message, symbol, epoch, first, len(lines), published, made)
        first += len(lines)


def _bodies(lines: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    begin = size = 0
    for index, line in enumerate(lines):
        if size + len(line) + 1 > BODY_BYTES and index > begin:
            yield lines[begin:index]
            begin, size = index, 0
        size += len(line) + 1
    yield lines[begin:]
