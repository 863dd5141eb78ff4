"""What a client takes: the headers `Accept` and `Accept-Encoding` (RFC 9110 section 12.5).  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.wires.http.query import Form

_READ: Final = 1_000
"""Characters of such a header that are looked at; browsers send 150."""


def accepted_form(accept: str) -> Form:
    """Return the form that *accept* prefers: CSV only where it is wanted more than JSON, which anybody gets."""
    csv, json = _quality(accept, "text", "csv"), _quality(accept, "application", "json")
    return Form.CSV if csv > json else Form.JSON


def takes_gzip(accept_encoding: str) -> bool:
    """Whether the client takes gzip, named or by `*`."""
    found = dict(_entries(accept_encoding))
    return found.get("gzip", found.get("*", 0.0)) > 0


def _quality(accept: str, kind: str, subtype: str) -> float:
    """Return how much a type is wanted, 0 to 1, by the entry that names it most exactly."""
    found = dict(_entries(accept))
    for name in (f"{kind}/{subtype}", f"{kind}/*", "*/*"):
        if name in found:
            return found[name]
    return 0.0


def _entries(header: str) -> Iterator[tuple[str, float]]:
    for entry in header[:_READ].split(","):
        name, *parameters = (part.strip().lower() for part in entry.split(";"))
        if name:
            yield name, _weight(parameters)


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 0.0
    return 1.0
