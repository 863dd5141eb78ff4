"""Rules of recovery that need a clock or numbers; their interleavings are explored in tests/model."""

from __future__ import annotations

import pytest

from gateway.follower import Follower
from gateway.frames import Epoch, Following, Frame, Gap, GapReason, Missing, NoSnapshot, Snapshot
from gateway.outbox import ROOM_BYTES, Outbox
from gateway.recovery import HISTORY_PATIENCE, MARK_GRACE, MISSING_LIMIT, REPLAY_PATIENCE, Recovery
from gateway.tally import Tally
from services.broker.history import Answer, Question
from services.market.position import Position
from services.market.symbol import Symbol

X = Symbol("X")


def tick(epoch: int, seq: int) -> bytes:
    """A tick that carries nothing but its position."""
    return b"%d.%d}" % (epoch, seq)


class Desk:
    """One symbol's recovery with a manual clock and one follower."""

    def __init__(self, *, history: bool = False, max_rate: float | None = None) -> None:
        self.now = 100.0
        self.tally = Tally()
        self.recovery = Recovery(X, self.tally, history=history)
        self.recovery.opened(self.now)
        self.outbox = Outbox(None, [], lambda: None)
        self.follower = Follower(X, self.outbox, 1, max_rate=max_rate)

    def follow(self, resume: Position | None = None, *, snapshot: bool = True) -> Position | None:
        """Subscribe the follower."""
        position = self.recovery.join(self.follower, resume=resume, snapshot=snapshot)
        self.recovery.begin(self.follower, self.now)
        return position

    def live(self, epoch: int, first: int, count: int = 1) -> None:
        """A live message comes."""
        lines = [tick(epoch, seq) for seq in range(first, first + count)]
        self.recovery.accept(epoch, first, lines, self.now)

    def later(self, seconds: float) -> None:
        """Time passes; every deadline is looked after when it is due."""
        end = self.now + seconds
        while (at := self.recovery.next_due) is not None and at <= end:
            self.now = max(self.now, at)
            self.recovery.due(self.now)
        self.now = end

    def answer(self, after: Position | None, seqs: range, *, epoch: int = 1, forgot: int | None = None) -> None:
        """History answers with the ticks *seqs*, having read up to the last of them."""
        ticks = tuple((Position(epoch, seq), tick(epoch, seq)) for seq in seqs)
        top = ticks[-1][0] if ticks else after
        gone = None if forgot is None else Position(epoch, forgot)
        self.recovery.answer(Answer(Question(X, after), ticks, top, gone), self.now)

    def said(self) -> list[bytes | Frame]:
        """What the client was told since the last call, ticks one by one."""
        told: list[bytes | Frame] = []
        for entry in self.outbox.take():
            told.extend(entry.split(b"\n") if isinstance(entry, bytes) else [entry])
        return told


def test_repeats_are_dropped_and_counted() -> None:
    """A live tick at or below newest is dropped, and counted as repeated or as fenced (rule 1)."""
    desk = Desk()
    desk.follow()
    desk.live(2, 1, 3)
    desk.said()
    desk.live(2, 2, 3)
    desk.live(1, 9)

    assert desk.said() == [tick(2, 4)]
    assert (desk.tally.repeated, desk.tally.fenced) == (2, 1)


def test_newest_is_the_snapshot() -> None:
    """A new follower gets the newest tick at once (rule 6)."""
    desk = Desk()
    desk.live(1, 1, 4)

    assert desk.follow() is None
    assert desk.said() == [Snapshot(X, 1, tick(1, 4))]


def test_without_snapshot_the_cursor_is_newest() -> None:
    """A follower that wants no snapshot starts at newest and gets what follows."""
    desk = Desk()
    desk.live(1, 1, 4)

    assert desk.follow(snapshot=False) == Position(1, 4)
    desk.live(1, 5)
    assert desk.said() == [tick(1, 5)]


def test_resume_from_the_ring() -> None:
    """A resume position that the ring reaches is served without asking anybody."""
    desk = Desk(history=True)
    desk.live(1, 1, 5)
    desk.follow(Position(1, 3))

    assert desk.said() == [tick(1, 4), tick(1, 5)]
    assert desk.recovery.questions.outgoing == []


