"""Another client that comes in and goes: how long that takes, and which certificate it is shown.

The canary's own connection may stand for a day, in which it would measure no handshake, and see no certificate
that was renewed meanwhile.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any, Final

import structlog

import tickwire_client as client
from services.errors import BadInput
from services.runtime.clock import Clock
from tickwire.canary.observer import Observer
from tickwire.canary.reason import Reason, of_ending, of_refusal
from tickwire.watch import Target
from tickwire_client import Status
from tickwire_client.events import DISCONNECTED

VISIT_S: Final = 60.0
"""Seconds between two visits."""
PATIENCE_S: Final = 10.0
"""Seconds in which a gateway must have said welcome, over as many attempts as it takes."""
_log = structlog.get_logger("tickwire.canary")


class Visitor:
    """Visits *target* for ever, and tells *observer*."""

    def __init__(
        self, target: Target, observer: Observer, clock: Clock, visit_s: float, patience_s: float = PATIENCE_S
    ) -> None:
        self._target, self._visit_s, self._patience_s = target, visit_s, patience_s
        self._observer, self._clock = observer, clock
        self._attempted = 0.0
        self._reason = Reason.TIMED_OUT

    async def run(self) -> None:
        """Visit once in a while."""
        while True:
            await asyncio.sleep(self._visit_s)
            reason = await self._visit()
            if self._observer.visited(reason) and reason is not None:
                _log.warning("canary.visit_failed", reason=reason.value)

    async def _visit(self) -> Reason | None:
        """Come in and go; return why not."""
        target, self._reason = self._target, Reason.TIMED_OUT
        try:
            trust = await asyncio.to_thread(target.trust)
            async with client.connect(
                target.url,
                token=target.bearer,
                ssl=trust,
                timeout=self._patience_s,
                on_attempt=self._attempting,
                on_certificate=self._certified,
                on_status=self._changed,
            ):
                self._observer.handshakes.observe(self._clock.monotonic() - self._attempted)
        except client.Unreachable:
            return self._reason
        except client.Refused as error:
            return of_refusal(error)
        except BadInput:
            return Reason.TLS
        return None

    def _attempting(self, _: str) -> None:
        self._attempted = self._clock.monotonic()

    def _certified(self, certificate: Mapping[str, Any]) -> None:
        self._observer.certified(ssl.cert_time_to_seconds(certificate["notAfter"]))

    def _changed(self, status: Status) -> None:
        if status.feed == DISCONNECTED:
            self._reason = of_ending(status.how, status.code)
