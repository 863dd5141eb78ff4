"""The broker's users of the shipped definitions: what each process needs, and that it may do nothing more.

The broker is booted from the definitions that `deploy/credentials.py` makes, as the Compose stack's is.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import aiormq
import pytest
from aiormq.abc import AbstractChannel
from aiormq.exceptions import ChannelAccessRefused
from yarl import URL

from deploy import credentials
from services.broker import topology
from services.broker.rabbitmq import RabbitAdmission, RabbitRevoker
from services.broker.rabbitmq.addresses import parse_addresses
from services.broker.rabbitmq.lease import declare_lease
from services.broker.rabbitmq.link import dial
from services.broker.rabbitmq.log import declare_candles, declare_log
from services.broker.rabbitmq.queues import declare_requests, declare_revocations
from services.broker.revocations import Revocation
from services.errors import BrokerUnavailable, MissingRequirement
from services.runtime.clock import SystemClock
from tests.brokers import LocalBroker, local_folder
from tests.checker import Checker
from tests.contract.admissions import running
from tests.eventually import eventually
from tests.stack import Stack, Tickwire
from tests.streamclient import StreamClient

ROOT: Final = Path(__file__).parents[2]
DEFINITIONS: Final = ROOT / "deploy" / "rabbitmq" / "definitions.json"
CLOCK: Final = SystemClock()
TICKET: Final = topology.ticket_queue("0a" * 16)
Act = Callable[[AbstractChannel], Awaitable[object]]


class Users(NamedTuple):
    """A broker, and the passwords of its users."""

    broker: LocalBroker
    passwords: dict[str, str]

    def url(self, user: str) -> str:
        """The broker's address for *user*."""
        return str(URL(self.broker.url).with_user(user).with_password(self.passwords[user]))


@pytest.fixture(scope="module", name="users")
def _users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Users]:
    """A broker booted from the shipped definitions, with everything of Tickwire's declared by the operator."""
    folder = local_folder()
    if folder is None:
        raise MissingRequirement("the definitions are tested with a local rabbitmq-server: install it")
    files = tmp_path_factory.mktemp("credentials")
    for reader in ("broker", "producer", "gateway", "history", "operator", "grafana"):
        (files / reader).mkdir()
    credentials.make(files, DEFINITIONS)
    broker = LocalBroker(folder, settings=f"load_definitions = {files / 'broker' / 'definitions.json'}\n")
    passwords = {name: _password(files / name / "env") for name in credentials.PROCESSES}
    users = Users(broker, {**passwords, "operator": (files / "operator" / "password").read_text()})
    try:
        broker.start()
        yield users
    finally:
        broker.remove()


def _password(env: Path) -> str:
    return URL(env.read_text().strip().removeprefix("TICKWIRE_BROKER_URL=")).password or ""


# ---------------------------------------------------------------------------------------------- what must work


@pytest.fixture(name="stack")
async def _stack(users: Users) -> AsyncIterator[Stack]:
    """Processes to start; each is told its own user's address."""
    async with Stack(users.url("operator")) as stack:
        yield stack


async def test_every_process_works_as_its_own_user(users: Users, stack: Stack) -> None:
    """Ticks, snapshots and the day reach a client, and a second run goes on where the first one ended."""
    url = {user: {"BROKER_URL": users.url(user)} for user in credentials.PROCESSES}
    history = await stack.start("history", url["history"])
    producer = await stack.start("producer", {**url["producer"], "RATE": 200})
    gateway = await stack.start("gateway", url["gateway"])
    shares = await stack.start("gateway", {**url["gateway"], "QUEUES": "bucket:1", "IDLE_GRACE_S": 0})
    await asyncio.gather(history.ready(), gateway.ready(), shares.ready(), producer.ready())
    async with StreamClient(stack.http, Checker("client")) as client:
        await client.connect(gateway.stream)
        assert await client.subscribe("AAPL") == {}
        await client.until(lambda: client.checker.account("AAPL").snapshots == 1)
        await _binds_and_unbinds(stack, shares)
        await producer.stop()
        again = await stack.start("producer", {**url["producer"], "RATE": 200})
        await again.ready()
        assert await again.metric("tickwire_producer_continued_symbols") > 0
        client.checker.check()
    for process in stack.processes:
        refused = [line for line in process.log if "ACCESS_REFUSED" in str(line)]
        assert refused == []


async def _binds_and_unbinds(stack: Stack, gateway: Tickwire) -> None:
    """Let a client follow two symbols that share a queue, and then one of them."""
    async with StreamClient(stack.http, Checker("shares")) as client:
        await client.connect(gateway.stream)
        assert await client.subscribe("AAPL", "MSFT") == {}
        await client.unsubscribe("MSFT")
        end = time.monotonic() + 10
        while await gateway.metric("tickwire_broker_following") > 1:
            assert time.monotonic() < end
            await asyncio.sleep(0.05)
        seen = client.checker.account("AAPL").delivered
        await client.until(lambda: client.checker.account("AAPL").delivered > seen)
        client.checker.check()


