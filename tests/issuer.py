"""An issuer of tokens: signs whatever it is told to, and publishes its keys over real HTTP."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from joserfc import jwk, jws

from gateway.admission.tokens import Policy

ISSUER = "https://login.example.org/"
AUDIENCE = "tickwire"
POLICY = Policy(("ES256", "EdDSA", "RS256"), ISSUER, AUDIENCE, leeway_s=5.0, life_s=86_400.0)


@cache
def made_key(algorithm: str, number: int) -> jwk.Key:
    """Return a private key for *algorithm*, the same one for each *number*."""
    del number
    if algorithm == "RS256":
        return jwk.RSAKey.generate_key(2048)
    if algorithm == "HS256":
        return jwk.OctKey.generate_key(256)
    return jwk.ECKey.generate_key("P-256") if algorithm == "ES256" else jwk.OKPKey.generate_key("Ed25519")


def encoded(part: bytes | Mapping[str, Any]) -> str:
    """Return *part* (bytes, or what becomes JSON) in URL-safe Base64."""
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def signed(
    header: bytes | Mapping[str, Any], payload: bytes | Mapping[str, Any], algorithm: str, key: jwk.Key
) -> str:
    """Return a token of exactly these parts, signed with *algorithm* whatever its header says."""
    text = f"{encoded(header)}.{encoded(payload)}"
    signature: bytes = jws.JWSRegistry.algorithms[algorithm].sign(text.encode(), key)
    return f"{text}.{encoded(signature)}"


@dataclass
class Issuer:
    """Signs with named keys; *keys* maps a name to its algorithm and its number."""

    keys: dict[str, tuple[str, int]] = field(default_factory=lambda: {"one": ("ES256", 0)})

    def key(self, name: str) -> jwk.Key:
        """Return the private key *name*."""
        return made_key(*self.keys[name])

    def public(self, name: str) -> dict[str, Any]:
        """Return the key *name* as it stands in a set."""
        return {**self.key(name).as_dict(private=False), "kid": name, "use": "sig", "alg": self.keys[name][0]}

    def document(self, *names: str) -> bytes:
        """Return the set of the keys *names*, of all where none is named."""
        return json.dumps({"keys": [self.public(name) for name in names or self.keys]}).encode()

    def token(
        self, now: float, name: str = "one", *, header: Mapping[str, Any] | None = None, **claims: Any
    ) -> str:
        """Return a token issued *now*, signed by the key *name*; a claim or header that is None is left out."""
        algorithm = self.keys[name][0]
        usual = {"iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 600, "sub": "u", "symbols": ["*"]}
        return signed(
            _without_none({"alg": algorithm, "kid": name, "typ": "JWT", **(header or {})}),
            _without_none({**usual, **claims}),
            algorithm,
            self.key(name),
        )


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


class IdentityProvider:
    """A real HTTP server on loopback that publishes a document; *answer* may be anything instead.

    *tls*: it speaks HTTPS, as localhost.
    """

    def __init__(self, document: bytes = b"", tls: ssl.SSLContext | None = None) -> None:
        self.document = document
        self._tls = tls
        self.answer: Callable[[web.Request], Awaitable[web.StreamResponse]] = self._publish
        self.asked = 0
        self._runner: web.AppRunner | None = None
        self._port = 0

    @property
    def address(self) -> str:
        """Where the document is."""
        place = "http://127.0.0.1" if self._tls is None else "https://localhost"
        return f"{place}:{self._port}/keys.json"

    async def up(self) -> None:
        """Serve, on the port of the last time."""
        app = web.Application()
        app.router.add_get("/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, ssl_context=self._tls, reuse_address=True).start()
        self._port = self._runner.addresses[0][1]

    async def down(self) -> None:
        """Let nobody connect."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        return await self.answer(request)

    async def _publish(self, _: web.Request) -> web.StreamResponse:
        return web.Response(body=self.document, content_type="application/json")

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.down()
