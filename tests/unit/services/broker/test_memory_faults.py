"""`services.broker.memory.faults`."""

from __future__ import annotations

from dataclasses import fields

from services.broker.memory.faults import Dice, Faults


def test_faults_are_off_by_default() -> None:
    """A broker that is told nothing is kind: every probability is 0."""
    kind = Faults()
    off = {f.name: getattr(kind, f.name) for f in fields(Faults) if f.name not in ("seed", "history_late_s")}
    assert set(off.values()) == {0.0}


def test_a_rough_broker_leaves_no_fault_out() -> None:
    """`Faults.rough` turns every fault on, none of them always."""
    rough = Faults.rough(7)
    on = [getattr(rough, f.name) for f in fields(Faults) if f.name != "seed"]
    assert all(0 < probability < 1 for probability in on)
    assert rough.seed == 7


def test_a_seed_fixes_the_dice() -> None:
    """The same seed throws the same, another seed does not."""
    first, same, other = ([Dice(seed).upto(10**9) for _ in range(3)] for seed in (1, 1, 2))
    assert first == same != other


def test_a_fault_that_is_off_costs_no_throw() -> None:
    """A probability of 0 leaves the following throws as they were; 1 always hits."""
    plain, asked = Dice(3), Dice(3)
    assert not asked.hits(0.0)
    assert plain.upto(10**9) == asked.upto(10**9)
    assert all(asked.hits(1.0) for _ in range(100))


def test_throws_stay_in_their_range() -> None:
    """`upto` reaches both ends, `within` stays between them, `shuffle` keeps every item."""
    dice, items = Dice(5), list(range(20))
    assert {dice.upto(2) for _ in range(100)} == {0, 1, 2}
    assert all(0 <= dice.within(0.5) <= 0.5 for _ in range(100))
    dice.shuffle(items)
    assert items != sorted(items)
    assert sorted(items) == list(range(20))
