"""The operations port: `/metrics` for Prometheus, `/livez` and `/readyz` for whoever runs the process.

It is a server of its own, on an interface of its own, so that no client of the public port can reach it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from aiohttp import web
from prometheus_client import CollectorRegistry

from services.errors import CannotListen
from services.telemetry import scrape

_FAREWELL_S: Final = 1.0
"""Seconds an answer that is under way is given at the end."""


class Probe(NamedTuple):
    """Whether a process is ready, and why (not)."""

    ok: bool
    reason: str


@asynccontextmanager
async def operations(
    host: str, port: int, *, registry: CollectorRegistry, ready: Callable[[], Probe]
) -> AsyncIterator[int]:
    """Serve the three paths while the context lasts; yield the port, which the system picks where *port* is 0.

    `/livez` answers 200 as long as the loop turns and never looks at a broker.  `/readyz` answers 200 or 503
    with the reason of *ready* as text.

    Raises:
        CannotListen: the address is taken or not ours.
    """
    runner = web.AppRunner(_application(registry, ready), access_log=None, shutdown_timeout=_FAREWELL_S)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise CannotListen("TICKWIRE_OPS_PORT", host, port, error) from error
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def _application(registry: CollectorRegistry, ready: Callable[[], Probe]) -> web.Application:
    async def metrics(request: web.Request) -> web.Response:
        return await scrape.answer(registry, request.headers.get("Accept", ""))

    async def livez(_: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def readyz(_: web.Request) -> web.Response:
        probe = ready()
        return web.Response(text=f"{probe.reason}\n", status=200 if probe.ok else 503)

    application = web.Application()
    application.router.add_get("/metrics", metrics)
    application.router.add_get("/livez", livez)
    application.router.add_get("/readyz", readyz)
    return application
