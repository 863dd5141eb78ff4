"""The trace of a message that was sampled: its context as a W3C `traceparent`, and what is said of it in spans.

To carry a context takes no OpenTelemetry; `services.telemetry.tracing` makes the spans.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from services.market.symbol import Symbol

_TRACEPARENT: Final = re.compile(
    r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL
).fullmatch
_VERSION: Final = "00"
_NO_VERSION: Final = "ff"
_SAMPLED: Final = 1


class TraceContext(NamedTuple):
    """Which span a message came from: *trace* has 128 bits, *span* 64, neither is 0."""

    trace: int
    span: int
    sampled: bool
    """Whether that span is recorded."""


class Carrier(NamedTuple):
    """What a span says of the message that it is about."""

    symbol: Symbol
    epoch: int
    first: int
    """Sequence of its oldest tick."""
    ticks: int
    published: int
    """When it was handed over to be published, in microseconds since 1970."""
    size: int
    """Bytes of its body."""


class Outcome(StrEnum):
    """How sending a message ended: a closed set."""

    CONFIRMED = "confirmed"
    REFUSED = "refused"
    """The broker said no."""
    LOST = "lost"
    """Its run was over, or the process ended, before the broker answered."""


class Sending(Protocol):
    """The span of one message on its way to the broker.  Times are microseconds since 1970."""

    context: str
    """The `traceparent` that goes with the message."""

    def written(self, at: int) -> None:
        """It was handed to the connection, perhaps once more."""
        ...

    def end(self, at: int, outcome: Outcome) -> None:
        """The broker answered, or never will."""
        ...


class Tracer(Protocol):
    """Makes the spans of one process.  Times are microseconds since 1970."""

    def send(self, carrier: Carrier, began: int) -> Sending | None:
        """Begin the span of a message that is sent; None where it is not recorded (OTEL_TRACES_SAMPLER)."""
        ...

    def process(self, carrier: Carrier, context: TraceContext, began: int, ended: int) -> None:
        """Record that a message of *context* was processed."""
        ...


def encode_traceparent(context: TraceContext) -> str:
    """Return *context* as the text of a `traceparent`, version 00."""
    return f"{_VERSION}-{context.trace:032x}-{context.span:016x}-{context.sampled:02x}"


def decode_traceparent(text: str) -> TraceContext | None:
    """Return the context that *text* names; None where it names none.

    A later version may say more behind what we know of it.  Of the flags only the one for sampled means something.
    """
    match = _TRACEPARENT(text)
    if match is None:
        return None
    version, trace, span, flags, more = match.groups()
    if version == _NO_VERSION or (version == _VERSION and more is not None):
        return None
    context = TraceContext(int(trace, 16), int(span, 16), bool(int(flags, 16) & _SAMPLED))
    return context if context.trace and context.span else None
