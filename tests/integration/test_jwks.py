"""Tokens of an issuer that publishes its keys over real HTTP: rotation, outage, and answers that do harm."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import os
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from time import time_ns
from typing import Final

import pytest
import trustme
from aiohttp import web

from gateway.admission.authorities import Gatekeeper
from gateway.admission.authority import Reason, TokenRefused
from gateway.admission.choice import build_authority
from gateway.admission.fetchplan import EXTRA_S
from gateway.admission.keyset import DOCUMENT_BYTES
from gateway.settings import GatewaySettings
from gateway.wires import keyfetch
from gateway.wires.keyfetch import fetch_keys
from services.errors import KeysUnavailable
from services.runtime.clock import SystemClock
from services.runtime.settings import load
from tests.eventually import eventually
from tests.issuer import AUDIENCE, ISSUER, IdentityProvider, Issuer

KEYS: Final = Issuer({"one": ("ES256", 0), "two": ("EdDSA", 1), "three": ("RS256", 2)})
BOMB: Final = gzip.compress(b'{"keys":[' + b" " * 10_485_760 + b"]}")
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class LaterClock(SystemClock):
    """The machine's clock, whose monotonic part a test moves on."""

    def __init__(self) -> None:
        self.later = 0.0

    def monotonic(self) -> float:
        """Seconds, *later* of them by hand."""
        return super().monotonic() + self.later


@pytest.fixture(name="provider")
async def _provider() -> AsyncIterator[IdentityProvider]:
    """The issuer's server, with the first key."""
    async with IdentityProvider(KEYS.document("one")) as provider:
        yield provider


@pytest.fixture(name="clock")
def _clock() -> LaterClock:
    """The gateway's clock."""
    return LaterClock()


@pytest.fixture(name="authority")
async def _authority(provider: IdentityProvider, clock: LaterClock) -> AsyncIterator[Gatekeeper]:
    """A gateway's authority, as its settings ask for it."""
    given = {"auth": "jwt", "jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "jwt_keys": provider.address}
    authority = build_authority(load(GatewaySettings, given), fetch_keys, clock)
    running = asyncio.create_task(authority.run())
    yield authority
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


def _token(name: str) -> str:
    return KEYS.token(time_ns() / 1e9, name)


async def _refused(authority: Gatekeeper, name: str) -> Reason:
    with pytest.raises(TokenRefused) as caught:
        await authority.check(_token(name))
    return caught.value.reason


def _shown(authority: Gatekeeper) -> dict[str, dict[str, float]]:
    return {reading.name: dict(reading.values) for reading in authority.readings()}


async def test_the_first_client_waits_for_the_keys(authority: Gatekeeper, provider: IdentityProvider) -> None:
    """A client that comes with the start is let in after one fetch, and the next ones without any."""
    for _ in range(3):
        assert (await authority.check(_token("one"))).subject == "u"
    assert provider.asked == 1


async def test_rotation_without_a_restart(
    authority: Gatekeeper, provider: IdentityProvider, clock: LaterClock
) -> None:
    """Each new key is accepted within one fetch, its predecessor as long as it is published and not longer."""
    await authority.check(_token("one"))

    provider.document = KEYS.document("one", "two")
    assert (await authority.check(_token("two"))).subject == "u"
    assert (await authority.check(_token("one"))).subject == "u"
    assert provider.asked == 2

    clock.later += EXTRA_S
    provider.document = KEYS.document("two", "three")
    assert (await authority.check(_token("three"))).subject == "u"
    assert await _refused(authority, "one") is Reason.UNKNOWN_KEY
    assert provider.asked == 3


async def test_an_outage(authority: Gatekeeper, provider: IdentityProvider, clock: LaterClock) -> None:
    """While the address is down known keys count on; once it is back a new key is accepted."""
    await authority.check(_token("one"))
    await provider.down()
    assert await _refused(authority, "two") is Reason.UNKNOWN_KEY
    assert _shown(authority)["keys_fetches"]["failed"] == 1
    for _ in range(100):
        assert await _refused(authority, "two") is Reason.UNKNOWN_KEY
        assert (await authority.check(_token("one"))).subject == "u"

    provider.document = KEYS.document("one", "two")
    await provider.up()
    clock.later += EXTRA_S
    assert (await authority.check(_token("two"))).subject == "u"
    assert _shown(authority)["keys"] == {"": 2}


async def test_made_up_keys_do_not_make_us_ask(
    authority: Gatekeeper, provider: IdentityProvider, clock: LaterClock
) -> None:
    """A thousand tokens of made-up keys cause one fetch a minute, and honest clients are let in meanwhile."""
    await authority.check(_token("one"))
    for minute in range(3):
        for number in range(1_000):
            token = KEYS.token(time_ns() / 1e9, header={"kid": f"{minute} {number}"})
            with pytest.raises(TokenRefused):
                await authority.check(token)
            if number % 100 == 0:
                assert (await authority.check(_token("one"))).subject == "u"
        assert provider.asked == minute + 2
        clock.later += EXTRA_S


async def _error(_: web.Request) -> web.StreamResponse:
    return web.Response(status=500, body=KEYS.document("two"))


async def _nothing(_: web.Request) -> web.StreamResponse:
    return web.Response(status=204)


async def _page(_: web.Request) -> web.StreamResponse:
    return web.Response(text="<html><body>Sign in</body></html>", content_type="text/html")


async def _huge(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        for _ in range(160):
            await response.write(b" " * 65_536)
    return response


async def _huge_by_length(_: web.Request) -> web.StreamResponse:
    return web.Response(body=b" " * 10_485_760)


async def _bomb(_: web.Request) -> web.StreamResponse:
    return web.Response(body=BOMB, headers={"Content-Encoding": "gzip"})


async def _to_a_file(_: web.Request) -> web.StreamResponse:
    return web.Response(status=302, headers={"Location": "file:///etc/passwd"})


async def _to_elsewhere(request: web.Request) -> web.StreamResponse:
    if request.path == "/elsewhere":
        return web.Response(body=KEYS.document("two"))
    return web.Response(status=307, headers={"Location": "/elsewhere"})


async def _broken_off(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "5000"})
    await response.prepare(request)
    await response.write(KEYS.document("two"))
    assert request.transport is not None
    request.transport.abort()
    return response


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (_error, "answers with status 500"),
        (_nothing, "answers with status 204"),
        (_huge, "sends more than 262,144 bytes"),
        (_huge_by_length, "sends more than 262,144 bytes"),
        (_to_a_file, "answers with status 302"),
        (_to_elsewhere, "answers with status 307"),
        (_broken_off, "cannot be fetched: ClientPayloadError"),
    ],
)
async def test_answers_that_are_refused(provider: IdentityProvider, answer: Answer, fault: str) -> None:
    """An error, a redirect, half a document and an endless one bring no keys, and say why."""
    provider.answer = answer

    with pytest.raises(KeysUnavailable, match=fault):
        await fetch_keys(provider.address)
    assert provider.asked == 1


