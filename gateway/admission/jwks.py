"""A set of keys that an issuer publishes at an address, fetched in the background."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection
from typing import Final

import structlog

from gateway.admission.fetchplan import FetchPlan
from gateway.admission.figures import KeyFigures
from gateway.admission.keyset import BadKeys, Keys, parse_keys
from services.errors import KeysUnavailable
from services.runtime.clock import Clock

WAIT_S: Final = 3.0
"""Seconds that a token waits for the fetch of its key."""

Fetch = Callable[[], Awaitable[bytes]]
"""Returns the document; raises KeysUnavailable where it does not come, within some seconds."""

_log = structlog.get_logger("tickwire.admission")


class FetchedKeys:
    """The newest set that *fetch* brought, with the keys for *algorithms*; the last good one while none comes."""

    def __init__(self, fetch: Fetch, algorithms: Collection[str], clock: Clock) -> None:
        self._fetch, self._algorithms, self._clock = fetch, algorithms, clock
        self._plan = FetchPlan()
        self._wanted = asyncio.Event()
        self._pending: asyncio.Event | None = asyncio.Event()  # the first fetch begins with `run`
        self._fetched = self._failed = 0
        self._failing = False
        self._good_at = clock.monotonic()
        self.keys: Keys | None = None
        """None: no set came yet."""

    async def run(self) -> None:
        """Fetch as planned; ends by cancellation only."""
        while True:
            if self._pending is None:
                self._pending = asyncio.Event()
            self._wanted.clear()
            try:
                await self._once()
            finally:
                self._pending.set()
                self._pending = None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, self._plan.due - self._clock.monotonic())):
                    await self._wanted.wait()

    async def seek(self, name: str | None) -> None:
        """Return when a fetch has ended that may bring the key *name* (None: any), at once where none will.

        Takes at most `WAIT_S`.
        """
        pending = self._pending
        if name is not None and not self._plan.seek(name, self._clock.monotonic(), pending=pending is not None):
            return
        if pending is None and name is not None:
            pending = self._pending = asyncio.Event()
            self._wanted.set()
        if pending is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(WAIT_S):
                    await pending.wait()

    def figures(self) -> KeyFigures:
        """Return what metrics show."""
        return KeyFigures(
            keys=len(self.keys or ()),
            fetched=self._fetched,
            failed=self._failed,
            age=self._clock.monotonic() - self._good_at,
        )

    async def _once(self) -> None:
        try:
            keys = parse_keys(await self._fetch(), self._algorithms)
        except (KeysUnavailable, BadKeys) as error:
            self._plan.failed(self._clock.monotonic())
            self._failed += 1
            if not self._failing:
                self._failing = True
                _log.warning("keys.unfetched", reason=str(error), keys=len(self.keys or ()))
        else:
            self._take(keys)

    def _take(self, keys: Keys) -> None:
        self._good_at = self._clock.monotonic()
        self._plan.fetched(keys.names, self._good_at)
        self._fetched += 1
        if self._failing or self.keys is None or self.keys.names != keys.names:
            _log.info("keys.fetched", keys=len(keys))
        self._failing = False
        self.keys = keys
