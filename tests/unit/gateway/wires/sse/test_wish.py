"""What a request for a stream asks for."""

from __future__ import annotations

import pytest

from gateway.wires.problem import Problem
from gateway.wires.sse import eventid
from gateway.wires.sse.wish import read
from services.market.position import Position
from services.market.symbol import Symbol

AAPL, MSFT = Symbol("AAPL"), Symbol("MSFT")
HERE, THERE = ({MSFT: Position(1, seq)} for seq in (5, 6))


def word(positions: dict[Symbol, Position]) -> str:
    """Return an id."""
    return eventid.encode((AAPL, MSFT), positions).decode()


def test_all() -> None:
    """Symbols are distinct and sorted, however they are written; the rest has its defaults."""
    wish = read([("symbols", "MSFT, AAPL,"), ("symbols", "MSFT"), ("_", "17")], None, most=2)

    assert (wish.symbols, wish.max_rate, wish.snapshot, wish.positions) == ((AAPL, MSFT), None, True, {})


def test_options() -> None:
    """A rate and the wish for no snapshot are passed on."""
    wish = read([("symbols", "AAPL"), ("max_rate", "2.5"), ("snapshot", "False")], None, most=2)

    command = wish.command(3)
    assert (command.id, command.symbols, command.max_rate, command.snapshot) == (3, (AAPL,), 2.5, False)


@pytest.mark.parametrize(
    ("header", "parameter", "expected"),
    [
        (None, None, {}),
        (None, word(HERE), HERE),
        (word(THERE), word(HERE), THERE),
        ("", word(HERE), HERE),
        ("rubbish", word(HERE), {}),
        (word(THERE), "", THERE),
    ],
)
def test_last_event_id(header: str | None, parameter: str | None, expected: dict[Symbol, Position]) -> None:
    """The header is stronger than the parameter, which a browser repeats each time it comes back."""
    query = [("symbols", "AAPL,MSFT"), *([] if parameter is None else [("last_event_id", parameter)])]

    assert read(query, header, most=9).positions == expected


@pytest.mark.parametrize(
    ("query", "code", "parameter"),
    [
        ([], "missing_parameter", "symbols"),
        ([("symbols", " ,")], "missing_parameter", "symbols"),
        ([("symbols", "AAPL,*")], "bad_parameter", "symbols"),
        ([("symbols", "A,B,C")], "too_many_symbols", "symbols"),
        ([("symbols", "A"), ("max_rate", "fast")], "bad_parameter", "max_rate"),
        ([("symbols", "A"), ("max_rate", "100.1")], "bad_parameter", "max_rate"),
        ([("symbols", "A"), ("max_rate", "inf")], "bad_parameter", "max_rate"),
        ([("symbols", "A"), ("snapshot", "x" * 1_000)], "bad_parameter", "snapshot"),
    ],
)
def test_bad(query: list[tuple[str, str]], code: str, parameter: str) -> None:
    """What is not allowed is named, with what is; little of it is repeated."""
    with pytest.raises(Problem) as problem:
        read(query, None, most=2)

    assert (problem.value.kind.code, problem.value.parameter) == (code, parameter)
    assert problem.value.allowed
    assert len(problem.value.detail) < 200
