"""The join of history's candles and live ticks, whatever gets lost on the way."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.candles.chart import State
from services.market.candle import MINUTE, SECOND
from tests.unit.gateway.candles.world import World

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("tick"), st.integers(90, 110), st.integers(0, 3), st.sampled_from([0, 0, 0, 1.5])),
        st.tuples(st.just("hole"), st.integers(90, 110), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("lost"), st.integers(90, 110), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("repeat"), st.integers(0, 20), st.just(0), st.just(0)),
        st.tuples(st.just("late"), st.integers(0, 9), st.just(0), st.just(0)),
        st.tuples(st.just("time"), st.sampled_from([0.01, 0.1, 0.3, 1, 7, 40]), st.just(0), st.just(0)),
        st.tuples(st.just("read"), st.integers(1, 5), st.just(0), st.just(0)),
        st.tuples(st.just("answer"), st.integers(0, 5), st.just(0), st.just(0)),
        st.tuples(st.just("dead"), st.integers(0, 5), st.just(0), st.just(0)),
        st.tuples(st.just("epoch"), st.just(0), st.just(0), st.just(0)),
        st.tuples(st.just("beat"), st.just(0), st.just(0), st.just(0)),
        st.tuples(st.just("broker"), st.just(0), st.just(0), st.just(0)),
        st.tuples(st.just("again"), st.just(0), st.just(0), st.just(0)),
    ),
    max_size=60,
)


def play(world: World, steps: list[tuple[str, float, int, float]]) -> None:
    """Do what *steps* say; after each, whatever the client was told last is exactly true."""
    world.subscribe()
    held = []
    for what, number, size, ago in steps:
        which = int(number)
        match what:
            case "tick":
                message = world.make(which, size, ago)
                held.append(message)
                world.live(message)
            case "hole":
                held.append(world.make(which, size))
            case "lost":
                world.make(which, size, logged=False)
            case "repeat" if held:
                world.live(*held[-which - 1 :])
            case "late" if held:
                world.live(held[-which % len(held)])
            case "time":
                world.later(number)
            case "read":
                world.read(which)
            case "answer" if world.asked:
                world.answer(which)
            case "dead" if world.asked:
                world.answer(which, dead=True)
            case "epoch":
                world.begin_epoch()
            case "beat":
                world.beat()
            case "broker":
                world.hub.lines.disconnect(world.now)
                world.settle()
                world.hub.lines.connect(world.now)
                world.settle()
            case "again":
                world.subscribe()
        check(world)


def check(world: World) -> None:
    """A client that was told all there is holds the candles of exactly the ticks up to the chart's position."""
    world.view.take()
    if world.view.held is None or world.chart.state is not State.JOINED:
        return
    series = world.chart.series
    (viewer,) = world.chart.viewers
    if viewer.told is not None and not series.changes(viewer.told):
        doubted, truth = world.view.doubted, world.truth(series.at)
        for start, candle in world.view.candles.items():
            assert start in doubted or candle == truth[start], (start, candle, truth.get(start))
        assert world.view.candles.keys() | doubted >= truth.keys() - _lacking(world, truth.keys())


def _lacking(world: World, starts: object) -> set[int]:
    """Candles all of whose trades are lost: nobody can know of them."""
    del starts
    logged = {(message.epoch, message.first) for message in world.log}
    known = {t.at for t in world.made if tuple(t.at) in logged}
    clock, found, lacking = 0, set[int](), set[int]()
    for trade in world.made:
        clock = max(clock, trade.ts - trade.ts % 1_000_000)
        start = clock - clock % (world.step * 1_000_000)
        if trade.size:
            (found if trade.at in known else lacking).add(start)
    return lacking - found


@settings(max_examples=300, deadline=None)
@given(STEPS, st.sampled_from([SECOND, MINUTE]))
def test_no_candle_is_silently_wrong(steps: list[tuple[str, float, int, float]], step: int) -> None:
    """Whatever is lost, late, repeated or unanswered: a candle is true, or says that it may not be."""
    world = World(step)
    play(world, steps)
    world.quiet()
    assert world.chart.state is State.JOINED or not world.log
    check(world)


@settings(max_examples=150, deadline=None)
@given(STEPS, st.sampled_from([SECOND, MINUTE]))
def test_the_candles_become_whole_again(steps: list[tuple[str, float, int, float]], step: int) -> None:
    """Where the log has every tick, in the end the client holds every candle, exact and beyond doubt.

    The first seconds and the first minute are history's own doubt: reading began in the middle of them.
    """
    world = World(step)
    play(world, [s for s in steps if s[0] != "lost"])
    world.quiet()
    first = min(world.truth(), default=0)
    assert world.view.candles == world.truth()
    assert all(start <= max(first, (world.made[0].ts + 1_000_000)) for start in world.view.doubted)
