"""The queues of questions, answers and revocations, as they are declared."""

from __future__ import annotations

from collections.abc import Mapping

from aiormq.abc import AbstractChannel
from aiormq.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed

from services.broker import topology
from services.broker.rabbitmq.link import Link
from services.broker.topology import Argument


async def declare_replies(channel: AbstractChannel) -> str:
    """Declare a queue for the replies to us, bound by its own name, and return that name."""
    await channel.exchange_declare(topology.RPC.name, exchange_type=topology.RPC.kind, durable=True)
    answer = await channel.queue_declare(exclusive=True, arguments=dict(topology.REPLIES_ARGUMENTS))
    queue = str(answer.queue)
    await channel.queue_bind(queue, topology.RPC.name, queue)
    return queue


async def declare_requests(link: Link, addresses: int) -> AbstractChannel:
    """Return a channel on which the queue of requests is declared and bound.

    Raises:
        ChannelNotFoundEntity: its home is not up.
    """
    await declare_shared(link, topology.HISTORY, topology.history_arguments(addresses))
    channel = await link.connection.channel(publisher_confirms=False)
    await bind_requests(channel)
    return channel


async def bind_requests(channel: AbstractChannel) -> None:
    """Bind the queue of requests, perhaps again: an exchange that is made anew has silently lost its bindings."""
    await channel.exchange_declare(topology.RPC.name, exchange_type=topology.RPC.kind, durable=True)
    await channel.queue_bind(topology.HISTORY, topology.RPC.name, topology.HISTORY_KEY)


async def declare_shared(link: Link, queue: str, arguments: Mapping[str, Argument]) -> None:
    """Declare a durable *queue* that several processes share, where there is none.

    One that is there is used as it is, whatever its arguments: the cluster may have grown, or shrunk, since it was
    made.  Each attempt has a channel of its own, since a refusal costs one.

    Raises:
        ChannelNotFoundEntity: its home is not up.
    """
    if not await exists(link, queue):
        await _make(link, queue, arguments)


async def declare_revocations(link: Link) -> None:
    """Declare the revocation log, where there is none, its exchange and the binding.

    Raises:
        ChannelNotFoundEntity: its home is not up.
        ChannelAccessRefused: this user only reads it.
    """
    await declare_shared(link, topology.REVOCATION_LOG, topology.REVOCATION_LOG_ARGUMENTS)
    channel = await link.connection.channel(publisher_confirms=False)
    await channel.exchange_declare(topology.REVOKE.name, exchange_type=topology.REVOKE.kind, durable=True)
    await channel.queue_bind(topology.REVOCATION_LOG, topology.REVOKE.name)
    await channel.close()


async def exists(link: Link, queue: str) -> bool:
    """Whether there is such a *queue*; anybody may ask."""
    channel = await link.connection.channel(publisher_confirms=False)
    try:
        await channel.queue_declare(queue, passive=True)
    except ChannelNotFoundEntity:
        return False  # the broker has closed the channel
    await channel.close()
    return True


async def _make(link: Link, queue: str, arguments: Mapping[str, Argument]) -> None:
    channel = await link.connection.channel(publisher_confirms=False)
    try:
        await channel.queue_declare(queue, durable=True, arguments=dict(arguments))
    except ChannelPreconditionFailed:
        return  # somebody else made it meanwhile, of another kind
    await channel.close()
