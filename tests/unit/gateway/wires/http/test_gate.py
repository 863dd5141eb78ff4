"""Whether a request is answered at all."""

from __future__ import annotations

from typing import Final

import pytest

from gateway.admission.entitlement import ANYBODY, Entitlement
from gateway.frames import NoSnapshot
from gateway.wires.http import gate
from gateway.wires.http.quotes import Quote
from gateway.wires.problem import (
    BUSY,
    DELAYED_UNAVAILABLE,
    FEED_UNAVAILABLE,
    HISTORY_UNAVAILABLE,
    METHOD,
    NOT_ENTITLED,
    TOKEN_IN_URL,
    TOO_FAST,
    TOO_MANY_SYMBOLS,
    UNKNOWN_SYMBOL,
    Problem,
)
from services.market.directory import Directory, DirectoryPart, Instrument, SessionState
from services.market.symbol import Symbol

A: Final = Symbol("AAPL")
Z: Final = Symbol("ZZZZ")
APPLE: Final = Instrument(A, "Apple Inc.", "SIM", "USD", 2, 1, 26_850, SessionState.OPEN, 5)


def directory() -> Directory:
    """A directory of one symbol."""
    found = Directory()
    found.add(DirectoryPart("main", 1, 0, 1, (APPLE,)))
    return found


def refusal(symbols: tuple[Symbol, ...], entitlement: Entitlement = ANYBODY, *, due: bool = False) -> Problem:
    """Why these are not told."""
    with pytest.raises(Problem) as found:
        gate.instruments(symbols, directory(), entitlement, due=due, parameter="symbols")
    return found.value


def test_before_anything() -> None:
    """Method, tokens in URLs, and how much is under way are looked at first."""
    gate.check("HEAD", None, gate.UNDER_WAY, gate.UNSENT_BYTES)
    for given, kind in (
        (("POST", None, 0, 0), METHOD),
        (("GET", "api_key", 0, 0), TOKEN_IN_URL),
        (("GET", None, gate.UNDER_WAY + 1, 0), BUSY),
        (("GET", None, 0, gate.UNSENT_BYTES + 1), BUSY),
    ):
        with pytest.raises(Problem) as found:
            gate.check(*given)
        assert found.value.kind is kind
    assert found.value.headers["Retry-After"] == "1"


def test_allow() -> None:
    """A method that is not known is told which ones are."""
    with pytest.raises(Problem) as found:
        gate.check("DELETE", None, 0, 0)
    assert found.value.headers["Allow"] == "GET, HEAD, OPTIONS"


def test_pace() -> None:
    """Who has to wait is told how many whole seconds."""
    gate.keep_pace(0)
    with pytest.raises(Problem) as found:
        gate.keep_pace(1.2)
    assert (found.value.kind, found.value.headers["Retry-After"]) == (TOO_FAST, "2")


def test_known() -> None:
    """What the directory names is found."""
    assert gate.instruments((A,), directory(), ANYBODY, due=False, parameter="symbols") == [APPLE]


def test_unknown() -> None:
    """A symbol that is not there is named, and is not called unknown while a directory is still to come."""
    problem = refusal((A, Z))
    assert (problem.kind, problem.symbols, problem.parameter) == (UNKNOWN_SYMBOL, [Z], "symbols")
    problem = refusal((A, Z), due=True)
    assert (problem.kind, problem.retry_after_s) == (FEED_UNAVAILABLE, 1)


def test_many_unknown() -> None:
    """A sentence names five symbols; the list has them all."""
    names = tuple(Symbol(f"Z{n}") for n in range(8))
    problem = refusal(names)
    assert "Z4 and 3 more" in problem.detail
    assert problem.symbols == list(names)


def test_entitlements() -> None:
    """What a token does not name is refused by name, whether it exists or not; so is all of a delayed one."""
    assert refusal((A, Z), Entitlement(names=frozenset({A}))).symbols == [Z]
    assert refusal((A,), Entitlement()).kind is NOT_ENTITLED
    assert refusal((A,), Entitlement(prefixes=("",), delayed=True)).kind is DELAYED_UNAVAILABLE
    assert refusal((A, Z), Entitlement(prefixes=("",), max_symbols=1)).kind is TOO_MANY_SYMBOLS


def test_every_tick() -> None:
    """A token with a rate is for conflated data, and gets no list of every tick."""
    gate.every_tick(ANYBODY)
    with pytest.raises(Problem) as found:
        gate.every_tick(Entitlement(max_rate=5))
    assert found.value.kind is NOT_ENTITLED


def test_no_directory() -> None:
    """Without a directory there is nothing to list yet."""
    gate.known(directory())
    with pytest.raises(Problem) as found:
        gate.known(Directory())
    assert found.value.kind is FEED_UNAVAILABLE


def test_some() -> None:
    """Quotes of which none is known are no answer; one that never traded is."""
    missing, never = (Quote(APPLE, None, None, why) for why in (NoSnapshot.UNAVAILABLE, NoSnapshot.NEVER_TRADED))
    gate.some([missing, never])
    with pytest.raises(Problem) as found:
        gate.some([missing, missing])
    assert found.value.kind is HISTORY_UNAVAILABLE


def test_whose() -> None:
    """Ticks of the past are counted for a subject, wherever it asks from, else for an address."""
    assert gate.client_of("10.0.0.1", ANYBODY) == "10.0.0.1"
    assert gate.client_of("10.0.0.1", Entitlement(subject="alice")) == "subject alice"
