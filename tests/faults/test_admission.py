"""Who must not come in, or not any more: bad tokens, other sites' pages, expiry, revocation, new keys (F26).

Two gateways that want to see a token, a real identity provider, and a hundred honest clients with tokens of their
own, of whom none may be dropped or miss a tick whatever is tried beside them.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from tests.checker import Checker
from tests.conftest import clean
from tests.faults.badtokens import bad_tokens
from tests.faults.figures import Figures
from tests.faults.honest import SYMBOLS, Honest
from tests.faults.raider import Raider
from tests.issuer import AUDIENCE, ISSUER, IdentityProvider, Issuer
from tests.stack import Stack, Tickwire
from tests.streamclient import StreamClient

LEEWAY_S: Final = 1.0
EXPIRY_S: Final = 5.0
REVOKED_S: Final = 2.0
AUTH_S: Final = 1.0
TICKETS: Final = 50
SECRET: Final = "a secret of tests, as long as one has to be"  # noqa: S105 - of tests
NEVER_LOGGED: Final = ("eyJ", "twt_", SECRET)
"""How each token and ticket begins, and what signs the tickets."""
V1: Final = "Sec-WebSocket-Protocol: tickwire.v1"
TOO_LONG: Final = 100_000

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]


@dataclass(frozen=True, slots=True)
class Guarded:
    """The honest clients, who issued their tokens, and what a gateway is told of it."""

    honest: Honest
    issuer: Issuer
    idp: IdentityProvider
    settings: dict[str, object]
    folder: Path

    def token(self, name: str = "one", **claims: Any) -> str:
        """Return a token that is good where *claims* say nothing else."""
        return self.issuer.token(time.time(), name, **claims)

    async def another(self, **settings: object) -> Tickwire:
        """Start one more gateway: what was asked of the others, and when, shall not count."""
        gateway = await self.honest.stack.gateway(**{**self.settings, **settings})
        await gateway.ready()
        return gateway

    def table(self, **given: object) -> Path:
        """Return a file for an attacker."""
        path = self.folder / "table.json"
        path.write_text(json.dumps({"token": self.token(), "table": given}))
        return path


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="guarded")
async def _guarded(amqp_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Guarded]:
    """Two gateways that let only bearers of tokens in."""
    await clean(amqp_url)
    issuer, folder = Issuer(), tmp_path_factory.mktemp("guarded")
    async with IdentityProvider(issuer.document()) as idp, Stack(amqp_url) as stack:
        settings: dict[str, object] = {
            "AUTH": "jwt",
            "JWT_KEYS": idp.address,
            "JWT_ISSUER": ISSUER,
            "JWT_AUDIENCE": AUDIENCE,
            "JWT_LEEWAY_S": LEEWAY_S,
            "TICKET_SECRET": SECRET,
        }

        def token(number: int) -> str:
            return issuer.token(time.time(), sub=f"honest {number}")

        async with Honest(stack, folder, gateways=(settings, settings), token=token) as honest:
            yield Guarded(honest, issuer, idp, settings, folder)
            await honest.settle()
            lines = [str(line) for process in stack.processes for line in process.log]
            assert not [line for line in lines if any(part in line for part in NEVER_LOGGED)]


@pytest.mark.parametrize("seconds", [1.5, pytest.param(15.0, marks=pytest.mark.slow)])
async def test_tokens_that_let_nobody_in(seconds: float, guarded: Guarded, figures: Figures) -> None:
    """Whatever is wrong with a token, wherever it is shown, nobody comes in: 401, or 4501 where pages see it."""
    fault, bad = f"tokens for {seconds:g} s", bad_tokens(guarded.issuer)
    raid = await guarded.honest.under(
        fault, figures, "tokens", clients=8, seconds=seconds, table=guarded.table(**bad)
    )
    ways = {"header": "401", "subprotocol": "close 4501", "message": "close 4501"}
    assert raid.outcomes.keys() == {f"{name} in a {way}: {how}" for name in bad for way, how in ways.items()}
    assert guarded.idp.asked < 10  # whatever keys are made up, the issuer is not asked for each


async def test_endless_and_expired_tokens(guarded: Guarded, figures: Figures) -> None:
    """A token of 100 KB fits nowhere; one that held once is told to be renewed: 4401."""
    table = {"endless": "eyJ" + "x" * TOO_LONG, "expired": guarded.token(exp=time.time() - 60)}
    raid = await guarded.honest.under(
        "tokens, endless and expired", figures, "tokens", clients=4, seconds=1.0, table=guarded.table(**table)
    )
    # What is not read any more of a request is answered by a reset, which may overtake the 400.
    for way in ("header", "subprotocol"):
        assert raid.outcomes.pop(f"endless in a {way}: 400", 0) + raid.outcomes.pop(
            f"endless in a {way}: dropped", 0
        )
    assert raid.outcomes.keys() == {
        "endless in a message: close 1009",
        "expired in a header: 401",
        "expired in a subprotocol: close 4401",
        "expired in a message: close 4401",
    }


async def test_pages_of_other_sites(guarded: Guarded, figures: Figures) -> None:
    """A page of another site gets nothing with its visitor's token: 403, or 4503 where pages see it."""
    port = guarded.honest.gateway.port
    foreign = {
        "another site": "https://evil.example",
        "a name that ends alike": f"http://evil127.0.0.1:{port}",
        "a name that begins alike": f"http://127.0.0.1:{port}.evil.example",
        "another port": f"http://127.0.0.1:{port + 1}",
        "no port": "http://127.0.0.1",
        "another scheme": f"https://127.0.0.1:{port}",
        "another name of this host": f"http://localhost:{port}",
        "a user in it": f"http://127.0.0.1:{port}@evil.example",
        "null": "null",
        "a file": "file://",
        "an extension": "chrome-extension://abcdef",
        "two": f"http://127.0.0.1:{port}, https://evil.example",
        "nothing": "",
    }
    own = {"own": f"http://127.0.0.1:{port}"}
    raid = await guarded.honest.under(
        "cross-site hijack", figures, "origins", clients=4, seconds=1.0, table=guarded.table(**foreign, **own)
    )
    expected = {f"{name}: {how}" for name in foreign for how in ("403", "close 4503")}
    assert raid.outcomes.keys() == expected | {"own: welcome"}


