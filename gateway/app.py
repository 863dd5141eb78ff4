"""The gateway's composition root: builds everything, runs until told to stop, takes everything down in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry

from gateway.admission.choice import build_authority, warn_of_unread
from gateway.admission.limits import TokenBucket
from gateway.admission.porch import Porch
from gateway.counters import Counters
from gateway.doorway import Doorway, Guest, bind
from gateway.entrance import Entrance
from gateway.feed import Feed
from gateway.metrics import GatewayCollector, Reading
from gateway.readings import door_readings, feed_readings, stream_readings
from gateway.sessions import Sessions
from gateway.settings import GatewaySettings
from gateway.tls import Certificate, certificate
from gateway.traces import Traces
from gateway.wires.caller import read_caller
from gateway.wires.cors import Cors
from gateway.wires.headers import secure_answers
from gateway.wires.http.routes import Http
from gateway.wires.keyfetch import fetch_keys
from gateway.wires.native.desk import ClientFeed
from gateway.wires.native.encode import HEARTBEAT_S, encode
from gateway.wires.native.stream import Stream
from gateway.wires.pages import Page, add_pages, read_pages
from gateway.wires.spec.serving import Document, add_documents, documents
from gateway.wires.sse.desk import StreamDesk
from gateway.wires.sse.figures import Figures
from gateway.wires.sse.stream import EventStream
from gateway.wires.ticketing import Ticketing
from gateway.wires.visitor import arrival, visitors
from services.broker.admission import Admission
from services.broker.history import History
from services.broker.ports import TickSource
from services.errors import CannotListen
from services.runtime.clock import Clock
from services.runtime.files import allow_files
from services.runtime.settings import variable
from services.telemetry.operations import Probe, operations
from services.telemetry.tracing import tracing

SPARE_FILES: Final = 256
"""File descriptors beside those of the clients: the broker's connections, scrapes, logs, refusals under way."""
BODY_BYTES: Final = 1024
"""Most bytes of a request's body: no request has one."""
CLEANUP_S: Final = 1.0
"""Seconds that plain HTTP requests under way are given at the end."""

_log = structlog.get_logger("tickwire.gateway")


async def run(
    settings: GatewaySettings,
    source: TickSource,
    history: History,
    *,
    clock: Clock,
    registry: CollectorRegistry,
    stop: asyncio.Event,
    started: Callable[[int, int], None] | None = None,
    admission: Admission | None = None,
) -> None:
    """Serve clients until *stop*, then send them away; *started* is told the ports for clients and operations.

    Without *admission* no token is called back, and there are no tickets.

    Takes at most `unready_s` + `drain_s` + 5 s to end after *stop*.

    Raises:
        CannotListen: a port is taken or not ours.
        BadSettings: the TLS files are no certificate and its key, or the keys of tokens cannot be used.
        MissingRequirement: ticks are to be traced, and OpenTelemetry is not installed.
    """
    cert = await asyncio.to_thread(certificate, settings.tls_cert, settings.tls_key)
    settings = _fitting(settings, allow_files(settings.max_connections + SPARE_FILES))
    sessions = build_sessions(settings, clock)
    authority = await asyncio.to_thread(build_authority, settings, fetch_keys, clock)
    warn_of_unread(settings)
    entrance = Entrance(settings, sessions, authority, admission)
    feed = Feed(
        source,
        history,
        clock=clock,
        deliver=sessions.flush.deliver,
        idle_grace=settings.idle_grace_s,
        replay_ticks=settings.replay_ticks,
        binding=TokenBucket(settings.bind_rate, settings.bind_burst, clock.monotonic()),
    )
    http = Http(
        settings,
        feed,
        history,
        clock,
        reception=entrance.reception,
        trusted=entrance.trusted,
        origins=entrance.origins,
    )
    pages = await asyncio.to_thread(read_pages)
    written = await asyncio.to_thread(documents, settings)
    doors: list[Doorway] = []
    streams = Figures()
    collector = GatewayCollector(
        sessions.counters,
        lambda: (
            *door_readings(doors, cert),
            *entrance.readings(),
            *_readings(sessions, settings),
            *feed_readings(feed.stats(), feed.status),
            *stream_readings(streams),
        ),
    )
    collector.register(registry)
    registry.register(http.collector)

    def ready() -> Probe:
        return readiness(feed, sessions)

    try:
        async with (
            _traces(settings) as sessions.flush.traces,
            operations(settings.ops_host, settings.ops_port, registry=registry, ready=ready) as ops_port,
        ):
            runner = web.AppRunner(
                application(
                    settings, feed, sessions, entrance, pages, http=http, streams=streams, written=written
                ),
                shutdown_timeout=CLEANUP_S,
            )
            await runner.setup()
            try:
                door = _listen(runner, settings, cert, clock)
                doors.append(door)
                if started is not None:
                    started(door.port, ops_port)
                _log.info(
                    "gateway.started",
                    port=door.port,
                    ops_port=ops_port,
                    tls=cert is not None,
                    auth=settings.auth,
                )
                watches = [entrance.run(), *([] if cert is None else [cert.watch()])]
                await _serve(settings, feed, sessions, watches, door=door, stop=stop)
            finally:
                await runner.cleanup()
    finally:
        registry.unregister(collector)
        registry.unregister(http.collector)
    _log.info("gateway.stopped")


@asynccontextmanager
async def _traces(settings: GatewaySettings) -> AsyncIterator[Traces | None]:
    """Yield the spans of this gateway; None where nothing is to be traced."""
    asked_by = variable("trace") if settings.trace else None
    async with tracing("gateway", settings.broker_url, asked_by=asked_by) as tracer:
        yield None if tracer is None else Traces(tracer)


