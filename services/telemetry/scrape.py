"""The answer to a scrape, made a little at a time: all at once, a gateway's 800 lines hold its ticks up for 5 ms.

The text is that of `prometheus_client`, which is asked for one metric after another instead of a whole registry.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

SAMPLES: Final = 50
"""Lines after which the loop is left to the others: 0.25 ms of work; a metric with more is still one piece."""
_END: Final = b"# EOF\n"
"""Ends an answer in the format of OpenMetrics."""


class _Only(Collector):
    """Collects one metric that was collected already."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterable[Metric]:
        """Yield it."""
        return (self._metric,)


async def answer(registry: CollectorRegistry, accept: str) -> web.Response:
    """Return what *registry* has, in the format that the header *accept* asks for.

    It is not compressed: that would take 1.2 ms, and a scrape is 47 KB.
    """
    encode, content_type = choose_encoder(accept)
    body = await _text(registry, encode)
    return web.Response(body=body, headers={"Content-Type": content_type})


async def _text(registry: CollectorRegistry, encode: Callable[[Collector], bytes]) -> bytes:
    pieces: list[bytes] = []
    samples, ended = 0, False
    for metric in registry.collect():
        piece = encode(_Only(metric))
        ended = piece.endswith(_END)
        pieces.append(piece.removesuffix(_END))
        samples += len(metric.samples)
        if samples >= SAMPLES:
            samples = 0
            await asyncio.sleep(0)
    return b"".join(pieces) + (_END if ended else b"")
