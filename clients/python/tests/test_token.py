"""Tokens: shown, renewed, refused, never written down; against a real WebSocket server that speaks a script."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from http import HTTPStatus

import pytest

from scripted import Peer, frame, gateway, snapshot, tick, welcome
from tickwire_client import NotEntitled, Refused, TokenRefused, Unreachable, connect
from tickwire_client.connection import Options

SECRET = "s3cr3t"  # noqa: S105 - nobody else's


async def _nobody(peer: Peer) -> None:
    raise NotImplementedError


async def test_token() -> None:
    """The token is asked for before each connection, and again when it expires."""
    tokens = iter(["one", "two", "three"])
    refreshed = asyncio.Event()

    async def script(peer: Peer) -> None:
        if peer.number == 1:
            assert peer.headers["Authorization"] == "Bearer one"
            await peer.socket.close(4401, "token expired")
            return
        assert peer.headers["Authorization"] == "Bearer two"
        await peer.say(welcome(auth="ok"), frame("authorized", expires=1, limits={}))
        command = await peer.command("auth")
        assert command == {"op": "auth", "id": command["id"], "token": "three"}
        await peer.say(frame("authorized", id=command["id"], expires=2, limits={}))
        refreshed.set()
        await peer.gone()

    async def token() -> str:
        return next(tokens)

    async with gateway(script) as url, connect(url, token=token):
        await refreshed.wait()


async def test_first_message() -> None:
    """Where the header did not arrive, the same token goes into the first message, before any subscription."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome(auth="required"))
        command = await peer.command("auth")
        assert command["token"] == SECRET
        await peer.say(frame("authorized", id=command["id"], expires=None, limits={}))
        await peer.serve(snapshot(7, tick("AAPL", 5)), AAPL=None)
        await peer.gone()

    async with gateway(script) as url, connect(url, token=SECRET) as feed:
        assert (await anext(feed.subscribe("AAPL"))).seq == 5


async def test_no_token() -> None:
    """A gateway that asks for a token where none was given is refused at once, with a sentence that says so."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome(auth="required"))
        await peer.gone()

    async with gateway(script) as url, connect(url) as feed:
        with pytest.raises(TokenRefused, match="asks for a token, and none was given"):
            await anext(feed.subscribe("AAPL"))


@pytest.mark.parametrize("again", [True, False])
async def test_expired(*, again: bool) -> None:
    """After 4401 a token that a function makes is tried again with a new one, one that is text is refused."""
    tokens = iter(["old", "new"])

    async def script(peer: Peer) -> None:
        await peer.say(welcome(auth="ok"))
        if peer.headers["Authorization"] == "Bearer old":
            await peer.socket.close(4401, "token expired")
        else:
            await peer.serve(snapshot(7, tick("AAPL", 5)), AAPL=None)
            await peer.gone()

    async with gateway(script) as url, connect(url, token=(lambda: next(tokens)) if again else "old") as feed:
        subscription = feed.subscribe("AAPL")
        if again:
            assert (await anext(subscription)).seq == 5
        else:
            with pytest.raises(TokenRefused, match="4401: token expired") as caught:
                await anext(subscription)
            assert caught.value.code == 4401


@pytest.mark.parametrize(
    ("code", "kind"), [(4501, TokenRefused), (4503, Refused)], ids=["token refused", "forbidden"]
)
async def test_refused(code: int, kind: type[Refused]) -> None:
    """A close that says that the token, or the client, is not wanted is not tried again, even by a function."""
    connections = 0

    async def script(peer: Peer) -> None:
        nonlocal connections
        connections += 1
        await peer.socket.close(code)

    async with gateway(script) as url:
        with pytest.raises(Refused, match=str(code)) as caught:
            async with connect(url, token=lambda: SECRET):
                pytest.fail("the token lets nobody in")

    assert (type(caught.value), caught.value.code, connections) == (kind, code, 1)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "kind"), [(HTTPStatus.UNAUTHORIZED, TokenRefused), (HTTPStatus.FORBIDDEN, Refused)]
)
async def test_refused_by_status(status: HTTPStatus, kind: type[Refused]) -> None:
    """HTTP 401 is a refused token, 403 another refusal; neither is tried again."""
    async with gateway(_nobody, refuse=status) as url:
        with pytest.raises(Refused, match=f"HTTP {status.value}") as caught:
            async with connect(url, token=SECRET):
                pytest.fail("the token lets nobody in")

    assert (type(caught.value), caught.value.status) == (kind, status)


@pytest.mark.parametrize("status", [HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE])
async def test_retry_after(status: HTTPStatus) -> None:
    """HTTP 429 and 503 are waited out for as long as they say."""
    began = time.monotonic()

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.gone()

    async with gateway(script, refuse=status, refusals=1, headers={"Retry-After": "1"}) as url, connect(url):
        assert 1.0 <= time.monotonic() - began < 5.0


async def test_function_that_fails() -> None:
    """A function that cannot make a token now is asked again, and its error is the reason meanwhile."""
    answers: Iterator[Exception | str] = iter([RuntimeError("the issuer is away"), "one"])

    async def token() -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def script(peer: Peer) -> None:
        assert peer.headers["Authorization"] == "Bearer one"
        await peer.say(welcome(auth="ok"))
        await peer.gone()

    reasons: list[str | None] = []
    async with gateway(script) as url, connect(url, token=token, on_status=lambda one: reasons.append(one.reason)):
        assert reasons == ["no token: RuntimeError: the issuer is away", None]


async def test_function_that_always_fails() -> None:
    """Without a token in time, entering fails with the function's error."""

    def token() -> str:
        raise RuntimeError("the issuer is away")

    async with gateway(_nobody) as url:
        with pytest.raises(Unreachable, match="no token: RuntimeError: the issuer is away"):
            async with connect(url, token=token, timeout=0.3):
                pytest.fail("there is no token")