async def test_a_gateway_has_tickets_and_hears_of_revocations(users: Users) -> None:
    """A gateway's user puts and takes tickets and hears of what the operator revokes, also before anybody did."""
    gateway = RabbitAdmission(users.url("gateway"), name="gateway", clock=CLOCK)
    alice = Revocation(1.0, subject="alice")
    async with running(gateway) as record:
        name = secrets.token_hex(16)
        await gateway.put(name)
        assert await gateway.take(name)
        assert not await gateway.take(name)
        await RabbitRevoker(users.url("operator"), name="operator", clock=CLOCK).revoke([alice])
        await eventually(lambda: record.revoked[-1:] == [alice], deadline=10)
        assert record.lost == []


@pytest.mark.parametrize("user", credentials.PROCESSES)
async def test_only_an_operator_revokes(users: Users, user: str) -> None:
    """No process may write a revocation."""
    with pytest.raises(BrokerUnavailable, match="ACCESS_REFUSED"):
        await RabbitRevoker(users.url(user), name="thief", clock=CLOCK).revoke([Revocation(1.0, subject="alice")])


# -------------------------------------------------------------------------------------------- what is refused


def publish(exchange: str, key: str = "") -> Act:
    """Publish a message, mandatory or not."""
    return lambda channel: channel.basic_publish(b"x", exchange=exchange, routing_key=key)


def consume(queue: str) -> Act:
    """Consume a queue that others share."""

    async def act(channel: AbstractChannel) -> None:
        await channel.basic_qos(prefetch_count=1)
        await channel.basic_consume(queue, _drop, arguments={"x-stream-offset": "first"})

    return act


def peek(queue: str) -> Act:
    """Take a message out of a queue."""
    return lambda channel: channel.basic_get(queue, no_ack=True)


def hear(exchange: str, key: str = "") -> Act:
    """Bind a queue of one's own to an exchange."""

    async def act(channel: AbstractChannel) -> None:
        queue = await channel.queue_declare(exclusive=True)
        await channel.queue_bind(str(queue.queue), exchange, key)

    return act


def lead(queue: str, exchange: str) -> Act:
    """Bind a queue that others read to an exchange that one may write to."""
    return lambda channel: channel.queue_bind(queue, exchange, "x")


def through(exchange: str) -> Act:
    """Let messages die in a queue of one's own, into an exchange that one may not write to."""
    return lambda channel: channel.queue_declare(exclusive=True, arguments={"x-dead-letter-exchange": exchange})


def alternate(name: str, exchange: str) -> Act:
    """Make an exchange of one's own whose unroutable messages go into another."""
    return lambda channel: channel.exchange_declare(
        name, exchange_type="direct", arguments={"alternate-exchange": exchange}
    )


def chain(source: str, exchange: str) -> Act:
    """Bind an exchange that one may not write to, behind one that one may."""
    return lambda channel: channel.exchange_bind(exchange, source, "x")


def delete(queue: str) -> Act:
    """Delete a queue that others need."""
    return lambda channel: channel.queue_delete(queue)


def abolish(exchange: str) -> Act:
    """Delete an exchange that others need."""
    return lambda channel: channel.exchange_delete(exchange)


def purge(queue: str) -> Act:
    """Empty a queue that others need."""
    return lambda channel: channel.queue_purge(queue)


def declare(queue: str) -> Act:
    """Make a queue that is nothing of Tickwire's."""
    return lambda channel: channel.queue_declare(queue, durable=True)


async def _drop(_: object) -> None:
    """Take a message and do nothing."""


