"""The spans of messages that came with a trace context, from the broker's socket to the last client's.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from services.market.trace import Carrier, Tracer, decode_traceparent
from services.market.wire import TickMessage, TracedMessage


class Traces:
    """Records a span of each traced message once it is written: nothing is open meanwhile."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self.seen = 0
        """Messages that came with the context of a recorded span."""

    def written(self, passes: Iterable[tuple[Sequence[TickMessage], int]], now: int) -> None:
        """Record what was written until *now*: messages, each with when they came (microseconds since 1970)."""
        for messages, received in passes:
            for message in messages:
                if type(message) is TracedMessage:
                    self._record(message, received, now)

    def _record(self, message: TracedMessage, received: int, now: int) -> None:
        context = decode_traceparent(message.context)
        if context is None or not context.sampled:
            return  # a stranger's: whatever it is, its tick was a tick
        self.seen += 1
        self._tracer.process(_carrier(message), context, received, now)


def _carrier(message: TickMessage) -> Carrier:
    return Carrier(
        symbol=message.symbol,
        epoch=message.epoch,
        first=message.first,
        ticks=len(message.lines),
        published=message.published,
        size=sum(map(len, message.lines)) + len(message.lines) - 1,
    )
