"""The canary against real gateways, over TLS and with tokens."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Self

import pytest
import trustme
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from gateway import app as gateway_app
from gateway.admission.apikeys import KEY_BYTES, key_text, line
from gateway.settings import GatewaySettings
from producer import app as producer_app
from producer.settings import ProducerSettings
from services.broker.memory import MemoryBroker
from services.history import app as history_app
from services.history.settings import HistorySettings
from services.runtime.clock import SystemClock
from tests.brokers import free_ports
from tests.canaries import DEADLINE_S, canary

FEW: Final = ("AAPL", "MSFT", "NVDA")


class Market:
    """A broker, a producer and a history; gateways come and go."""

    def __init__(self, rate: float) -> None:
        self.broker, self._rate = MemoryBroker(clock=SystemClock()), rate
        self._stop = asyncio.Event()
        self._running: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Begin."""
        clock = SystemClock()
        making = ProducerSettings(ops_port=0, rate=self._rate, drain_s=0.5)
        keeping = HistorySettings(ops_port=0, drain_s=0.5)
        log, desk = self.broker.tick_log("history"), self.broker.desk("history")
        sink, (one, two) = self.broker.sink("producer"), (CollectorRegistry(), CollectorRegistry())
        self._running = [
            asyncio.create_task(history_app.run(keeping, log, desk, clock=clock, registry=one, stop=self._stop)),
            asyncio.create_task(producer_app.run(making, sink, clock=clock, registry=two, stop=self._stop)),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        """End in order."""
        self._stop.set()
        await asyncio.gather(*self._running)

    @contextlib.asynccontextmanager
    async def gateway(self, **given: object) -> AsyncIterator[None]:
        """Run a gateway, and send its clients away at once at the end."""
        started, stop = asyncio.Event(), asyncio.Event()
        running = asyncio.create_task(
            gateway_app.run(
                GatewaySettings.model_validate(
                    {"ops_port": 0, "drain_s": 0.0, "handshake_rate": 1e3, "handshake_burst": 1000, **given}
                ),
                self.broker.source("gateway"),
                self.broker.history(),
                clock=SystemClock(),
                registry=CollectorRegistry(),
                stop=stop,
                started=lambda *_: started.set(),
            )
        )
        try:
            await asyncio.wait_for(started.wait(), DEADLINE_S)
            yield
        finally:
            stop.set()
            await running


class Authority:
    """An authority of certificates, as files; *end*: of the one that it has issued."""

    def __init__(self, folder: Path) -> None:
        self.ca, authority = folder / "ca.pem", trustme.CA()
        authority.cert_pem.write_to_path(str(self.ca))
        self.end = datetime.now(tz=UTC).replace(microsecond=0) + timedelta(days=9)
        issued = authority.issue_cert("127.0.0.1", not_after=self.end)
        issued.private_key_pem.write_to_path(str(folder / "key.pem"))
        issued.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
        self.settings = {"tls_cert": folder / "cert.pem", "tls_key": folder / "key.pem"}


@pytest.fixture(name="authority")
def _authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def test_over_tls_and_over_the_end_of_a_gateway(authority: Authority) -> None:
    """The figures are right over wss; a gateway that ends is a reconnect, no violation, and no tick less."""
    [port] = free_ports(1)
    url, listen = f"wss://127.0.0.1:{port}/v1/stream", {"port": port, **authority.settings}
    async with Market(rate=3_000) as market, contextlib.AsyncExitStack() as stack:
        async with market.gateway(**listen):
            here = await stack.enter_async_context(canary(url, *FEW, ca=authority.ca))
            await here.until(lambda: here.figure("ticks_total", outcome="delivered") > 50)
            await here.until(lambda: here.value("clock_offset_seconds") is not None)
            assert await here.ask("/readyz") == (200, "ready\n")
            assert await here.ask("/livez") == (200, "alive\n")
            assert "tickwire_canary_connected 1.0" in (await here.ask("/metrics"))[1]
            assert here.figure("certificate_not_after_seconds") == authority.end.timestamp()
            assert here.figure("handshake_seconds_count") == 1
            assert abs(here.figure("clock_offset_seconds")) < 0.1  # one machine, one clock
            assert here.figure("symbols", state="followed") == len(FEW)
            assert here.figure("latency_seconds_sum", stage="total") > 0
        await here.until(lambda: here.figure("reconnects_total", reason="unreachable"))
        assert await here.ask("/readyz") == (503, "connecting: unreachable\n")
        before = here.figure("ticks_total", outcome="delivered")
        async with market.gateway(**listen):
            await here.until(lambda: here.figure("ticks_total", outcome="delivered") > before + 50)
            counted = here.figure("latency_seconds_count", stage="feed")
            assert here.figure("reconnects_total", reason="restart") == 1
            assert here.figure("handshake_seconds_count") == 2
            assert here.violations == {}
            assert here.figure("ticks_total", outcome="missing") == 0
            assert counted == here.figure("ticks_total", outcome="delivered") - len(FEW)  # but the snapshots


async def test_not_trusted(authority: Authority, tmp_path: Path) -> None:
    """A certificate that nobody vouches for is a state; once the file names its authority, ticks come."""
    [port] = free_ports(1)
    ca = tmp_path / "trusted.pem"
    trustme.CA().cert_pem.write_to_path(str(ca))
    async with (
        Market(rate=1_000) as market,
        market.gateway(port=port, **authority.settings),
        canary(f"wss://127.0.0.1:{port}/v1/stream", "AAPL", ca=ca) as here,
    ):
        await here.until(lambda: here.figure("reconnects_total", reason="tls") > 1)
        assert here.figure("state", state="tls") == 1
        assert await here.ask("/readyz") == (503, "tls: tls\n")
        ca.write_bytes(b"")  # as while somebody writes it
        await here.until(lambda: here.figure("reconnects_total", reason="tls") > 5)
        ca.write_bytes(authority.ca.read_bytes())
        await here.until(lambda: here.figure("ticks_total", outcome="delivered"))
        assert here.figure("state", state="connected") == 1


async def test_token_refused(tmp_path: Path) -> None:
    """A token that lets nobody in is a state, logged once and without it; the next one in the file is taken."""
    keys, token = tmp_path / "keys.txt", tmp_path / "token"
    good, bad = key_text(b"g" * KEY_BYTES), key_text(b"b" * KEY_BYTES)
    keys.write_text(line("canary", good, {"symbols": ["*"]}) + "\n")
    token.write_text(bad)
    [port] = free_ports(1)
    async with Market(rate=1_000) as market, market.gateway(port=port, auth="keys", keys_file=keys):
        with capture_logs() as logs:
            async with canary(f"ws://127.0.0.1:{port}/v1/stream", "AAPL", token=token) as here:
                await here.until(lambda: here.figure("reconnects_total", reason="token_refused") > 3)
                assert here.figure("state", state="token_refused") == 1
                assert await here.ask("/readyz") == (503, "token_refused: token_refused\n")
                token.unlink()
                await here.until(lambda: here.figure("reconnects_total", reason="no_token"))
                token.write_text(good)
                await here.until(lambda: here.figure("ticks_total", outcome="delivered"))
    assert [one["reason"] for one in logs if one["event"] == "canary.refused"] == ["token_refused", "no_token"]
    assert not any(secret in repr(logs) for secret in (good, bad))
