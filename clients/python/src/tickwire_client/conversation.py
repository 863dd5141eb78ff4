"""What to say to a gateway next, and what its frames mean: one client over all its connections.  Pure.

    conversation.follows.want("AAPL", None)   what is followed; `leave` ends it
    conversation.connected(now)               a connection stands
    conversation.take(text, ...)              each frame: what it brings, in order
    conversation.commands(now)                what to send now; `due` says when to ask again
    conversation.disconnected()               the connection is gone; the next one resumes

Times are monotonic seconds, given by whoever calls; clocks that are compared with the gateway's are microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from tickwire_client.allowance import Allowance
from tickwire_client.candle import CandleRejection, CandleUpdate
from tickwire_client.candlefollows import CandleFollows
from tickwire_client.commands import CANDLES, Commands
from tickwire_client.cursor import Position
from tickwire_client.day import Diary
from tickwire_client.errors import NOT_ENTITLED
from tickwire_client.events import (
    CONNECTED,
    Complaint,
    EpochChange,
    Event,
    Gap,
    Rejection,
    SessionChange,
    Status,
    TokenWanted,
    Violation,
)
from tickwire_client.follow import NOW, Follow
from tickwire_client.follows import EVERYTHING, Follows
from tickwire_client.offset import ClockOffset
from tickwire_client.tick import Arrival, Tick, parse

PROTOCOL: Final = 1
RETRY_S: Final = 5.0
"""Seconds until a symbol that the gateway cannot serve now is asked for again."""
PING_S: Final = 30.0
"""Seconds between two pings, once the clock's offset is known."""
FIRST_PINGS: Final = 4
"""Pings at the start of a connection, a quarter of a second apart: one of them meets no full queue."""
_FIRST_PING_S: Final = 0.25
_NEVER: Final = float("inf")

Brought = Tick | Event | CandleUpdate | CandleRejection


class Malformed(Exception):
    """A frame that is none of the protocol's."""


