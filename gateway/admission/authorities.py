"""Who checks what clients show, and tickets: the parts that wait."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Protocol

from gateway.admission import ticket
from gateway.admission.apikeys import ApiKeys, recognize
from gateway.admission.authority import Authority, NoAuthority, Reason, TokenRefused
from gateway.admission.entitlement import Entitlement
from gateway.admission.figures import KeyFigures, key_readings
from gateway.admission.keyset import Keys
from gateway.admission.tokens import Policy, entitle, read
from gateway.admission.watchedfile import WatchedFile
from gateway.metrics import Reading
from services.broker.tickets import TicketStore
from services.errors import KeysUnavailable
from services.runtime.clock import Clock


class Gatekeeper(Authority, Protocol):
    """An authority with work of its own in the background."""

    async def run(self) -> None:
        """Keep its keys up to date; ends by cancellation, or at once where there is nothing to do."""
        ...

    def readings(self) -> Iterator[Reading]:
        """Yield its metrics."""
        ...


class KeySource(Protocol):
    """Where the keys of an issuer come from."""

    @property
    def keys(self) -> Keys | None:
        """The keys that count now; None: none came yet."""
        ...

    async def run(self) -> None:
        """Keep them up to date; ends by cancellation only."""
        ...

    async def seek(self, name: str | None) -> None:
        """Return, within 3 s, when it has been tried to get the key *name* (None: any)."""
        ...

    def figures(self) -> KeyFigures:
        """Return what metrics show."""
        ...


class KeyFile:
    """The keys in a file of this machine."""

    def __init__(self, file: WatchedFile[Keys]) -> None:
        self._file = file

    @property
    def keys(self) -> Keys:
        """Those of the newest good version."""
        return self._file.content

    async def run(self) -> None:
        """Look for newer versions."""
        await self._file.run()

    async def seek(self, name: str | None) -> None:
        """Nothing to do: the file is looked at all the time."""

    def figures(self) -> KeyFigures:
        """Return what metrics show."""
        return KeyFigures(keys=len(self.keys), unloaded=self._file.failures)


class OpenDoor(NoAuthority):
    """Lets anybody in."""

    async def run(self) -> None:
        """Nothing to do."""

    def readings(self) -> Iterator[Reading]:
        """Yield its metrics."""
        return key_readings(KeyFigures())


class JwtAuthority:
    """Lets in who has a token that one of *source*'s keys has signed, as *policy* says."""

    required = True

    def __init__(self, source: KeySource, policy: Policy, clock: Clock) -> None:
        self._source, self._policy, self._clock = source, policy, clock

    async def run(self) -> None:
        """Keep the keys up to date."""
        await self._source.run()

    async def check(self, token: str) -> Entitlement:
        """Return what the bearer of *token* may do; waits at most 3 s, where its key is not known.

        Raises:
            TokenRefused: it lets nobody in.
            KeysUnavailable: no keys came yet.
        """
        found = read(token, self._policy.algorithms)
        keys = self._source.keys
        if keys is None or keys.lacks(found.algorithm, found.key_name):
            await self._source.seek(found.key_name)
            keys = self._source.keys
        if keys is None:
            raise KeysUnavailable("the keys that tokens are verified with could not be fetched yet")
        return entitle(found, keys, self._policy, self._clock.wall_us() / 1e6)

    def readings(self) -> Iterator[Reading]:
        """Yield its metrics."""
        return key_readings(self._source.figures())


class KeysAuthority:
    """Lets in who has a key of *file*."""

    required = True

    def __init__(self, file: WatchedFile[ApiKeys], clock: Clock) -> None:
        self._file, self._clock = file, clock

    async def run(self) -> None:
        """Look for newer versions of the file."""
        await self._file.run()

    async def check(self, token: str) -> Entitlement:
        """Return what the bearer of the key *token* may do.

        Raises:
            TokenRefused: it lets nobody in.
        """
        return recognize(token, self._file.content, self._clock.wall_us() / 1e6)

    def readings(self) -> Iterator[Reading]:
        """Yield its metrics."""
        return key_readings(KeyFigures(keys=len(self._file.content), unloaded=self._file.failures))


class TicketOffice:
    """Issues tickets that can be used once, on any gateway with the same *secret* and broker."""

    def __init__(self, store: TicketStore, secret: str, clock: Clock) -> None:
        self._store, self._secret, self._clock = store, secret, clock

    async def run(self) -> None:
        """Keep the connection that tickets need; ends by cancellation only."""
        await self._store.run()

    async def issue(self, entitlement: Entitlement) -> str:
        """Return a ticket with which somebody may do once, within 30 s, what *entitlement* says.

        Raises:
            TicketTooLong: *entitlement* names too many symbols.
            BrokerUnavailable: the broker has not confirmed the ticket.
        """
        name = secrets.token_hex(16)
        text = ticket.make(entitlement, self._secret, name, self._clock.wall_us() / 1e6)
        await self._store.put(name)
        return text

    async def redeem(self, text: str) -> Entitlement:
        """Use the ticket *text* up, and return what its bearer may do.

        Raises:
            TokenRefused: it lets nobody in, or nobody any more.
            BrokerUnavailable: nobody can tell at the moment.
        """
        name, entitlement = ticket.read(text, self._secret, self._clock.wall_us() / 1e6)
        if not await self._store.take(name):
            raise TokenRefused(Reason.USED)
        return entitlement
