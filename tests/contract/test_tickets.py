"""What `services.broker.tickets.TicketStore` promises, for each adapter."""

from __future__ import annotations

import asyncio
import secrets

import pytest

from services.errors import BadInput, BrokerUnavailable
from tests.contract.admissions import running
from tests.contract.controls import Controls
from tests.eventually import eventually


def ticket() -> str:
    """A name that no ticket had."""
    return secrets.token_hex(16)


async def test_a_ticket_is_taken_once(broker: Controls) -> None:
    """A ticket that was put can be taken on any gateway, once; another name never could."""
    first, second = await broker.admission("a"), await broker.admission("b")
    async with running(first), running(second):
        name = ticket()
        await first.put(name)
        assert not await second.take(ticket())
        assert await second.take(name)
        assert not await first.take(name)
        assert not await second.take(name)


async def test_a_ticket_taken_at_once_on_two_gateways_lets_one_in(broker: Controls) -> None:
    """Of two takings of the same ticket at the same moment exactly one succeeds, 50 times out of 50."""
    first, second = await broker.admission("a"), await broker.admission("b")
    async with running(first), running(second):
        names = [ticket() for _ in range(50)]
        await asyncio.gather(*map(first.put, names))
        taken = await asyncio.gather(*(gateway.take(name) for name in names for gateway in (first, second)))
        assert [one + two for one, two in zip(taken[::2], taken[1::2], strict=True)] == [1] * 50
        assert not any(await asyncio.gather(*map(second.take, names)))


async def test_names_that_never_were(broker: Controls) -> None:
    """A hundred names asked for at once are all refused, and tickets work as before."""
    gateway = await broker.admission("a")
    async with running(gateway) as record:
        assert not any(await asyncio.gather(*(gateway.take(ticket()) for _ in range(100))))
        name = ticket()
        await gateway.put(name)
        assert await gateway.take(name)
        assert record.lost == []


@pytest.mark.parametrize("name", ["", "#", "tickwire.lease.main", "A" * 32, "0" * 33])
async def test_what_is_no_ticket_reaches_no_broker(broker: Controls, name: str) -> None:
    """A text other than 32 hexadecimal digits cannot be put, and was never there."""
    gateway = await broker.admission("a")
    async with running(gateway):
        with pytest.raises(BadInput, match=r"^a ticket's name is 32 hexadecimal digits$"):
            await gateway.put(name)
        assert not await gateway.take(name)


async def test_only_so_many_wait(broker: Controls) -> None:
    """A gateway that has put as many tickets in 30 s as it may puts no more; those that wait can be taken."""
    gateway = await broker.admission("a", most=3)
    async with running(gateway):
        names = [ticket() for _ in range(3)]
        for name in names:
            await gateway.put(name)
        with pytest.raises(BrokerUnavailable, match=r"^as many tickets wait as one gateway may have$"):
            await gateway.put(ticket())
        assert all([await gateway.take(name) for name in names])


async def test_no_broker_is_no_answer(broker: Controls) -> None:
    """Without a connection a ticket can be neither put nor taken, and nobody is told that it was."""
    gateway = await broker.admission("a")
    with pytest.raises(BrokerUnavailable):
        await gateway.take(ticket())
    async with running(gateway) as record:
        await broker.refuse()
        await eventually(lambda: record.lost)
        for asked in (gateway.put(ticket()), gateway.take(ticket())):
            with pytest.raises(BrokerUnavailable):
                await asked
        await broker.accept()
        await eventually(lambda: record.connections == 2, deadline=15.0)
        name = ticket()
        await gateway.put(name)
        assert await gateway.take(name)
