"""What a feed tells monitors: attempts, certificates, and how connections end; against a scripted gateway."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest
import trustme

from scripted import Peer, eventually, frame, gateway, welcome
from tickwire_client import Ending, NotTrusted, Status, connect

NOTHING_LISTENS = "ws://127.0.0.1:1/v1/stream"


async def _ends_at_once(peer: Peer) -> None:
    """Close or break the first connections, each in another way; stay with the last."""
    if peer.number == 1:
        await peer.say(welcome())
        await peer.socket.close(1012, "restart")
    elif peer.number == 2:
        await peer.say(welcome())
        peer.socket.transport.abort()
    else:
        await peer.say(welcome())
        await peer.gone()


async def test_endings() -> None:
    """How a connection ended, or why there was none, is said in words for programs too, with the code."""
    said: list[Status] = []
    async with (
        gateway(_ends_at_once, refuse=HTTPStatus.SERVICE_UNAVAILABLE, refusals=1) as url,
        connect([url, NOTHING_LISTENS], on_status=said.append, timeout=None),
    ):
        await eventually(lambda: [one.feed for one in said].count("connected") == 3)

    ends = [
        (one.how, one.code) for one in said if one.feed == "disconnected" and one.how is not Ending.UNREACHABLE
    ]
    assert ends == [(Ending.BUSY, 503), (Ending.CLOSED, 1012), (Ending.GONE, None)]
    assert Ending.UNREACHABLE in {one.how for one in said}


async def test_no_token() -> None:
    """A function that fails to yield a token is told apart from a gateway that is away."""
    said: list[Status] = []

    def token() -> str:
        if not said:
            raise OSError("no such file")
        return "x"

    async def script(peer: Peer) -> None:
        await peer.say(welcome(auth="ok"))
        await peer.gone()

    async with gateway(script) as url, connect(url, token=token, on_status=said.append):
        assert [one.how for one in said] == [Ending.NO_TOKEN, None]


async def test_silence() -> None:
    """A connection that this side gave up because nothing came is told apart from one that broke."""
    said: list[Status] = []

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.gone()

    async with gateway(script) as url, connect(url, silence_s=0.2, on_status=said.append):
        await eventually(lambda: Ending.SILENT in {one.how for one in said})


async def test_certificate() -> None:
    """The gateway's certificate, and the attempt before it, are said of each connection before its frames."""
    said: list[tuple[str, Any]] = []

    def certified(certificate: Mapping[str, Any]) -> None:
        said.append(("certificate", ssl.cert_time_to_seconds(certificate["notAfter"])))

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.gone()

    authority = trustme.CA()
    end = datetime.now(tz=UTC).replace(microsecond=0) + timedelta(days=3)
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1", not_after=end).configure_cert(theirs)
    authority.configure_trust(ours)
    async with (
        gateway(script, tls=theirs) as url,
        connect(
            url,
            ssl=ours,
            on_attempt=lambda url: said.append(("attempt", url)),
            on_certificate=certified,
            on_connection=lambda url: said.append(("connection", url)),
        ),
    ):
        assert said == [("attempt", url), ("certificate", end.timestamp()), ("connection", url)]


async def test_no_certificate() -> None:
    """Without TLS there is no certificate to speak of."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.gone()

    said: list[Mapping[str, Any]] = []
    async with gateway(script) as url, connect(url, on_certificate=said.append) as feed:
        assert feed.connected

    assert said == []


async def test_not_trusted() -> None:
    """A refusal because of the certificate is a type of its own."""

    async def script(peer: Peer) -> None:
        raise NotImplementedError

    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(theirs)
    async with gateway(script, tls=theirs) as url:
        with pytest.raises(NotTrusted, match="CERTIFICATE_VERIFY_FAILED"):
            async with connect(url):
                pytest.fail("nobody vouches for it")


async def test_pings() -> None:
    """After the first four, pings are as far apart as the owner wants, and not 30 s."""
    came: list[int] = []

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        while len(came) < 7:
            command = await peer.command("ping")
            came.append(command["id"])
            await peer.say(frame("pong", id=command["id"], server_time=1))
        await peer.gone()

    async with gateway(script) as url, connect(url, ping_s=0.05):
        await eventually(lambda: len(came) == 7)
