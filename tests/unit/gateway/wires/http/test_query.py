"""The parameters of a request, checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wires.http.query import (
    CANDLES_PARAMETERS,
    MOST_QUOTED,
    MOST_TICKS,
    QUOTES_PARAMETERS,
    SYMBOLS_PARAMETERS,
    TICKS_PARAMETERS,
    CandlesQuery,
    Form,
    Pairs,
    Parameters,
    SymbolsQuery,
    TicksQuery,
    candles_query,
    quotes_query,
    symbols_query,
    ticks_query,
)
from gateway.wires.problem import BAD_PARAMETER, MISSING_PARAMETER, TOO_MANY_SYMBOLS, Kind, Problem
from services.errors import BadSymbol
from services.market.position import Position
from services.market.symbol import Symbol, parse_symbol

A: Final = Symbol("AAPL")
T = TypeVar("T")


def refusal(known: tuple[str, ...], *pairs: tuple[str, str], symbol: str = "AAPL") -> Problem:
    """The problem that a request for this has."""
    with pytest.raises(Problem) as found:
        read(known, pairs, symbol)
    return found.value


def read(known: tuple[str, ...], pairs: Pairs, symbol: str = "AAPL") -> object:
    """What a request asks, form included."""
    parameters = Parameters(pairs, known)
    if known == SYMBOLS_PARAMETERS:
        return symbols_query(parameters), parameters.form
    if known == QUOTES_PARAMETERS:
        return quotes_query(parameters), parameters.form
    if known == TICKS_PARAMETERS:
        return ticks_query(symbol, parameters), parameters.form
    return candles_query(symbol, parameters), parameters.form


def test_defaults() -> None:
    """What is not asked for is what a page of the documents says."""
    assert read(SYMBOLS_PARAMETERS, []) == (SymbolsQuery("", "", None, 100), None)
    assert read(TICKS_PARAMETERS, []) == (TicksQuery(A, None, 1_000), None)
    assert read(CANDLES_PARAMETERS, []) == (CandlesQuery(A, "1m", 300), None)


def test_everything() -> None:
    """Each parameter is read, and a prefix may be written small."""
    pairs = [("prefix", "aa"), ("q", "Apple"), ("after", "AAL"), ("limit", "7"), ("format", "csv"), ("_", "1")]
    assert read(SYMBOLS_PARAMETERS, pairs) == (SymbolsQuery("AA", "Apple", Symbol("AAL"), 7), Form.CSV)
    ticks = [("after", "17-1041"), ("limit", "10000"), ("ticket", "secret")]
    assert read(TICKS_PARAMETERS, ticks) == (TicksQuery(A, Position(17, 1041), 10_000), None)
    candles = Parameters([("interval", "1s"), ("limit", "500")], CANDLES_PARAMETERS)
    assert (found := candles_query("AAPL", candles)) == CandlesQuery(A, "1s", 500)
    assert found.step == 1


def test_quotes() -> None:
    """A symbol that stands twice counts once, and the order is that of the request."""
    assert quotes_query(Parameters([("symbols", "MSFT,AAPL,MSFT")], QUOTES_PARAMETERS)).symbols == ("MSFT", "AAPL")


def test_the_way_to_the_next_page() -> None:
    """A ticket holds once, so it does not stand in the way to the next page."""
    pairs = [("limit", "7"), ("ticket", "secret"), ("_", "1")]
    assert Parameters(pairs, SYMBOLS_PARAMETERS).asked == {"limit": "7"}


@pytest.mark.parametrize(
    ("known", "pair", "kind", "parameter"),
    [
        (TICKS_PARAMETERS, ("limit", "0"), BAD_PARAMETER, "limit"),
        (TICKS_PARAMETERS, ("limit", str(MOST_TICKS + 1)), BAD_PARAMETER, "limit"),
        (TICKS_PARAMETERS, ("limit", "1e3"), BAD_PARAMETER, "limit"),
        (TICKS_PARAMETERS, ("limit", "-1"), BAD_PARAMETER, "limit"),
        (TICKS_PARAMETERS, ("limit", "\u0663"), BAD_PARAMETER, "limit"),  # a digit, but not one of ours
        (TICKS_PARAMETERS, ("limit", ""), BAD_PARAMETER, "limit"),
        (TICKS_PARAMETERS, ("after", "17"), BAD_PARAMETER, "after"),
        (TICKS_PARAMETERS, ("after", "17-x"), BAD_PARAMETER, "after"),
        (TICKS_PARAMETERS, ("after", "17-1-1"), BAD_PARAMETER, "after"),
        (TICKS_PARAMETERS, ("after", "1" * 17 + "-1"), BAD_PARAMETER, "after"),
        (TICKS_PARAMETERS, ("format", "xml"), BAD_PARAMETER, "format"),
        (TICKS_PARAMETERS, ("Limit", "1"), BAD_PARAMETER, "Limit"),
        (CANDLES_PARAMETERS, ("interval", "5m"), BAD_PARAMETER, "interval"),
        (CANDLES_PARAMETERS, ("intervall", "1m"), BAD_PARAMETER, "intervall"),
        (CANDLES_PARAMETERS, ("limit", "501"), BAD_PARAMETER, "limit"),
        (SYMBOLS_PARAMETERS, ("after", "a b"), BAD_PARAMETER, "after"),
        (SYMBOLS_PARAMETERS, ("q", "x" * 65), BAD_PARAMETER, "q"),
        (QUOTES_PARAMETERS, ("symbols", ""), MISSING_PARAMETER, "symbols"),
        (QUOTES_PARAMETERS, ("symbols", "AAPL,"), BAD_PARAMETER, "symbols"),
        (QUOTES_PARAMETERS, ("symbols", "aapl"), BAD_PARAMETER, "symbols"),
    ],
)
def test_bad_values(known: tuple[str, ...], pair: tuple[str, str], kind: Kind, parameter: str) -> None:
    """A value that is not allowed is refused by a problem that names the parameter and what is allowed."""
    problem = refusal(known, pair)
    assert (problem.kind, problem.parameter) == (kind, parameter)
    assert problem.allowed
    assert parameter in problem.detail


def test_twice() -> None:
    """A parameter that stands twice is refused: nobody can tell which one counts."""
    assert refusal(TICKS_PARAMETERS, ("limit", "1"), ("limit", "1")).parameter == "limit"


def test_without_symbols() -> None:
    """Quotes of nothing are refused."""
    assert refusal(QUOTES_PARAMETERS).kind is MISSING_PARAMETER


def test_too_many_symbols() -> None:
    """One symbol more than allowed is refused, however often others stand twice."""
    names = [f"S{n}" for n in range(MOST_QUOTED)]
    assert len(quotes_query(Parameters([("symbols", ",".join(names))], QUOTES_PARAMETERS)).symbols) == MOST_QUOTED
    assert refusal(QUOTES_PARAMETERS, ("symbols", ",".join([*names, "MORE"]))).kind is TOO_MANY_SYMBOLS


def test_a_path_that_spells_no_symbol() -> None:
    """A symbol in a path is checked like any other."""
    assert refusal(TICKS_PARAMETERS, symbol="no symbol").parameter == "symbol"


@given(st.text(max_size=40), st.sampled_from([*TICKS_PARAMETERS, "format", "symbols", "x"]), st.text(max_size=20))
def test_whatever_comes(symbol: str, name: str, value: str) -> None:
    """Any text is read or refused by a problem; a symbol that is let through is one."""
    found = attempt(lambda: ticks_query(symbol, Parameters([(name, value)], TICKS_PARAMETERS)))
    if isinstance(found, Problem):
        assert found.status == 400
        assert found.body()
    else:
        assert parse_symbol(found.symbol) == symbol
        assert 1 <= found.limit <= MOST_TICKS


@given(st.text(max_size=40) | st.from_regex(r"[A-Z]{1,5}(,[A-Z]{1,5}){0,5}", fullmatch=True))
def test_whatever_symbols_come(value: str) -> None:
    """Any list of names is read or refused by a problem that names the parameter."""
    found = attempt(lambda: quotes_query(Parameters([("symbols", value)], QUOTES_PARAMETERS)))
    if isinstance(found, Problem):
        assert found.parameter == "symbols"
        assert not all(map(spelled, value.split(",")))
    else:
        assert ",".join(dict.fromkeys(value.split(","))) == ",".join(found.symbols)


def attempt(work: Callable[[], T]) -> T | Problem:
    """What *work* returns, or the problem that it raises."""
    try:
        return work()
    except Problem as problem:
        return problem


def spelled(name: str) -> bool:
    """Whether *name* is spelled like a symbol."""
    try:
        parse_symbol(name)
    except BadSymbol:
        return False
    return True