class Conversation:
    """See the module.

    Attributes:
        follows: all symbols that are wanted or not yet ended.
        candles: all candles that are wanted.
        shards: the last `status` of each shard on this connection.
        welcome: the first frame of this connection; None before it.
        reconnect_at: when the last `reconnect` wanted this client to be elsewhere.
        fresh: whether this connection has served anything.
        violations: frames that broke the table of cursors.
    """

    def __init__(self, ping_s: float = PING_S) -> None:
        self._ping_s = ping_s
        self.follows = Follows()
        self.candles = CandleFollows()
        self.clock = ClockOffset()
        self.shards: dict[str, Status] = {}
        self.welcome: Mapping[str, Any] | None = None
        self.reconnect_at = 0.0
        self.fresh = False
        self.violations = 0
        self._commands = Commands()
        self._allowance = Allowance(1, 1, 0)
        self._limits: Mapping[str, Any] = {}
        self._token: str | None = None
        self._locked = False
        """Whether the gateway serves nothing but `auth` and `ping`."""
        self._pings: dict[int, int] = {}
        """By id: our clock when it was sent."""
        self._pinged, self._ping_at = 0, _NEVER
        self._takers: dict[str, Callable[[Mapping[str, Any], float], Iterable[Brought]]] = {
            "welcome": self._take_welcome,
            "subscribed": self._take_subscribed,
            "unsubscribed": self._take_unsubscribed,
            "gap": self._take_gap,
            "epoch": self._take_epoch,
            "session": self._take_session,
            "status": self._take_status,
            "reconnect": self._take_reconnect,
            "authorized": self._take_authorized,
            "day": self._take_day,
            "candles": lambda frame, _: self.candles.take(frame),
            "error": self._take_error,
        }

    # -------------------------------------------------------------------------------------------- the connection

    def connected(self) -> None:
        """A new connection stands; nothing is subscribed on it."""
        self.welcome, self.reconnect_at, self.fresh = None, 0.0, False
        self.shards.clear()
        self.clock.forget()
        self._commands = Commands()
        self._pings.clear()
        self._token, self._locked, self._pinged, self._ping_at = None, False, 0, _NEVER

    def disconnected(self) -> None:
        """The connection is gone; positions stay, to resume from."""
        self.welcome = None
        self.follows.disconnected()
        self.candles.disconnected()

    @property
    def live(self) -> bool:
        """Whether a connection stands and no shard of its feed is known to be stale."""
        if self.welcome is None:
            return False
        if not self.shards:
            return bool(self.welcome.get("feed") == "live")
        return all(status.feed == "live" for status in self.shards.values())

    # ------------------------------------------------------------------------------------------- what to say next

    def authorize(self, token: str) -> None:
        """Show *token* before any other command."""
        self._token = token

    def commands(self, now: float, wall_us: int) -> tuple[list[str], list[Rejection]]:
        """Return what to send now, in order, and which symbols one connection cannot hold."""
        texts: list[str] = []
        if self.welcome is None:
            return texts, []
        rejected = [Rejection(name, "too_many_symbols") for name in self.follows.beyond(self._most)]
        while self._allowance.take(now):
            if (text := self._next(now, wall_us)) is None:
                self._allowance.give_back()
                break
            texts.append(text)
            self._allowance.spend(self._commands.weight)
        return texts, rejected

    def due(self, now: float) -> float:
        """Return when `commands` may have something again, where nothing happens before."""
        if self.welcome is None:
            return _NEVER
        due = self._ping_at if self._locked else min(self._ping_at, self.follows.due, self.candles.due)
        return max(due, self._allowance.due(now))

    @property
    def _most(self) -> int:
        return int(self._limits.get("symbols", 1000))

    def _next(self, now: float, wall_us: int) -> str | None:
        if self._token is not None:
            token, self._token = self._token, None
            return self._commands.auth(token)[1]
        if not self._locked and (text := self._wish(now)) is not None:
            return text
        if now >= self._ping_at:
            identity, text = self._commands.ping()
            self._pings[identity] = wall_us
            self._pinged += 1
            self._ping_at = now + (_FIRST_PING_S if self._pinged < FIRST_PINGS else self._ping_s)
            return text
        return None

    def _wish(self, now: float) -> str | None:
        """Return the next command about symbols."""
        if names := self.follows.ending():
            return self._commands.unsubscribe(names)[1]
        if (asking := self.follows.asking(now, int(self._limits.get("message_bytes", 65_536)))) is not None:
            identity, text = self._commands.subscribe(asking)
            self.follows.asked(asking, identity)
            return text
        if (gone := self.candles.ending()) is not None:
            return self._commands.unsubscribe(gone[1], candles=gone[0])[1]
        if (wanted := self.candles.asking(now)) is not None:
            identity, text = self._commands.subscribe_candles(wanted)
            self.candles.asked(wanted, identity)
            return text
        return None

    # ------------------------------------------------------------------------------------------ what a frame means

    def take(self, text: str, now: float, wall_us: int) -> list[Brought]:
        """Return what one frame brings, in order; one of a later gateway, with an op that is not known, nothing.

        Raises:
            Malformed: no frame of the protocol.
        """
        try:
            frame = parse(text)
            op = frame["op"]
            if op == "ticks":
                return self._ticks(frame, wall_us)
            if self.welcome is None and op != "welcome":
                raise Malformed(f"the first frame is {op}, not welcome")
            if op == "snapshot":
                return self._snapshot(frame, wall_us)
            if op == "pong":
                self._take_pong(frame, wall_us)
            taker = self._takers.get(op)
            return [] if taker is None else list(taker(frame, now))
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise Malformed(f"{type(error).__name__}: {error} in {str(text)[:80]!r}") from error

    def _ticks(self, frame: Mapping[str, Any], wall_us: int) -> list[Brought]:
        arrival = Arrival(wall_us, frame.get("sent"), self.clock.offset_us or 0)
        brought: list[Brought] = []
        get = self.follows.by_symbol.get
        for fields in frame["data"]:
            if (follow := get(fields["symbol"])) is None:
                continue
            tick, legal = follow.tick(fields, arrival)
            if not legal:
                brought.append(self._violated(follow, "ticks", f"seq {fields['seq']}"))
            if tick is not None and follow.wanted:
                brought.append(tick)
        self.fresh = True
        return brought

    def _snapshot(self, frame: Mapping[str, Any], wall_us: int) -> list[Brought]:
        arrival = Arrival(wall_us, None, self.clock.offset_us or 0)
        brought: list[Brought] = []
        for fields in frame["data"]:
            if (follow := self.follows.get(fields["symbol"])) is None:
                continue
            tick, legal = follow.shown(fields, frame["epoch"], arrival)
            if not legal:
                brought.append(self._violated(follow, "snapshot", f"seq {fields['seq']}"))
            if tick is not None and follow.wanted:
                brought.append(tick)
        for symbol, reason in (frame.get("none") or {}).items():
            if follow := self.follows.get(symbol):
                follow.state = str(reason).replace("_", " ")
        self.fresh = True
        return brought

    def _take_welcome(self, frame: Mapping[str, Any], now: float) -> Iterator[Event]:
        if frame["protocol"] != PROTOCOL:
            raise Malformed(f"protocol {frame['protocol']}, but this client speaks {PROTOCOL}")
        self.welcome, self._limits, self._ping_at = frame, frame.get("limits") or {}, now
        limits = self._limits
        self._allowance = Allowance(
            float(limits.get("commands_per_s", 50)), float(limits.get("command_burst", 100)), now
        )
        yield Status(CONNECTED)
        if frame.get("auth") == "required":
            self._locked = True
            yield TokenWanted(required=True)

    def _take_subscribed(self, frame: Mapping[str, Any], now: float) -> Iterator[Event | CandleRejection]:
        identity = frame["id"]
        op, names = self._commands.open.get(identity, ("", ()))
        if op == CANDLES or "candles" in frame:
            yield from self._take_candles_answer(frame, now)
            return
        for symbol, given in frame["symbols"].items():
            if (follow := self.follows.accepted(symbol, identity, given, everything=EVERYTHING in names)) is None:
                continue
            legal, gap = follow.subscribed(_position(given))
            if gap is not None and follow.wanted:
                yield gap
            if not legal:
                yield self._violated(follow, "subscribed", "another position")
            self.fresh = True
        for symbol, reason in (frame.get("rejected") or {}).items():
            if self.follows.rejected(symbol, identity, reason, now + RETRY_S):
                yield Rejection(symbol, reason)
        if not frame.get("pending") and EVERYTHING not in names:  # who joins the directory later is told by its id
            self._commands.open.pop(identity, None)

    def _take_candles_answer(self, frame: Mapping[str, Any], now: float) -> Iterator[CandleRejection]:
        if "candles" not in frame:  # of a gateway that took it for a subscription to ticks
            self._commands.open.pop(frame["id"], None)
            yield from self.candles.unsupported(frame["id"])
            return
        self.fresh = True
        yield from self.candles.subscribed(frame, now + RETRY_S)
        if not frame.get("pending"):
            self._commands.open.pop(frame["id"], None)

    def _take_unsubscribed(self, frame: Mapping[str, Any], now: float) -> Iterator[Event | CandleRejection]:
        identity = frame.get("id")
        if (interval := frame.get("candles")) is not None:
            if identity is None:
                reason = str(frame.get("reason"))
                yield from self.candles.ended(frame["symbols"], interval, reason, now + RETRY_S)
            else:
                self._commands.open.pop(identity, None)
        elif identity is None and (reason := str(frame.get("reason"))) in NOT_ENTITLED:
            yield from (Rejection(symbol, reason) for symbol in frame["symbols"] if self.follows.revoked(symbol))
        elif identity is None:  # the gateway's own doing: a directory may change back, so ask again
            for symbol in frame["symbols"]:
                if follow := self.follows.get(symbol):
                    self.follows.put_off(follow, str(frame.get("reason") or "unsubscribed"), now + RETRY_S)
        elif not frame.get("pending"):
            _, names = self._commands.open.pop(identity, ("", ()))
            self.follows.ended(names)

    def _take_gap(self, frame: Mapping[str, Any], _: float) -> Iterator[Event]:
        if follow := self.follows.get(frame["symbol"]):
            gap = Gap(follow.symbol, frame["epoch"], frame["from"], frame["to"], str(frame["reason"]))
            if not follow.gap(gap):
                yield self._violated(follow, "gap", f"from {gap.first} to {gap.last}")
            if follow.wanted:
                yield gap

    def _take_epoch(self, frame: Mapping[str, Any], _: float) -> Iterator[Event]:
        if follow := self.follows.get(frame["symbol"]):
            if not follow.epoch(frame["epoch"]):
                yield self._violated(follow, "epoch", str(frame["epoch"]))
            if follow.wanted:
                yield EpochChange(follow.symbol, frame["epoch"])

    def _take_session(self, frame: Mapping[str, Any], _: float) -> Iterator[Event]:
        if follow := self.follows.get(frame["symbol"]):
            follow.state = frame["state"]
            yield SessionChange(follow.symbol, frame["state"], frame.get("reason"), frame.get("since"))

    def _take_status(self, frame: Mapping[str, Any], _: float) -> Iterator[Event]:
        status = Status(frame["feed"], str(frame.get("shard")), frame.get("since"))
        self.shards[str(status.shard)] = status
        yield status

    def _take_reconnect(self, frame: Mapping[str, Any], now: float) -> Iterator[Event]:
        self.reconnect_at = now + int(frame["in_ms"]) / 1000
        return iter(())

    def _take_authorized(self, frame: Mapping[str, Any], _: float) -> Iterator[Event]:
        self._limits = {**self._limits, **(frame.get("limits") or {})}
        identity = frame.get("id")
        if identity is None:  # it expires within 60 s
            yield TokenWanted()
        else:
            self._locked = False
            self._commands.open.pop(identity, None)

    def _take_day(self, frame: Mapping[str, Any], _: float) -> Iterator[Event]:
        for symbol, said in frame["data"].items():
            if said is not None and (follow := self.follows.get(symbol)):
                follow.diary = Diary(said)
                if follow.last is not None:
                    follow.diary.take(follow.last.fields, follow.last.epoch)
        return iter(())

    def _take_pong(self, frame: Mapping[str, Any], wall_us: int) -> None:
        self._commands.open.pop(frame["id"], None)
        if (sent := self._pings.pop(frame["id"], None)) is not None:
            self.clock.add(sent, int(frame["server_time"]), wall_us)

    def _take_error(self, frame: Mapping[str, Any], _: float) -> Iterator[Event | CandleRejection]:
        code = str(frame["code"])
        yield Complaint(code, str(frame.get("message")))
        if code == "bad_resume" or frame.get("id") is None:  # `subscribed` follows all the same
            return
        op, names = self._commands.open.pop(frame["id"], ("", ()))
        if op == CANDLES:
            yield from self.candles.refused(frame["id"], code)
        elif op == "subscribe":
            for symbol in names:
                if self.follows.rejected(symbol, frame["id"], code, NOW, final=True):
                    yield Rejection(symbol, code)

    def _violated(self, follow: Follow, op: str, detail: str) -> Violation:
        self.violations += 1
        follow.account.violations += 1
        return Violation(follow.symbol, op, detail)


def _position(given: Mapping[str, Any] | None) -> Position | None:
    if not given or given.get("epoch") is None:
        return None
    return Position(given["epoch"], given["seq"])
