"""The shell that hears the lease: what it tells the publisher, the log, and who waits."""

from __future__ import annotations

import asyncio

import pytest
import structlog

from producer import leadership
from producer.leadership import Leadership, Stage
from producer.publisher import Publisher
from producer.tenure import Tenure
from services.errors import LeaseTaken
from services.runtime.clock import SystemClock
from tests.eventually import turns
from tests.unit.producer.scripted import ScriptedSink


def tenure(*, standby: bool = True) -> tuple[Tenure, Publisher]:
    """A tenure and the publisher that it stops and starts."""
    clock = SystemClock()
    publisher = Publisher(ScriptedSink(), clock, "main")
    return Tenure(Leadership(standby=standby), publisher, clock, "main"), publisher


def test_the_publisher_follows_the_lease() -> None:
    """The publisher may publish from the begin of a run, while the lease is held under the run's epoch."""
    told, publisher = tenure()
    leads = [publisher.leads]
    for event in (
        told.on_waiting,
        lambda: told.on_held(4),
        lambda: told.begin(5),
        told.on_lost,
        told.on_waiting,
        lambda: told.on_held(5),
        lambda: told.on_held(6),
    ):
        event()
        leads.append(publisher.leads)
    assert leads == [False, False, False, True, False, False, True, False]


def test_what_becomes_of_a_run_is_logged_once() -> None:
    """Suspended, resumed and over are one line each, however often the same is heard."""
    told, _ = tenure()
    told.on_held(4)
    told.begin(5)
    with structlog.testing.capture_logs() as logs:
        told.on_lost()
        told.on_lost()
        told.on_held(5)
        told.on_lost()
        told.on_held(9)
        told.on_held(9)
    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("producer.suspended", "warning"),
        ("producer.resumed", "info"),
        ("producer.suspended", "warning"),
        ("producer.over", "warning"),
    ]


async def test_a_stage_is_waited_for() -> None:
    """Who waits for a stage goes on when it is reached, and not before."""
    told, _ = tenure()
    waiting = asyncio.create_task(told.reach(Stage.TAKING))
    told.on_waiting()
    await turns()
    assert not waiting.done()
    told.on_held(0)
    async with asyncio.timeout(5):
        await waiting
    await told.reach(Stage.TAKING)


async def test_the_end_of_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --standby the wait ends with an error that names the shard; with it, a suspended run is over."""
    monkeypatch.setattr(leadership, "PATIENCE_S", 0.05)
    told, _ = tenure(standby=False)
    told.on_waiting()
    with pytest.raises(LeaseTaken, match="shard main"):
        await told.reach(Stage.TAKING)

    told, _ = tenure(standby=True)
    told.on_held(0)
    told.begin(1)
    told.on_lost()
    told.on_waiting()
    async with asyncio.timeout(5):
        await told.reach(Stage.OVER)
