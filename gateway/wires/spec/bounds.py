"""What one gateway allows, as far as its documents state it.  Pure."""

from __future__ import annotations

from typing import NamedTuple

from gateway.settings import GatewaySettings


class Bounds(NamedTuple):
    """Limits in force, and the version that has them."""

    version: str
    """Of the package."""
    max_symbols: int
    """Symbols that one client may follow at once."""
    tokens: bool
    """Whether a client must show a token."""
    tickets: bool
    """Whether there are tickets."""


def bounds(settings: GatewaySettings, version: str) -> Bounds:
    """Return the bounds of a gateway with these *settings*."""
    tokens = settings.auth != "none"
    return Bounds(version, settings.max_symbols, tokens, tickets=tokens and settings.ticket_secret is not None)
