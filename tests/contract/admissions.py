"""An admission under test, and who listens to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from services.broker.admission import Admission
from services.broker.ports import LostReason
from services.broker.revocations import Revocation, RevocationListener
from tests.eventually import eventually


@dataclass(slots=True)
class RevocationRecord(RevocationListener):
    """What was told, in order."""

    connections: int = 0
    lost: list[LostReason] = field(default_factory=list)
    revoked: list[Revocation] = field(default_factory=list)

    def on_connected(self) -> None:
        """Count it."""
        self.connections += 1

    def on_revoked(self, revocations: Sequence[Revocation]) -> None:
        """Keep them."""
        self.revoked += revocations

    def on_lost(self, reason: LostReason) -> None:
        """Keep the reason."""
        self.lost.append(reason)


@asynccontextmanager
async def running(admission: Admission) -> AsyncIterator[RevocationRecord]:
    """Run *admission* until the end of the block; entered when it is connected."""
    record = RevocationRecord()
    task = asyncio.create_task(admission.run(record))
    try:
        await eventually(lambda: record.connections or task.done(), deadline=30.0)
        if task.done():
            task.result()
        yield record
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