def test_hole_without_history_is_unavailable() -> None:
    """Without history a hole is named at once, up to the ring (rule 4)."""
    desk = Desk()
    desk.live(1, 1)
    desk.follow()
    desk.said()
    desk.live(1, 5)

    assert desk.said() == [Gap(X, 1, 2, 4, GapReason.UNAVAILABLE), tick(1, 5)]
    assert desk.tally.missing[GapReason.UNAVAILABLE] == 3


def test_later_epoch_without_history_begins_with_a_snapshot() -> None:
    """Without history nobody knows how the old epoch ended: gap to null, then a snapshot (rule 4)."""
    desk = Desk()
    desk.live(1, 1)
    desk.follow()
    desk.said()
    desk.live(2, 1, 2)

    assert desk.said() == [Gap(X, 1, 2, None, GapReason.UNAVAILABLE), Snapshot(X, 2, tick(2, 2))]


def test_later_epoch_with_history_is_announced() -> None:
    """History tells the rest of the old epoch, then `epoch` is said (rule 3)."""
    desk = Desk(history=True)
    desk.live(1, 1)
    desk.follow()
    desk.said()
    desk.live(2, 1)
    ticks = tuple((p, tick(*p)) for p in (Position(1, 2), Position(2, 1)))
    desk.recovery.answer(Answer(Question(X, Position(1, 1)), ticks, Position(2, 1), None), desk.now)

    assert desk.said() == [tick(1, 2), Epoch(X, 2), tick(2, 1)]


def test_hole_waits_for_history_at_most_five_seconds() -> None:
    """A hole is asked for again and again, and named when nobody answered for 5 s (rules 3 and 4)."""
    desk = Desk(history=True)
    desk.live(1, 1)
    desk.follow()
    desk.said()
    desk.live(1, 3)
    desk.recovery.unanswered(Question(X, Position(1, 1)), desk.now)
    desk.later(HISTORY_PATIENCE - 0.01)
    assert desk.said() == []
    desk.later(0.02)

    assert desk.said() == [Gap(X, 1, 2, 2, GapReason.UNAVAILABLE), tick(1, 3)]


def test_deadline_stands_still_without_the_broker() -> None:
    """While the broker is away the 5 s do not run."""
    desk = Desk(history=True)
    desk.live(1, 1)
    desk.follow()
    desk.said()
    desk.live(1, 3)
    desk.recovery.closed()
    desk.later(10 * HISTORY_PATIENCE)
    assert desk.said() == []
    desk.recovery.opened(desk.now)
    desk.later(HISTORY_PATIENCE + 0.01)

    assert desk.said()[0] == Gap(X, 1, 2, 2, GapReason.UNAVAILABLE)


def test_retries_back_off() -> None:
    """The same question is asked again after 50 ms, doubling to 500 ms (rule 3)."""
    desk = Desk(history=True)
    desk.live(1, 1)
    desk.follow()
    desk.live(1, 3)
    asked = []
    for _ in range(8):
        desk.recovery.questions.outgoing.clear()
        begun = desk.now
        desk.recovery.unanswered(Question(X, Position(1, 1)), desk.now)
        while not desk.recovery.questions.outgoing:
            desk.later(0.01)
        asked.append(desk.now - begun)

    assert asked == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.5, 0.5, 0.5, 0.5], abs=0.011)


def test_question_is_shared() -> None:
    """Followers at one position share one question (rule 2)."""
    desk = Desk(history=True)
    desk.live(1, 1)
    desk.follow()
    other = Follower(X, Outbox(None, [], lambda: None), 2)
    desk.recovery.join(other, resume=None, snapshot=True)
    desk.recovery.begin(other, desk.now)
    desk.live(1, 3)
    assert desk.recovery.questions.outgoing == [Question(X, Position(1, 1))]
    desk.answer(Position(1, 1), range(2, 4))

    assert desk.follower.cursor == other.cursor == Position(1, 3)


def test_forgotten_log_ends_in_a_snapshot() -> None:
    """A cursor below what the log still has gets a gap to null and the newest tick (rule 3)."""
    desk = Desk(history=True)
    desk.live(1, 9)
    desk.follow(Position(1, 2))
    desk.answer(Position(1, 2), range(7, 10), forgot=6)

    assert desk.said() == [Gap(X, 1, 3, None, GapReason.FORGOTTEN), Snapshot(X, 1, tick(1, 9))]