async def test_expiry(guarded: Guarded, figures: Figures) -> None:
    """A token near its end is warned of, and ends its connection soon after it, unless another one came (F26)."""
    stream, http = guarded.honest.gateway.stream, guarded.honest.stack.http
    expires = time.time() + 2
    headers = {"Authorization": f"Bearer {guarded.token(exp=expires)}"}
    async with StreamClient(http, Checker("ends")) as ends, StreamClient(http, Checker("renews")) as renews:
        for client in (ends, renews):
            await client.connect(stream, headers=headers)
            assert await client.subscribe(*SYMBOLS) == {}
        await ends.until(lambda: ends.counts["authorized"])
        (warning,) = (frame for frame in ends.frames if frame["op"] == "authorized")
        assert (warning.get("id"), warning["expires"]) == (None, round(expires * 1e6))
        await renews.answered(await renews.say("auth", token=guarded.token()))
        assert await ends.gone() == 4401
        late = time.time() - (expires + LEEWAY_S)
        figures.within("F26 expiry", "closed after its end and the leeway", late, EXPIRY_S)
        seen = renews.checker.ticks
        await renews.until(lambda: renews.checker.ticks > seen + 200)
        assert renews.connected
        renews.checker.check()
    guarded.honest.unharmed()


async def test_revocation(guarded: Guarded, figures: Figures) -> None:
    """`tickwire revoke` ends a subject's connections on every gateway within 2 s, and lets it in no more (F26)."""
    honest, token = guarded.honest, guarded.token(sub="mallory")
    headers = {"Authorization": f"Bearer {token}"}
    clients = [StreamClient(honest.stack.http, Checker(f"mallory {n}")) for n in range(4)]
    for number, client in enumerate(clients):
        await client.connect(honest.gateways[number % 2].stream, headers=headers)
        assert await client.subscribe(*SYMBOLS[:3]) == {}
    environment = {**os.environ, "TICKWIRE_BROKER_URL": honest.stack.broker_url}
    command = (sys.executable, "-m", "tickwire", "revoke", "--subject", "mallory")
    process = await asyncio.create_subprocess_exec(*command, env=environment)
    assert await process.wait() == 0
    began = time.monotonic()
    codes = Counter([await client.gone() for client in clients])
    figures.within("F26 revocation", "all closed, on two gateways", time.monotonic() - began, REVOKED_S)
    assert codes == {4501: len(clients)}
    for gateway in honest.gateways:
        assert await knocked(gateway, f"Authorization: Bearer {token}") == "401"
        assert await knocked(gateway, f"{V1}, bearer.{token}") == "close 4501"
    figures.told("F26 revocation", "honest clients held", honest.held)
    honest.unharmed()


async def test_keys_change_and_cannot_be_had(guarded: Guarded, figures: Figures) -> None:
    """A new key counts without a restart; while the issuer is down, known keys count on (F26)."""
    gateway, idp, issuer = await guarded.another(), guarded.idp, guarded.issuer
    issuer.keys |= {"two": ("EdDSA", 1), "three": ("ES256", 2)}
    idp.document = issuer.document("one", "two")
    began = time.monotonic()
    assert await knocked(gateway, f"Authorization: Bearer {guarded.token('two')}") == "welcome"
    figures.within("F26 keys rotated", "the first token of a new key is let in", time.monotonic() - began, 3.0)
    await idp.down()
    asked = idp.asked
    outcomes: Counter[str] = Counter()
    for number in range(100):
        issuer.keys[f"made up {number}"] = ("ES256", 3)
        token = guarded.token(f"made up {number}")
        outcomes[await knocked(gateway, f"Authorization: Bearer {token}")] += 1
    figures.told("F26 issuer down", "tokens of made-up keys", outcomes.total())
    assert outcomes.keys() <= {"401", "503"}
    for name in ("one", "two"):
        assert await knocked(gateway, f"Authorization: Bearer {guarded.token(name)}") == "welcome"
    await idp.up()
    figures.within("F26 issuer down", "fetches meanwhile", idp.asked - asked, 1, "")
    guarded.honest.unharmed()


