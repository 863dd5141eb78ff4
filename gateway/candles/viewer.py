"""One client's subscription to the candles of one symbol and step.  Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.candles.chart import Chart
from gateway.frames import Candles

if TYPE_CHECKING:
    from gateway.client import Client


class Viewer:
    """What one client has been told of a chart."""

    __slots__ = ("begun", "chart", "client", "history", "next_at", "told")

    def __init__(self, client: Client, chart: Chart, history: int) -> None:
        self.client, self.chart = client, chart
        self.history = history
        """How many candles a reset has."""
        self.told: int | None = None
        """Up to which turn of the series it was told; None: a reset is due."""
        self.begun = False
        """Whether `subscribed` was said, before which nothing is."""
        self.next_at = 0.0
        """When it may be told again (s), by its token's rate."""

    @property
    def behind(self) -> bool:
        """Whether there is something that it was not told."""
        return self.begun and (self.told is None or self.told < self.chart.series.version)

    def due(self) -> Candles | None:
        """Return what it is to be told now, and count it as told; None: it knows everything.

        That begins a turn: what it says has this turn's number, and is not said to this client again.  The others
        are behind until the turn that is due.
        """
        self.chart.series.turn()
        told, self.told = self.told, self.chart.series.version
        return self.chart.reset(self.history) if told is None else self.chart.update(told)
