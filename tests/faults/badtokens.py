"""Tokens that let nobody in."""

from __future__ import annotations

import hmac
import time
from typing import Any

from joserfc import jwk

from tests.issuer import AUDIENCE, ISSUER, Issuer, encoded, signed


def bad_tokens(issuer: Issuer) -> dict[str, str]:
    """Return tokens of *issuer*'s that let nobody in, by what is wrong with them."""
    now = time.time()

    def token(**claims: Any) -> str:
        return issuer.token(now, **claims)

    good = token()
    header, payload, signature = good.split(".")
    es256 = issuer.key("one")
    assert isinstance(es256, jwk.ECKey)
    public = es256.as_pem(private=False)
    hs256 = f"{encoded({'alg': 'HS256', 'kid': 'one'})}.{payload}"
    stranger = Issuer({"one": ("ES256", 7), "elsewhere": ("ES256", 8)})
    claims = {"iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 600, "sub": "u", "symbols": ["*"]}
    return {
        "alg none": signed({"alg": "none", "kid": "one"}, claims, "none", es256),
        "alg none with a signature": signed({"alg": "none", "kid": "one"}, claims, "ES256", es256),
        "no signature": f"{header}.{payload}.",
        "HS256 with the public key": f"{hs256}.{encoded(hmac.digest(public, hs256.encode(), 'sha256'))}",
        "another algorithm named": signed({"alg": "RS256", "kid": "one"}, claims, "ES256", es256),
        "another payload": f"{header}.{token(sub='root').split('.')[1]}.{signature}",
        "a stranger's key": stranger.token(now),
        "an unknown key": stranger.token(now, "elsewhere"),
        "another audience": token(aud="elsewhere"),
        "no audience": token(aud=None),
        "another issuer": token(iss="https://login.example.com/"),
        "an issuer that begins alike": token(iss=ISSUER + "x"),
        "no issuer": token(iss=None),
        "not yet": token(nbf=now + 3600),
        "issued in the future": token(iat=now + 3600),
        "no end": token(exp=None),
        "an end too far away": token(exp=now + 10**9),
        "an end that is a text": token(exp=str(now + 600)),
        "crit": token(header={"crit": ["exp"]}),
        "truncated": good[:-20],
        "truncated to two parts": f"{header}.{payload}",
        "five parts": f"{good}.{payload}.{signature}",
        "no token": "x",
        "symbols that are no list": token(symbols="*"),
    }
