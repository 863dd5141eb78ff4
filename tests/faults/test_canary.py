"""What a canary notices of real processes: a gateway that is killed, and clocks that differ from its own."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

import pytest
import trustme

from tests.faults import stepped
from tests.faults.figures import Figures
from tests.stack import Stack, Tickwire
from tickwire.canary.verdict import Rule

FAULT: Final = "canary"
RATE: Final = 1_000
FEW: Final = ("AAPL", "MSFT", "NVDA")
BACK_S: Final = 15.0
"""The client's longest wait is 10 s, with a handshake and a subscribe after it."""

AHEAD_S: Final = 5.0
OFFSET_S: Final = 0.05
"""A loopback's round trip under load."""
TICKS: Final = 200

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


async def _violations(canary: Tickwire) -> float:
    metrics = await canary.metrics()
    return sum(metrics["tickwire_canary_violations_total", frozenset({("rule", rule.value)})] for rule in Rule)


async def test_a_gateway_is_killed(stack: Stack, figures: Figures, tmp_path: Path) -> None:
    """SIGKILL is a reconnect and never a violation; the canary is ready again with every tick accounted for."""
    authority = trustme.CA()
    ca, issued = tmp_path / "ca.pem", authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(ca))
    issued.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    tls = {"TLS_CERT": tmp_path / "cert.pem", "TLS_KEY": tmp_path / "key.pem"}
    history, producer = await stack.start("history", {}), await stack.producer(RATE=RATE)
    gateway = await stack.gateway(**tls)
    await gateway.ready()
    canary = await stack.start("canary", {"CA": ca}, gateway.stream.replace("ws:", "wss:"), *FEW)
    await canary.ready()
    await history.ready()

    began = time.monotonic()
    await gateway.kill()
    await canary.ready(ready=False)
    figures.within(FAULT, "SIGKILL of a gateway until /readyz says so", time.monotonic() - began, 1.0)
    again = await stack.gateway(**tls, PORT=gateway.port)
    began = time.monotonic()
    await canary.ready()
    figures.within(FAULT, "a gateway is back until /readyz says so", time.monotonic() - began, BACK_S)

    await producer.stop()
    assert await canary.metric("tickwire_canary_reconnects_total", reason="gone") == 1
    assert await canary.metric("tickwire_canary_ticks_total", outcome="missing") == 0
    assert await _violations(canary) == 0
    figures.told(
        FAULT, "ticks delivered", await canary.metric("tickwire_canary_ticks_total", outcome="delivered"), "ticks"
    )
    assert again.alive


async def test_clocks_that_are_ahead(stack: Stack, figures: Figures, tmp_path: Path) -> None:
    """Where producer and gateway are 5 s ahead the canary says so, and measures as if they were not."""
    stepped.set_clock(clock := tmp_path / "clock", AHEAD_S)
    for kind in ("producer", "gateway"):
        stack.through[kind] = (stepped.__file__, str(clock))
    assert (await stack.producer(RATE=RATE)).alive
    gateway = await stack.gateway()
    await gateway.ready()
    canary = await stack.start("canary", {}, gateway.stream, *FEW)
    await canary.ready()
    while await canary.metric("tickwire_canary_latency_seconds_count", stage="total") < TICKS:  # noqa: ASYNC110 - over HTTP
        await asyncio.sleep(0.1)

    found = await canary.metric("tickwire_canary_clock_offset_seconds")
    figures.within(FAULT, "clock offset of 5 s: error", abs(found - AHEAD_S), OFFSET_S)
    trips, count = [await canary.metric(f"tickwire_canary_round_trip_seconds_{part}") for part in ("sum", "count")]
    figures.told(FAULT, "round trip of a ping, mean", trips / count, "s")
    for stage in ("feed", "wire", "total"):
        spent = await canary.metric("tickwire_canary_latency_seconds_sum", stage=stage)
        count = await canary.metric("tickwire_canary_latency_seconds_count", stage=stage)
        figures.within(FAULT, f"latency of stage {stage}, mean", spent / count, 1.0)
    figures.told(FAULT, "latencies below zero", await canary.metric("tickwire_canary_latency_invalid_total"))
    assert await _violations(canary) == 0
