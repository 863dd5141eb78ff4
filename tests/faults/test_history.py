"""History goes away at each point of a resume: killed, frozen, forgetful, cut off from its questions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import aiormq
import pytest
from yarl import URL

from gateway.recovery import HISTORY_PATIENCE
from services.broker.topology import HISTORY
from services.history.lag import BEHIND_S
from tests.brokers import Broker
from tests.eventually import eventually
from tests.faults.figures import Figures
from tests.faults.market import Market
from tests.faults.returners import HOT, Returners
from tests.proxy import proxied
from tests.stack import Stack, Tickwire
from tests.streamclient import StreamClient

RATE: Final = 600
HOT_RATE: Final = 300
"""After 66 s of it more than the 20,000 ticks are missing that are replayed at most."""
QUIET: Final = "QUIET"
"""Ticks once at the start of its producer, and then not for hours."""
MORE: Final[Mapping[str, float]] = {HOT: 200.0, QUIET: 0.01}
AWAY_S: Final = 10.0
"""So that a resume takes more than five pages; the gateway's ring reaches back 3.3 s."""
RESUME_S: Final = 5.0
"""Everybody is up to date again; without a fault 0.2 s."""
FROZEN_S: Final = 6.0
ASKED_S: Final = 5.0
BACK_S: Final = 10.0
"""A history that returns is noticed within about a second, and what waits for it answered."""

pytestmark = pytest.mark.timeout(300)


def market_of(stack: Stack, folder: Path) -> Market:
    """A market with a hot symbol and a quiet one, and few clients beside those that return."""
    return Market(stack, folder, clients=8, each=5, rate=RATE, more=MORE)


@asynccontextmanager
async def away(market: Market, *names: str) -> AsyncIterator[list[Returners]]:
    """Parties that were at the first gateway and have been away for 10 s; each has arrived at the second."""
    here, there = market.gateways
    async with AsyncExitStack() as stack:
        parties = [await stack.enter_async_context(Returners(name)) for name in names]
        for party in parties:
            await party.stay(here)
        await asyncio.sleep(AWAY_S)  # the length of their absence
        for party in parties:
            await party.arrive(there)
        yield parties


async def ask_again(market: Market) -> None:
    """Return once a question to history was not answered in time at the second gateway."""
    gateway = market.gateways[1]
    before = await gateway.metric("tickwire_rpc_timeouts_total")
    end = time.monotonic() + ASKED_S
    while await gateway.metric("tickwire_rpc_timeouts_total") == before:
        assert time.monotonic() < end, "every question was answered"
        await asyncio.sleep(0.05)


async def replace(market: Market, victim: Tickwire, settings: Mapping[str, object] | None = None) -> Tickwire:
    """Start another history instead of *victim*, which is dead."""
    market.histories.remove(victim)
    new = await market.start("history", settings or {})
    await new.ready()
    return new


async def whole(market: Market, party: Returners) -> None:
    """Everybody of *party* has every tick that it missed, once."""
    await party.judge(market.gateways[1])
    assert party.told() == {}
    assert party.got_again > AWAY_S * HOT_RATE / 2


async def snapshot_of_quiet(stack: Stack, gateway: Tickwire) -> dict[str, object]:
    """Return the first snapshot frame that a newcomer gets for the quiet symbol."""
    async with StreamClient(stack.http) as client:
        await client.connect(gateway.stream)
        assert await client.subscribe(QUIET) == {}
        await client.until(lambda: client.counts["snapshot"])
        client.checker.check()
        return next(frame for frame in client.frames if frame["op"] == "snapshot")


async def test_replica_killed(stack: Stack, tmp_path: Path, figures: Figures) -> None:
    """A replica killed before, at or between the questions of a resume costs nobody a tick while another lives."""
    fault = "history: one of 2 replicas killed"
    async with (
        market_of(stack, tmp_path) as market,
        away(market, "before", "waiting", "between") as (before, waiting, between),
    ):
        victim = market.histories[0]
        await victim.kill()
        before.resume()
        figures.within(fault, "before the first question, all up to date", await before.recovered(30), RESUME_S)
        await replace(market, victim)

        victim, survivor = market.histories
        victim.freeze()
        survivor.freeze()
        waiting.resume()
        await ask_again(market)
        await victim.kill()
        survivor.thaw()
        figures.within(fault, "with a question in hand, all up to date", await waiting.recovered(30), RESUME_S)
        await replace(market, victim)

        between.resume()
        await between.replaying()
        await market.histories[0].kill()
        figures.told(fault, "of 4 clients still behind when it was dead", between.recovering)
        figures.within(fault, "between two pages, all up to date", await between.recovered(30), RESUME_S)
        for party in (before, waiting, between):
            await whole(market, party)
        outcome = await market.settle()
    assert (outcome.missing, outcome.open, outcome.conflated) == ({}, {}, 0)


