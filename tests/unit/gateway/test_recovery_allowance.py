"""How much of the past one client may ask for, of all its symbols."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.limits import TokenBucket
from gateway.follower import Follower
from gateway.frames import Frame, Gap, GapReason, Snapshot
from gateway.outbox import Outbox
from gateway.recovery import QUESTION_TICKS, Recovery
from gateway.tally import Tally
from services.broker.history import Answer, Question
from services.market.position import Position
from services.market.symbol import Symbol

X, Y = Symbol("X"), Symbol("Y")


def tick(symbol: Symbol, seq: int) -> bytes:
    """A tick that carries nothing but its name and number."""
    return b"%s.%d}" % (symbol.encode(), seq)


class Desk:
    """Two symbols, one client with an allowance of so many ticks a minute, and a manual clock."""

    def __init__(self, ticks: int, *, history: bool = True, newest: int = 100) -> None:
        self.now = 100.0
        self.tally = Tally()
        self.outbox = Outbox(None, [], lambda: None)
        self.outbox.allowance = TokenBucket(ticks / 60, ticks, self.now)
        self.recoveries = {symbol: Recovery(symbol, self.tally, history=history) for symbol in (X, Y)}
        for recovery in self.recoveries.values():
            recovery.opened(self.now)
        self.newest = dict.fromkeys(self.recoveries, 0)
        for symbol in self.recoveries:
            self.live(symbol, newest)

    def live(self, symbol: Symbol, count: int) -> None:
        """The next *count* live ticks come."""
        first = self.newest[symbol] + 1
        self.newest[symbol] += count
        lines = [tick(symbol, seq) for seq in range(first, first + count)]
        self.recoveries[symbol].accept(1, first, lines, self.now)

    def resume(self, symbol: Symbol, seq: int) -> Follower:
        """The client resumes."""
        follower = Follower(symbol, self.outbox, 1)
        recovery = self.recoveries[symbol]
        recovery.join(follower, resume=Position(1, seq), snapshot=True)
        recovery.begin(follower, self.now)
        return follower

    def leave(self, follower: Follower) -> None:
        """The client unsubscribes."""
        self.recoveries[follower.symbol].leave(follower)

    def answer(self, symbol: Symbol, after: int, count: int) -> None:
        """History answers with the next *count* ticks, a page that ends with them."""
        found = tuple((Position(1, n), tick(symbol, n)) for n in range(after + 1, after + 1 + count))
        question = Question(symbol, Position(1, after))
        self.recoveries[symbol].answer(Answer(question, found, found[-1][0], None), self.now)

    def asked(self, symbol: Symbol) -> list[Position | None]:
        """What history was asked since the last call."""
        questions = self.recoveries[symbol].questions
        taken = [question.after for question in questions.outgoing]
        questions.outgoing.clear()
        return taken

    def said(self) -> list[bytes | Frame]:
        """What the client was told since the last call, ticks one by one."""
        return list(_single(self.outbox.take()))


def _single(entries: list[bytes | Frame]) -> Iterator[bytes | Frame]:
    for entry in entries:
        if isinstance(entry, bytes):
            yield from entry.split(b"\n")
        else:
            yield entry


def test_beyond_the_allowance_comes_a_snapshot() -> None:
    """A replay from the ring ends where the allowance does: gap to null, then the newest tick as a snapshot."""
    desk = Desk(30)
    desk.resume(X, 60)

    *ticks, gap, snapshot = desk.said()
    assert ticks == [tick(X, seq) for seq in range(61, 91)]
    assert gap == Gap(X, 1, 91, None, GapReason.UNAVAILABLE)
    assert snapshot == Snapshot(X, 1, tick(X, 100))
    assert (desk.tally.replayed, desk.tally.refused) == (30, 1)


def test_live_ticks_follow_a_refused_replay() -> None:
    """Who was refused the past follows live like anybody else, and live ticks do not count."""
    desk = Desk(30)
    follower = desk.resume(X, 60)
    desk.said()
    desk.live(X, 50)

    assert desk.said() == [tick(X, seq) for seq in range(101, 151)]
    assert follower.cursor == Position(1, 150)
    assert desk.tally.replayed == 30


def test_it_is_one_allowance_for_all_symbols() -> None:
    """What one symbol's replay took is not there for another's."""
    desk = Desk(30)
    desk.resume(X, 80)
    desk.said()
    desk.resume(Y, 80)

    assert desk.said() == [
        *(tick(Y, seq) for seq in range(81, 91)),
        Gap(Y, 1, 91, None, GapReason.UNAVAILABLE),
        Snapshot(Y, 1, tick(Y, 100)),
    ]


def test_it_comes_back_with_time() -> None:
    """Half a minute later there is half of it again; an hour later all of it and no more."""
    desk = Desk(30)
    for pause, granted in ((0, 30), (30, 15), (3600, 30)):
        desk.now += pause
        desk.leave(desk.resume(X, 0))
        assert len([entry for entry in desk.said() if isinstance(entry, bytes)]) == granted


def test_an_answer_of_history_is_cut() -> None:
    """Of a page of history comes what is allowed: the question counts, too."""
    desk = Desk(QUESTION_TICKS + 5, newest=2000)
    desk.resume(X, 500)
    assert desk.asked(X) == [Position(1, 500)]
    desk.answer(X, 500, 400)

    assert desk.said() == [
        *(tick(X, seq) for seq in range(501, 506)),
        Gap(X, 1, 506, None, GapReason.UNAVAILABLE),
        Snapshot(X, 1, tick(X, 2000)),
    ]
    assert desk.asked(X) == []


def test_history_is_not_asked_in_vain() -> None:
    """With the allowance used up nobody is asked: gap and snapshot come at once."""
    desk = Desk(20, newest=2000)
    desk.leave(desk.resume(Y, 1900))
    desk.said()
    desk.resume(X, 500)

    assert desk.said() == [Gap(X, 1, 501, None, GapReason.UNAVAILABLE), Snapshot(X, 1, tick(X, 2000))]
    assert desk.asked(X) == []


def test_who_leaves_before_the_answer_has_asked_all_the_same() -> None:
    """Resuming and leaving at once makes history work, and is no way around the allowance."""
    desk = Desk(10 * QUESTION_TICKS, newest=2000)
    for seq in range(20):
        desk.leave(desk.resume(X, seq))

    assert len(desk.asked(X)) == 10
    assert desk.tally.refused == 10


def test_a_hole_that_nobody_asked_for_is_free() -> None:
    """What the broker lost is repaired in full, whatever the client has used up."""
    desk = Desk(30)
    follower = desk.resume(X, 60)
    desk.said()
    desk.newest[X] += 200
    desk.live(X, 1)
    assert desk.asked(X) == [Position(1, 100)]
    desk.answer(X, 100, 200)

    assert desk.said() == [tick(X, seq) for seq in range(101, 302)]
    assert follower.cursor == Position(1, 301)
    assert desk.tally.refused == 1


def test_the_ring_counts_where_there_is_no_history() -> None:
    """Behind a gap that nobody can fill the ring's ticks are of the past, too."""
    desk = Desk(30, history=False, newest=2000)
    desk.resume(X, 500)

    first, *ticks, gap, snapshot = desk.said()
    assert first == Gap(X, 1, 501, 1000, GapReason.UNAVAILABLE)
    assert ticks == [tick(X, seq) for seq in range(1001, 1031)]
    assert gap == Gap(X, 1, 1031, None, GapReason.UNAVAILABLE)
    assert snapshot == Snapshot(X, 1, tick(X, 2000))


