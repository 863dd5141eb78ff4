"""Where a client comes from, whatever it says."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.address import MOST_HOPS, came_by_tls, client_address, key, parse_networks
from services.errors import BadSettings

TRUSTED = parse_networks(["10.0.0.0/8", "fd00::/8", "192.0.2.7"])
V4 = st.integers(0, 2**32 - 1).map(IPv4Address)
V6 = st.integers(0, 2**128 - 1).map(IPv6Address)


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.5", [], "203.0.113.5"),
        ("203.0.113.5", ["198.51.100.1"], "203.0.113.5"),  # who is no proxy of ours is not believed
        ("10.1.2.3", [], "10.1.2.3"),
        ("10.1.2.3", ["198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),  # the left one is the client's own word
        ("10.1.2.3", ["1.1.1.1", "198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", ["1.1.1.1, 198.51.100.1, 10.9.9.9"], "198.51.100.1"),
        ("10.1.2.3", ["10.0.0.4, 10.0.0.5"], "10.0.0.4"),
        ("10.1.2.3", ["198.51.100.1,10.0.0.5", "192.0.2.7"], "198.51.100.1"),
        ("10.1.2.3", ["198.51.100.1:5678"], "198.51.100.1"),
        ("10.1.2.3", ["[2001:db8::1]:443"], "2001:db8::1"),
        ("10.1.2.3", ["[2001:db8::1]"], "2001:db8::1"),
        ("10.1.2.3", ["2001:db8::1"], "2001:db8::1"),
        ("10.1.2.3", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", ["[::ffff:198.51.100.1]:1"], "198.51.100.1"),
        ("::ffff:10.1.2.3", ["198.51.100.1"], "198.51.100.1"),  # how a dual-stack socket names it
        ("fd00::1", ["198.51.100.1"], "198.51.100.1"),
        ("fe80::1%eth0", [], "fe80::1"),
        ("10.1.2.3", ["unknown"], "10.1.2.3"),
        ("10.1.2.3", ["198.51.100.1, garbage, 10.0.0.5"], "10.0.0.5"),
        ("10.1.2.3", ["198.51.100.1,"], "10.1.2.3"),
        ("10.1.2.3", [""], "10.1.2.3"),
        ("10.1.2.3", ["198.51.100.300"], "10.1.2.3"),
        ("10.1.2.3", ["0x7f.1"], "10.1.2.3"),
        ("10.1.2.3", ["010.1.1.1"], "10.1.2.3"),
        ("10.1.2.3", ["fe80::1%evil"], "10.1.2.3"),
        ("10.1.2.3", ["\u0661.\u0661.\u0661.\u0661"], "10.1.2.3"),
        ("10.1.2.3", ["198.51.100.1:99999999"], "10.1.2.3"),
        ("", ["198.51.100.1"], None),
        (None, ["198.51.100.1"], None),
        ("/run/socket", [], None),
    ],
)
def test_who_it_is(peer: str | None, forwarded: list[str], client: str | None) -> None:
    """The client is the first hop from the right that is no trusted proxy, as far as the entries can be read."""
    expected = None if client is None else ip_address(client)
    assert client_address(peer, forwarded, TRUSTED) == expected


def test_a_header_without_end_is_not_read_to_its_end() -> None:
    """Of 100,000 entries the last 16 are looked at."""
    header = ",".join(["198.51.100.1", *["10.0.0.1"] * 100_000])
    assert client_address("10.1.2.3", [header], TRUSTED) == IPv4Address("10.0.0.1")
    near = ",".join(["198.51.100.1", *["10.0.0.1"] * (MOST_HOPS - 1)])
    assert client_address("10.1.2.3", [near], TRUSTED) == IPv4Address("198.51.100.1")


@given(V4 | V6, st.lists(st.text(max_size=40), max_size=4))
def test_nobody_chooses_his_address(peer: IPv4Address | IPv6Address, forwarded: list[str]) -> None:
    """What a peer writes that is not trusted, and what stands left of what a trusted one wrote, is void."""
    plain = client_address(str(peer), [], ())
    assert client_address(str(peer), forwarded, ()) == plain
    seen = client_address("10.0.0.1", [*forwarded, "203.0.113.9"], TRUSTED)
    assert seen == IPv4Address("203.0.113.9")


@pytest.mark.parametrize(
    ("peer", "proto", "tls", "secure"),
    [
        ("203.0.113.5", ["https"], False, False),
        ("203.0.113.5", ["http"], True, True),
        ("10.1.2.3", ["https"], False, True),
        ("10.1.2.3", ["HTTPS"], False, True),
        ("10.1.2.3", ["wss"], False, True),
        ("10.1.2.3", ["http"], True, False),
        ("10.1.2.3", ["https, http"], False, False),
        ("10.1.2.3", ["http", "https"], False, True),
        ("10.1.2.3", ["httpsx"], False, False),
        ("10.1.2.3", [], True, True),
        ("10.1.2.3", [""], False, False),
        (None, ["https"], False, False),
    ],
)
def test_whether_by_tls(peer: str | None, proto: list[str], tls: bool, secure: bool) -> None:  # noqa: FBT001
    """A trusted proxy says whether the client came by TLS; of anybody else the socket says it."""
    assert came_by_tls(peer, proto, TRUSTED, tls=tls) is secure


def test_what_counts_as_one_client() -> None:
    """An IPv4 address counts as itself, an IPv6 one as its /64."""
    assert key(IPv4Address("198.51.100.1")) == "198.51.100.1"
    assert key(IPv6Address("2001:db8:1:2:3:4:5:6")) == "2001:db8:1:2::/64"
    assert key(None) == "local"


@given(V6, st.integers(0, 2**64 - 1))
def test_one_site_is_one_client(address: IPv6Address, host: int) -> None:
    """Two addresses have one key if their first 64 bits agree, and only then."""
    beside = IPv6Address(int(address) >> 64 << 64 | host)
    assert key(beside) == key(address)
    assert key(IPv6Address(int(address) ^ 1 << 64)) != key(address)


@pytest.mark.parametrize(
    "entry", ["", "*", "10.0.0.1/8", "10.0.0.0/33", "proxy", "::ffff:10.0.0.0/104", "x" * 999]
)
def test_a_network_that_is_none(entry: str) -> None:
    """What is no network is named, with what it may be, and not at any length."""
    with pytest.raises(BadSettings, match=r"TICKWIRE_TRUSTED_PROXIES has .*such as 10\.0\.0\.0/8") as caught:
        parse_networks(["10.0.0.0/8", entry])
    assert len(caught.value.faults) == 1
    assert len(str(caught.value)) < 300