@pytest.mark.slow
async def test_no_replica(stack: Stack, tmp_path: Path, figures: Figures) -> None:
    """Without history, what nobody can repeat is named after 5 s; live ticks go on, and its return is noticed."""
    fault = "history: both replicas killed"
    async with market_of(stack, tmp_path) as market, away(market, "during", "after") as (during, after):
        there = market.gateways[1]
        assert "data" in await snapshot_of_quiet(stack, there)
        dead = list(market.histories)
        for history in dead:
            await history.kill()
        during.resume()
        began = time.monotonic()
        await eventually(lambda: during.told()["unavailable"], deadline=30)
        patience = time.monotonic() - began
        figures.within(fault, "the first hole is named unavailable after", patience, HISTORY_PATIENCE + 1)
        assert patience > HISTORY_PATIENCE - 0.5
        await during.recovered(HISTORY_PATIENCE + 2)
        assert during.told().keys() == {"unavailable"}
        await market.flowing(deadline=5)
        async with StreamClient(stack.http) as waiting:
            await waiting.connect(market.gateways[0].stream)
            assert await waiting.subscribe(QUIET) == {}
            await waiting.until(lambda: waiting.counts["snapshot"])
            assert waiting.frames[-1]["none"] == {QUIET: "unavailable"}

            for history in dead:
                await replace(market, history)
            began = time.monotonic()
            await waiting.until(lambda: waiting.checker.cursor(QUIET) is not None)
            figures.within(fault, "who was told so has its snapshot", time.monotonic() - began, BACK_S)
        assert "data" in await snapshot_of_quiet(stack, market.gateways[0])
        after.resume()
        figures.within(fault, "a resume after their return", await after.recovered(30), RESUME_S)
        await whole(market, after)
        await during.judge(there)
        outcome = await market.settle()
    assert (outcome.missing, outcome.open, outcome.conflated) == ({}, {}, 0)


@pytest.mark.slow
async def test_forgetful_replica(stack: Stack, tmp_path: Path, figures: Figures) -> None:
    """A replica that has read a second of the log says `forgotten` of what came before, never that it is lost."""
    fault = "history: a replica that read 1 s"
    async with (
        market_of(stack, tmp_path) as market,
        away(market, "alone", "beside") as (alone, beside),
    ):
        for history in list(market.histories):
            await history.kill()
            market.histories.remove(history)
        await (await market.start("history", {"RETENTION_S": 1})).ready()
        alone.resume()
        figures.within(fault, "alone, all up to date", await alone.recovered(30), RESUME_S)
        assert alone.told().keys() == {"forgotten"}
        await alone.judge(market.gateways[1])

        await (await market.start("history", {})).ready()
        beside.resume()
        figures.within(fault, "beside another, all up to date", await beside.recovered(30), RESUME_S)
        assert beside.told().keys() <= {"forgotten"}, beside.told()
        figures.told(fault, "ticks that 4 clients were told forgotten", beside.told()["forgotten"])
        await beside.judge(market.gateways[1])
        outcome = await market.settle()
    assert (outcome.missing, outcome.open, outcome.conflated) == ({}, {}, 0)


@pytest.mark.slow
@pytest.mark.parametrize("frozen", [FROZEN_S, 25.0])
async def test_replica_frozen(frozen: float, stack: Stack, tmp_path: Path, figures: Figures) -> None:
    """A replica that is frozen delays answers, never loses one; thawed, it catches up and answers again."""
    fault = f"history: one of 2 replicas frozen {frozen:g} s"
    async with market_of(stack, tmp_path) as market, away(market, "during", "after") as (during, after):
        victim = market.histories[0]
        began = time.monotonic()
        victim.freeze()
        try:
            during.resume()
            figures.within(fault, "meanwhile, all up to date", await during.recovered(30), 2 * RESUME_S)
            await asyncio.sleep(max(0.0, frozen - (time.monotonic() - began)))  # the length of the fault
        finally:
            victim.thaw()
        thawed, behind = time.monotonic(), 0.0
        while (state := await victim.probe()) != (200, "ready") or time.monotonic() - thawed < 1:
            behind = max(behind, await victim.metric("tickwire_history_behind_seconds"))
            assert time.monotonic() - thawed < BACK_S, state
        figures.told(fault, "most seconds behind after it", behind, "s")
        after.resume()
        figures.within(fault, "after it, all up to date", await after.recovered(30), RESUME_S)
        late = [await gateway.metric("tickwire_rpc_late_total") for gateway in market.gateways]
        figures.told(fault, "answers that came too late", sum(late))
        await whole(market, during)
        await whole(market, after)
        outcome = await market.settle()
    assert (outcome.missing, outcome.open, outcome.conflated) == ({}, {}, 0)


