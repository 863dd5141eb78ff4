"""The codec of a `traceparent`, against OpenTelemetry's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.market.trace import TraceContext, decode_traceparent, encode_traceparent

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
contexts = st.builds(TraceContext, st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.booleans())
hexadecimals = st.text("0123456789abcdef", max_size=33) | st.sampled_from(["0" * 32, "0" * 16, TRACE, SPAN])
almost = st.tuples(
    st.sampled_from(["00", "01", "cc", "ff", "0", "FF"]),
    hexadecimals,
    hexadecimals,
    hexadecimals,
    st.text(max_size=3),
).map(lambda parts: "-".join(parts[:4]) + parts[4])


def reference(text: str) -> TraceContext | None:
    """What OpenTelemetry reads."""
    found = TraceContextTextMapPropagator().extract({"traceparent": text})
    context = trace.get_current_span(found).get_span_context()
    return (
        TraceContext(context.trace_id, context.span_id, context.trace_flags.sampled) if context.is_valid else None
    )


@given(contexts)
def test_a_context_survives(context: TraceContext) -> None:
    """A context that is written is read again, by us and by OpenTelemetry."""
    text = encode_traceparent(context)
    assert len(text) == 55
    assert decode_traceparent(text) == reference(text) == context


@given(st.text() | almost | contexts.map(encode_traceparent))
def test_any_text_is_read_as_opentelemetry_reads_it(text: str) -> None:
    """What names no context for OpenTelemetry names none for us, and the other way round."""
    if text.strip(" \t\n") == text and "\n" not in text:
        assert decode_traceparent(text) == reference(text)


@pytest.mark.parametrize(
    ("text", "sampled"),
    [
        (f"00-{TRACE}-{SPAN}-01", True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-fe", False),
        (f"01-{TRACE}-{SPAN}-03", True),
        (f"01-{TRACE}-{SPAN}-01-and more", True),
    ],
)
def test_contexts(text: str, sampled: bool) -> None:  # noqa: FBT001 - the specification's, not a switch
    """Of the flags only the lowest counts, and a later version may say more behind them."""
    assert decode_traceparent(text) == TraceContext(int(TRACE, 16), int(SPAN, 16), sampled)


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"01-{TRACE}-{SPAN}-01more",
        f"00-{TRACE}-{SPAN}-01\n",
    ],
)
def test_no_contexts(text: str) -> None:
    """Text of another form, ids of zero, capital letters and version ff name no context."""
    assert decode_traceparent(text) is None
