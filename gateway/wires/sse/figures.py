"""What the streams of a gateway count.  Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from gateway.wires.sse.opening import Resumed


class Figures:
    """Counters of one gateway, in plain integers."""

    __slots__ = ("bytes", "connections", "events", "late", "put_off", "resumed", "writes")

    def __init__(self) -> None:
        self.connections = self.events = self.writes = self.bytes = self.late = self.put_off = 0
        self.resumed: Counter[Resumed] = Counter(dict.fromkeys(Resumed, 0))

    def outcomes(self) -> Iterator[tuple[str, float]]:
        """Yield what became of the clients' positions, by name."""
        return ((outcome.value, self.resumed[outcome]) for outcome in Resumed)
