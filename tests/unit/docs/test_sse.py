"""docs/sse.md against the code."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.wires.sse import eventid
from gateway.wires.sse.listener import RETRIES, RETRY_MS
from gateway.wires.sse.opening import OPENING_S, Resumed
from gateway.wires.sse.pace import PACE_S
from gateway.wires.sse.speech import _NOTES, LEAST_RETRY_MS
from gateway.wires.sse.wish import STREAM_SYMBOLS
from services.market.position import Position
from services.market.symbol import Symbol

PAGE = (Path(__file__).parents[3] / "docs" / "sse.md").read_text(encoding="utf-8")


def test_example() -> None:
    """The id of the example is that of its positions."""
    positions = {Symbol("AAPL"): Position(1795000000000, 1041), Symbol("MSFT"): Position(1795000000000, 220)}

    assert f"`{eventid.encode(tuple(positions), positions).decode()}`" in PAGE


def test_ids_of_the_run() -> None:
    """Each id of the examples is one, and says what the event behind it says."""
    symbols = (Symbol("AAPL"), Symbol("MSFT"))
    for word, data in re.findall(r"^id: (\S+)\ndata: (.*)$", PAGE, re.MULTILINE):
        positions = eventid.decode(word, symbols)
        assert positions is not None
        for seq, symbol in re.findall(r'"seq":(\d+),"ts":\d+,"symbol":"(\w+)"', data):
            assert positions[Symbol(symbol)].seq == int(seq)


def test_words() -> None:
    """Every outcome, and every event that moves a cursor or ends a stream, is explained."""
    assert {f"| `{outcome}` |" for outcome in Resumed} <= set(re.findall(r"^\| `\w+` \|", PAGE, re.MULTILINE))
    assert all(f"`{name.decode()}`" in PAGE for name in _NOTES)


def test_numbers() -> None:
    """The bounds that the page states are those of the code."""
    assert (STREAM_SYMBOLS, OPENING_S, PACE_S, LEAST_RETRY_MS, RETRY_MS, RETRIES) == (500, 2, 0.1, 250, 1000, 3)
    for text in ("1 to 500 names", "within 2 s", "at least 250 ms", "1 to 3 s", "at most ten times a second"):
        assert text in PAGE
