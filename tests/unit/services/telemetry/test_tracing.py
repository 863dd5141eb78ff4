"""Tracing is there where it is asked for only, says what is missing, and ends in time."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from services.errors import MissingRequirement
from services.telemetry import tracing as module
from services.telemetry.tracing import tracing
from tests.unit.tracer import Notebook

AMQP = "amqp://user:secret@host/"


class Exporting:
    """An exporting whose collector takes what is left once it is *reached*."""

    def __init__(self) -> None:
        self.tracer = Notebook()
        self.asked: list[tuple[str, ...]] = []
        """What was asked for with: the process, the variable that asks, the broker's kind."""
        self.reached = threading.Event()
        self.given_up = False

    def make(self, *what: str) -> Exporting:
        """Stand in for OpenTelemetry's."""
        self.asked.append(what)
        return self

    def shut_down(self) -> None:
        """Wait for the collector."""
        self.reached.wait()

    def give_up(self) -> None:
        """Note it."""
        self.given_up = True


@pytest.fixture(name="exporting")
def _exporting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Exporting]:
    """In the place of OpenTelemetry's."""
    exporting = Exporting()
    monkeypatch.setattr(module, "_exporting", exporting.make)
    yield exporting
    exporting.reached.set()


async def test_nobody_asks(exporting: Exporting) -> None:
    """Where nobody asks for traces there is no tracer."""
    async with tracing("gateway", AMQP, asked_by=None) as tracer:
        assert tracer is None
    assert exporting.asked == []


@pytest.mark.parametrize(("url", "system"), [(AMQP, "rabbitmq"), ("memory://", "memory")])
async def test_somebody_asks(exporting: Exporting, url: str, system: str) -> None:
    """Spans name the broker's kind, and nothing of its address; at the end a collector takes what is left."""
    exporting.reached.set()
    async with tracing("gateway", url, asked_by="TICKWIRE_TRACE") as tracer:
        assert tracer is exporting.tracer
    assert exporting.asked == [("gateway", "TICKWIRE_TRACE", system)]
    assert not exporting.given_up


async def test_a_collector_that_does_not_answer(exporting: Exporting, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a process waits for a collector for a bounded time, then gives up."""
    monkeypatch.setattr(module, "FAREWELL_S", 0.05)
    async with tracing("gateway", AMQP, asked_by="TICKWIRE_TRACE"):
        pass
    assert exporting.given_up


def test_opentelemetry_is_not_imported() -> None:
    """The command with everything that it runs imports nothing of OpenTelemetry."""
    code = "import sys, tickwire.cli; print(sorted(m for m in sys.modules if m.startswith('opentelemetry')))"
    run = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout == "[]\n"


async def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where OpenTelemetry is not installed, the error names the variable that asks and the extra."""
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    monkeypatch.delitem(sys.modules, "services.telemetry.otel", raising=False)
    with pytest.raises(MissingRequirement, match="TICKWIRE_TRACE_EVERY asks for traces") as caught:
        async with tracing("producer", AMQP, asked_by="TICKWIRE_TRACE_EVERY"):
            pass
    assert "pip install 'tickwire[tracing]'" in str(caught.value)
    assert "secret" not in str(caught.value)
