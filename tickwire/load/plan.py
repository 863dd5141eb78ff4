"""Who the simulated clients are and what each does (PURE).

The same numbers and the same seed make the same clients, each with the same symbols, rates and visits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import count
from random import Random
from typing import Final, NamedTuple


class Kind(Enum):
    """How a client behaves."""

    STEADY = "steady"
    """Stays, and takes every tick."""
    PACED = "paced"
    """Stays, and asks to be sent less: `max_rate`."""
    VISITING = "visiting"
    """Comes, stays a while, goes, and comes back as somebody new with other symbols."""
    RETURNING = "returning"
    """Goes away for seconds, comes back and resumes where it was."""
    SLOW = "slow"
    """Follows everything and reads less than comes, so that the gateway conflates for it."""


MIX: Final[Mapping[Kind, int]] = {
    Kind.STEADY: 40,
    Kind.PACED: 30,
    Kind.VISITING: 15,
    Kind.RETURNING: 10,
    Kind.SLOW: 5,
}
"""Percent of the clients."""
RATES: Final = (0.5, 1.0, 2.0, 5.0)
"""Ticks per second and symbol that those who ask for less ask for."""
STAY_S: Final[Mapping[Kind, tuple[float, float]]] = {Kind.VISITING: (5.0, 30.0), Kind.RETURNING: (10.0, 40.0)}
"""Seconds of one visit, from and to; the others stay."""
AWAY_S: Final = (0.5, 5.0)
"""Seconds until the next visit, from and to."""
BEGIN_PER_S: Final = 10
"""Clients that begin in a second: half of the handshakes that a gateway allows one address in the long run."""
MOST_CLIENTS: Final = 1_000
"""Of one process, which shares one address and one event loop: then 11 of them come back in a second."""
MOST_SYMBOLS: Final = 1_000
"""That one client follows: a gateway's own limit (TICKWIRE_MAX_SYMBOLS)."""


class Visit(NamedTuple):
    """One stay of a client, with what it follows; *stay_s* None: until the end."""

    symbols: tuple[str, ...]
    stay_s: float | None
    away_s: float


@dataclass(frozen=True)
class Member:
    """One client.  It begins *begin_s* seconds after the start; *max_rate*: None: every tick."""

    number: int
    kind: Kind
    begin_s: float
    max_rate: float | None
    names: tuple[str, ...]
    each: int
    seed: int

    def visits(self) -> Iterator[Visit]:
        """Yield what it does, one visit after another, without an end."""
        chance = _chance(self.seed, self.number)
        symbols = self._symbols(chance)
        for visit in count():
            if visit and self.kind is Kind.VISITING:
                symbols = self._symbols(chance)
            span = STAY_S.get(self.kind)
            yield Visit(symbols, chance.uniform(*span) if span else None, chance.uniform(*AWAY_S))

    def _symbols(self, chance: Random) -> tuple[str, ...]:
        """Return what one visit follows: the first of the names are the most popular, as in every market."""
        if self.kind is Kind.SLOW:
            return self.names[:MOST_SYMBOLS]
        # Efraimidis and Spirakis: the largest of u^(1/weight) are a weighted sample without repeats.
        keys = {name: chance.random() ** rank for rank, name in enumerate(self.names, 1)}
        return tuple(sorted(keys, key=keys.__getitem__, reverse=True)[: self.each])


def members(clients: int, *, names: Sequence[str], each: int, seed: int) -> list[Member]:
    """Return *clients* members in the proportions of `MIX`, each of which follows *each* of *names*."""
    return [
        Member(
            number,
            kind,
            number / BEGIN_PER_S,
            RATES[number % len(RATES)] if kind is Kind.PACED else None,
            tuple(names),
            min(each, len(names)),
            seed,
        )
        for number, kind in zip(range(clients), _kinds(), strict=False)
    ]


def _kinds() -> Iterator[Kind]:
    """Yield kinds so that after any number of them each has its share, one more or less."""
    given = dict.fromkeys(MIX, 0)
    for so_far in count(1):
        kind = max(MIX, key=lambda kind: MIX[kind] * so_far / 100 - given[kind])
        given[kind] += 1
        yield kind


def _chance(seed: int, number: int) -> Random:
    return Random(f"{seed}:{number}")  # noqa: S311 - repeatable, and no secret