async def test_a_ticket_on_two_gateways_at_once(guarded: Guarded, figures: Figures) -> None:
    """Of two connections that show the same ticket to two gateways in the same moment exactly one comes in."""
    honest = guarded.honest
    tickets = [await ticket(guarded, f"visitor {number}") for number in range(TICKETS)]
    pairs = [[Raider(gateway.port) for gateway in honest.gateways] for _ in tickets]
    await asyncio.gather(*(raider.reach() for pair in pairs for raider in pair))

    async def show(raider: Raider, text: str) -> str:
        status = await raider.knock(path=f"/v1/stream?ticket={text}")
        return await raider.first() if status == "101" else status

    began = time.monotonic()
    found = await asyncio.gather(
        *(show(raider, text) for pair, text in zip(pairs, tickets, strict=True) for raider in pair)
    )
    took = time.monotonic() - began
    for raider in (raider for pair in pairs for raider in pair):
        raider.leave()
    outcomes = Counter(tuple(sorted(pair)) for pair in zip(found[::2], found[1::2], strict=True))
    assert outcomes == {("401", "welcome"): TICKETS}
    figures.told("tickets on two gateways at once", "tickets, each let in once", TICKETS)
    figures.told("tickets on two gateways at once", "time for all", took, "s")
    assert await knocked(honest.gateway, path=f"/v1/stream?ticket={tickets[0]}") == "401"
    assert await knocked(honest.gateway, V1, path=f"/v1/stream?ticket={tickets[0]}") == "close 4501"
    honest.unharmed()


async def test_limits_of_one_address_and_one_subject(guarded: Guarded, figures: Figures) -> None:
    """An address has so many connections and handshakes, a subject so many connections; others do not notice."""
    limits = {"MAX_PER_ADDRESS": 5, "MAX_PER_SUBJECT": 3, "HANDSHAKE_RATE": 1, "HANDSHAKE_BURST": 20}
    gateway = await guarded.another(**limits)
    held: list[Raider] = []

    async def come(source: str, subject: str, *headers: str) -> str:
        raider = Raider(gateway.port, source)
        token = f"Authorization: Bearer {guarded.token(sub=subject)}"
        held.append(raider)
        status = await raider.knock(token, *headers)
        if status != "101":
            assert int(raider.headers["retry-after"]) >= 1
            return status
        return await raider.first()

    by_subject = [await come(f"127.0.0.{n}", "one") for n in (2, 3, 4, 5)]
    assert by_subject == ["welcome", "welcome", "welcome", "429"]
    assert await come("127.0.0.5", "one", V1) == "close 1013"
    by_address = [await come("127.0.0.6", f"each {n}") for n in range(6)]
    assert by_address == ["welcome"] * 5 + ["429"]
    assert await come("127.0.0.6", "each", V1) == "close 1013"
    assert await come("127.0.0.7", "each") == "welcome"
    pace = Counter([await come("127.0.0.6", "each") for _ in range(40)])
    assert pace == {"429": 40}
    assert await gateway.metric("tickwire_handshakes_total", result="too_fast") > 0
    assert await gateway.metric("tickwire_handshakes_total", result="address_full") > 0
    assert await gateway.metric("tickwire_handshakes_total", result="subject_full") > 0
    figures.told("limits of an address and a subject", "connections tried", len(by_subject + by_address) + 43)
    for raider in held:
        raider.leave()
    guarded.honest.unharmed()


async def test_a_token_must_come_in_time(guarded: Guarded, figures: Figures) -> None:
    """A hundred clients that show no token at all are closed with 4501 once the time for it is over."""
    gateway = await guarded.another(AUTH_S=AUTH_S)
    raiders = [Raider(gateway.port) for _ in range(100)]
    began = time.monotonic()
    assert Counter(await asyncio.gather(*(raider.knock() for raider in raiders))) == {"101": 100}
    ends = Counter(await asyncio.gather(*(raider.end() for raider in raiders)))
    figures.within("no token", "all closed", time.monotonic() - began - AUTH_S, EXPIRY_S)
    assert ends == {"close 4501": 100}
    for raider in raiders:
        raider.leave()
    guarded.honest.unharmed()


async def knocked(gateway: Tickwire, *headers: str, path: str = "/v1/stream") -> str:
    """Return what a connection with *headers* comes to; it is dropped again."""
    raider = Raider(gateway.port)
    status = await raider.knock(*headers, path=path)
    found = await raider.first() if status == "101" else status
    raider.leave()
    return found


async def ticket(guarded: Guarded, subject: str) -> str:
    """Return a new ticket."""
    url = f"http://127.0.0.1:{guarded.honest.gateway.port}/v1/ticket"
    headers = {"Authorization": f"Bearer {guarded.token(sub=subject)}"}
    async with guarded.honest.stack.http.post(url, headers=headers) as answer:
        assert answer.status == 201, await answer.text()
        return str((await answer.json())["ticket"])
