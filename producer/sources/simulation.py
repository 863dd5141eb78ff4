"""A seeded market: every symbol's ticks by one schedule.  Pure.

`TICKWIRE_RATE` is ticks per second over all symbols, as an average over the simulated day; see `walk` for what
depends on it (each tick's `ts`) and what does not (everything else), and `day` for the shape of the day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import heapify, heapreplace
from math import fsum
from typing import Final

from producer.sources.day import first_stretch, next_stretch
from producer.sources.factor import Factor
from producer.sources.source import Burst, Last
from producer.sources.universe import Listing
from producer.sources.walk import Walk, run_seed
from services.market.directory import Instrument, SessionState
from services.market.symbol import Symbol

EXCHANGE: Final = "SIM"
CURRENCY: Final = "USD"


class Simulation:
    """A `Source` of the ticks of *listings* at *rate* ticks per second.

    Symbols in *lasts* go on in *epoch* from where an earlier run left them; the others begin afresh, and walk as
    they would in any run.  So there are two markets, one for each kind.
    """

    def __init__(
        self,
        seed: int,
        listings: Sequence[Listing],
        rate: float,
        *,
        epoch: int = 0,
        lasts: Mapping[Symbol, Last] | None = None,
    ) -> None:
        self._listings = tuple(listings)
        self._fresh, self._further = Factor(seed), Factor(run_seed(seed, epoch))
        self._walks = [self._walk(seed, epoch, listing, (lasts or {}).get(listing.symbol)) for listing in listings]
        self._queue = [(walk.next_at, index) for index, walk in enumerate(self._walks)]
        heapify(self._queue)
        # One second of session time holds, on average over the day, as many ticks as the weights sum up to.
        self._pace = 1e6 * fsum(listing.weight for listing in self._listings) / rate
        self._stretch = first_stretch(self._pace)

    def _walk(self, seed: int, epoch: int, listing: Listing, last: Last | None) -> Walk:
        if last is None:
            return Walk(seed, listing, self._fresh)
        return Walk(run_seed(seed, epoch), listing, self._further, last)

    def instruments(self, since: int) -> list[Instrument]:
        """See `Source.instruments`: every symbol is open for the whole run."""
        return [_instrument(listing, since) for listing in self._listings]

    def due(self, until: int, base: int) -> list[Burst]:
        """See `Source.due`."""
        bursts: list[Burst] = []
        while self._stretch.until <= until:
            self._collect(self._stretch.ends, base, bursts)
            self._stretch = next_stretch(self._stretch, self._pace)
        self._collect(self._stretch.activity(until), base, bursts)
        return bursts

    def skip(self, until: int) -> int:
        """See `Source.skip`."""
        while self._stretch.until <= until:
            self._stretch = next_stretch(self._stretch, self._pace)
        activity, skipped, queue = self._stretch.activity(until), 0, self._queue
        while queue[0][0] <= activity:
            index = queue[0][1]
            skipped += self._walks[index].skip(activity)
            heapreplace(queue, (self._walks[index].next_at, index))
        self._forget(activity)
        return skipped

    def next_due(self) -> int:
        """See `Source.next_due`; where a minute of session time holds no tick, that minute's end."""
        return int(self._stretch.offset(min(self._queue[0][0], self._stretch.ends)))

    def _collect(self, activity: float, base: int, bursts: list[Burst]) -> None:
        queue, walks, stretch = self._queue, self._walks, self._stretch
        self._forget(stretch.begins if queue[0][0] > activity else queue[0][0])
        while queue[0][0] <= activity:
            index = queue[0][1]
            walk = walks[index]
            first = walk.next_seq
            bursts.append(Burst(walk.take(activity, base, stretch.origin, stretch.slope), first))
            heapreplace(queue, (walk.next_at, index))

    def _forget(self, before: float) -> None:
        self._fresh.forget(before)
        self._further.forget(before)


def _instrument(listing: Listing, since: int) -> Instrument:
    return Instrument(
        symbol=listing.symbol,
        name=listing.name,
        exchange=EXCHANGE,
        currency=CURRENCY,
        decimals=listing.decimals,
        tick_size=1,
        previous_close=listing.price,
        session=SessionState.OPEN,
        since=since,
    )
