"""Connections without a request, in HTTP (F21) and in TLS (F22): they end, and honest clients do not notice."""

from __future__ import annotations

import asyncio
import ssl
import time
from pathlib import Path
from typing import Final

import pytest
import trustme

from services.runtime.files import allow_files
from tests.army import army
from tests.checker import Checker
from tests.faults.figures import Figures
from tests.stack import Stack
from tests.streamclient import StreamClient

ARMY: Final = 2_000
MARGIN_S: Final = 2.0
"""Beyond a deadline: until the gateway accepts who has connected, and until its next look at who is overdue."""
HANDSHAKE_S: Final = 1.0
PROBES: Final = 100
PAUSE_S: Final = 0.03
SYMBOLS: Final = ("AAPL", "MSFT", "NVDA")
ROOM: Final = {
    "MAX_PENDING": 2 * ARMY,
    "MAX_PER_ADDRESS": 1_000,
    "HANDSHAKE_RATE": 10_000,
    "HANDSHAKE_BURST": 10_000,
}
"""So that it is the deadlines that end them, and so that honest clients of the same address are let in."""

pytestmark = pytest.mark.timeout(120)


async def handshakes(stack: Stack, url: str, trust: ssl.SSLContext | None = None) -> list[float]:
    """Connect 100 times, one after another; return how many seconds each took, in order of size."""
    found = []
    for _ in range(PROBES):
        began = time.monotonic()
        async with stack.http.ws_connect(url, ssl=True if trust is None else trust):
            found.append(time.monotonic() - began)
        await asyncio.sleep(PAUSE_S)  # they are to be spread over the attack
    return sorted(found)


def p99_ms(found: list[float]) -> float:
    """Return the 99th percentile in ms."""
    return found[int(0.99 * (len(found) - 1))] * 1e3


async def test_slow_requests_are_ended(stack: Stack, figures: Figures) -> None:
    """2,000 connections without a request are closed in 10 s, half of them in 5; honest ones come in meanwhile."""
    fault = "F21 slowloris, 2,000 connections"
    allow_files(2 * ARMY + 1_000)
    producer, gateway = await stack.producer(RATE=500), await stack.gateway(**ROOM)
    assert producer.alive
    await gateway.ready()
    async with StreamClient(stack.http, Checker("beside")) as beside:
        await beside.connect(gateway.stream)
        assert await beside.subscribe(*SYMBOLS) == {}
        figures.told(fault, "handshake p99 before", p99_ms(await handshakes(stack, gateway.stream)), "ms")
        text = b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nX: "
        async with army(gateway.port, silent=ARMY // 2, slow=ARMY // 2, text=text) as there:
            pending = await gateway.metric("tickwire_connections_pending")
            figures.told(fault, "pending once all have connected", pending)
            found = await handshakes(stack, gateway.stream)
            figures.within(fault, "handshake p99 meanwhile", p99_ms(found), HANDSHAKE_S * 1e3, "ms")
            await there.gone(10 + 2 * MARGIN_S)
            lives = sorted(there.lives)
            figures.within(fault, "silent ones closed after", lives[ARMY // 2 - 1], 5 + MARGIN_S)
            figures.within(fault, "slow ones closed after", lives[-1], 10 + MARGIN_S)
        dropped = {
            reason: await gateway.metric("tickwire_pending_dropped_total", reason=reason)
            for reason in ("first_byte", "request", "crowded", "large", "idle")
        }
        assert dropped == {"first_byte": ARMY // 2, "request": ARMY // 2, "crowded": 0, "large": 0, "idle": 0}
        assert await gateway.metric("tickwire_connections_pending") == 0
        beside.checker.finish()


@pytest.mark.slow
async def test_a_crowd_of_slow_requests_is_thinned_out(stack: Stack, figures: Figures) -> None:
    """With 100 places for pending ones, 2,000 lose their oldest at once, and honest clients still come in."""
    fault = "F21 slowloris, 100 places"
    allow_files(2 * ARMY + 1_000)
    gateway = await stack.gateway(**{**ROOM, "MAX_PENDING": 100})
    async with army(gateway.port, silent=0, slow=0, text=b"") as there:
        found, _ = await asyncio.gather(handshakes(stack, gateway.stream), there.recruit(ARMY, b""))
        figures.within(fault, "handshake p99 meanwhile", p99_ms(found), HANDSHAKE_S * 1e3, "ms")
        await there.gone(5 + 2 * MARGIN_S)
    crowded = await gateway.metric("tickwire_pending_dropped_total", reason="crowded")
    assert crowded >= ARMY - 100
    figures.told(fault, "dropped for want of room", crowded)


async def test_stalled_handshakes_are_ended(stack: Stack, figures: Figures, tmp_path: Path) -> None:
    """2,000 TLS handshakes that do not go on are closed in 5 s, and honest ones of TLS come in meanwhile."""
    fault = "F22 stalled TLS, 2,000 connections"
    allow_files(2 * ARMY + 1_000)
    authority, trust = trustme.CA(), ssl.create_default_context()
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    authority.configure_trust(trust)
    files = {"TLS_CERT": tmp_path / "cert.pem", "TLS_KEY": tmp_path / "key.pem"}
    producer, gateway = await stack.producer(RATE=500), await stack.gateway(**ROOM, **files)
    assert producer.alive
    await gateway.ready()
    url = gateway.stream.replace("ws://", "wss://")
    async with StreamClient(stack.http, Checker("beside")) as beside:
        await beside.connect(url, ssl=trust)
        assert await beside.subscribe(*SYMBOLS) == {}
        figures.told(fault, "handshake p99 before", p99_ms(await handshakes(stack, url, trust)), "ms")
        before = await gateway.metric("tickwire_tls_unfinished_total")
        hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"r" * 100  # the start of a ClientHello
        async with army(gateway.port, silent=ARMY // 2, slow=ARMY // 2, text=hello) as there:
            found = await handshakes(stack, url, trust)
            figures.within(fault, "handshake p99 meanwhile", p99_ms(found), HANDSHAKE_S * 1e3, "ms")
            await there.gone(5 + 2 * MARGIN_S)
            figures.within(fault, "closed after", max(there.lives), 5 + MARGIN_S)
        assert await gateway.metric("tickwire_tls_unfinished_total") == before + ARMY
        assert await gateway.metric("tickwire_connections_pending") == 0
        beside.checker.finish()
