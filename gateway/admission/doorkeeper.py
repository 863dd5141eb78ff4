"""The doorkeeper: who may come in, and who is in.  Pure.

Asks first what costs least to find out: room, pace, origin; whose token it is comes last, since to check one takes
0.1 ms and more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.admission import refusal
from gateway.admission.authority import Reason, TokenRefused
from gateway.admission.census import Census, Fullness
from gateway.admission.entitlement import Entitlement
from gateway.admission.origin import allowed
from gateway.admission.refusal import Refusal
from gateway.admission.revoked import Revoked

_FULL = {Fullness.ADDRESS: refusal.ADDRESS_FULL, Fullness.SUBJECT: refusal.SUBJECT_FULL}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who knocks, as a wire read it from the request."""

    address: str | None
    """Of the client itself, where a trusted proxy says it; None: unknown."""
    key: str
    """What is counted: the address, or its network."""
    origin: str | None
    """Of the page that makes the request; None: it is no browser, or does not say."""
    host: str
    """That the request was sent to."""
    secure: bool
    """Whether the client came by TLS."""


class Seat:
    """One client's place, counted until it leaves.  *entitlement* None: its token is still to come."""

    __slots__ = ("_census", "_key", "_taken", "entitlement")

    def __init__(self, census: Census, key: str, entitlement: Entitlement | None) -> None:
        self._census, self._key = census, key
        self.entitlement = entitlement
        self._taken = True

    @property
    def subject(self) -> str | None:
        """Whose place it is."""
        return None if self.entitlement is None else self.entitlement.subject

    def entitle(self, entitlement: Entitlement) -> Refusal | None:
        """Let its client do what *entitlement* says, or say why not.

        A client that has gone while its token was checked is not counted again: nobody would ever uncount it.

        Raises:
            TokenRefused: the place is somebody else's.
        """
        if not self._taken:
            return None
        if self.entitlement is None:
            subject = entitlement.subject
            if subject is not None and (full := self._census.claim(subject, entitlement.max_connections)):
                return _FULL[full]
        elif entitlement.subject != self.entitlement.subject:
            raise TokenRefused(Reason.SUBJECT)
        self.entitlement = entitlement
        return None

    def leave(self) -> None:
        """The client has gone."""
        if self._taken:
            self._taken = False
            self._census.leave(self._key, self.subject)


class Doorkeeper:
    """Decides for one gateway.  *room* says why nobody may come in; *origins* are the pages that may."""

    def __init__(
        self, room: Callable[[], Refusal | None], census: Census, revoked: Revoked, origins: frozenset[str]
    ) -> None:
        self._room, self.census, self.revoked, self._origins = room, census, revoked, origins

    def greet(self, caller: Caller, now: float) -> Refusal | None:
        """Why *caller* may not come in, whatever token it shows; None: it may go on."""
        if (full := self._room()) is not None:
            return full
        wait = self.census.knock(caller.key, now)
        if wait is not None:
            return refusal.TOO_FAST._replace(retry_after_s=max(1, round(wait + 0.5)))
        if not allowed(caller.origin, caller.host, caller.secure, self._origins):
            return refusal.ORIGIN
        return None

    def visit(self, caller: Caller) -> Refusal | None:
        """Why *caller*, who makes a plain request and takes no place, gets no answer; None: it may go on.

        A gateway that is full answers: its clients ask for what they draw beside their streams.
        """
        if (why := self._room()) is refusal.DRAINING:
            return why
        return None if allowed(caller.origin, caller.host, caller.secure, self._origins) else refusal.ORIGIN

    def seat(self, caller: Caller, entitlement: Entitlement | None) -> Seat | Refusal:
        """Give *caller* a place, or say why there is none."""
        # Checking the token took its time: there may be less room than before.
        if (full := self._room()) is not None:
            return full
        given = entitlement or _NOBODY
        crowded = self.census.enter(caller.key, given.subject, given.max_connections)
        return Seat(self.census, caller.key, entitlement) if crowded is None else _FULL[crowded]

    def confirm(self, seat: Seat) -> Refusal | None:
        """Why *seat* does not stand any more, now that its client has been answered; it is given up then."""
        turned_away = self._room()
        if turned_away is None and seat.entitlement is not None and self.revoked.holds(seat.entitlement):
            turned_away = refusal.REFUSED
        if turned_away is not None:
            seat.leave()
        return turned_away

    def check(self, entitlement: Entitlement) -> None:
        """Look whether it was called back.

        Raises:
            TokenRefused: it was.
        """
        if self.revoked.holds(entitlement):
            raise TokenRefused(Reason.REVOKED)


_NOBODY = Entitlement()