@pytest.mark.parametrize("answer", [_error, _page, _huge, _bomb, _to_a_file, _to_elsewhere, _broken_off])
async def test_bad_answers_keep_the_old_keys(
    authority: Gatekeeper, provider: IdentityProvider, answer: Answer
) -> None:
    """While the address answers with something else, known keys count on and no other one is accepted."""
    await authority.check(_token("one"))
    provider.answer = answer

    assert await _refused(authority, "two") is Reason.UNKNOWN_KEY
    assert (await authority.check(_token("one"))).subject == "u"
    assert _shown(authority)["keys_fetches"] == {"ok": 1, "failed": 1}


async def test_a_compressed_answer_is_not_unpacked(provider: IdentityProvider) -> None:
    """A document of 10 MB in some KB is not unpacked: we asked for it as it is."""
    provider.answer = _bomb

    assert len(await fetch_keys(provider.address)) < DOCUMENT_BYTES


async def test_an_address_that_stalls(
    authority: Gatekeeper, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address that accepts and says nothing holds a client for 3 s at most, and others not at all."""
    await authority.check(_token("one"))
    monkeypatch.setattr("gateway.admission.jwks.WAIT_S", 0.2)
    monkeypatch.setattr(keyfetch, "FETCH_S", 0.4)
    release = asyncio.Event()

    async def stall(_: web.Request) -> web.StreamResponse:
        await release.wait()
        return web.Response()

    provider.answer = stall
    waiting = asyncio.create_task(_refused(authority, "two"))
    await eventually(lambda: provider.asked == 2)
    for _ in range(100):
        assert (await authority.check(_token("one"))).subject == "u"
    assert not waiting.done()
    assert await waiting is Reason.UNKNOWN_KEY
    await eventually(lambda: _shown(authority)["keys_fetches"]["failed"] == 1)
    release.set()


async def test_an_address_that_drips(provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that sends a byte at a time is given up when the time for the whole document is over."""
    monkeypatch.setattr(keyfetch, "FETCH_S", 0.3)

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(b" ")
                await asyncio.sleep(0.01)
        return response

    provider.answer = drip
    with pytest.raises(KeysUnavailable, match=r"does not answer within 0\.3 s"):
        await fetch_keys(provider.address)


async def test_nobody_can_tell_while_no_keys_came(
    authority: Gatekeeper, provider: IdentityProvider, clock: LaterClock
) -> None:
    """Until the first set has come a token is not refused: nobody can tell; then it is checked."""
    provider.answer = _error
    with pytest.raises(KeysUnavailable):
        await authority.check(_token("one"))
    provider.answer = provider._publish
    clock.later += EXTRA_S

    assert (await authority.check(_token("one"))).subject == "u"


@pytest.fixture(name="ca")
def _ca(tmp_path: Path) -> tuple[trustme.CA, Path]:
    """A certificate authority, and the file of its certificate."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    return ca, tmp_path / "ca.pem"


async def test_https_with_a_certificate_that_is_trusted(ca: tuple[trustme.CA, Path]) -> None:
    """A document by https is fetched where the system trusts the certificate, and is refused where not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca[0].issue_cert("localhost").configure_cert(context)
    async with IdentityProvider(KEYS.document("one"), context) as provider:
        with pytest.raises(KeysUnavailable, match="cannot be fetched: ClientConnectorCertificateError"):
            await fetch_keys(provider.address)
        program = (
            "import asyncio, sys; from gateway.wires.keyfetch import fetch_keys; "
            "print(asyncio.run(fetch_keys(sys.argv[1])).decode())"
        )
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program, provider.address),
            env={**os.environ, "SSL_CERT_FILE": str(ca[1])},
            cwd=Path(__file__).parents[2],
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await child.communicate()
    assert output.strip() == KEYS.document("one")


async def test_nobody_listens() -> None:
    """An address where nobody listens says so without its path."""
    provider = IdentityProvider()
    await provider.up()
    await provider.down()

    with pytest.raises(KeysUnavailable, match="cannot be fetched: ClientConnectorError") as caught:
        await fetch_keys(provider.address)
    assert "keys.json" not in str(caught.value)