def _fitting(settings: GatewaySettings, files: int) -> GatewaySettings:
    """Return *settings* with no more connections than *files* allow: who comes beyond them is told so, and why."""
    most = max(files // 2, files - SPARE_FILES)
    if most >= settings.max_connections:
        return settings
    _log.warning("gateway.files_limited", files=files, max_connections=most, wanted=settings.max_connections)
    return settings.model_copy(update={"max_connections": most})


def build_sessions(settings: GatewaySettings, clock: Clock) -> Sessions:
    """Return the sessions of one gateway, on the running loop."""
    loop = asyncio.get_running_loop()
    return Sessions(
        clock,
        Counters(),
        max_connections=settings.max_connections,
        stuck_s=settings.stuck_s,
        heartbeat_s=HEARTBEAT_S,
        flush_s=settings.flush_ms / 1e3,
        encode=encode,
        later=loop.call_later,
        soon=loop.call_soon,
    )


def application(
    settings: GatewaySettings,
    feed: ClientFeed,
    sessions: Sessions,
    entrance: Entrance,
    pages: dict[str, Page],
    *,
    http: Http,
    streams: Figures,
    written: dict[str, Document],
) -> web.Application:
    """Return the routes for clients; on the running loop.

    *streams*: where those of `/v1/sse` are counted.  *written*: the documents of the wires.
    """
    app = web.Application(client_max_size=BODY_BYTES, middlewares=[arrival])
    reception, trusted = entrance.reception, entrance.trusted
    secure_answers(app, lambda request: read_caller(request, trusted).secure)
    app.router.add_get("/v1/stream", Stream(settings, feed, sessions, reception, trusted).serve)
    ticketing = Ticketing(reception, trusted, entrance.origins)
    app.router.add_route("*", "/v1/ticket", ticketing.serve)
    later = asyncio.get_running_loop().call_later
    desk = StreamDesk(settings, feed, sessions, reception, figures=streams, later=later)
    sse = EventStream(desk, trusted, Cors(entrance.origins))
    app.router.add_get("/v1/sse", sse.serve, allow_head=False)
    app.router.add_options("/v1/sse", sse.preflight)
    app.router.add_route("*", "/v1/sse", sse.other)
    add_documents(app, written)
    http.add(app)
    http.add_rest(app)
    add_pages(app, pages)
    return app


def readiness(feed: ClientFeed, sessions: Sessions) -> Probe:
    """Return whether clients should be sent here.  A feed that went stale stays ready: others may be no better."""
    if sessions.leaving:
        return Probe(ok=False, reason="draining")
    if not feed.ready:
        return Probe(ok=False, reason="no broker connection and heartbeat since the start")
    if sessions.full:
        return Probe(ok=False, reason="at the connection limit")
    return Probe(ok=True, reason="ready")


def _listen(runner: web.AppRunner, settings: GatewaySettings, cert: Certificate | None, clock: Clock) -> Doorway:
    porch: Porch[Guest] = Porch(
        first_byte_s=settings.first_byte_s, request_s=settings.request_s, most=settings.max_pending
    )
    try:
        listener = bind(settings.host, settings.port, shared=settings.worker is not None)
        try:
            return Doorway(
                listener,
                visitors(runner, idle_s=settings.request_s),
                lambda: None if cert is None else cert.context,
                porch,
                clock,
            )
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise CannotListen("TICKWIRE_PORT", settings.host, settings.port, error) from error


async def _serve(
    settings: GatewaySettings,
    feed: Feed,
    sessions: Sessions,
    watches: Sequence[Coroutine[Any, Any, None]],
    *,
    door: Doorway,
    stop: asyncio.Event,
) -> None:
    """Run the feed, and *watches* beside it, until *stop* and through the drain: clients get ticks to the end."""
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(work) for work in (feed.run(), *watches)]
        await stop.wait()
        sessions.leaving = True
        _log.info("gateway.leaving", unready_s=settings.unready_s)
        await asyncio.sleep(settings.unready_s)
        _log.info("gateway.draining", connections=len(sessions))
        sessions.draining = True
        door.close()
        await sessions.drain(settings.drain_s)
        for task in running:
            task.cancel()


def _readings(sessions: Sessions, settings: GatewaySettings) -> Iterator[Reading]:
    yield Reading("connections", "Clients connected.", "gauge", None, [("", len(sessions))])
    yield Reading(
        "connections_max", "Clients that may be connected.", "gauge", None, [("", settings.max_connections)]
    )
    yield Reading(
        "flush_rest_seconds",
        "Rest after the last flush, in which ticks gather.",
        "gauge",
        None,
        [("", sessions.flush.window.rest)],
    )
    traces = sessions.flush.traces
    yield Reading(
        "traces",
        "Messages that came with the context of a span that their producer recorded.",
        "counter",
        None,
        [("", 0 if traces is None else traces.seen)],
    )
    yield Reading("clients_blocked", "Clients whose sockets are full.", "gauge", None, [("", sessions.blocked)])
    total, most = sessions.unsent()
    yield Reading(
        "clients_buffered_bytes",
        "Bytes that wait for clients, in outboxes and behind sockets.",
        "gauge",
        None,
        [("", total)],
    )
    yield Reading(
        "clients_buffered_bytes_max", "Most bytes that wait for one client.", "gauge", None, [("", most)]
    )
    yield Reading(
        "draining",
        "1 from the order to end on: not ready, then clients are sent away.",
        "gauge",
        None,
        [("", sessions.leaving)],
    )
