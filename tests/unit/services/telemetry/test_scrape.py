"""The answer to a scrape."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import choose_encoder

from services.telemetry import scrape
from services.telemetry.scrape import SAMPLES


def full(metrics: int = 40) -> CollectorRegistry:
    """Return a registry with so many counters of ten samples, and a histogram."""
    registry = CollectorRegistry()
    for number in range(metrics):
        counter = Counter(f"tickwire_{number}", "Something.", ["of"], registry=registry)
        for value in range(10):
            counter.labels(str(value)).inc(number)
    Histogram("tickwire_h", "Seconds.", registry=registry).observe(0.5)
    return registry


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "text/plain;version=0.0.4",
        "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
        "application/openmetrics-text; version=1.0.0; escaping=allow-utf-8",
    ],
)
async def test_the_text_is_the_library_s(accept: str) -> None:
    """What is made piece by piece is, in each format, byte for byte what the library makes at once."""
    encode, content_type = choose_encoder(accept)
    answer = await scrape.answer(registry := full(), accept)

    assert answer.body == encode(registry)
    assert answer.headers["Content-Type"] == content_type


async def test_the_loop_turns_meanwhile() -> None:
    """The loop is left to others every few samples."""
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    turning = asyncio.create_task(turn())
    await scrape.answer(full(), "")
    turning.cancel()
    with suppress(asyncio.CancelledError):
        await turning

    assert turns >= 40 * 10 // SAMPLES
