"""Who checks what clients show: the parts that wait."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from gateway.admission.apikeys import ApiKeys, recognize
from gateway.admission.authority import Authority, NoAuthority
from gateway.admission.entitlement import Entitlement
from gateway.admission.figures import KeyFigures, key_readings
from gateway.admission.keyset import Keys
from gateway.admission.tokens import Policy, entitle, read
from gateway.admission.watchedfile import WatchedFile
from gateway.metrics import Reading
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
