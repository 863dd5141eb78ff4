"""Clients of a gateway that speaks TLS itself, over a real RabbitMQ."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Final

import pytest
import trustme

from producer.sources.universe import load
from tests.checker import Checker
from tests.eventually import eventually
from tests.stack import Stack, Tickwire
from tests.streamclient import StreamClient
from tests.witness import Record

SYMBOLS: Final = [str(listing.symbol) for listing in load(None)]
RATE: Final = 1_000
SETTLE_S: Final = 8.0

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(name="files")
def _files(tmp_path: Path) -> tuple[dict[str, str], ssl.SSLContext]:
    """A certificate for 127.0.0.1 as settings, and what trusts its authority."""
    authority = trustme.CA()
    issued, context = authority.issue_cert("127.0.0.1"), ssl.create_default_context()
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    authority.configure_trust(context)
    return {"TLS_CERT": str(tmp_path / "cert.pem"), "TLS_KEY": str(tmp_path / "key.pem")}, context


def _secure(gateway: Tickwire) -> str:
    return gateway.stream.replace("ws://", "wss://")


async def test_every_tick_arrives_over_tls(stack: Stack, files: tuple[dict[str, str], ssl.SSLContext]) -> None:
    """Two clients over wss get every tick of 100 symbols, and the drain's close frame, as over ws."""
    settings, context = files
    async with Record(stack.broker_url) as record:
        producer, gateway = await stack.producer(RATE=RATE), await stack.gateway(**settings)
        await gateway.ready()
        clients = [StreamClient(stack.http, Checker(name, content=record.content)) for name in ("one", "two")]
        async with clients[0], clients[1]:
            for client in clients:
                await client.connect(_secure(gateway), ssl=context)
                assert await client.subscribe(*SYMBOLS) == {}
            for client in clients:
                await client.until(lambda client=client: client.checker.ticks > 5 * RATE)  # type: ignore[misc]
            await producer.stop()
            await eventually(lambda: record.last.keys() == set(SYMBOLS))
            checkers = [client.checker for client in clients]
            await eventually(lambda: all(c.settled(record.last) for c in checkers), deadline=SETTLE_S)
            for checker in checkers:
                checker.finish(record.last, record.ends)
            await gateway.stop()
            assert [await client.gone() for client in clients] == [1012, 1012]


async def test_a_handshake_that_fails_disturbs_nobody(
    stack: Stack, files: tuple[dict[str, str], ssl.SSLContext]
) -> None:
    """Plain HTTP and a client that knows no such authority are turned away and counted; the others go on."""
    settings, context = files
    producer, gateway = await stack.producer(RATE=RATE), await stack.gateway(**settings)
    assert producer.alive
    await gateway.ready()
    async with StreamClient(stack.http, Checker("beside")) as beside:
        await beside.connect(_secure(gateway), ssl=context)
        assert await beside.subscribe(*SYMBOLS) == {}
        before = await gateway.metric("tickwire_tls_unfinished_total")

        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with asyncio.timeout(10):
            assert b"HTTP/1.1 101" not in await reader.read()
        writer.close()
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection("127.0.0.1", gateway.port, ssl=ssl.create_default_context())

        seen = beside.checker.ticks
        await beside.until(lambda: beside.checker.ticks > seen + RATE)
        assert await gateway.metric("tickwire_tls_unfinished_total") == before + 2
        beside.checker.check()
