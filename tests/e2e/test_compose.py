"""The stack of docker-compose.yml, as a stranger meets it: over wss://localhost."""

from __future__ import annotations

import asyncio
import json
import math
import re
import ssl
from collections.abc import AsyncIterator, Iterator
from typing import Final

import aiohttp
import pytest

from deploy.grafana.__main__ import dashboards
from tests.checker import Checker
from tests.e2e.sockets import client_session
from tests.e2e.stack import GATEWAYS, HISTORIES, NAMED, PRODUCERS, Stack
from tests.e2e.until import SOON, until
from tests.e2e.visitor import Visitor, visitors
from tests.eventually import eventually
from tests.monitoring.questions import questions

pytestmark = pytest.mark.timeout(1500)  # the first test's time holds the build of the image

SYMBOLS: Final = ("AAPL", "MSFT", "NVDA", "AMZN", "JPM")
VISITORS: Final = 4
ENOUGH: Final = 50
"""Ticks that each visitor waits for."""
SELDOM: Final = ("tickwire_gc_pause_seconds",)
"""What happens less than once in 20 s in a stack that nobody loads."""
RECORDED_S: Final = 180.0
"""Until every recording rule has a value: some are recorded once a minute, from what others have recorded."""
_SHOWN_TOKEN: Final = "n0b0dys-t0k3n"  # noqa: S105 - nobody's
_SHOWN: Final = {"15672/tcp", "9090/tcp", "3000/tcp"}
"""Ports of the services that people administer; they stay on the loopback interface."""


async def test_ticks_of_both_gateways(stack: Stack, context: ssl.SSLContext) -> None:
    """Clients of wss://localhost are spread over both gateways and each gets ticks without an unexplained hole."""
    async with visitors(VISITORS, SYMBOLS, url=stack.url, context=context) as guests:
        await eventually(lambda: all(guest.checker.ticks >= ENOUGH for guest in guests), deadline=SOON)
        for guest in guests:
            assert guest.checker.subscribed == set(SYMBOLS)
            assert guest.connections == 1
        sent = await until(
            lambda: stack.values("tickwire_ticks_sent_total"),
            lambda value: len(value) == 2 and min(value.values()) > 0,
        )
    assert set(sent) == {f"{gateway}:9100" for gateway in GATEWAYS}


async def test_certificate_is_not_trusted_by_others(stack: Stack) -> None:
    """A client that does not know the local authority is not let in by mistake."""
    async with client_session() as http:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await http.ws_connect(stack.url)


async def test_prometheus_sees_every_target(stack: Stack) -> None:
    """Prometheus scrapes the broker and each process as targets of their own, and all are up."""
    ports = {9101: PRODUCERS, 9102: HISTORIES, 9100: GATEWAYS, 9103: ("canary",), 15692: ("rabbitmq",)}
    wanted = {f"{name}:{port}" for port, names in ports.items() for name in names}

    def health() -> dict[str, str]:
        targets = stack.prometheus("targets", state="active")["activeTargets"]
        return {target["labels"]["instance"]: target["health"] for target in targets}

    assert await until(health, lambda value: set(value.values()) == {"up"}) == dict.fromkeys(wanted, "up")


async def test_dashboards_show_something(stack: Stack, context: ssl.SSLContext) -> None:
    """Every query of every dashboard brings a number from the running Prometheus.

    But those about what may not have happened; under load it does (`tests/monitoring/test_dashboards.py`).
    """
    silent = {panel: query for panel, query in _queries() if not any(word in query for word in SELDOM)}
    assert silent

    def ask() -> dict[str, str]:
        for panel, query in list(silent.items()):
            if any(map(math.isfinite, stack.values(query).values())):
                del silent[panel]
        return silent

    async with visitors(VISITORS, SYMBOLS, url=stack.url, context=context):
        await until(ask, lambda left: not left, what="these show nothing", patience=RECORDED_S)


async def test_killed_gateway(stack: Stack, context: ssl.SSLContext) -> None:
    """Clients of a gateway that is killed go on at the other, and every hole between is explained."""
    async with visitors(VISITORS, SYMBOLS, url=stack.url, context=context) as guests:
        await eventually(lambda: all(guest.checker.ticks >= ENOUGH for guest in guests), deadline=SOON)
        before = [guest.checker.ticks for guest in guests]
        await asyncio.to_thread(stack.compose, "kill", GATEWAYS[0])
        await eventually(lambda: sum(guest.connections for guest in guests) > VISITORS, deadline=SOON)
        await eventually(lambda: _went_on(guests, before), deadline=SOON)
        assert any(guest.connections == 1 for guest in guests), "the other gateway's clients noticed it"
        await asyncio.to_thread(stack.wait_healthy, GATEWAYS[0])


