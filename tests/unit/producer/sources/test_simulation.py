"""The simulated market as a whole: same seed, same ticks, whoever asks how and beside whom."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producer.sources.day import DAY_S, DEPTH
from producer.sources.simulation import Simulation
from producer.sources.source import Last
from producer.sources.universe import Listing, load
from producer.sources.walk import replay
from services.market.directory import SessionState
from services.market.symbol import Symbol
from services.market.tick import Tick
from services.market.wire import encode_tick

BASE = 1_795_000_000_000_000
SECOND = 1_000_000
LISTINGS = load(None)[::9]


def listing(name: str, weight: float, **changes: float) -> Listing:
    """A listing called *name*."""
    return Listing(Symbol(name), name, 10_000, 0.3, 1.0, weight, 2)._replace(**changes)  # type: ignore[arg-type]


def by_symbol(simulation: Simulation, offsets: Iterable[int]) -> dict[Symbol, list[Tick]]:
    """All ticks up to the last of *offsets*, asked for at each of them."""
    ticks: defaultdict[Symbol, list[Tick]] = defaultdict(list)
    for until in offsets:
        for burst in simulation.due(until, BASE):
            assert burst.first == burst.ticks[0].seq
            ticks[burst.ticks[0].symbol] += burst.ticks
    return ticks


@settings(max_examples=12, deadline=None)
@given(cuts=st.lists(st.integers(0, 3 * SECOND), max_size=30), rate=st.sampled_from([100.0, 900.0]))
def test_calls_do_not_matter(cuts: list[int], rate: float) -> None:
    """However the schedule is cut into calls, every symbol's ticks are the same to the bit, `ts` included."""
    whole = by_symbol(Simulation(5, LISTINGS, rate), [3 * SECOND])
    cut = by_symbol(Simulation(5, LISTINGS, rate), [*sorted(cuts), 3 * SECOND])
    assert cut == whole
    assert [encode_tick(t) for s in whole for t in cut[s]] == [encode_tick(t) for s in whole for t in whole[s]]


@settings(max_examples=10, deadline=None)
@given(data=st.data(), rate=st.floats(200, 2_000))
def test_neighbours_change_the_time_only(data: st.DataObject, rate: float) -> None:
    """In another company and at another rate, a symbol's ticks differ in `ts` alone."""
    company = data.draw(st.lists(st.sampled_from(LISTINGS), min_size=1, unique=True))
    everybody = by_symbol(Simulation(5, LISTINGS, 1_000), [2 * SECOND])
    for symbol, ticks in by_symbol(Simulation(5, company, rate), [2 * SECOND]).items():
        for some, one in zip(everybody[symbol], ticks, strict=False):
            assert some._replace(ts=0) == one._replace(ts=0)


