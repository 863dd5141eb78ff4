"""Producers of one shard, one after another and two at once, on the in-memory broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
import structlog
from prometheus_client import CollectorRegistry

from producer import leadership
from producer.app import run
from producer.settings import ProducerSettings
from producer.sources.source import Last
from producer.sources.universe import Listing
from producer.sources.universe import load as load_symbols
from producer.sources.walk import replay
from services.broker.history import AbsentHistory, History, Question
from services.broker.memory import MemoryBroker
from services.errors import LeaseTaken
from services.market.position import Position
from services.market.tick import Tick
from services.market.wire import decode_tick
from services.runtime.clock import SystemClock
from services.runtime.lifecycle import root_cause
from services.runtime.settings import load
from tests.eventually import eventually
from tests.unkind import UnkindHistory

SEED = 11


class ShiftedClock(SystemClock):
    """The machine's clocks, the wall clock set by so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._shift = round(seconds * 1e6)

    def wall_us(self) -> int:
        """Microseconds since 1970, shifted."""
        return super().wall_us() + self._shift


class Member:
    """A producer on *broker*, whose connections are called *name*."""

    def __init__(
        self,
        broker: MemoryBroker,
        name: str,
        *,
        shift: float = 0.0,
        history: History | None = None,
        **given: object,
    ) -> None:
        self.settings = load(
            ProducerSettings, {"ops_port": 0, "rate": 2_000, "seed": SEED, "standby": True, **given}
        )
        self.broker, self.name, self.clock = broker, name, ShiftedClock(shift)
        self.registry, self.stop = CollectorRegistry(), asyncio.Event()
        self.history = history or UnkindHistory(broker)
        self.port = 0
        self.task: asyncio.Task[None]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Member]:
        """Run it; at the end stop it and wait until it has ended."""
        self.task = asyncio.create_task(
            run(
                self.settings,
                self.broker.sink(self.name),
                lease=self.broker.lease("main", f"{self.name} lease"),
                history=self.history,
                clock=self.clock,
                registry=self.registry,
                stop=self.stop,
                started=lambda port: setattr(self, "port", port),
            )
        )
        await eventually(lambda: self.port, deadline=10)
        yield self
        self.stop.set()
        async with asyncio.timeout(10):
            await self.task

    def value(self, name: str, **labels: str) -> int:
        """A sample of its metrics."""
        return int(self.registry.get_sample_value(f"tickwire_producer_{name}", labels) or 0)

    async def ready(self) -> tuple[int, str]:
        """What `/readyz` says."""
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"http://127.0.0.1:{self.port}/readyz") as answer,
        ):
            return answer.status, (await answer.text()).strip()

    async def leads(self, confirmed: int = 200) -> int:
        """Return the epoch once it leads and so many ticks are in the log."""
        await eventually(lambda: self.value("leading") and self.value("epoch"), deadline=20)
        target = self.value("ticks_total", result="confirmed") + confirmed
        await eventually(lambda: self.value("ticks_total", result="confirmed") >= target, deadline=20)
        return self.value("epoch")


@pytest.fixture(name="broker")
def _broker() -> MemoryBroker:
    return MemoryBroker(clock=SystemClock())


@pytest.fixture(name="impatient")
def _impatient(monkeypatch: pytest.MonkeyPatch) -> float:
    """Half a second instead of ten until somebody else counts as holder."""
    monkeypatch.setattr(leadership, "PATIENCE_S", 0.5)
    return 0.5


async def ticks(broker: MemoryBroker, listing: Listing) -> dict[int, list[Tick]]:
    """Return what the log has of one symbol, by epoch."""
    answer = await UnkindHistory(broker).ask(Question(listing.symbol, Position(0, 0)))
    found: dict[int, list[Tick]] = {}
    for position, line in answer.ticks:
        found.setdefault(position.epoch, []).append(decode_tick(line))
        assert found[position.epoch][-1].seq == position.seq
    return found


async def whole(broker: MemoryBroker, *epochs: int) -> None:
    """Check that the log has these epochs, each from 1 on without a hole, each going on from the one before."""
    for listing in await asyncio.to_thread(load_symbols, None):
        found = await ticks(broker, listing)
        assert list(found) == list(epochs)
        last: Last | None = None
        for epoch, run_of in found.items():
            expected = replay(SEED, listing, epoch=epoch, last=last)
            assert [tick._replace(ts=0) for tick in run_of] == [next(expected) for _ in run_of]
            last = Last(run_of[-1].price, run_of[-1].volume)


async def test_a_restarted_producer_goes_on(broker: MemoryBroker) -> None:
    """The next run has a later epoch, and price and volume of every symbol go on from the last tick."""
    with structlog.testing.capture_logs() as logs:
        async with Member(broker, "one").running() as one:
            first = await one.leads()
        async with Member(broker, "two").running() as two:
            second = await two.leads()
            assert (two.value("continued_symbols"), one.value("continued_symbols")) == (100, 0)
    assert second > first
    await whole(broker, first, second)
    begun = [line for line in logs if line["event"] == "producer.begun"]
    assert [(line["continued"], line["afresh"]) for line in begun] == [(0, 100), (100, 0)]
    assert begun[0]["why_afresh"] == "history has no tick of 100 symbols"


