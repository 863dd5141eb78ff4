"""Questions to history about one symbol: each is asked once, and again until nobody wants the answer.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from services.broker.history import Question
from services.market.position import Position
from services.market.symbol import Symbol

RETRY_BASE: Final = 0.05
"""Seconds before the same question is asked again; doubles up to `RETRY_CAP` (rule 3)."""
RETRY_CAP: Final = 0.5


@dataclass(slots=True)
class Asked:
    """A question that history has not answered to everybody's satisfaction."""

    backoff: float = RETRY_BASE
    in_flight: bool = True
    retry_at: float = 0.0


class Questions:
    """What is asked, and what waits to be asked again.  The caller takes *outgoing* after each call."""

    __slots__ = ("_asked", "_symbol", "outgoing")

    def __init__(self, symbol: Symbol) -> None:
        self._symbol = symbol
        self._asked: dict[Position | None, Asked] = {}
        self.outgoing: list[Question] = []

    def __bool__(self) -> bool:
        return bool(self._asked)

    def __iter__(self) -> Iterator[tuple[Position | None, Asked]]:
        return iter(self._asked.items())

    def ask(self, after: Position | None) -> bool:
        """Ask what follows *after* (None: the last tick), unless that is being asked already (False)."""
        if after in self._asked:
            return False
        self._asked[after] = Asked()
        self.outgoing.append(Question(self._symbol, after))
        return True

    def returned(self, question: Question, now: float) -> bool:
        """An answer came, or none in time: ask again later.  False: nobody asks this any more."""
        asked = self._asked.get(question.after)
        if asked is None:
            return False
        asked.in_flight = False
        asked.retry_at = now + asked.backoff
        asked.backoff = min(2 * asked.backoff, RETRY_CAP)
        return True

    def drop(self, after: Position | None) -> None:
        """Nobody waits for this answer any more."""
        self._asked.pop(after, None)

    def retry(self, now: float, wanted: Callable[[Position | None], bool]) -> None:
        """Ask again what is due and still *wanted*, and forget the rest of what is due."""
        for after, asked in list(self._asked.items()):
            if asked.in_flight or asked.retry_at > now:
                continue
            if wanted(after):
                asked.in_flight = True
                self.outgoing.append(Question(self._symbol, after))
            else:
                del self._asked[after]

    def due(self) -> Iterator[float]:
        """When something is to be asked again."""
        return (asked.retry_at for asked in self._asked.values() if not asked.in_flight)

    def restore(self, after: Position | None, asked: Asked) -> None:
        """Put a question back as it was, for whoever keeps and restores states."""
        self._asked[after] = asked
