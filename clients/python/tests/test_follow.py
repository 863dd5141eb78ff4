"""One symbol over several connections: what is handed out, and the account of the rest."""

from __future__ import annotations

from typing import Any

from tickwire_client.cursor import Position
from tickwire_client.events import Gap
from tickwire_client.follow import Follow
from tickwire_client.tick import Arrival

_NOW = Arrival(0, 0, 0)


def _fields(seq: int, skipped: int = 0) -> dict[str, Any]:
    return {"symbol": "A", "seq": seq, "price": "1", "size": 1, "volume": 1, "skipped": skipped}


def _follow(epoch: int = 7, seq: int = 5) -> Follow:
    follow = Follow("A")
    follow.subscribed(None)
    follow.shown(_fields(seq), epoch, _NOW)
    return follow


def test_repeat_is_not_handed_out() -> None:
    """A tick that comes again is a violation, counted once, and nobody gets it or those up to the newest."""
    follow = _follow()
    follow.tick(_fields(6), _NOW)

    assert follow.tick(_fields(5), _NOW) == (None, False)
    assert follow.tick(_fields(6), _NOW) == (None, True)
    tick, legal = follow.tick(_fields(7), _NOW)
    assert (tick and tick.seq, legal) == (7, True)
    assert (follow.account.delivered, follow.account.repeated) == (3, 2)


def test_hole_is_missing() -> None:
    """A hole without explanation is a violation, handed over and accounted for as missing."""
    follow = _follow()
    tick, legal = follow.tick(_fields(9, skipped=1), _NOW)

    assert (tick and tick.seq, legal) == (9, False)
    assert (follow.account.missing, follow.account.skipped) == ({"violation": 2}, 1)


def test_gap_to_null_ends_with_the_snapshot() -> None:
    """What lies between a gap without an end and the next snapshot is counted once that is there."""
    follow = _follow()
    follow.gap(Gap("A", 7, 6, None, "unavailable"))
    follow.shown(_fields(9), 7, _NOW)

    assert follow.account.missing == {"unavailable": 3}
    assert follow.cursor.position == Position(7, 9)


def test_gap_over_the_end_of_an_epoch() -> None:
    """Of a gap that ends in a later epoch nobody can say how much it holds."""
    follow = _follow()
    follow.gap(Gap("A", 7, 6, None, "unavailable"))
    follow.shown(_fields(9), 8, _NOW)

    assert (follow.account.missing, follow.account.unknown) == ({}, {"unavailable": 1})


def test_gateway_that_lags() -> None:
    """A snapshot behind what was delivered is not handed out, and what is skipped is counted from there."""
    follow = _follow()
    follow.gap(Gap("A", 7, 6, None, "unavailable"))

    assert follow.shown(_fields(3), 7, _NOW) == (None, True)
    tick, legal = follow.tick(_fields(8, skipped=4), _NOW)
    assert (tick and tick.skipped, legal) == (2, True)
    assert follow.account.missing == {}


def test_resume_that_was_not_taken_up() -> None:
    """A position that the gateway did not take up is a gap of its own reason."""
    follow = _follow()
    follow.disconnected()
    assert follow.resume == Position(7, 5)

    assert follow.subscribed(None) == (True, Gap("A", 7, 6, None, "not_resumed"))
    follow.shown(_fields(8), 7, _NOW)
    assert follow.account.missing == {"not_resumed": 2}


def test_position_that_was_made_up() -> None:
    """Ticks below a position that nobody ever published are handed out."""
    follow = Follow("A", start=Position(7, 999))
    follow.subscribed(Position(7, 999))
    follow.gap(Gap("A", 7, 1000, None, "unknown_position"))
    tick, legal = follow.shown(_fields(5), 7, _NOW)

    assert (tick and tick.seq, legal) == (5, True)
