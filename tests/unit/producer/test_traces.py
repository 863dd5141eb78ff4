"""The spans of sampled messages, whatever becomes of their connection."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from producer.grouping import Parcel
from producer.sampling import Sampling
from producer.traces import Traces
from services.broker.ports import NO_CONTEXTS, Outgoing, Route
from services.market.symbol import Symbol
from services.market.trace import Carrier, Outcome
from tests.unit.tracer import Notebook

A = Symbol("A")
CONFIRMED, REFUSED, LOST = Outcome.CONFIRMED, Outcome.REFUSED, Outcome.LOST


def parcel(first: int, length: int = 1) -> Parcel:
    """A message of *length* ticks from *first* on."""
    message = Outgoing(Route.TICK, A, f"7-{first}-99", b"x" * 10 * length)
    return Parcel(message, A, 7, first, length, 99, 0)


def traces(book: Notebook, every: int, dice: Callable[[int], int] = lambda _: 0) -> Traces:
    """Traces that choose the first tick of *every*."""
    return Traces(book, Sampling(every, dice))


@pytest.fixture(name="book")
def _book() -> Notebook:
    return Notebook()


def test_a_span_begins_when_its_message_was_made(book: Notebook) -> None:
    """The span of a sampled message tells its position, began at its making, and names its context by index."""
    spans = traces(book, 3)
    contexts = spans.hand_over([parcel(1), parcel(2), parcel(3, 2)], 12, 150)
    assert contexts == {0: book.sent[0].context, 2: book.sent[1].context}
    assert [sent.carrier for sent in book.sent] == [Carrier(A, 7, 1, 1, 99, 10), Carrier(A, 7, 3, 2, 99, 20)]
    assert [(sent.began, sent.writes, sent.ends) for sent in book.sent] == [(99, [150], [])] * 2
    assert (spans.sampled, spans.open) == (2, 2)


def test_what_is_not_sampled_costs_no_context(book: Notebook) -> None:
    """Where no message is chosen, the contexts are the shared empty ones."""
    spans = traces(book, 10, lambda below: below - 1)
    assert spans.hand_over([parcel(1)], 1, 150) is NO_CONTEXTS
    spans.settle(1, 200, multiple=True, accepted=True)
    assert (spans.sampled, book.sent) == (0, [])


def test_what_opentelemetry_does_not_record_has_no_context(book: Notebook) -> None:
    """A message whose span is not recorded goes without a context, and is not counted."""
    book.records = False
    spans = traces(book, 1)
    assert spans.hand_over([parcel(1)], 1, 150) is NO_CONTEXTS
    assert (spans.sampled, spans.open) == (0, 0)


@pytest.mark.parametrize(("accepted", "outcome"), [(True, CONFIRMED), (False, REFUSED)])
def test_an_answer_ends_a_span(book: Notebook, *, accepted: bool, outcome: Outcome) -> None:
    """A span ends with the answer for its number, or for a later one that covers it, and not with another's."""
    spans = traces(book, 1)
    spans.hand_over([parcel(n) for n in (1, 2, 3, 4)], 4, 150)
    spans.settle(3, 200, multiple=False, accepted=accepted)
    assert [sent.ends for sent in book.sent] == [[], [], [(200, outcome)], []]
    spans.settle(3, 210, multiple=True, accepted=accepted)
    assert [sent.ends for sent in book.sent] == [[(210, outcome)], [(210, outcome)], [(200, outcome)], []]
    assert spans.open == 1


def test_a_message_published_again_keeps_its_context(book: Notebook) -> None:
    """After a lost connection a sampled message goes with the context that it had, and its span goes on."""
    spans = traces(book, 2)
    before = spans.hand_over([parcel(1), parcel(2)], 2, 150)
    spans.disconnect()
    spans.disconnect()  # each failed attempt says so
    after = spans.hand_over([parcel(1), parcel(2), parcel(3)], 3, 300)
    assert before[0] == after[0] == book.sent[0].context
    assert book.sent[0].writes == [150, 300]
    spans.settle(3, 400, multiple=True, accepted=True)
    assert [sent.ends for sent in book.sent] == [[(400, CONFIRMED)]] * spans.sampled
    assert spans.open == 0


def test_a_run_that_is_over_ends_its_spans(book: Notebook) -> None:
    """Spans on the wire, and those whose message waits to be published again, end as lost, once."""
    spans = traces(book, 1)
    spans.hand_over([parcel(1)], 1, 150)
    spans.disconnect()
    spans.hand_over([parcel(2)], 1, 160)
    spans.discard(200)
    spans.settle(1, 300, multiple=True, accepted=True)
    assert [sent.ends for sent in book.sent] == [[(200, LOST)]] * 2
    assert spans.open == 0
