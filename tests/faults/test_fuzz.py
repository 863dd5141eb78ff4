"""Nearly right commands and wrong streams, by the thousand: what they come to, counted (F23)."""

from __future__ import annotations

import time
from collections import Counter
from typing import Final

import pytest

from gateway.wires.inbound import Farewell, Inbound, Violation
from gateway.wires.native.faults import CommandFault
from gateway.wires.native.parse import parse
from tests.faults.figures import Figures
from tests.hostile import nearly_commands, wrong_streams

MESSAGE: Final = 64 * 1024
SENTENCE: Final = 2_000
"""Most characters of what is said about a command."""


@pytest.mark.parametrize("count", [20_000, pytest.param(500_000, marks=pytest.mark.slow)])
def test_nearly_commands(count: int, figures: Figures) -> None:
    """Of any number of nearly right commands none raises anything but a fault, said in a short sentence."""
    fault, found, began = f"F23 {count:,} commands", Counter[str](), time.monotonic()
    for text in nearly_commands(count, seed=count):
        try:
            part = parse(text, max_symbols=100).fault
        except CommandFault as refused:
            part = refused
        found["obeyed" if part is None else part.code] += 1
        assert part is None or len(str(part)) <= SENTENCE
    for what, number in found.most_common():
        figures.told(fault, f"of them {what}", number)
    figures.told(fault, "time", time.monotonic() - began, "s")
    assert found.total() == count


@pytest.mark.parametrize("count", [5_000, pytest.param(250_000, marks=pytest.mark.slow)])
def test_wrong_streams(count: int, figures: Figures) -> None:
    """Of any number of wrong streams none is more than events and one violation, after which nothing counts."""
    fault, found, began = f"F23 {count:,} streams", Counter[str](), time.monotonic()
    for pieces in wrong_streams(count, seed=count):
        inbound = Inbound(MESSAGE)
        events = [event for piece in pieces for event in inbound.feed(piece)]
        assert not any(isinstance(event, Violation | Farewell) for event in events[:-1])
        last = events[-1] if events else None
        found[f"violation {last.code}" if isinstance(last, Violation) else "events only"] += 1
    for what, number in found.most_common():
        figures.told(fault, f"of them {what}", number)
    figures.told(fault, "time", time.monotonic() - began, "s")
    assert found.keys() == {"events only", "violation 1002", "violation 1007", "violation 1009"}
