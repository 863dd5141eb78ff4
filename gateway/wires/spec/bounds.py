"""What one gateway allows, as far as its documents state it.  Pure."""

from __future__ import annotations

from typing import NamedTuple


class Bounds(NamedTuple):
    """Limits in force, and the version that has them."""

    version: str
    """Of the package."""
    max_symbols: int
    """Symbols that one client may follow at once."""
    message_bytes: int
    """Most bytes of one message from a client."""
    tokens: bool
    """Whether a client must show a token."""
    tickets: bool
    """Whether there are tickets."""
