"""One symbol's ticks: on the grid, never crossed, and shaped like a market."""

from __future__ import annotations

from itertools import islice, pairwise
from math import log, sqrt
from statistics import fmean, stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producer.sources.day import DAY_S
from producer.sources.factor import MARKET_VOLATILITY, YEAR_S, Factor
from producer.sources.source import Last
from producer.sources.universe import BETAS, PRICES, VOLATILITIES, WEIGHTS, Listing
from producer.sources.walk import BLOCK, QUOTES, Walk, replay
from services.market.symbol import Symbol
from services.market.tick import Tick
from services.market.wire import decode_tick, encode_tick


def listing(
    name: str = "A", *, price: int = 20_000, volatility: float = 0.3, beta: float = 1.0, weight: float = 5.0
) -> Listing:
    """A listing."""
    return Listing(Symbol(name), name, price, volatility, beta, weight, 2)


def ticks(one: Listing, length: int, seed: int = 1, start: int = 1) -> list[Tick]:
    """*length* ticks."""
    return list(islice(replay(seed, one, start), length))


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**63 - 1),
    price=st.integers(1, int(PRICES[1]) * 100),
    volatility=st.floats(*VOLATILITIES),
    beta=st.floats(*BETAS),
    weight=st.floats(*WEIGHTS),
    start=st.integers(1, 2_000),
)
def test_every_tick_is_valid(
    *, seed: int, price: int, volatility: float, beta: float, weight: float, start: int
) -> None:
    """Whatever the listing, prices are on the grid and above 0, bid < ask, bid <= price <= ask, and it encodes."""
    one = Listing(Symbol("A"), "a", price, volatility, beta, weight, 2)
    for seq, tick in enumerate(ticks(one, BLOCK + 2, seed, start), start):
        assert tick.seq == seq
        assert 0 < tick.bid <= tick.price <= tick.ask
        assert tick.bid < tick.ask
        assert min(tick.bid_size, tick.ask_size) > 0
        assert 0 <= tick.size <= tick.volume
        assert decode_tick(encode_tick(tick)) == tick


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**63 - 1),
    epoch=st.integers(1, 10**13),
    price=st.integers(1, int(PRICES[1]) * 1_000),
    volume=st.integers(0, 10**15 - 1),
    volatility=st.floats(*VOLATILITIES),
    beta=st.floats(*BETAS),
    weight=st.floats(*WEIGHTS),
)
def test_a_walk_that_goes_on_is_valid(
    *, seed: int, epoch: int, price: int, volume: int, volatility: float, beta: float, weight: float
) -> None:
    """Whatever was the last price and volume, the first tick is a trade close by, and volume never falls."""
    one = Listing(Symbol("A"), "a", 10_000, volatility, beta, weight, 2)
    found = list(islice(replay(seed, one, epoch=epoch, last=Last(price, volume)), BLOCK + 2))
    # Ten times what one tick moves a symbol of this volatility, and the spread; a jump is worth a day's deviation.
    usual = 10 * volatility / sqrt(YEAR_S * weight) + 3 * volatility / sqrt(252) + 0.001 * volatility
    assert abs(log(found[0].price / price)) <= usual + 2 / price
    assert found[0].size > 0
    traded = volume
    for seq, tick in enumerate(found, 1):
        assert tick.seq == seq
        assert 0 < tick.bid <= tick.price <= tick.ask
        assert tick.volume == traded + tick.size
        traded = tick.volume
        assert decode_tick(encode_tick(tick)) == tick


def test_a_walk_that_goes_on_walks_anew() -> None:
    """The way on depends on the epoch, is the same for the same one, and is not the way from the start."""
    one, last = listing(), Last(20_000, 500)

    def ways(epoch: int, last: Last | None = last) -> list[Tick]:
        return list(islice(replay(1, one, epoch=epoch, last=last), 300))

    assert ways(7) == ways(7)
    assert ways(7) != ways(8)
    assert [t.price for t in ways(7)] != [t.price for t in ways(7, None)]
    assert ways(7, None) == ways(8, None) == ticks(one, 300)
    assert list(islice(replay(1, one, 200, epoch=7, last=last), 50)) == ways(7)[199:249]


def test_what_was_carried_counts_for_its_day_only() -> None:
    """Volume goes on from the last run's until the day ends, and begins again then."""
    one = listing(weight=0.5)
    found = list(islice(replay(1, one, epoch=2, last=Last(20_000, 10**9)), int(1.2 * DAY_S * 0.5)))
    drops = [b for a, b in pairwise(found) if b.volume != a.volume + b.size]
    assert len(drops) == 1
    assert drops[0].volume == drops[0].size


@pytest.mark.parametrize("price", [1, 10**8])
def test_extremes_hold_for_long(price: int) -> None:
    """The cheapest and dearest symbols at the largest volatility stay valid over 20 million ticks."""
    one = listing(price=price, volatility=5.0, beta=5.0, weight=1e5)
    for start in (10**6, 2 * 10**7):
        for tick in ticks(one, 10, 3, start):
            assert 0 < tick.bid <= tick.price <= tick.ask < 10**15
            assert tick.bid < tick.ask


