"""Carries what the log says to the store, and the store's and the marks' decisions to the broker."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from services.broker.history import Desk, LogListener, TickLog
from services.broker.ports import LostReason
from services.errors import MalformedMessage
from services.history.lag import Lag, Verdict
from services.history.store import Store
from services.market.candle import Candle
from services.market.control import Control, Heartbeat
from services.market.wire import TickMessage
from services.runtime.clock import Clock

LOOK_S: Final = 0.1
"""Seconds between two looks at how far behind reading is."""
SWEEP_S: Final = 1.0
"""Seconds between two sweeps: what is old is forgotten, finished candles are stored."""
LEARN_S: Final = 5.0
"""Seconds after the start in which no candle is stored: stored ones tell meanwhile which day it is."""

_log = structlog.get_logger("tickwire.history")


class Reader(LogListener):
    """One history: what it reads, and whether its desk is open."""

    def __init__(self, store: Store, log: TickLog, desk: Desk, clock: Clock) -> None:
        self.store, self._log, self._desk, self._clock = store, log, desk, clock
        began = clock.monotonic()
        self._lag = Lag(store.newest, store.published, began)
        self._sweep_due = began + LEARN_S
        self.verdict: Verdict = self._lag.judge(began)
        self.connected = False
        self.malformed = self.rereads = self.stored = self.skips = 0
        """Entries that no codec of ours wrote; times that reading began again; candles handed to the log; times
        that part of the log may have been missed."""

    @property
    def waived(self) -> int:
        """Marks that can never be read."""
        return self._lag.waived

    # --------------------------------------------------------------------------------------------- the log's calls

    def on_connected(self) -> None:
        """See `LogListener`."""
        self.connected = True
        self._lag.on_connected(self._clock.monotonic())
        _log.info("history.connected")

    def on_lost(self, reason: LostReason) -> None:
        """See `LogListener`."""
        if self.connected:
            _log.warning("history.connection_lost", reason=reason.value)
        self.connected = False
        self._lag.on_lost(self._clock.monotonic())

    def on_ticks(self, messages: Sequence[TickMessage]) -> None:
        """See `LogListener`."""
        now = self._clock.monotonic()
        self.store.accept(messages, now)
        self._lag.on_read(now)

    def on_skipped(self) -> None:
        """See `LogListener`."""
        self.skips += 1
        self.store.skip()
        if self.store.shelf.ticks:
            _log.warning("history.skipped", hint="part of the log may be missing: it was lost, cut or made anew")

    def on_candles(self, candles: Sequence[Candle]) -> None:
        """See `LogListener`."""
        self.store.accept_candles(candles)

    def on_control(self, message: Control) -> None:
        """See `LogListener`."""
        if isinstance(message, Heartbeat):
            self._lag.on_heartbeat(message, self._clock.monotonic())

    def on_malformed(self, error: MalformedMessage) -> None:
        """See `LogListener`."""
        self.malformed += 1
        if self.malformed == 1:
            _log.warning("history.malformed", reason=str(error), hint="further ones are only counted")

    # -------------------------------------------------------------------------------------------------- looking on

    async def watch(self) -> None:
        """Look again and again, for ever."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_S)

    def look(self) -> None:
        """Open or close the desk, read again where that is due, store what is finished."""
        now = self._clock.monotonic()
        before, self.verdict = self.verdict, self._lag.judge(now)
        if self.verdict.open != before.open:
            self._turn(self.verdict)
        if self.verdict.reread:
            self.rereads += 1
            _log.warning("history.reread", behind_s=round(self.verdict.behind_s, 1))
            self._log.reread()
        if now >= self._sweep_due:
            self._sweep_due = now + SWEEP_S
            self.sweep(now)

    def sweep(self, now: float) -> None:
        """Forget what is too old, and store what is finished."""
        candles = self.store.sweep(now)
        if candles:
            self.stored += len(candles)
            self._log.store(candles)

    def _turn(self, verdict: Verdict) -> None:
        if verdict.open:
            self._desk.open()
            _log.info("history.open", symbols=len(self.store.shelf), ticks=self.store.shelf.ticks)
        else:
            self._desk.close()
            _log.warning("history.closed", reason=verdict.reason.value, behind_s=round(verdict.behind_s, 1))
