"""The queues of questions and answers, as they are declared."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from aiormq.abc import AbstractChannel
from aiormq.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed

from services.broker import topology
from services.broker.rabbitmq.link import Link

LOOKS: Final = 3
"""Attempts to find the request queue or to make it; others may make or delete it in between."""


async def declare_replies(channel: AbstractChannel) -> str:
    """Declare a queue for the replies to us, bound by its own name, and return that name."""
    await channel.exchange_declare(topology.RPC.name, exchange_type=topology.RPC.kind, durable=True)
    answer = await channel.queue_declare(exclusive=True, arguments=dict(topology.REPLIES_ARGUMENTS))
    queue = str(answer.queue)
    await channel.queue_bind(queue, topology.RPC.name, queue)
    return queue


async def declare_requests(link: Link, addresses: int) -> AbstractChannel:
    """Return a channel on which the bound queue of requests is known to exist.

    Found, it is used as it is: another number of *addresses* is no reason to refuse it.  A refusal costs a
    channel, and only tells that it is worth looking again.

    Raises:
        ChannelNotFoundEntity: its home is not up, or others go on making and deleting it.
    """
    for _ in range(LOOKS - 1):
        try:
            return await _found(link)
        except ChannelNotFoundEntity:
            pass
        with suppress(ChannelPreconditionFailed):
            return await _made(link, addresses)
    return await _found(link)


async def _found(link: Link) -> AbstractChannel:
    channel = await link.connection.channel(publisher_confirms=False)
    await channel.queue_declare(topology.HISTORY, passive=True)
    return await _bound(channel)


async def _made(link: Link, addresses: int) -> AbstractChannel:
    channel = await link.connection.channel(publisher_confirms=False)
    await channel.queue_declare(
        topology.HISTORY, durable=True, arguments=dict(topology.history_arguments(addresses))
    )
    return await _bound(channel)


async def _bound(channel: AbstractChannel) -> AbstractChannel:
    await bind_requests(channel)
    return channel


async def bind_requests(channel: AbstractChannel) -> None:
    """Bind the queue of requests, perhaps again: an exchange that is made anew has silently lost its bindings."""
    await channel.exchange_declare(topology.RPC.name, exchange_type=topology.RPC.kind, durable=True)
    await channel.queue_bind(topology.HISTORY, topology.RPC.name, topology.HISTORY_KEY)
