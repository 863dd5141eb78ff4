"""The tape against a plain list."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.tape import RING_BYTES, RING_TICKS, Tape
from services.market.position import Position

_steps = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4)), max_size=40)


@given(_steps)
def test_ring_is_consecutive(steps: list[tuple[int, int]]) -> None:
    """The ring always holds the consecutive ticks that end at newest, whatever came."""
    tape, seq = Tape(), 0
    kept: list[bytes] = []
    for jump, count in steps:
        first = seq + 1 + jump
        lines = [b"%d" % n for n in range(first, first + count)]
        joined = tape.add(1, first, lines, sum(map(len, lines)))

        assert joined == (jump == 0 and seq > 0)
        kept = [*kept, *lines] if joined else lines
        seq = first + count - 1
        assert tape.newest == Position(1, seq)
        assert list(tape.ring) == kept
        assert tape.size == sum(map(len, kept))
        assert tape.oldest == Position(1, seq - len(kept) + 1)


@given(st.integers(0, 30), st.integers(1, 20))
def test_after_gives_what_follows(cursor: int, count: int) -> None:
    """A cursor that the ring reaches gets exactly the ticks that follow it."""
    tape = Tape()
    tape.add(1, 5, [b"%d" % n for n in range(5, 5 + count)], 0)

    expected = [n for n in range(5, 5 + count) if n > cursor]
    reaches = cursor >= 4 and bool(expected)
    assert tape.reaches(Position(1, cursor)) == reaches
    assert not tape.reaches(Position(2, cursor))
    if reaches:
        assert [int(tick) for tick in tape.after(Position(1, cursor))] == expected


def test_ring_is_bounded() -> None:
    """A tape forgets its oldest ticks beyond its bounds in ticks and in bytes."""
    tape = Tape()
    for seq in range(1, RING_TICKS + 11):
        tape.add(1, seq, [b"x"], 1)
    assert len(tape.ring) == RING_TICKS

    big = b"y" * (RING_BYTES // 2)
    for seq in range(RING_TICKS + 11, RING_TICKS + 16):
        tape.add(1, seq, [big], len(big))
    assert list(tape.ring) == [big, big]
    assert tape.size == 2 * len(big)


def test_jump_leaves_no_ticks() -> None:
    """A position that came from a mark has no tick to give."""
    tape = Tape()
    tape.add(1, 1, [b"1"], 1)
    tape.jump(Position(1, 9))

    assert (tape.newest, tape.oldest, tape.size) == (Position(1, 9), None, 0)
    assert not tape.reaches(Position(1, 8))
