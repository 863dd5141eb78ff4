"""Everything that a canary knows, from what the client tells it.  Pure.

Times are monotonic seconds, `…_us` microseconds since 1970 UTC.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import orjson

from services.telemetry.histogram import Histogram
from tickwire.canary.judge import Frame, Judge
from tickwire.canary.reason import Reason
from tickwire.canary.stand import Follow
from tickwire.canary.stopwatch import Stopwatch
from tickwire.canary.verdict import GapReason, Position, Rule, Violation

SIGN_OF_LIFE_S: Final = 20.0
"""Seconds without tick, snapshot or heartbeat beyond which a canary is not ready; gateways say one in 15."""
HANDSHAKES: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of handshakes, seconds; the client gives up after 10."""
_SIGNS: Final = frozenset({"ticks", "snapshot", "heartbeat"})


class State(StrEnum):
    """Where the canary's connection stands."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    NO_TOKEN = Reason.NO_TOKEN.value
    TOKEN_EXPIRED = Reason.TOKEN_EXPIRED.value
    TOKEN_REFUSED = Reason.TOKEN_REFUSED.value
    TLS = Reason.TLS.value
    REFUSED = Reason.REFUSED.value


class Outcome(StrEnum):
    """What became of a tick."""

    DELIVERED = "delivered"
    CONFLATED = "conflated"
    MISSING = "missing"


class Observer:
    """See the module.

    Attributes:
        connected: whether a gateway has welcomed us and the connection stands.
        reason: why the last connection ended, or none came about; None: nothing has failed yet.
        reconnects: how often that happened, by reason.
        handshakes: from the begin of an attempt to `welcome`, of visits too.
        visits: how often another client came in, by why it did not; None: it did.
        session: the gateway's name of the connection, for its log.
        certificate_not_after: until when the last certificate seen is valid, seconds since 1970.
    """

    def __init__(self, symbols: Iterable[str], now: float) -> None:
        self.judge = Judge(symbols)
        self.stopwatch = Stopwatch()
        self.handshakes = Histogram(HANDSHAKES)
        self.reconnects = Counter(dict.fromkeys(Reason, 0))
        self.visits: Counter[Reason | None] = Counter(dict.fromkeys((None, *Reason), 0))
        self._visit: Reason | None = None
        """How the last visit ended."""
        self.connected = False
        self.reason: Reason | None = None
        self.session = ""
        self.certificate_not_after: float | None = None
        self._given_up: dict[str, int] = {}
        """By symbol, how many of its ticks had come when it was given up last."""
        self._attempted = self._heard = self._ticked = now

    # ------------------------------------------------------------------------------------------------ connections

    def attempting(self, now: float) -> None:
        """An attempt to connect begins."""
        self._attempted = now

    def opened(self) -> None:
        """A WebSocket stands."""
        self.judge.opened()
        self.stopwatch.opened()

    def ended(self, reason: Reason) -> bool:
        """The connection ended, or none came about; return whether that is news."""
        news = self.connected or reason is not self.reason
        self.connected, self.reason = False, reason
        self.reconnects[reason] += 1
        self.judge.closed()
        return news

    def certified(self, not_after: float) -> None:
        """A gateway has shown a certificate that is valid until then, seconds since 1970."""
        self.certificate_not_after = not_after

    def visited(self, reason: Reason | None) -> bool:
        """Another client was not let in for *reason*, None: it was; return whether that is news."""
        news, self._visit = reason is not self._visit, reason
        self.visits[reason] += 1
        return news

    # ----------------------------------------------------------------------------------------------------- frames

    def said(self, text: str, at_us: int) -> None:
        """A command of ours is being sent."""
        command = orjson.loads(text)
        if command["op"] == "ping":
            self.stopwatch.pinged(command["id"], at_us)

    def heard(self, text: str, now: float, at_us: int) -> list[Violation]:
        """A frame came; return what it violates."""
        try:
            frame = orjson.loads(text)
        except ValueError:
            frame = None
        violations = self.judge.judge(frame)
        if all(violation.rule is not Rule.MALFORMED for violation in violations):
            self._note(frame, now, at_us)
        return violations

    def _note(self, frame: Frame, now: float, at_us: int) -> None:
        op = frame["op"]
        if op in _SIGNS:
            self._heard = now
        if op in {"ticks", "snapshot"} and frame["data"]:
            self._ticked = now
        match op:
            case "ticks":
                self.stopwatch.arrived(frame["sent"], at_us, [tick["ts"] for tick in frame["data"]])
            case "pong":
                self.stopwatch.ponged(frame["id"], frame["server_time"], at_us)
            case "welcome":
                self.connected, self.reason, self.session = True, None, str(frame.get("session"))
                self.handshakes.observe(now - self._attempted)

    def rejected(self, symbol: str) -> bool:
        """The client has given up *symbol*; return whether that is news."""
        self.judge.stands[symbol].left(Follow.REJECTED)
        delivered = self.judge.stands[symbol].delivered
        before, self._given_up[symbol] = self._given_up.get(symbol), delivered
        return before != delivered

    # -------------------------------------------------------------------------------------------------- questions

    def cursor(self, symbol: str) -> Position | None:
        """Where to go on with *symbol*."""
        return self.judge.stands[symbol].cursor

    @property
    def state(self) -> State:
        """Where the connection stands."""
        if self.connected:
            return State.CONNECTED
        return State(self.reason.value) if self.reason is not None and self.reason.final else State.CONNECTING

    @property
    def ticks(self) -> dict[Outcome, int]:
        """What became of the ticks of all symbols."""
        stands = self.judge.stands.values()
        return {
            Outcome.DELIVERED: sum(stand.delivered for stand in stands),
            Outcome.CONFLATED: sum(stand.conflated for stand in stands),
            Outcome.MISSING: sum(stand.missing for stand in stands),
        }

    @property
    def gaps(self) -> dict[GapReason, int]:
        """How many gaps were said, by reason."""
        return {reason: sum(stand.gaps[reason] for stand in self.judge.stands.values()) for reason in GapReason}

    @property
    def symbols(self) -> dict[Follow, int]:
        """How many symbols wait for what."""
        return {state: sum(stand.state is state for stand in self.judge.stands.values()) for state in Follow}

    def tick_age(self, now: float) -> float:
        """Seconds since the last tick, or since the start."""
        return now - self._ticked

    def readiness(self, now: float) -> tuple[bool, str]:
        """Whether ticks come, or would come, and why (not)."""
        if not self.connected:
            return False, self.state.value if self.reason is None else f"{self.state.value}: {self.reason.value}"
        missing = {state: count for state, count in self.symbols.items() if count and state is not Follow.FOLLOWED}
        if missing:
            return False, "symbols " + ", ".join(f"{state.value}: {count}" for state, count in missing.items())
        if now - self._heard > SIGN_OF_LIFE_S:
            return False, f"no tick, snapshot or heartbeat for {now - self._heard:.0f} s"
        return True, "ready"
