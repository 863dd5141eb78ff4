"""Where a client comes from: its address, and whether by TLS, also through proxies that are trusted.  Pure.

Anybody can write `X-Forwarded-For`.  So it is read from the right, where the nearest proxy has written, and only
as far as each hop is a proxy of ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from services.errors import BadSettings

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MOST_HOPS: Final = 16
"""Most entries of `X-Forwarded-For` that are read, from the right: a request may carry 100,000 of them."""
SITE_BITS: Final = 64
"""Leading bits of an IPv6 address that count as one client: a subscriber gets at least a /64, and every address
of it (RFC 6177, RFC 7934)."""

_ENTRY: Final = re.compile(r"(?P<v4>[0-9.]+)(?::[0-9]{1,5})?|\[(?P<boxed>[0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?|.+")
_SECURE: Final = frozenset({"https", "wss"})


def parse_networks(entries: Iterable[str]) -> tuple[Network, ...]:
    """Return the networks that *entries* of `TICKWIRE_TRUSTED_PROXIES` name; an address alone is a network of one.

    Raises:
        BadSettings: an entry is no network, or has bits behind its prefix; one sentence for each.
    """
    networks: list[Network] = []
    faults: list[str] = []
    for entry in entries:
        try:
            network = ip_network(entry)
        except ValueError:
            faults.append(_fault(entry))
        else:
            if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped is not None:
                faults.append(_fault(entry))  # an address of it is compared as IPv4, so it would never match
            else:
                networks.append(network)
    if faults:
        raise BadSettings(faults)
    return tuple(networks)


def client_address(peer: str | None, forwarded: Iterable[str], trusted: Sequence[Network]) -> Address | None:
    """Return who is at the other end; None where the peer has no address (a Unix socket).

    *peer*: the socket's other end.  *forwarded*: the values of `X-Forwarded-For` in their order.  The client is
    the first hop from the right that is not in *trusted*.  Where an entry cannot be read it is the hop before:
    what stands left of it may be anybody's.
    """
    hop = _address(peer or "")
    entries = _from_the_right(forwarded)
    while hop is not None and _within(hop, trusted) and (entry := next(entries, None)) is not None:
        before = _entry(entry)
        if before is None:
            break
        hop = before
    return hop


def came_by_tls(peer: str | None, proto: Iterable[str], trusted: Sequence[Network], *, tls: bool) -> bool:
    """Whether the client's own connection is encrypted.

    *proto*: the values of `X-Forwarded-Proto`; the last one counts, and only if *peer* is in *trusted*.  *tls*:
    whether the socket that we have is.
    """
    hop = _address(peer or "")
    said = next(_from_the_right(proto), "")
    if not said or hop is None or not _within(hop, trusted):
        return tls
    return said.lower() in _SECURE


def key(address: Address | None) -> str:
    """Return what counts as one client: an IPv4 address, or the /64 of an IPv6 one."""
    if address is None:
        return "local"
    if isinstance(address, IPv4Address):
        return str(address)
    rest = _IPV6_BITS - SITE_BITS
    return f"{IPv6Address(int(address) >> rest << rest)}/{SITE_BITS}"


def _fault(entry: str) -> str:
    return (
        f"TICKWIRE_TRUSTED_PROXIES has {entry[:_QUOTED]!r}, but each entry must be an address or a network "
        "without bits behind its prefix, such as 10.0.0.0/8 or fd00::/8"
    )


def _from_the_right(values: Iterable[str]) -> Iterator[str]:
    left = MOST_HOPS
    for value in reversed(tuple(values)):
        rest: str | None = value
        while rest is not None and left:
            head, comma, entry = rest.rpartition(",")
            rest = head if comma else None
            left -= 1
            yield entry.strip()


def _entry(text: str) -> Address | None:
    found = _ENTRY.fullmatch(text)
    if found is None or "%" in text:
        return None
    return _address(found["v4"] or found["boxed"] or text)


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text.partition("%")[0])  # the zone of a link-local peer says nothing of who it is
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def _within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


_IPV6_BITS: Final = 128
_QUOTED: Final = 60
