"""Revocations and tickets over a real RabbitMQ that is slow, full, restarted, or has lost what it held."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiormq
import orjson
import pytest
import uvloop
from aiormq.abc import AbstractChannel
from prometheus_client import CollectorRegistry
from yarl import URL

from services.broker import topology
from services.broker.metrics import BrokerMetrics, TicketOutcome
from services.broker.ports import LostReason
from services.broker.rabbitmq import RabbitAdmission, RabbitRevoker
from services.broker.revocations import Revocation
from services.errors import BrokerUnavailable
from services.runtime.clock import SystemClock
from tests.brokers import Broker
from tests.contract.admissions import RevocationRecord, running
from tests.eventually import eventually
from tests.proxy import Proxy, proxied

LOOPS = {"uvloop": uvloop.new_event_loop}
DEFINITIONS: Final = Path(__file__).parents[2] / "deploy" / "rabbitmq" / "definitions.json"
ALICE, BOB = Revocation(1_795_000_000.0, subject="alice"), Revocation(1_795_000_001.0, None, "t-1")


@dataclass
class Door:
    """An admission, what it told, and what is counted of it."""

    port: RabbitAdmission
    record: RevocationRecord
    registry: CollectorRegistry

    def tickets(self) -> dict[str, float]:
        """The outcomes that there were, with their counts."""
        counts = {o.value: self._value("tickwire_tickets_total", outcome=o.value) for o in TicketOutcome}
        return {outcome: count for outcome, count in counts.items() if count}

    @property
    def malformed(self) -> float:
        """Messages dropped."""
        return self._value("tickwire_revocations_malformed_total")

    @property
    def blocked(self) -> bool:
        """Whether the broker is known to read nothing."""
        return self._value("tickwire_broker_blocked", role="admission") == 1

    async def pass_through(self) -> bool:
        """Put a ticket, take it, and return whether that worked."""
        name = secrets.token_hex(16)
        await self.port.put(name)
        return await self.port.take(name)

    def _value(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0


@asynccontextmanager
async def door(url: str) -> AsyncIterator[Door]:
    """An admission that is connected."""
    registry = CollectorRegistry()
    port = RabbitAdmission(url, name="test", clock=SystemClock(), metrics=BrokerMetrics(registry))
    async with running(port) as record:
        yield Door(port, record, registry)


@asynccontextmanager
async def proxied_door(url: str) -> AsyncIterator[tuple[Proxy, Door]]:
    """The same behind a proxy."""
    target = URL(url)
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(proxied(target.host or "", target.port or 0))
        near = str(target.with_host("127.0.0.1").with_port(proxy.port))
        yield proxy, await stack.enter_async_context(door(near))


@pytest.fixture(name="operator")
async def _operator(vhost_url: str) -> AsyncIterator[AbstractChannel]:
    """A channel of somebody who may do everything."""
    async with aiormq.connect(vhost_url) as connection:
        yield await connection.channel()


async def revoke(url: str, *revocations: Revocation) -> None:
    """Call tokens back."""
    await RabbitRevoker(url, name="operator", clock=SystemClock()).revoke(revocations)


# ---------------------------------------------------------------------------------------------------- tickets


async def test_a_frozen_broker_is_no_answer(vhost_url: str) -> None:
    """Whoever waits for a frozen broker is told after 2 s; what was put before is not lost by that."""
    async with proxied_door(vhost_url) as (proxy, gateway):
        await heard(vhost_url, gateway.record)  # all is set up
        name = secrets.token_hex(16)
        await gateway.port.put(name)
        proxy.freeze()
        loop = asyncio.get_running_loop()
        began = loop.time()
        for ask in (gateway.port.put(secrets.token_hex(16)), gateway.port.take(secrets.token_hex(16))):
            with pytest.raises(BrokerUnavailable, match=r"^no answer about a ticket within 2 s$"):
                await ask
        assert 3.9 < loop.time() - began < 6.0
        proxy.thaw()
        assert await gateway.port.take(name)
        assert gateway.tickets() == {"put": 1, "unavailable": 2, "taken": 1}
        assert gateway.record.lost == []


async def test_a_broker_out_of_memory_costs_no_connection(vhost_url: str, broker_control: Broker) -> None:
    """While the broker reads nothing there are no tickets, at once once that is known; then they work again."""
    async with door(vhost_url) as gateway:
        await asyncio.to_thread(broker_control.ctl, "set_vm_memory_high_watermark", "0.0000001")
        try:
            with pytest.raises(BrokerUnavailable):
                await gateway.port.put(secrets.token_hex(16))
            await eventually(lambda: gateway.blocked)
            loop = asyncio.get_running_loop()
            began = loop.time()
            with pytest.raises(BrokerUnavailable, match=r"^the broker reads nothing at the moment$"):
                await gateway.port.take(secrets.token_hex(16))
            assert loop.time() - began < 0.1
        finally:
            await asyncio.to_thread(broker_control.ctl, "set_vm_memory_high_watermark", "0.4")
        await eventually(lambda: not gateway.blocked, deadline=15)
        assert await gateway.pass_through()
        assert gateway.record.lost == []


async def test_a_ticket_and_its_queue_go_by_themselves(
    vhost_url: str, broker_control: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ticket whose time is over cannot be taken, however often it was asked for, and its queue goes after it."""
    monkeypatch.setattr(
        topology, "TICKET_ARGUMENTS", {**topology.TICKET_ARGUMENTS, "x-expires": 2_000, "x-message-ttl": 300}
    )
    name = secrets.token_hex(16)

    def queues() -> int:
        return broker_control.ctl("list_queues", "name").count(topology.ticket_queue(name))

    async with door(vhost_url) as gateway:
        await gateway.port.put(name)
        loop = asyncio.get_running_loop()
        end = loop.time() + 20
        async with aiormq.connect(vhost_url) as stranger:
            channel = await stranger.channel()
            while (await channel.queue_declare(topology.ticket_queue(name), passive=True)).message_count:
                assert loop.time() < end, "the ticket outlives its time"
                await asyncio.sleep(0.05)
        assert not await gateway.port.take(name)
        while await asyncio.to_thread(queues):
            assert loop.time() < end, "the queue outlives its ticket"
        assert gateway.tickets() == {"put": 1, "missed": 1}


