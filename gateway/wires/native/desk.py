"""What all native connections of a gateway share."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Coroutine, Mapping
from typing import Any, Final, Protocol

from gateway.admission.doorkeeper import Seat
from gateway.admission.entitlement import ANYBODY, Entitlement
from gateway.admission.reception import Reception
from gateway.admission.stay import Stay
from gateway.commands import FeedCommand
from gateway.counters import Counters
from gateway.frames import Status
from gateway.outbox import Outbox
from gateway.session import Session
from gateway.sessions import Sessions
from gateway.settings import GatewaySettings
from gateway.wires.native import encode
from gateway.wires.native.parse import LEAST_RATE, MOST_RATE
from services.market.position import Position
from services.market.symbol import Symbol

AGE_JITTER: Final = 0.1
"""Part of a connection's age that is random, so that clients that came together do not leave together."""


class Following(Protocol):
    """What the feed knows a client by."""

    @property
    def subscriptions(self) -> int:
        """How many symbols it follows."""
        ...

    @property
    def names(self) -> set[Symbol]:
        """Every symbol that it follows or has asked for."""
        ...

    def stands(self, symbol: Symbol, position: Position) -> bool:
        """Whether it has moved in *symbol* from *position*, where it began, or lacks nothing behind it."""
        ...


class ClientFeed(Protocol):
    """The part of the feed that a wire needs: `gateway.feed.Feed`."""

    @property
    def ready(self) -> bool:
        """Whether a broker was connected, and a heartbeat seen, since the start."""
        ...

    @property
    def status(self) -> Mapping[str, Status]:
        """The newest status of each shard."""
        ...

    def join(self, outbox: Outbox, *, max_symbols: int, entitlement: Entitlement) -> Any:
        """Take a client in."""
        ...

    def entitle(self, client: Any, entitlement: Entitlement) -> None:
        """Let a client do what *entitlement* says from now on."""
        ...

    def leave(self, client: Any) -> None:
        """Let a client go."""
        ...

    def obey(self, client: Any, command: FeedCommand) -> None:
        """Carry out a command; answers arrive in the outbox."""
        ...

    def slow(self, client: Any) -> None:
        """Conflate for a client."""
        ...

    def drained(self, client: Any) -> None:
        """Go on with a client."""
        ...


class Desk:
    """Settings, feed, sessions and reception, and what is said of them to each client."""

    def __init__(
        self, settings: GatewaySettings, feed: ClientFeed, sessions: Sessions, reception: Reception
    ) -> None:
        self.settings = settings
        self.feed = feed
        self.sessions = sessions
        self.reception = reception
        self.counters: Counters = sessions.counters
        self.clock = sessions.clock
        self._tasks: set[asyncio.Task[None]] = set()

    def limits(self, entitlement: Entitlement) -> dict[str, object]:
        """Return what a client with *entitlement* may do, as `welcome` and `authorized` say it."""
        settings, symbols, rate = self.settings, entitlement.max_symbols, entitlement.max_rate
        return {
            "symbols": settings.max_symbols if symbols is None else min(settings.max_symbols, symbols),
            "message_bytes": settings.message_bytes,
            "commands_per_s": settings.command_rate,
            "command_burst": settings.command_burst,
            "max_rate": [LEAST_RATE, MOST_RATE if rate is None else rate],
        }

    def stay(self, seat: Seat, now: float) -> Stay:
        """Return how long a new connection may stay."""
        age = self.settings.age_s * random.uniform(1 - AGE_JITTER, 1 + AGE_JITTER)  # noqa: S311 - jitter
        stay = Stay(old_at=now + age, token_by=now + self.settings.auth_s)
        if seat.entitlement is not None:
            self.grant(stay, seat.entitlement, now)
        return stay

    def grant(self, stay: Stay, entitlement: Entitlement, now: float) -> None:
        """Let a connection stay as long as its token holds, by the clock of whoever checks it again."""
        expires = entitlement.expires
        left = math.inf if expires is None else expires - self.clock.wall_us() / 1e6 + self.settings.jwt_leeway_s
        stay.grant(now + left)

    def welcome(self, session: Session, seat: Seat, now: float) -> None:
        """Say the first words to a client."""
        stale = [status for status in self.feed.status.values() if not status.live]
        auth = "none" if not self.reception.required else "required" if seat.entitlement is None else "ok"
        session.say(
            encode.welcome(
                session.id,
                sent_us=self.clock.wall_us(),
                live=self.feed.ready and not stale,
                auth=auth,
                limits=self.limits(seat.entitlement or ANYBODY),
                heartbeat_s=self.sessions.heartbeat_s,
            ),
            now,
        )
        for status in stale:
            session.outbox.say(status)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what must be waited for; a connection has one such at most."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
