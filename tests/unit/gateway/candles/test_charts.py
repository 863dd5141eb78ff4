"""Charts and who is told of them: questions, turns, slow clients, rights."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TypeVar

from gateway.admission.entitlement import Entitlement
from gateway.candles.chart import PATIENCE_S, State
from gateway.candles.charts import QUESTIONS
from gateway.candles.herald import TURN_S
from gateway.candles.series import MOST, SPARE
from gateway.candles.tally import Reset
from gateway.commands import List, Subscribe, SubscribeCandles, UnsubscribeCandles
from gateway.frames import Candles, Error, Frame, Rejection, Subscribed, Subscriptions, Unsubscribed
from gateway.intents import AskCandles
from gateway.line import Stage
from gateway.outbox import ROOM_BYTES
from services.broker.history import CandleAnswer
from services.market.candle import MINUTE, SECOND, Candle
from services.market.position import Position
from services.market.symbol import Symbol
from tests.unit.gateway.candles.world import A, B, World

F = TypeVar("F")


def joined(step: int = SECOND, *, ticks: int = 3) -> World:
    """A client that holds the candles of some ticks."""
    world = World(step)
    for _ in range(ticks):
        world.tick()
        world.later(1)
    world.subscribe()
    world.answer_all()
    world.view.take()
    return world


def of(entries: Iterable[bytes | Frame], kind: type[F]) -> list[F]:
    """Those of one kind."""
    return [entry for entry in entries if isinstance(entry, kind)]


def test_the_answer_comes_before_the_candles() -> None:
    """`subscribed` names the interval and no position; then comes a reset, and nothing else of the symbol."""
    world = World()
    world.tick()
    world.subscribe()
    world.answer_all()
    answer, reset = world.client.outbox.take()
    assert isinstance(answer, Subscribed)
    assert (answer.candles, list(answer.symbols), answer.rejected, answer.pending) == (MINUTE, [A], {}, 0)
    assert isinstance(reset, Candles)
    assert (reset.symbol, reset.step, reset.reset, len(reset.rows)) == (A, MINUTE, True, 1)


def test_one_question_for_all_clients() -> None:
    """However many clients follow a chart and however many ticks come, history is asked once."""
    world = joined()
    for _ in range(5):
        client, view = world.newcomer()
        world.subscribe(client=client)
        world.tick()
        world.later(1)
        assert view.candles == world.truth()
    assert world.hub.charts.tally.questions == 1
    assert world.hub.charts.tally.resets[Reset.HOLE] == 0
    assert world.view.candles == world.truth()


def test_live_ticks_that_history_had_not_read_are_added() -> None:
    """What came live while the question was under way, and what history had read already, counts once."""
    world = World()
    world.tick(100)
    world.live(world.make(101))
    world.subscribe()
    world.live(world.make(102))
    world.answer()
    world.read()
    world.answer_all()
    world.later(1)
    assert world.view.candles == world.truth()
    assert world.hub.charts.tally.questions == 1


def test_at_most_four_updates_a_second() -> None:
    """Ticks of 10 s, 50 a second, make 40 updates or one more; the last state is said."""
    world = joined(MINUTE)
    before = world.view.frames
    for price in range(500):
        world.tick(price)
        world.later(0.02)
    world.later(1)
    assert 38 <= world.view.frames - before <= 41
    assert world.view.candles == world.truth()


def test_an_update_has_only_what_changed() -> None:
    """A candle that is finished is said in its last state once, and then never again."""
    world = joined()
    world.later(1)
    for _ in range(8):
        world.tick()
        world.now += TURN_S
        world.hub.due(world.now)
        (frame,) = world.client.outbox.take()
        assert isinstance(frame, Candles)
        starts = [json.loads(row)["start"] for row in frame.rows]
        assert starts == [max(world.truth())]
    world.client.outbox.blocked = True
    for _ in range(3):
        world.tick()
        world.later(1)
    world.client.outbox.blocked = False
    world.hub.drained(world.client, world.now)
    (frame,) = world.client.outbox.take()
    assert isinstance(frame, Candles)
    assert len(frame.rows) == 3


def test_a_full_socket_is_sent_nothing_and_then_what_changed() -> None:
    """A blocked client costs nothing per tick; when it has taken everything it gets each changed candle once."""
    world = joined()
    frames = world.view.frames
    world.client.outbox.blocked = True
    for _ in range(20):
        world.tick()
        world.later(0.5)
    assert not world.client.outbox.entries
    assert len(world.client.owed) == 1
    assert world.hub.charts.tally.withheld > 0
    world.client.outbox.blocked = False
    world.hub.drained(world.client, world.now)
    world.view.take()
    assert world.view.frames == frames + 1
    assert world.view.candles == world.truth()


def test_others_do_not_wait_for_a_full_socket() -> None:
    """A client that keeps up is told at its turns, whoever else is blocked."""
    world = joined()
    client, view = world.newcomer()
    world.subscribe(client=client)
    world.client.outbox.blocked = True
    world.tick()
    world.later(TURN_S)
    assert view.candles == world.truth()


def test_many_resets_wait_for_room() -> None:
    """A client that begins many charts gets 64 KiB and a frame at once, then what there is room for."""
    world = World()
    symbols = tuple(Symbol(f"S{n}") for n in range(60))
    world.list(*symbols)
    world.subscribe(*symbols)
    rows = tuple(Candle(A, MINUTE, n * 60_000_000, 0, 1, 100, 100, 100, 100, 1, 1, 2) for n in range(500))
    charts = world.hub.charts
    found = 0
    while world.asked or world.client.owed:
        for intent, _ in world.asked[:]:
            candles = tuple(c._replace(symbol=intent.question.symbol) for c in rows)
            answer = CandleAnswer(intent.question, candles, Position(1, 1), rows[-1].start)  # type: ignore[arg-type]
            charts.answer(answer, world.now)
        world.asked.clear()
        world.settle()
        waiting = of(world.client.outbox.entries, Candles)
        assert sum(len(row) for frame in waiting for row in frame.rows) < ROOM_BYTES + 60_000
        found += len(of(world.client.outbox.take(), Candles))
        world.hub.drained(world.client, world.now)
    assert found + len(of(world.client.outbox.take(), Candles)) == 60


def test_questions_are_asked_a_few_at_a_time() -> None:
    """History is not asked about more charts at once than it can answer in time."""
    world = World()
    symbols = tuple(Symbol(f"S{n}") for n in range(40))
    world.list(*symbols)
    world.subscribe(*symbols)
    asked = 0
    while world.asked:
        pending = [intent for intent, _ in world.asked if isinstance(intent, AskCandles)]
        assert len(pending) <= QUESTIONS
        asked += isinstance(world.asked[0][0], AskCandles)
        world.answer()
    assert asked == 40


def test_a_reset_has_as_many_candles_as_were_asked_for() -> None:
    """`history` is how many candles a client begins with, the newest; 0: none, and updates come all the same."""
    world = joined(ticks=5)
    for history in (0, 1, 2, 5, 500):
        client, view = world.newcomer()
        world.subscribe(client=client, history=history)
        newest = sorted(world.truth().items())[::-1][:history]
        assert view.candles == dict(newest)
        world.tick(107)
        world.later(TURN_S)
        assert max(view.candles) == max(world.truth())
        world.later(1)


def test_subscribing_again_is_a_new_reset() -> None:
    """A client that follows the candles already is answered, and begins anew."""
    world = joined(ticks=5)
    world.subscribe(history=2)
    assert len(world.view.candles) == 2
    assert world.view.resets == 2
    assert world.hub.charts.tally.questions == 1


def test_a_reset_between_two_turns_says_what_the_next_one_leaves_out() -> None:
    """Who begins after a candle was finished and before others are told of it is not told of it again."""
    world = joined()
    world.tick()
    world.later(TURN_S)
    world.tick(101)
    world.now += 1.0 - TURN_S
    world.tick(102)
    client, view = world.newcomer()
    world.subscribe(client=client)
    assert view.candles == world.truth()
    world.tick(103)
    world.later(TURN_S)
    assert view.candles == world.view.candles == world.truth()
    world.later(1)
    assert (view.frames, view.resets) == (2, 1)


def test_both_intervals_beside_ticks() -> None:
    """Ticks and candles of each interval of a symbol are followed and ended apart, and `list` names them all."""
    world = joined(SECOND)
    world.subscribe(step=MINUTE)
    world.hub.subscribe(world.client, Subscribe(3, (A,)), world.now)
    world.settle()
    world.answer_all()
    world.client.outbox.take()
    world.hub.enumerate(world.client, List(4))
    (listed,) = world.client.outbox.take()
    assert isinstance(listed, Subscriptions)
    assert (list(listed.symbols), listed.candles) == ([A], {A: [SECOND, MINUTE]})
    assert len(world.client.names) == 1
    world.unsubscribe()
    assert list(world.client.candles) == [(A, MINUTE)]
    assert A in world.client.followers


def test_nothing_follows_unsubscribed() -> None:
    """After `unsubscribed` no candle comes; the chart goes with its last client."""
    world = joined()
    world.tick()
    world.unsubscribe()
    world.tick()
    world.later(1)
    said = world.view.others[-1]
    assert said == Unsubscribed(2, (A,), None, SECOND)
    assert world.view.take() == 0
    assert len(world.hub.charts) == 0
    assert world.hub.lines[A].stage is Stage.IDLE
    assert not world.hub.lines[A].recovery.followers


def test_everything_of_one_interval_ends() -> None:
    """`*` ends all candles of the interval, and neither the others nor ticks."""
    world = joined(SECOND)
    world.subscribe(A, B, step=MINUTE)
    world.hub.unsubscribe_candles(world.client, UnsubscribeCandles(9, (Symbol("*"),), MINUTE), world.now)
    assert list(world.client.candles) == [(A, SECOND)]
    world.view.take()
    assert Unsubscribed(9, (A, B), None, MINUTE) in world.view.others


def test_a_client_that_leaves_takes_its_charts_along() -> None:
    """Nobody follows what only a client that is gone has followed."""
    world = joined()
    world.hub.leave(world.client, world.now)
    world.tick()
    world.later(60)
    assert len(world.hub.charts) == 0
    assert not world.hub.lines[A].wanted


def test_without_history_candles_begin_in_doubt() -> None:
    """Where nobody answers, the first candle says that it may lack trades; those that begin later are whole."""
    world = World(SECOND, history=False)
    world.subscribe()
    assert world.view.candles == {}
    for _ in range(5):
        world.live(world.make())
        world.later(0.5)
    truth = world.truth()
    first, *later = sorted(truth)
    assert world.view.doubted <= {first}
    assert {start: candle for start, candle in world.view.candles.items() if start in later} == {
        start: truth[start] for start in later
    }


def test_history_that_returns_replaces_them() -> None:
    """As soon as somebody answers, everybody begins anew with history's candles."""
    world = World(SECOND, history=False)
    world.tick()
    world.later(1)
    world.subscribe()
    world.tick()
    world.hub.lines.tell_history(True, world.now)
    world.hub.charts.tell_history(True, world.now)
    world.settle()
    world.answer_all()
    world.later(1)
    assert world.view.candles == world.truth()
    assert world.chart.state is State.JOINED
    assert world.hub.charts.tally.resets[Reset.RETURNED] == 1


