"""Who may come in, over real sockets: tokens, origins and limits at the handshake and afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any, Final

import aiohttp
import pytest

from gateway.admission.authority import Reason
from gateway.admission.entitlement import Entitlement
from gateway.admission.refusal import Handshake
from gateway.closing import (
    FORBIDDEN,
    NORMAL,
    OVERLOADED,
    RESTART,
    TOKEN_EXPIRED,
    TOKEN_REFUSED,
    Close,
)
from services.market.symbol import Symbol
from tests.admission import Known
from tests.eventually import eventually
from tests.integration.test_gateway_session import Gateway, gateway

ALICE: Final = Entitlement(subject="alice", names=frozenset({Symbol("AAPL")}), max_symbols=7, max_rate=5)
MORE: Final = Entitlement(subject="alice", prefixes=("",))
BOB: Final = Entitlement(subject="bob", prefixes=("",))
KNOWN: Final[Known] = {
    "alice": ALICE,
    "alice-more": MORE,
    "bob": BOB,
    "old": Reason.EXPIRED,
    "revoked": Reason.REVOKED,
}
V1: Final = "tickwire.v1"


@contextlib.asynccontextmanager
async def visitor() -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client of its own."""
    async with aiohttp.ClientSession() as session:
        yield session


def bearer(token: str) -> dict[str, str]:
    """The header that carries *token*."""
    return {"Authorization": f"Bearer {token}"}


async def turned_away(server: Gateway, **options: Any) -> tuple[int, dict[str, str]]:
    """Return the HTTP status and the headers that a handshake gets which must not succeed."""
    async with visitor() as http:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(server.url, **options)
    headers = refused.value.headers
    return refused.value.status, dict(headers) if headers else {}


async def closed(server: Gateway, *protocols: str, **options: Any) -> tuple[int | None, str | None]:
    """Return the close code and the subprotocol of a connection that is upgraded and then refused."""
    async with visitor() as http, http.ws_connect(server.url, protocols=(V1, *protocols), **options) as client:
        message = await client.receive(timeout=5)
        assert message.type is aiohttp.WSMsgType.CLOSE, message
        return client.close_code, client.protocol


async def frames(client: aiohttp.ClientWebSocketResponse, count: int) -> list[dict[str, Any]]:
    """Return the next frames that are no heartbeats."""
    return [await client.receive_json(timeout=5) for _ in range(count)]


async def code(client: aiohttp.ClientWebSocketResponse) -> int | None:
    """Return the close code, whatever is said before."""
    while (await client.receive(timeout=5)).type is aiohttp.WSMsgType.TEXT:
        pass
    return client.close_code


async def test_a_token_in_a_header() -> None:
    """A token in `Authorization` opens the connection, with the limits that it names."""
    async with gateway(known=KNOWN) as server, visitor() as http:
        async with http.ws_connect(server.url, headers=bearer("alice")) as client:
            welcome = await client.receive_json(timeout=5)
            assert server.feed.clients[0].entitlement is ALICE
        assert welcome["auth"] == "ok"
        assert (welcome["limits"]["symbols"], welcome["limits"]["max_rate"]) == (7, [0.1, 5])
        assert server.counters.handshakes[Handshake.OK] == 1


async def test_a_token_in_a_subprotocol() -> None:
    """A token in a subprotocol opens the connection, and only the protocol's own name is said back."""
    async with (
        gateway(known=KNOWN) as server,
        visitor() as http,
        http.ws_connect(server.url, protocols=(V1, "bearer.alice")) as client,
    ):
        assert (await client.receive_json(timeout=5))["auth"] == "ok"
        assert client.protocol == V1


@pytest.mark.parametrize(
    ("token", "close", "handshake", "reason"),
    [
        ("old", TOKEN_EXPIRED, Handshake.EXPIRED, Reason.EXPIRED),
        ("revoked", TOKEN_REFUSED, Handshake.REFUSED, Reason.REVOKED),
        ("nobody", TOKEN_REFUSED, Handshake.REFUSED, Reason.SIGNATURE),
    ],
)
async def test_a_refused_token(token: str, close: Close, handshake: Handshake, reason: Reason) -> None:
    """A token that lets nobody in is answered 401, or closed with its code where a browser must see it."""
    async with gateway(known=KNOWN) as server:
        status, headers = await turned_away(server, headers=bearer(token))
        assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
        assert await closed(server, f"bearer.{token}") == (close.code, V1)
        assert server.counters.handshakes[handshake] == 2
        assert (server.counters.tokens_refused[reason], server.counters.tokens_accepted) == (2, 0)
        assert server.feed.clients == []