def test_too_long_a_hole_is_not_replayed() -> None:
    """A hole of more than 20,000 ticks ends in a snapshot, without a question (rule 3)."""
    desk = Desk(history=True)
    desk.live(1, MISSING_LIMIT + 10)
    desk.follow(Position(1, 2))

    newest = tick(1, MISSING_LIMIT + 10)
    assert desk.said() == [Gap(X, 1, 3, None, GapReason.UNAVAILABLE), Snapshot(X, 1, newest)]


def test_mark_reveals_the_hidden_last_tick() -> None:
    """A mark above newest for 500 ms lets history be asked, and its ticks come like live ones (rule 5)."""
    desk = Desk(history=True)
    desk.live(1, 1)
    desk.follow()
    desk.said()
    desk.recovery.heard(Position(1, 3), desk.now)
    desk.later(MARK_GRACE - 0.01)
    assert desk.recovery.questions.outgoing == []
    desk.later(0.02)
    assert desk.recovery.questions.outgoing == [Question(X, Position(1, 1))]
    assert desk.recovery.rebind
    desk.answer(Position(1, 1), range(2, 4))

    assert desk.said() == [tick(1, 2), tick(1, 3)]


def test_mark_without_history_names_the_tail() -> None:
    """Without history what a mark covers is named after its grace (rules 4 and 5)."""
    desk = Desk()
    desk.live(1, 1)
    desk.follow()
    desk.said()
    desk.recovery.heard(Position(1, 3), desk.now)
    desk.later(MARK_GRACE + 0.01)

    assert desk.said() == [Gap(X, 1, 2, 3, GapReason.UNAVAILABLE)]
    desk.live(1, 4)
    assert desk.said() == [tick(1, 4)]


def test_lagging_queue_is_not_silent() -> None:
    """While live ticks still come below a mark, however late, nothing is named as missing (rule 5)."""
    desk = Desk()
    desk.live(1, 1)
    desk.follow()
    desk.recovery.heard(Position(1, 9), desk.now)
    for seq in range(2, 10):
        desk.later(MARK_GRACE - 0.1)
        desk.live(1, seq)
    desk.later(10.0)

    assert desk.said()[1:] == [tick(1, seq) for seq in range(2, 10)]
    assert not desk.recovery.rebind


def test_mark_that_is_reached_in_time_is_nothing() -> None:
    """Live ticks that reach the mark within its grace end the matter."""
    desk = Desk()
    desk.live(1, 1)
    desk.follow()
    desk.recovery.heard(Position(1, 2), desk.now)
    desk.live(1, 2)
    desk.said()
    desk.later(10.0)

    assert desk.said() == []
    assert desk.recovery.next_due is None


@pytest.mark.parametrize(("marked", "reason"), [(True, NoSnapshot.NEVER_TRADED), (False, NoSnapshot.UNAVAILABLE)])
def test_symbol_without_a_tick(marked: bool, reason: NoSnapshot) -> None:  # noqa: FBT001 - a parameter
    """Without history a missing snapshot is said, and its reason is what heartbeats have told (rule 6)."""
    desk = Desk()
    if marked:
        desk.recovery.heard(Position(1, 0), desk.now)
    desk.follow()
    assert desk.said() == [Missing(X, reason)]
    desk.live(1, 1)

    assert desk.said() == [Snapshot(X, 1, tick(1, 1))]


def test_unknown_position_is_denied_by_a_later_mark_only() -> None:
    """A resume position above everything waits 5 s and for a mark, then is unknown (rule 7)."""
    desk = Desk()
    desk.live(1, 1)
    desk.follow(Position(9, 9))
    desk.later(20.0)
    assert desk.said() == []
    desk.recovery.heard(Position(1, 1), desk.now)
    desk.recovery.due(desk.now)

    assert desk.said() == [Gap(X, 9, 10, None, GapReason.UNKNOWN_POSITION), Snapshot(X, 1, tick(1, 1))]


def test_resume_position_ahead_of_this_gateway_is_believed() -> None:
    """A client that is ahead of its new gateway gets only what follows its cursor (rule 7)."""
    desk = Desk()
    desk.live(1, 1)
    desk.follow(Position(1, 3))
    desk.recovery.heard(Position(1, 3), desk.now)
    desk.live(1, 2, 3)
    desk.later(60.0)

    assert desk.said() == [tick(1, 4)]


