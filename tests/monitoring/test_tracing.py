"""Sampled ticks on their way from a real producer through RabbitMQ to a real gateway, as a collector sees them."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest

from tests.brokers import free_ports
from tests.checker import Checker
from tests.collector import Collector, collecting
from tests.eventually import eventually
from tests.proxy import proxied
from tests.stack import STOP_S, Stack, Tickwire
from tests.streamclient import StreamClient
from tests.witness import Record

RATE: Final = 400
EVERY: Final = 5
FEW: Final = ["NVDA", "TSLA", "AAPL"]
SETTLE_S: Final = 8.0
"""The promise: each cursor reaches the producer's last position within 8 s of its last tick."""
POISON: Final = """\
import pathlib
pathlib.Path(__file__).with_name("imported").touch()
raise ModuleNotFoundError("No module named 'opentelemetry'", name="opentelemetry")
"""
"""Stands for a package that is not installed, and tells whether anybody wanted it."""

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(name="stack")
async def _stack(vhost_url: str) -> AsyncIterator[Stack]:
    """Processes to start on a clean broker; what still runs is stopped, and must end well."""
    async with Stack(vhost_url) as stack:
        yield stack


@pytest.fixture(name="collector")
async def _collector(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Collector]:
    """A collector to which processes that trace export every 0.1 s."""
    async with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        yield collector