def test_history_that_says_nothing_is_waited_for() -> None:
    """Nothing is said for 5 s, then the candles go on without history; a late answer replaces them."""
    world = World(SECOND)
    world.tick()
    world.subscribe()
    while world.now < 100 + PATIENCE_S - 2:
        assert world.chart.state is State.ASKING
        if world.asked:
            world.answer(dead=True)
        world.later(0.5)
    assert world.view.held is None
    while world.chart.state is State.ASKING:
        if world.asked:
            world.answer(dead=True)
        world.later(0.5)
    assert world.view.candles == {}
    world.quiet(3)
    assert world.view.candles == world.truth()


def test_a_symbol_that_never_ticked() -> None:
    """Its reset is empty; with its first tick the candles are whole, not in doubt."""
    world = World(SECOND)
    world.beat()
    world.subscribe()
    world.answer_all()
    assert world.view.candles == {}
    assert world.chart.state is State.SILENT
    world.later(5)
    world.tick(105)
    world.quiet(2)
    assert world.view.candles == world.truth()


def test_rights_are_those_of_ticks() -> None:
    """A symbol that the token does not name is rejected; one that a new token does not allow any more is ended."""
    world = World()
    some = Entitlement(names=frozenset({A}))
    client, view = world.newcomer(some)
    world.subscribe(A, B, client=client)
    world.answer_all()
    view.take()
    (answer,) = of(view.others, Subscribed)
    assert isinstance(answer, Subscribed)
    assert answer.rejected == {B: Rejection.NOT_ENTITLED}
    world.hub.entitle(client, Entitlement(), world.now)
    view.take()
    assert view.others[-1] == Unsubscribed(None, (A,), "not_entitled", MINUTE)
    assert len(world.hub.charts) == 0


