"""What a canary may be pointed at."""

from __future__ import annotations

import pytest

from services.errors import BadInput, BadSymbol
from tickwire.canary.target import SYMBOLS, stream_address, symbols_named


@pytest.mark.parametrize("text", ["ws://localhost:8080/v1/stream", "wss://host/v1/stream", "wss://[::1]:1/x"])
def test_address(text: str) -> None:
    """An address with a scheme of WebSockets, a host and a path is taken as it is."""
    assert stream_address(text) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("http://host/v1/stream", "begins with http:"),
        ("host", "has no scheme"),
        ("localhost:8080/v1/stream", "begins with localhost:"),
        ("wss://host", "has no path"),
        ("wss://host/", "has no path"),
        ("wss:///v1/stream", "names no host"),
        ("wss://host:0/v1/stream", "names no host, or port 0"),
        ("wss://host:65536/v1/stream", "cannot be read"),
        ("wss://user:s3cr3t@host/v1/stream", "has a user"),
        ("wss://host/v1/stream?ticket=s3cr3t", "a query"),
        ("wss://host/v1/stream#s3cr3t", "a fragment"),
    ],
)
def test_bad_address(text: str, words: str) -> None:
    """Any other address is refused with what is wrong and what is allowed, and without what may be secret."""
    with pytest.raises(BadInput) as caught:
        stream_address(text)

    sentence = str(caught.value)
    assert words in sentence
    assert "must be ws://HOST:PORT/v1/stream" in sentence
    assert "s3cr3t" not in sentence


def test_symbols() -> None:
    """Symbols are written large, each counts once, and their order stays."""
    assert symbols_named(["msft", "AAPL", "MSFT"]) == ("MSFT", "AAPL")


def test_bad_symbols() -> None:
    """A name that no symbol has, and more than a canary follows, are refused."""
    with pytest.raises(BadSymbol, match="'B@D' does not match"):
        symbols_named(["AAPL", "b@d"])
    assert len(symbols_named([f"S{number}" for number in range(SYMBOLS)])) == SYMBOLS
    with pytest.raises(BadInput, match="101 symbols, but a canary follows at most 100"):
        symbols_named([f"S{number}" for number in range(SYMBOLS + 1)])