@pytest.fixture(name="poison")
def _poison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is there once a process has tried to import OpenTelemetry, which none can."""
    package = tmp_path / "opentelemetry"
    package.mkdir()
    (package / "__init__.py").write_text(POISON)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return package / "imported"


def imported(poison: Path) -> bool:
    """Whether a process has tried to import OpenTelemetry."""
    return poison.exists()


@asynccontextmanager
async def _watching(
    stack: Stack, record: Record, **settings: object
) -> AsyncIterator[tuple[StreamClient, Tickwire]]:
    """A client that follows every tick of FEW on a gateway with *settings*, and the gateway."""
    gateway = await stack.gateway(**settings)
    await gateway.ready()
    async with StreamClient(stack.http, Checker("client", content=record.content)) as client:
        await client.connect(gateway.stream)
        assert await client.subscribe(*FEW) == {}
        await client.until(lambda: client.checker.ticks > 0)
        yield client, gateway


async def _settled(record: Record, client: StreamClient) -> None:
    """Return once *client* stands at the last positions of what it follows."""
    few = set(FEW)
    last = {symbol: position for symbol, position in record.last.items() if symbol in few}
    assert last.keys() == few
    await eventually(
        lambda: all(client.checker.cursor(symbol) == record.last[symbol] for symbol in FEW), deadline=SETTLE_S
    )


async def test_a_sampled_tick_is_seen_on_its_whole_way(stack: Stack, collector: Collector) -> None:
    """Each PROCESS span links to the SEND span of its message, in its own trace; the times are in order."""
    async with Record(stack.broker_url) as record:
        producer = await stack.producer(RATE=RATE, TRACE_EVERY=EVERY)
        async with _watching(stack, record, TRACE="true") as (client, gateway):
            await eventually(lambda: len(collector.of("consumer")) >= 10)
            sampled = await producer.metric("tickwire_traces_total")
            made = await producer.metric("tickwire_producer_ticks_made_total")
            assert 0 < sampled <= made / EVERY + 1
            await producer.stop()
            await _settled(record, client)
            seen = await gateway.metric("tickwire_traces_total")
            await gateway.stop()

    sends, processes = collector.of("producer"), collector.of("consumer")
    assert len(sends) >= sampled
    assert len(processes) == seen >= 10
    assert {(span.service, span.name) for span in sends.values()} == {("tickwire-producer", "send tickwire.ticks")}
    assert {(s.service, s.name) for s in processes.values()} == {("tickwire-gateway", "process tickwire.ticks")}
    operation = {"messaging.operation.name", "messaging.operation.type"}
    for span in processes.values():
        (link,) = span.links
        send = sends[link]
        assert (span.parent, send.parent, send.failed, span.failed) == (b"", b"", False, False)
        assert span.id[0] != send.id[0]
        assert {k: v for k, v in span.attributes.items() if k not in operation} == {
            k: v for k, v in send.attributes.items() if k not in operation
        }
        symbol = span.attributes["tickwire.symbol"]
        assert symbol in FEW
        assert span.attributes["messaging.system"] == "rabbitmq"
        assert span.attributes["messaging.destination.name"] == f"tickwire.ticks:tick.{symbol}"
        assert (span.attributes["tickwire.epoch"], span.attributes["tickwire.seq"]) <= record.last[symbol]
        assert send.began <= send.events[0][1] <= span.began <= span.ended
        assert send.events[0][1] <= send.ended


async def test_sampled_ticks_survive_a_lost_connection(stack: Stack, collector: Collector) -> None:
    """With every tick traced and connections cut, all arrive, and a repeated message keeps its one span."""
    address = urlsplit(stack.broker_url)
    async with (
        Record(stack.broker_url) as record,
        proxied(address.hostname or "", address.port or 5672) as proxy,
    ):
        through = stack.broker_url.replace(f":{address.port}", f":{proxy.port}")
        producer = await stack.producer(RATE=RATE, TRACE_EVERY=1, BROKER_URL=through)
        async with _watching(stack, record, TRACE="true") as (client, gateway):
            for _ in range(2):
                before = client.checker.ticks
                await client.until(lambda before=before: client.checker.ticks > before + 50)  # type: ignore[misc]
                proxy.freeze()
                await _waits(producer)
                proxy.cut()
                proxy.thaw()
            before = client.checker.ticks
            await client.until(lambda: client.checker.ticks > before + 50)
            assert await producer.metric("tickwire_producer_ticks_repeated_total") > 0
            await producer.stop()
            await _settled(record, client)
            await gateway.stop()
            assert not any(client.checker.account(symbol).missing for symbol in FEW)

    sends = collector.of("producer")
    assert any(len(span.events) > 1 for span in sends.values())
    assert {span.failed for span in sends.values()} == {False}
    places = [(s.attributes["tickwire.symbol"], s.attributes["messaging.message.id"]) for s in sends.values()]
    assert len(set(places)) == len(places)
    assert {link for span in collector.of("consumer").values() for link in span.links} <= sends.keys()


async def _waits(producer: Tickwire) -> None:
    """Return once 20 messages of *producer* have no answer."""
    async with asyncio.timeout(SETTLE_S):
        while await producer.metric("tickwire_producer_unconfirmed") < 20:  # noqa: ASYNC110 - a metric says nothing
            await asyncio.sleep(0.02)


async def test_off_nothing_is_exported(stack: Stack, collector: Collector, poison: Path) -> None:
    """Processes that are not asked to trace import nothing of OpenTelemetry and export nothing."""
    async with Record(stack.broker_url) as record:
        producer = await stack.producer(RATE=RATE)
        async with _watching(stack, record) as (client, gateway):
            await client.until(lambda: client.checker.ticks > 50)
            for process in (producer, gateway):
                assert await process.metric("tickwire_traces_total") == 0
            await producer.stop()
            await _settled(record, client)
            await gateway.stop()
    assert not imported(poison)
    assert collector.requests == 0


async def test_a_gateway_without_tracing_ignores_contexts(
    stack: Stack, collector: Collector, request: pytest.FixtureRequest
) -> None:
    """Where every message has a header, a gateway that does not trace serves every tick, without OpenTelemetry."""
    async with Record(stack.broker_url) as record:
        producer = await stack.producer(RATE=RATE, TRACE_EVERY=1)
        poison = request.getfixturevalue("poison")
        async with _watching(stack, record) as (client, gateway):
            await client.until(lambda: client.checker.ticks > 50)
            await producer.stop()
            await _settled(record, client)
            assert await gateway.metric("tickwire_traces_total") == 0
            assert await gateway.metric("tickwire_messages_malformed_total") == 0
            await gateway.stop()
            assert not any(client.checker.account(symbol).missing for symbol in FEW)
    assert not imported(poison)
    assert collector.of("producer")
    assert not collector.of("consumer")


async def test_a_collector_that_is_away_holds_nobody_up(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a collector every tick arrives, and both processes end in their time."""
    (port,) = free_ports(1)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    async with Record(stack.broker_url) as record:
        producer = await stack.producer(RATE=RATE, TRACE_EVERY=1)
        async with _watching(stack, record, TRACE="true") as (client, gateway):
            await client.until(lambda: client.checker.ticks > 50)
            assert await producer.stop() < STOP_S
            await _settled(record, client)
            assert await gateway.stop() < STOP_S
            for process in (producer, gateway):
                theirs = [line for line in process.errors if "opentelemetry" in str(line.get("logger"))]
                process.excused |= {str(line["event"]) for line in theirs}


@pytest.mark.parametrize(
    ("kind", "variable", "value"),
    [("producer", "TICKWIRE_TRACE_EVERY", "10000"), ("gateway", "TICKWIRE_TRACE", "true")],
)
async def test_asked_for_but_not_installed(
    vhost_url: str, poison: Path, kind: str, variable: str, value: str
) -> None:
    """A process that is to trace without OpenTelemetry ends at once, and says what to install."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tickwire", kind),
        env={
            **os.environ,
            "TICKWIRE_BROKER_URL": vhost_url,
            "TICKWIRE_OPS_PORT": "0",
            "TICKWIRE_PORT": "0",
            variable: value,
        },
        stdout=PIPE,
        stderr=STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert f"{variable} asks for traces" in output.decode()
    assert "pip install 'tickwire[tracing]'" in output.decode()
    assert imported(poison)
