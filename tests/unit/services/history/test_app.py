"""The composition: from the log to answers, and to the end of the process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from services.broker.history import CandleQuestion, History, Question
from services.broker.memory import MemoryBroker
from services.broker.memory.sink import MemorySink
from services.errors import CannotListen, HistoryUnavailable
from services.history import reader
from services.history.app import run
from services.history.settings import HistorySettings
from services.market.control import Heartbeat
from services.market.position import Position
from services.market.symbol import Symbol
from services.runtime.settings import load
from tests.eventually import eventually, turns
from tests.listeners import control, outgoing, running_sink
from tests.unit.services.history.ticks import A, B


class Clock:
    """A clock that a test moves; its wall may be set."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.set_by = 0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now

    def wall_us(self) -> int:
        """Microseconds since 1970."""
        return 1_795_000_000_000_000 + int(self.now * 1e6) + self.set_by


class Stage:
    """A history on an in-memory broker; each look takes no time, and time passes when the test says."""

    def __init__(self, **given: object) -> None:
        self.clock = Clock()
        self.settings = load(HistorySettings, {"ops_port": 0, "drain_s": 0.05, **given})
        self.broker = MemoryBroker(clock=self.clock, sleep=lambda _: asyncio.sleep(0))
        self.registry, self.stop = CollectorRegistry(), asyncio.Event()
        self.sink: MemorySink = self.broker.sink("producer")
        self.history: History = self.broker.history()
        self.port = 0

    def _started(self, port: int) -> None:
        self.port = port

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        """Run it with a producer; at the end stop it and wait until it has ended."""
        main = asyncio.create_task(self._run())
        await eventually(lambda: self.value("connected") == 1 or main.done())
        async with running_sink(self.sink):
            yield main
        self.stop.set()
        async with asyncio.timeout(10):
            await main

    async def _run(self) -> None:
        self.log, desk = self.broker.tick_log("history"), self.broker.desk("history")
        await run(
            self.settings, self.log, desk,
            clock=self.clock, registry=self.registry, stop=self.stop, started=self._started,
        )  # fmt: skip

    def publish(self, symbol: Symbol, *seqs: int, epoch: int = 1) -> None:
        """Publish ticks."""
        self.sink.publish([outgoing(symbol, *seqs, epoch=epoch)])

    def beat(self, **marks: int) -> None:
        """Say marks."""
        named = {Symbol(symbol): seq for symbol, seq in marks.items()}
        self.sink.publish([control(Heartbeat("main", 1, self.clock.wall_us(), 1, named, full=True))])

    def value(self, name: str, **labels: str) -> float | None:
        """What the metric `tickwire_history_…` says."""
        return self.registry.get_sample_value(f"tickwire_history_{name}", labels)

    async def opened(self) -> None:
        """Return once questions are taken."""
        await eventually(lambda: self.value("open") == 1)

    async def ready(self) -> tuple[int, str]:
        """What the operations port says."""
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{self.port}/readyz") as answer:
            return answer.status, await answer.text()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look every 2 ms: how much time has passed is the clock's to say."""
    monkeypatch.setattr(reader, "LOOK_S", 0.002)


async def test_from_the_log_to_an_answer() -> None:
    """History answers, and says that it is ready, once it has read up to a heartbeat's marks."""
    stage = Stage()
    async with stage.running():
        assert await stage.ready() == (503, "waiting for a heartbeat\n")
        stage.publish(A, 1, 2, 3)
        stage.beat(A=4)
        await eventually(lambda: stage.value("ticks_read_total") == 3)
        await turns()
        assert await stage.ready() == (503, "reading up to the marks of a heartbeat\n")
        with pytest.raises(HistoryUnavailable):
            await stage.history.ask(Question(A, None))
        stage.publish(A, 4)
        await stage.opened()
        assert await stage.ready() == (200, "ready\n")
        answer = await stage.history.ask(Question(A, Position(1, 1)))
        assert [position.seq for position, _ in answer.ticks] == [2, 3, 4]
        assert (await stage.history.candles(CandleQuestion(A, 1, 0, 9))).candles[0].trades == 4
        assert stage.value("answers_total", kind="ticks") == 1
        assert stage.value("answers_total", kind="candles") == 1


async def test_falling_behind_and_catching_up() -> None:
    """More than 3 s below a mark the desk closes, and it opens again once caught up."""
    stage = Stage()
    async with stage.running():
        stage.publish(A, 1)
        stage.beat(A=1)
        await stage.opened()
        stage.broker.pause_log("history")
        stage.publish(A, 2)
        stage.beat(A=2)
        await turns()
        stage.clock.now += 2.9
        await eventually(lambda: (stage.value("behind_seconds") or 0) > 2.8)
        assert stage.value("open") == 1
        stage.clock.now += 0.2
        await eventually(lambda: stage.value("open") == 0)
        with pytest.raises(HistoryUnavailable):
            await stage.history.ask(Question(A, None))
        stage.broker.resume_log("history")
        stage.beat(A=2)
        await stage.opened()
        assert (await stage.history.ask(Question(A, None))).top == (1, 2)


