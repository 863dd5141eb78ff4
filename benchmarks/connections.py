"""Many connections: what they cost at rest, and what it does to others when they come all at once."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any, Final

from benchmarks.generator import Generator, Load, measured
from benchmarks.market import market_row, running, subscriptions
from benchmarks.peers.peer import cpu_seconds, family
from benchmarks.row import Row, median_row
from benchmarks.scenarios import Idle, Market, Storm, Variant
from producer.pacing import default_interval_ms
from tests.brokers import Broker
from tests.stack import Tickwire

WARM_UP: Final = 200
"""Connections before the first look: what they cost once (allocator, code paths) stays out."""
SETTLE_S: Final = 3.0
SUBSCRIBED_S: Final = 60.0
HELD_S: Final = 600.0
AT_ONCE: Final = 64
"""Handshakes under way; a storm is another scenario."""


async def idle(scenario: Idle, broker: Broker) -> Row:
    """Return what a connection costs that has been welcomed, follows its symbols, and is told nothing new.

    The market ticks once a second while they subscribe, and is frozen then.
    """
    count = scenario.connections
    async with running(broker, 1, Variant(tls=scenario.tls), MAX_CONNECTIONS=count + WARM_UP) as (
        producer,
        gateway,
    ):
        first = await _hold(gateway, WARM_UP, scenario)
        try:
            await _subscribed(gateway, WARM_UP * scenario.each)
            before = gateway.memory()
            second = await _hold(gateway, count, scenario)
            try:
                began = await second.result()
                await _subscribed(gateway, (WARM_UP + count) * scenario.each)
                producer.freeze()
                await asyncio.sleep(SETTLE_S)
                after, share = gateway.memory(), await _busy(gateway, scenario.seconds)
                producer.thaw()
            finally:
                await second.stop()
        finally:
            await first.stop()
    each = {name: (after[name] - before[name]) / count / 1024 for name in before}
    rate = count / began["connecting_s"]
    note = (
        f"{scenario.each} symbols each; {share:.1%} of a core at rest; opened at {rate:,.0f}/s; "
        f"resident set: {each['Rss']:.1f} KB each"
    )
    detail = {"kb_each": each, "idle_cores": share, "connecting_s": began["connecting_s"]}
    return Row(scenario.name, "Tickwire", rate, memory_kb=each["Private_Dirty"], note=note, detail=detail)


async def _hold(gateway: Tickwire, count: int, scenario: Idle) -> Generator:
    hello = subscriptions(count, scenario.each)
    return await Generator.start(
        Load(gateway.port, count, hello, tls=scenario.tls, connect_only=True, hold=HELD_S, in_flight=AT_ONCE)
    )


async def _subscribed(gateway: Tickwire, count: int) -> None:
    """Return once *count* subscriptions are served and the gateway has settled."""
    end = time.monotonic() + SUBSCRIBED_S
    while (served := await gateway.metric("tickwire_subscriptions")) < count:
        if time.monotonic() > end:
            raise RuntimeError(f"{served:.0f} of {count} subscriptions after {SUBSCRIBED_S:.0f} s")
        await asyncio.sleep(0.2)
    await asyncio.sleep(SETTLE_S)


async def _busy(gateway: Tickwire, seconds: float) -> float:
    """Return how much of a core the gateway uses."""
    before, began = cpu_seconds(family(gateway.pid)), time.monotonic()
    await asyncio.sleep(seconds)
    return (cpu_seconds(family(gateway.pid)) - before) / (time.monotonic() - began)


async def storm(scenario: Storm, broker: Broker) -> list[Row]:
    """Return how late ticks reach the clients that are being served, without and with the newcomers."""
    runs: dict[bool, list[Row]] = {False: [], True: []}
    for _ in range(scenario.runs):
        for comes, rows in runs.items():
            rows.append(await _storm_once(scenario, broker, comes=comes))
    return [_latest(rows) for rows in runs.values()]


def _latest(rows: list[Row]) -> Row:
    """Return the run with the median p99: here it is not the cost that counts."""
    middle = sorted(rows, key=lambda row: row.p99 or 0.0)[len(rows) // 2]
    costs = median_row(rows).runs
    return replace(middle, runs=costs, detail={**middle.detail, "p99s": [row.p99 for row in rows]})


async def _storm_once(scenario: Storm, broker: Broker, *, comes: bool) -> Row:
    room = scenario.clients + scenario.newcomers + 10
    served: dict[str, Any] = {}
    async with running(broker, scenario.rate, Variant(), MAX_CONNECTIONS=room) as (_, gateway):
        load = Load(
            gateway.port, scenario.clients, subscriptions(scenario.clients, scenario.each),
            warmup=3.0, seconds=scenario.seconds,
        )  # fmt: skip

        async def newcomers() -> None:
            crowd = Load(
                gateway.port, scenario.newcomers, connect_only=True, hold=HELD_S, in_flight=scenario.newcomers
            )
            generator = await Generator.start(crowd)
            try:
                served.update(await generator.result())
                await asyncio.Event().wait()
            finally:
                await generator.stop()

        result, used = await measured(
            load, lambda: {"gateway": cpu_seconds([gateway.pid])}, at_start=newcomers if comes else None
        )
    like = Market(scenario.name, scenario.rate, scenario.clients, scenario.each)
    row = market_row(like, "", result, used, default_interval_ms(scenario.rate))
    if not comes:
        return replace(row, who="Tickwire, before")
    note = (
        f"{served.get('connected', 0):,} of {scenario.newcomers:,} served, "
        f"all within {served.get('connecting_s', float('nan')):.1f} s; {row.note}"
    )
    return Row(
        **{**vars(row), "who": "Tickwire, while they come", "note": note, "detail": {**row.detail, **served}}
    )
