"""The soak: clients come and go, faults happen at random, and nothing may pile up.

TICKWIRE_SOAK_S: seconds (1,200).  TICKWIRE_SOAK_SEED: which faults happen when.  `make soak SOAK_S=3600`.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from gateway.line import IDLE_GRACE
from tests.brokers import Broker
from tests.checker import Checker
from tests.eventually import eventually
from tests.faults.crowd import SYMBOLS, Crowd, quantile
from tests.faults.figures import Figures
from tests.queues import followed
from tests.soak.gauges import Gauges
from tests.stack import Stack, Tickwire
from tests.streamclient import StreamClient

SECONDS: Final = float(os.environ.get("TICKWIRE_SOAK_S", "1200"))
SEED: Final = int(os.environ.get("TICKWIRE_SOAK_SEED", "1"))
REST_S: Final = 5.0
"""Between two faults, once everybody has recovered."""
RECOVERY_S: Final = 60.0
CLIENTS, EACH, RATE = 60, 4, 400
VISITORS: Final = 8

pytestmark = pytest.mark.timeout(SECONDS * 2 + 600)


class Soak:
    """A crowd, visitors, and what happens to them."""

    def __init__(self, crowd: Crowd, stack: Stack, broker: Broker) -> None:
        self.crowd, self._stack, self._broker = crowd, stack, broker
        self._dice = random.Random(SEED)
        self.happened: Counter[str] = Counter()
        self.visits = 0
        self.recoveries: list[float] = []
        # The first gateway and the first history live through everything that they can: they are looked at.
        self.watched = [crowd.gateways[0], crowd.histories[0]]
        self._faults: dict[str, Callable[[], Awaitable[None]]] = {
            "gateway killed": self._kill_gateway,
            "gateway replaced": self._replace_gateway,
            "history killed": self._kill_history,
            "leader killed": self._kill_leader,
            "broker killed": self._kill_broker,
            "connections closed": self._close_connections,
            "gateway frozen 2 s": self._freeze_gateway,
            "broker frozen 2 s": self._freeze_broker,
        }

    async def faults(self, seconds: float) -> None:
        """Let faults happen, one after another, each once everybody has recovered from the last."""
        end = time.monotonic() + seconds
        order = list(self._faults)
        while time.monotonic() < end:
            if not self.happened.total() % len(order):
                self._dice.shuffle(order)
            name = order[self.happened.total() % len(order)]
            self.happened[name] += 1
            await self._faults[name]()
            for client in self.crowd.clients:
                client.expect()
            self.recoveries += await self.crowd.recovered(self.crowd.clients, deadline=RECOVERY_S)
            for client in self.crowd.clients:
                client.checker.check()
            await asyncio.sleep(REST_S)  # the soak's own pace

    async def visitor(self, number: int) -> None:
        """Come, follow something for a moment, change it, and leave, again and again."""
        dice = random.Random(SEED * 1_000 + number)
        while True:
            gateway = dice.choice([g for g in self.crowd.gateways if g.alive])
            checker = Checker(f"visitor {number}", sample=20, conflates=True)
            with suppress(OSError, TimeoutError, AssertionError):  # the gateway went away under it
                async with StreamClient(self._stack.http, checker) as client:
                    await client.connect(gateway.stream)
                    await client.subscribe(*dice.sample(SYMBOLS, 5), max_rate=dice.choice([None, 2]))
                    await asyncio.sleep(dice.uniform(0.1, 2.0))  # the length of its visit
                    if leaving := sorted(client.checker.subscribed)[:2]:  # its symbols may not be bound yet
                        await client.unsubscribe(*leaving)
            checker.check()
            self.visits += 1
            await asyncio.sleep(dice.uniform(0.1, 1.0))

    # ------------------------------------------------------------------------------------------------- the faults

    async def _kill_gateway(self) -> None:
        await self._new_gateway(await self._pick(self.crowd.gateways, kill=True))

    async def _replace_gateway(self) -> None:
        await self._new_gateway(await self._pick(self.crowd.gateways, kill=False))

    async def _new_gateway(self, _: Tickwire) -> None:
        self.crowd.gateways.append(await self._stack.gateway())
        await self.crowd.gateways[-1].ready()
        await self.crowd.rebalance()

    async def _kill_history(self) -> None:
        await self._pick(self.crowd.histories, kill=True)
        self.crowd.histories.append(await self._stack.start("history", {}))

    async def _pick(self, group: list[Tickwire], *, kill: bool) -> Tickwire:
        victim = self._dice.choice([process for process in group if process not in self.watched])
        group.remove(victim)
        if kill:
            await victim.kill()
        else:
            await victim.stop()
        return victim

    async def _kill_leader(self) -> None:
        leader = await self.crowd.leader()
        await leader.kill()
        self.crowd.producers.remove(leader)
        await self.crowd.add_producer(STANDBY=1)

    async def _kill_broker(self) -> None:
        await asyncio.to_thread(self._broker.stop, hard=True)
        await asyncio.to_thread(self._broker.start)

    async def _close_connections(self) -> None:
        await asyncio.to_thread(self._broker.ctl, "close_all_connections", "soak")

    async def _freeze_gateway(self) -> None:
        gateway = self._dice.choice(self.crowd.gateways)
        gateway.freeze()
        await asyncio.sleep(2.0)  # the length of the fault
        gateway.thaw()

    async def _freeze_broker(self) -> None:
        self._broker.freeze()
        await asyncio.sleep(2.0)  # the length of the fault
        self._broker.thaw()


async def test_soak(stack: Stack, broker_control: Broker, tmp_path: Path, figures: Figures) -> None:
    """Through churn and random faults no checker finds a fault, and memory, files, tasks and queues stay flat."""
    fault = f"soak {SECONDS:g} s"
    crowd = Crowd(
        stack,
        tmp_path,
        clients=CLIENTS,
        each=EACH,
        rate=RATE,
        histories=({}, {}),
        producers=({}, {"STANDBY": 1}),
        conflates=True,
    )
    async with crowd:
        soak = Soak(crowd, stack, broker_control)
        gauges = Gauges(soak.watched)
        tasks = [asyncio.create_task(soak.visitor(n)) for n in range(VISITORS)]
        tasks.append(asyncio.create_task(gauges.run()))
        try:
            await soak.faults(SECONDS)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for end in ended:
            assert isinstance(end, asyncio.CancelledError), end
        told = await crowd.settle()
        await eventually(lambda: not any(client.recovering for client in crowd.clients), deadline=30)
        # Whoever visited has gone: what is bound is what those who stayed follow, once at each gateway, no more.
        needed = crowd.needed()
        deadline = time.monotonic() + IDLE_GRACE + 30.0
        while (left := await asyncio.to_thread(followed, broker_control)) != needed:
            assert time.monotonic() < deadline, f"bound {left - needed} too much, {needed - left} too little"
            await asyncio.sleep(1.0)
    for name, count in sorted(soak.happened.items()):
        figures.told(fault, name, count, "times")
    figures.told(fault, "visits", soak.visits)
    figures.told(fault, "ticks delivered to those who stayed", crowd.delivered)
    for reason, count in sorted(told.items()):
        figures.told(fault, f"told instead: {reason}", count)
    figures.told(fault, "recovery of a client, p50", quantile(soak.recoveries, 0.5), "s")
    figures.told(fault, "recovery of a client, p99", quantile(soak.recoveries, 0.99), "s")
    figures.told(fault, "live queues at the end", sum(left.values()))
    for what, value, most in gauges.verdicts():
        figures.within(fault, what, value, most, "")
