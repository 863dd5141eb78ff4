"""The directory: what is known of each symbol, sent in parts over the control exchange."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from services.market.symbol import Symbol

PART_SIZE: Final = 500
"""Most instruments in one part: about 100 KB of JSON, one broker message."""


class SessionState(StrEnum):
    """Where a symbol's trading day stands."""

    PRE = "pre"
    OPEN = "open"
    CLOSED = "closed"
    HALTED = "halted"


@dataclass(frozen=True, slots=True)
class Instrument:
    """What the directory says of one symbol.  *tick_size* and *previous_close* are in units of 10**-decimals."""

    symbol: Symbol
    name: str
    exchange: str
    currency: str
    decimals: int
    tick_size: int
    previous_close: int
    session: SessionState
    since: int
    """Microseconds since 1970 at which *session* began."""


@dataclass(frozen=True, slots=True)
class DirectoryPart:
    """One of *parts* messages that together are version *version* of a shard's directory; *part* counts from 0."""

    shard: str
    version: int
    part: int
    parts: int
    instruments: tuple[Instrument, ...]


def split(shard: str, version: int, instruments: Iterable[Instrument]) -> Iterator[DirectoryPart]:
    """Yield the parts of one version, at least one even for an empty directory."""
    everything = tuple(instruments)
    parts = max(1, -(-len(everything) // PART_SIZE))
    for part in range(parts):
        yield DirectoryPart(shard, version, part, parts, everything[part * PART_SIZE : (part + 1) * PART_SIZE])


@dataclass(slots=True)
class Directory:
    """The directories of all shards, as far as their parts have all arrived."""

    _whole: dict[str, tuple[int, dict[Symbol, Instrument]]] = field(default_factory=dict)
    _partial: dict[str, tuple[int, dict[int, DirectoryPart]]] = field(default_factory=dict)
    _instruments: dict[Symbol, Instrument] = field(default_factory=dict)
    _shards: dict[Symbol, str] = field(default_factory=dict)
    changes: int = 0
    """How often what it says has changed, for whoever keeps something made of it."""

    def add(self, part: DirectoryPart) -> Mapping[Symbol, Instrument] | None:
        """Take one part in; return what is new or changed once a version is whole, else None.

        A symbol that a shard no longer names leaves the directory.  A lower version than the newest whole one
        replaces it too: a producer that starts again counts from its clock.
        """
        version, parts = self._partial.get(part.shard, (part.version, {}))
        if version != part.version:
            parts = {}
        parts[part.part] = part
        self._partial[part.shard] = (part.version, parts)
        if len(parts) < part.parts:
            return None
        del self._partial[part.shard]
        new = {i.symbol: i for p in parts.values() for i in p.instruments}
        _, old = self._whole.get(part.shard, (0, {}))
        self._whole[part.shard] = (part.version, new)
        for gone in old.keys() - new.keys():
            self._instruments.pop(gone, None)
            self._shards.pop(gone, None)
        changed = {s: i for s, i in new.items() if old.get(s) != i}
        self.changes += bool(changed or old.keys() - new.keys())
        self._instruments.update(new)
        self._shards.update(dict.fromkeys(new, part.shard))
        return changed

    @property
    def known(self) -> bool:
        """Whether any shard's directory has arrived whole."""
        return bool(self._whole)

    def version(self, shard: str) -> int | None:
        """The version of *shard*'s directory that is in force."""
        whole = self._whole.get(shard)
        return whole[0] if whole else None

    def shard(self, symbol: Symbol) -> str | None:
        """The shard that *symbol* belongs to."""
        return self._shards.get(symbol)

    def get(self, symbol: Symbol) -> Instrument | None:
        """What is known of *symbol*."""
        return self._instruments.get(symbol)

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._instruments

    def __iter__(self) -> Iterator[Symbol]:
        return iter(self._instruments)

    def __len__(self) -> int:
        return len(self._instruments)