async def test_a_restarted_broker_hands_no_ticket_out(vhost_url: str, broker_control: Broker) -> None:
    """A broker that was killed has forgotten every ticket, so that none can be taken twice."""
    used, unused = secrets.token_hex(16), secrets.token_hex(16)
    async with door(vhost_url) as gateway:
        await gateway.port.put(used)
        await gateway.port.put(unused)
        assert await gateway.port.take(used)
        await asyncio.to_thread(broker_control.stop, hard=True)
        await asyncio.to_thread(broker_control.start)
        await eventually(lambda: gateway.record.connections >= 2, deadline=30)
        assert [await gateway.port.take(name) for name in (used, unused)] == [False, False]
        # For the next test: a log whose home is not up cannot even be deleted.
        await heard(vhost_url, gateway.record)


async def test_an_exchange_made_anew_takes_tickets(vhost_url: str, operator: AbstractChannel) -> None:
    """Tickets need nothing that another connection declared: an exchange that was deleted is made again."""
    async with door(vhost_url) as gateway:
        assert await gateway.pass_through()
        await operator.exchange_delete(topology.RPC.name)
        assert await gateway.pass_through()
        assert gateway.record.lost == []


async def test_a_queue_of_another_kind_says_nothing_of_the_ticket(
    vhost_url: str, operator: AbstractChannel, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the broker refuses, the error and the log hold nothing of the ticket's name; the next one works."""
    name = secrets.token_hex(16)
    await operator.queue_declare(topology.ticket_queue(name), durable=True)
    try:
        async with door(vhost_url) as gateway:
            with pytest.raises(BrokerUnavailable) as refused:
                await gateway.port.put(name)
            await eventually(lambda: gateway.record.connections == 2, deadline=15)
            assert gateway.record.lost == [LostReason.PROTOCOL]
            assert await gateway.pass_through()
        assert name not in str(refused.value) + repr(refused.value.__cause__) + caplog.text
    finally:
        await operator.queue_delete(topology.ticket_queue(name))


# ------------------------------------------------------------------------------------------------ revocations


async def heard(url: str, record: RevocationRecord) -> None:
    """Revoke until somebody hears of it."""
    end = asyncio.get_running_loop().time() + 60
    while not record.revoked:
        assert asyncio.get_running_loop().time() < end, "the revocation log does not come up again"
        with suppress(BrokerUnavailable):
            await revoke(url, ALICE)
        await asyncio.sleep(0.1)


async def test_what_nobody_wrote_is_dropped(vhost_url: str, operator: AbstractChannel) -> None:
    """A message that no codec of ours wrote is counted, and what stands behind it is read."""
    async with door(vhost_url) as gateway:
        await revoke(vhost_url, ALICE)
        await operator.basic_publish(b"[{}]", exchange=topology.REVOKE.name)
        await revoke(vhost_url, BOB)
        await eventually(lambda: gateway.record.revoked == [ALICE, BOB], deadline=15)
        assert gateway.malformed == 1


async def test_a_deleted_log_is_made_again(vhost_url: str, operator: AbstractChannel) -> None:
    """Whoever read a log that is deleted reads the next one from its first entry."""
    async with door(vhost_url) as gateway:
        await revoke(vhost_url, ALICE)
        await eventually(lambda: gateway.record.revoked == [ALICE], deadline=15)
        await operator.queue_delete(topology.REVOCATION_LOG)
        await eventually(lambda: gateway.record.lost, deadline=15)
        await revoke(vhost_url, BOB)
        await eventually(lambda: gateway.record.revoked == [ALICE, BOB], deadline=30)


async def test_an_exchange_made_anew_loses_nothing(vhost_url: str, operator: AbstractChannel) -> None:
    """An exchange that was deleted and has lost its binding is bound again by who revokes next."""
    async with door(vhost_url) as gateway:
        await revoke(vhost_url, ALICE)
        await operator.exchange_delete(topology.REVOKE.name)
        await operator.exchange_declare(topology.REVOKE.name, exchange_type=topology.REVOKE.kind, durable=True)
        await revoke(vhost_url, BOB)
        await eventually(lambda: gateway.record.revoked == [ALICE, BOB], deadline=15)


async def test_who_may_only_read_waits_for_the_log(vhost_url: str, broker_control: Broker) -> None:
    """A gateway that may not make the log finds it within about a second once somebody has made it.

    Tickets work meanwhile, under the permissions of the shipped definitions.
    """
    definitions = orjson.loads(DEFINITIONS.read_bytes())
    (allowed,) = [p for p in definitions["permissions"] if p["user"] == "gateway"]
    await asyncio.to_thread(broker_control.ctl, "add_user", "reader", "secret")
    try:
        rights = [allowed[key] for key in ("configure", "write", "read")]
        await asyncio.to_thread(broker_control.ctl, "set_permissions", "reader", *rights)
        async with door(str(URL(vhost_url).with_user("reader").with_password("secret"))) as gateway:
            assert await gateway.pass_through()
            await revoke(vhost_url, ALICE)
            await eventually(lambda: gateway.record.revoked == [ALICE], deadline=15)
            assert await gateway.pass_through()
            assert gateway.record.lost == []
    finally:
        await asyncio.to_thread(broker_control.ctl, "delete_user", "reader")


async def test_the_command_reaches_a_gateway(vhost_url: str) -> None:
    """`tickwire revoke` returns once the broker has what it says, and a gateway hears it within 2 s."""
    async with door(vhost_url) as gateway:
        await revoke(vhost_url, ALICE)
        await eventually(lambda: gateway.record.revoked == [ALICE], deadline=15)
        code, said = await command(vhost_url, "--subject", "bob", "--token-id", "t-9")
        await eventually(lambda: len(gateway.record.revoked) == 3, deadline=2.0)
    assert code == 0
    assert said.startswith("revoked: every token of bob issued until 2")
    assert said.endswith("revoked: the token t-9\n")
    assert [(r.subject, r.token_id) for r in gateway.record.revoked[1:]] == [("bob", None), (None, "t-9")]


async def command(url: str, *arguments: str) -> tuple[int | None, str]:
    """Run `tickwire revoke`; return its exit code and what it printed."""
    environment: Mapping[str, str] = {
        **{name: value for name, value in os.environ.items() if not name.startswith("TICKWIRE_")},
        "TICKWIRE_BROKER_URL": url,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tickwire", "revoke", *arguments, env=environment, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()
