"""What OpenTelemetry is told of a message, and where its own variables send it."""

from __future__ import annotations

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from services.errors import BadSettings
from services.market.symbol import Symbol
from services.market.trace import Carrier, Outcome, TraceContext, decode_traceparent
from services.telemetry import otel
from services.telemetry.otel import OtelTracer

CARRIER = Carrier(Symbol("BRK.B"), 17, 1041, 2, 1_795_000_000_000_000, 321)
ATTRIBUTES = {
    "messaging.system": "rabbitmq",
    "messaging.destination.name": "tickwire.ticks:tick.BRK.B",
    "messaging.destination.template": "tickwire.ticks:tick.{symbol}",
    "messaging.rabbitmq.destination.routing_key": "tick.BRK.B",
    "messaging.message.id": "17-1041-1795000000000000",
    "messaging.message.body.size": 321,
    "tickwire.symbol": "BRK.B",
    "tickwire.epoch": 17,
    "tickwire.seq": 1041,
    "tickwire.ticks": 2,
}


@pytest.fixture(name="memory")
def _memory() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture(name="tracer")
def _tracer(memory: InMemorySpanExporter) -> OtelTracer:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    return OtelTracer(provider, "rabbitmq")


def test_a_send_span(tracer: OtelTracer, memory: InMemorySpanExporter) -> None:
    """A SEND span is the root of its trace, and says when the message was made, written, and confirmed."""
    sending = tracer.send(CARRIER, 1_000)
    assert sending is not None
    sending.written(1_500)
    assert memory.get_finished_spans() == ()
    sending.end(2_000, Outcome.CONFIRMED)
    (span,) = memory.get_finished_spans()
    assert (span.name, span.kind, span.parent) == ("send tickwire.ticks", SpanKind.PRODUCER, None)
    assert (span.start_time, span.end_time) == (1_000_000, 2_000_000)
    assert [(event.name, event.timestamp) for event in span.events] == [("written", 1_500_000)]
    operation = {"messaging.operation.name": "send", "messaging.operation.type": "send"}
    assert dict(span.attributes or {}) == ATTRIBUTES | operation
    assert span.status.status_code is StatusCode.UNSET
    assert span.context is not None
    assert decode_traceparent(sending.context) == (span.context.trace_id, span.context.span_id, True)


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.LOST])
def test_a_message_that_did_not_arrive_is_an_error(
    tracer: OtelTracer, memory: InMemorySpanExporter, outcome: Outcome
) -> None:
    """A SEND span that ends without the broker's yes has the status error, and says why."""
    sending = tracer.send(CARRIER, 1_000)
    assert sending is not None
    sending.end(2_000, outcome)
    (span,) = memory.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == outcome.value


def test_a_process_span(tracer: OtelTracer, memory: InMemorySpanExporter) -> None:
    """A PROCESS span is the root of a trace of its own, with a link to the producer's span and no parent."""
    tracer.process(CARRIER, TraceContext(2**127 + 1, 2**63 + 1, sampled=True), 3_000, 4_000)
    (span,) = memory.get_finished_spans()
    assert (span.name, span.kind, span.parent) == ("process tickwire.ticks", SpanKind.CONSUMER, None)
    assert (span.start_time, span.end_time) == (3_000_000, 4_000_000)
    (link,) = span.links
    assert (link.context.trace_id, link.context.span_id) == (2**127 + 1, 2**63 + 1)
    assert (link.context.is_remote, link.context.trace_flags.sampled) == (True, True)
    assert span.context is not None
    assert span.context.trace_id != 2**127 + 1
    operation = {"messaging.operation.name": "process", "messaging.operation.type": "process"}
    assert dict(span.attributes or {}) == ATTRIBUTES | operation


def test_a_wall_clock_that_went_back_makes_no_negative_span(
    tracer: OtelTracer, memory: InMemorySpanExporter
) -> None:
    """A message that was written before it came, as the clock has it, took no time."""
    tracer.process(CARRIER, TraceContext(1, 1, sampled=True), 3_000, 2_000)
    (span,) = memory.get_finished_spans()
    assert span.start_time == span.end_time == 3_000_000


def test_opentelemetrys_sampler_has_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """What OTEL_TRACES_SAMPLER does not let be recorded is no span of ours."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    assert OtelTracer(TracerProvider(shutdown_on_exit=False), "rabbitmq").send(CARRIER, 1) is None


def test_a_disabled_sdk_records_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_SDK_DISABLED turns every span off."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    tracer = OtelTracer(TracerProvider(shutdown_on_exit=False), "rabbitmq")
    assert tracer.send(CARRIER, 1) is None
    tracer.process(CARRIER, TraceContext(1, 1, sampled=True), 1, 2)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, [OTLPSpanExporter]),
        ({"OTEL_TRACES_EXPORTER": " otlp , console "}, [OTLPSpanExporter, ConsoleSpanExporter]),
        ({"OTEL_TRACES_EXPORTER": "otlp_proto_http"}, [OTLPSpanExporter]),
        ({"OTEL_TRACES_EXPORTER": "none"}, []),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, [OTLPSpanExporter]),
    ],
)
def test_exporters(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: list[type]) -> None:
    """OpenTelemetry's own variables name the exporters; OTLP over HTTP where they name none."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    made = otel._exporters()
    assert [type(exporter) for exporter in made] == expected


@pytest.mark.parametrize(
    ("variables", "fault"),
    [
        (
            {"OTEL_TRACES_EXPORTER": "zipkin"},
            "OTEL_TRACES_EXPORTER is 'zipkin', which is not installed; there are ",
        ),
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "carrier/pigeon"},
            "by OTEL_EXPORTER_OTLP_PROTOCOL carrier/pigeon, which",
        ),
    ],
)
def test_an_exporter_that_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], fault: str
) -> None:
    """An exporter that is not there is named, with those that are."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BadSettings, match=fault) as caught:
        otel._exporters()
    assert "none, otlp" in str(caught.value)


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({}, "tickwire-gateway"),
        ({"OTEL_SERVICE_NAME": "edge"}, "edge"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=edge,host.name=h"}, "edge"),
    ],
)
def test_the_service_is_named(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], name: str) -> None:
    """A process is `tickwire-<process>` unless OpenTelemetry's variables name it."""
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    attributes = otel._resource("gateway").attributes
    assert attributes["service.name"] == name
    assert attributes["service.version"]
