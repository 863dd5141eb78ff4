"""The spans of messages that came with a context."""

from __future__ import annotations

import pytest

from gateway.traces import Traces
from services.market.symbol import Symbol
from services.market.trace import Carrier, TraceContext, encode_traceparent
from services.market.wire import TickMessage, decode_message, with_context
from tests.listeners import line
from tests.unit.tracer import Notebook

A = Symbol("A")
CONTEXT = TraceContext(2**127, 2**63, sampled=True)


def message(first: int, context: str | None = None) -> TickMessage:
    """A message of two ticks."""
    lines = line(A, first) + b"\n" + line(A, first + 1)
    identity = f"7-{first}-99"
    return decode_message(A, identity if context is None else with_context(identity, context), lines)


def test_a_traced_message_is_recorded_when_it_is_written() -> None:
    """Its span runs from when it came to the last client's write, and links to the producer's."""
    book = Notebook()
    traces = Traces(book)
    traced = message(3, encode_traceparent(CONTEXT))
    traces.written([([message(1), traced], 100), ([message(5)], 110)], 120)
    size = len(b"\n".join(traced.lines))
    assert book.processed == [(Carrier(A, 7, 3, 2, 99, size), CONTEXT, 100, 120)]
    assert traces.seen == 1


@pytest.mark.parametrize("context", ["", "rubbish", encode_traceparent(CONTEXT._replace(sampled=False))])
def test_what_names_no_recorded_span_is_passed_over(context: str) -> None:
    """A context that cannot be read, or whose span nobody recorded, makes no span."""
    book = Notebook()
    traces = Traces(book)
    traces.written([([message(1, context)], 100)], 120)
    assert (traces.seen, book.processed) == (0, [])
