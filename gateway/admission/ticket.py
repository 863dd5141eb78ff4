"""The text of a one-time ticket: an entitlement for a few seconds, signed by a gateway for all gateways.  Pure.

`twt_` PAYLOAD `.` SIGNATURE, both in URL-safe Base64; HMAC-SHA256.  It is no JSON Web Token and its key is derived
from the secret for this purpose alone, so neither can be taken for the other, even where an issuer signs with the
same secret.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from gateway.admission.authority import Reason, TokenRefused
from gateway.admission.entitlement import BadClaims, Entitlement, parse_entitlement
from services.broker.tickets import TICKET_S
from services.errors import BadInput

TICKET_CHARACTERS: Final = 4_096
"""Longest ticket: it stands in the address of a request, of which servers read about 8,000 bytes."""

_SHAPE: Final = re.compile(r"(twt_([A-Za-z0-9_-]+))\.([A-Za-z0-9_-]{43})")
_NAME: Final = re.compile(r"[0-9a-f]{32}")
_PURPOSE: Final = b"tickwire ticket, version 1"


class TicketTooLong(BadInput):
    """An entitlement that no ticket has room for; the sentence says how long it may be."""


def make(entitlement: Entitlement, secret: str, name: str, now: float) -> str:
    """Return a ticket for *entitlement*, valid for `TICKET_S` seconds from *now* (since 1970) on.

    *name*: 32 hexadecimal digits, its own in `services.broker.tickets.TicketStore`.

    Raises:
        TicketTooLong: it would be longer than `TICKET_CHARACTERS`.
    """
    payload = orjson.dumps({"for": _claims(entitlement), "name": name, "until": now + TICKET_S})
    signed = "twt_" + _encoded(payload)
    text = f"{signed}.{_signature(signed, secret)}"
    if len(text) > TICKET_CHARACTERS:
        raise TicketTooLong(
            f"a ticket for {len(entitlement.names)} symbols has {len(text):,} characters, but may have "
            f"{TICKET_CHARACTERS:,}: connect with the token itself, or name fewer symbols or prefixes in it"
        )
    return text


def read(text: str, secret: str, now: float) -> tuple[str, Entitlement]:
    """Return the name of the ticket *text*, and what its bearer may do, *now* (seconds since 1970).

    Raises:
        TokenRefused: it lets nobody in.
    """
    if len(text) > TICKET_CHARACTERS:
        raise TokenRefused(Reason.TOO_LONG)
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise TokenRefused(Reason.MALFORMED)
    if not hmac.compare_digest(_signature(shape[1], secret), shape[3]):
        raise TokenRefused(Reason.SIGNATURE)
    name, until, entitlement = _content(shape[2])
    if until <= now or (entitlement.expires is not None and entitlement.expires <= now):
        raise TokenRefused(Reason.EXPIRED)
    return name, entitlement


def _content(part: str) -> tuple[str, float, Entitlement]:
    """Return what a payload that we have signed says."""
    try:
        found = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        name, until, entitlement = found["name"], found["until"], parse_entitlement(found["for"])
        if isinstance(until, float) and isinstance(name, str) and _NAME.fullmatch(name):
            return name, until, entitlement
    except (ValueError, TypeError, KeyError, AttributeError, BadClaims):
        pass
    raise TokenRefused(Reason.CLAIMS)  # another version of us with the same secret


def _claims(entitlement: Entitlement) -> Mapping[str, Any]:
    """Return what `parse_entitlement` makes *entitlement* of."""
    claims = {
        "sub": entitlement.subject,
        "jti": entitlement.token_id,
        "iat": entitlement.issued,
        "exp": entitlement.expires,
        "symbols": [*sorted(entitlement.names), *(f"{prefix}*" for prefix in entitlement.prefixes)],
        "max_symbols": entitlement.max_symbols,
        "max_rate": entitlement.max_rate,
        "max_connections": entitlement.max_connections,
        "delayed": entitlement.delayed or None,
    }
    return {name: value for name, value in claims.items() if value is not None}


def _signature(signed: str, secret: str) -> str:
    key = hmac.digest(secret.encode(), _PURPOSE, "sha256")
    return _encoded(hmac.digest(key, signed.encode(), "sha256"))


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
