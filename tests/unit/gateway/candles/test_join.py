"""The join of history's candles and live ticks, whatever gets lost on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.candles.chart import State
from services.market.candle import MINUTE, SECOND
from services.market.wire import TickMessage
from tests.unit.gateway.candles.world import A, World

Steps = list[tuple[str, float, int, float]]
FORWARD, TAME, WILD = [0, 0, -2], [0, 0, 0, 1.5, -2], [0, 0, 1.5, -4.5, -20, 7, 20]
"""How late, in seconds, a tick is published: as usual, or as wrong clocks and long outages make it.  With FORWARD
no tick is of an earlier time than a lost one, whose time nobody knows."""


def steps(ago: Sequence[float]) -> st.SearchStrategy[Steps]:
    """What may happen."""
    price, size = st.integers(90, 110), st.integers(0, 3)
    nothing, zero = st.just(0), st.just(0.0)
    return st.lists(
        st.one_of(
            st.tuples(st.just("tick"), price, size, st.sampled_from(ago)),
            st.tuples(st.just("tick"), price, size, st.sampled_from(ago)),
            st.tuples(st.just("hole"), price, size, zero),
            st.tuples(st.just("lost"), price, size, zero),
            st.tuples(st.just("repeat"), st.integers(0, 20), nothing, zero),
            st.tuples(st.just("late"), st.integers(0, 9), nothing, zero),
            st.tuples(st.just("time"), st.sampled_from([0.01, 0.1, 0.3, 1, 7, 40]), nothing, zero),
            st.tuples(st.just("read"), st.integers(1, 5), nothing, zero),
            st.tuples(st.sampled_from(["answer", "dead"]), st.integers(0, 5), nothing, zero),
            st.tuples(st.sampled_from(["epoch", "beat", "broker", "again"]), nothing, nothing, zero),
        ),
        max_size=60,
    )


class Chance:
    """What may happen to a world, by the names that `steps` draws."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.sent: list[TickMessage] = []

    def tick(self, price: int, size: int, ago: float) -> None:
        """A tick comes."""
        self.hole(price, size, ago)
        self.world.live(self.sent[-1])

    def hole(self, price: int, size: int, ago: float) -> None:
        """A tick does not come, but it is in the log."""
        self.sent.append(self.world.make(price, size, ago))

    def lost(self, price: int, size: int, _: float) -> None:
        """A tick is nowhere."""
        self.world.make(price, size, logged=False)

    def repeat(self, count: int, *_: float) -> None:
        """The last ticks come again, or for the first time."""
        self.world.live(*self.sent[-int(count) - 1 :])

    def late(self, which: int, *_: float) -> None:
        """An old tick comes again, or for the first time."""
        if self.sent:
            self.world.live(self.sent[-int(which) % len(self.sent)])

    def time(self, seconds: float, *_: float) -> None:
        """Time passes."""
        self.world.later(seconds)

    def read(self, count: int, *_: float) -> None:
        """History reads on."""
        self.world.read(int(count))

    def answer(self, which: int, *_: float) -> None:
        """An answer comes."""
        if self.world.asked:
            self.world.answer(int(which))

    def dead(self, which: int, *_: float) -> None:
        """No answer comes in time."""
        if self.world.asked:
            self.world.answer(int(which), dead=True)

    def epoch(self, *_: float) -> None:
        """The producer begins anew."""
        self.world.begin_epoch()

    def beat(self, *_: float) -> None:
        """A heartbeat comes."""
        self.world.beat()

    def broker(self, *_: float) -> None:
        """The connection to the broker is lost, and comes back."""
        self.world.hub.lines.disconnect(self.world.now)
        self.world.settle()
        self.world.hub.lines.connect(self.world.now)
        self.world.settle()

    def again(self, *_: float) -> None:
        """The client subscribes again."""
        self.world.subscribe()


def play(world: World, happened: Steps, check: Callable[[World], None]) -> None:
    """Let a client follow, then let everything happen; *check* after each."""
    world.subscribe()
    chance = Chance(world)
    for what, number, size, ago in happened:
        getattr(chance, what)(number, size, ago)
        check(world)


