"""A client, asked how its resume goes."""

from __future__ import annotations

from gateway.client import Client
from gateway.follower import Follower
from gateway.outbox import Outbox
from gateway.recovery import Recovery
from gateway.tally import Tally
from services.market.position import Position
from services.market.symbol import Symbol
from tests.listeners import line

A = Symbol("A")


def resumed(seq: int) -> tuple[Client, Recovery]:
    """A client that resumes *seq* of a symbol whose newest tick is 5, with history to be asked."""
    recovery = Recovery(A, Tally(), history=True)
    recovery.accept(1, 4, [line("A", 4), line("A", 5)], 0.0)
    recovery.opened(0.0)
    client = Client(Outbox(None, [], lambda: None), 9)
    follower = client.followers[A] = Follower(A, client.outbox, 1)
    recovery.join(follower, resume=Position(1, seq), snapshot=True)
    recovery.begin(follower, 0.0)
    return client, recovery


def test_stands() -> None:
    """Who lacks nothing stands, and so does who has moved; who waits for history does not."""
    for seq, stands in ((5, True), (4, True), (2, False)):
        client, _ = resumed(seq)
        assert client.stands(A, Position(1, seq)) is stands, seq


def test_doubt() -> None:
    """A position above everything known may be right: it stands once a tick has shown so."""
    client, recovery = resumed(7)
    assert not client.stands(A, Position(1, 7))

    recovery.accept(1, 6, [line("A", 6), line("A", 7), line("A", 8)], 0.1)

    assert client.stands(A, Position(1, 7))


def test_nobody() -> None:
    """A symbol that is not followed stands nowhere."""
    client, _ = resumed(5)

    assert not client.stands(Symbol("B"), Position(1, 5))
