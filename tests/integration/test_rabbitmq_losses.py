"""Each reason for which a connection is lost or not made, brought about for real, on both event loops."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme
import uvloop
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs
from yarl import URL

from services.broker.metrics import BrokerMetrics
from services.broker.ports import LostReason
from services.broker.rabbitmq import RabbitSink, RabbitSource
from services.market.symbol import Symbol
from services.runtime.clock import SystemClock
from tests.brokers import free_ports
from tests.eventually import eventually
from tests.listeners import SourceRecord, outgoing, running_sink, running_source
from tests.proxy import Proxy, proxied

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}

A = Symbol("A")


def source_of(url: str | URL, metrics: BrokerMetrics | None = None) -> RabbitSource:
    """A source."""
    return RabbitSource(str(url), name="test", clock=SystemClock(), metrics=metrics)


@contextlib.asynccontextmanager
async def proxy_to(url: str) -> AsyncIterator[tuple[Proxy, URL]]:
    """A proxy in front of the broker at *url*, and the broker's address through it."""
    address = URL(url)
    async with proxied(str(address.host), address.port or 5672) as proxy:
        yield proxy, address.with_host("127.0.0.1").with_port(proxy.port)


async def first_loss(url: str | URL) -> LostReason:
    """Why a source does not get a connection to *url*."""
    record = SourceRecord()
    task = asyncio.create_task(source_of(url).run(record))
    try:
        await eventually(lambda: record.lost, deadline=15)
    finally:
        task.cancel()
        await asyncio.wait({task})
    assert not record.connections
    return record.lost[0]


async def test_a_wrong_password_is_auth(amqp_url: str) -> None:
    """A password that the broker does not accept is AUTH."""
    assert await first_loss(URL(amqp_url).with_password("wrong")) is LostReason.AUTH


async def test_an_unknown_virtual_host_is_auth(amqp_url: str) -> None:
    """A virtual host that the broker does not have is AUTH."""
    assert await first_loss(URL(amqp_url).with_path("/nowhere")) is LostReason.AUTH


async def test_a_port_where_nobody_listens_is_refused() -> None:
    """A closed port is REFUSED."""
    (port,) = free_ports(1)
    assert await first_loss(f"amqp://guest:guest@127.0.0.1:{port}/") is LostReason.REFUSED


async def test_a_host_without_an_address_is_refused() -> None:
    """A name that nobody knows is REFUSED."""
    assert await first_loss("amqp://guest:guest@nowhere.invalid/") is LostReason.REFUSED


async def test_a_cut_transport_is_broken(amqp_url: str) -> None:
    """A transport that ends without a farewell is BROKEN, for source and sink."""
    async with proxy_to(amqp_url) as (proxy, url):
        sink = RabbitSink(str(url), name="test", clock=SystemClock())
        async with running_source(source_of(url)) as got, running_sink(sink) as told:
            proxy.cut()
            await eventually(lambda: got.connections == 2 and told.connections == 2)
        assert got.lost == [LostReason.BROKEN]
        assert told.lost == [LostReason.BROKEN]


async def test_a_frozen_broker_is_silent_after_three_heartbeats(amqp_url: str) -> None:
    """A broker that stops talking is SILENT after 3 heartbeats, and a connection is tried again."""
    loop = asyncio.get_running_loop()
    async with (
        proxy_to(amqp_url) as (proxy, url),
        running_source(source_of(url.update_query(heartbeat="1"))) as got,
    ):
        began = loop.time()
        proxy.freeze()
        await eventually(lambda: got.lost)
        assert got.lost == [LostReason.SILENT]
        assert 1.5 < loop.time() - began < 4.5
        proxy.cut()
        proxy.thaw()
        await eventually(lambda: got.connections == 2, deadline=15)


async def test_a_probe_that_is_not_answered_ends_the_connection(amqp_url: str) -> None:
    """`probe` is true on a live connection; unanswered for 2 s it is false, and the loss is SILENT."""
    async with proxy_to(amqp_url) as (proxy, url):
        source = source_of(url)
        assert not await source.probe()
        async with running_source(source) as got:
            assert await source.probe()
            proxy.freeze()
            assert not await source.probe()
            await eventually(lambda: got.lost)
            assert got.lost == [LostReason.SILENT]
            proxy.thaw()


