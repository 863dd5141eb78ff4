"""Who is allowed in: what a token, a key or a ticket says of its bearer."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from gateway.admission.entitlement import ANYBODY, Entitlement
from services.errors import BadInput


class Reason(StrEnum):
    """Why a token was refused: a metric label and a log field; the client hears only what its code says."""

    MALFORMED = "malformed"
    """No token at all, or a part of it cannot be read."""
    TOO_LONG = "too_long"
    """More bytes than any token of ours."""
    ALGORITHM = "algorithm"
    """Signed in a way that is not configured, or not at all."""
    UNKNOWN_KEY = "unknown_key"
    """By a key that is not among ours."""
    SIGNATURE = "signature"
    """Not by whom it names."""
    EXPIRED = "expired"
    """It held once: the bearer may come back with another one."""
    NOT_YET = "not_yet"
    """It will hold later (`nbf`, `iat`)."""
    ISSUER = "issuer"
    """Of somebody else."""
    AUDIENCE = "audience"
    """For somebody else."""
    CLAIMS = "claims"
    """A claim is missing, or has a shape that it may not have."""
    LIVES_TOO_LONG = "lives_too_long"
    """Longer than revocations are remembered."""
    REVOKED = "revoked"
    """It was called back."""
    USED = "used"
    """A ticket that somebody has used already, or that never was."""
    SUBJECT = "subject"
    """A refresh for somebody else than the connection's."""


class TokenRefused(BadInput):
    """A token, key or ticket that lets nobody in."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(f"the token is refused: {reason.value}")
        self.reason = reason


class Authority(Protocol):
    """Checks what clients show.  One per gateway."""

    @property
    def required(self) -> bool:
        """Whether a client must show something."""
        ...

    async def check(self, token: str) -> Entitlement:
        """Return what the bearer of *token* may do.

        Takes no time but where a key must be fetched first, and then at most 3 s.

        Raises:
            TokenRefused: it lets nobody in.
            KeysUnavailable: nobody can tell at the moment.
        """
        ...


class NoAuthority:
    """Anybody may come in and follow everything."""

    required = False

    async def check(self, token: str) -> Entitlement:
        """Nobody is asked, so nothing is looked at."""
        del token
        return ANYBODY
