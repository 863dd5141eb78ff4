"""A tracer that writes down what it is told."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.market.trace import Carrier, Outcome, TraceContext, encode_traceparent


@dataclass(slots=True)
class Sent:
    """One SEND span."""

    carrier: Carrier
    began: int
    context: str
    writes: list[int] = field(default_factory=list)
    ends: list[tuple[int, Outcome]] = field(default_factory=list)

    def written(self, at: int) -> None:
        """Keep when."""
        self.writes.append(at)

    def end(self, at: int, outcome: Outcome) -> None:
        """Keep when and how."""
        self.ends.append((at, outcome))


class Notebook:
    """A `Tracer`; *records* says whether it takes spans on."""

    def __init__(self) -> None:
        self.records = True
        self.sent: list[Sent] = []
        self.processed: list[tuple[Carrier, TraceContext, int, int]] = []

    def send(self, carrier: Carrier, began: int) -> Sent | None:
        """Begin a span with the next context."""
        if not self.records:
            return None
        context = encode_traceparent(TraceContext(len(self.sent) + 1, len(self.sent) + 1, sampled=True))
        self.sent.append(Sent(carrier, began, context))
        return self.sent[-1]

    def process(self, carrier: Carrier, context: TraceContext, began: int, ended: int) -> None:
        """Keep it."""
        self.processed.append((carrier, context, began, ended))