@pytest.mark.parametrize("header", ["Basic YWxpY2U6eA==", "Bearer", "Bearer ", "alice", ""])
async def test_other_authorization(header: str) -> None:
    """An Authorization header without a bearer's token is refused, not taken for none."""
    async with gateway(known=KNOWN) as server:
        assert (await turned_away(server, headers={"Authorization": header}))[0] == 401
        assert server.counters.tokens_refused[Reason.MALFORMED] == 1


async def test_no_token_belongs_into_a_url() -> None:
    """A URL with what looks like a token is refused, and the answer does not repeat it."""
    async with gateway(known=KNOWN) as server, visitor() as http:
        for name in ("token", "access_token", "API_KEY"):
            async with http.get(f"{server.url}?{name}=alice") as answer:
                text = await answer.text()
                assert (answer.status, "alice" in text) == (400, False)


async def test_keys_that_cannot_be_had() -> None:
    """While nobody can check tokens, clients are told to come back later."""
    async with gateway(known=KNOWN) as server:
        server.authority.down = True
        status, headers = await turned_away(server, headers=bearer("alice"))
        assert (status, headers["Retry-After"]) == (503, "5")
        assert await closed(server, "bearer.alice") == (OVERLOADED.code, V1)
        assert server.counters.handshakes[Handshake.UNKNOWABLE] == 2


async def test_the_first_message_may_carry_the_token() -> None:
    """Before its token a client may say `auth` and `ping` only; after it, what the token allows."""
    async with gateway(known=KNOWN) as server, visitor() as http, http.ws_connect(server.url) as client:
        assert (await client.receive_json(timeout=5))["auth"] == "required"
        await client.send_json({"op": "subscribe", "id": 1, "symbols": ["AAPL"]})
        await client.send_json({"op": "ping", "id": 2})
        refused, pong = await frames(client, 2)
        assert (refused["code"], pong["op"]) == ("auth_required", "pong")
        assert server.counters.handshakes[Handshake.OK] == 0

        await client.send_json({"op": "auth", "id": 3, "token": "alice"})
        (authorized,) = await frames(client, 1)
        assert (authorized["op"], authorized["id"], authorized["expires"]) == ("authorized", 3, None)
        assert authorized["limits"]["symbols"] == 7
        assert server.feed.clients[0].entitlement is ALICE
        assert server.counters.handshakes[Handshake.OK] == 1


async def test_what_comes_behind_a_token_waits_for_it() -> None:
    """Commands behind an `auth` are obeyed in order once its token is checked, however long that takes."""
    async with gateway(known=KNOWN) as server, visitor() as http, http.ws_connect(server.url) as client:
        await client.receive_json(timeout=5)
        server.authority.open.clear()
        await client.send_json({"op": "auth", "id": 1, "token": "alice"})
        await eventually(lambda: server.authority.asked == 1)
        for command_id in range(2, 30):
            await client.send_json({"op": "subscribe", "id": command_id, "symbols": ["AAPL"]})
        server.authority.open.set()

        assert [frame["id"] for frame in await frames(client, 29)] == list(range(1, 30))
        assert server.counters.handshakes[Handshake.OK] == 1


@pytest.mark.slow
async def test_who_leaves_while_a_token_is_checked_leaves_no_trace() -> None:
    """Clients that go before their token was checked take none of their subject's connections for ever."""
    async with gateway(known=KNOWN, max_per_subject=1) as server, visitor() as http:
        server.authority.open.clear()
        for asked in (1, 2):
            async with http.ws_connect(server.url) as client:
                await client.send_json({"op": "auth", "id": 1, "token": "alice"})
                await eventually(lambda asked=asked: server.authority.asked == asked)  # type: ignore[misc]
        await eventually(lambda: len(server.sessions) == 0)
        server.authority.open.set()
        async with http.ws_connect(server.url, headers=bearer("alice")) as client:
            assert (await client.receive_json(timeout=5))["auth"] == "ok"


async def test_a_token_must_come_in_time() -> None:
    """A client that shows no token in time is closed with 4501, and counted as one without a token."""
    async with gateway(known=KNOWN, auth_s=0.5) as server, visitor() as http:
        async with http.ws_connect(server.url) as client:
            began = time.monotonic()
            assert await code(client) == TOKEN_REFUSED.code
            assert 0.4 < time.monotonic() - began < 2
        assert server.counters.handshakes[Handshake.NO_TOKEN] == 1