def test_max_rate_sends_the_first_at_once_and_the_last_always() -> None:
    """A conflating client gets the first tick at once, then the newest at each turn, then the last (rule 8)."""
    desk = Desk(max_rate=2.0)
    desk.live(1, 1)
    desk.follow()
    desk.said()
    desk.now += 1.0
    desk.live(1, 2)
    assert desk.said() == [tick(1, 2)]
    for seq in (3, 4, 5):
        desk.live(1, seq)
    assert desk.said() == []
    desk.later(0.49)
    assert desk.said() == []
    desk.later(0.02)

    assert desk.said() == [b'1.5,"skipped":2}']
    assert desk.tally.conflated == 2
    assert desk.follower.state is Following.CONFLATING
    desk.later(10.0)
    assert desk.said() == []


def test_slow_client_conflates_until_it_has_drained() -> None:
    """A slow client costs nothing per tick, gets the newest when drained, and is live again (rule 8)."""
    desk = Desk()
    desk.live(1, 1)
    desk.follow()
    desk.said()
    desk.recovery.slow(desk.follower)
    desk.live(1, 2, 5)
    assert desk.said() == []
    assert desk.follower.state is Following.CONFLATING
    desk.recovery.drained(desk.follower, desk.now)
    desk.live(1, 7)

    assert desk.said() == [b'1.6,"skipped":4}', tick(1, 7)]
    assert not desk.follower.conflates


def test_slow_client_replays_to_the_end() -> None:
    """A client that becomes slow during its replay is not made to skip it (rule 9)."""
    desk = Desk()
    desk.live(1, 1, 10)
    desk.outbox.blocked = True
    desk.follow(Position(1, 2))
    desk.recovery.slow(desk.follower)
    desk.live(1, 11)
    assert desk.follower.state is Following.BEHIND
    desk.outbox.blocked = False
    desk.recovery.drained(desk.follower, desk.now)
    desk.live(1, 12)

    assert desk.said() == [tick(1, seq) for seq in range(3, 13)]
    assert not desk.follower.conflates


def test_replay_that_ends_before_a_full_socket_conflates() -> None:
    """A slow client with nothing to replay any more conflates while its socket takes nothing (rule 8)."""
    desk = Desk()
    desk.live(1, 1, 10)
    desk.outbox.blocked = True
    desk.follow(Position(1, 2))
    desk.recovery.slow(desk.follower)
    desk.follower.catch_up()
    desk.live(1, 11, 5)
    assert desk.follower.state is Following.CONFLATING
    assert desk.said() == []
    desk.outbox.blocked = False
    desk.recovery.drained(desk.follower, desk.now)
    desk.live(1, 16)

    assert desk.said() == [b'1.15,"skipped":12}', tick(1, 16)]


def test_conflating_client_sees_a_later_epoch() -> None:
    """A conflating client gets `epoch`, and skips only within the new one (rule 8)."""
    desk = Desk()
    desk.live(1, 1)
    desk.follow()
    desk.said()
    desk.recovery.slow(desk.follower)
    desk.live(2, 1, 3)
    desk.recovery.drained(desk.follower, desk.now)

    assert desk.said() == [Epoch(X, 2), b'2.3,"skipped":2}']


def test_replay_goes_at_the_sockets_pace() -> None:
    """A replay pauses while the outbox has no room and goes on from the ring once it has (rule 9)."""
    desk = Desk()
    desk.live(1, 1, 10)
    desk.outbox.blocked = True
    desk.follow(Position(1, 2))
    assert desk.said() == []
    assert desk.follower.state is Following.BEHIND
    desk.outbox.blocked = False
    desk.recovery.drained(desk.follower, desk.now)

    assert desk.said() == [tick(1, seq) for seq in range(3, 11)]


def test_replay_stops_at_the_outbox_bound() -> None:
    """A replay never puts more than the bound and one tick into the outbox."""
    desk = Desk()
    line = b"x" * 1000
    desk.recovery.accept(1, 1, [line] * 200, desk.now)
    desk.follow(Position(1, 1))

    assert ROOM_BYTES <= desk.outbox.size < ROOM_BYTES + 1000


