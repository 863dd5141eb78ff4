"""Producers die (F11), freeze while another one takes over, and are two at once (F12), under load with history."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pytest

from producer.leadership import PATIENCE_S
from tests.eventually import eventually
from tests.faults.crowd import quantile
from tests.faults.figures import Figures
from tests.faults.market import NOTICE_S, Client, Market
from tests.faults.pythonclient import PythonClient
from tests.faults.zombie import GHOST, Zombie
from tests.stack import Stack, Tickwire
from tests.witness import LastMarks, Record

TAKEOVER_S: Final = 5.0
"""From a leader's death to the first ticks of its standby at every client."""
FREEZE_S: Final = 9.0
"""From a leader's freeze: its broker gives up after 4.3 s, two heartbeats of 2 s and a little."""
ALONE_S: Final = 5.0
FLOW_S: Final = 5.0
TALKS: Final = 12
HEARTBEAT_S: Final = 1.2
STEP: Final = 0.05
"""Share by which a price may differ over a change of epoch; within a second of the market it moves by 0.01 %."""
STANDBY: Final = {"STANDBY": "true"}

pytestmark = pytest.mark.timeout(300)


async def leader(market: Market, *, deadline: float = 20.0) -> Tickwire:
    """Return the one producer that leads, once no other one says so."""
    end = time.monotonic() + deadline
    while True:
        alive = [producer for producer in market.producers if producer.alive]
        leading = [p for p in alive if await p.metric("tickwire_producer_leading")]
        if len(leading) == 1:
            return leading[0]
        assert time.monotonic() < end, f"{len(leading)} of {len(alive)} producers lead"
        await asyncio.sleep(0.05)


async def standing_by(producer: Tickwire, *, deadline: float = PATIENCE_S + 10) -> None:
    """Return once *producer* waits for the lease."""
    end = time.monotonic() + deadline
    while (found := await producer.ready()) != "standby" or await producer.metric("tickwire_producer_leading"):
        assert time.monotonic() < end, f"{found}; {producer.tail}"
        await asyncio.sleep(0.05)


async def turned(clients: Iterable[Client], epoch: int, began: float, deadline: float) -> list[float]:
    """Return the seconds from *began* to each client's first tick after *epoch*, once all symbols have one."""
    waiting, first = list(clients), dict[Client, float]()

    def all_turned() -> bool:
        now = time.monotonic()
        for client in list(waiting):
            cursors = [client.checker.cursor(symbol) for symbol in client.symbols]
            later = sum(cursor is not None and cursor.epoch > epoch and cursor.seq > 0 for cursor in cursors)
            if later:
                first.setdefault(client, now - began)
            if later == len(cursors):
                waiting.remove(client)
        return not waiting

    await eventually(all_turned, deadline=deadline)
    return list(first.values())


async def epoch_of(producer: Tickwire) -> int:
    """Return the epoch that *producer* publishes."""
    return int(await producer.metric("tickwire_producer_epoch"))


async def fenced(market: Market) -> float:
    """Return how many ticks of an old epoch gateways and histories have dropped."""
    gateways = [await g.metric("tickwire_ticks_fenced_total") for g in market.gateways]
    return sum(gateways) + sum([await h.metric("tickwire_history_ticks_fenced_total") for h in market.histories])


async def end_standbys(market: Market) -> None:
    """Stop the producers that would take over at the market's end."""
    leading = await leader(market)
    for producer in market.producers:
        if producer.alive and producer is not leading:
            await producer.stop()


def continues(clients: Iterable[PythonClient], times: int) -> None:
    """Every symbol went over *times* changes of epoch: from seq 1 on, no volume was lost, no price jumped."""
    for client in clients:
        for symbol, seen in client.iterated.items():
            assert len(seen.turns) == times, (client.name, symbol, seen.turns)
            for before, after in seen.turns:
                assert (after.seq, after.skipped, after.snapshot) == (1, 0, False), (before, after)
                assert after.volume >= before.volume, (before, after)
                assert abs(after.price / before.price - 1) < STEP, (before, after)


def whole(market: Market, record: Record) -> None:
    """Every client left each epoch at the last tick that was ever published of it."""
    for client in market.everybody:
        client.checker.finish(ends=record.ends)


@pytest.mark.slow
@pytest.mark.parametrize("kills", [2, 12])
async def test_leader_killed(kills: int, stack: Stack, tmp_path: Path, figures: Figures) -> None:
    """A killed leader's standby has ticks at every client in 5 s, after the rest of the old epoch (F11)."""
    fault = f"F11 leader killed {kills} x, with a standby"
    took: list[float] = []
    async with Record(stack.broker_url) as record, Market(stack, tmp_path, producers=(STANDBY,)) as market:
        for _ in range(kills):
            await standing_by(await market.start("producer", STANDBY))
            victim = await leader(market)
            epoch, began = await epoch_of(victim), time.monotonic()
            await victim.kill()
            took += await turned(market.everybody, epoch, began, 2 * TAKEOVER_S)
            await market.flowing()
        await end_standbys(market)
        outcome = await market.settle()
        whole(market, record)
    continues(market.pythons, kills)
    figures.told(fault, "first tick of the new epoch at a client, p50", quantile(took, 0.5), "s")
    figures.within(fault, "the slowest", max(took), TAKEOVER_S)
    figures.told(fault, "ticks delivered", outcome.delivered)
    assert (outcome.missing, outcome.open, outcome.conflated) == ({}, {}, 0)