async def test_a_broker_that_never_answers_is_silent(amqp_url: str) -> None:
    """A port that accepts and says nothing is SILENT after the 5 s that an attempt may take."""
    async with proxy_to(amqp_url) as (proxy, url):
        proxy.freeze()
        assert await first_loss(url) is LostReason.SILENT


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_port_that_speaks_something_else_is_protocol(*, at_once: bool) -> None:
    """Bytes that are no AMQP frames are PROTOCOL, whether the other side speaks first or answers."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not at_once:
            await reader.read(8)
        writer.write(b"SSH-2.0-OpenSSH_9.2p1\r\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        assert await first_loss(f"amqp://guest:guest@127.0.0.1:{port}/") is LostReason.PROTOCOL
    finally:
        server.close()


async def test_garbage_on_a_connection_that_stands_is_protocol(vhost_url: str) -> None:
    """Bytes that are no AMQP frames end a connection as PROTOCOL, and the next one works."""
    source, sink = source_of(vhost_url), RabbitSink(vhost_url, name="test", clock=SystemClock())
    async with running_source(source) as got, running_sink(sink):
        await source.follow(A)
        assert source._consuming is not None
        tap = source._consuming._link._factory.tap
        assert tap is not None
        tap.feed_data(b"\x01\0\1\0\0\0\2no end")
        await eventually(lambda: got.connections == 2)
        assert got.lost == [LostReason.PROTOCOL]
        await source.follow(A)
        sink.publish([outgoing(A, 1)])
        await got.reached(A, 1)


@contextlib.asynccontextmanager
async def tls_in_front_of(url: str, authority: trustme.CA) -> AsyncIterator[URL]:
    """The broker's address behind a TLS endpoint with a certificate of *authority*."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    target = URL(url)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65_536):
                writer.write(chunk)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(target.host, target.port)
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    try:
        yield target.with_scheme("amqps").with_host("localhost").with_port(port)
    finally:
        server.close()


async def test_ticks_flow_over_tls(vhost_url: str, tmp_path: Path) -> None:
    """With the authority in `cafile` source and sink work over amqps."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with tls_in_front_of(vhost_url, authority) as url:
        secure = url.update_query(cafile=str(tmp_path / "ca.pem"))
        source, sink = source_of(secure), RabbitSink(str(secure), name="test", clock=SystemClock())
        async with running_source(source) as got, running_sink(sink):
            await source.follow(A)
            sink.publish([outgoing(A, 1)])
            await got.reached(A, 1)


async def test_an_unknown_authority_is_tls(amqp_url: str) -> None:
    """A certificate that nobody we know has signed is TLS."""
    async with tls_in_front_of(amqp_url, trustme.CA()) as url:
        assert await first_loss(url) is LostReason.TLS


async def test_tls_to_a_plain_port_is_tls(amqp_url: str) -> None:
    """A handshake that the other side does not understand is TLS."""
    assert await first_loss(URL(amqp_url).with_scheme("amqps")) is LostReason.TLS


async def test_a_missing_authority_file_is_tls(amqp_url: str) -> None:
    """A `cafile` that does not exist is TLS, not an unreachable broker."""
    url = URL(amqp_url).with_scheme("amqps").update_query(cafile="/nowhere/ca.pem")
    assert await first_loss(url) is LostReason.TLS


async def test_the_next_address_is_tried(amqp_url: str) -> None:
    """Where nobody listens at the first address, the second one is tried."""
    (port,) = free_ports(1)
    async with running_source(source_of(f"amqp://guest:guest@127.0.0.1:{port}/,{amqp_url}")) as got:
        assert got.lost == [LostReason.REFUSED]
        assert got.connections == 1


async def test_an_outage_is_logged_once_and_counted_each_time(
    amqp_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One line each says lost, unreachable and back; the metric counts every attempt."""
    metrics = BrokerMetrics(registry := CollectorRegistry())
    async with proxy_to(amqp_url) as (proxy, url):
        with capture_logs() as lines, caplog.at_level(logging.DEBUG, logger="tickwire"):
            async with running_source(source_of(url, metrics)) as got:
                connected = {"role": "consume"}
                assert registry.get_sample_value("tickwire_broker_connected", connected) == 1
                await proxy.refuse()
                await eventually(lambda: len(got.lost) >= 4)
                assert registry.get_sample_value("tickwire_broker_connected", connected) == 0
                await proxy.accept()
                await eventually(lambda: got.connections == 2)
    events = [line["event"] for line in lines]
    assert events == ["broker.connected", "broker.lost", "broker.unreachable", "broker.connected"]
    labels = {"role": "consume", "reason": "refused"}
    assert registry.get_sample_value("tickwire_broker_reconnects_total", labels) == len(got.lost) - 1
    assert not [r for r in caplog.records if r.name.startswith("aiormq")]


async def test_cancelling_closes_in_an_orderly_way(amqp_url: str) -> None:
    """A cancelled `run` has said farewell to the broker before it returns, and leaves no task behind."""
    async with proxy_to(amqp_url) as (proxy, url):
        before = asyncio.all_tasks()
        async with running_source(source_of(url)):
            pass
        await eventually(lambda: not proxy._writers)
        assert not asyncio.all_tasks() - before