async def test_a_log_made_anew_is_read_from_the_past() -> None:
    """Where the log was lost and nothing comes below a mark, reading begins again and finds what is new."""
    stage = Stage()
    async with stage.running():
        stage.publish(A, *range(1, 50))
        for seq in range(50, 60):
            stage.publish(A, seq)
        stage.beat(A=59)
        await stage.opened()
        stage.broker.recreate_log()
        stage.publish(A, 60)
        stage.beat(A=60)
        await turns()
        stage.clock.now += 5.1
        await eventually(lambda: stage.value("rereads_total") == 1)
        stage.beat(A=60)
        await stage.opened()
        assert (await stage.history.ask(Question(A, None))).top == (1, 60)


async def test_what_a_lost_log_had_is_forgotten() -> None:
    """Ticks that went with a log before they were read are not called complete, also where a later run follows."""
    stage = Stage()
    async with stage.running():
        stage.publish(A, *range(1, 50))
        stage.beat(A=49)
        await stage.opened()
        stage.broker.pause_log("history")
        stage.publish(A, *range(50, 60))
        stage.broker.recreate_log()
        stage.publish(A, 1, 2, epoch=9)
        stage.broker.resume_log("history")
        stage.log.reread()
        await eventually(lambda: stage.value("skips_total") == 2)
        answer = await stage.history.ask(Question(A, Position(1, 49)))
        assert answer.forgot == (9, 0)
        assert [position for position, _ in answer.ticks] == [(9, 1), (9, 2)]


async def test_what_is_too_old_goes() -> None:
    """Ticks go after the retention, the last of each symbol stays; a wall clock that is set changes nothing."""
    stage = Stage(retention_s=30)
    async with stage.running():
        stage.publish(A, 1, 2, 3)
        stage.publish(B, 1)
        stage.beat(A=3, B=1)
        await stage.opened()
        stage.clock.set_by = 10**11
        stage.clock.now += 10
        await turns(50)
        assert stage.value("ticks_kept") == 4
        stage.clock.now += 25
        await eventually(lambda: stage.value("ticks_kept") == 2)
        assert stage.value("ticks_forgotten_total", reason="age") == 2


async def test_finished_candles_are_stored_and_found_again() -> None:
    """A finished minute goes to the candle log, and a successor that never read its ticks shows it."""
    stage = Stage()
    async with stage.running():
        # Reading began with a message published long before: so the minute of the ticks was read whole.
        early = outgoing(B, 1)._replace(identity="1-1-1700000000000000")
        stage.sink.publish([early])
        stage.publish(A, 1, 2)
        stage.beat(A=2)
        await stage.opened()
        stage.clock.now += 66
        await eventually(lambda: stage.value("candles_stored_total") == 1)
        await eventually(lambda: stage.value("candles_repeated_total") == 1)
    successor = Stage()
    successor.broker = stage.broker
    successor.clock, successor.history = stage.clock, stage.broker.history()
    successor.sink = stage.broker.sink("producer")
    stage.clock.now += 3_000
    async with successor.running():
        await eventually(lambda: successor.value("candles_read_total") == 1)
        successor.beat()
        await successor.opened()
        assert successor.value("ticks_read_total") == 0
        (candle,) = (await successor.history.candles(CandleQuestion(A, 60, 0, 9))).candles
        assert (candle.trades, candle.volume) == (2, 2)


async def test_what_no_codec_wrote_is_counted() -> None:
    """An entry that is none of ours is counted, and reading goes on behind it."""
    stage = Stage()
    async with stage.running():
        stage.broker.inject(outgoing(A, 1)._replace(body=b"?"))
        stage.broker.inject(control(b"?"))
        stage.publish(A, 1)
        await eventually(lambda: stage.value("ticks_read_total") == 1)
        await eventually(lambda: stage.value("malformed_total") == 2)


async def test_the_end() -> None:
    """Once told to stop, history takes no question, is not ready, ends by itself and leaves no metric."""
    stage = Stage(drain_s=0.5)
    async with stage.running() as main:
        stage.publish(A, 1)
        stage.beat(A=1)
        await stage.opened()
        stage.stop.set()
        await turns(20)
        assert not main.done()
        assert await stage.ready() == (503, "draining\n")
        with pytest.raises(HistoryUnavailable):
            await stage.history.ask(Question(A, None))
    assert list(stage.registry.collect()) == []
    assert stage.broker.links == {}


async def test_a_taken_port() -> None:
    """A port that is taken ends history before it reads anything."""
    stage = Stage()
    async with stage.running():
        other = Stage(ops_port=stage.port)
        with pytest.raises(CannotListen):
            await other._run()
        assert other.broker.links == {}


async def test_exposition_is_valid_text() -> None:
    """Each family is there once."""
    stage = Stage()
    async with stage.running():
        text = generate_latest(stage.registry).decode()
    types = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(types) == len(set(types)) > 15
