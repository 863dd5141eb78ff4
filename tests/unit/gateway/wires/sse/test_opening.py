"""What the head of a stream may promise, and when it is known."""

from __future__ import annotations

from gateway.frames import Accepted, Frame, Gap, GapReason, Rejection, Subscribed
from gateway.wires.problem import Problem
from gateway.wires.sse.opening import OPENING_S, Opening, Resumed
from gateway.wires.sse.wish import Wish
from services.market.position import Position
from services.market.symbol import Symbol
from tests.listeners import line

AAPL, MSFT = Symbol("AAPL"), Symbol("MSFT")
PLACES = {AAPL: Position(1, 5), MSFT: Position(1, 7)}
ACCEPTED = Subscribed(1, {symbol: Accepted(place, None) for symbol, place in PLACES.items()}, {}, 0)


def opening(positions: dict[Symbol, Position] | None = None) -> Opening:
    """An opening at time 0."""
    return Opening(Wish((AAPL, MSFT), None, snapshot=True, positions=positions or {}), 0.0)


def stands(*symbols: Symbol) -> object:
    """Who has moved, or lacks nothing."""
    return lambda symbol, position: symbol in symbols and position == PLACES[symbol]


def look(
    subject: Opening, entries: list[bytes | Frame], now: float = 0.0, *there: Symbol
) -> Resumed | Problem | None:
    """Look, with *there* being where they ought to be."""
    return subject.look(entries, stands(*there), now)  # type: ignore[arg-type]


def test_nothing_to_resume() -> None:
    """Without positions the head says `none` as soon as a symbol is followed."""
    subject = opening()

    assert look(subject, []) is None
    assert look(subject, [Subscribed(1, {AAPL: Accepted(None, None)}, {}, 1)]) is Resumed.NONE


def test_all() -> None:
    """`all` needs every symbol to have moved, or to lack nothing."""
    subject = opening(PLACES)

    assert look(subject, [ACCEPTED]) is None
    assert look(subject, [ACCEPTED, line("AAPL", 6)], 0.1, AAPL) is None
    assert look(subject, [ACCEPTED, line("AAPL", 6)], 0.2, MSFT) is Resumed.ALL
    assert not subject.late


def test_gap() -> None:
    """One gap is enough for `gap`, and nobody else is waited for."""
    entries: list[bytes | Frame] = [ACCEPTED, Gap(AAPL, 1, 6, 9, GapReason.LOST)]

    assert look(opening(PLACES), entries) is Resumed.GAP


def test_a_gap_of_another_symbol() -> None:
    """A symbol without a position has no gap that would matter: it begins with a snapshot."""
    entries: list[bytes | Frame] = [ACCEPTED, Gap(AAPL, 1, 6, 9, GapReason.LOST)]

    assert look(opening({MSFT: PLACES[MSFT]}), entries, 0.0, MSFT) is Resumed.ALL


def test_a_rejected_position() -> None:
    """A position whose symbol is not followed any more is not resumed."""
    rejected = Subscribed(1, {AAPL: Accepted(PLACES[AAPL], None)}, {MSFT: Rejection.UNKNOWN_SYMBOL}, 0)

    assert look(opening(PLACES), [rejected], 0.0, AAPL) is Resumed.GAP


def test_late() -> None:
    """What is not known in time is no promise, and counted as late."""
    for positions, outcome in ((PLACES, Resumed.GAP), ({}, Resumed.NONE)):
        subject = opening(positions)
        assert look(subject, [], OPENING_S - 0.01) is None
        assert look(subject, [], OPENING_S) is outcome
        assert subject.late


def test_nothing_is_had() -> None:
    """Where every symbol is rejected there is no stream, and the worst reason that all can mend is the status."""
    reasons = ((Rejection.UNKNOWN_SYMBOL, 404), (Rejection.NOT_ENTITLED, 403), (Rejection.FEED_UNAVAILABLE, 503))
    for reason, status in reasons:
        subject = opening(PLACES)
        assert look(subject, [Subscribed(1, {}, {AAPL: reason}, 1)]) is None
        problem = look(subject, [Subscribed(1, {}, {AAPL: reason}, 1), Subscribed(1, {}, {MSFT: reason}, 0)])
        assert isinstance(problem, Problem)
        assert (problem.status, problem.symbols) == (status, [AAPL, MSFT])
