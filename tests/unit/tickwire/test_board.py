"""The watcher's board: ticks and events in, rows and lines out."""

from __future__ import annotations

from decimal import Decimal

import pytest

from services.market.symbol import Symbol
from tickwire.board import Board, Happening, Rate, Seen
from tickwire_client import Complaint, Day, Gap, SessionChange, Status, Tick, Violation
from tickwire_client.tick import Arrival

A, B = Symbol("AAPL"), Symbol("MSFT")


def _tick(symbol: str, seq: int, price: str = "10.00") -> Tick:
    fields = {"seq": seq, "ts": 1, "symbol": symbol, "price": price, "size": 5, "bid": "9.90", "ask": "10.10"}
    return Tick({**fields, "bid_size": 1, "ask_size": 2, "volume": 1234}, Arrival(1, 1, 0), 7)


def _shown(board: Board) -> list[object]:
    return [seen.tick.seq if isinstance(seen, Seen) else seen for seen in board.shown]


def test_prices() -> None:
    """A row shows the wire's spelling of prices and the exact change against the first one seen."""
    board = Board([A])
    for seq, price in enumerate(("10.00", "10.30", "10.10")):
        board.take(_tick(A, seq, price), 9.0)

    row = board.rows[A]
    assert (str(row.last), row.change, row.direction) == ("10.10", Decimal("0.10"), -1)
    assert (row.change_percent, row.received) == (None, 9.0)
    assert [str(seen.change) for seen in board.shown if isinstance(seen, Seen)] == ["0.00", "0.30", "0.10"]


def test_day() -> None:
    """Once the day is known, the change is against the previous close."""
    board = Board([A])
    board.take(_tick(A, 1, "10.50"), 9.0)
    board.days = lambda _: Day(Decimal("10.00"), None, None, None, Decimal("10.50"), 7)
    board.look()

    assert (board.rows[A].change, str(board.rows[A].change_percent)) == (Decimal("0.50"), "5.00")


def test_notices_keep_their_place() -> None:
    """What happened is shown after the ticks that came before it, though those are taken later."""
    board = Board([A])
    board.take(_tick(A, 1), 0)
    board.tell(Gap("AAPL", 7, 4, 5, "lost"), 2)
    for seq in (2, 3, 6):
        board.take(_tick(A, seq), 0)

    assert _shown(board) == [1, 2, 3, "AAPL: gap 4 to 5, lost", 6]
    assert board.rows[A].gaps == 1


def test_notice_behind_ticks_that_were_conflated() -> None:
    """A notice does not wait for ticks that never come: once nothing waits, it is shown."""
    board = Board([A])
    board.tell(Gap("AAPL", 7, 4, None, "lost"), 5)
    board.take(_tick(A, 9), 0)
    assert _shown(board) == [9]
    board.settle()

    assert _shown(board) == [9, "AAPL: gap 4 to ?, lost"]


@pytest.mark.parametrize(
    ("happening", "notice"),
    [
        (SessionChange("AAPL", "halted", None, 1), "AAPL: halted"),
        (Complaint("bad_resume", "why"), "bad_resume: why"),
        (Violation("AAPL", "ticks", "seq 9"), "AAPL: a frame broke the protocol's cursor rules"),
        (Status("stale", "main", 1), "feed stale, shard main"),
    ],
)
def test_notices(happening: Happening, notice: str) -> None:
    """Whatever happens besides ticks is a line of text."""
    board = Board([A])
    board.tell(happening, 0)

    assert board.shown == [notice]
    assert board.violations == isinstance(happening, Violation)


def test_feed_state() -> None:
    """The feed is live unless a shard is stale; a new connection starts over."""
    board = Board([A])
    board.tell(Status("stale", "main", 1), 0)
    assert board.feed == "stale (main)"

    board.tell(Status("live", "main", 1), 0)
    assert board.feed == "live"

    board.tell(Status("stale", "main", 1), 0)
    board.tell(Status("connected"), 0)
    assert (board.feed, board.connection) == ("live", "connected")


def test_disconnect_is_said_once() -> None:
    """A lost connection is one notice, however many attempts fail after it."""
    board = Board([A])
    board.tell(Status("connected"), 0)
    board.tell(Status("disconnected", reason="closed"), 0)
    board.tell(Status("disconnected", reason="nobody there"), 0)

    assert board.shown == ["disconnected: closed; reconnecting"]
    assert board.connection == "nobody there; reconnecting"


def test_states() -> None:
    """A row's state is what the client says of its symbol."""
    board = Board([A, B])
    board.states = {"AAPL": "live", "MSFT": "feed unavailable"}.__getitem__
    board.look()

    assert [row.state for row in board.rows.values()] == ["live", "feed unavailable"]


def test_rate() -> None:
    """The rate is the mean of the last five whole seconds and falls to zero after them."""
    rate = Rate()
    for n in range(100):
        rate.add(1000 + n / 10)

    assert rate.per_second(1010.0) == 10
    assert rate.per_second(1012.5) == pytest.approx(6)
    assert rate.per_second(1100.0) == 0
