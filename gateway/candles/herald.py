"""Who is told what of a chart, and when.  Pure.

Nothing waits per client and change: a client that cannot be told now is owed, and gets the candles as they stand
when it can.  So what it is sent grows neither with the ticks nor with the time that it took nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from gateway.agenda import Agenda
from gateway.candles.chart import Chart
from gateway.candles.tally import CandleTally
from gateway.candles.viewer import Viewer
from gateway.outbox import ROOM_BYTES

if TYPE_CHECKING:
    from gateway.client import Client

TURN_S: Final = 0.25
"""Least seconds between two updates of one symbol and interval."""


class Herald:
    """Tells the viewers of all charts."""

    def __init__(self, agenda: Agenda, tally: CandleTally) -> None:
        self._agenda, self._tally = agenda, tally

    def begin(self, viewers: Iterable[Viewer], now: float) -> None:
        """Tell *viewers* of one client what there is; of the others they are told once it is there."""
        for viewer in viewers:
            viewer.begun = True
            self._owe(viewer, now)

    def changed(self, chart: Chart, now: float) -> None:
        """Tell everybody soon."""
        if not chart.turn_due:
            self._turn_at(chart, max(now, chart.turned + TURN_S))

    def reset(self, chart: Chart, now: float) -> None:
        """Have everybody replace what they have."""
        chart.turned = now
        chart.series.turn()
        for viewer in chart.viewers:
            viewer.told = None
            if viewer.begun:
                self._owe(viewer, now)

    def drained(self, client: Client, now: float) -> None:
        """The client's socket has taken everything."""
        if client.owed:
            self._pay(client, now)

    def _turn_at(self, chart: Chart, at: float) -> None:
        chart.turn_due = True
        self._agenda.at(at, lambda now: self._turn(chart, now))

    def _turn(self, chart: Chart, now: float) -> None:
        """Tell everybody what changed."""
        chart.turn_due = False
        if not chart.ready or not chart.viewers:
            return
        chart.turned = now
        chart.series.turn()
        late = False
        for viewer in chart.viewers:
            if not viewer.behind:
                continue
            if now < viewer.next_at:
                late = True  # its token allows it less often than others
            else:
                self._owe(viewer, now)
        if late:
            self._turn_at(chart, now + TURN_S)

    def _owe(self, viewer: Viewer, now: float) -> None:
        client = viewer.client
        client.owed[viewer] = None
        if client.outbox.blocked:
            self._tally.withheld += 1
        else:
            self._pay(client, now)

    def _pay(self, client: Client, now: float) -> None:
        """Say what a client is owed, as far as there is room: the rest as it stands when there is some again."""
        outbox, rate = client.outbox, client.entitlement.max_rate
        if not outbox.entries:
            client.room = ROOM_BYTES
        while client.owed and not outbox.blocked:
            if client.room <= 0:
                outbox.await_room()
                return
            viewer = next(iter(client.owed))
            del client.owed[viewer]
            if not viewer.chart.ready:
                continue  # a reset will come
            frame = viewer.due()
            viewer.next_at = now if rate is None else now + 1 / rate
            if frame is not None:
                outbox.say(frame)
                client.room -= sum(map(len, frame.rows))
                self._tally.frames += 1
                self._tally.rows += len(frame.rows)
