"""Tracing where it is asked for, and nothing of it where it is not: OpenTelemetry is an extra, imported late."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

from services.errors import MissingRequirement
from services.market.trace import Tracer

if TYPE_CHECKING:
    from services.telemetry.otel import Exporting

FAREWELL_S: Final = 2.0
"""Longest wait, at the end of a process, for a collector to take the last spans."""
_EXTRA: Final = "pip install 'tickwire[tracing]'"


@asynccontextmanager
async def tracing(process: str, broker_url: str, *, asked_by: str | None) -> AsyncIterator[Tracer | None]:
    """Yield what makes the spans of *process* while the context lasts; None where nobody asks for them.

    *broker_url*: says which kind of broker spans name.  *asked_by*: the variable that asks.  A thread exports the
    spans, to where OpenTelemetry's own variables say (OTEL_…).

    Raises:
        MissingRequirement: OpenTelemetry is not installed.
        BadSettings: OTEL_TRACES_EXPORTER names an exporter that is not installed.
    """
    if asked_by is None:
        yield None
        return
    # In a thread: the import reads hundreds of files.
    system = "memory" if broker_url.startswith("memory:") else "rabbitmq"
    exporting = await asyncio.to_thread(_exporting, process, asked_by, system)
    try:
        yield exporting.tracer
    finally:
        await _end(exporting)


def _exporting(process: str, asked_by: str, system: str) -> Exporting:
    try:
        from services.telemetry.otel import exporting  # noqa: PLC0415 - an extra, see above
    except ImportError as error:
        raise MissingRequirement(
            f"{asked_by} asks for traces, but OpenTelemetry is not installed ({error}): {_EXTRA}"
        ) from error
    return exporting(process, system)


async def _end(exporting: Exporting) -> None:
    """Export what is left, as long as that may take.

    A thread of our own: the loop's would hold up the end of the process while a collector that does not answer is
    waited for.
    """
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def end() -> None:
        exporting.shut_down()
        with suppress(RuntimeError):  # nobody waits any more, and the loop is closed
            loop.call_soon_threadsafe(done.set)

    threading.Thread(target=end, name="tracing-end", daemon=True).start()
    try:
        async with asyncio.timeout(FAREWELL_S):
            await done.wait()
    except TimeoutError:
        exporting.give_up()
