"""The directory and its parts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.market.directory import PART_SIZE, Directory, DirectoryPart, Instrument, SessionState, split
from services.market.symbol import Symbol


def instrument(name: str, close: int = 100) -> Instrument:
    """An instrument."""
    return Instrument(Symbol(name), name, "SIM", "USD", 2, 1, close, SessionState.OPEN, 0)


def whole(shard: str, version: int, *names: str) -> DirectoryPart:
    """A directory of one part."""
    (part,) = split(shard, version, map(instrument, names))
    return part


@given(st.integers(0, 3 * PART_SIZE))
def test_parts_hold_everything_once(length: int) -> None:
    """Every instrument is in exactly one part, and no part is above its size; nothing at all is one part."""
    everything = [instrument(f"S{n}") for n in range(length)]
    parts = list(split("main", 3, everything))
    assert [i for part in parts for i in part.instruments] == everything
    assert all(len(part.instruments) <= PART_SIZE for part in parts)
    assert [(p.part, p.parts, p.version) for p in parts] == [(n, len(parts), 3) for n in range(len(parts))]
    assert len(parts) == max(1, -(-length // PART_SIZE))


@given(st.permutations(range(3)))
def test_a_version_counts_when_it_is_whole(order: list[int]) -> None:
    """In whatever order the parts come, nothing is known before the last one."""
    everything = [instrument(f"S{n}") for n in range(2 * PART_SIZE + 1)]
    parts, directory = list(split("main", 3, everything)), Directory()
    for place in order[:-1]:
        assert directory.add(parts[place]) is None
        assert not directory.known
        assert directory.version("main") is None
    assert directory.add(parts[order[-1]]) == {i.symbol: i for i in everything}
    assert (len(directory), directory.version("main")) == (len(everything), 3)


def test_parts_of_two_versions_do_not_mix() -> None:
    """A part of another version begins that version anew."""
    old = list(split("main", 3, [instrument(f"S{n}") for n in range(PART_SIZE + 1)]))
    new = list(split("main", 4, [instrument(f"T{n}") for n in range(PART_SIZE + 1)]))
    directory = Directory()
    directory.add(old[0])
    assert directory.add(new[1]) is None
    assert directory.add(old[1]) is None
    assert directory.add(old[0]) is not None
    assert Symbol("T0") not in directory


def test_changes_are_told() -> None:
    """A new version tells what is new or changed; what it no longer names is gone."""
    directory = Directory()
    directory.add(whole("main", 1, "A", "B"))
    (part,) = split("main", 2, [instrument("B", 101), instrument("C")])
    assert directory.add(part) == {Symbol("B"): instrument("B", 101), Symbol("C"): instrument("C")}
    assert set(directory) == {"B", "C"}
    assert directory.get(Symbol("A")) is None
    assert directory.shard(Symbol("A")) is None
    assert directory.add(part) == {}


def test_shards_stand_beside_each_other() -> None:
    """One shard's directory says nothing of another's."""
    directory = Directory()
    directory.add(whole("main", 5, "A"))
    directory.add(whole("asia", 1, "B"))
    directory.add(whole("main", 6, "C"))
    assert set(directory) == {"B", "C"}
    assert directory.shard(Symbol("B")) == "asia"
    assert (directory.version("main"), directory.version("asia")) == (6, 1)


def test_an_empty_directory_is_known() -> None:
    """A shard without symbols has a directory all the same."""
    directory = Directory()
    assert directory.add(whole("main", 1)) == {}
    assert directory.known
    assert len(directory) == 0


def test_changes_are_counted() -> None:
    """Whoever keeps something made of the directory sees by a number whether it has changed."""
    directory = Directory()
    directory.add(whole("main", 1, "A", "B"))
    assert directory.changes == 1
    directory.add(whole("main", 2, "A", "B"))
    assert directory.changes == 1
    directory.add(whole("main", 3, "A"))
    assert directory.changes == 2
    directory.add(whole("other", 1, "C"))
    assert directory.changes == 3
