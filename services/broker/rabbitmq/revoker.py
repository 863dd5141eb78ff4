"""The RabbitMQ side of `services.broker.revocations.Revoker`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from pamqp.commands import Basic
from yarl import URL

from services.broker import topology
from services.broker.rabbitmq.addresses import parse_addresses, shown
from services.broker.rabbitmq.link import Link, dial, is_cancelled
from services.broker.rabbitmq.losses import Lost
from services.broker.rabbitmq.queues import declare_revocations
from services.broker.revocationlog import encode_revocations
from services.broker.revocations import Revocation, Revoker
from services.errors import BrokerUnavailable
from services.runtime.clock import Clock

CONFIRM_S: Final = 10.0
"""Longest until the broker has confirmed everything, whichever of its addresses answers."""


class RabbitRevoker(Revoker):
    """Writes over a connection that is made for it and closed again; *url* and *name* as for `RabbitSource`."""

    def __init__(self, url: str, *, name: str, clock: Clock) -> None:
        self._addresses, self._clock = parse_addresses(url, name=f"{name} revoke"), clock

    async def revoke(self, revocations: Sequence[Revocation]) -> None:
        """See the port; each address is tried once.

        Raises:
            BadInput: a revocation is none.
            BrokerUnavailable: as the port says.
        """
        bodies = encode_revocations(revocations)
        try:
            async with asyncio.timeout(CONFIRM_S):
                await self._written(bodies)
        except TimeoutError:
            raise BrokerUnavailable(f"the broker has not confirmed within {CONFIRM_S:g} s") from None

    async def _written(self, bodies: Sequence[bytes]) -> None:
        refusals = list[str]()
        for address in self._addresses:
            try:
                return await self._write(address, bodies)
            except Lost as lost:
                refusals.append(f"{shown(address)}: {lost.reason.value}, {lost}")
        raise BrokerUnavailable("; ".join(refusals))

    async def _write(self, address: URL, bodies: Sequence[bytes]) -> None:
        async with dial(address, self._clock) as link:
            try:
                await _publish(link, bodies)
            except (Exception, asyncio.CancelledError) as error:
                if is_cancelled():
                    raise
                raise link.verdict(error) from error


async def _publish(link: Link, bodies: Sequence[bytes]) -> None:
    await declare_revocations(link)
    channel = await link.connection.channel(publisher_confirms=True, on_return_raises=True)
    for body in bodies:
        # Mandatory: a publish that no queue takes is confirmed, but comes back first, and that is an error.
        await channel.basic_publish(
            body, exchange=topology.REVOKE.name, properties=Basic.Properties(delivery_mode=2), mandatory=True
        )
