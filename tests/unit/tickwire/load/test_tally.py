"""What the simulated clients got, all together."""

from __future__ import annotations

from tickwire.load.plan import Kind
from tickwire.load.tally import MOST_ENDINGS, Tally
from tickwire_client.closing import Ending


def test_rate() -> None:
    """The rate is that since the figures were last asked for, the counts are those since the start."""
    tally = Tally(100.0)
    tally.took(Kind.STEADY, 50, 0)
    assert tally.figures(110.0)["ticks_per_s"] == 5

    tally.took(Kind.PACED, 20, 80)
    figures = tally.figures(120.0)

    assert (figures["ticks"], figures["ticks_per_s"], figures["skipped"]) == (70, 2, 80)
    assert figures["by_kind"] == {"steady": 50, "paced": 20, "visiting": 0, "returning": 0, "slow": 0}


def test_no_time_has_passed() -> None:
    """Figures of no time at all have a rate of 0."""
    assert Tally(1.0).figures(1.0)["ticks_per_s"] == 0


def test_who_is_connected() -> None:
    """A client counts as connected from its welcome until it is gone, however often it is said to be."""
    tally = Tally(0.0)
    tally.welcomed(1)
    tally.welcomed(2)
    tally.gone(1, Ending.CLOSED, 1012)
    tally.gone(1)

    assert (tally.connected, tally.welcomes) == (1, 2)
    assert tally.figures(1.0)["ends"] == {"closed 1012": 1}


def test_endings_are_bounded() -> None:
    """Endings beyond the first twenty kinds are counted together."""
    tally = Tally(0.0)
    for code in range(4000, 4000 + MOST_ENDINGS + 5):
        tally.gone(1, Ending.CLOSED, code)
    tally.gone(1, Ending.CLOSED, 4000)

    assert len(tally.ends) == MOST_ENDINGS + 1
    assert (tally.ends["other"], tally.ends["closed 4000"]) == (5, 2)
