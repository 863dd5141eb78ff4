"""The spans of Tickwire's messages, made and exported by OpenTelemetry: the only module that imports it.

Names and attributes are those of OpenTelemetry's conventions for messaging and RabbitMQ, which are still in
development: `docs/tracing.md` shows them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import entry_points, version
from typing import Final

from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.util.types import AttributeValue

from services.broker import topology
from services.broker.ports import Route
from services.errors import BadSettings
from services.market.trace import Carrier, Outcome, Sending, TraceContext, Tracer, encode_traceparent
from services.market.wire import message_id

_EXPORTERS: Final = "OTEL_TRACES_EXPORTER"
_GROUP: Final = "opentelemetry_traces_exporter"
"""The entry points of OpenTelemetry's exporters."""
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_OTLP: Final = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}
_SPAN: Final = topology.TICKS.name
_NS: Final = 1_000
"""Nanoseconds in a microsecond."""


class OtelTracer(Tracer):
    """Makes spans through *provider*; *system* is the broker's name in them."""

    def __init__(self, provider: TracerProvider, system: str) -> None:
        self._tracer = provider.get_tracer("tickwire", version("tickwire"))
        self._system = system

    def send(self, carrier: Carrier, began: int) -> Sending | None:
        """See `Tracer`."""
        span = self._tracer.start_span(
            f"send {_SPAN}",
            kind=SpanKind.PRODUCER,
            attributes=self._attributes(carrier, "send"),
            start_time=began * _NS,
        )
        return OtelSending(span) if span.is_recording() else None

    def process(self, carrier: Carrier, context: TraceContext, began: int, ended: int) -> None:
        """See `Tracer`."""
        span = self._tracer.start_span(
            f"process {_SPAN}",
            kind=SpanKind.CONSUMER,
            attributes=self._attributes(carrier, "process"),
            links=[Link(_remote(context))],
            start_time=began * _NS,
        )
        span.end(max(began, ended) * _NS)

    def _attributes(self, carrier: Carrier, operation: str) -> Mapping[str, AttributeValue]:
        key = topology.routing_key(Route.TICK, carrier.symbol)
        return {
            "messaging.system": self._system,
            "messaging.operation.name": operation,
            "messaging.operation.type": operation,
            "messaging.destination.name": f"{_SPAN}:{key}",
            "messaging.destination.template": f"{_SPAN}:{topology.routing_key(Route.TICK, '{symbol}')}",
            "messaging.rabbitmq.destination.routing_key": key,
            "messaging.message.id": message_id(carrier.epoch, carrier.first, carrier.published),
            "messaging.message.body.size": carrier.size,
            "tickwire.symbol": carrier.symbol,
            "tickwire.epoch": carrier.epoch,
            "tickwire.seq": carrier.first,
            "tickwire.ticks": carrier.ticks,
        }


class OtelSending(Sending):
    """One SEND span."""

    def __init__(self, span: Span) -> None:
        self._span = span
        context = span.get_span_context()
        self.context = encode_traceparent(
            TraceContext(context.trace_id, context.span_id, context.trace_flags.sampled)
        )

    def written(self, at: int) -> None:
        """See `Sending`."""
        self._span.add_event("written", timestamp=at * _NS)

    def end(self, at: int, outcome: Outcome) -> None:
        """See `Sending`."""
        if outcome is not Outcome.CONFIRMED:
            self._span.set_attribute("error.type", outcome.value)
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end(at * _NS)


class Exporting:
    """A tracer, and the thread that exports what it makes."""

    def __init__(self, provider: TracerProvider, exporters: list[SpanExporter], system: str) -> None:
        self.tracer: Tracer = OtelTracer(provider, system)
        self._provider, self._exporters = provider, exporters

    def shut_down(self) -> None:
        """Export what is left and end the thread: seconds, where a collector does not answer."""
        self._provider.shutdown()

    def give_up(self) -> None:
        """Let an export that is under way not be tried again."""
        for exporter in self._exporters:
            exporter.shutdown()


def exporting(process: str, system: str) -> Exporting:
    """Return what exports the spans of *process* as OpenTelemetry's variables say.

    Raises:
        BadSettings: an exporter is not installed.
    """
    exporters = _exporters()
    # Our end is orderly, see `services.telemetry.tracing`: at the interpreter's nobody waits for a collector.
    provider = TracerProvider(resource=_resource(process), shutdown_on_exit=False)
    for exporter in exporters:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return Exporting(provider, exporters, system)


def _remote(context: TraceContext) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if context.sampled else TraceFlags.DEFAULT)
    return SpanContext(context.trace, context.span, is_remote=True, trace_flags=flags)


def _resource(process: str) -> Resource:
    """Return whose spans they are: `tickwire-<process>`, unless OpenTelemetry's variables say otherwise."""
    ours = Resource({SERVICE_NAME: f"tickwire-{process}", SERVICE_VERSION: version("tickwire")})
    return Resource.create().merge(ours).merge(OTELResourceDetector().detect())


def _exporters() -> list[SpanExporter]:
    """Return the exporters that OTEL_TRACES_EXPORTER lists; `none` is none, and nothing is OTLP."""
    names = [name.strip() for name in os.environ.get(_EXPORTERS, "").split(",") if name.strip()] or ["otlp"]
    return [] if names == ["none"] else [_exporter(name) for name in names]


def _exporter(name: str) -> SpanExporter:
    protocol = next((os.environ[variable] for variable in _PROTOCOLS if os.environ.get(variable)), "http/protobuf")
    wanted = _OTLP.get(protocol.strip(), protocol) if name == "otlp" else name
    installed = {point.name: point for point in entry_points(group=_GROUP)}
    if wanted not in installed:
        there = ", ".join(sorted({"none", "otlp", *installed}))
        how = f" by {_PROTOCOLS[1]} {protocol}" if name == "otlp" else ""
        raise BadSettings([f"{_EXPORTERS} is {name!r}{how}, which is not installed; there are {there}"])
    made: SpanExporter = installed[wanted].load()()
    return made
