"""Recovery: the nine rules of `docs/architecture.md` for one symbol on one gateway.  Pure.

Rule numbers in this file are those of `docs/architecture.md`, "No unexplained hole".  `tests/model` explores
every interleaving of a small world through this very class.

Nothing is held back per client.  The tape is shared; a follower is only a cursor into it, and what is said next
follows from the cursor, the tape, the newest mark and the answers of history.  Time is an argument, and timers are
what `due` finds: the caller runs it at `next_due`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from gateway.follower import Follower, Mode
from gateway.frames import GapReason, NoSnapshot
from gateway.questions import RETRY_BASE, Questions
from gateway.tally import Tally
from gateway.tape import Tape
from gateway.turns import Turns
from services.broker.history import Answer, Question
from services.market.position import Position
from services.market.symbol import Symbol

HISTORY_PATIENCE: Final = 5.0
"""Seconds that a follower may wait for history before the hole is named `unavailable` (rule 4)."""
MARK_GRACE: Final = 0.5
"""Seconds of silence below a mark before history is asked: the live queue may lag behind heartbeats (rule 5)."""
DOUBT_PATIENCE: Final = 5.0
"""Seconds that a resume position may be above everything known (rule 7)."""
REPLAY_PATIENCE: Final = 30.0
"""Seconds after which a follower that is still behind conflates (rule 9)."""
MISSING_LIMIT: Final = 20_000
"""Ticks beyond which a hole is not replayed (rule 3)."""
QUESTION_TICKS: Final = 10
"""Ticks that a question to history counts as: else who resumes and leaves at once had its pages for nothing."""


class Recovery:
    """One symbol on one gateway: its tape, its followers, and what history is asked for them.

    The caller takes `questions.outgoing` (to history) and *rebind* after each call.
    """

    __slots__ = (
        "_mark_rebound",
        "_mark_since",
        "_tally",
        "_troubled",
        "_turns",
        "followers",
        "history",
        "mark",
        "marked",
        "newcomers",
        "open",
        "questions",
        "rebind",
        "symbol",
        "tape",
    )

    def __init__(self, symbol: Symbol, tally: Tally, *, history: bool) -> None:
        self.symbol = symbol
        self.tape = Tape()
        self.followers: dict[Follower, None] = {}
        self.history = history
        """Whether anybody answers questions."""
        self.open = False
        """Whether live ticks can come: the broker is connected and the symbol followed there."""
        self.mark: Position | None = None
        """The largest position that a heartbeat has named."""
        self.marked = False
        """Whether a heartbeat has covered this symbol at all."""
        self.questions = Questions(symbol)
        self.rebind = False
        self.newcomers: list[tuple[Follower, Position]] = []
        """Who got a snapshot since the caller last looked, and of what."""
        self._mark_since: float | None = None
        self._mark_rebound = False
        self._troubled: dict[Follower, None] = {}
        self._turns = Turns()
        self._tally = tally

    # ------------------------------------------------------------------------------------- followers come and go

    def join(self, follower: Follower, *, resume: Position | None, snapshot: bool) -> Position | None:
        """Add *follower*; return the position that `subscribed` states.  Nothing is said yet: see `begin`."""
        self.followers[follower] = None
        follower.asked = resume is not None
        follower.cursor = resume if resume is not None or snapshot else self.tape.newest
        return follower.cursor

    def begin(self, follower: Follower, now: float) -> None:
        """Say what is due to a follower that has just been told `subscribed`."""
        cursor, newest = follower.cursor, self.tape.newest
        if cursor is None:
            self._await(follower, now)
        elif newest is None or cursor > newest:
            follower.doubt_since, follower.vouched = now, False
            if newest is None:
                self._fall_behind(follower, cursor, now)
            else:
                follower.catch_up()
                self._trouble(follower)
        else:
            self._advance(follower, now)
        self._watch_mark(now)

    def leave(self, follower: Follower) -> None:
        """Forget *follower*; whatever was asked for it alone is not asked again."""
        self.followers.pop(follower, None)
        self._troubled.pop(follower, None)
        self._turns.cancel(follower)
        follower.leave()

    def pace(self, follower: Follower, max_rate: float | None, now: float) -> None:
        """Change a follower's rate."""
        follower.interval = None if max_rate is None else 1.0 / max_rate
        follower.turn_at = min(follower.turn_at, now + (follower.interval or 0.0))
        self._advance(follower, now)

    def slow(self, follower: Follower) -> None:
        """The client does not keep up: conflate until `drained` (rule 8), but not what is being replayed (rule 9).

        A replay fills the socket by itself, and nothing live is added to it: 64 KiB in 0.5 s would be asked of
        every client that resumes.
        """
        if follower.mode is Mode.BEHIND:
            follower.reprieved = True
            return
        follower.slow = True
        if follower.cursor is not None:
            follower.catch_up()

    def drained(self, follower: Follower, now: float) -> None:
        """The client has taken everything: its turn, or its replay, goes on."""
        follower.reprieved = False
        if follower.slow:
            follower.slow = False
            if follower.interval is None:
                self._turn(follower, now)
            else:
                self._advance(follower, now)
        elif follower.mode is Mode.BEHIND:
            self._advance(follower, now)

    # ----------------------------------------------------------------------------------------- the feed speaks

    def opened(self, now: float) -> None:
        """Live ticks can come from now on: deadlines count from here."""
        self.open = True
        for follower in self._troubled:
            if follower.waiting_since is not None:
                follower.waiting_since = now
            if follower.replay_since is not None:
                follower.replay_since = now
            if follower.doubt_since is not None:
                follower.doubt_since = now
        if self._mark_since is not None:
            self._mark_since = now

    def closed(self) -> None:
        """No live tick comes any more; deadlines stand still."""
        self.open = False

    def accept(self, epoch: int, first: int, lines: Sequence[bytes], now: float) -> None:
        """Take live ticks: *lines* are consecutive from *first* (rules 1 and 2)."""
        before = self.tape.newest
        if before is not None and (epoch, first) <= before:
            repeats = len(lines) if epoch < before.epoch else min(len(lines), before.seq - first + 1)
            if epoch < before.epoch:
                self._tally.fenced += repeats
            else:
                self._tally.repeated += repeats
            if repeats == len(lines):
                return
            lines, first = lines[repeats:], first + repeats
        size = sum(map(len, lines))
        joined = self.tape.add(epoch, first, lines, size)
        newest = self.tape.newest
        if self._mark_since is not None:
            # A queue that lags behind the heartbeats still delivers: only silence below a mark is suspicious.
            self._mark_since = now if self.mark is not None and newest is not None and newest < self.mark else None
        if not joined and before is not None:
            self._tally.holes += 1
        self._spread(lines[0] if len(lines) == 1 else b"\n".join(lines), before if joined else None, now)

    def _spread(self, lines: bytes, before: Position | None, now: float) -> None:
        """Give *lines* to who is at *before*, and bring the others on; *before* None: nobody is.

        The only work per message and client, 0.15 µs for one that keeps up: so `Outbox.tick` stands here in full,
        without its wake-up, which the end of the feed's pass makes unnecessary.
        """
        newest = self.tape.newest
        for follower in self.followers:
            if follower.conflates:
                # Rule 8: its turn, or the end of its backlog, is on the way, and finds what is newest then.
                if follower.cursor is None or not (follower.turn_due or follower.slow):
                    self._advance(follower, now)
                continue
            # Nearly always the cursor is this very object: then comparing two tuples (0.05 µs) is saved.
            if before is None or (follower.cursor is not before and follower.cursor != before):
                self._advance(follower, now)
                continue
            outbox = follower.outbox
            if outbox.entries:
                outbox.entries.append(lines)
            else:
                outbox.entries = [lines]
                outbox.touched.append(outbox)
            follower.cursor = newest

    def heard(self, mark: Position, now: float) -> None:
        """A heartbeat names *mark* as the last position published; seq 0: nothing in that epoch yet (rule 5)."""
        self.marked = True
        self._forget_untroubled()
        for follower in self._troubled:
            follower.vouched = True
        if mark.seq == 0 or (self.mark is not None and mark < self.mark):
            return
        self.mark = mark
        self._watch_mark(now)

    def answer(self, answer: Answer, now: float) -> None:
        """History's answer (rules 3, 5 and 6)."""
        after = answer.question.after
        if not self.questions.returned(answer.question, now):
            return
        if after is None:
            self._answer_awaiting(answer, now)
        else:
            for follower in [f for f in self._troubled if f.mode is Mode.BEHIND and f.cursor == after]:
                self._answer_behind(follower, answer, now)
            self._take_in(answer, now)
            self._answer_mark(answer, now)
        if not self._wanted(after):
            self.questions.drop(after)

    def unanswered(self, question: Question, now: float) -> None:
        """Nobody answered *question* in time: it is asked again while somebody wants it."""
        self.questions.returned(question, now)

    def tell_history(self, present: bool, now: float) -> None:  # noqa: FBT001 - the news itself
        """History has come, or gone.  Who was told that there is no snapshot may have one now."""
        came = present and not self.history
        self.history = present
        nameless = [f for f in self.followers if f.cursor is None] if came else []
        for follower in nameless:
            self._await(follower, now)

    # ------------------------------------------------------------------------------------------------- deadlines

    @property
    def restless(self) -> bool:
        """Whether a deadline, a question, a turn or a newcomer's figures are pending."""
        waits = self._troubled or self._turns or self.questions or self.newcomers
        return bool(waits) or self._mark_since is not None

    @property
    def next_due(self) -> float | None:
        """The earliest time at which `due` may have something to do; None: only after another call."""
        times = list(self.questions.due())
        if (turn := self._turns.next) is not None:
            times.append(turn)
        for follower in self._troubled:
            if self.open and follower.replay_since is not None:
                times.append(follower.replay_since + REPLAY_PATIENCE)
            if self.open and follower.waiting_since is not None:
                times.append(follower.waiting_since + HISTORY_PATIENCE)
            if self.open and follower.doubt_since is not None and follower.vouched:
                times.append(follower.doubt_since + DOUBT_PATIENCE)
        if self._mark_since is not None and self.open and self.followers:
            grace = HISTORY_PATIENCE if self._mark_rebound and self.history else MARK_GRACE
            times.append(self._mark_since + grace)
        return min(times, default=None)

    def due(self, now: float) -> None:
        """Do what the clock asks for."""
        while (turned := self._turns.pop(now)) is not None:
            self._advance(turned, now)
        for follower in list(self._troubled):
            self._due_follower(follower, now)
        if self._mark_since is not None and self.open and self.followers and now >= self._mark_since + MARK_GRACE:
            self._due_mark(self._mark_since, now)
        self.questions.retry(now, self._wanted)

    def _due_follower(self, follower: Follower, now: float) -> None:
        cursor = follower.cursor
        if follower.doubt_since is not None and cursor is not None:
            self._due_doubt(follower, cursor, follower.doubt_since, now)
            cursor = follower.cursor
        if follower.mode is Mode.LIVE and follower.doubt_since is None:
            self._troubled.pop(follower, None)
            return
        if not self.open:
            return
        if follower.replay_since is not None and now >= follower.replay_since + REPLAY_PATIENCE:
            self._conflate(follower, now)
            return
        if follower.waiting_since is None:
            return
        if follower.mode is Mode.BEHIND and not follower.outbox.room():
            follower.waiting_since = now  # its socket is what it waits for
        elif now >= follower.waiting_since + HISTORY_PATIENCE:
            if cursor is None:
                follower.missing(NoSnapshot.UNAVAILABLE)
                follower.waiting_since = None
            else:
                self._give_up(follower, cursor, GapReason.UNAVAILABLE, now)

    def _due_doubt(self, follower: Follower, cursor: Position, since: float, now: float) -> None:
        """Rule 7: a position above newest waits; above the mark too, it is unknown."""
        known = max((p for p in (self.tape.newest, self.mark) if p is not None), default=None)
        if known is not None and cursor <= known:
            follower.doubt_since = None
            if follower.mode is Mode.BEHIND and self.tape.newest is None and cursor == known:
                follower.catch_up()
        elif self.open and now >= since + DOUBT_PATIENCE and follower.vouched:
            # Only a later mark can deny it: what this client got elsewhere was published before.
            self._gap_to_null(follower, cursor, GapReason.UNKNOWN_POSITION)
            self._await(follower, now)

    def _due_mark(self, since: float, now: float) -> None:
        """Rule 5: what a mark covers and nobody has."""
        newest = self.tape.newest
        if not self._mark_rebound:
            # An exchange that was deleted and made again leaves a bound queue mute, without any event.
            self._mark_rebound = self.rebind = True
            self._tally.rebinds += 1
        if not self.history or now >= since + HISTORY_PATIENCE:
            self._pass_mark(GapReason.UNAVAILABLE, now)
        elif newest is not None:
            self.questions.ask(newest)
        else:
            for follower in self.followers:
                cursor, mark = follower.cursor, self.mark
                if cursor is not None and mark is not None and cursor < mark and follower.mode is Mode.LIVE:
                    self._fall_behind(follower, cursor, now)

    # ----------------------------------------------------------------------------------- what a follower is told

    def _advance(self, follower: Follower, now: float) -> None:
        """Bring *follower* from its cursor to newest, or note what it waits for (rule 2)."""
        newest, cursor = self.tape.newest, follower.cursor
        if newest is None:
            if cursor is not None and follower.mode is Mode.BEHIND:
                self._fall_behind(follower, cursor, now)
            return
        if cursor is None:
            if self.tape.ring and (follower.floor is None or newest > follower.floor):
                self._snapshot(follower, newest, self.tape.ring[-1], now)
        elif cursor >= newest:
            if follower.mode is not Mode.LIVE:
                follower.catch_up()
        elif follower.conflates:
            self._turn_later(follower, now)
        elif self.tape.reaches(cursor):
            self._replay(follower, cursor, newest, now)
        else:
            self._fall_behind(follower, cursor, now)

    def _await(self, follower: Follower, now: float) -> None:
        """Rule 6: the first of newest, a live tick or history's last is the snapshot."""
        follower.mode = Mode.AWAITING
        self._advance(follower, now)
        if follower.cursor is not None:
            return
        if self.history:
            follower.waiting_since = now
            self._trouble(follower)
            self.questions.ask(None)
        else:
            never = self.marked and self.mark is None and self.tape.newest is None
            follower.missing(NoSnapshot.NEVER_TRADED if never else NoSnapshot.UNAVAILABLE)

    def _snapshot(self, follower: Follower, position: Position, line: bytes, now: float) -> None:
        follower.snapshot(position, line)
        self.newcomers.append((follower, position))
        self._took_turn(follower, now)
        self._tally.snapshots += 1

    def _replay(self, follower: Follower, cursor: Position, newest: Position, now: float) -> None:
        """Send from the ring, as far as the outbox has room (rule 9) and the client's allowance goes."""
        outbox, seq = follower.outbox, cursor.seq
        free, allowed = outbox.free, follower.allowed(now)
        for line in islice(self.tape.after(cursor), allowed):
            if free <= 0:
                outbox.await_room()
                break
            outbox.tick(line)
            free -= len(line)
            seq += 1
        follower.cursor = Position(newest.epoch, seq)
        self._spend(follower, seq - cursor.seq, now)
        if seq == newest.seq:
            follower.catch_up()
        elif allowed == seq - cursor.seq:
            self._refuse(follower, follower.cursor, now)
        else:
            follower.mode, follower.waiting_since = Mode.BEHIND, None
            self._replaying(follower, now)

    def _replaying(self, follower: Follower, now: float) -> None:
        if follower.replay_since is None:
            follower.replay_since = now
        self._trouble(follower)

    def _fall_behind(self, follower: Follower, cursor: Position, now: float) -> None:
        """Note that *follower* waits for history, and ask once for all that wait at its position."""
        follower.mode = Mode.BEHIND
        if follower.waiting_since is None:
            follower.waiting_since = now
        self._replaying(follower, now)
        newest = self.tape.newest
        if newest is not None and newest.epoch == cursor.epoch and newest.seq - cursor.seq > MISSING_LIMIT:
            self._restart(follower, cursor, GapReason.UNAVAILABLE, now)
        elif not self.history:
            self._give_up(follower, cursor, GapReason.UNAVAILABLE, now)
        elif follower.allowed(now) == 0:
            self._refuse(follower, cursor, now)
        elif follower.outbox.blocked:
            follower.outbox.await_room()
        elif self.questions.ask(cursor):
            # Though its outbox may be full for the moment: the next page is on its way while this one is written.
            follower.spend(QUESTION_TICKS, now)

    def _spend(self, follower: Follower, count: int, now: float) -> None:
        """Count ticks of the past that *follower* was sent."""
        if follower.asked:
            self._tally.replayed += count
            follower.spend(count, now)

    def _refuse(self, follower: Follower, cursor: Position, now: float) -> None:
        """The client has had as much of the past as it may have for now."""
        self._tally.refused += 1
        self._restart(follower, cursor, GapReason.UNAVAILABLE, now)

    def _give_up(self, follower: Follower, cursor: Position, reason: GapReason, now: float) -> None:
        """Rule 4: name what lies between the cursor and the ring, then go on from the ring."""
        newest, oldest = self.tape.newest, self.tape.oldest
        if newest is None or newest <= cursor:
            follower.catch_up()  # nothing is known to be missing; a tick or a mark will tell
            return
        if newest.epoch > cursor.epoch:
            if reason is not GapReason.LOST:
                self._restart(follower, cursor, reason, now)
                return
            cursor = self._epoch(follower, newest.epoch)
        upto = newest.seq if oldest is None else oldest.seq - 1
        if upto > cursor.seq:
            self._gap(follower, cursor, upto, reason)
        asked = follower.asked
        follower.catch_up()
        follower.asked = asked  # the ring's part of the past is still to come
        self._advance(follower, now)

    def _restart(self, follower: Follower, cursor: Position, reason: GapReason, now: float) -> None:
        """Name everything after the cursor as missing; the newest tick that is known comes as a snapshot."""
        self._gap_to_null(follower, cursor, reason)
        self._advance(follower, now)
        if follower.cursor is None and self.history:
            self._trouble(follower)
            self.questions.ask(None)

    def _conflate(self, follower: Follower, now: float) -> None:
        """Rule 9: still behind after 30 s."""
        follower.catch_up()
        if follower.outbox.room():
            self._turn(follower, now)
        else:
            follower.slow = True

    # --------------------------------------------------------------------------------------------- rule 8: turns

    def _turn_later(self, follower: Follower, now: float) -> None:
        if follower.slow or follower.turn_due:
            return  # its turn comes when it has drained, or is on the way
        if now >= follower.turn_at and not follower.outbox.blocked:
            self._turn(follower, now)
        else:
            at = max(follower.turn_at, now + RETRY_BASE if follower.outbox.blocked else now)
            self._turns.schedule(follower, at)

    def _turn(self, follower: Follower, now: float) -> None:
        """Send the newest tick; what lies between is `skipped`."""
        newest, cursor = self.tape.newest, follower.cursor
        if newest is None or cursor is None or cursor >= newest:
            return
        if not self.tape.ring:
            self._give_up(follower, cursor, GapReason.UNAVAILABLE, now)
            return
        if newest.epoch > cursor.epoch:
            cursor = self._epoch(follower, newest.epoch)
        skipped = newest.seq - cursor.seq - 1
        follower.tick(newest, self.tape.ring[-1], skipped)
        self._took_turn(follower, now)
        follower.catch_up()
        self._tally.conflated += skipped

    def _took_turn(self, follower: Follower, now: float) -> None:
        if follower.interval is not None:
            follower.turn_at = now + follower.interval

    # ------------------------------------------------------------------------------------------ history's answers

    def _answer_awaiting(self, answer: Answer, now: float) -> None:
        if not answer.ticks:
            if answer.top is None and self.marked and self.mark is None and self.tape.newest is None:
                for follower in self._troubled:
                    if follower.cursor is None:
                        follower.missing(NoSnapshot.NEVER_TRADED)
            return
        position, line = answer.ticks[-1]
        if self.tape.newest is None:
            self._inject(answer.ticks, now)
        for follower in list(self._troubled):
            floor = follower.floor
            if follower.cursor is None and (floor is None or position > floor):
                self._snapshot(follower, position, line, now)
                self._advance(follower, now)

    def _answer_behind(self, follower: Follower, answer: Answer, now: float) -> None:
        cursor = follower.cursor
        if cursor is None or not follower.outbox.room():
            return
        if answer.top is not None and answer.top >= cursor:
            follower.doubt_since = None
        if answer.forgot is not None and cursor < answer.forgot:
            self._answer_forgotten(follower, cursor, answer, now)
            return
        run: list[bytes] = []
        due = [tick for tick in answer.ticks if tick[0] > cursor]
        said = due[: follower.allowed(now)]
        for position, line in said:
            if position.epoch > cursor.epoch:
                follower.run(cursor, run)
                cursor = self._epoch(follower, position.epoch)
            if position.seq > cursor.seq + 1:
                follower.run(cursor, run)
                self._gap(follower, cursor, position.seq - 1, GapReason.LOST)
            run.append(line)
            cursor = position
        follower.run(cursor, run)
        moved = cursor != answer.question.after
        self._tally.repaired += len(said)
        self._spend(follower, len(said), now)
        if len(said) < len(due):
            self._refuse(follower, cursor, now)
            return
        self._go_on(follower, cursor, answer.top, now, moved=moved)

    def _go_on(
        self, follower: Follower, cursor: Position, top: Position | None, now: float, *, moved: bool
    ) -> None:
        """After an answer: live again, or lost up to the ring, or ask for what follows."""
        newest = self.tape.newest
        if newest is None:
            if self.mark is not None and cursor >= self.mark:
                follower.catch_up()
            elif moved:
                follower.waiting_since = None
                self._fall_behind(follower, cursor, now)
            return
        if moved:
            follower.waiting_since = None
        self._advance(follower, now)
        if follower.mode is Mode.BEHIND and follower.cursor == cursor and top is not None and top >= newest:
            self._give_up(follower, cursor, GapReason.LOST, now)

    def _answer_forgotten(self, follower: Follower, cursor: Position, answer: Answer, now: float) -> None:
        """Rule 3: the log no longer reaches back to the cursor."""
        newest = self.tape.newest
        last = answer.ticks[-1] if answer.ticks else None
        if last is not None and (newest is None or not self.tape.ring or last[0] > newest):
            self._gap_to_null(follower, cursor, GapReason.FORGOTTEN)
            self._snapshot(follower, last[0], last[1], now)
            self._advance(follower, now)
        elif newest is not None and self.tape.ring and newest > cursor:
            self._restart(follower, cursor, GapReason.FORGOTTEN, now)

    def _answer_mark(self, answer: Answer, now: float) -> None:
        """Rule 5: what history lacks below its top is lost, also at the end of the tape."""
        newest, mark, top = self.tape.newest, self.mark, answer.top
        if self._mark_since is None or mark is None or top is None or top < mark:
            return
        if newest is not None and newest < mark and newest == answer.question.after:
            self._pass_mark(GapReason.LOST, now)

    def _take_in(self, answer: Answer, now: float) -> None:
        """Accept an answer's ticks like live ones where nothing live is above them, and ask on.

        Without a live tick so far, a part of what a mark names is left to those who replay: else the tape would
        begin with one page, and its followers had to wait out the mark's grace page by page.
        """
        newest, mark = self.tape.newest, self.mark
        if newest is None:
            short = mark is not None and (answer.top is None or answer.top < mark)
            if not (short and any(f.mode is Mode.BEHIND for f in self._troubled)):
                self._inject(answer.ticks, now)
        elif newest == answer.question.after:
            self._inject(answer.ticks, now)
            on = self.tape.newest
            wanted = answer.ticks and self._mark_since is not None
            if wanted and on is not None and all(f.outbox.room() for f in self.followers):
                self.questions.ask(on)

    def _inject(self, ticks: Iterable[tuple[Position, bytes]], now: float) -> None:
        """Accept history's ticks above newest like live ones."""
        for position, line in ticks:
            if self.tape.newest is None or position > self.tape.newest:
                self.accept(position.epoch, position.seq, (line,), now)
        for follower in self.followers:
            follower.outbox.wake()  # no pass of the feed ends here

    def _pass_mark(self, reason: GapReason, now: float) -> None:
        """Name what a mark covers and nobody has, for every follower; newest moves on to the mark."""
        mark, newest = self.mark, self.tape.newest
        self._mark_since = None
        if mark is None or (newest is not None and newest >= mark):
            return
        for follower in list(self.followers):
            cursor = follower.cursor
            if cursor is not None and newest is not None and cursor < newest:
                if follower.conflates:
                    self._turn(follower, now)
                else:
                    self._give_up(follower, cursor, reason, now)
                cursor = follower.cursor
            if cursor is None or cursor >= mark or (newest is not None and cursor < newest):
                continue  # it awaits a snapshot, is beyond, or its socket has not taken the ring yet
            if mark.epoch > cursor.epoch:
                self._restart(follower, cursor, reason, now)
            else:
                self._gap(follower, cursor, mark.seq, reason)
                follower.catch_up()
        # A symbol's epoch changes only by a tick, never by a heartbeat.
        if newest is None or newest.epoch == mark.epoch:
            self.tape.jump(mark)

    # -------------------------------------------------------------------------------------------------- questions

    def _wanted(self, after: Position | None) -> bool:
        """Whether anybody still waits for the answer, and anybody answers."""
        if not self.history:
            return False
        if after is None:
            return any(f.cursor is None for f in self._troubled)
        if self._mark_since is not None and self.tape.newest == after and self.followers:
            return True
        return any(f.mode is Mode.BEHIND and f.cursor == after and f.outbox.room() for f in self._troubled)

    def _watch_mark(self, now: float) -> None:
        """Start the mark's grace where it is above newest and above any follower's cursor."""
        mark, newest = self.mark, self.tape.newest
        if mark is None or self._mark_since is not None or (newest is not None and newest >= mark):
            return
        if any(f.cursor is not None and f.cursor < mark for f in self.followers):
            self._mark_since = now
            self._mark_rebound = False

    def _forget_untroubled(self) -> None:
        """Once a second rather than with each tick: who has caught up costs nothing to remember until then."""
        for follower in [f for f in self._troubled if f.mode is Mode.LIVE and f.doubt_since is None]:
            del self._troubled[follower]

    def _trouble(self, follower: Follower) -> None:
        self._troubled[follower] = None

    # ---------------------------------------------------------------------------------------- frames, and counted

    def _epoch(self, follower: Follower, epoch: int) -> Position:
        self._tally.epochs += 1
        return follower.epoch(epoch)

    def _gap(self, follower: Follower, cursor: Position, last: int, reason: GapReason) -> None:
        self._tally.gaps[reason] += 1
        self._tally.missing[reason] += last - cursor.seq
        follower.gap(cursor, last, reason)

    def _gap_to_null(self, follower: Follower, cursor: Position, reason: GapReason) -> None:
        self._tally.gaps[reason] += 1
        follower.gap_to_null(cursor, reason)
