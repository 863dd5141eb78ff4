"""The watcher's board: frames in, rows out."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from services.market.position import Position
from services.market.symbol import Symbol
from tickwire.board import RETRY_S, Board, Rate

A, B = Symbol("AAPL"), Symbol("MSFT")


def _tick(symbol: str, seq: int, price: str = "10.00", **more: object) -> str:
    extra = "".join(f',"{name}":{value}' for name, value in more.items())
    return (
        f'{{"seq":{seq},"ts":1,"symbol":"{symbol}","price":{price},"size":5,"bid":9.90,"ask":10.10,'
        f'"bid_size":1,"ask_size":2,"volume":1234{extra}}}'
    )


def _take(board: Board, op: str, now: float = 0.0, **fields: Any) -> None:
    board.take(json.dumps({"op": op, **fields}), now)


def _gap(board: Board, first: int, last: int | None, reason: str) -> None:
    fields = {"op": "gap", "symbol": "AAPL", "epoch": 7, "from": first, "to": last, "reason": reason}
    board.take(json.dumps(fields), 0)


def _ticks(board: Board, *ticks: str, now: float = 0.0) -> None:
    board.take(f'{{"op":"ticks","sent":2,"data":[{",".join(ticks)}]}}', now)


def _snapshot(board: Board, epoch: int, *ticks: str, now: float = 0.0) -> None:
    board.take(f'{{"op":"snapshot","epoch":{epoch},"data":[{",".join(ticks)}],"none":{{}}}}', now)


def _subscribed(board: Board, *, rejected: dict[str, str] | None = None, **positions: object) -> None:
    _take(board, "subscribed", id=1, symbols=positions, rejected=rejected or {}, pending=0)


def _command(board: Board, now: float = 0.0) -> dict[str, Any]:
    command = board.command(now)
    assert command is not None
    body: dict[str, Any] = json.loads(command)
    return body


def _live() -> Board:
    board = Board([A])
    board.connected()
    board.command(0)
    _subscribed(board, AAPL=None)
    _snapshot(board, 7, _tick(A, 3))
    return board


def test_first_command() -> None:
    """A new board asks for all its symbols once, without resume."""
    board = Board([A, B])

    assert _command(board) == {"op": "subscribe", "id": 1, "symbols": ["AAPL", "MSFT"]}
    assert board.command(1000) is None


def test_many_symbols_are_asked_for_in_parts() -> None:
    """No command names more than 200 symbols."""
    board = Board([Symbol(f"S{n}") for n in range(450)])

    assert [len(_command(board)["symbols"]) for _ in range(3)] == [200, 200, 50]


def test_prices() -> None:
    """A row shows the wire's spelling of prices and the exact change against the first one seen."""
    board = _live()
    _ticks(board, _tick(A, 4, "10.30"), _tick(A, 5, "10.10"), now=9.0)

    row = board.rows[A]
    assert (str(row.last), row.change, row.direction) == ("10.10", Decimal("0.10"), -1)
    assert (str(row.bid), str(row.ask), row.size, row.volume) == ("9.90", "10.10", 5, 1234)
    assert (row.state, row.received) == ("live", 9.0)
    assert board.violations == 0


def test_resume() -> None:
    """After a lost connection the board resumes from its cursors."""
    board = _live()
    _ticks(board, _tick(A, 4))
    board.disconnected("closed with 1012")
    board.connected()

    assert _command(board)["resume"] == {"AAPL": {"epoch": 7, "seq": 4}}
    _subscribed(board, AAPL={"epoch": 7, "seq": 4, "max_rate": None})
    _ticks(board, _tick(A, 5))
    assert board.violations == 0


def test_resume_across_epochs() -> None:
    """A gap and an epoch move the cursor, and the next tick is seq 1 of the new epoch."""
    board = _live()
    _gap(board, 4, 5, "lost")
    _take(board, "epoch", symbol="AAPL", epoch=8)
    _ticks(board, _tick(A, 1))

    assert board.rows[A].cursor.position == Position(8, 1)
    assert (board.rows[A].gaps, board.violations) == (1, 0)
    assert "AAPL: gap 4 to 5, lost" in board.notices


def test_gap_to_null() -> None:
    """After a gap to null the next tick comes as a snapshot, and no resume is possible meanwhile."""
    board = _live()
    _gap(board, 4, None, "unavailable")
    board.disconnected("x")

    assert "resume" not in _command(board)


def test_violations_are_counted() -> None:
    """A hole without explanation is counted and said."""
    board = _live()
    _ticks(board, _tick(A, 5))

    assert board.violations == 1
    assert board.notices == ["AAPL: a frame broke the protocol's cursor rules"]


