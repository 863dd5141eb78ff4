"""Trouble, and the alert that it must raise: how long until it fires, and until it ends once all is well again.

Shipped rules, shipped intervals, real processes.  What was measured is written to build/trouble.md.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, NamedTuple

import pytest
import pytest_asyncio

from producer.sources.universe import load
from tests.checker import Checker
from tests.loadclient import LoadClient
from tests.monitoring.lookout import Lookout
from tests.monitoring.scene import Scene
from tests.slowclient import SlowClient

TABLE: Final = Path(__file__).parents[2] / "build" / "trouble.md"
SYMBOLS: Final = [str(listing.symbol) for listing in load(None)]
STEADY: Final = 13
"""Clients that keep up; with the canary and those that do not: 20."""
SLOW: Final = 6
READ: Final = 3_072.0
"""Bytes a second that a slow client reads, of the 60,000 and more that come."""
ENDS_S: Final = 90.0
"""Longest that an alert goes on after its cause: the slowest look at 15 s, and processes come back within 10 s."""
CALM_S: Final = 60.0
LATE: Final = {"TickwireLatencyBudgetFast", "TickwireLatencyBudgetSlow"}
"""What was held up comes late, and in the few minutes of a test's Prometheus that is much of all."""

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]


class Row(NamedTuple):
    """One line of the table; seconds, None where it was not waited for."""

    trouble: str
    alert: str
    severity: str
    fires: float
    ends: float | None


@pytest.fixture(scope="module", name="rows")
def _rows() -> Iterator[list[Row]]:
    """What was measured; written at the end."""
    rows: list[Row] = []
    yield rows
    head = "| trouble | alert | severity | fires after | ends after all is well |\n|---|---|---|---|---|\n"
    lines = (
        f"| {row.trouble} | {row.alert} | {row.severity} | {row.fires:.0f} s | "
        f"{'' if row.ends is None else f'{row.ends:.0f} s'} |\n"
        for row in rows
    )
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text("# Trouble, and the alerts that it raised\n\n" + head + "".join(lines), encoding="utf-8")


@pytest_asyncio.fixture(loop_scope="module", scope="module", name="scene")
async def _scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """Everything, running; each test leaves it well."""
    async with Scene(tmp_path_factory.mktemp("scene")) as scene:
        yield scene


class Trouble:
    """One fault, from this moment on; *elsewhere*: what another one raises at the same time."""

    def __init__(self, scene: Scene, name: str, rows: list[Row], *, elsewhere: str = "") -> None:
        self._lookout: Lookout = scene.lookout
        self._elsewhere = elsewhere
        self._name, self._rows = name, rows
        self._wanted: list[str] = []
        self._began = time.monotonic()

    async def raises(self, alert: str, *, within: float) -> str:
        """Return the summary of *alert* once it fires, at most *within* seconds after the fault."""
        self._wanted.append(alert)
        return (await self._lookout.fires(alert, self._began, within)).summary

    async def over(self, *others: str) -> None:
        """All is well from this moment on: what was raised must end, and no page may have come but of *others*."""
        healed = time.monotonic()
        ends = [await self._lookout.ends(alert, healed, ENDS_S) for alert in self._wanted]
        gone = dict(zip(self._wanted, ends, strict=True))
        seen = {firing.name: firing for firing in reversed(self._lookout.seen(self._began))}
        seen.pop(self._elsewhere, None)
        self._rows += [
            Row(self._name, alert, firing.severity, firing.fired - self._began, gone.get(alert))
            for alert, firing in sorted(seen.items(), key=lambda item: item[1].fired)
        ]
        unrelated = [
            firing.summary for alert, firing in seen.items() if firing.page and alert not in {*gone, *others}
        ]
        assert not unrelated


async def test_no_producer(scene: Scene, rows: list[Row]) -> None:
    """Both producers killed: nobody leads and the feed is stale, within 45 s; no other page but targets down."""
    trouble = Trouble(scene, "both producers killed", rows)
    await asyncio.gather(*(producer.kill() for producer in scene.producers))
    await trouble.raises("TickwireFeedStale", within=45)
    await trouble.raises("TickwireProducerLeaders", within=45)

    await scene.produce()
    await scene.watch()
    await trouble.over("TickwireTargetDown")


async def test_frozen_gateway_and_slow_clients(scene: Scene, rows: list[Row]) -> None:
    """A gateway without CPU is a target down within 100 s; 30 % slow clients at the other within 120 s."""
    await scene.lookout.calm(CALM_S, besides=LATE)
    healthy, victim = scene.gateways
    async with AsyncExitStack() as stay:
        for number in range(STEADY):
            client = await stay.enter_async_context(LoadClient(Checker(f"steady {number}"), seen=_ignore))
            await client.connect(healthy.stream)
            await client.subscribe(*SYMBOLS[number : number + 5])
        slow = [
            await stay.enter_async_context(SlowClient(Checker(f"slow {number}", conflates=True), float("inf")))
            for number in range(SLOW)
        ]
        for reader in slow:
            await reader.follow(healthy.stream, *SYMBOLS)

        frozen = Trouble(scene, "a gateway without CPU (SIGSTOP)", rows, elsewhere="TickwireSlowClients")
        victim.freeze()
        crawling = Trouble(scene, "30 % slow clients", rows, elsewhere="TickwireTargetDown")
        for reader in slow:
            reader.rate = READ
        try:
            told = await frozen.raises("TickwireTargetDown", within=100)
            assert told == "1 target(s) of the job gateway do not answer"
            told = await crawling.raises("TickwireSlowClients", within=120)
            assert told.startswith(f"127.0.0.1:{healthy.ops_port}: ")
            assert not any(reader.ended.is_set() for reader in slow)
        finally:
            victim.thaw()
            for reader in slow:
                reader.rate = float("inf")
        await asyncio.gather(frozen.over(*LATE), crawling.over(*LATE))


async def test_frozen_broker(scene: Scene, rows: list[Row]) -> None:
    """RabbitMQ frozen: connections are gone within 80 s; other pages are what follows from it, and end with it."""
    await scene.lookout.calm(CALM_S, besides=LATE)
    trouble = Trouble(scene, "RabbitMQ frozen (SIGSTOP)", rows)
    scene.broker.freeze()
    try:
        await trouble.raises("TickwireFeedStale", within=45)
        await trouble.raises("TickwireBrokerDisconnected", within=80)
    finally:
        scene.broker.thaw()
    await trouble.over("TickwireProducerLeaders", "TickwireHistoryAbsent", "TickwireTargetDown", *LATE)


def _ignore(raw: bytes) -> None:
    """Nothing: the checker has seen it."""
    del raw