def test_a_symbol_counts_once() -> None:
    """Ticks and both intervals of a symbol are one symbol of the limit; another one is too many."""
    world = World()
    client, view = world.newcomer(most=1)
    world.hub.subscribe(client, Subscribe(1, (A,)), world.now)
    for step in (SECOND, MINUTE):
        world.hub.subscribe(client, SubscribeCandles(2, (A,), step), world.now)
    world.settle()
    world.hub.subscribe(client, SubscribeCandles(3, (B,), MINUTE), world.now)
    view.take()
    (error,) = of(view.others, Error)
    assert isinstance(error, Error)
    assert (error.id, error.code) == (3, "too_many_symbols")


def test_a_token_may_allow_fewer_updates() -> None:
    """A token with a rate below four a second gets updates at that rate, others as usual; the last state comes."""
    world = World(SECOND)
    world.tick()
    client, view = world.newcomer(Entitlement(prefixes=("",), max_rate=1.0))
    world.subscribe(client=client)
    world.subscribe()
    world.answer_all()
    for _ in range(100):
        world.tick()
        world.later(0.1)
        view.take()
    assert view.frames <= 12
    assert world.view.frames >= 38
    world.later(2)
    assert view.candles == world.view.candles == world.truth()


def test_a_delisted_symbol_ends() -> None:
    """Candles of a symbol that leaves the directory end, and the client is told why."""
    world = joined()
    world.list(B)
    world.view.take()
    assert world.view.others[-1] == Unsubscribed(None, (A,), "delisted", SECOND)


