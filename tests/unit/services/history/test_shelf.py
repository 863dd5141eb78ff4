"""`services.history.shelf`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.history.ring import TICK_BYTES
from services.history.shelf import TOUCH_BYTES, Forgotten, Shelf
from services.market.symbol import Symbol
from tests.unit.services.history.ticks import A, B, plain

LARGE = 10**9


def shelf(*, keep_s: float = 120.0, ring_ticks: int = LARGE, most_bytes: int = LARGE) -> Shelf:
    """A shelf with one of its bounds."""
    return Shelf(keep_s=keep_s, ring_ticks=ring_ticks, most_bytes=most_bytes)


def kept(of: Shelf, symbol: Symbol = A) -> int:
    """How many ticks are kept of *symbol*."""
    ring = of.get(symbol)
    return 0 if ring is None else len(ring)


def test_ticks_of_a_certain_age_are_forgotten() -> None:
    """A tick goes within a second after its age is reached, though nothing of its symbol comes any more."""
    s = shelf()
    for second in range(10):
        s.accept(plain(second + 1), float(second))
    s.accept(plain(1, symbol=B), 9.0)
    s.expire(119.9)
    assert kept(s) == 10
    s.expire(125.5)
    assert kept(s) == 5
    assert s.forgotten[Forgotten.AGE] == 5
    s.expire(10_000)
    assert (kept(s), kept(s, B)) == (1, 1)


def test_a_busy_symbol_is_bounded_in_ticks() -> None:
    """Of more ticks than a symbol may have the newest stay; other symbols lose nothing."""
    s = shelf(ring_ticks=10)
    s.accept(plain(1, symbol=B), 0.0)
    for seq in range(1, 31):
        s.accept(plain(seq), 0.0)
    assert (kept(s), kept(s, B), s.ticks) == (10, 1, 11)
    assert s.forgotten == {Forgotten.COUNT: 20}


def test_all_symbols_are_bounded_in_bytes() -> None:
    """Above the bytes of all, the oldest go whatever their symbol, but never a symbol's last tick."""
    s = shelf(most_bytes=100 * (TICK_BYTES + 10))
    s.accept(plain(1, symbol=B), 0.0)
    for seq in range(1, 500):
        s.accept(plain(seq), seq / 2)
        assert s.bytes <= 100 * (TICK_BYTES + 10)
    assert kept(s, B) == 1
    assert 30 < kept(s) < 100
    assert s.forgotten[Forgotten.MEMORY] == 499 - kept(s)


def test_a_bound_that_cannot_be_kept_leaves_the_last_ticks() -> None:
    """Where even one tick of each symbol is too much, one tick of each symbol is kept."""
    s = shelf(most_bytes=1)
    for seq in range(1, 5):
        s.accept(plain(seq), float(seq))
        s.accept(plain(seq, symbol=B), float(seq))
    assert (kept(s), kept(s, B)) == (1, 1)


def test_a_clock_that_was_set_forgets_nothing() -> None:
    """What a message says of its time has no part in its age."""
    s = shelf()
    for seq, published in ((1, 0), (2, 10**18), (3, 5)):
        s.accept(plain(seq)._replace(published=published, ts=published), 1.0)
    s.expire(100.0)
    assert kept(s) == 3


def test_drops_are_counted_by_their_reason() -> None:
    """Ticks that came before count as repeated, those of an earlier epoch as fenced."""
    s = shelf()
    for m in (plain(1, 4, epoch=2), plain(3, 3, epoch=2), plain(9, 2, epoch=1)):
        s.accept(m, 0.0)
    assert (s.read, s.repeated, s.fenced) == (5, 2, 2)


@given(
    st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 4), st.floats(0, 3)), max_size=80),
    st.integers(1, 20),
    st.integers(500, 6_000),
)
def test_accounts_agree(steps: list[tuple[str, int, float]], ring_ticks: int, most_bytes: int) -> None:
    """Ticks and bytes are those of the rings at every step, within the bounds wherever they can be kept."""
    s, now, seqs = shelf(keep_s=10, ring_ticks=ring_ticks, most_bytes=most_bytes), 0.0, dict.fromkeys("ABC", 1)
    for name, count, pause in steps:
        now += pause
        s.accept(plain(seqs[name], count, symbol=Symbol(name)), now)
        seqs[name] += count
        rings = list(s)
        assert s.ticks == sum(map(len, rings)) == s.read - sum(s.forgotten.values())
        assert s._bytes == sum(ring.bytes for ring in rings) == s.ticks * (TICK_BYTES + 10)
        assert s._touches == sum(len(layer) for _, layer in s._layers)
        assert all(1 <= len(ring) <= ring_ticks for ring in rings)
        assert s.bytes <= most_bytes + len(rings) * (TICK_BYTES + 10 + TOUCH_BYTES)
