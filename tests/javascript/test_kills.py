"""The JavaScript client over gateways that are killed: each tick exactly once, however often."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Final

import pytest

from tests.brokers import free_ports
from tests.eventually import eventually
from tests.javascript.reporter import Reporter
from tests.stack import Stack, Tickwire
from tests.witness import LastMarks

RATE: Final = 2_000
KILLS: Final = int(os.environ.get("TICKWIRE_JAVASCRIPT_KILLS", "3"))
FEEDS: Final = 4
GATEWAYS: Final = 4
"""So that one can be killed while others still start."""
HISTORIES: Final = 2
EACH: Final = 5
SYMBOLS: Final = [f"S{n:02}" for n in range(20)]
FLOW_S: Final = 60.0
START_S: Final = 120.0
"""Longest start of a gateway, beside a market and its judges on two cores that others use, too."""
SETTLE_S: Final = 60.0
"""The promise is 8 s; the rest is for what the process has reported and this one has not read yet."""


def _wanted(streams: list[str]) -> list[tuple[list[str], list[str], dict[str, object]]]:
    """Each feed tries another gateway first."""
    symbols = [[SYMBOLS[(5 * number + k) % len(SYMBOLS)] for k in range(EACH)] for number in range(FEEDS)]
    return [(streams[number:] + streams[:number], names, {}) for number, names in enumerate(symbols)]


def _market(folder: Path) -> Path:
    rows = [f"{symbol},{symbol} Inc.,100.00,0.3,1.0,10" for symbol in SYMBOLS]
    path = folder / "symbols.csv"
    path.write_text("\n".join(["symbol,name,price,volatility,beta,weight", *rows]) + "\n")
    return path


async def _gateway(stack: Stack, port: int) -> Tickwire:
    gateway = await stack.gateway(PORT=port)
    await gateway.ready()
    return gateway


async def _replaced(stack: Stack, port: int, gateways: list[Tickwire], index: int) -> Tickwire:
    gateways[index] = await _gateway(stack, port)
    return gateways[index]


def _busiest(reporter: Reporter, gateways: list[Tickwire], starting: list[asyncio.Task[Tickwire]]) -> int:
    """Return the gateway that serves most feeds, of those that have started."""
    served = [feed.gateway for feed in reporter.feeds]
    started = [index for index, start in enumerate(starting) if start.done()]
    return max(started, key=lambda index: served.count(gateways[index].stream))


@pytest.mark.timeout(1_200)
async def test_gateways_killed(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway is killed again and again at 2,000 ticks/s: nothing is lost, doubled or unexplained.

    TICKWIRE_JAVASCRIPT_KILLS=20 for more than CI's three.
    """
    monkeypatch.setattr("tests.stack.START_S", START_S)
    ports = free_ports(GATEWAYS)
    producer = await stack.producer(RATE=RATE, SEED=5, SYMBOLS=_market(tmp_path))
    for history in [await stack.start("history", {}) for _ in range(HISTORIES)]:
        await history.ready()
    starting = [asyncio.create_task(_gateway(stack, port)) for port in ports]
    gateways = await asyncio.gather(*starting)
    took: list[float] = []
    async with Reporter(_wanted([gateway.stream for gateway in gateways])) as reporter:
        await reporter.flowing(FLOW_S)
        for kill in range(KILLS):
            victim = _busiest(reporter, gateways, starting)
            await gateways[victim].kill()
            took.append(await reporter.flowing(FLOW_S))
            print(f"kill {kill + 1}: up to date after {took[-1]:.1f} s", flush=True)  # noqa: T201
            starting[victim] = asyncio.create_task(_replaced(stack, ports[victim], gateways, victim))
            await eventually(lambda: sum(start.done() for start in starting) > 1, deadline=START_S)
        await asyncio.gather(*starting)
        async with LastMarks(stack.broker_url) as marks:
            await producer.stop()
            last = await marks.read()
        await eventually(lambda: all(feed.settled(last) for feed in reporter.feeds), deadline=SETTLE_S)
        await reporter.account()
        given = 0
        for feed in reporter.feeds:
            feed.checker.finish({symbol: last[symbol] for symbol in feed.symbols})
            given += feed.agree()
            named = {symbol: dict(feed.checker.account(symbol).missing) for symbol in feed.symbols}
            lacking = {(account["missing"], account["unknown"]) for account in feed.accounts.values()}
            assert lacking == {(0, 0)}, named
        ended = sum(feed.status["reconnects"] for feed in reporter.feeds)
        assert ended >= KILLS, "a kill that nobody notices proves nothing"
    print(f"\n{KILLS} kills, {given} ticks, {ended} connections ended, slowest recovery {max(took):.1f} s")  # noqa: T201
