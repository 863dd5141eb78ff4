"""The independent checker: is what a client was told true to the promise "no unexplained hole"?

Written from the tables of `docs/protocol.md` alone.  It imports nothing of Tickwire's, so a wrong idea in
the gateway cannot excuse itself here.  One checker is one logical client: it may live on several connections,
one after another, and keeps its cursors over them.

    checker.opened()                      a connection stands
    checker.sent(command)                 before the command is written
    checker.received(raw)                 every frame, raw text (all rules) or parsed (no rule about bytes)
    checker.closed()                      the connection is gone; `resume` has what the next one may ask
    checker.finish(last, ends)            raises `Broken` unless everything is accounted for
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import orjson

from tests.candlebook import CandleBook
from tests.cursors import NOTHING, Account, Follow, Position
from tests.ledger import Fault, Ledger, Request
from tests.tick_content import FIELDS, Content, Frame, Raw, TickContent
from tests.verdicts import Broken, Rule, Violation

FRAME_BYTES: Final = 64 * 1024
SUBSCRIBED_SYMBOLS: Final = 200
KEPT_VIOLATIONS: Final = 100
_PLAIN: Final = len(FIELDS)


class Checker:
    """One logical client's view.  *sample*: the content of every *sample*-th tick is checked, all else always.

    *conflates*: this client may become slow, so `skipped` is legal without `max_rate`.
    *clock_is_set*: somebody may set the producer's clock, so that `ts` may fall.
    """

    def __init__(
        self,
        name: str = "client",
        *,
        conflates: bool = False,
        content: Content | None = None,
        sample: int = 1,
        clock_is_set: bool = False,
    ) -> None:
        self.name = name
        self.frames = 0
        self.ticks = 0
        self.violations: list[Violation] = []
        self.found = 0
        """All violations; only the first hundred are kept."""
        self._conflates, self._content, self._sample, self._due = (
            conflates,
            TickContent(content, clock_is_set=clock_is_set),
            sample,
            1,
        )
        self._follows: dict[str, Follow] = {}
        self._ledger = Ledger()
        self.candles = CandleBook()
        self._snapshots: dict[str, Position] = {}
        """The newest snapshot of each symbol on this connection."""
        self._listed: dict[str, Position | None] = {}
        self._listed_candles: set[tuple[str, str]] = set()
        """What parts of an answer to list have named."""
        self._fresh = True
        self._frame: Frame | Raw = b""
        self._rules: dict[str, Callable[[Frame], None]] = {
            "ticks": self._on_ticks,
            "snapshot": self._on_snapshot,
            "gap": self._on_gap,
            "epoch": self._on_epoch,
            "session": self._on_session,
            "subscribed": self._on_subscribed,
            "unsubscribed": self._on_unsubscribed,
            "subscriptions": self._on_subscriptions,
            "pong": lambda frame: self._whole_answer(frame, "ping"),
            "authorized": lambda frame: self._whole_answer(frame, "auth") if frame.get("id") else None,
            "error": self._on_error,
            "day": self._on_day,
            "candles": lambda frame: self._report(self.candles.take(frame)),
            "welcome": lambda _: None,
            "status": lambda _: None,
            "heartbeat": lambda _: None,
            "reconnect": lambda _: None,
        }

    # ------------------------------------------------------------------------------------------ connections

    def opened(self) -> None:
        """Begin a connection: nothing is subscribed on it, and no id was used."""
        self.closed()
        self._fresh = True

    def closed(self) -> None:
        """End the connection: what was not answered will not be, and cursors wait for a resume."""
        for follow in self._follows.values():
            follow.end(wanted=follow.wanted)
        self._ledger.clear()
        self.candles.clear()
        self._listed.clear()
        self._listed_candles.clear()
        self._snapshots.clear()

    def resume(self, symbols: Iterable[str]) -> dict[str, dict[str, int]]:
        """Return the `resume` field that takes *symbols* up where they stand, without those that stand nowhere."""
        cursors = ((symbol, self.cursor(symbol)) for symbol in symbols)
        return {symbol: {"epoch": cursor.epoch, "seq": cursor.seq} for symbol, cursor in cursors if cursor}

    # --------------------------------------------------------------------------------------------- questions

    def cursor(self, symbol: str) -> Position | None:
        """The last position of *symbol* that was accounted for."""
        follow = self._follows.get(symbol)
        return follow.cursor if follow else None

    def account(self, symbol: str) -> Account:
        """What became of the ticks of *symbol*."""
        follow = self._follows.get(symbol)
        return follow.account if follow else Account()

    @property
    def subscribed(self) -> set[str]:
        """The symbols that are subscribed on this connection."""
        return {symbol for symbol, follow in self._follows.items() if follow.subscribed}

    @property
    def unanswered(self) -> set[int]:
        """The ids of commands that have no (whole) answer."""
        return set(self._ledger.open)

    def settled(self, last: Mapping[str, tuple[int, int]]) -> bool:
        """Whether each symbol that was followed, and not unsubscribed, stands at its *last* position."""
        return not any(self._behind(last))

    def finish(
        self,
        last: Mapping[str, tuple[int, int]] | None = None,
        ends: Mapping[str, Mapping[int, int]] | None = None,
    ) -> None:
        """Raise `Broken` unless all is well at the end.

        *last*: the producer's last position of each symbol.  *ends*: the last seq of earlier epochs, by symbol.
        """
        self._frame = b""
        for identity in self._ledger.open:
            self._break(Rule.UNANSWERED, None, f"id {identity}")
        for symbol, position in self._behind(last or {}):
            self._break(Rule.UNSETTLED, symbol, f"the producer's last position is {tuple(position)}")
        for symbol, epochs in (ends or {}).items():
            for epoch, seq in self.account(symbol).left.items():
                if epochs.get(epoch, seq) != seq:
                    self._break(
                        Rule.LEFT_EARLY, symbol, f"epoch {epoch} ended with {epochs[epoch]}, left at {seq}"
                    )
        self.check()

    def check(self) -> None:
        """Raise `Broken` if any rule was broken so far."""
        if self.found:
            raise Broken(self.name, self.violations)

    def _behind(self, last: Mapping[str, tuple[int, int]]) -> Iterator[tuple[str, tuple[int, int]]]:
        for symbol, position in last.items():
            follow = self._follows.get(symbol)
            if follow is not None and follow.wanted and follow.cursor != tuple(position):
                yield symbol, position

    # ---------------------------------------------------------------------------------------------- commands

    def sent(self, command: Mapping[str, Any]) -> None:
        """Take note of a well-formed command."""
        self._ledger.sent(command)

    # ------------------------------------------------------------------------------------------------ frames

    def received(self, raw: Raw | Frame) -> Frame:
        """Check one frame and return it parsed; an empty one where it cannot be parsed."""
        self.frames += 1
        self._frame = raw
        frame: Frame = {}
        try:
            frame = raw if isinstance(raw, dict) else orjson.loads(raw)
            op = frame["op"]
            if op == "ticks" and not self._fresh and len(raw) <= FRAME_BYTES // 4:
                self._on_ticks(frame)  # the lean way; a quarter, since a character has at most four bytes
                return frame
            self._envelope(op, raw)
            self._rules.get(op, self._unknown)(frame)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._break(Rule.MALFORMED, None, repr(error))
        return frame

    def _envelope(self, op: str, raw: Raw | Frame) -> None:
        if not isinstance(raw, dict):
            size = len(raw if isinstance(raw, bytes) else raw.encode())
            if size > FRAME_BYTES:
                self._break(Rule.TOO_BIG, None, f"{size} bytes")
        if self._fresh is not (op == "welcome"):
            self._break(Rule.WELCOME, None, "welcome is the first frame of a connection and comes once")
        self._fresh = False

    def _unknown(self, frame: Frame) -> None:
        self._break(Rule.UNKNOWN_OP, None, repr(frame["op"]))

    def _on_ticks(self, frame: Frame) -> None:
        follows, due = self._follows, self._due
        for tick in frame["data"]:
            follow = follows.get(tick["symbol"])
            if follow is None or tick["seq"] != follow.next or len(tick) != _PLAIN:
                self._unusual(tick)
            else:
                follow.next += 1
                follow.account.delivered += 1
            due -= 1
            if due <= 0:
                due = self._sample
                if follow is not None and follow.next != NOTHING:
                    self._check_content(tick, follow.epoch)
        self._due = due
        self.ticks += len(frame["data"])

    def _unusual(self, tick: Frame) -> None:
        """Judge a tick that is not simply the next one."""
        symbol, seq, skipped = tick["symbol"], tick["seq"], tick.get("skipped", 0)
        follow = self._of(symbol)
        if follow is None:
            return
        if follow.next == NOTHING:
            self._break(Rule.NO_CURSOR, symbol, f"tick {seq}")
            return
        if seq < follow.next:
            self._break(Rule.DUPLICATE, symbol, f"tick {seq}")
            return
        if "skipped" in tick and not (follow.conflates or self._conflates):
            self._break(Rule.SKIPPED, symbol, f"{skipped} skipped, and this client does not conflate")
        elif "skipped" in tick and seq != follow.next + skipped:
            self._break(Rule.SKIPPED, symbol, f"tick {seq} with {skipped} skipped")
        elif seq != follow.next + skipped:
            self._break(Rule.HOLE, symbol, f"tick {seq}, not {follow.next}")
        follow.account.delivered += 1
        follow.account.conflated += seq - follow.next
        follow.next = seq + 1

    def _on_snapshot(self, frame: Frame) -> None:
        for symbol, reason in (frame.get("none") or {}).items():
            follow = self._of(symbol)
            if follow is not None and follow.next != NOTHING:
                self._break(Rule.SNAPSHOT, symbol, "there is a cursor, so no snapshot is due")
            if reason not in {"never_traded", "unavailable"}:
                self._break(Rule.REASON, symbol, repr(reason))
        for tick in frame.get("data") or ():
            self._snapshot(tick["symbol"], Position(frame["epoch"], tick["seq"]))
            self._check_content(tick, frame["epoch"])

    def _snapshot(self, symbol: str, position: Position) -> None:
        follow = self._of(symbol)
        if follow is None:
            return
        if follow.next != NOTHING:
            self._break(Rule.SNAPSHOT, symbol, f"snapshot {tuple(position)} though there is a cursor")
        elif follow.gap is not None:
            reason, before = follow.gap
            if position <= before and reason != "unknown_position":
                self._break(Rule.BACKWARDS, symbol, f"{tuple(position)} is not above {tuple(before)}")
            if position.epoch == before.epoch and position > before:
                follow.account.missing[reason] += position.seq - before.seq - 1
            else:
                follow.account.open[reason] += 1
        follow.gap = None
        self._snapshots[symbol] = position
        follow.account.snapshots += 1
        follow.move(position)

    def _on_day(self, frame: Frame) -> None:
        for symbol, figures in frame["data"].items():
            at, since = _position(figures), self._snapshots.get(symbol)
            if self._of(symbol) is None:
                continue
            if since is None or (at is not None and at < since):
                self._break(Rule.SNAPSHOT, symbol, f"the day up to {at}, with a snapshot at {since}")

    def _on_gap(self, frame: Frame) -> None:
        symbol, epoch, first, last, reason = (frame[key] for key in ("symbol", "epoch", "from", "to", "reason"))
        if reason not in {"lost", "forgotten", "unavailable", "unknown_position"}:
            self._break(Rule.REASON, symbol, repr(reason))
        follow = self._moving(symbol)
        if follow is None:
            return
        if epoch != follow.epoch or first != follow.next or (last is not None and last < first):
            self._break(Rule.GAP, symbol, f"epoch {epoch}, from {first} to {last}")
        if last is None:
            follow.gap = (reason, Position(follow.epoch, follow.next - 1))
            follow.move(None)
        else:
            follow.account.missing[reason] += last - first + 1
            follow.move(Position(epoch, last))

    def _on_epoch(self, frame: Frame) -> None:
        symbol, epoch = frame["symbol"], frame["epoch"]
        follow = self._moving(symbol)
        if follow is None:
            return
        if epoch <= follow.epoch:
            self._break(Rule.EPOCH, symbol, f"epoch {epoch}")
            return
        if not (follow.conflates or self._conflates):
            follow.account.left[follow.epoch] = follow.next - 1
        follow.move(Position(epoch, 0))

    def _on_session(self, frame: Frame) -> None:
        self._of(frame["symbol"])

    def _of(self, symbol: str) -> Follow | None:
        follow = self._follows.get(symbol)
        if follow is None or not follow.subscribed:
            self._break(Rule.NOT_SUBSCRIBED, symbol, "before subscribed, or after unsubscribed")
            return None
        return follow

    def _moving(self, symbol: str) -> Follow | None:
        follow = self._of(symbol)
        if follow is not None and follow.next == NOTHING:
            self._break(Rule.NO_CURSOR, symbol, "the cursor is null")
            return None
        return follow

    # ----------------------------------------------------------------------------------------------- answers

    def _on_subscribed(self, frame: Frame) -> None:
        symbols, rejected, pending = frame["symbols"], frame.get("rejected") or {}, frame["pending"]
        if len(symbols) + len(rejected) > SUBSCRIBED_SYMBOLS:
            self._break(Rule.TOO_BIG, None, f"{len(symbols) + len(rejected)} symbols in one subscribed frame")
        request = self._find(frame, "subscribe")
        if request is None:
            return
        for symbol in (*rejected, *symbols):
            self._report(self._ledger.take(request, symbol))
        if frame.get("candles") != request.candles:
            self._break(Rule.UNKNOWN_ID, None, f"id {request.id} is about {request.candles or 'ticks'}")
        for symbol, accepted in symbols.items():
            if request.candles is not None:
                self.candles.begin((symbol, request.candles))
                continue
            self._begin(request, symbol, _position(accepted))
            self._follows[symbol].conflates = accepted.get("max_rate") is not None
        if (fault := self._ledger.pending(request, pending)) is not None:
            self._break(*fault)
        if pending == 0:
            self._ledger.answered(request)

    def _begin(self, request: Request, symbol: str, position: Position | None) -> None:
        follow = self._follows.setdefault(symbol, Follow())
        stated = position and tuple(position)
        if follow.subscribed:
            if position != follow.cursor:
                self._break(Rule.CHANGED, symbol, f"subscribed again, at {stated}")
            return
        legal = {_position(request.resume.get(symbol) or {})}
        if request.bad_resume:
            legal.add(None)
        if position not in legal and (request.snapshot or legal != {None}):
            self._break(Rule.WRONG_POSITION, symbol, f"at {stated}, legal: {legal}")
        follow.subscribed = follow.wanted = True
        follow.gap = None
        follow.move(position)

    def _on_unsubscribed(self, frame: Frame) -> None:
        names = set(frame["symbols"])
        if frame.get("id") is None:
            self._end_unasked(frame)
            return
        request = self._find(frame, "unsubscribe")
        if request is None:
            return
        if not request.everything and not names <= request.left:
            self._break(
                Rule.UNKNOWN_ID, None, f"{sorted(names - request.left)[:5]} were not in command {request.id}"
            )
        whole = not frame.get("pending")
        gone = names if not whole else self.subscribed if request.everything else set(request.left)
        self._report(self._ledger.drop(request, gone))
        self._end(gone, request.candles)
        if whole:
            self._ledger.answered(request)

    def _end(self, gone: Iterable[str], candles: str | None) -> None:
        """Nothing of these follows: of their ticks, or of their *candles*."""
        for symbol in gone:
            if candles is not None:
                self.candles.end((symbol, candles))
            elif (follow := self._follows.get(symbol)) is not None:
                follow.end(wanted=False)

    def _end_unasked(self, frame: Frame) -> None:
        """The gateway ended something by itself, which must have been there."""
        candles = frame.get("candles")
        for symbol in frame["symbols"] if candles is None else ():
            self._of(symbol)
        self._end(frame["symbols"], candles)

    def _on_subscriptions(self, frame: Frame) -> None:
        request = self._find(frame, "list")
        self._listed_candles |= {(symbol, i) for symbol, found in frame.get("candles", {}).items() for i in found}
        self._listed |= {
            symbol: _position(entry.get("cursor") or entry) for symbol, entry in frame["symbols"].items()
        }
        if request is None or frame.get("pending"):
            return
        self._ledger.answered(request)
        listed, self._listed = self._listed, {}
        candles, self._listed_candles = self._listed_candles, set()
        for symbol, interval in candles ^ self.candles.followed:
            self._break(Rule.CURSOR_LISTED, symbol, f"candles of {interval}")
        for symbol in listed.keys() | self.subscribed:
            if symbol not in listed or symbol not in self.subscribed or listed[symbol] != self.cursor(symbol):
                self._break(Rule.CURSOR_LISTED, symbol, f"listed {listed.get(symbol, 'not at all')}")

    def _on_error(self, frame: Frame) -> None:
        identity = frame.get("id")
        if identity is None:
            return
        request = self._ledger.open.get(identity)
        if frame["code"] == "bad_resume" and request is not None:
            request.bad_resume = True
            return
        self._whole_answer(frame, request.op if request else "")

    def _whole_answer(self, frame: Frame, op: str) -> None:
        request = self._find(frame, op)
        if request is not None:
            self._ledger.answered(request)

    def _find(self, frame: Frame, op: str) -> Request | None:
        found = self._ledger.find(frame.get("id"), op)
        if isinstance(found, Request):
            return found
        self._break(*found)
        return None

    # ---------------------------------------------------------------------------------------------- findings

    def _check_content(self, tick: Frame, epoch: int) -> None:
        fault = self._content.fault(tick, epoch, self._frame)
        if fault is not None:
            self._break(fault[0], tick["symbol"], fault[1])

    def _report(self, faults: Iterable[Fault]) -> None:
        for fault in faults:
            self._break(*fault)

    def _break(self, rule: Rule, symbol: str | None, detail: str) -> None:
        self.found += 1
        if len(self.violations) < KEPT_VIOLATIONS:
            raw = self._frame
            text = raw.decode(errors="replace") if isinstance(raw, bytes) else str(raw)
            cursor = self.cursor(symbol) if symbol is not None else None
            self.violations.append(Violation(rule, symbol, cursor, detail, text[:400]))


def _position(fields: Mapping[str, Any]) -> Position | None:
    """Return the position in *fields*, None where it has none; half a position raises KeyError."""
    if fields.get("epoch") is None and fields.get("seq") is None:
        return None
    return Position(fields["epoch"], fields["seq"])