def knows_all(world: World) -> bool:
    """Whether the client was told all that the chart knows, and the chart rests on history."""
    world.view.take()
    if world.view.held is None or world.chart.state is not State.JOINED:
        return False
    (viewer,) = world.chart.viewers
    return viewer.told is not None and not world.chart.series.changes(viewer.told)


def is_true(world: World) -> None:
    """A client that was told all there is holds the candles of exactly the ticks up to the chart's position."""
    if knows_all(world):
        doubted, truth = world.view.doubted, world.truth(world.chart.series.at)
        for start, candle in world.view.candles.items():
            assert start in doubted or candle == truth[start]
        assert world.view.candles.keys() >= truth.keys() - lacking(world)


def is_true_alone(world: World) -> None:
    """Without history a candle that claims to be whole counts exactly the ticks up to the chart's position."""
    world.view.take()
    chart = world.chart
    (viewer,) = chart.viewers
    told = viewer.told is not None and not chart.series.changes(viewer.told)
    if world.view.held is None or chart.state is not State.ALONE or chart.series.at is None or not told:
        return
    truth, doubted = world.truth(chart.series.at), world.view.doubted
    for start, candle in world.view.candles.items():
        assert start in doubted or candle == truth[start]


def is_histories(world: World) -> None:
    """A client that was told all there is holds what history would tell it now, where both know the same ticks."""
    if knows_all(world) and world.store.newest(A) == world.chart.series.at:
        assert world.view.candles == world.told()


def lacking(world: World) -> set[int]:
    """Candles all of whose trades are lost: nobody can know of them."""
    logged = {(message.epoch, message.first) for message in world.log}
    known = {t.at for t in world.made if tuple(t.at) in logged}
    clock, found, lacking = 0, set[int](), set[int]()
    for trade in world.made:
        clock = max(clock, trade.ts - trade.ts % 1_000_000)
        start = clock - clock % (world.step * 1_000_000)
        if trade.size:
            (found if trade.at in known else lacking).add(start)
    return lacking - found


@settings(max_examples=40, deadline=None)
@given(steps(FORWARD), st.sampled_from([SECOND, MINUTE]))
def test_no_candle_is_silently_wrong(happened: Steps, step: int) -> None:
    """Whatever is lost, late, repeated or unanswered: a candle is true, or says that it may not be."""
    world = World(step)
    play(world, happened, is_true)
    world.quiet()
    assert world.chart.state is State.JOINED or not world.log
    is_true(world)


@settings(max_examples=40, deadline=None)
@given(steps(WILD), st.sampled_from([SECOND, MINUTE]))
def test_candles_are_historys_whatever_the_clocks_say(happened: Steps, step: int) -> None:
    """Times far ahead or far behind count where history counts them: who asks it anew sees the same candles."""
    world = World(step)
    play(world, happened, is_histories)
    world.quiet()
    assert world.chart.state is State.JOINED or not world.log
    is_histories(world)


@settings(max_examples=30, deadline=None)
@given(steps(TAME), st.sampled_from([SECOND, MINUTE]))
def test_the_candles_become_whole_again(happened: Steps, step: int) -> None:
    """Where the log has every tick, in the end the client holds every candle, exact and beyond doubt.

    The first seconds and the first minute are history's own doubt: reading began in the middle of them.
    """
    world = World(step)
    play(world, [s for s in happened if s[0] != "lost"], lambda _: None)
    world.quiet()
    assert world.view.candles == world.truth()
    assert all(start <= world.made[0].ts + 3_000_000 for start in world.view.doubted)


@settings(max_examples=30, deadline=None)
@given(steps([0]), st.sampled_from([SECOND, MINUTE]))
def test_without_history_a_whole_candle_is_true(happened: Steps, step: int) -> None:
    """On a gateway that nobody answers, only candles that say so may lack trades, where time does not go back."""
    world = World(step, history=False)
    play(world, happened, is_true_alone)
    world.later(10)
    is_true_alone(world)
