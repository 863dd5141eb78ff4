"""A client's cursor, against the table of `docs/protocol.md`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwire_client.cursor import Cursor, Position


def _at(epoch: int, seq: int) -> Cursor:
    cursor = Cursor()
    cursor.subscribe(Position(epoch, seq))
    return cursor


def test_subscribe_sets_the_position() -> None:
    """`subscribed` gives the position, and changes nothing when it comes again."""
    cursor = Cursor()

    assert cursor.subscribe(Position(7, 3))
    assert cursor.subscribe(Position(7, 3))
    assert not cursor.subscribe(Position(7, 4))


def test_snapshot_only_where_nothing_is_accounted_for() -> None:
    """`snapshot` is legal at null, also after a gap to null, and nowhere else."""
    cursor = Cursor()
    cursor.subscribe(None)

    assert cursor.snapshot(Position(7, 3))
    assert not cursor.snapshot(Position(7, 4))
    assert cursor.gap(7, 5, None)
    assert cursor.snapshot(Position(7, 9))
    assert cursor.position == Position(7, 9)


@pytest.mark.parametrize(
    ("seq", "skipped", "legal"), [(4, 0, True), (6, 2, True), (5, 0, False), (3, 0, False), (4, 1, False)]
)
def test_tick(seq: int, skipped: int, legal: bool) -> None:  # noqa: FBT001 - a table
    """A tick is legal right after the cursor, or after what it says was skipped."""
    cursor = _at(7, 3)

    assert cursor.tick(seq, skipped) is legal
    assert cursor.position == Position(7, seq)


def test_tick_at_null_is_illegal() -> None:
    """A tick before any position is illegal and gives none."""
    cursor = Cursor()
    cursor.subscribe(None)

    assert not cursor.tick(1, 0)
    assert cursor.position is None


@pytest.mark.parametrize(
    ("epoch", "first", "last", "legal"),
    [
        (7, 4, 9, True),
        (7, 4, None, True),
        (7, 4, 4, True),
        (8, 4, 9, False),
        (7, 5, 9, False),
        (7, 4, 3, False),
    ],
)
def test_gap(epoch: int, first: int, last: int | None, legal: bool) -> None:  # noqa: FBT001 - a table
    """A gap is legal right after the cursor, in its epoch, and not empty."""
    assert _at(7, 3).gap(epoch, first, last) is legal


@pytest.mark.parametrize(("epoch", "legal"), [(8, True), (7, False), (6, False)])
def test_epoch(epoch: int, legal: bool) -> None:  # noqa: FBT001 - a table
    """Only a later epoch is legal; ticks go on from its seq 1."""
    cursor = _at(7, 3)

    assert cursor.epoch(epoch) is legal
    assert cursor.tick(1, 0)


def test_nothing_after_unsubscribed() -> None:
    """A tick after `unsubscribed` is illegal."""
    cursor = _at(7, 3)
    cursor.unsubscribe()

    assert not cursor.tick(4, 0)


def test_disconnect_keeps_the_position() -> None:
    """The position survives a lost connection, and another one may be given afterwards."""
    cursor = _at(7, 3)
    cursor.disconnect()

    assert cursor.position == Position(7, 3)
    assert cursor.subscribe(None)


@given(st.lists(st.tuples(st.booleans(), st.integers(min_value=0, max_value=9))))
def test_accounting(steps: list[tuple[bool, int]]) -> None:
    """Whatever mix of ticks with skips and gaps comes, legal frames account for each position exactly once."""
    cursor, accounted = _at(7, 0), 0
    for is_gap, length in steps:
        if is_gap:
            assert cursor.gap(7, accounted + 1, accounted + 1 + length)
        else:
            assert cursor.tick(accounted + 1 + length, length)
        accounted += 1 + length

    assert cursor.position == Position(7, accounted)
