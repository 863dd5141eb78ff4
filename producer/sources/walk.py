"""The ticks of one simulated symbol, and why they are the same on every machine and in every company.  Pure.

Content.  Everything in tick *n* of a symbol but its `ts` is a function of the seed, the symbol's own listing and
*n*.  Not of the rate, the pacing, the calls, or the other symbols.  That rests on four choices:

- A symbol's *weight* is its rate in ticks per activity second (see `day`), an absolute figure; the wanted
  ticks per second only say how fast activity passes.  So tick *n* has the same place in activity time in any
  company, symbols move together in real time, and adding a symbol changes the others' `ts` alone.
- Ticks come in blocks of BLOCK.  Block *b* covers activity `[b, b + 1) * BLOCK / weight`; its ticks lie in it as
  BLOCK uniform draws in order, which is what a Poisson process is, given its count.
- What happens in a block comes from a random stream of its own, named by seed, symbol and *b*.  Only one number
  passes from block to block: the logarithm of the symbol's own price, whose step over the block comes from a
  second, coarse stream (geometric Brownian motion, now and then a jump).  Inside, a Brownian bridge.
- Each block shuffles the same trade sizes, so volume at its start is a product.

A symbol that goes on from an earlier run (`Last`) begins at that price instead of its listing's, and its first
day's volume at that volume.  It must not walk the old way again: the epoch becomes part of the seed (`run_seed`).

Therefore a late producer skips an hour of ticks for the price of one coarse step per BLOCK ticks.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, exp, fsum, log, sqrt
from statistics import NormalDist
from typing import Final

from producer.sources.day import DAY_S, day_begins, day_of
from producer.sources.factor import DAYS_PER_YEAR, MARKET_VOLATILITY, YEAR_S, Factor
from producer.sources.source import Last
from producer.sources.stream import stream, stream_seed
from producer.sources.universe import Listing
from services.market.tick import Tick

BLOCK: Final = 128
QUOTES: Final = 38
"""Ticks of a block that only change the quote (30 %)."""
OWN_SHARE: Final = 0.3
"""Least share of a symbol's volatility that is its own, however large its beta."""
JUMPS_PER_DAY: Final = 2.0
JUMP_SCALE: Final = 0.5
"""A jump's standard deviation, as a share of the symbol's daily one."""
CEILING: Final = 1e12
"""Highest price in units of 10**-decimals: the codec writes 15 digits."""
STEEPEST: Final = 60.0
"""Largest logarithm of price over first price: `exp` stays finite; CEILING bites long before."""
SPREAD_SHARE: Final = 0.00012
"""Quoted spread over price, per unit of annual volatility: AAPL at 268 and 0.27 quotes about one cent."""
SPREAD_STRESS: Final = 1.5
"""How much of the recent average move the spread adds."""
MEMORY: Final = 0.9
"""What one tick leaves of the recent average move."""

_LOTS: Final = tuple(1 + int(-log(1 - (k + 0.5) / 256) * 3) for k in range(256))
"""Round lots at the best bid or ask, by a byte: exponential, mean 3.5."""
_PLACES: Final = (0, 0, 0, 1, 1, 2, 2, 2)
"""Where a trade happens, in half spreads above the bid, by three bits."""


