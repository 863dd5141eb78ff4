"""The number of tasks of a loop."""

from __future__ import annotations

import asyncio

from prometheus_client import CollectorRegistry

from services.telemetry.loop import LoopCollector


async def test_tasks_are_counted() -> None:
    """One more task is one more in the metric."""
    LoopCollector(registry := CollectorRegistry())
    before = registry.get_sample_value("tickwire_loop_tasks")
    task = asyncio.create_task(asyncio.Event().wait())

    assert before is not None
    assert registry.get_sample_value("tickwire_loop_tasks") == before + 1
    task.cancel()


def test_without_a_loop_nothing_is_said() -> None:
    """Where no loop runs the metric is left out."""
    LoopCollector(registry := CollectorRegistry())

    assert registry.get_sample_value("tickwire_loop_tasks") is None
