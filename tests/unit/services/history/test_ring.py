"""`services.history.ring`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.broker.history import PAGE_BYTES
from services.history.ring import TICK_BYTES, Ring
from services.market.position import Position
from tests.unit.services.history.ticks import plain

START = Position(0, 0)


def positions(ring: Ring, after: Position | None = START) -> list[Position]:
    """The positions of one page."""
    page = ring.last() if after is None else ring.after(after)
    return [position for position, _ in page.ticks]


def ring_of(*messages: tuple[int, int, int]) -> Ring:
    """A ring that took in messages (epoch, first, count)."""
    ring = Ring()
    for epoch, first, count in messages:
        ring.accept(plain(first, count, epoch=epoch))
    return ring


def test_positions_ascend() -> None:
    """Repeats and positions below the newest are dropped, even from the middle of a message."""
    ring = Ring()
    taken = [
        ring.accept(plain(f, n, epoch=e)) for e, f, n in [(1, 1, 2), (1, 2, 2), (1, 1, 1), (2, 1, 1), (1, 9, 1)]
    ]
    assert taken == [2, 1, 0, 1, 0]
    assert positions(ring) == [(1, 1), (1, 2), (1, 3), (2, 1)]
    assert ring.newest == (2, 1)
    assert [line for _, line in ring.after(START).ticks][2] == b"0000000003"


def test_what_follows_a_position() -> None:
    """A page starts behind the position asked for, be that in the ring or not, and `top` is the newest."""
    ring = ring_of((1, 1, 3), (3, 1, 2))
    assert positions(ring, Position(1, 2)) == [(1, 3), (3, 1), (3, 2)]
    assert positions(ring, Position(2, 7)) == [(3, 1), (3, 2)]
    assert ring.after(Position(3, 5)) == ((), (3, 2))
    assert positions(ring, None) == [(3, 2)]


def test_what_came_before_reading_began_is_forgotten() -> None:
    """Below the first position read nothing is known: it is forgotten, not missing from the log."""
    assert ring_of((7, 40, 2)).forgot == (7, 39)
    assert Ring().forgot is None
    assert Ring().last() == ((), None)


def test_a_run_that_was_not_read_from_its_start_is_cut() -> None:
    """A later epoch whose first tick read is not its first: what is before may be in the log, unread."""
    ring = ring_of((1, 1, 10), (2, 100, 3))
    assert ring.forgot == (2, 99)
    assert positions(ring, Position(1, 4)) == [(2, 100), (2, 101), (2, 102)]
    assert ring_of((1, 1, 10), (2, 1, 3)).forgot == (1, 0)


def test_what_was_skipped_is_forgotten_not_lost() -> None:
    """After a part of the log was skipped, only a tick that follows the newest proves that nothing is missing."""
    whole, hole, later = (ring_of((1, 1, 10)) for _ in range(3))
    for ring in (whole, hole, later):
        ring.broken = True
    whole.accept(plain(11, epoch=1))
    hole.accept(plain(15, epoch=1))
    later.accept(plain(1, epoch=2))

    assert (whole.forgot, hole.forgot, later.forgot) == ((1, 0), (1, 14), (2, 0))
    assert positions(hole, Position(1, 10)) == [(1, 15)]
    hole.accept(plain(20, epoch=1))
    assert hole.forgot == (1, 14)  # that hole is the log's own


def test_what_is_dropped_later_never_lowers_forgot() -> None:
    """`forgot` only rises, also where ticks from before a skip are dropped after it."""
    ring = ring_of((1, 1, 10))
    ring.broken = True
    ring.accept(plain(50, 5, epoch=1))
    ring.forget(3)

    assert ring.forgot == (1, 49)


def test_the_newest_tick_is_never_forgotten() -> None:
    """However many ticks are to go, the last stays, and `forgot` names the largest that went."""
    ring = ring_of((1, 1, 5))
    assert ring.forget(2) == 2
    assert (ring.forgot, positions(ring)) == ((1, 2), [(1, 3), (1, 4), (1, 5)])
    assert ring.forget(9) == 2
    assert (ring.forgot, positions(ring), len(ring)) == ((1, 4), [(1, 5)], 1)
    assert ring.forget(9) == 0
    assert ring.bytes == TICK_BYTES + 10


def test_forgotten_ticks_take_no_room() -> None:
    """The columns stay bounded where each tick that comes makes one go."""
    ring = ring_of((1, 1, 100))
    for seq in range(101, 5_000):
        ring.accept(plain(seq))
        ring.forget(1)
    assert len(ring) == 100
    assert len(ring._lines) == len(ring._seqs) <= 100 + 1_025
    assert ring.bytes == 100 * (TICK_BYTES + 10)
    assert ring.count == 4_999


def test_a_page_is_cut_at_its_bound() -> None:
    """Ticks beyond `PAGE_BYTES` wait for the next question, and `top` is the last tick that is in."""
    ring = Ring()
    ring.accept(plain(1, 100, size=1_000))
    page = ring.after(START)
    assert len(page.ticks) == PAGE_BYTES // 1_000
    assert page.top == page.ticks[-1][0]
    assert page.top is not None
    assert ring.after(page.top).top == (1, 100)


def test_a_tick_above_the_bound_is_a_page_of_its_own() -> None:
    """A page holds at least one tick, or a question would never get beyond it."""
    ring = Ring()
    ring.accept(plain(1, 2, size=PAGE_BYTES + 1))
    assert positions(ring) == [(1, 1)]
    assert positions(ring, Position(1, 1)) == [(1, 2)]


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 30), st.integers(1, 5), st.integers(0, 4)), max_size=30),
    st.builds(Position, st.integers(0, 4), st.integers(0, 40)),
)
def test_a_page_is_complete_up_to_top(taken: list[tuple[int, int, int, int]], after: Position) -> None:
    """Whatever came, a page has every accepted position above the question's or `forgot`, up to `top`."""
    ring, accepted = Ring(), list[Position]()
    for epoch, first, count, forget in taken:
        ring.accept(plain(first, count, epoch=epoch))
        for seq in range(first, first + count):
            if not accepted or Position(epoch, seq) > accepted[-1]:
                accepted.append(Position(epoch, seq))
        ring.forget(forget)
    page = ring.after(after)
    lowest = max(after, ring.forgot or after)
    assert page.top == (accepted[-1] if accepted else None)
    assert [p for p, _ in page.ticks] == [p for p in accepted if p > lowest]
    assert ring.count == len(accepted)
