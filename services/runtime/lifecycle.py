"""A process from start to exit code: one event loop, one request to stop, one answer to the shell."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

from services.errors import BadInput, BadSettings, TickwireError
from services.runtime import garbage

OK: Final = 0
FAILED: Final = 1
BAD_INPUT: Final = 2
"""The exit code for input that no process accepts: settings, flags, a symbol file."""
INTERRUPTED: Final = 130
"""The exit code of a process that was told twice to stop, as a shell reports SIGINT."""

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_log = structlog.get_logger("tickwire.lifecycle")


def run(main: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> int:
    """Run *main* to its end on a new event loop (uvloop where it is installed) and return the exit code.

    SIGTERM or SIGINT sets the event that *main* is given; a second one cancels *main*.  An error that Tickwire
    raises on purpose becomes one log line, any other one with its traceback; neither is raised.
    """
    garbage.settle()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        try:
            runner.run(_until_done(main))
        except (asyncio.CancelledError, KeyboardInterrupt):
            _log.warning("process.interrupted")
            return INTERRUPTED
        except Exception as error:  # noqa: BLE001 - the last place where a failure can become a log line
            return _report(error)
    return OK


def root_cause(error: BaseException) -> BaseException:
    """Return the error inside *error* where that is a group of one, else *error*."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


async def _until_done(main: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    task = asyncio.create_task(main(stop), name="main")

    def obey(number: signal.Signals) -> None:
        if stop.is_set():
            task.cancel()
            return
        _log.info("process.stopping", signal=number.name)
        stop.set()

    for number in _SIGNALS:
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C ends `run` by KeyboardInterrupt
            loop.add_signal_handler(number, obey, number)
    try:
        await task
    finally:
        for number in _SIGNALS:
            with contextlib.suppress(NotImplementedError):
                loop.remove_signal_handler(number)


def _report(error: Exception) -> int:
    cause = root_cause(error)
    if isinstance(cause, BadSettings):
        for fault in cause.faults:
            _log.error("settings.bad", fault=fault)
        return BAD_INPUT
    if isinstance(cause, BadInput):
        _log.error("input.bad", reason=str(cause))
        return BAD_INPUT
    if isinstance(cause, TickwireError):
        _log.error("process.failed", error=type(cause).__name__, reason=str(cause))
        return FAILED
    _log.error("process.crashed", exc_info=error)
    return FAILED


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - it does not exist on Windows
    except ImportError:
        return None
    return uvloop.new_event_loop