def test_endless_replay_conflates() -> None:
    """A follower that is still behind after 30 s gets the newest once its socket allows (rule 9)."""
    desk = Desk()
    desk.live(1, 1, 10)
    desk.outbox.blocked = True
    desk.follow(Position(1, 2))
    desk.later(REPLAY_PATIENCE + 0.1)
    assert desk.follower.state is Following.CONFLATING
    desk.outbox.blocked = False
    desk.recovery.drained(desk.follower, desk.now)

    assert desk.said() == [b'1.10,"skipped":7}']


def test_leaving_ends_every_deadline() -> None:
    """After the last follower has left nothing is due but what history still owes."""
    desk = Desk(max_rate=1.0)
    desk.live(1, 1)
    desk.follow()
    desk.live(1, 2)
    assert desk.recovery.next_due is not None
    desk.recovery.leave(desk.follower)

    assert desk.recovery.next_due is None


def test_follower_that_has_caught_up_is_no_trouble() -> None:
    """After the next heartbeat a follower that has caught up makes a tick cost nothing more."""
    desk = Desk(history=True)
    desk.live(1, 1)
    desk.follow()
    desk.live(1, 3)
    assert desk.recovery.restless
    desk.answer(Position(1, 1), range(2, 4))
    desk.recovery.heard(Position(1, 3), desk.now)
    desk.recovery.newcomers.clear()  # as the caller does

    assert not desk.recovery.restless


def test_pace_can_change() -> None:
    """Subscribing again with another rate counts from then on."""
    desk = Desk(max_rate=0.1)
    desk.live(1, 1)
    desk.follow()
    desk.live(1, 2)
    desk.said()
    desk.recovery.pace(desk.follower, None, desk.now)

    assert desk.said() == [tick(1, 2)]
    assert desk.follower.max_rate is None


def test_resume_without_live_ticks_is_asked_on_page_by_page() -> None:
    """A follower of a silent symbol replays up to its mark without waiting between pages."""
    desk = Desk(history=True)
    desk.recovery.heard(Position(1, 9), desk.now)
    desk.follow(Position(1, 1))
    desk.recovery.questions.outgoing.clear()

    desk.answer(Position(1, 1), range(2, 5))
    assert desk.recovery.questions.outgoing == [Question(X, Position(1, 4))]
    states = [desk.follower.state]
    desk.answer(Position(1, 4), range(5, 10))
    states.append(desk.follower.state)

    assert desk.said() == [tick(1, seq) for seq in range(2, 10)]
    assert states == [Following.BEHIND, Following.LIVE]
    assert desk.recovery.tape.newest == Position(1, 9)


def test_resume_of_a_silent_symbol_goes_on_when_there_is_room() -> None:
    """A replay that filled its outbox, with no live tick yet, is asked on once the client has taken it."""
    desk = Desk(history=True)
    desk.recovery.heard(Position(1, 9), desk.now)
    desk.follow(Position(1, 1))
    desk.outbox.blocked = True
    desk.answer(Position(1, 1), range(2, 5))
    desk.recovery.questions.outgoing.clear()

    desk.outbox.blocked = False
    desk.recovery.drained(desk.follower, desk.now)

    assert desk.recovery.questions.outgoing == [Question(X, Position(1, 1))]
    desk.answer(Position(1, 1), range(2, 10))
    assert desk.said() == [tick(1, seq) for seq in range(2, 10)]


def test_hole_before_a_quiet_spell_is_asked_on_page_by_page() -> None:
    """What a mark names beyond one page of history is asked for at once, not after the mark's grace again."""
    desk = Desk(history=True)
    desk.live(1, 1)
    desk.follow()
    desk.said()
    desk.recovery.heard(Position(1, 9), desk.now)
    desk.later(MARK_GRACE)
    desk.recovery.questions.outgoing.clear()

    desk.answer(Position(1, 1), range(2, 5))
    assert desk.recovery.questions.outgoing == [Question(X, Position(1, 4))]
    desk.answer(Position(1, 4), range(5, 10))

    assert desk.said() == [tick(1, seq) for seq in range(2, 10)]
    assert desk.recovery.tape.newest == Position(1, 9)