Action = tuple[str, Symbol, int]
_actions = st.tuples(
    st.sampled_from(("resume", "live", "answer", "leave", "wait")), st.sampled_from((X, Y)), st.integers(1, 60)
)


@given(st.lists(_actions, max_size=60), st.integers(0, 100))
def test_never_more_than_promised(actions: list[Action], ticks: int) -> None:
    """Whatever a client does: no hole is unexplained, and of the past it gets at most its allowance."""
    desk = Desk(ticks, newest=1100)
    following: dict[Symbol, Follower] = {}
    cursors: dict[Symbol, int | None] = {}
    for action in actions:
        _act(desk, following, cursors, action)
        for entry in desk.said():
            _read(entry, cursors)
        for symbol, follower in following.items():
            assert follower.cursor is None or follower.cursor.seq == cursors[symbol]
        assert desk.tally.replayed <= ticks * (1 + (desk.now - 100.0) / 60) + 1e-6


def _act(desk: Desk, following: dict[Symbol, Follower], cursors: dict[Symbol, int | None], action: Action) -> None:
    name, symbol, number = action
    match name:
        case "resume" if symbol not in following:
            cursors[symbol] = 20 * number
            following[symbol] = desk.resume(symbol, 20 * number)
        case "live":
            desk.live(symbol, number)
        case "answer":
            for after in desk.asked(symbol):
                if after is not None:
                    desk.answer(symbol, after.seq, min(number, desk.newest[symbol] - after.seq))
        case "leave" if symbol in following:
            desk.leave(following.pop(symbol))
        case "wait":
            desk.now += number / 10


def _read(entry: bytes | Frame, cursors: dict[Symbol, int | None]) -> None:
    """Move a client's cursor as `docs/protocol.md` has it."""
    match entry:
        case bytes():
            name, _, seq = entry.rstrip(b"}").decode().partition(".")
            cursor = cursors[Symbol(name)]
            assert cursor is not None
            assert int(seq) == cursor + 1
            cursors[Symbol(name)] = int(seq)
        case Gap(symbol, 1, first, None, GapReason.UNAVAILABLE):
            cursor = cursors[symbol]
            assert cursor is not None
            assert first == cursor + 1
            cursors[symbol] = None
        case Snapshot(symbol, 1, line):
            assert cursors[symbol] is None
            cursors[symbol] = int(line.rstrip(b"}").decode().partition(".")[2])
        case _:
            raise AssertionError(entry)