def test_own_volatility_is_the_listings() -> None:
    """Without a market, returns vary as the listing says."""
    one = listing(volatility=0.4, beta=0.0, price=10**7, weight=1.0)
    prices = [next(replay(seed, one, BLOCK * 40 + 1)).bid for seed in range(200)]
    years = BLOCK * 40 / YEAR_S
    # Jumps add to the diffusion: twice a day, half a day's deviation each, so half as much variance again.
    expected = 0.4 * sqrt(years * 1.5)
    assert stdev(log(p / 10**7) for p in prices) == pytest.approx(expected, rel=0.2)


def test_beta_moves_symbols_together() -> None:
    """Symbols of high beta move together over the same time, whatever their weights; without beta they do not."""

    def returns(name: str, beta: float, weight: float) -> list[float]:
        one = listing(name, beta=beta, volatility=0.2, price=10**7, weight=weight)
        step = int(240 * weight)
        prices = [t.bid for t in islice(replay(4, one), 0, 80 * step, step)]
        return [log(b / a) for a, b in pairwise(prices)]

    def correlation(a: list[float], b: list[float]) -> float:
        ma, mb = fmean(a), fmean(b)
        both = sum((x - ma) * (y - mb) for x, y in zip(a, b, strict=True))
        return both / sqrt(sum((x - ma) ** 2 for x in a) * sum((y - mb) ** 2 for y in b))

    assert correlation(returns("A", 1.2, 1.0), returns("B", 1.2, 2.5)) > 0.35
    assert abs(correlation(returns("A", 0.0, 1.0), returns("B", 0.0, 2.5))) < 0.3


def test_prices_jump_now_and_then() -> None:
    """Over ten days some single step is far larger than diffusion explains."""
    one = listing(beta=0.0, weight=0.5, price=10**6)
    bids = [tick.bid for tick in ticks(one, int(10 * DAY_S * 0.5))]
    steps = [abs(log(b / a)) for a, b in pairwise(bids)]
    usual = stdev(steps)
    assert 3 <= sum(step > 8 * usual for step in steps) <= 60


def test_spread_follows_price_and_volatility() -> None:
    """Dear and volatile symbols are quoted wider."""

    def spread(price: int, volatility: float) -> float:
        return fmean(t.ask - t.bid for t in ticks(listing(price=price, volatility=volatility), 1_000))

    assert spread(20_000, 0.3) < spread(400_000, 0.3) < spread(400_000, 1.0)


def test_spread_widens_after_a_move() -> None:
    """Right after the largest moves the spread is wider than on average."""
    found = ticks(listing(price=10**6, beta=0.0), 20_000)
    moves = sorted(range(1, len(found)), key=lambda n: -abs(found[n].bid - found[n - 1].bid))[:20]
    after = fmean(found[min(n + 1, len(found) - 1)].ask - found[min(n + 1, len(found) - 1)].bid for n in moves)
    assert after > fmean(t.ask - t.bid for t in found)


def test_quotes_and_trades() -> None:
    """Three in ten ticks only change the quote; trades add up to the volume."""
    found = ticks(listing(), 10 * BLOCK)
    assert sum(t.size == 0 for t in found) == 10 * QUOTES
    assert found[0].size > 0
    total = 0
    for tick in found:
        total += tick.size
        assert tick.volume == total


def test_volume_is_the_days() -> None:
    """Volume begins again with each day, and only then."""
    one = listing(weight=0.5)
    found = ticks(one, int(3.2 * DAY_S * 0.5))
    drops = [b.seq for a, b in pairwise(found) if b.volume != a.volume + b.size]
    assert len(drops) == 3
    assert all(tick.volume == tick.size for tick in found if tick.seq in drops)


def test_sizes_suit_the_price() -> None:
    """Cheap shares trade in larger numbers."""
    assert ticks(listing(price=1_000), BLOCK)[-1].volume > 2 * ticks(listing(price=50_000), BLOCK)[-1].volume


@settings(max_examples=40, deadline=None)
@given(start=st.integers(1, 1_000), seq=st.integers(1, 3_000))
def test_seek_leads_to_the_same_ticks(start: int, seq: int) -> None:
    """From anywhere, going forward to a sequence leads to that sequence's tick."""
    one = listing()
    walk = Walk(6, one, Factor(6))
    walk.seek(start)
    walk.seek(max(start, seq))
    (tick,) = walk.take(walk.next_at, 0, 0.0, 0.0)
    assert tick == next(replay(6, one, max(start, seq)))


def test_market_volatility() -> None:
    """The common factor has the volatility that it names."""
    levels = [Factor(seed).level(3_000.0) for seed in range(150)]
    assert stdev(levels) == pytest.approx(MARKET_VOLATILITY * sqrt(3_000 / YEAR_S), rel=0.2)
