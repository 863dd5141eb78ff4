"""What a seeded producer must have published: the simulation, run again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from producer.sources.simulation import Simulation
from producer.sources.source import Last
from producer.sources.universe import Listing
from services.market.symbol import Symbol
from services.market.wire import encode_tick

AHEAD_US: Final = 20_000
"""Made at once: a test that stops for longer, to look ahead, would measure its own pauses."""


class Recomputed:
    """The fields of tick (epoch, seq) of each symbol but `ts`, which follows from when the producer began.

    *compared* counts the ticks that a checker asked for.
    """

    def __init__(self, seed: int, listings: Sequence[Listing], rate: float) -> None:
        self._seed, self._listings, self._rate = seed, listings, rate
        self._fresh = _Run(Simulation(seed, listings, rate))
        self._further: dict[int, _Run] = {}
        self.compared = 0

    def goes_on(self, epoch: int, lasts: Mapping[Symbol, Last]) -> None:
        """The run of *epoch* goes on from *lasts*, for the symbols in there."""
        simulation = Simulation(self._seed, self._listings, self._rate, epoch=epoch, lasts=lasts)
        self._further[epoch] = _Run(simulation)

    def content(self, symbol: str, epoch: int, seq: int) -> Mapping[str, Any]:
        """For a checker; every epoch of one seed that begins afresh has the same ticks."""
        self.compared += 1
        return self._further.get(epoch, self._fresh).tick(symbol, seq)


class _Run:
    """The ticks of one run, as far as they were asked for."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation, self._until = simulation, 0
        self._ticks: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)

    def tick(self, symbol: str, seq: int) -> Mapping[str, Any]:
        """The fields of one tick."""
        known = self._ticks[symbol]
        while len(known) < seq:
            self._advance()
        return known[seq - 1]

    def _advance(self) -> None:
        for ticks, _ in self._simulation.due(self._until, 0):
            for tick in ticks:
                fields = orjson.loads(encode_tick(tick))
                del fields["ts"]
                self._ticks[tick.symbol].append(fields)
        self._until += AHEAD_US