async def test_stopped_gateway(stack: Stack, context: ssl.SSLContext) -> None:
    """A gateway that is told to stop sends its clients away, ends with exit code 0 and can be started again."""
    async with visitors(VISITORS, SYMBOLS, url=stack.url, context=context) as guests:
        await eventually(lambda: all(guest.checker.ticks >= ENOUGH for guest in guests), deadline=SOON)
        before = [guest.checker.ticks for guest in guests]
        await asyncio.to_thread(stack.compose, "stop", GATEWAYS[1])
        state = stack.containers()[GATEWAYS[1]]["State"]
        assert (state["Status"], state["ExitCode"]) == ("exited", 0)
        await eventually(lambda: _went_on(guests, before), deadline=SOON)
        await asyncio.to_thread(stack.wait_healthy, GATEWAYS[1])


async def test_broker_restart(stack: Stack, context: ssl.SSLContext) -> None:
    """Clients stay connected while the broker restarts, and go on when it is back."""
    async with visitors(VISITORS, SYMBOLS, url=stack.url, context=context) as guests:
        await eventually(lambda: all(guest.checker.ticks >= ENOUGH for guest in guests), deadline=SOON)
        await asyncio.to_thread(stack.compose, "restart", "rabbitmq")
        before = [guest.checker.ticks for guest in guests]
        await eventually(lambda: _went_on(guests, before), deadline=2 * SOON)
        assert [guest.connections for guest in guests] == [1] * VISITORS
    await asyncio.to_thread(stack.wait_healthy, "rabbitmq", *PRODUCERS, *HISTORIES, *GATEWAYS)


async def test_last_tick_arrives(stack: Stack, context: ssl.SSLContext) -> None:
    """When the producer has ended, the clients of both gateways stand at one and the same last position."""
    async with visitors(VISITORS, SYMBOLS, url=stack.url, context=context) as guests:
        await eventually(lambda: all(guest.checker.ticks >= ENOUGH for guest in guests), deadline=SOON)
        for producer in reversed(PRODUCERS):
            await asyncio.to_thread(stack.compose, "stop", producer)
            assert stack.containers()[producer]["State"]["ExitCode"] == 0
        await eventually(lambda: _agree([guest.checker for guest in guests]), deadline=8.0)
    await asyncio.to_thread(stack.wait_healthy, *PRODUCERS)


async def test_leader_and_history_killed(stack: Stack, context: ssl.SSLContext) -> None:
    """The leader and a replica of history are killed: the standby goes on, and nobody has an unexplained hole."""
    async with visitors(VISITORS, SYMBOLS, url=stack.url, context=context) as guests:
        await eventually(lambda: all(guest.checker.ticks >= ENOUGH for guest in guests), deadline=SOON)
        leading = await until(
            lambda: stack.values("tickwire_producer_leading == 1"), lambda value: len(value) == 1
        )
        leader = next(iter(leading)).partition(":")[0]
        await asyncio.to_thread(stack.compose, "kill", leader, HISTORIES[0])
        before = [guest.checker.ticks for guest in guests]
        await eventually(lambda: _went_on(guests, before), deadline=SOON)
        assert [guest.connections for guest in guests] == [1] * VISITORS
    await asyncio.to_thread(stack.wait_healthy, *PRODUCERS, *HISTORIES)


async def test_containers_are_hardened(stack: Stack) -> None:
    """No container runs as root, writes to its own file system, keeps a capability or shows a port to others."""
    for service, container in stack.containers().items():
        host = container["HostConfig"]
        assert container["Config"]["User"] not in ("", "root", "0"), service
        assert host["ReadonlyRootfs"], service
        assert host["CapDrop"] == ["ALL"], service
        assert "no-new-privileges:true" in host["SecurityOpt"], service
        shown = {port: bindings for port, bindings in (host["PortBindings"] or {}).items() if port in _SHOWN}
        assert {binding["HostIp"] for bindings in shown.values() for binding in bindings} <= {"127.0.0.1"}, service


async def test_operations_stay_inside(stack: Stack, context: ssl.SSLContext) -> None:
    """Nobody reaches a process's operations through the proxy, and no port of theirs is published."""
    async with client_session(context) as http:
        for path in ("metrics", "livez", "readyz"):
            async with http.get(f"https://localhost:{stack.https}/{path}") as answer:
                assert answer.status == 404, path
    for service in (*GATEWAYS, *PRODUCERS, *HISTORIES):
        assert not stack.containers()[service]["HostConfig"]["PortBindings"], service


async def test_every_wire(stack: Stack, context: ssl.SSLContext) -> None:
    """Page, documents, quotes and a stream of events come through the proxy, each event when it is written."""
    url = f"https://localhost:{stack.https}"
    async with client_session(context) as http, asyncio.timeout(30):
        for path in ("/", "/docs", "/v1/openapi.json"):
            async with http.get(url + path) as answer:
                assert answer.status == 200, path
        async with http.get(f"{url}/v1/quotes?symbols=AAPL") as answer:
            assert (await answer.json())["quotes"]["AAPL"]["tick"]["symbol"] == "AAPL"
        async with http.get(f"{url}/v1/sse?symbols={','.join(SYMBOLS)}") as stream:
            assert (stream.status, stream.content_type) == (200, "text/event-stream")
            lines = [line async for line in _until(stream.content, b"event: ticks", times=3)]
    assert any(line.startswith(b"id: 1") for line in lines)


