"""Where questions come in on the in-memory broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.broker.history import Respondent
from services.broker.memory.link import Link
from services.broker.ports import LostReason

if TYPE_CHECKING:
    from services.broker.memory.broker import MemoryBroker


class MemoryDesk(Link):
    """A `Desk` of the in-memory broker."""

    def __init__(self, broker: MemoryBroker, name: str) -> None:
        super().__init__(broker, name)
        self._respondent: Respondent | None = None
        self._open = False

    async def run(self, respondent: Respondent) -> None:
        """See `Desk.run`."""
        self._respondent = respondent
        await self._supervise(self)

    def open(self) -> None:
        """See `Desk.open`."""
        self._open = True

    def close(self) -> None:
        """See `Desk.close`."""
        self._open = False

    @property
    def respondent(self) -> Respondent | None:
        """Who answers here now, if anybody does."""
        return self._respondent if self._open and self.standing else None

    def on_connected(self) -> None:
        """See `LinkListener`: questions are put one by one, so there is nothing to begin."""

    def on_lost(self, reason: LostReason) -> None:
        """See `LinkListener`."""

    def _forget(self) -> None:
        """A question that is being answered has been answered: nothing is kept."""