async def test_a_newcomer_with_a_bad_token_is_closed() -> None:
    """The first token is the only one: a bad one ends the connection with its code."""
    async with gateway(known=KNOWN) as server, visitor() as http:
        for token, close in (("nobody", TOKEN_REFUSED), ("old", TOKEN_EXPIRED)):
            async with http.ws_connect(server.url) as client:
                await client.send_json({"op": "auth", "id": 1, "token": token})
                assert await code(client) == close.code


async def test_who_leaves_without_a_token_is_counted() -> None:
    """A client that goes before it showed a token is no handshake that succeeded."""
    async with gateway(known=KNOWN) as server, visitor() as http:
        async with http.ws_connect(server.url):
            pass
        await eventually(lambda: server.counters.handshakes[Handshake.NO_TOKEN] == 1)
        assert server.counters.handshakes[Handshake.OK] == 0


async def test_a_token_is_renewed_in_band() -> None:
    """Another token of the same subject takes the place of the first; one of somebody else changes nothing."""
    async with (
        gateway(known=KNOWN) as server,
        visitor() as http,
        http.ws_connect(server.url, headers=bearer("alice")) as client,
    ):
        await client.receive_json(timeout=5)
        for command_id, token in enumerate(("bob", "nobody", "old", "alice-more"), 1):
            await client.send_json({"op": "auth", "id": command_id, "token": token})
        answers = await frames(client, 4)
        assert [answer.get("code", answer["op"]) for answer in answers] == [
            "token_refused",
            "token_refused",
            "token_refused",
            "authorized",
        ]
        assert server.feed.clients[0].entitlement is MORE
        assert server.counters.tokens_refused[Reason.SUBJECT] == 1
        assert server.counters.tokens_accepted == 2


async def test_a_token_ends_with_a_warning() -> None:
    """A token is warned of when less than 60 s are left, and its connection ends with 4401 when it has expired."""
    expires = time.time() + 1.5
    known = {"brief": Entitlement(subject="x", expires=expires, prefixes=("",))}
    async with (
        gateway(known=known, jwt_leeway_s=0) as server,
        visitor() as http,
        http.ws_connect(server.url, headers=bearer("brief")) as client,
    ):
        await client.receive_json(timeout=5)
        (warning,) = await frames(client, 1)
        assert (warning["op"], warning["id"]) == ("authorized", None)
        assert warning["expires"] == round(expires * 1e6)
        assert await code(client) == TOKEN_EXPIRED.code
        assert 0 <= time.time() - expires < 1


async def test_a_refresh_outlives_the_first_token() -> None:
    """A connection whose token was renewed stays beyond the end of the first one."""
    known = {
        "brief": Entitlement(subject="x", expires=time.time() + 1, prefixes=("",)),
        "long": Entitlement(subject="x", expires=time.time() + 3600, prefixes=("",)),
    }
    async with (
        gateway(known=known, jwt_leeway_s=0) as server,
        visitor() as http,
        http.ws_connect(server.url, headers=bearer("brief")) as client,
    ):
        await frames(client, 2)
        await client.send_json({"op": "auth", "id": 1, "token": "long"})
        await frames(client, 1)
        with pytest.raises(TimeoutError):
            await client.receive(timeout=1.6)
        await client.send_json({"op": "ping", "id": 2})
        assert (await frames(client, 1))[0]["op"] == "pong"


async def test_a_connection_grows_old() -> None:
    """A connection that has had its time is told to come back, and closed with 1012."""
    async with gateway(age_s=1) as server, visitor() as http, http.ws_connect(server.url) as client:
        _, goodbye = await frames(client, 2)
        assert (goodbye["op"], goodbye["reason"]) == ("reconnect", "age")
        assert await code(client) == RESTART.code


async def test_a_revoked_token_ends_its_connection() -> None:
    """Whoever is told to end a session does so with 4501 and leaves the other ones alone."""
    async with (
        gateway(known=KNOWN) as server,
        visitor() as http,
        http.ws_connect(server.url, headers=bearer("alice")) as client,
        http.ws_connect(server.url, headers=bearer("bob")) as other,
    ):
        await client.receive_json(timeout=5)
        await other.receive_json(timeout=5)
        for session in tuple(server.sessions):
            if session.seat is not None and session.seat.subject == "alice":
                session.end(TOKEN_REFUSED)
        assert await code(client) == TOKEN_REFUSED.code
        await other.send_json({"op": "ping", "id": 1})
        assert (await frames(other, 1))[0]["op"] == "pong"


