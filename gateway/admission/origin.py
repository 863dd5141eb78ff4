"""Which pages may connect: the `Origin` that a browser states, against a list or the host asked for.  Pure.

A browser sends cookies and knows addresses that its user's network alone can reach, so a page of anybody's may
try; it cannot lie about its origin, though.  What is no browser states none, or any.

Without a list the page must be of the host that it connects to.  Somebody whose name resolves to a gateway can
have such a page (DNS rebinding): where that matters, list the origins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from services.errors import BadSettings

_ORIGIN: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.\-]{0,30})://"
    r"(?P<host>[a-z0-9_](?:[a-z0-9_.\-]{0,252}[a-z0-9_])?|\[[0-9a-f:.]{2,45}\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
)
"""As browsers write it: no path, no user, no dot at the end, IDN as `xn--`."""
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_QUOTED: Final = 80


def parse_origins(entries: Iterable[str]) -> frozenset[str]:
    """Return the origins that *entries* of `TICKWIRE_ORIGINS` name, for `allowed`.

    Raises:
        BadSettings: an entry is no origin; one sentence for each.
    """
    origins: set[str] = set()
    faults: list[str] = []
    for entry in entries:
        if (origin := _canonical(entry)) is None:
            faults.append(
                f"TICKWIRE_ORIGINS has {entry[:_QUOTED]!r}, but each entry must be scheme://host or "
                "scheme://host:port of one host, without a path or a wildcard, such as https://ticker.example"
            )
        else:
            origins.add(origin)
    if faults:
        raise BadSettings(faults)
    return frozenset(origins)


def allowed(origin: str | None, host: str, secure: bool, origins: frozenset[str]) -> bool:  # noqa: FBT001 - whose
    """Whether a client with this `Origin` header may come in; None: it has none, so it is no browser.

    *host*: the `Host` header.  *secure*: whether the client came by TLS.  *origins*: from `parse_origins`; empty:
    only the origin that *host* and *secure* make.  Several headers, joined by a comma, are no origin.
    """
    if origin is None:
        return True
    stated = _canonical(origin)
    if stated is None:
        return False
    if origins:
        return stated in origins
    return stated == _canonical(f"{'https' if secure else 'http'}://{host}")


def _canonical(text: str) -> str | None:
    # isascii: lower() makes a k of the Kelvin sign
    found = _ORIGIN.fullmatch(text.lower()) if text.isascii() else None
    if found is None:
        return None
    scheme, host, port = found["scheme"], found["host"], found["port"]
    bare = port is None or port == _DEFAULT_PORTS.get(scheme)
    return f"{scheme}://{host}" if bare else f"{scheme}://{host}:{port}"
