"""Addresses as people write them."""

from __future__ import annotations

import pytest

from tickwire_client import BadAddress, Refused
from tickwire_client.address import stream


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("wss://host/v1/stream", "wss://host/v1/stream"),
        ("ws://host:8080/elsewhere?a=b", "ws://host:8080/elsewhere?a=b"),
        ("https://host", "wss://host/v1/stream"),
        ("http://host:8080/", "ws://host:8080/v1/stream"),
        ("host", "wss://host/v1/stream"),
        ("host:8443", "wss://host:8443/v1/stream"),
        ("localhost:8080", "ws://localhost:8080/v1/stream"),
        ("127.0.0.1:8080", "ws://127.0.0.1:8080/v1/stream"),
        ("[::1]:8080", "ws://[::1]:8080/v1/stream"),
        (" WSS://Host/v1/stream ", "wss://Host/v1/stream"),
    ],
)
def test_meant(written: str, meant: str) -> None:
    """Scheme, path or both may be left out; TLS is left out on this machine only."""
    assert stream(written) == meant


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("", "names no host"),
        ("ftp://host", "ftp is none of ws, wss, http, https"),
        ("wss://", "names no host"),
        ("ws://two words/", "names no host"),
        ("ws://host:seven/", "Port could not be cast"),
        ("ws://host:99999/", "Port out of range"),
        ("ws://host/#top", "fragment"),
        ("ws://[::1/", "Invalid IPv6"),
    ],
)
def test_none(written: str, fault: str) -> None:
    """What is no address is refused with the reason and an example."""
    with pytest.raises(BadAddress, match=fault) as caught:
        stream(written)

    assert isinstance(caught.value, Refused)
    assert "wss://HOST/v1/stream" in str(caught.value)


def test_secrets_are_not_repeated() -> None:
    """A password or a query that stands in a bad address does not stand in the error."""
    with pytest.raises(BadAddress, match="use token=") as caught:
        stream("wss://me:s3cr3t@host/v1/stream?ticket=s3cr3t")

    assert "s3cr3t" not in str(caught.value)