async def test_a_page_of_somebody_else_is_refused() -> None:
    """A page of another origin is turned away whatever token it has; one of this host, and no browser, come in."""
    async with gateway() as server, visitor() as http:
        foreign = {"Origin": "https://evil.example"}
        assert (await turned_away(server, headers=foreign))[0] == 403
        assert await closed(server, headers=foreign) == (FORBIDDEN.code, V1)
        assert server.counters.handshakes[Handshake.ORIGIN] == 2
        own = {"Origin": f"http://127.0.0.1:{server.port}"}
        async with http.ws_connect(server.url, headers=own) as client:
            assert (await client.receive_json(timeout=5))["op"] == "welcome"


async def test_listed_origins_may_connect() -> None:
    """With a list of origins exactly those may connect."""
    async with gateway(origins=("https://good.example",)) as server, visitor() as http:
        async with http.ws_connect(server.url, headers={"Origin": "https://good.example"}) as client:
            assert (await client.receive_json(timeout=5))["op"] == "welcome"
        for other in (f"http://127.0.0.1:{server.port}", "https://good.example.evil.example", "null"):
            assert (await turned_away(server, headers={"Origin": other}))[0] == 403


async def test_an_address_has_so_many_connections() -> None:
    """One address may have so many connections; the place of one that ends is free again."""
    async with gateway(max_per_address=2) as server, visitor() as http:
        first = await http.ws_connect(server.url)
        second = await http.ws_connect(server.url)
        status, headers = await turned_away(server)
        assert (status, headers["Retry-After"]) == (429, "5")
        assert await closed(server) == (OVERLOADED.code, V1)
        assert server.counters.handshakes[Handshake.ADDRESS_FULL] == 2
        await second.close()
        await eventually(lambda: len(server.sessions) == 1)
        third = await http.ws_connect(server.url)
        await third.close()
        await first.close()
        assert first.close_code == NORMAL.code


async def test_an_address_knocks_so_often() -> None:
    """Handshakes beyond the rate of their address are told when to come back."""
    async with gateway(handshake_rate=0.1, handshake_burst=2) as server, visitor() as http:
        for _ in range(2):
            await (await http.ws_connect(server.url)).close()
        status, headers = await turned_away(server)
        assert status == 429
        assert 8 <= int(headers["Retry-After"]) <= 11
        assert server.counters.handshakes[Handshake.TOO_FAST] == 1


async def test_a_subject_has_so_many_connections() -> None:
    """One subject may have so many connections, whether its token comes with the handshake or afterwards."""
    async with gateway(known=KNOWN, max_per_subject=1) as server, visitor() as http:
        async with http.ws_connect(server.url, headers=bearer("alice")) as first:
            await first.receive_json(timeout=5)
            assert (await turned_away(server, headers=bearer("alice-more")))[0] == 429
            async with http.ws_connect(server.url) as late:
                await late.send_json({"op": "auth", "id": 1, "token": "alice"})
                assert await code(late) == OVERLOADED.code
            async with http.ws_connect(server.url, headers=bearer("bob")) as other:
                assert (await other.receive_json(timeout=5))["auth"] == "ok"
        assert server.counters.handshakes[Handshake.SUBJECT_FULL] == 2
        await eventually(lambda: len(server.sessions) == 0)
        async with http.ws_connect(server.url, headers=bearer("alice")) as again:
            assert (await again.receive_json(timeout=5))["auth"] == "ok"


async def test_tokens_are_checked_one_by_one() -> None:
    """A flood of `auth` is read no faster than tokens are checked, and ends as one of commands."""
    async with (
        gateway(known=KNOWN, command_burst=20, command_rate=1) as server,
        visitor() as http,
        http.ws_connect(server.url, headers=bearer("alice")) as client,
    ):
        await client.receive_json(timeout=5)
        server.authority.open.clear()
        for command_id in range(1, 100):
            await client.send_json({"op": "auth", "id": command_id, "token": "nobody"})
        await eventually(lambda: server.authority.asked == 2)
        await asyncio.sleep(0)
        assert server.authority.asked == 2
        server.authority.open.set()
        assert await code(client) == 4429
        assert server.authority.asked <= 22
