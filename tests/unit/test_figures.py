"""The table of what the fault tests measured."""

from __future__ import annotations

import pytest

from tests.faults.figures import Figures


def test_a_figure_above_its_limit_fails_and_is_shown() -> None:
    """What is too much fails its test and stands in the table all the same."""
    figures = Figures()
    figures.told("F0 nothing", "seen", 3)
    figures.within("F1 something", "after", 4.0, 5.0)
    with pytest.raises(AssertionError, match=r"F1 something: again: 6\.00 s, allowed are 5"):
        figures.within("F1 something", "again", 6.0, 5.0)
    assert [line.split("|")[1:-1] for line in figures.table.replace(" ", "").splitlines()[2:]] == [
        ["F0nothing", "seen", "3", "", ""],
        ["F1something", "after", "4s", "5s", "kept"],
        ["F1something", "again", "6s", "5s", "BROKEN"],
    ]