def test_replay_recomputes_any_tick() -> None:
    """What is published at a sequence can be computed from seed, listing and sequence alone."""
    published = by_symbol(Simulation(8, LISTINGS, 3_000), range(0, 3 * SECOND, 10_000))
    for one in LISTINGS:
        ticks = published[one.symbol]
        for start in {1, len(ticks) // 2 + 1, len(ticks)}:
            again = replay(8, one, start)
            for tick in ticks[start - 1 :][:200]:
                assert next(again) == tick._replace(ts=0)


def test_another_seed_is_another_market() -> None:
    """Two seeds share no path."""
    (one,) = LISTINGS[:1]
    first, second = replay(1, one), replay(2, one)
    assert [next(first).price for _ in range(50)] != [next(second).price for _ in range(50)]


def test_a_run_begins_with_a_trade_of_every_symbol() -> None:
    """At offset 0 every symbol has exactly its first tick, a trade near its listed price."""
    listings = load(None)
    ticks = by_symbol(Simulation(3, listings, 10), [0])
    assert set(ticks) == {one.symbol for one in listings}
    for one in listings:
        (tick,) = ticks[one.symbol]
        assert (tick.seq, tick.ts) == (1, BASE)
        assert tick.size > 0
        assert tick.price == pytest.approx(one.price, rel=0.01)


def test_rate_and_weights() -> None:
    """Twenty seconds hold the ticks asked for within 2 %, shared out by weight."""
    listings = load(None)
    ticks = by_symbol(Simulation(3, listings, 2_000), [20 * SECOND])
    total = sum(map(len, ticks.values()))
    assert total == pytest.approx(40_000, rel=0.02)
    for one in listings[:10]:
        assert len(ticks[one.symbol]) == pytest.approx(20 * one.weight, rel=0.15)
    assert len(ticks[listings[-1].symbol]) < 140


def test_the_day_is_u_shaped() -> None:
    """Around noon the market is less busy than around the open, by the depth; a day has the wanted mean."""
    rate = 2_000.0
    simulation = Simulation(3, [listing("A", 1.0)], rate)
    day = int(DAY_S / rate * SECOND)
    counts = [sum(map(len, by_symbol(simulation, [n * day // 20]).values())) for n in range(1, 21)]
    assert sum(counts) == pytest.approx(DAY_S, rel=0.02)
    mean = DAY_S / 20
    # The run begins a quarter into the day: noon is 5 twentieths later, close and open 15.
    assert sum(counts[4:6]) / 2 == pytest.approx(mean * (1 - DEPTH), rel=0.15)
    assert sum(counts[14:16]) / 2 == pytest.approx(mean * (1 + DEPTH), rel=0.15)


def test_arrivals_cluster_like_a_poisson_process() -> None:
    """The gaps between a symbol's ticks vary as much as exponential ones do."""
    (ticks,) = by_symbol(Simulation(3, [listing("A", 50.0)], 50), [120 * SECOND]).values()
    gaps = [b.ts - a.ts for a, b in pairwise(ticks)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert min(gaps) >= 0
    assert deviation / mean == pytest.approx(1.0, abs=0.1)


@settings(max_examples=12, deadline=None)
@given(before=st.integers(0, 3 * SECOND), hole=st.integers(0, 20 * SECOND))
def test_skipped_ticks_are_holes(before: int, hole: int) -> None:
    """After a skip every symbol goes on with the tick that it would have had, and the missing ones are counted."""
    after = before + hole + SECOND
    whole = by_symbol(Simulation(5, LISTINGS, 900), [before, before + hole, after])
    simulation = Simulation(5, LISTINGS, 900)
    ticks = by_symbol(simulation, [before])
    skipped = simulation.skip(before + hole)
    rest = by_symbol(simulation, [after])
    assert skipped == sum(map(len, whole.values())) - sum(map(len, [*ticks.values(), *rest.values()]))
    for symbol, late in rest.items():
        assert late == whole[symbol][-len(late) :]


def test_an_hour_is_skipped_in_seconds() -> None:
    """Skipping 36 million ticks costs one step per 128, and the next ticks are right."""
    simulation = Simulation(5, LISTINGS, 10_000)
    assert simulation.skip(3_600 * SECOND) == pytest.approx(36_000_000, rel=0.4)
    burst = simulation.due(3_600 * SECOND + 100_000, BASE)[0]
    (one,) = (one for one in LISTINGS if one.symbol == burst.ticks[0].symbol)
    assert next(replay(5, one, burst.first)) == burst.ticks[0]._replace(ts=0)


def test_next_due_is_never_late() -> None:
    """Nothing comes before the next due offset, and following it reaches every tick."""
    simulation = Simulation(5, LISTINGS[-3:], 3)
    simulation.due(0, BASE)
    found, asked = 0, 0
    while found < 20:
        at = simulation.next_due()
        assert simulation.due(at - 1, BASE) == []
        found += sum(len(burst.ticks) for burst in simulation.due(at + 1, BASE))
        asked += 1
    assert asked < 60


def test_directory() -> None:
    """Every symbol is listed as open since the start, with its first price as previous close."""
    (one,) = Simulation(1, [listing("A", 1.0)], 10).instruments(BASE)
    assert (one.symbol, one.decimals, one.tick_size, one.previous_close) == ("A", 2, 1, 10_000)
    assert (one.session, one.since) == (SessionState.OPEN, BASE)


def test_a_run_goes_on_from_the_one_before() -> None:
    """Symbols with a last price and volume go on from there by their epoch; the others begin afresh, as always."""
    old = by_symbol(Simulation(5, LISTINGS, 1_000), [2 * SECOND])
    names = sorted(old)[::2]
    lasts = {name: Last(old[name][-1].price, old[name][-1].volume) for name in names}
    new = by_symbol(Simulation(5, LISTINGS, 1_000, epoch=9, lasts=lasts), [0, SECOND, 2 * SECOND])
    for one in LISTINGS:
        last = lasts.get(one.symbol)
        expected = islice(replay(5, one, epoch=9, last=last), len(new[one.symbol]))
        assert [tick._replace(ts=0) for tick in new[one.symbol]] == list(expected)
        if last is not None:
            assert new[one.symbol][0].volume > last.volume
            assert new[one.symbol][0].price == pytest.approx(last.price, rel=0.02)
    assert all(old[s][: len(new[s])] == new[s] for s in set(old) - set(names))


def test_the_previous_close_stays_the_listings() -> None:
    """A run that goes on changes no directory."""
    fresh, further = (
        Simulation(5, LISTINGS, 1_000, epoch=9, lasts=lasts) for lasts in ({}, {LISTINGS[0].symbol: Last(1, 1)})
    )
    assert fresh.instruments(BASE) == further.instruments(BASE)
