"""Tokens that an issuer signed: JSON Web Tokens.  Pure.

Nothing of a token is in an error, nor in the chain of one: only its reason.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeGuard

import orjson
from joserfc import jws
from joserfc.errors import BadSignatureError, JoseError

from gateway.admission.authority import Reason, TokenRefused
from gateway.admission.entitlement import BadClaims, Entitlement, parse_entitlement
from gateway.admission.keyset import NAME_CHARACTERS, Key, Keys

TOKEN_CHARACTERS: Final = 16_384
"""Longest token: room for 1,000 symbols; a request's headers end at 8,190 bytes, a message of ours at 65,536."""
_LATEST: Final = 2**40
"""Seconds since 1970 that no time of a token may reach."""
_SHAPE: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)")


@dataclass(frozen=True, slots=True)
class Policy:
    """What a token must be like."""

    algorithms: Collection[str]
    issuer: str
    audience: str
    leeway_s: float
    """Seconds that its times may be off."""
    life_s: float
    """Seconds that it may still live."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token of which nothing is proved: its header was read."""

    text: str = field(repr=False)
    algorithm: str
    key_name: str | None


class _Registry(jws.JWSRegistry):
    """joserfc's rules with our bounds: a header may carry a chain of certificates, which nobody looks at."""

    max_header_length = max_payload_length = max_signature_length = TOKEN_CHARACTERS

    def get_alg(self, name: str) -> Any:
        """Return the algorithm, which `read` has allowed; joserfc would warn of the name `EdDSA`."""
        return self.algorithms[name]


_REGISTRY: Final = _Registry(strict_check_header=False)


def verify(text: str, keys: Keys, policy: Policy, now: float) -> Entitlement:
    """Return what the bearer of the token *text* may do, *now* (seconds since 1970).

    Raises:
        TokenRefused: it lets nobody in.
    """
    return entitle(read(text, policy.algorithms), keys, policy, now)


def read(text: str, algorithms: Collection[str]) -> Token:
    """Return the token in *text*, which must be signed by one of *algorithms*; its signature is not looked at.

    Raises:
        TokenRefused: it is too long, no token, or signed in another way.
    """
    if len(text) > TOKEN_CHARACTERS:
        raise TokenRefused(Reason.TOO_LONG)
    shape = _SHAPE.fullmatch(text)
    header = _object(_decoded(shape[1])) if shape else None
    if header is None:
        raise TokenRefused(Reason.MALFORMED)
    algorithm, name = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in algorithms or algorithm == "none":
        raise TokenRefused(Reason.ALGORITHM)
    # An extension that must be understood (`crit`), a payload in clear (`b64`): we know none.
    if "crit" in header or "b64" in header or not _is_name(name):
        raise TokenRefused(Reason.MALFORMED)
    return Token(text, algorithm, name)


def entitle(token: Token, keys: Keys, policy: Policy, now: float) -> Entitlement:
    """Return what the bearer of *token* may do, *now* (seconds since 1970), where one of *keys* has signed it.

    Raises:
        TokenRefused: it lets nobody in.
    """
    key = keys.find(token.algorithm, token.key_name)
    if key is None:
        raise TokenRefused(Reason.ALGORITHM if token.key_name in keys.names else Reason.UNKNOWN_KEY)
    payload = _signed(token, key)
    claims = None if payload is None else _object(payload)
    if claims is None:
        raise TokenRefused(Reason.MALFORMED)
    reason = _fault(claims, policy, now)
    if reason is not None:
        raise TokenRefused(reason)
    return _entitlement(claims)


def _is_name(name: object) -> bool:
    return name is None or (isinstance(name, str) and 0 < len(name) <= NAME_CHARACTERS)


def _signed(token: Token, key: Key) -> bytes | None:
    """Return the payload that *key* has signed; None: the token cannot be read."""
    try:
        return jws.deserialize_compact(token.text, key.material, registry=_REGISTRY).payload
    except BadSignatureError:
        forged = True
    except (JoseError, ValueError, RecursionError):
        forged = False
    if forged:
        raise TokenRefused(Reason.SIGNATURE)
    return None


def _decoded(part: str) -> bytes:
    """Return the bytes of *part*; empty where it is no Base64."""
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        return b""


def _object(raw: bytes) -> dict[str, Any] | None:
    """Return the JSON object in *raw*; None: it is none, or says something twice."""
    try:
        # The first is strict (UTF-8, no NaN, no half of a pair of surrogates, depth), the second sees repeats.
        orjson.loads(raw)
        found = json.loads(raw, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _fault(claims: Mapping[str, Any], policy: Policy, now: float) -> Reason | None:
    """Return what of *claims* does not fit *policy*; None: they fit."""
    expires, issuer, audience = claims.get("exp"), claims.get("iss"), claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience
    if (
        not _is_time(expires)
        or not isinstance(issuer, str)
        or not isinstance(audiences, list)
        or not all(isinstance(claims[name], int | float) for name in ("nbf", "iat") if name in claims)
    ):
        return Reason.CLAIMS
    early = now + policy.leeway_s
    judgements = (
        (expires <= now - policy.leeway_s, Reason.EXPIRED),
        (issuer != policy.issuer, Reason.ISSUER),
        (policy.audience not in audiences, Reason.AUDIENCE),
        (claims.get("nbf", 0) > early or claims.get("iat", 0) > early, Reason.NOT_YET),
        (expires > early + policy.life_s, Reason.LIVES_TOO_LONG),
    )
    return next((reason for fault, reason in judgements if fault), None)


def _is_time(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _LATEST


def _entitlement(claims: Mapping[str, Any]) -> Entitlement:
    try:
        return parse_entitlement(claims)
    except BadClaims:
        pass
    raise TokenRefused(Reason.CLAIMS)
