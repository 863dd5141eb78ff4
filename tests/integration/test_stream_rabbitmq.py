"""Producer and two gateways as real processes on a real RabbitMQ; a checker sees every frame."""

from __future__ import annotations

import time
from typing import Final
from urllib.parse import urlsplit

import pytest

from producer.sources.universe import load
from tests.brokers import Broker
from tests.checker import Checker
from tests.eventually import eventually
from tests.proxy import proxied
from tests.queues import followed
from tests.recomputed import Recomputed
from tests.stack import STOP_S, Stack, Tickwire
from tests.streamclient import StreamClient
from tests.witness import Record

LISTINGS: Final = load(None)
SYMBOLS: Final = [str(listing.symbol) for listing in LISTINGS]
RATE: Final = 400
BRISK: Final = 1_600
SEED: Final = 7
FEW: Final = ["NVDA", "TSLA", "AAPL"]
SETTLE_S: Final = 8.0
"""The promise: each cursor reaches the producer's last position within 8 s of its last tick."""

pytestmark = pytest.mark.timeout(180)


async def _pair(stack: Stack) -> tuple[Tickwire, Tickwire]:
    """Start two gateways; a producer must run already."""
    first, second = await stack.gateway(), await stack.gateway()
    await first.ready()
    await second.ready()
    return first, second


async def _settled(record: Record, *clients: StreamClient) -> None:
    """Return once all *clients* stand at the last positions, which must be within 8 s; then judge them.

    The record is asked again each time: it may itself be behind the clients.
    """
    await eventually(lambda: all(client.checker.settled(record.last) for client in clients), deadline=SETTLE_S)
    for client in clients:
        client.checker.finish(record.last, record.ends)


def _begun(client: StreamClient) -> bool:
    """Whether *client* has a first tick of every symbol."""
    return all(client.checker.account(symbol).snapshots for symbol in SYMBOLS)


async def test_everything_arrives(stack: Stack) -> None:
    """Two clients on two gateways get every tick of 100 symbols, bytes as published, to the very last one."""
    recomputed = Recomputed(SEED, LISTINGS, BRISK)
    async with Record(stack.broker_url) as record:
        producer = await stack.producer(RATE=BRISK, SEED=SEED)
        first, second = await _pair(stack)
        exact = StreamClient(stack.http, Checker("exact", content=record.content))
        again = StreamClient(stack.http, Checker("again", content=recomputed.content))
        async with exact, again:
            await exact.connect(first.stream)
            await again.connect(second.stream)
            assert await exact.subscribe(*SYMBOLS) == await again.subscribe(*SYMBOLS) == {}
            for client in (exact, again):
                await client.until(lambda client=client: client.checker.ticks > 5 * RATE)  # type: ignore[misc]
                # Without history a symbol has no snapshot before its first tick: the rarest has one in 3 s.
                await client.until(lambda client=client: _begun(client), deadline=90)  # type: ignore[misc]
                await client.list()
            await producer.stop()
            await eventually(lambda: record.last.keys() == set(SYMBOLS))
            await _settled(record, exact, again)

            assert recomputed.compared > 5 * RATE
            for symbol, (epoch, seq) in record.last.items():
                account = exact.checker.account(symbol)
                assert (account.snapshots, account.missing, account.open) == (1, {}, {})
                assert (epoch, seq) in record.lines[symbol]


async def test_resume_elsewhere(stack: Stack) -> None:
    """A client that loses its gateway goes on at another one, which others use, without missing a tick."""
    async with Record(stack.broker_url) as record:
        producer = await stack.producer(RATE=RATE, SEED=SEED)
        first, second = await _pair(stack)
        async with StreamClient(stack.http, Checker("stays")) as stays, StreamClient(stack.http) as moves:
            await stays.connect(second.stream)
            await stays.subscribe(*FEW)
            await moves.connect(first.stream)
            await moves.subscribe(*FEW)
            await stays.until(lambda: all(stays.checker.account(symbol).snapshots for symbol in FEW))
            for gateway in (second, first, second):
                before = moves.checker.ticks
                await moves.until(lambda before=before: moves.checker.ticks > before + 50)  # type: ignore[misc]
                behind = stays.checker.ticks
                await moves.abort()
                await stays.until(lambda behind=behind: stays.checker.ticks > behind + 50)  # type: ignore[misc]
                if gateway is first:
                    await moves.connect(first.stream)
                    await moves.subscribe(*FEW)  # nobody else is there: it begins anew
                else:
                    assert await moves.resume(gateway.stream, FEW) == {}
            await producer.stop()
            await _settled(record, stays, moves)

            assert all(not moves.checker.account(symbol).missing for symbol in FEW)
            assert all(not moves.checker.account(symbol).open for symbol in FEW)


async def test_resume_where_nobody_was(stack: Stack) -> None:
    """Without history, what a fresh gateway has not seen is named as a gap: unavailable, and no tick more."""
    async with Record(stack.broker_url) as record:
        producer = await stack.producer(RATE=RATE, SEED=SEED)
        first, second = await _pair(stack)
        async with StreamClient(stack.http, Checker("moves", content=record.content)) as client:
            await client.connect(first.stream)
            await client.subscribe("NVDA")
            await client.until(lambda: client.checker.ticks > 20)
            await client.abort()
            left = client.checker.cursor("NVDA")
            assert left is not None
            await eventually(lambda: record.last["NVDA"] > (left.epoch, left.seq + 20))
            assert await client.resume(second.stream, ["NVDA"]) == {}
            before = client.checker.ticks
            await client.until(lambda: client.checker.ticks > before + 20)
            await producer.stop()
            await _settled(record, client)

            account = client.checker.account("NVDA")
            assert account.missing.keys() == {"unavailable"}
            assert account.missing["unavailable"] >= 20
            epoch, last = record.last["NVDA"]
            assert left.epoch == epoch
            # The first snapshot's position is not in the account: all after it is.
            assert account.snapshots + account.delivered + account.missing["unavailable"] <= last


