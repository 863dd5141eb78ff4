"""Named streams of pseudo-randomness."""

from __future__ import annotations

from producer.sources.stream import stream, stream_seed


def test_names_are_stable() -> None:
    """A name leads to the same stream in every process and version: these figures are pinned."""
    assert stream_seed(1, "AAPL", 0) == 9133495646438257747
    assert stream(1, "AAPL", 0).random() == stream(1, "AAPL", 0).random()


def test_names_and_seeds_are_told_apart() -> None:
    """Another seed, name or part of it is another stream."""
    seeds = {
        stream_seed(*name) for name in ((1, "A", 0), (1, "A", 1), (1, "B", 0), (2, "A", 0), (1, "A"), (1, "A0"))
    }
    assert len(seeds) == 6
