"""Watches which alerts of a real Prometheus fire, from when to when."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from tests.monitoring.prometheus import Prometheus

EVERY_S: Final = 0.2
"""Between two looks: what a time that it found is uncertain by."""
ALWAYS: Final = "Watchdog"


class Firing(NamedTuple):
    """One alert: when it fired and ended, in seconds of the monotonic clock; None: not yet."""

    name: str
    severity: str
    job: str
    summary: str
    fired: float
    ended: float | None

    @property
    def page(self) -> bool:
        """Whether it wakes somebody."""
        return self.severity == "page"


class Lookout:
    """Looks from the entrance of the block to its end; *seen* has everything that fired."""

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = prometheus
        self._firings: dict[frozenset[tuple[str, str]], list[Firing]] = {}
        self._task: asyncio.Task[None]
        self._looked = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Begin to look."""
        self._task = asyncio.create_task(self._look(), name="lookout")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Look no more; an error of looking fails here."""
        self._task.cancel()
        (end,) = await asyncio.gather(self._task, return_exceptions=True)
        if error is None:
            assert isinstance(end, asyncio.CancelledError), repr(end)

    # ------------------------------------------------------------------------------------------------ what it saw

    def seen(self, since: float = 0.0) -> list[Firing]:
        """Return what fired at or after *since*, in that order."""
        found = (firing for firings in self._firings.values() for firing in firings if firing.fired >= since)
        return sorted(found, key=lambda firing: firing.fired)

    def first(self, name: str, since: float) -> Firing | None:
        """Return the first firing of *name* at or after *since*."""
        return next((firing for firing in self.seen(since) if firing.name == name), None)

    @property
    def firing(self) -> list[Firing]:
        """What fires now, but for the one that always does."""
        return [firing for firing in self.seen() if firing.ended is None]

    async def fires(self, name: str, since: float, deadline: float) -> Firing:
        """Return the first firing of *name* at or after *since*.

        Raises:
            AssertionError: none within *deadline* seconds of *since*.
        """
        while (found := self.first(name, since)) is None:
            await self._next(since + deadline, f"{name} has not fired")
        return found

    async def ends(self, name: str, healed: float, deadline: float) -> float:
        """Return for how many seconds after *healed* any *name* went on firing.

        Raises:
            AssertionError: it still does *deadline* seconds after *healed*.
        """
        while any(firing.name == name for firing in self.firing):
            await self._next(healed + deadline, f"{name} still fires")
        last = max((firing.ended or 0.0 for firing in self.seen() if firing.name == name), default=0.0)
        return max(0.0, last - healed)

    async def calm(self, deadline: float, *, besides: Collection[str] = ()) -> None:
        """Return once no page fires, but for those named *besides*.

        Raises:
            AssertionError: one does after *deadline* seconds.
        """
        end = time.monotonic() + deadline
        self._looked.clear()
        await self._next(end, "nobody looked")
        while pages := [firing.summary for firing in self.firing if firing.page and firing.name not in besides]:
            await self._next(end, f"still: {pages}")

    async def _next(self, end: float, complaint: str) -> None:
        assert not self._task.done(), self._task.exception()
        assert time.monotonic() < end, f"{complaint}; what fires: {self.firing}"
        self._looked.clear()
        await self._looked.wait()

    # ------------------------------------------------------------------------------------------------ looking

    async def _look(self) -> None:
        while True:
            alerts = await self._prometheus.alerts()
            self._note(alerts, time.monotonic())
            self._looked.set()
            await asyncio.sleep(EVERY_S)

    def _note(self, alerts: list[dict[str, Any]], now: float) -> None:
        firing = {
            frozenset(alert["labels"].items()): alert
            for alert in alerts
            if alert["state"] == "firing" and alert["labels"]["alertname"] != ALWAYS
        }
        for labels, alert in firing.items():
            kept = self._firings.setdefault(labels, [])
            if not kept or kept[-1].ended is not None:
                kept.append(_fired(alert, now))
        for labels, kept in self._firings.items():
            if kept[-1].ended is None and labels not in firing:
                kept[-1] = kept[-1]._replace(ended=now)


def _fired(alert: dict[str, Any], now: float) -> Firing:
    labels = alert["labels"]
    return Firing(
        labels["alertname"], labels["severity"], labels.get("job", ""), alert["annotations"]["summary"], now, None
    )