def test_a_cancelled_subscription_is_answered() -> None:
    """Unsubscribing cancels what is not bound yet of these candles, and only that."""
    world = World()
    world.hub.subscribe(world.client, SubscribeCandles(1, (A,), SECOND), world.now)
    world.hub.subscribe(world.client, SubscribeCandles(2, (A,), MINUTE), world.now)
    world.hub.unsubscribe_candles(world.client, UnsubscribeCandles(3, (A,), SECOND), world.now)
    world.settle()
    world.view.take()
    answers = {answer.id: answer for answer in of(world.view.others, Subscribed)}
    assert answers[1].rejected == {A: Rejection.CANCELLED}
    assert list(answers[2].symbols) == [A]
    assert list(world.client.candles) == [(A, MINUTE)]


def test_a_chart_keeps_no_more_than_its_bound() -> None:
    """Finished candles are dropped from the oldest on, and counted in bytes as they are."""
    world = World(SECOND)
    world.tick()
    world.subscribe()
    world.answer_all()
    for _ in range(MOST + 2 * SPARE):
        world.tick()
        world.later(1)
    series = world.chart.series
    rows = series.newest(10**6)
    assert MOST <= len(rows) == len(series) <= MOST + SPARE
    assert series.size == sum(map(len, rows[:-1]))
    assert json.loads(rows[-1])["trades"] == 1
