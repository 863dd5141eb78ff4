"""A process's life: signals in, exit code out."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
import structlog

from services.errors import BadSettings, BadSymbolFile, BrokerUnavailable
from services.runtime import lifecycle
from services.telemetry import logs


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def _run(main: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> int:
    logs.configure("info", "json")  # in the test itself: standard output is captured anew for each phase
    return lifecycle.run(main)


def _events(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_end_is_success() -> None:
    """A main that returns makes exit code 0."""

    async def main(stop: asyncio.Event) -> None:
        assert not stop.is_set()

    assert _run(main) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_asks_to_stop(number: signal.Signals, capsys: pytest.CaptureFixture[str]) -> None:
    """The first SIGTERM or SIGINT sets the event, and the exit code is 0."""

    async def main(stop: asyncio.Event) -> None:
        os.kill(os.getpid(), number)
        await asyncio.wait_for(stop.wait(), 5)

    assert _run(main) == 0
    assert [(e["event"], e["signal"]) for e in _events(capsys)] == [("process.stopping", number.name)]


def test_second_signal_ends_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A second signal cancels a main that does not come to its end."""

    async def main(stop: asyncio.Event) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await stop.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

    assert _run(main) == 130
    assert _events(capsys)[-1]["event"] == "process.interrupted"


def test_handlers_are_removed() -> None:
    """After the run the signals do what they did before."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    async def main(_: asyncio.Event) -> None:
        pass

    _run(main)

    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


@pytest.mark.parametrize(
    ("error", "code", "event"),
    [
        (BadSettings(["TICKWIRE_A is wrong", "TICKWIRE_B is wrong"]), 2, "settings.bad"),
        (BadSymbolFile("a.csv", 3, "price", "not a number"), 2, "input.bad"),
        (BrokerUnavailable("no broker"), 1, "process.failed"),
        (ZeroDivisionError("oops"), 1, "process.crashed"),
    ],
)
def test_errors_become_exit_codes(
    error: Exception, code: int, event: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error ends the process with one kind of log line and its exit code, also out of a task group."""

    async def fail() -> None:
        raise error

    async def main(_: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fail())

    assert _run(main) == code
    events = _events(capsys)
    assert {e["event"] for e in events} == {event}
    assert len(events) == (2 if isinstance(error, BadSettings) else 1)


def test_traceback_only_for_the_unexpected(capsys: pytest.CaptureFixture[str]) -> None:
    """An unexpected error is logged with its traceback."""

    async def main(_: asyncio.Event) -> None:
        raise ZeroDivisionError("oops")

    _run(main)

    assert "ZeroDivisionError: oops" in str(_events(capsys)[0]["exception"])


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop does not exist there")
def test_uvloop() -> None:
    """The loop is uvloop's."""
    modules: list[str] = []

    async def main(_: asyncio.Event) -> None:
        modules.append(type(asyncio.get_running_loop()).__module__)

    _run(main)

    assert modules == ["uvloop"]


def test_root_cause() -> None:
    """A group of one error is about that error; a group of two is about itself."""
    inner = ValueError("a")
    pair = ExceptionGroup("two", [inner, ValueError("b")])

    assert lifecycle.root_cause(ExceptionGroup("one", [ExceptionGroup("one", [inner])])) is inner
    assert lifecycle.root_cause(pair) is pair
