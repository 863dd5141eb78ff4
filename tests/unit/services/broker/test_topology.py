"""What is declared on a broker."""

from __future__ import annotations

import pytest

from services.broker import topology
from services.broker.ports import Route
from services.broker.tickets import TICKET_S
from services.market.symbol import Symbol


@pytest.mark.parametrize(
    ("route", "exchange", "key"),
    [
        (Route.TICK, "tickwire.ticks", "tick.BRK.B"),
        (Route.LAST, "tickwire.ticks", "last.BRK.B"),
        (Route.CONTROL, "tickwire.control", ""),
    ],
)
def test_a_route_leads_to_its_exchange(route: Route, exchange: str, key: str) -> None:
    """Ticks and repeats go through the topic exchange by their symbol, control messages through the fanout."""
    assert (topology.exchange_of(route), topology.routing_key(route, "BRK.B")) == (exchange, key)


@pytest.mark.parametrize("route", [Route.TICK, Route.LAST])
def test_a_routing_key_names_its_symbol(route: Route) -> None:
    """The symbol comes back out of the routing key, dots and all."""
    assert topology.symbol_of(topology.routing_key(route, "BRK.B")) == Symbol("BRK.B")


def test_every_queue_is_bounded_and_drops_its_oldest() -> None:
    """A live queue holds 1,000 messages of at most 2 s, and every queue drops its oldest."""
    assert topology.LIVE_ARGUMENTS == {"x-max-length": 1_000, "x-overflow": "drop-head", "x-message-ttl": 2_000}
    assert topology.CONTROL_ARGUMENTS["x-overflow"] == "drop-head"
    assert topology.REPLIES_ARGUMENTS["x-overflow"] == "drop-head"
    logs = (topology.LOG_ARGUMENTS, topology.CANDLE_LOG_ARGUMENTS, topology.REVOCATION_LOG_ARGUMENTS)
    for log in logs:
        assert {"x-max-age", "x-max-length-bytes"} <= log.keys()


@pytest.mark.parametrize(("addresses", "kind"), [(1, None), (2, None), (3, "quorum"), (5, "quorum")])
def test_the_request_queue_fits_the_broker(addresses: int, kind: str | None) -> None:
    """From three addresses on the queue of requests is a quorum queue; its bounds are the same on any broker."""
    arguments = dict(topology.history_arguments(addresses))
    assert arguments.pop("x-queue-type", None) == kind
    assert arguments == {"x-max-length": 10_000, "x-overflow": "drop-head", "x-message-ttl": 500}


def test_a_lease_queue_suits_the_cluster() -> None:
    """A lease queue has one active consumer, and is a quorum queue from three addresses on."""
    assert topology.lease_queue("asia") == "tickwire.lease.asia"
    assert topology.lease_arguments(1) == topology.lease_arguments(2) == {"x-single-active-consumer": True}
    assert topology.lease_arguments(3) == {"x-single-active-consumer": True, "x-queue-type": "quorum"}


def test_a_ticket_goes_by_itself() -> None:
    """A ticket's queue holds one message, and neither outlives the ticket's 30 s unused."""
    assert topology.ticket_queue("0a" * 16) == "tickwire.ticket." + "0a" * 16
    life = round(TICKET_S * 1_000)
    assert {"x-expires": life, "x-message-ttl": life, "x-max-length": 1} == topology.TICKET_ARGUMENTS
