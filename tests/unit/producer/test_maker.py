"""The loops: ticks by schedule, a beat a second."""

from __future__ import annotations

import asyncio

import pytest

from producer.maker import Maker
from producer.publisher import Publisher
from producer.sources.simulation import Simulation
from producer.sources.universe import load
from services.broker.ports import Route
from tests.unit.producer.scripted import WALL, HandClock, ScriptedSink

EPOCH = 1_795_000_000_000
LISTINGS = load(None)[:5]


class Finished(Exception):
    """The script is over."""


class Loop:
    """A maker whose sleeps move the hand clock; *late* says by how much more, sleep by sleep."""

    def __init__(self, rate: float, turns: int, late: dict[int, float] | None = None) -> None:
        self.clock, self.sink = HandClock(), ScriptedSink()
        self.publisher = Publisher(self.sink, self.clock, "main")
        self.source = Simulation(2, LISTINGS, rate)
        self.publisher.begin(EPOCH, self.source.instruments(WALL))
        self.sink.connect(self.publisher)
        self.maker = Maker(self.publisher, self.clock, 1_000, sleep=self._sleep)
        self.slept: list[float] = []
        self._turns, self._late = turns, late or {}

    async def _sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.clock.now += seconds + self._late.get(len(self.slept), 0.0)
        self.slept.append(seconds)
        self.sink.settle(self.sink.number)
        if len(self.slept) == self._turns:
            raise Finished
        await asyncio.sleep(0)

    async def make(self) -> None:
        """Run the script to its end."""
        with pytest.raises(Finished):
            await self.maker.make(self.source)


async def test_first_turn_fences_every_symbol() -> None:
    """Before the first sleep every symbol has had its first tick."""
    loop = Loop(rate=10, turns=1)
    await loop.make()
    first = {(m.symbol, m.identity) for m in loop.sink.taken(Route.TICK)}
    assert first == {(one.symbol, f"{EPOCH}-1-{WALL}") for one in LISTINGS}


async def test_a_slow_market_sleeps_between_ticks() -> None:
    """At one tick per second the loop wakes about once per tick, not once per interval."""
    loop = Loop(rate=1, turns=100)
    await loop.make()
    assert loop.publisher.made >= 60
    assert sum(loop.slept) > 50


async def test_ticks_come_at_their_time() -> None:
    """Each tick is published within one interval after its `ts`, whatever came late before."""
    loop = Loop(rate=200, turns=300, late={40: 0.05, 90: 0.3})
    late = 0
    await loop.make()
    for message in loop.sink.taken(Route.TICK):
        assert message.identity is not None
        published = int(message.identity.rpartition("-")[2])
        ts = int(message.body.partition(b'"ts":')[2].partition(b",")[0])
        assert published >= ts
        late += published - ts > 1_001
    assert 0 < late <= 200 * 0.36 + 10


async def test_a_long_pause_leaves_holes() -> None:
    """After ten seconds without a turn the ticks of eight are skipped and counted; later ones follow in order."""
    loop = Loop(rate=1_000, turns=400, late={3: 10.0})
    await loop.make()
    assert loop.maker.skipped == pytest.approx(8_000, rel=0.1)
    assert loop.maker.lags.buckets()[-1][1] - loop.maker.lags.buckets()[-2][1] >= 1
    assert loop.publisher.made + loop.maker.skipped == pytest.approx(1_000 * (loop.clock.now - 100), rel=0.1)


async def test_a_set_clock_is_followed() -> None:
    """When the wall clock is set, later ticks carry the new time, and the step is counted."""
    loop = Loop(rate=100, turns=50)
    step = asyncio.create_task(loop.make())
    await asyncio.sleep(0)
    loop.clock.stepped = 60_000_000
    await step
    last = loop.sink.taken(Route.TICK)[-1].body
    assert int(last.partition(b'"ts":')[2].partition(b",")[0]) > WALL + 60_000_000
    assert loop.maker.clock_steps == 1


async def test_a_beat_a_second() -> None:
    """Heartbeats keep to whole seconds from the first; one that comes late moves no later one."""
    loop = Loop(rate=10, turns=6, late={2: 0.4})
    with pytest.raises(Finished):
        await loop.maker.beat()
    times = [(beat["time"] - WALL) / 1e6 for beat in loop.sink.controls("heartbeat")]
    assert times == pytest.approx([0, 0, 1, 2, 3.4, 4, 5][: len(times)])
    assert len(times) == 7
