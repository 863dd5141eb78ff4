"""What is measured, and how a part of it is chosen."""

from __future__ import annotations

import pytest

from benchmarks.scenarios import FULL, QUICK, FanOut, chosen, with_peers


def test_words_choose_scenarios() -> None:
    """A scenario with one of the words in its name is chosen; without words all are."""
    assert [s.name for s in chosen(FULL, ["ingest", "publish"])] == ["ingest", "publish"]
    assert chosen(QUICK, []) == list(QUICK)


def test_a_word_in_no_name_is_refused() -> None:
    """The error names the word and what there is."""
    with pytest.raises(ValueError, match="no scenario has 'nothing' in its name; there are: fan-out, one tick"):
        chosen(FULL, ["nothing"])


def test_peers_are_chosen_for_fan_outs_only() -> None:
    """Named peers replace those of the fan-outs."""
    for before, after in zip(FULL, with_peers(FULL, ["floor"]), strict=True):
        assert after == before or (isinstance(after, FanOut) and after.peers == ("floor",))
