"""What can never succeed is raised as one typed error after one attempt; what may be there later is retried.

With asyncio and without.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

import pytest
import trustme

from scripted import DEADLINE, Peer, gateway, welcome
from tickwire_client import BadAddress, NotTrusted, Refused, TokenRefused, Unreachable, connect
from tickwire_client.sync import connect as connect_sync

SECRET: Final = "s3cr3t"  # noqa: S105 - nobody else's

Enter = Callable[[str, list[str], float], Awaitable[None]]


async def _asynchronously(url: str, attempts: list[str], timeout: float) -> None:  # noqa: ASYNC109 - the client's
    async with connect(url, token=SECRET, timeout=timeout, on_attempt=attempts.append) as feed:
        await anext(feed.subscribe("AAPL"))


async def _synchronously(url: str, attempts: list[str], timeout: float) -> None:  # noqa: ASYNC109 - the client's
    def program() -> None:
        with connect_sync(url, token=SECRET, timeout=timeout, on_attempt=attempts.append) as feed:
            next(feed.subscribe("AAPL", timeout=DEADLINE))

    await asyncio.to_thread(program)


both = pytest.mark.parametrize("enter", [_asynchronously, _synchronously])


async def _nobody(peer: Peer) -> None:
    raise NotImplementedError


async def _raised(enter: Enter, url: str, kind: type[Exception]) -> str:
    """Return the sentence of the one error that *enter* raises after one attempt."""
    attempts: list[str] = []
    with pytest.raises(kind) as caught:
        await enter(url, attempts, DEADLINE)
    assert type(caught.value) is kind
    assert len(attempts) <= 1
    assert SECRET not in str(caught.value)
    return str(caught.value)


@asynccontextmanager
async def _says(text: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve *text* to whoever connects; yield the port."""

    def said(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(text)
        writer.close()

    server = await asyncio.start_server(said, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


@both
@pytest.mark.parametrize("url", ["ftp://host", "ws://", "ws://host:seven", "wss://u:p@host/v1/stream"])
async def test_no_address(enter: Enter, url: str) -> None:
    """What is no address."""
    assert "wss://HOST/v1/stream" in await _raised(enter, url, BadAddress)


@both
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (HTTPStatus.OK, Refused),
        (HTTPStatus.MOVED_PERMANENTLY, Refused),
        (HTTPStatus.UNAUTHORIZED, TokenRefused),
        (HTTPStatus.FORBIDDEN, Refused),
        (HTTPStatus.NOT_FOUND, Refused),
    ],
)
async def test_status(enter: Enter, status: HTTPStatus, kind: type[Refused]) -> None:
    """An HTTP status that says: not here, or not you."""
    async with gateway(_nobody, refuse=status) as url:
        assert f"HTTP {status.value}" in await _raised(enter, url, kind)


@both
@pytest.mark.parametrize(("code", "kind"), [(4501, TokenRefused), (4503, Refused), (1008, Refused)])
async def test_close_code(enter: Enter, code: int, kind: type[Refused]) -> None:
    """A close code that says: fix this first."""

    async def script(peer: Peer) -> None:
        await peer.socket.close(code)

    async with gateway(script) as url:
        assert str(code) in await _raised(enter, url, kind)


@both
async def test_token_wanted(enter: Enter) -> None:
    """A token that ran out and cannot be renewed, being text."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome(auth="ok"))
        await peer.socket.close(4401, "token expired")

    async with gateway(script) as url:
        assert "4401: token expired" in await _raised(enter, url, TokenRefused)


@both
async def test_no_web_server(enter: Enter) -> None:
    """A port where something else listens."""
    async with _says(b"SSH-2.0-OpenSSH_9.2\r\n") as port:
        assert "no WebSocket server" in await _raised(enter, f"ws://127.0.0.1:{port}", Refused)


@both
async def test_no_tls(enter: Enter) -> None:
    """TLS to a port that does not speak it."""
    async with _says(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        assert "TLS" in await _raised(enter, f"wss://127.0.0.1:{port}", NotTrusted)


@both
async def test_unknown_authority(enter: Enter) -> None:
    """A certificate that nobody vouches for."""
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(theirs)
    async with _says(b"", theirs) as port:
        assert "CERTIFICATE_VERIFY_FAILED" in await _raised(enter, f"wss://127.0.0.1:{port}", NotTrusted)


@both
async def test_nobody_listens(enter: Enter) -> None:
    """A host where nobody listens may be started later: it is tried again until `timeout`, then `Unreachable`."""
    attempts: list[str] = []
    with pytest.raises(Unreachable, match=r"no gateway within 0\.8 s; .*Connect call failed"):
        await enter("ws://127.0.0.1:1", attempts, 0.8)
    assert len(attempts) > 1
    assert set(attempts) == {"ws://127.0.0.1:1/v1/stream"}
