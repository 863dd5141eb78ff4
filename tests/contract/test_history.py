"""What is promised of history, asked over a broker: the real core, for each adapter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.broker.history import (
    ABSENT_S,
    ANSWER_S,
    PAGE_BYTES,
    Answer,
    CandleAnswer,
    CandleQuestion,
    History,
    Question,
)
from services.broker.ports import Outgoing, Route, TickSink
from services.errors import HistoryUnavailable
from services.market.candle import MINUTE, SECOND
from services.market.control import Heartbeat
from services.market.position import Position
from services.market.symbol import Symbol
from services.market.tick import Tick
from services.market.wire import encode_body, encode_tick, message_id
from services.runtime.clock import SystemClock
from tests.contract.controls import Controls
from tests.contract.histories import Histories, Remembering, histories
from tests.eventually import eventually
from tests.listeners import SinkRecord, control, running_sink

START = Position(0, 0)
AGAIN_S = 0.02
"""Seconds until a question is put again: without a connection it fails at once."""
PATIENCE_S = 30.0
"""Seconds for anything to come true: a real broker on a busy machine takes its time."""


class Market:
    """A producer by hand: publishes ticks and says the marks."""

    def __init__(self, sink: TickSink, told: SinkRecord) -> None:
        self._sink, self._told = sink, told
        self._marks: dict[Symbol, Position] = {}
        self._shard = "shard"

    async def publish(self, symbol: Symbol, first: int, count: int = 1, *, epoch: int = 1, per: int = 50) -> None:
        """Publish trades, *per* to a message, and return once they are in the log."""
        seqs = range(first, first + count)
        for begin in range(0, count, per):
            number = self._sink.publish([self.message(symbol, seqs[begin : begin + per], epoch)])
        await eventually(lambda: self._told.settled.get(number), deadline=PATIENCE_S)
        self._marks[symbol] = Position(epoch, seqs[-1])

    def message(self, symbol: Symbol, seqs: range, epoch: int, route: Route = Route.TICK) -> Outgoing:
        """A message of trades."""
        now = SystemClock().wall_us()
        lines = [encode_tick(self.tick(symbol, seq, now)) for seq in seqs]
        return Outgoing(route, symbol, message_id(epoch, seqs[0], now), encode_body(lines))

    @staticmethod
    def tick(symbol: Symbol, seq: int, ts: int) -> Tick:
        """A trade of 10 shares."""
        return Tick(seq, ts, symbol, 10_000 + seq % 7, 10, 9_999, 10_001, 2, 3, 10 * seq, 2)

    def beat(self) -> None:
        """Say all marks."""
        marks = {symbol: mark.seq for symbol, mark in self._marks.items()}
        epoch = max(mark.epoch for mark in self._marks.values())
        now = SystemClock().wall_us()
        self._sink.publish([control(Heartbeat(self._shard, epoch, now, 1, marks, full=True))])

    async def opened(self, *replicas: Remembering) -> None:
        """Beat until all of *replicas* are open."""

        def all_open() -> bool:
            self.beat()
            return all(replica.open for replica in replicas)

        await eventually(all_open, deadline=PATIENCE_S)


@asynccontextmanager
async def market(broker: Controls) -> AsyncIterator[Market]:
    """A market on *broker*."""
    sink = await broker.sink("market")
    async with running_sink(sink) as told:
        yield Market(sink, told)


@pytest.fixture
async def crew(broker: Controls) -> AsyncIterator[Histories]:
    """The histories of one test."""
    async with histories(broker) as found:
        yield found


async def asked(history: History, symbol: Symbol, after: Position | None) -> Answer:
    """Ask until somebody answers."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await history.ask(Question(symbol, after))
            except HistoryUnavailable:
                await asyncio.sleep(AGAIN_S)


