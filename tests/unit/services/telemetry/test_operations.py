"""The operations port, over real HTTP."""

from __future__ import annotations

import socket

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter

from services.errors import CannotListen
from services.telemetry.operations import Probe, operations


async def _get(port: int, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status, await answer.text()


def _ready() -> Probe:
    return Probe(ok=True, reason="ready")


async def test_metrics() -> None:
    """`/metrics` shows what the registry holds, and nothing of another one."""
    registry = CollectorRegistry()
    Counter("tickwire_things", "Things.", registry=registry).inc(3)

    async with operations("127.0.0.1", 0, registry=registry, ready=_ready) as port:
        status, text = await _get(port, "/metrics")

    assert status == 200
    assert "tickwire_things_total 3.0" in text
    assert "python_info" not in text


async def test_readyz_follows_the_probe() -> None:
    """`/readyz` asks at each request and answers 200 or 503 with the reason."""
    probe = Probe(ok=False, reason="no heartbeat yet")

    async with operations("127.0.0.1", 0, registry=CollectorRegistry(), ready=lambda: probe) as port:
        before = await _get(port, "/readyz")
        probe = Probe(ok=True, reason="ready")
        after = await _get(port, "/readyz")

    assert before == (503, "no heartbeat yet\n")
    assert after == (200, "ready\n")


async def test_livez_ignores_readiness() -> None:
    """`/livez` answers 200 while the process is not ready."""
    never = Probe(ok=False, reason="broker down")

    async with operations("127.0.0.1", 0, registry=CollectorRegistry(), ready=lambda: never) as port:
        assert await _get(port, "/livez") == (200, "alive\n")


async def test_port_is_free_afterwards() -> None:
    """The port is released when the context ends, whatever ended it."""
    ports: list[int] = []

    async def body() -> None:
        async with operations("127.0.0.1", 0, registry=CollectorRegistry(), ready=_ready) as port:
            ports.append(port)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await body()

    async with operations("127.0.0.1", ports[0], registry=CollectorRegistry(), ready=_ready) as port:
        assert port == ports[0]


async def test_port_in_use() -> None:
    """A taken port is a sentence that names the variable."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen) as caught:
            async with operations("127.0.0.1", port, registry=CollectorRegistry(), ready=_ready):
                pass

    expected = f"cannot listen on 127.0.0.1:{port}: the port is in use; TICKWIRE_OPS_PORT chooses another port"
    assert str(caught.value) == expected
