"""The lease of a shard on the in-memory broker."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.broker.lease import LeaseListener
from services.broker.memory.link import Link
from services.broker.ports import LostReason
from services.errors import BrokerUnavailable

if TYPE_CHECKING:
    from services.broker.memory.broker import MemoryBroker


@dataclass(slots=True)
class Token:
    """What the broker keeps of one shard's lease: the largest epoch, and who asked for it, its holder first."""

    epoch: int = 0
    asking: list[MemoryLease] = field(default_factory=list)


class _Nobody:
    """Who listens before `run`."""

    def on_waiting(self) -> None:
        """Nothing."""

    def on_held(self, epoch: int) -> None:
        """Nothing."""

    def on_lost(self) -> None:
        """Nothing."""


class MemoryLease(Link):
    """A `Lease` of the in-memory broker."""

    def __init__(self, broker: MemoryBroker, name: str, token: Token) -> None:
        super().__init__(broker, name)
        self._token = token
        self._listener: LeaseListener = _Nobody()

    async def run(self, listener: LeaseListener) -> None:
        """See `Lease.run`."""
        self._listener = listener
        await self._supervise(self)

    async def write(self, epoch: int) -> None:
        """See `Lease.write`."""
        if self._holder is not self:
            raise BrokerUnavailable("the lease is not held")
        self._token.epoch = max(self._token.epoch, epoch)
        await self._answered()

    def on_connected(self) -> None:
        """See `LinkListener`."""
        self._listener.on_waiting()
        self._token.asking.append(self)
        self.grant()

    def on_lost(self, reason: LostReason) -> None:
        """See `LinkListener`."""
        if reason is not LostReason.REFUSED:
            self._listener.on_lost()

    def grant(self) -> None:
        """Tell the holder in the loop's next turn, if it is this one."""
        if self._holder is self:
            self._later(self._told)

    @property
    def _holder(self) -> MemoryLease | None:
        return self._token.asking[0] if self._token.asking else None

    def _told(self) -> None:
        self._listener.on_held(self._token.epoch)

    def _forget(self) -> None:
        if self not in self._token.asking:
            return
        held = self._holder is self
        self._token.asking.remove(self)
        if held and self._holder is not None:
            self._holder.grant()
