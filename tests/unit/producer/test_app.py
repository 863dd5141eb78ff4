"""The composition: from settings to the last confirm."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from producer.app import choose_epoch, run
from producer.settings import ProducerSettings
from producer.sources.universe import load as producer_symbols
from producer.sources.walk import replay
from services.broker.history import Question
from services.broker.memory import Faults, MemoryBroker
from services.broker.ports import Route
from services.errors import BadSymbolFile
from services.market.position import Position
from services.market.symbol import Symbol
from services.market.wire import decode_message, decode_tick
from services.runtime.clock import SystemClock
from services.runtime.settings import load
from tests.eventually import eventually, turns
from tests.unit.producer.scripted import ScriptedSink
from tests.unkind import UnkindHistory

AHEAD = 10**15
"""An epoch that no clock of this century reaches."""


class Stage:
    """A producer that runs on a scripted sink."""

    def __init__(self, **given: object) -> None:
        self.settings = load(ProducerSettings, {"ops_port": 0, "rate": 200, **given})
        self.sink = ScriptedSink()
        self.registry, self.stop = CollectorRegistry(), asyncio.Event()
        self.port = 0

    def _started(self, port: int) -> None:
        self.port = port

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        """Run it; at the end stop it and wait until it has ended."""
        main = asyncio.create_task(
            run(
                self.settings,
                self.sink,
                clock=SystemClock(),
                registry=self.registry,
                stop=self.stop,
                started=self._started,
            )
        )
        await eventually(lambda: self.port > 0 and self.sink.running)
        yield main
        self.stop.set()
        async with asyncio.timeout(10):
            await main

    async def ask(self, path: str) -> tuple[int, str]:
        """What the operations port answers."""
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{self.port}{path}") as answer:
            return answer.status, await answer.text()

    def value(self, name: str, **labels: str) -> float | None:
        """A sample of the registry."""
        return self.registry.get_sample_value(f"tickwire_producer_{name}", labels)


@pytest.mark.parametrize(
    ("wall_us", "newest", "epoch"),
    [(1_795_000_000_123_456, None, 1_795_000_000_123), (5_000, 5, 6), (5_000, 4, 5), (5_000, 3, 5), (0, None, 1)],
)
def test_epoch(wall_us: int, newest: int | None, epoch: int) -> None:
    """An epoch is the wall clock in ms, or one more than the last one known, whichever is larger."""
    assert choose_epoch(wall_us, newest) == epoch


async def test_no_tick_before_the_log_was_asked() -> None:
    """A producer waits for the broker, then runs under an epoch above the log's newest."""
    stage = Stage()
    stage.sink.newest, stage.sink.auto = AHEAD, True
    async with stage.running():
        assert await stage.ask("/readyz") == (503, "the broker was not reached yet\n")
        assert (await stage.ask("/livez"))[0] == 200
        assert stage.sink.batches == []
        stage.sink.connect()
        await eventually(lambda: stage.value("epoch") == AHEAD + 1)
        await eventually(lambda: (stage.value("ticks_total", result="confirmed") or 0) > 110)
        assert await stage.ask("/readyz") == (200, "ready\n")
        assert "tickwire_producer_ticks_total" in (await stage.ask("/metrics"))[1]
    ticks = stage.sink.taken(Route.TICK)
    first = {m.symbol for m in ticks if m.identity and m.identity.startswith(f"{AHEAD + 1}-1-")}
    assert len(first) == 100
    for message in ticks:
        assert decode_message(Symbol(message.symbol), message.identity, message.body).epoch == AHEAD + 1


async def test_closing_waits_for_the_last_confirm() -> None:
    """After stop no tick is made, the last marks go out, and the producer ends once everything is confirmed."""
    stage = Stage(drain_s=8)
    async with stage.running() as main:
        stage.sink.connect()
        await eventually(lambda: (stage.value("ticks_made_total") or 0) >= 100)
        stage.stop.set()
        await turns()
        made = stage.value("ticks_made_total")
        stage.sink.settle(stage.sink.number)
        await eventually(lambda: stage.value("unconfirmed") == 1)
        assert not main.done()
        assert stage.value("ticks_made_total") == made
        assert stage.sink.controls("heartbeat")[-1]["full"]
        stage.sink.settle(stage.sink.number)
        async with asyncio.timeout(5):
            await main
    assert not stage.sink.running
    assert list(stage.registry.collect()) == []


async def test_closing_gives_up_at_its_deadline() -> None:
    """Without confirms the producer ends after the drain time."""
    stage = Stage(drain_s=0.05)
    async with stage.running():
        stage.sink.connect()
        await eventually(lambda: (stage.value("ticks_made_total") or 0) >= 100)
    assert not stage.sink.running


async def test_stop_before_the_broker_was_reached() -> None:
    """A producer that never reached the broker ends as soon as it is told to."""
    stage = Stage(drain_s=30)
    async with stage.running():
        pass
    assert stage.sink.batches == []


async def test_a_bad_symbol_file_ends_before_anything_is_opened(tmp_path: Path) -> None:
    """A symbol file that breaks a rule is refused before the sink runs."""
    path = tmp_path / "bad.csv"
    path.write_text("symbol\n")
    stage = Stage(symbols=path)
    with pytest.raises(BadSymbolFile):
        await run(stage.settings, stage.sink, clock=SystemClock(), registry=stage.registry, stop=stage.stop)
    assert stage.sink.listener is None


async def test_lost_connections_leave_no_hole_in_the_log() -> None:
    """However often the connection ends, the log has every tick, as recomputed."""
    settings = load(ProducerSettings, {"ops_port": 0, "rate": 3_000, "seed": 11, "drain_s": 20})
    faults = Faults(seed=4, sink_end=0.2, refuse=0.3, shuffle=0.5)
    broker = MemoryBroker(clock=SystemClock(), faults=faults, sleep=lambda _: asyncio.sleep(0.002))
    registry, stop = CollectorRegistry(), asyncio.Event()
    sink = broker.sink("producer")
    main = asyncio.create_task(run(settings, sink, clock=SystemClock(), registry=registry, stop=stop))

    def repeated() -> float:
        return registry.get_sample_value("tickwire_producer_ticks_repeated_total") or 0

    # Faults by probability cease before the end, or the last confirm might never come.
    await eventually(lambda: repeated() > 50, deadline=20)
    assert (registry.get_sample_value("tickwire_producer_ticks_total", {"result": "skipped"}) or 0) == 0
    broker.faults = Faults()
    stop.set()
    async with asyncio.timeout(20):
        await main
    history = UnkindHistory(broker)
    for listing in await asyncio.to_thread(producer_symbols, None):
        answer = await history.ask(Question(listing.symbol, Position(0, 0)))
        assert [position.seq for position, _ in answer.ticks] == [*range(1, len(answer.ticks) + 1)]
        for (_, line), tick in zip(answer.ticks, replay(11, listing), strict=False):
            assert decode_tick(line)._replace(ts=0) == tick