@pytest.mark.parametrize("token", ["a\r\nX-Evil: 1", "two words", "kéy"])
async def test_not_a_token(token: str) -> None:
    """A token that cannot stand in a header is refused without a connection, and not repeated."""
    async with gateway(_nobody) as url:
        with pytest.raises(TokenRefused) as caught:
            async with connect(url, token=token):
                pytest.fail("this is no token")

    assert token not in str(caught.value)


async def test_entitlement_shrinks() -> None:
    """A symbol that the token allows no longer ends its subscription with its own error, and no other one."""
    follow = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.say(welcome(auth="ok"))
        await peer.serve(snapshot(7, tick("AAPL", 5), tick("MSFT", 1)), AAPL=None, MSFT=None)
        await follow.wait()
        await peer.say(frame("unsubscribed", id=None, symbols=["AAPL"], reason="not_entitled"))
        await peer.say(snapshot(7, tick("MSFT", 2)))
        await peer.gone()

    async with gateway(script) as url, connect(url, token=SECRET) as feed:
        lost, kept = feed.subscribe("AAPL"), feed.subscribe("MSFT")
        await anext(lost)
        await anext(kept)
        follow.set()
        with pytest.raises(NotEntitled, match="AAPL: not entitled"):
            await anext(lost)
        assert (await anext(kept)).seq == 2


async def test_never_written_down(caplog: pytest.LogCaptureFixture) -> None:
    """No log line, not even of the WebSocket library at DEBUG, no recorder and no repr has the token."""
    caplog.set_level(logging.DEBUG)
    recorded: list[str] = []
    said = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.say(welcome(auth="ok"), frame("authorized", expires=1, limits={}))
        assert (await peer.command("auth"))["token"] == SECRET
        said.set()
        await peer.gone()

    async with gateway(script) as url, connect(url, token=lambda: SECRET, on_command=recorded.append):
        await said.wait()

    ours = [record.getMessage() for record in caplog.records if record.name != "websockets.server"]
    assert any('"op":"auth"' in text for text in recorded)
    assert SECRET not in "\n".join([*ours, *recorded, repr(Options(SECRET))])