async def candles(history: History, question: CandleQuestion) -> CandleAnswer:
    """Ask for candles until somebody answers."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await history.candles(question)
            except HistoryUnavailable:
                await asyncio.sleep(AGAIN_S)


def positions(answer: Answer) -> list[Position]:
    """The positions in an answer."""
    return [position for position, _ in answer.ticks]


async def test_the_last_tick_and_the_day(broker: Controls, crew: Histories, symbol: Symbol) -> None:
    """`after` None is answered by the newest tick, byte for byte, and by the day up to it."""
    async with market(broker) as m:
        await m.publish(symbol, 1, 20)
        await m.opened(await crew.remember("one"))
        answer = await asked(await crew.asker(), symbol, None)
    ((position, line),) = answer.ticks
    assert position == answer.top == (1, 20)
    assert line.startswith(b'{"seq":20,')
    assert answer.day is not None
    assert (answer.day.open, answer.day.high, answer.day.low) == (10_001, 10_006, 10_000)
    assert (answer.day.volume, answer.day.decimals, answer.day.at) == (200, 2, (1, 20))


async def test_what_follows_a_position_over_pages(broker: Controls, crew: Histories, symbol: Symbol) -> None:
    """A long answer comes in pages of at most `PAGE_BYTES`, each complete up to its `top`."""
    async with market(broker) as m:
        await m.publish(symbol, 1, 1_500)
        await m.opened(await crew.remember("one"))
        history, after, pages, found = await crew.asker(), Position(1, 100), 0, list[Position]()
        while after < Position(1, 1_500):
            answer = await asked(history, symbol, after)
            assert sum(len(line) for _, line in answer.ticks) <= PAGE_BYTES
            assert answer.top == answer.ticks[-1][0]
            found += positions(answer)
            after, pages = answer.top, pages + 1
        beyond = await asked(history, symbol, after)
    assert found == [(1, seq) for seq in range(101, 1_501)]
    assert pages > 2
    assert (beyond.ticks, beyond.top) == ((), (1, 1_500))


async def test_what_was_forgotten_is_said(broker: Controls, crew: Histories, symbol: Symbol) -> None:
    """Beyond its bounds history forgets the oldest, and says up to where."""
    async with market(broker) as m:
        await m.publish(symbol, 1, 100)
        await m.opened(await crew.remember("one", ring_ticks=10))
        answer = await asked(await crew.asker(), symbol, Position(1, 5))
    assert answer.forgot == (1, 90)
    assert positions(answer) == [(1, seq) for seq in range(91, 101)]


async def test_a_later_epoch_in_an_answer(broker: Controls, crew: Histories, symbol: Symbol) -> None:
    """An answer goes on into the next epoch; what an older producer still publishes is fenced off."""
    async with market(broker) as m:
        await m.publish(symbol, 1, 3, epoch=4)
        await m.publish(symbol, 1, 2, epoch=7)
        await m.publish(symbol, 4, 1, epoch=4)
        await m.publish(symbol, 3, 1, epoch=7)
        replica = await crew.remember("one")
        await m.opened(replica)
        answer = await asked(await crew.asker(), symbol, Position(4, 2))
    assert positions(answer) == [(4, 3), (7, 1), (7, 2), (7, 3)]
    assert replica.value("ticks_fenced_total") == 1


async def test_a_hole_in_the_log_is_final(broker: Controls, crew: Histories, symbol: Symbol) -> None:
    """Ticks that never came to the log are missing from an answer that is complete up to its `top`."""
    async with market(broker) as m:
        await m.publish(symbol, 1, 3)
        await m.publish(symbol, 6, 2)
        await m.opened(await crew.remember("one"))
        answer = await asked(await crew.asker(), symbol, Position(1, 1))
    assert positions(answer) == [(1, 2), (1, 3), (1, 6), (1, 7)]
    assert answer.top == (1, 7)


async def test_the_last_tick_of_a_silent_symbol(broker: Controls, crew: Histories, symbol: Symbol) -> None:
    """A tick that goes to the log only, again, is no news; where it is the first one read it is the last tick."""
    other = Symbol(f"{symbol}.B")
    async with market(broker) as m:
        await m.publish(symbol, 1, 3)
        await broker.inject(m.message(symbol, range(3, 4), 1, Route.LAST))
        await broker.inject(m.message(other, range(9, 10), 1, Route.LAST))
        replica = await crew.remember("one")
        await m.opened(replica)
        history = await crew.asker()
        await eventually(lambda: replica.value("symbols") == 2, deadline=PATIENCE_S)
        last, rest = await asked(history, symbol, None), await asked(history, symbol, START)
        found = await asked(history, other, Position(1, 2))
    assert positions(last) == [(1, 3)]
    assert positions(rest) == [(1, 1), (1, 2), (1, 3)]
    assert (positions(found), found.forgot) == ([(1, 9)], (1, 8))


async def test_a_symbol_that_never_traded(broker: Controls, crew: Histories, symbol: Symbol) -> None:
    """Of a symbol without any tick history says that it has read nothing."""
    async with market(broker) as m:
        await m.publish(symbol, 1)
        await m.opened(await crew.remember("one"))
        history, never = await crew.asker(), Symbol(f"{symbol}.N")
        for after in (None, Position(1, 5)):
            assert await asked(history, never, after) == Answer(Question(never, after), (), None, None)


async def test_many_questions_in_one_turn(broker: Controls, crew: Histories, symbol: Symbol) -> None:
    """Questions of one turn, of many symbols, come back each with its own answer."""
    symbols = [Symbol(f"{symbol}.{n}") for n in range(40)]
    async with market(broker) as m:
        for n, each in enumerate(symbols, 1):
            await m.publish(each, 1, n)
        await m.opened(await crew.remember("one"))
        history = await crew.asker()
        await asked(history, symbol, None)
        answers = await asyncio.gather(*(asked(history, each, None) for each in symbols))
    assert [answer.question.symbol for answer in answers] == symbols
    assert [answer.top for answer in answers] == [(1, n) for n in range(1, 41)]


async def test_candles(broker: Controls, crew: Histories, symbol: Symbol) -> None:
    """Candles of a second and of a minute have each trade once."""
    async with market(broker) as m:
        await m.publish(symbol, 1, 30)
        await m.opened(await crew.remember("one"))
        history = await crew.asker()
        for step in (SECOND, MINUTE):
            question = CandleQuestion(symbol, step, 0, 100)
            answer = await candles(history, question)
            assert answer.question == question
            assert sum(candle.volume for candle in answer.candles) == 300
            assert sum(candle.trades for candle in answer.candles) == 30
            assert answer.candles[-1].close == 10_000 + 30 % 7
            assert {(candle.symbol, candle.step) for candle in answer.candles} == {(symbol, step)}
            assert answer.top == (1, 30)
            assert answer.candles[-1].start <= answer.clock < answer.candles[-1].start + step * 1_000_000
            assert set(answer.partial) <= {candle.start for candle in answer.candles}
        assert (await candles(history, CandleQuestion(symbol, SECOND, 2**52, 100))).candles == ()


async def test_what_is_published_later_is_read(broker: Controls, crew: Histories, symbol: Symbol) -> None:
    """Reading goes on with what is published, also over a connection that was lost meanwhile."""
    async with market(broker) as m:
        await m.publish(symbol, 1, 5)
        replica = await crew.remember("one")
        await m.opened(replica)
        await m.publish(symbol, 6, 5)
        await eventually(lambda: replica.value("ticks_read_total") == 10, deadline=PATIENCE_S)
        await broker.end_connection("one-log")
        await m.publish(symbol, 11, 5)
        await eventually(lambda: replica.value("ticks_read_total") == 15, deadline=PATIENCE_S)
        await m.opened(replica)
        answer = await asked(await crew.asker(), symbol, Position(1, 4))
    assert positions(answer) == [(1, seq) for seq in range(5, 16)]


async def test_a_desk_that_closes(broker: Controls, crew: Histories, symbol: Symbol) -> None:
    """A history that is told to end answers what it took, takes no more, and ends by itself."""
    async with market(broker) as m:
        await m.publish(symbol, 1, 5)
        replica = await crew.remember("one")
        await m.opened(replica)
        history = await crew.asker()
        await asked(history, symbol, None)
        replica.stop.set()
        await asyncio.wait_for(replica.task, PATIENCE_S)
        began = asyncio.get_running_loop().time()
        with pytest.raises(HistoryUnavailable):
            await history.ask(Question(symbol, None))
    assert asyncio.get_running_loop().time() - began >= ANSWER_S * 0.9


async def test_one_of_two_dies(broker: Controls, crew: Histories, symbol: Symbol) -> None:
    """Two replicas share the questions; when one is gone the other answers all of them."""
    async with market(broker) as m:
        await m.publish(symbol, 1, 5)
        one, two = await crew.remember("one"), await crew.remember("two")
        await m.opened(one, two)
        history = await crew.asker()

        async def both_answered() -> None:
            while not (one.value("answers_total", kind="ticks") and two.value("answers_total", kind="ticks")):
                await asked(history, symbol, None)

        await asyncio.wait_for(both_answered(), PATIENCE_S)
        one.task.cancel()
        await asyncio.wait([one.task])
        for _ in range(20):
            assert (await asked(history, symbol, START)).top == (1, 5)
        assert history.present


async def test_absent_and_present_again(broker: Controls, crew: Histories, symbol: Symbol) -> None:
    """After `ABSENT_S` of questions without an answer nobody counts as present, until somebody answers."""
    async with market(broker) as m:
        await m.publish(symbol, 1, 5)
        history = await crew.asker()
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout(ABSENT_S + PATIENCE_S):
            while history.present:
                with pytest.raises(HistoryUnavailable):
                    await history.ask(Question(symbol, None))
                await asyncio.sleep(AGAIN_S)
        assert loop.time() - began >= ABSENT_S * 0.9  # so it counted as present until then
        await m.opened(await crew.remember("one"))
        await eventually(lambda: history.present, deadline=PATIENCE_S)
        assert (await asked(history, symbol, None)).top == (1, 5)
