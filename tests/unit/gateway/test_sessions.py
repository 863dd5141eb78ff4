"""What the sessions of one gateway share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from gateway.admission.limits import TokenBucket
from gateway.counters import Counters
from gateway.session import Session
from gateway.sessions import Sessions
from gateway.wires.native import encode
from tests.handclock import HandClock
from tests.unit.gateway.test_session import LINE, Wire


def never(*_: object) -> asyncio.TimerHandle:
    """Set no timer."""
    return cast("asyncio.TimerHandle", None)


def together(clock: HandClock) -> Sessions:
    """Return the sessions of a gateway without a loop."""
    return Sessions(
        clock,
        Counters(),
        max_connections=10,
        stuck_s=10,
        heartbeat_s=15,
        flush_s=0,
        encode=encode.encode,
        later=cast("Callable[[float, Callable[[], None]], asyncio.TimerHandle]", never),
        soon=never,
    )


def newcomer(sessions: Sessions, takes: int) -> tuple[Session, Wire]:
    """Return a session whose socket takes *takes* bytes."""
    wire = Wire(takes)
    session = Session(
        "s",
        cast("asyncio.Transport", wire),
        encode,
        sessions,
        bucket=TokenBucket(1, 1, 0.0),
        interrupt=lambda: None,
        now=0.0,
    )
    wire.protocol = session
    sessions.add(session)
    return session, wire


def test_unsent() -> None:
    """What waits for each client is summed up, and the most for one is known."""
    sessions = together(HandClock())
    (first, wire), (second, _), _ = (newcomer(sessions, takes) for takes in (0, 1 << 20, 1 << 20))
    assert sessions.unsent() == (0, 0)

    first.outbox.tick(LINE)
    first.flush(1.0, 5)
    second.outbox.tick(LINE)
    assert wire.buffered > len(LINE)
    assert sessions.unsent() == (wire.buffered + len(LINE), wire.buffered)

    wire.drain()
    second.flush(2.0, 5)
    assert sessions.unsent() == (0, 0)
