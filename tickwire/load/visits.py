"""One visit of a client that keeps up: the Python client, with what comes counted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from tickwire.load.plan import Member, Visit
from tickwire.load.tally import Tally
from tickwire.watch import Target
from tickwire_client import Complaint, Gap, Position, Status, Violation, connect
from tickwire_client.events import CONNECTED, DISCONNECTED
from tickwire_client.hooks import Callbacks

Positions = Mapping[str, Position]


async def visit(member: Member, plan: Visit, target: Target, tally: Tally, resume: Positions) -> Positions:
    """Follow what *plan* says for as long as it says, after *resume*; return where each symbol is then.

    Raises:
        tickwire_client.Refused: no gateway will ever serve this client.
        tickwire_client.NotFollowed: the gateway will not serve a symbol.
    """
    callbacks = _counted(member, tally)
    trust = await asyncio.to_thread(target.trust)
    try:
        async with connect(target.url, token=target.bearer, ssl=trust, timeout=None, **callbacks) as feed:
            known = {symbol: position for symbol, position in resume.items() if symbol in plan.symbols}
            ticks = feed.subscribe(*plan.symbols, max_rate=member.max_rate, resume=known)
            try:
                async with asyncio.timeout(plan.stay_s):
                    async for tick in ticks:
                        tally.took(member.kind, 1, tick.skipped)
            except TimeoutError:
                pass
            return {s: position for s in plan.symbols if (position := feed.cursor(s)) is not None}
    finally:
        tally.gone(member.number)


def _counted(member: Member, tally: Tally) -> Callbacks:
    def status(happened: Status) -> None:
        if happened.feed == CONNECTED:
            tally.welcomed(member.number)
        elif happened.feed == DISCONNECTED:
            tally.gone(member.number, happened.how or "", happened.code)

    def gap(happened: Gap) -> None:
        tally.gaps[happened.reason] += 1

    def violation(_: Violation) -> None:
        tally.violations += 1

    def complaint(happened: Complaint) -> None:
        tally.complaints[happened.code] += 1

    return Callbacks(on_status=status, on_gap=gap, on_violation=violation, on_complaint=complaint)