@pytest.mark.slow
async def test_replica_cut_off(stack: Stack, tmp_path: Path, figures: Figures) -> None:
    """A replica without its broker says how far behind it is and takes no questions; back, it answers again."""
    fault = f"history: one of 2 replicas without a broker for {FROZEN_S:g} s"
    url = URL(stack.broker_url)
    async with (
        proxied(str(url.host), url.port or 5672) as proxy,
        market_of(stack, tmp_path) as market,
        away(market, "during", "after") as (during, after),
    ):
        behind = str(url.with_host("127.0.0.1").with_port(proxy.port))
        victim = market.histories[0]
        await victim.stop()
        replica = await replace(market, victim, {"BROKER_URL": behind})
        began = time.monotonic()
        await proxy.refuse()
        proxy.cut()
        during.resume()
        figures.within(fault, "meanwhile, all up to date", await during.recovered(30), RESUME_S)
        await replica.ready(ready=False)
        while await replica.metric("tickwire_history_behind_seconds") < BEHIND_S:
            assert time.monotonic() - began < 2 * BEHIND_S
            await asyncio.sleep(0.05)
        await asyncio.sleep(FROZEN_S - (time.monotonic() - began))  # the length of the fault
        await proxy.accept()
        began = time.monotonic()
        await replica.ready(deadline=BACK_S)
        figures.within(fault, "it answers again after", time.monotonic() - began, BACK_S)
        assert await replica.metric("tickwire_history_behind_seconds") < BEHIND_S
        after.resume()
        figures.within(fault, "after it, all up to date", await after.recovered(30), RESUME_S)
        await whole(market, during)
        await whole(market, after)
        outcome = await market.settle()
    assert (outcome.missing, outcome.open, outcome.conflated) == ({}, {}, 0)


@pytest.mark.slow
async def test_request_queue_deleted(stack: Stack, tmp_path: Path, figures: Figures) -> None:
    """An operator who deletes the queue of questions delays answers, and costs nobody a tick."""
    fault = "history: request queue deleted"
    async with market_of(stack, tmp_path) as market, away(market, "within", "after") as (within, after):
        async with await aiormq.connect(stack.broker_url) as connection:  # rabbitmqctl would take a second
            channel = await connection.channel()
            await channel.queue_delete(HISTORY)
        within.resume()
        figures.within(fault, "all up to date", await within.recovered(30), 2 * RESUME_S)
        after.resume()
        figures.within(fault, "the next ones", await after.recovered(30), RESUME_S)
        await whole(market, within)
        await whole(market, after)
        outcome = await market.settle()
    assert (outcome.missing, outcome.open, outcome.conflated) == ({}, {}, 0)


@pytest.mark.slow
async def test_broker_killed_in_a_resume(
    stack: Stack, broker_control: Broker, tmp_path: Path, figures: Figures
) -> None:
    """A broker killed between two pages of a resume: it goes on where it was, and nothing is unavailable."""
    fault = "history: broker killed in a resume"
    async with market_of(stack, tmp_path) as market, away(market, "within") as (party,):
        party.resume()
        await party.replaying()
        await asyncio.to_thread(broker_control.stop, hard=True)
        figures.told(fault, "of 4 clients still behind when it was dead", party.recovering)
        await asyncio.to_thread(broker_control.start)
        began = time.monotonic()
        await party.recovered(60)
        figures.within(fault, "all up to date after the port is open", time.monotonic() - began, 2 * RESUME_S)
        await market.flowing()
        await party.judge(market.gateways[1])
        figures.told(fault, "ticks that 4 clients were told missing", party.told().total())
        assert party.told().keys() <= {"lost"}
        outcome = await market.settle()
        figures.told(fault, "ticks that all others were told missing", outcome.missing.total())
    assert not outcome.open
    assert outcome.missing.keys() <= {"lost"}