def test_shown_ticks_do_not_change() -> None:
    """Each tick of a frame is shown with its own position and price."""
    board = _live()
    _ticks(board, _tick(A, 4, "10.30"), _tick(A, 5, "10.10"))

    assert [(s.position, str(s.price), str(s.change)) for s in board.shown] == [
        ((7, 3), "10.00", "0.00"),
        ((7, 4), "10.30", "0.30"),
        ((7, 5), "10.10", "0.10"),
    ]


def test_skipped() -> None:
    """A tick that conflation made stand for others shows so."""
    board = _live()
    _ticks(board, _tick(A, 8, skipped=4))

    row = board.rows[A]
    assert (row.state, row.skipped, board.violations) == ("conflating", 4, 0)


def test_unknown_symbol() -> None:
    """A symbol that the directory lacks ends the watch with a sentence."""
    board = Board([A, B])
    _subscribed(board, rejected={"MSFT": "unknown_symbol"}, AAPL=None)

    assert board.refused == "MSFT: unknown symbol"


def test_feed_unavailable_is_asked_again() -> None:
    """A symbol that cannot be served now is asked for again after a while."""
    board = Board([A])
    board.command(0)
    _take(board, "subscribed", 100.0, id=1, symbols={}, rejected={"AAPL": "feed_unavailable"}, pending=0)

    assert board.refused is None
    assert board.rows[A].state == "feed unavailable"
    assert board.command(100 + RETRY_S / 2) is None
    assert _command(board, 100 + RETRY_S)["symbols"] == ["AAPL"]


def test_unsubscribed_by_the_gateway() -> None:
    """A subscription that the gateway ended is asked for again, without a position."""
    board = _live()
    _take(board, "unsubscribed", 50.0, id=None, symbols=["AAPL"], reason="overloaded")

    assert board.rows[A].state == "overloaded"
    assert "resume" not in _command(board, 50 + RETRY_S)


@pytest.mark.parametrize(("code", "refused"), [("bad_request", True), ("bad_resume", False)])
def test_errors(code: str, refused: bool) -> None:  # noqa: FBT001 - a table
    """An error before anything was served ends the watch; a bad resume never does."""
    board = Board([A])
    _take(board, "error", id=1, code=code, message="why")

    assert (board.refused is not None) is refused
    assert board.notices == [f"{code}: why"]


def test_never_traded() -> None:
    """A symbol without a snapshot says why."""
    board = Board([A])
    _subscribed(board, AAPL=None)
    _take(board, "snapshot", epoch=None, data=[], none={"AAPL": "never_traded"})

    assert board.rows[A].state == "never traded"


def test_feed_state() -> None:
    """The feed is live unless a shard is stale; a new connection starts over."""
    board = Board([A])
    _take(board, "status", feed="stale", since=1, shard="main")
    assert board.feed == "stale (main)"

    _take(board, "status", feed="live", since=1, shard="main")
    assert board.feed == "live"

    _take(board, "status", feed="stale", since=1, shard="main")
    board.connected()
    assert board.feed == "live"


def test_session_and_reconnect() -> None:
    """A halt shows in the row, and the gateway's wish to spread reconnects is kept."""
    board = _live()
    _take(board, "session", symbol="AAPL", state="halted", reason="news", since=1)
    _take(board, "reconnect", in_ms=300, reason="restart")

    assert board.rows[A].state == "halted"
    assert board.reconnect_ms == 300


def test_unknown_frames_and_symbols_are_ignored() -> None:
    """A later server's frames and symbols of nobody change nothing."""
    board = _live()
    _take(board, "fireworks", colour="red")
    _ticks(board, _tick("IBM", 1))
    _snapshot(board, 7, _tick("IBM", 1))
    board.take('{"op":"gap","symbol":"IBM","epoch":1,"from":1,"to":2,"reason":"lost"}', 0)
    for op in ("epoch", "session"):
        _take(board, op, symbol="IBM", epoch=1, to=2, reason="lost", state="open")

    assert board.violations == 0
    assert board.notices == []


@pytest.mark.parametrize("text", ["", "[", "{}", '{"op":"ticks"}', "7", '{"op":"gap","symbol":"AAPL"}'])
def test_malformed_frames(text: str) -> None:
    """A frame that breaks the protocol raises one of the documented errors."""
    with pytest.raises((ValueError, KeyError, TypeError)):
        _live().take(text, 0)


def test_disconnect_is_said_once() -> None:
    """A lost connection is one notice, however many attempts fail after it."""
    board = _live()
    board.disconnected("closed")
    board.disconnected("refused")

    assert board.notices == ["disconnected: closed"]
    assert (board.connection, board.rows[A].state) == ("refused", "waiting")


def test_rate() -> None:
    """The rate is the mean of the last five whole seconds and falls to zero after them."""
    rate = Rate()
    for n in range(100):
        rate.add(1000 + n / 10)

    assert rate.per_second(1010.0) == 10
    assert rate.per_second(1012.5) == pytest.approx(6)
    assert rate.per_second(1100.0) == 0
