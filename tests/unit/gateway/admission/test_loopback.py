"""Which addresses are this machine's alone."""

from __future__ import annotations

import pytest

from gateway.admission.loopback import is_loopback


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.8.9.1", "127.255.255.254", "::1", "[::1]", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1"],
)
def test_addresses(host: str) -> None:
    """All of 127.0.0.0/8, and ::1 in each spelling, are loopback."""
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost.", "app.localhost"])
def test_names(host: str) -> None:
    """The name localhost, and what is below it, is loopback."""
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        *("0.0.0.0", "::", "", "10.0.0.1", "128.0.0.1", "127.0.0.1.example.org", "localhost.example.org"),  # noqa: S104
        *("notlocalhost", "127.1", "2130706433", "::2", "fe80::1", "::ffff:10.0.0.1", "127.0.0.256", "0x7f.1"),
    ],
)
def test_others(host: str) -> None:
    """Any other address, wildcard or name is not, odd spellings of 127.0.0.1 among them."""
    assert not is_loopback(host)