async def test_unknown_symbol(stack: Stack, broker_control: Broker) -> None:
    """An unknown symbol is rejected by name, the known one goes on, and the broker never hears of it."""
    await stack.producer(RATE=RATE)
    gateway = await stack.gateway()
    await gateway.ready()
    async with StreamClient(stack.http) as client:
        await client.connect(gateway.stream)
        assert await client.subscribe("AAPL", "ZZZZ") == {"ZZZZ": "unknown_symbol"}
        await client.until(lambda: client.checker.ticks > 5)

        assert followed(broker_control) == {"AAPL": 1}
        client.checker.finish()


async def test_bad_commands(stack: Stack) -> None:
    """What makes no sense is answered by an error; the subscription of the same connection goes on."""
    await stack.producer(RATE=RATE)
    gateway = await stack.gateway()
    await gateway.ready()
    async with StreamClient(stack.http) as client:
        await client.connect(gateway.stream)
        await client.subscribe("AAPL")
        for bad in ("{", "[]", '{"op":"fly","id":900}', '{"op":"subscribe","id":0,"symbols":["AAPL"]}', b"\x00"):
            errors, ticks = client.counts["error"], client.checker.ticks
            await client.blurt(bad)
            await client.until(lambda errors=errors: client.counts["error"] > errors)  # type: ignore[misc]
            await client.until(lambda ticks=ticks: client.checker.ticks > ticks)  # type: ignore[misc]

        assert {violation.rule for violation in client.checker.violations} <= {"unknown_id"}


async def test_broker_down_at_start(vhost_url: str) -> None:
    """Without broker a gateway serves, is not ready and says so; once there is one it recovers by itself."""
    address = urlsplit(vhost_url)
    assert address.hostname is not None
    async with proxied(address.hostname, address.port or 5672) as proxy:
        await proxy.refuse()
        user, _, _ = address.netloc.rpartition("@")
        away = address._replace(netloc=f"{user}@127.0.0.1:{proxy.port}").geturl()
        async with Stack(vhost_url) as here, Stack(away) as stack:
            await here.producer(RATE=RATE)
            gateway = await stack.gateway()
            assert "broker" in await gateway.ready(ready=False)
            assert await gateway.probe("/livez") == (200, "alive")
            async with StreamClient(stack.http) as client:
                welcome = await client.connect(gateway.stream)
                assert welcome["feed"] == "stale"
                identity = await client.say("subscribe", symbols=["AAPL"])
                await proxy.accept()
                await gateway.ready()
                await client.answered(identity)
                if "AAPL" not in client.checker.subscribed:  # the 10 s for an answer were over before the broker
                    assert await client.subscribe("AAPL") == {}
                await client.until(lambda: client.checker.ticks > 20)
                client.checker.finish()


async def test_producer_restart(stack: Stack) -> None:
    """A producer that starts again begins a later epoch, which clients are told of before its ticks."""
    async with Record(stack.broker_url) as record:
        old = await stack.producer(RATE=RATE, SEED=SEED)
        gateways = await _pair(stack)
        clients = [StreamClient(stack.http, Checker(f"client {n}", content=record.content)) for n in range(2)]
        async with clients[0], clients[1]:
            for client, gateway in zip(clients, gateways, strict=True):
                await client.connect(gateway.stream)
                await client.subscribe(*FEW)
                await client.until(lambda client=client: client.checker.ticks > 50)  # type: ignore[misc]
            await old.stop()
            await _settled(record, *clients)
            before = dict(record.last)
            new = await stack.producer(RATE=RATE, SEED=SEED)
            for client in clients:
                for symbol in FEW:
                    await client.until(
                        lambda client=client, symbol=symbol: (  # type: ignore[misc]
                            (cursor := client.checker.cursor(symbol))
                            and cursor.epoch > before[symbol][0]
                            and cursor.seq > 5
                        )
                    )
            await new.stop()
            await _settled(record, *clients)

            for client in clients:
                # Without history nobody can say that the old epoch was complete.
                assert all(client.checker.account(symbol).open == {"unavailable": 1} for symbol in FEW)


async def test_gateway_stops(stack: Stack) -> None:
    """SIGTERM: `reconnect`, close 1012, exit code 0 in time; the client goes on elsewhere and misses nothing."""
    async with Record(stack.broker_url) as record:
        producer = await stack.producer(RATE=RATE, SEED=SEED)
        first, second = await _pair(stack)
        async with StreamClient(stack.http, Checker("stays")) as stays, StreamClient(stack.http) as moves:
            await stays.connect(second.stream)
            await stays.subscribe(*FEW)
            await moves.connect(first.stream)
            await moves.subscribe(*FEW)
            await moves.until(lambda: moves.checker.ticks > 20)
            began = time.monotonic()
            spent = await first.stop()
            assert await moves.gone() == 1012
            assert moves.counts["reconnect"] == 1
            assert spent <= STOP_S
            assert time.monotonic() - began <= STOP_S + 1
            assert await moves.resume(second.stream, FEW) == {}
            before = moves.checker.ticks
            await moves.until(lambda: moves.checker.ticks > before + 20)
            await producer.stop()
            await _settled(record, stays, moves)

            assert all(not moves.checker.account(symbol).missing for symbol in FEW)