REFUSED: Final[dict[str, list[Act]]] = {
    "gateway publishes ticks": [publish("tickwire.ticks", "tick.AAPL"), publish("tickwire.ticks", "last.AAPL")],
    "gateway publishes heartbeats": [publish("tickwire.control")],
    "gateway publishes past the exchanges": [
        publish("", "tickwire.history"),
        publish("", "tickwire.lease.main"),
        publish("", "tickwire.log"),
        publish("amq.topic", "x"),
        publish("amq.fanout"),
    ],
    "gateway publishes candles": [publish("tickwire.candles")],
    "gateway publishes a lease": [publish("tickwire.lease", "main")],
    "gateway publishes revocations": [publish("tickwire.revoke"), lead("tickwire.revocations", "tickwire.rpc")],
    "gateway publishes by a detour": [
        through("tickwire.ticks"),
        through("tickwire.control"),
        through("tickwire.revoke"),
        alternate("tickwire.rpc2", "tickwire.ticks"),
        chain("tickwire.rpc", "tickwire.ticks"),
        chain("tickwire.rpc", "tickwire.control"),
        chain("tickwire.rpc", "tickwire.revoke"),
        lead("tickwire.log", "tickwire.rpc"),
        lead("tickwire.history", "tickwire.rpc"),
    ],
    "gateway reads the log": [consume("tickwire.log"), purge("tickwire.log"), delete("tickwire.log")],
    "gateway reads candles": [consume("tickwire.candles"), hear("tickwire.candles")],
    "gateway answers for history": [consume("tickwire.history"), peek("tickwire.history")],
    "gateway takes the lease": [
        consume("tickwire.lease.main"),
        peek("tickwire.lease.main"),
        purge("tickwire.lease.main"),
        hear("tickwire.lease", "main"),
        delete("tickwire.lease.main"),
    ],
    "gateway makes revocations undone": [delete("tickwire.revocations"), abolish("tickwire.revoke")],
    "gateway hears revocations live": [hear("tickwire.revoke")],
    "gateway follows everything at once": [
        hear("tickwire.ticks", "#"),
        hear("tickwire.ticks", "tick.#"),
        hear("tickwire.ticks", "tick.*"),
        hear("tickwire.ticks", "last.AAPL"),
    ],
    "gateway makes other queues": [declare("tickwire.ticket.x"), declare("other"), declare("amq.topic")],
    "producer hears control": [hear("tickwire.control")],
    "producer answers for history": [consume("tickwire.history"), peek("tickwire.history")],
    "producer reads candles": [consume("tickwire.candles"), hear("tickwire.candles"), publish("tickwire.candles")],
    "producer reads revocations": [
        consume("tickwire.revocations"),
        hear("tickwire.revoke"),
        publish("tickwire.revoke"),
        delete("tickwire.revocations"),
    ],
    "producer follows a symbol": [
        hear("tickwire.ticks", "tick.AAPL"),
        hear("tickwire.ticks", "tick.*"),
        hear("tickwire.ticks", "#"),
    ],
    "producer publishes what is no tick": [
        publish("tickwire.ticks", "other.AAPL"),
        publish("tickwire.ticks", "tick.#"),
        publish("tickwire.ticks", "tick.aapl"),
        publish("", "tickwire.log"),
        through("tickwire.revoke"),
    ],
    "producer takes tickets": [peek(TICKET), declare(TICKET), delete(TICKET)],
    "history publishes ticks": [publish("tickwire.ticks", "tick.AAPL"), publish("tickwire.ticks", "last.AAPL")],
    "history publishes heartbeats": [publish("tickwire.control")],
    "history publishes a lease": [publish("tickwire.lease", "main"), publish("", "tickwire.lease.main")],
    "history publishes past the exchanges": [publish("", "tickwire.log"), publish("amq.topic", "x")],
    "history publishes by a detour": [
        through("tickwire.ticks"),
        through("tickwire.control"),
        chain("tickwire.rpc", "tickwire.ticks"),
    ],
    "history takes the lease": [consume("tickwire.lease.main"), delete("tickwire.lease.main")],
    "history revokes": [publish("tickwire.revoke"), consume("tickwire.revocations")],
    "history follows a symbol": [hear("tickwire.ticks", "tick.AAPL"), hear("tickwire.ticks", "#")],
    "history takes tickets": [peek(TICKET), declare(TICKET), delete(TICKET)],
}
"""What each user (the first word) must not be able to do."""


LEFT_OVER: Final[dict[str, list[Act]]] = {
    "producer hears every tick": [hear("tickwire.ticks", "tick.#"), consume("tickwire.log")],
    "producer hears questions": [hear("tickwire.rpc", "history")],
    "gateway hears questions": [hear("tickwire.rpc", "history")],
    "gateway answers questions": [publish("tickwire.rpc", "amq.gen-somebody")],
    "history asks questions": [publish("tickwire.rpc", "history")],
}
"""What each user may do though its process does not: RabbitMQ's permissions go by the name of a queue or exchange,
and by the routing key in topic exchanges only.  docs/decisions/0015 says of each why."""


@pytest.fixture(name="topology_stands")
async def _topology_stands(users: Users) -> None:
    """Everything that a process declares is there: what is refused must not be refused for want of it."""
    (address,) = parse_addresses(users.url("operator"), name="operator")
    async with dial(address, CLOCK) as link:
        channel = await link.connection.channel()
        await declare_log(channel)
        await declare_candles(channel)
        await declare_revocations(link)
        await declare_requests(link, 1)
        await declare_lease(link, "main", topology.lease_arguments(1))
        await channel.queue_declare(TICKET, durable=True, arguments=dict(topology.TICKET_ARGUMENTS))


@pytest.mark.usefixtures("topology_stands")
@pytest.mark.parametrize("what", REFUSED)
async def test_what_is_refused(users: Users, what: str) -> None:
    """The broker answers 403 to everything that the process of this user has no business with."""
    user = what.partition(" ")[0]
    async with aiormq.connect(users.url(user)) as connection:
        for act in REFUSED[what]:
            channel = await connection.channel(publisher_confirms=True)
            with pytest.raises(ChannelAccessRefused, match="ACCESS_REFUSED"):
                await asyncio.wait_for(act(channel), 10)


@pytest.mark.usefixtures("topology_stands")
@pytest.mark.parametrize("what", LEFT_OVER)
async def test_what_cannot_be_told_apart(users: Users, what: str) -> None:
    """What the broker lets this user do beyond its process, so that the list of it stays true."""
    async with aiormq.connect(users.url(what.partition(" ")[0])) as connection:
        for act in LEFT_OVER[what]:
            channel = await connection.channel(publisher_confirms=True)
            await asyncio.wait_for(act(channel), 10)
