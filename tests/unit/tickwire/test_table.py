"""The watcher's table and lines."""

from __future__ import annotations

import io
from decimal import Decimal

from rich.console import Console

from services.market.symbol import Symbol
from tickwire import table
from tickwire.board import Board, Seen
from tickwire_client import Day, Status, Tick, Violation
from tickwire_client.tick import Arrival

_TICK = Tick(
    {
        "seq": 4,
        "ts": 1,
        "symbol": "AAPL",
        "price": "230.10",
        "size": 100,
        "bid": "230.05",
        "ask": "230.15",
        "bid_size": 1,
        "ask_size": 2,
        "volume": 1200345,
    },
    Arrival(1, 1, 0),
    7,
)


def _board() -> Board:
    board = Board([Symbol("AAPL"), Symbol("IBM")])
    board.tell(Status("connected"), 0)
    board.take(_TICK, 0)
    board.states = {"AAPL": "live", "IBM": "waiting"}.__getitem__
    board.look()
    return board


def _text(board: Board, now: float) -> str:
    console = Console(file=io.StringIO(), width=140, color_system=None)
    console.print(table.draw(board, "ws://x/v1/stream", now))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_table() -> None:
    """The table has a row per symbol, with the age of its last tick, and says how the connection stands."""
    text = _text(_board(), 2.5)  # age counts from 0, when the tick came

    rows = {line.split()[0]: line.split() for line in text.splitlines() if line.strip()}
    assert "ws://x/v1/stream  connected, feed live" in text
    assert " ".join(rows["AAPL"]) == "AAPL 230.10 +0.00 230.05 230.15 100 1,200,345 0.2 2.5 s live"
    assert rows["IBM"] == ["IBM", "waiting"]


def test_day() -> None:
    """Once the previous close is known, the change is against it, also in percent."""
    board = _board()
    day = Day(Decimal("225.00"), None, None, None, Decimal("230.10"), 1200345)
    board.days = {"AAPL": day, "IBM": None}.__getitem__
    board.look()

    (row,) = [line.split() for line in _text(board, 0).splitlines() if "AAPL" in line]
    assert row[:5] == ["AAPL", "230.10", "+5.10", "+2.27", "230.05"]


def test_violations_show() -> None:
    """The table says when the gateway broke its promise."""
    board = _board()
    board.tell(Violation("AAPL", "ticks", "seq 4"), 0)

    assert "1 frames broke" in _text(board, 0)


def test_line() -> None:
    """A line names the position and the prices as the wire spelled them."""
    seen, notice = *_board().shown, "feed stale, shard main"

    assert isinstance(seen, Seen)
    assert table.line(seen) == "AAPL 7:4 230.10 +0.00 bid 230.05 ask 230.15 size 100 volume 1200345"
    assert table.line(notice) == "- feed stale, shard main"
