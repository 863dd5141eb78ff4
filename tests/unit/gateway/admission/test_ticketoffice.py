"""Where tickets are issued and used up."""

from __future__ import annotations

import asyncio

import pytest

from gateway.admission.authority import Reason, TokenRefused
from gateway.admission.entitlement import ANYBODY, Entitlement
from gateway.admission.ticket import TicketTooLong, make
from gateway.admission.ticketoffice import TicketOffice
from services.broker.tickets import TICKET_S
from services.errors import BrokerUnavailable
from services.market.symbol import Symbol
from tests.handclock import START_S, HandClock

SECRET = "x" * 32


class Names:
    """A store of names in a set."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.down = False

    async def run(self) -> None:
        """Wait."""
        await asyncio.Event().wait()

    async def put(self, name: str) -> None:
        """Keep *name*."""
        if self.down:
            raise BrokerUnavailable
        self.names.add(name)

    async def take(self, name: str) -> bool:
        """Give *name* away once."""
        if self.down:
            raise BrokerUnavailable
        found = name in self.names
        self.names.discard(name)
        return found


@pytest.fixture(name="names")
def _names() -> Names:
    """The store of the broker."""
    return Names()


@pytest.fixture(name="clock")
def _clock() -> HandClock:
    """The gateways' clock."""
    return HandClock()


@pytest.fixture(name="office")
def _office(names: Names, clock: HandClock) -> TicketOffice:
    """One gateway's office."""
    return TicketOffice(names, SECRET, clock)


async def _refused(office: TicketOffice, text: str) -> Reason:
    with pytest.raises(TokenRefused) as caught:
        await office.redeem(text)
    return caught.value.reason


async def test_a_ticket_works_once_on_any_gateway(office: TicketOffice, names: Names, clock: HandClock) -> None:
    """A ticket of one gateway lets its bearer in at another one with the same secret and broker, once."""
    entitlement = Entitlement("u", "t", 1.0, START_S + 60, frozenset({Symbol("AAPL")}))
    text = await office.issue(entitlement)
    other = TicketOffice(names, SECRET, clock)

    assert await other.redeem(text) == entitlement
    assert await _refused(other, text) is Reason.USED
    assert await _refused(office, text) is Reason.USED


async def test_each_ticket_has_its_own_name(office: TicketOffice, names: Names) -> None:
    """Two tickets for the same entitlement are two, and their names cannot be guessed."""
    texts = {await office.issue(ANYBODY) for _ in range(100)}

    assert len(texts) == len(names.names) == 100
    assert {len(name) for name in names.names} == {32}


async def test_a_ticket_that_cannot_be_good_takes_nothing(
    office: TicketOffice, names: Names, clock: HandClock
) -> None:
    """A forged or late ticket is refused before the broker is asked."""
    text = await office.issue(ANYBODY)
    (name,) = names.names
    names.down = True

    assert await _refused(office, make(ANYBODY, "y" * 32, name, START_S)) is Reason.SIGNATURE
    assert await _refused(office, "") is Reason.MALFORMED
    clock.now = TICKET_S
    assert await _refused(office, text) is Reason.EXPIRED


async def test_without_a_broker_nobody_can_tell(office: TicketOffice, names: Names) -> None:
    """Without the broker no ticket is issued, and none is used up or refused."""
    text = await office.issue(ANYBODY)
    names.down = True
    with pytest.raises(BrokerUnavailable):
        await office.issue(ANYBODY)
    with pytest.raises(BrokerUnavailable):
        await office.redeem(text)
    names.down = False
    assert await office.redeem(text) == ANYBODY


async def test_what_no_ticket_has_room_for_leaves_nothing(office: TicketOffice, names: Names) -> None:
    """An entitlement that is too long for a ticket is refused before the broker has its name."""
    with pytest.raises(TicketTooLong):
        await office.issue(Entitlement(names=frozenset(Symbol(f"S{n}") for n in range(2_000))))
    assert names.names == set()


async def test_it_runs_as_long_as_its_store(office: TicketOffice) -> None:
    """The office runs for ever, which is its store's connection."""
    running = asyncio.create_task(office.run())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(running, timeout=0.01)
