"""Revocations: tokens that were called back before their time, kept on the broker for every gateway."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.broker.ports import LostReason


@dataclass(frozen=True, slots=True)
class Revocation:
    """One call: every token of *subject* issued before *at*, or the one token named *token_id*.

    Exactly one of the two is given.  *at*: seconds since 1970.
    """

    at: float
    subject: str | None = None
    token_id: str | None = None


class RevocationListener(Protocol):
    """Who hears of revocations.  The rules of `services.broker.ports` for callbacks hold."""

    def on_connected(self) -> None:
        """A connection stands; what is kept comes again from the first one on."""
        ...

    def on_revoked(self, revocations: Sequence[Revocation]) -> None:
        """Some that came together, perhaps known already."""
        ...

    def on_lost(self, reason: LostReason) -> None:
        """The connection (or an attempt) is gone."""
        ...


class RevocationLog(Protocol):
    """Every revocation of the last eight days, longer than any token lives."""

    async def run(self, listener: RevocationListener) -> None:
        """Read from the first one on into the present, and reconnect for ever; ends by cancellation only."""
        ...


class Revoker(Protocol):
    """Writes revocations; for `tickwire revoke`."""

    async def revoke(self, revocations: Sequence[Revocation]) -> None:
        """Return once the broker has confirmed them: each gateway that is connected hears within 2 s.

        Raises:
            BrokerUnavailable: not within 10 s; some may have been written.
        """
        ...
