"""What a client may ask: the commands, after their wire has parsed them.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from services.market.position import Position
from services.market.symbol import Symbol

EVERYTHING: Final = Symbol("*")
"""Stands alone in `Subscribe.symbols` or `Unsubscribe.symbols`: the whole directory and what joins it."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Follow *symbols* (distinct, checked).  *resume* names only symbols among them."""

    id: int
    symbols: tuple[Symbol, ...]
    max_rate: float | None = None
    """Ticks per second and symbol, 0.1 to 100; None: every tick."""
    snapshot: bool = True
    resume: Mapping[Symbol, Position] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Follow *symbols* no longer."""

    id: int
    symbols: tuple[Symbol, ...]


@dataclass(frozen=True, slots=True)
class List:
    """Name my subscriptions."""

    id: int


@dataclass(frozen=True, slots=True)
class Ping:
    """Answer at once."""

    id: int


@dataclass(frozen=True, slots=True)
class Auth:
    """Use this token from now on."""

    id: int
    token: str


Command = Subscribe | Unsubscribe | List | Ping | Auth
