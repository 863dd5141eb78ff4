"""What an operator can do to a broker: alarms (F7), queues (F8) and exchanges (F9) deleted, credentials (F10)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import aiormq
import pytest
from yarl import URL

from services.broker.queues import parse_queues
from services.market.symbol import Symbol
from tests.brokers import Broker
from tests.faults.figures import Figures
from tests.faults.market import NOTICE_S, SYMBOLS, Market, told_of
from tests.queues import queues_of
from tests.stack import Stack, Tickwire
from tests.witness import CONTROL, EXCHANGE

BLOCKED_S: Final = 14.0
"""The producer's queue holds 10 s of ticks: beyond them it keeps the newest of each symbol only."""
GROWTH_MB: Final = 20.0
FLOW_S: Final = 5.0
REBUILT_S: Final = 2.0
WITHOUT_S: Final = 10.0
USER: Final = "tickwire-fault"

pytestmark = pytest.mark.timeout(240)


async def reaches(process: Tickwire, name: str, least: float, deadline: float = 20.0, **labels: str) -> float:
    """Return a metric of *process* once it is *least* or more."""
    end = time.monotonic() + deadline
    while (found := await process.metric(name, **labels)) < least:
        assert time.monotonic() < end, f"{name} {labels} is {found}; {process.tail}"
        await asyncio.sleep(0.1)
    return found


@pytest.mark.slow
async def test_memory_alarm(stack: Stack, broker_control: Broker, tmp_path: Path, figures: Figures) -> None:
    """A broker out of memory for 14 s: bounded memory, then what waited in order, then the newest ticks (F7)."""
    fault = "F7 memory alarm"
    async with Market(stack, tmp_path, conflates=True) as market:
        before = market.memory()
        began = time.monotonic()
        await asyncio.to_thread(broker_control.ctl, "set_vm_memory_high_watermark", "0.0001")
        try:
            await reaches(market.producer, "tickwire_producer_blocked", 1)
            figures.told(fault, "the producer knows", time.monotonic() - began, "s")
            await market.told("stale", began)
            await asyncio.sleep(BLOCKED_S - (time.monotonic() - began))  # the length of the fault
            await reaches(market.producer, "tickwire_producer_conflating", 1)
            waiting = await market.producer.metric("tickwire_producer_backlog_bytes")
            grown = market.memory()[market.producer.pid] - before[market.producer.pid] - waiting
            figures.within(fault, "producer's growth beside its queue", grown / 1024**2, GROWTH_MB, "MB")
        finally:
            await asyncio.to_thread(broker_control.ctl, "set_vm_memory_high_watermark", "0.4")
        began = time.monotonic()
        await reaches(market.producer, "tickwire_producer_ticks_total", 1, result="lost")
        await market.told("live", began)
        figures.within(fault, "every symbol flows after it clears", await market.flowing(), FLOW_S)
        assert await market.producer.metric("tickwire_producer_blocked") == 0
        assert await market.producer.metric("tickwire_producer_conflating") == 0
        lost = await market.producer.metric("tickwire_producer_ticks_total", result="lost")
        figures.told(fault, "ticks lost by the producer", lost)
        for client in market.clients:
            # What waited came in order: nothing but what the queue replaced is missing, or was skipped.
            outcome = market.outcome([client])
            assert sum(outcome.missing.values()) <= lost
            assert not outcome.open
        outcome = await market.settle()
        figures.told(fault, "ticks told missing", sum(outcome.missing.values()))
        figures.told(fault, "ticks told skipped", outcome.conflated)


@pytest.mark.slow
@pytest.mark.parametrize("queues_are", ["symbol", "bucket:4"])
async def test_queue_deleted(
    queues_are: str, stack: Stack, broker_control: Broker, tmp_path: Path, figures: Figures
) -> None:
    """A live queue that an operator deletes is opened again in 2 s, and no symbol of another has a gap (F8)."""
    fault = f"F8 queue deleted{told_of(queues_are)}"
    slot = parse_queues(queues_are).slot
    async with Market(stack, tmp_path, gateways=[{"QUEUES": queues_are}] * 2) as market:
        queues = await asyncio.to_thread(queues_of, broker_control, SYMBOLS[0])
        assert len(queues) == len(market.gateways)
        await asyncio.to_thread(broker_control.ctl, "delete_queue", queues[0])
        began = time.monotonic()
        while sum([await gateway.metric("tickwire_lines_ended_total") for gateway in market.gateways]) < 1:
            assert time.monotonic() - began < REBUILT_S
        # list_bindings takes a second by itself; what a client sees is measured.
        figures.within(fault, "every symbol flows", await market.flowing(), REBUILT_S)
        await market.bound_once(broker_control)
        await market.settle()
        for client in market.clients:
            for symbol in client.symbols:
                account = client.checker.account(symbol)
                assert slot(Symbol(symbol)) == slot(Symbol(SYMBOLS[0])) or not account.missing
                assert not account.open