async def test_without_history_a_run_begins_afresh_and_says_so(broker: MemoryBroker) -> None:
    """Without history the next run walks the same way as the first, and its log says why."""
    with structlog.testing.capture_logs() as logs:
        async with Member(broker, "one", history=AbsentHistory()).running() as one:
            await one.leads()
        async with Member(broker, "two", history=AbsentHistory()).running() as two:
            await two.leads()
    begun = [line for line in logs if line["event"] == "producer.begun"]
    assert [(line["afresh"], line["why_afresh"]) for line in begun] == [(100, "history is absent")] * 2
    for listing in (await asyncio.to_thread(load_symbols, None))[:5]:
        for run_of in (await ticks(broker, listing)).values():
            fresh = replay(SEED, listing)
            assert [tick._replace(ts=0) for tick in run_of] == [next(fresh) for _ in run_of]


@pytest.mark.parametrize("witness", ["both", "lease", "log"])
async def test_a_clock_that_went_back(broker: MemoryBroker, witness: str) -> None:
    """With the clock 5 s behind, the next run's epoch is one above the last, which lease or log alone may know."""
    async with Member(broker, "one").running() as one:
        first = await one.leads()
    if witness == "lease":
        broker.log.clear()
    if witness == "log":
        broker._leases["main"].epoch = 0
    async with Member(broker, "two", shift=-5.0).running() as two:
        assert await two.leads() == first + 1


async def test_a_standby_takes_over(broker: MemoryBroker) -> None:
    """A standby is ready, publishes nothing, and leads as soon as its leader has confirmed its last tick."""
    async with Member(broker, "one").running() as one, Member(broker, "two").running() as two:
        first = await one.leads()
        leader, standby = (one, two) if one.value("leading") else (two, one)
        assert await standby.ready() == (200, "standby")
        assert await leader.ready() == (200, "ready")
        assert (standby.value("epoch"), standby.value("ticks_made_total")) == (0, 0)
        leader.stop.set()
        second = await standby.leads()
        assert second > first
    await whole(broker, first, second)


async def test_a_leader_without_its_lease_publishes_nothing(broker: MemoryBroker) -> None:
    """A leader whose lease connection ends goes on in the same epoch once it is back, without a hole."""
    async with Member(broker, "one").running() as one:
        epoch = await one.leads()
        for _ in range(3):
            broker.end_connection("one lease")
            await eventually(lambda: not one.value("leading"))
            assert await one.ready() == (200, "ready")
            await eventually(lambda: one.value("backlog_messages") > 20)
            await eventually(lambda: one.value("leading"), deadline=10)
            assert await one.leads() == epoch
        assert one.value("epochs_total") == 1
    await whole(broker, epoch)


async def test_a_leader_that_was_replaced_begins_anew(broker: MemoryBroker, impatient: float) -> None:
    """A leader whose lease went to another one stops, waits, and when it leads again that is a new run."""
    del impatient
    async with Member(broker, "one").running() as one:
        first = await one.leads()
        async with Member(broker, "two").running() as two:
            await eventually(lambda: len(broker._leases["main"].asking) == 2)
            broker.end_connection("one lease")
            second = await two.leads()
            assert not one.value("leading")
            await eventually(lambda: one.value("epoch") == 0, deadline=10)
            assert await one.ready() == (200, "standby")
            made = one.value("ticks_made_total")
            await two.leads()
            assert one.value("ticks_made_total") == made
            assert two.value("epochs_total") == 1
        third = await one.leads()
        assert one.value("epochs_total") == 2
        assert first < second < third
    await whole(broker, first, second, third)


async def test_two_at_once_are_told_apart(broker: MemoryBroker) -> None:
    """A lease that shows a later epoch ends the run at once: the next one is later still."""
    async with Member(broker, "one").running() as one:
        first = await one.leads()
        broker._leases["main"].epoch = first + 10**9
        broker.end_connection("one lease")
        await eventually(lambda: one.value("epochs_total") == 2, deadline=10)
        second = await one.leads()
        assert second == first + 10**9 + 1
    await whole(broker, first, second)


async def test_a_second_producer_is_refused(broker: MemoryBroker, impatient: float) -> None:
    """Without --standby a producer ends when another one holds the lease, with an error that says so."""
    del impatient
    async with Member(broker, "one").running() as one:
        await one.leads()
        second = Member(broker, "two", standby=False)
        with pytest.raises(BaseExceptionGroup) as caught:
            await _refused(second)
        error = root_cause(caught.value)
        assert isinstance(error, LeaseTaken)
        assert "--standby" in str(error)
        assert one.value("leading")


async def _refused(second: Member) -> None:
    async with second.running():
        assert await second.ready() == (503, "no lease yet")
        await second.task


async def test_a_broker_that_is_away_is_waited_for(broker: MemoryBroker, impatient: float) -> None:
    """Nobody is refused while the broker cannot be reached."""
    broker.stop()
    async with Member(broker, "one", standby=False).running() as one:
        over = one.clock.monotonic() + 2 * impatient
        await eventually(lambda: one.clock.monotonic() > over)
        assert await one.ready() == (503, "the broker was not reached yet")
        broker.start()
        await one.leads()