async def _until(content: aiohttp.StreamReader, wanted: bytes, *, times: int) -> AsyncIterator[bytes]:
    """Yield the lines of *content* until *times* of them have begun with *wanted*."""
    async for line in content:
        yield line
        times -= line.startswith(wanted)
        if not times:
            return


async def test_strict_transport(stack: Stack, context: ssl.SSLContext) -> None:
    """Browsers are told to use TLS only for a name of its own, and not for everything on localhost."""
    url, name = f"https://127.0.0.1:{stack.https}/", "Strict-Transport-Security"
    async with client_session(context) as http:
        for host, wanted in ((NAMED, "max-age=31536000"), ("localhost", None)):
            async with http.get(url, headers={"Host": host}, server_hostname=host) as answer:
                assert (answer.status, answer.headers.get(name)) == (200, wanted), host
                assert "default-src 'self'" in answer.headers["Content-Security-Policy"]


async def test_tokens_stay_out_of_the_log(stack: Stack, context: ssl.SSLContext) -> None:
    """What lets somebody in shows in no log line, the proxy's or a gateway's, also where a request fails."""
    await _knock(stack, context)
    await asyncio.to_thread(stack.compose, "kill", *GATEWAYS)
    await _knock(stack, context)
    logs = await asyncio.to_thread(stack.logs)
    await asyncio.to_thread(stack.wait_healthy, *GATEWAYS)
    assert "ticket=REDACTED" in logs, "the request that failed is not in the log at all"
    assert _SHOWN_TOKEN not in logs


async def _knock(stack: Stack, context: ssl.SSLContext) -> None:
    """Show a token in each of the ways that there are."""
    headers = {"Authorization": f"Bearer {_SHOWN_TOKEN}"}
    names = ("tickwire.v1", f"bearer.{_SHOWN_TOKEN}")
    url = f"{stack.url}?ticket={_SHOWN_TOKEN}"
    async with client_session(context) as http:
        try:
            async with http.ws_connect(url, headers=headers, protocols=names) as wire:
                await wire.receive(timeout=10)
        except (aiohttp.ClientError, TimeoutError):
            pass  # whether it was let in is not the question


async def test_passwords_stay_where_they_belong(stack: Stack) -> None:
    """There is no user guest, and no password shows in a container's configuration or in a log line."""
    users = stack.compose("exec", "-T", "rabbitmq", "rabbitmqctl", "--quiet", "list_users")
    assert {line.split()[0] for line in users.splitlines()[1:]} == {"producer", "gateway", "history", "operator"}
    shown = json.dumps(stack.containers()) + stack.logs()
    for password in _passwords(stack):
        assert password not in shown


async def test_gateway_may_not_publish(stack: Stack) -> None:
    """The broker's users have the rights that they need and no others: a gateway can only listen, and ask."""
    printed = stack.compose(
        "exec", "-T", "rabbitmq", "rabbitmqctl", "--quiet", "list_permissions", "--formatter=json"
    )
    rights = {entry["user"]: entry for entry in json.loads(printed)}
    for exchange in ("tickwire.ticks", "tickwire.control", "amq.topic", ""):
        assert re.search(rights["gateway"]["write"], exchange) is None
    assert re.search(rights["producer"]["write"], "tickwire.ticks")


def _went_on(guests: list[Visitor], before: list[int]) -> bool:
    return all(
        guest.connected and guest.checker.ticks >= ticks + ENOUGH
        for guest, ticks in zip(guests, before, strict=True)
    )


def _agree(checkers: list[Checker]) -> bool:
    return all(len({checker.cursor(symbol) for checker in checkers}) == 1 for symbol in SYMBOLS)


def _passwords(stack: Stack) -> list[str]:
    logins = stack.compose("run", "--rm", "-T", "credentials", "show")
    found = [line.rsplit(maxsplit=1)[1] for line in logins.splitlines()]
    for service in ("producer", GATEWAYS[0], HISTORIES[0]):
        line = stack.compose("exec", "-T", service, "cat", "/run/credentials/env")
        found.append(line.split("@")[0].rsplit(":", 1)[1])
        found += re.findall(r"^TICKWIRE_TICKET_SECRET=(.+)$", line, re.MULTILINE)
    assert all(len(password) > 20 for password in found)
    assert len(set(found)) == 6
    return found


def _queries() -> Iterator[tuple[str, str]]:
    for name, dashboard in dashboards().items():
        for question in questions(dashboard):
            yield f"{name}, {question.where}", question.expression