@pytest.mark.slow
async def test_leader_killed_without_standby(stack: Stack, tmp_path: Path, figures: Figures) -> None:
    """A producer killed and started by hand 5 s later: stale, then the rest of the old epoch and the new one."""
    fault = "F11 producer killed, started again after 5 s"
    async with Record(stack.broker_url) as record, Market(stack, tmp_path) as market:
        epoch, began = await epoch_of(market.producer), time.monotonic()
        await market.producer.kill()
        figures.within(fault, "every client told stale", await market.told("stale", began), NOTICE_S)
        await asyncio.sleep(ALONE_S - (time.monotonic() - began))  # the length of the fault
        await market.start("producer", {})
        began = time.monotonic()
        took = await turned(market.everybody, epoch, began, FLOW_S)
        figures.within(fault, "every client told live", await market.told("live", began), FLOW_S)
        figures.within(fault, "first tick of the new epoch at a client, slowest", max(took), FLOW_S)
        await market.flowing()
        outcome = await market.settle()
        whole(market, record)
    continues(market.pythons, 1)
    assert (outcome.missing, outcome.open, outcome.conflated) == ({}, {}, 0)


@pytest.mark.slow
@pytest.mark.parametrize("freezes", [1, 6])
async def test_leader_frozen(freezes: int, stack: Stack, tmp_path: Path, figures: Figures) -> None:
    """A leader frozen until its standby leads, then thawed, confuses nobody; one leads afterwards (F12)."""
    fault = f"F12 leader frozen {freezes} x until its standby leads"
    took: list[float] = []
    async with Market(stack, tmp_path, producers=(STANDBY,)) as market:
        await standing_by(await market.start("producer", STANDBY))
        for _ in range(freezes):
            victim = await leader(market)
            epoch, began = await epoch_of(victim), time.monotonic()
            victim.freeze()
            try:
                took += await turned(market.everybody, epoch, began, FREEZE_S)
            finally:
                victim.thaw()
            await standing_by(victim)
            assert await leader(market) is not victim
            await market.flowing()
        late = await fenced(market)
        await end_standbys(market)
        outcome = await market.settle()
    continues(market.pythons, freezes)
    figures.told(fault, "first tick of the new epoch at a client, p50", quantile(took, 0.5), "s")
    figures.within(fault, "the slowest", max(took), FREEZE_S)
    figures.told(fault, "ticks of the old epochs dropped by gateways and histories", late)
    assert (outcome.missing, outcome.open, outcome.conflated) == ({}, {}, 0)


@pytest.mark.slow
async def test_zombie_talks(stack: Stack, tmp_path: Path, figures: Figures) -> None:
    """Ticks, marks and a directory of a run that is over change nothing for anybody, newcomers included (F12)."""
    fault = "F12 an old run goes on talking"
    async with Market(stack, tmp_path) as market:
        async with LastMarks(stack.broker_url) as witness:
            epoch = await epoch_of(market.producer)
            await market.producer.stop()
            last = await witness.read()
        began = time.monotonic()
        await market.start("producer", {})
        await turned(market.everybody, epoch, began, FLOW_S)
        before = await fenced(market)
        async with Zombie(stack.broker_url, epoch, last) as zombie:
            talking = asyncio.create_task(_talk(zombie), name="zombie")
            await market.start("history", {})
            gateway = await market.start("gateway", {})
            for process in (market.histories[-1], gateway):
                await process.ready()
            await asyncio.sleep(HEARTBEAT_S)  # until then a newcomer may have heard of nobody else
            await market.flowing(await market.join(gateway, 4))
            (stranger,) = await market.join(gateway, 1)
            assert await stranger.stream.subscribe(GHOST) == {GHOST: "unknown_symbol"}
            await talking
        await market.flowing()
        late = await fenced(market) - before
        outcome = await market.settle()
    continues(market.pythons, 1)
    figures.told(fault, "ticks that it published", zombie.ticks)
    figures.told(fault, "of them dropped by 3 gateways and 3 histories, in all", late)
    assert (outcome.missing, outcome.open, outcome.conflated) == ({}, {}, 0)
    assert late >= 2 * zombie.ticks  # two gateways and two histories were there from the beginning


async def _talk(zombie: Zombie) -> None:
    for _ in range(TALKS):
        await zombie.talk()
        await asyncio.sleep(0.2)  # its rate
