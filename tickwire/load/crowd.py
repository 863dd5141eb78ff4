"""All simulated clients at once, and a line about them every few seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import structlog
from websockets.exceptions import WebSocketException

import tickwire_client as client
from services.errors import TickwireError
from services.runtime.clock import Clock
from tickwire.load.plan import Kind, Member
from tickwire.load.sluggard import dawdle
from tickwire.load.tally import Tally
from tickwire.load.visits import Positions, visit
from tickwire.watch import Refused, Target
from tickwire_client.closing import Ending
from tickwire_client.connection import current, not_made

EVERY_S: Final = 10.0
"""Seconds between two lines."""
REFUSED_S: Final = 30.0
"""Seconds until a client that was refused tries again: the gateway may be told otherwise meanwhile."""
_log = structlog.get_logger("tickwire.load")


class PromiseBroken(TickwireError):
    """A client was sent what the protocol's table of cursors does not allow."""


async def load(
    target: Target, crowd: Sequence[Member], *, clock: Clock, stop: asyncio.Event, seconds: float | None = None
) -> None:
    """Be *crowd* until *stop*, or for *seconds*.

    Raises:
        Refused: the gateway refuses for good, before anybody has come in.
        PromiseBroken: at the end, where it was.
    """
    tally = Tally(clock.monotonic())
    tasks = [asyncio.create_task(_live(member, target, tally), name=f"load:{member.number}") for member in crowd]
    tasks.append(asyncio.create_task(_report(tally, clock), name="load:report"))
    ending = asyncio.create_task(_end(stop, seconds), name="load:end")
    try:
        done, _ = await asyncio.wait((ending, *tasks), return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in (ending, *tasks):
            task.cancel()
        await asyncio.gather(ending, *tasks, return_exceptions=True)
        _log.info("load.ended", **tally.figures(clock.monotonic()))
    if tally.violations:
        raise PromiseBroken(f"{tally.violations} frames broke the protocol's table of cursors")


async def _end(stop: asyncio.Event, seconds: float | None) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


async def _report(tally: Tally, clock: Clock) -> None:
    while True:
        await asyncio.sleep(EVERY_S)
        _log.info("load.figures", **tally.figures(clock.monotonic()))


async def _live(member: Member, target: Target, tally: Tally) -> None:
    """Be one client for ever."""
    await asyncio.sleep(member.begin_s)
    positions: Positions = {}
    for plan in member.visits():
        try:
            if member.kind is Kind.SLOW:
                await dawdle(member, plan, target, tally, await current(target.bearer))
            else:
                resume = positions if member.kind is Kind.RETURNING else {}
                positions = await visit(member, plan, target, tally, resume)
        except (client.Refused, client.NotFollowed) as error:
            if not tally.welcomes or isinstance(error, client.NotFollowed):
                raise Refused(str(error)) from error
            tally.gone(member.number, Ending.REFUSED)
            await asyncio.sleep(REFUSED_S)
        except (OSError, TimeoutError, WebSocketException) as error:
            ended = not_made(error)
            tally.gone(member.number, ended.how, ended.code)
        await asyncio.sleep(plan.away_s)
