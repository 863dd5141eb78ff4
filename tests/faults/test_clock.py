"""Wall clocks that somebody sets (F28): what is shown may be off, what is promised may not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.eventually import eventually
from tests.faults import stepped
from tests.faults.figures import Figures
from tests.faults.market import Market
from tests.stack import Stack

STEP_S: Final = 5.0
LONG_AGO_S: Final = 300.0
"""More than a test takes: an epoch that came from the wall clock alone would be an earlier one."""
FLOW_S: Final = 5.0

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(name="clock")
def _clock(tmp_path: Path) -> Path:
    """The file of a clock that is right so far."""
    stepped.set_clock(clock := tmp_path / "clock", 0)
    return clock


def on(clock: Path) -> Sequence[str]:
    """Return how Tickwire is started with *clock*."""
    return stepped.__file__, str(clock)


@pytest.mark.parametrize("kind", [pytest.param("gateway", marks=pytest.mark.slow), "producer"])
@pytest.mark.parametrize(
    "step", [pytest.param(STEP_S, id="ahead", marks=pytest.mark.slow), pytest.param(-STEP_S, id="back")]
)
async def test_clock_is_set(
    *, kind: str, step: float, stack: Stack, clock: Path, tmp_path: Path, figures: Figures
) -> None:
    """A clock that is set 5 s ahead or back costs no tick and no connection, and the feed never goes stale."""
    fault = f"F28 {kind}'s clock {step:+g} s"
    stack.through[kind] = on(clock)
    async with Market(stack, tmp_path, gateways=({},), clock_is_set=True) as market:
        stepped.set_clock(clock, step)
        figures.within(fault, "every symbol flows", await market.flowing(), FLOW_S)
        (gateway,) = market.gateways
        if (kind == "gateway") is (step < 0):  # the tick's time is later than the gateway's
            assert await gateway.metric("tickwire_latency_invalid_total") > 0
        assert await gateway.metric("tickwire_latency_seconds_sum", stage="total") >= 0
        if kind == "producer":
            assert await market.producer.metric("tickwire_producer_clock_steps_total") == 1
        outcome = await market.settle()
        assert (outcome.missing, outcome.open, outcome.conflated) == ({}, {}, 0)
        assert not [client for client in market.clients if client.told]


@pytest.mark.slow
async def test_producer_restarts_in_the_past(stack: Stack, clock: Path, tmp_path: Path, figures: Figures) -> None:
    """A producer that starts again with its clock 300 s back begins a later epoch all the same."""
    fault = f"F28 producer restarted {LONG_AGO_S:g} s back"
    stack.through["producer"] = on(clock)
    async with Market(stack, tmp_path, clock_is_set=True) as market:
        epochs = {
            client: {s: _epoch(client.checker.cursor(s)) for s in client.symbols} for client in market.clients
        }
        stepped.set_clock(clock, -LONG_AGO_S)
        await market.producers.pop().stop()
        new = await market.start("producer", {})
        figures.within(fault, "every symbol flows", await market.flowing(), FLOW_S)
        await eventually(
            lambda: all(
                _epoch(client.checker.cursor(symbol)) > before
                for client, all_before in epochs.items()
                for symbol, before in all_before.items()
            )
        )
        last = await new.metric("tickwire_producer_epoch")
        assert {_epoch(market.clients[0].checker.cursor(s)) for s in market.clients[0].symbols} == {last}
        await market.settle()


def _epoch(cursor: tuple[int, int] | None) -> int:
    assert cursor is not None
    return cursor[0]