class Walk:
    """One symbol, tick by tick.  *next_at* is the activity second at which the next one is due."""

    __slots__ = (
        "_bits",
        "_block",
        "_block_volume",
        "_bridge",
        "_carried",
        "_coarse",
        "_end",
        "_factor",
        "_fine",
        "_index",
        "_jump_chance",
        "_jump_scale",
        "_listing",
        "_own",
        "_place",
        "_recent",
        "_seed",
        "_sizes",
        "_span",
        "_spread",
        "_start",
        "_steps",
        "_times",
        "_typical",
        "_volume",
        "next_at",
    )

    def __init__(self, seed: int, listing: Listing, factor: Factor, last: Last | None = None) -> None:
        self._seed, self._listing, self._factor = seed, listing, factor
        self._start, self._carried = last or Last(listing.price, 0)
        self._coarse = stream(seed, listing.symbol, "coarse")
        self._fine = stream(seed, listing.symbol, 0)
        self._span = BLOCK / listing.weight
        volatility = listing.volatility
        own = max(volatility**2 - (listing.beta * MARKET_VOLATILITY) ** 2, (OWN_SHARE * volatility) ** 2)
        self._own = sqrt(own / YEAR_S)
        self._jump_chance = min(1.0, JUMPS_PER_DAY * self._span / DAY_S)
        self._jump_scale = JUMP_SCALE * volatility / sqrt(DAYS_PER_YEAR)
        self._typical = volatility / sqrt(YEAR_S * listing.weight)
        self._spread = SPREAD_SHARE * volatility
        self._sizes = _sizes(listing)
        self._block_volume = sum(self._sizes)
        self._end, self._block = 0.0, -1
        self._open(0)

    @property
    def next_seq(self) -> int:
        """The sequence of the next tick."""
        return self._block * BLOCK + self._index + 1

    def take(self, until: float, base: int, origin: float, slope: float) -> list[Tick]:
        """Make the ticks due up to activity *until*; `ts` is *base* + *origin* + activity x *slope*."""
        ticks: list[Tick] = []
        while (at := self.next_at) <= until:
            ticks.append(self._tick(base + int(origin + at * slope)))
            self._pass()
        return ticks

    def skip(self, until: float) -> int:
        """Consume the sequences due up to activity *until* without making their ticks; return how many."""
        before = self.next_seq
        if (block := int(until // self._span)) > self._block:
            self._open(block)
        while self.next_at <= until:
            self._pass()
        return self.next_seq - before

    def seek(self, seq: int) -> None:
        """Go forward to sequence *seq*, so that it comes next."""
        if (block := (seq - 1) // BLOCK) > self._block:
            self._open(block)
        while self.next_seq < seq:
            self._pass()

    def _open(self, block: int) -> None:
        """Begin *block*, which lies ahead; coarse steps lead over the blocks between."""
        for _ in range(self._block + 1, block):
            step, jump = self._stride()
            self._end += step + jump
        self._block, self._index, self._bridge = block, 0, self._end
        step, jump = self._stride()
        self._end += step + jump
        self._fill(step, jump)
        self._recent, self._place = self._typical, 0
        day = day_of(block * self._span)
        first = max(0, ceil(day_begins(day) / self._span))
        self._volume = self._block_volume * max(0, block - first) + (0 if day else self._carried)

    def _stride(self) -> tuple[float, float]:
        """The own move of the next block: its diffusion and its jump (mostly 0)."""
        coarse, span = self._coarse, self._span
        step = coarse.gauss(-0.5 * self._own**2 * span, self._own * sqrt(span))
        jump = coarse.gauss(0.0, self._jump_scale) if coarse.random() < self._jump_chance else 0.0
        return step, jump

    def _fill(self, step: float, jump: float) -> None:
        fine = self._fine
        fine.seed(stream_seed(self._seed, self._listing.symbol, self._block))
        draw, gauss, scale = fine.random, fine.gauss, self._own * sqrt(self._span / BLOCK)
        begins, span = self._block * self._span, self._span
        self._times = sorted([begins + draw() * span for _ in range(BLOCK)])
        steps = [gauss(0.0, scale) for _ in range(BLOCK)]
        # fsum: the built-in sum rounds differently from Python 3.12 on.
        pull = (step - fsum(steps)) / BLOCK
        self._steps = [one + pull for one in steps]
        self._steps[int(draw() * BLOCK)] += jump
        self._bits = [fine.getrandbits(19) for _ in range(BLOCK)]
        self._sizes.sort()
        fine.shuffle(self._sizes)
        if self._block == 0:
            self._begin_with_a_trade()
        self.next_at = self._times[0]

    def _begin_with_a_trade(self) -> None:
        """Let the run's first tick come at once and be a trade: it gives the symbol a last price."""
        self._times[0] = 0.0
        while self._sizes[0] == 0:
            self._sizes.append(self._sizes.pop(0))

    def _pass(self) -> None:
        """Go over the next tick: all that later ticks of its block need to know of it."""
        index = self._index
        step, size = self._steps[index], self._sizes[index]
        self._bridge += step
        self._recent = MEMORY * self._recent + (1 - MEMORY) * abs(step)
        if size:
            self._volume += size
            self._place = _PLACES[self._bits[index] >> 16]
        self._index = index = index + 1
        if index == BLOCK:
            self._open(self._block + 1)
        else:
            self.next_at = self._times[index]

    def _tick(self, ts: int) -> Tick:
        """Make the tick that `_pass` will go over."""
        index, listing = self._index, self._listing
        step, size, bits = self._steps[index], self._sizes[index], self._bits[index]
        move = self._bridge + step + listing.beta * self._factor.level(self.next_at)
        middle = min(self._start * exp(min(move, STEEPEST)), CEILING)
        width = 1 + int(middle * (self._spread + SPREAD_STRESS * max(0.0, self._recent - self._typical)))
        bid = max(1, int(middle - width / 2 + 0.5))
        # Without a trade the last one's side of the quote stands: a price that keeps within a moving quote.
        place = _PLACES[bits >> 16] if size else self._place
        return Tick(
            self._block * BLOCK + index + 1,
            ts,
            listing.symbol,
            bid + width * place // 2,
            size,
            bid,
            bid + width,
            _LOTS[bits & 255],
            _LOTS[bits >> 8 & 255],
            self._volume + size,
            listing.decimals,
        )


def run_seed(seed: int, epoch: int) -> int:
    """Return the seed of what goes on in *epoch* from an earlier run."""
    return stream_seed(seed, "run", epoch)


def replay(
    seed: int, listing: Listing, start: int = 1, *, epoch: int = 0, last: Last | None = None
) -> Iterator[Tick]:
    """Yield the ticks of *listing* from sequence *start* on, without end, each with `ts` 0.

    What a `Simulation` with *seed* publishes at the same sequence differs in `ts` only; *epoch* and *last* count
    for a symbol that goes on from an earlier run.
    """
    seed = seed if last is None else run_seed(seed, epoch)
    factor = Factor(seed)
    walk = Walk(seed, listing, factor, last)
    walk.seek(start)
    while True:
        factor.forget(walk.next_at)
        yield from walk.take(walk.next_at, 0, 0.0, 0.0)


def _sizes(listing: Listing) -> list[int]:
    """The trade sizes of every block: log-normal shares, fewer where a share is dear, half in round lots."""
    usual = log(max(10.0, 100.0 * sqrt(100.0 / (listing.price / 10**listing.decimals))))
    quantile, trades = NormalDist().inv_cdf, BLOCK - QUOTES
    sizes = [max(1, round(exp(usual + 1.1 * quantile((k + 0.5) / trades)))) for k in range(trades)]
    return [0] * QUOTES + [max(100, round(s / 100) * 100) if k % 2 else s for k, s in enumerate(sizes)]
