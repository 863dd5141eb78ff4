"""An OTLP/HTTP receiver that keeps the spans which processes export, as a collector would get them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

KINDS = {Span.SPAN_KIND_PRODUCER: "producer", Span.SPAN_KIND_CONSUMER: "consumer"}
Id = tuple[bytes, bytes]
"""Trace and span."""


class Seen(NamedTuple):
    """One span."""

    service: str
    name: str
    kind: str
    id: Id
    parent: bytes
    links: tuple[Id, ...]
    began: int
    """Nanoseconds since 1970, as `ended` and the events' times."""
    ended: int
    events: tuple[tuple[str, int], ...]
    attributes: dict[str, Any]
    failed: bool


class Collector:
    """What came; *endpoint* is for OTEL_EXPORTER_OTLP_ENDPOINT."""

    def __init__(self) -> None:
        self.endpoint = ""
        self.requests = 0
        self.spans: list[Seen] = []

    def of(self, kind: str) -> dict[Id, Seen]:
        """Return the spans of a kind by their ids."""
        return {span.id: span for span in self.spans if span.kind == kind}

    async def take(self, request: web.Request) -> web.Response:
        """Keep what a process exports."""
        self.requests += 1
        self.spans += _spans(ExportTraceServiceRequest.FromString(await request.read()))
        return web.Response(body=b"", content_type="application/x-protobuf")


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """Listen until the end of the block."""
    collector, app = Collector(), web.Application()
    app.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        collector.endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield collector
    finally:
        await runner.cleanup()


def _spans(request: ExportTraceServiceRequest) -> Iterator[Seen]:
    for resource in request.resource_spans:
        service = str(_attributes(resource.resource.attributes)["service.name"])
        for span in (span for scope in resource.scope_spans for span in scope.spans):
            yield Seen(
                service,
                span.name,
                KINDS.get(span.kind, "other"),
                (span.trace_id, span.span_id),
                span.parent_span_id,
                tuple((link.trace_id, link.span_id) for link in span.links),
                span.start_time_unix_nano,
                span.end_time_unix_nano,
                tuple((event.name, event.time_unix_nano) for event in span.events),
                _attributes(span.attributes),
                span.status.code != 0,
            )


def _attributes(pairs: Sequence[KeyValue]) -> dict[str, Any]:
    found = {pair.key: pair.value for pair in pairs}
    return {key: getattr(value, str(value.WhichOneof("value"))) for key, value in found.items()}