@pytest.mark.parametrize(
    ("exchange", "queues"),
    [
        (EXCHANGE, "symbol"),
        pytest.param(CONTROL, "symbol", marks=pytest.mark.slow),
        pytest.param(EXCHANGE, "bucket:4", marks=pytest.mark.slow),
    ],
)
async def test_exchange_deleted(
    *, exchange: str, queues: str, stack: Stack, broker_control: Broker, tmp_path: Path, figures: Figures
) -> None:
    """An exchange that an operator deletes is declared again, and gateways hear it again within 5 s (F9)."""
    fault = f"F9 {exchange} deleted{told_of(queues)}"
    async with Market(stack, tmp_path, gateways=[{"QUEUES": queues}] * 2) as market:
        async with aiormq.connect(stack.broker_url) as connection:
            await (await connection.channel()).exchange_delete(exchange)
        began = time.monotonic()
        figures.within(fault, "every symbol flows", await market.flowing(), FLOW_S)
        if exchange == CONTROL:  # without heartbeats: stale, the probe binds the control queue again, live
            stale = await market.told("stale", began)
            figures.within(fault, "every client told stale", stale, NOTICE_S)
            figures.within(fault, "and live again", await market.told("live", began + stale), FLOW_S)
        await market.bound_once(broker_control)
        outcome = await market.settle()
        figures.told(fault, "ticks told missing", sum(outcome.missing.values()))


@asynccontextmanager
async def own_user(broker: Broker) -> AsyncIterator[str]:
    """A user of the broker's that may be spoiled; yields its password."""
    await asyncio.to_thread(broker.ctl, "add_user", USER, "right")
    try:
        await allow(broker)
        yield "right"
    finally:
        await asyncio.to_thread(broker.ctl, "delete_user", USER)


async def refusals(gateway: Tickwire, least: int = 0) -> float:
    """Return how often *gateway*'s credentials were refused, once that is *least* or more."""
    return await reaches(gateway, "tickwire_broker_reconnects_total", least, role="consume", reason="auth")


async def allow(broker: Broker) -> None:
    """Give the user all permissions."""
    await asyncio.to_thread(broker.ctl, "set_permissions", USER, ".*", ".*", ".*")


@pytest.mark.slow
@pytest.mark.parametrize("what", ["password", "permissions"])
async def test_credentials_removed(
    what: str, stack: Stack, broker_control: Broker, tmp_path: Path, figures: Figures
) -> None:
    """A gateway whose user is locked out says so, asks less than once a second, and comes back by itself (F10)."""
    fault = f"F10 {what} removed"
    async with own_user(broker_control) as password:
        url = str(URL(stack.broker_url).with_user(USER).with_password(password))
        async with Market(stack, tmp_path, gateways=({"BROKER_URL": url}, {}), conflates=True) as market:
            out, beside = market.gateways
            if what == "password":
                await asyncio.to_thread(broker_control.ctl, "change_password", USER, "wrong")
            else:
                await asyncio.to_thread(broker_control.ctl, "clear_permissions", USER)
            began = time.monotonic()
            await asyncio.to_thread(broker_control.ctl, "close_all_user_connections", USER, "locked out")
            asking = time.monotonic() - began
            told = await market.told("stale", began, market.of(out))
            figures.within(fault, "its clients told stale", told, NOTICE_S + asking)
            first, began = await refusals(out, least=1), time.monotonic()
            await asyncio.sleep(WITHOUT_S)  # the time over which attempts are averaged
            tries = await refusals(out) - first
            figures.within(fault, "attempts a second", tries / (time.monotonic() - began), 1.0, "/s")
            if what == "password":
                await asyncio.to_thread(broker_control.ctl, "change_password", USER, password)
            else:
                await allow(broker_control)
            figures.within(fault, "every symbol flows after it is restored", await market.flowing(), FLOW_S)
            await market.bound_once(broker_control)
            await market.settle()
            seen = market.outcome(market.of(beside))
            assert (seen.missing, seen.open, seen.conflated) == ({}, {}, 0)
