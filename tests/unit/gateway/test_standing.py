"""How clients and rings stand, for metrics."""

from __future__ import annotations

from typing import Any

from gateway.client import Client
from gateway.standing import Standing, standing
from services.market.position import Position
from services.market.symbol import Symbol
from tests.unit.gateway.test_hub import A, B, Floor, tick


def stands(floor: Floor) -> Standing:
    """Return how everybody on *floor* stands."""
    return standing(floor.hub.clients, floor.hub.lines)


def following(floor: Floor, *symbols: Symbol, **options: Any) -> Client:
    """Return the client of *floor*, which follows *symbols*."""
    floor.subscribe(*symbols, **options)
    floor.open()
    return floor.client


def test_rings() -> None:
    """The ticks and bytes of all rings are summed up."""
    floor = Floor()
    following(floor, A, B)
    floor.live(A, 1, 3)
    floor.live(B, 1)

    assert stands(floor) == Standing(ring_ticks=4, ring_bytes=3 * len(tick(A, 1)) + len(tick(B, 1)))


def test_a_client_that_asked_for_it_conflates() -> None:
    """A client with a rate conflates, once however many symbols it follows, until it asks for every tick."""
    floor = Floor()
    following(floor, A, B, max_rate=2.0)
    assert stands(floor) == Standing(conflating=1)

    floor.subscribe(A, B, command_id=3)
    assert stands(floor) == Standing()


def test_a_slow_client_conflates_until_it_has_drained() -> None:
    """A slow client conflates, and does not once it has taken everything."""
    floor = Floor()
    client = following(floor, A, B)
    floor.hub.slow(client)
    floor.hub.slow(client)
    assert stands(floor) == Standing(conflating=1, slow=1)

    floor.hub.drained(client, floor.now)
    assert stands(floor) == Standing()


def test_a_slow_client_that_asked_for_it_goes_on_conflating() -> None:
    """A client with a rate is slow only as long as it has not drained."""
    floor = Floor()
    client = following(floor, A, max_rate=2.0)
    floor.hub.slow(client)
    assert stands(floor) == Standing(conflating=1, slow=1)

    floor.hub.drained(client, floor.now)
    assert stands(floor) == Standing(conflating=1)


def test_who_unsubscribes_or_leaves_does_not_count() -> None:
    """What a client followed counts no longer; nobody stays behind in a count."""
    floor = Floor()
    client = following(floor, A, B, max_rate=2.0)
    floor.hub.slow(client)
    floor.unsubscribe(A)
    assert stands(floor) == Standing(conflating=1, slow=1)

    floor.unsubscribe(B, command_id=3)
    assert (client.outbox.conflating, client.outbox.slowed) == (0, 0)
    assert stands(floor) == Standing()


def test_behind() -> None:
    """A client that waits for ticks of two symbols is one that is behind, until it has them or leaves."""
    floor = Floor(history=True)
    client = following(floor, A, B, resume={A: Position(1, 2), B: Position(1, 2)})
    assert stands(floor).behind == 1

    floor.live(A, 3)
    assert stands(floor).behind == 1
    floor.hub.leave(client, floor.now)
    assert stands(floor).behind == 0
