"""`services.history.lag`: when to answer."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.history.lag import BEHIND_S, QUIET_S, STALL_S, UNHEARD_S, Lag, Reason
from services.market.control import Heartbeat
from services.market.position import Position
from services.market.symbol import Symbol
from tests.unit.services.history.ticks import A, B


@dataclass
class Bench:
    """A lag, and what was read; time is the test's, and `published` counts in seconds of it."""

    now: float = 100.0
    newest: dict[Symbol, Position] = field(default_factory=dict)
    published: dict[Symbol, int] = field(default_factory=dict)
    lag: Lag = field(init=False)
    rereads: int = 0

    def __post_init__(self) -> None:
        self.lag = Lag(self.newest.get, lambda symbol: self.published.get(symbol, 0), self.now)

    def beat(self, **marks: int) -> None:
        """A heartbeat of the first run of the shard main comes."""
        self.beat_of("main", 1, **marks)

    def beat_of(self, shard: str, epoch: int, /, **marks: int) -> None:
        """A heartbeat comes."""
        named = {Symbol(symbol): seq for symbol, seq in marks.items()}
        self.lag.on_heartbeat(Heartbeat(shard, epoch, int(self.now), 1, named, full=False), self.now)

    def read(self, symbol: Symbol, seq: int, *, epoch: int = 1, published: float = 0) -> None:
        """A tick is read."""
        self.newest[symbol] = Position(epoch, seq)
        self.published[symbol] = int(published)
        self.lag.on_read(self.now)

    def open(self) -> bool:
        """The verdict now."""
        verdict = self.lag.judge(self.now)
        self.rereads += verdict.reread
        return verdict.open

    def passes(self, seconds: float) -> list[bool]:
        """Time passes, with a look each 100 ms; return the verdicts."""
        verdicts = []
        for _ in range(round(seconds * 10)):
            self.now += 0.1
            verdicts.append(self.open())
        return verdicts

    def stall(self, **marks: int) -> None:
        """Nothing is read for a little more than `STALL_S`, while heartbeats come."""
        for _ in range(round(STALL_S)):
            self.beat(**marks)
            self.passes(1)
        self.beat(**marks)
        self.passes(0.1)


def caught_up() -> Bench:
    """A bench that answers: A is read up to 5."""
    bench = Bench()
    bench.lag.on_connected(bench.now)
    bench.read(A, 5)
    bench.beat(A=5)
    assert bench.open()
    return bench


def test_answers_wait_for_the_marks_of_a_heartbeat() -> None:
    """Nobody is answered before all marks of a heartbeat received since the start were read."""
    b = Bench()
    assert b.lag.judge(b.now).reason is Reason.NOT_CONNECTED
    b.lag.on_connected(b.now)
    b.read(A, 4)
    assert b.lag.judge(b.now).reason is Reason.UNHEARD
    b.beat(A=5, B=2)
    assert b.lag.judge(b.now).reason is Reason.CATCHING_UP
    b.read(A, 5)
    assert not b.open()
    b.read(B, 2)
    assert b.open()
    assert b.lag.judge(b.now) == (True, 0.0, False, Reason.READY)


def test_a_mark_of_nothing_is_no_mark() -> None:
    """A symbol of which nothing was published yet holds nobody up."""
    b = Bench()
    b.lag.on_connected(b.now)
    b.beat(A=0)
    assert b.open()


def test_marks_that_are_always_a_little_ahead() -> None:
    """Where each heartbeat is ahead of reading for a moment, the first one's marks count, and nobody closes."""
    b = Bench()
    b.lag.on_connected(b.now)
    verdicts = []
    for seq in range(10, 300, 10):
        b.beat(A=seq)
        verdicts += b.passes(0.9)
        b.read(A, seq - 1)
        verdicts += b.passes(0.2)
        b.read(A, seq)
    opened = verdicts.index(True)
    assert opened <= 12
    assert all(verdicts[opened:])


def test_too_far_behind_closes() -> None:
    """A mark pending for more than 3 s closes; a heartbeat received after that must be read up to, to open."""
    b = caught_up()
    b.beat(A=9)
    assert all(b.passes(BEHIND_S))
    assert not b.passes(0.2)[-1]
    b.read(A, 9)
    assert not b.open()
    b.beat(A=12)
    assert not b.open()
    b.read(A, 12)
    assert b.open()


def test_how_far_behind() -> None:
    """Behind is the age of the oldest mark that was not reached, whatever newer ones say."""
    b = caught_up()
    b.beat(A=9, B=1)
    b.now += 1
    b.beat(A=11)
    b.now += 1
    assert b.lag.judge(b.now).behind_s == 2
    b.read(A, 10)
    b.read(B, 1)
    b.beat(A=12)
    assert b.lag.judge(b.now).behind_s == 0
    b.now += 0.25
    assert b.lag.judge(b.now).behind_s == 0.25


def test_a_mark_that_reading_has_passed() -> None:
    """A mark whose tick the log lacks is waived once something published after it was read of its shard."""
    b = caught_up()
    b.beat(A=6, B=0)
    b.beat_of("other", 1, C=1)
    b.read(Symbol("C"), 1, published=b.now + 9)
    assert b.passes(1)[-1]
    assert b.lag.judge(b.now).behind_s > 0.9
    b.read(B, 1, published=b.now + 1)
    assert b.lag.judge(b.now).behind_s == 0
    assert b.lag.waived == 1
    b.beat(A=6)
    assert b.lag.judge(b.now + 1).behind_s == 0
    b.now += 2
    b.beat(A=7)
    assert b.lag.judge(b.now + 1).behind_s == 1


def test_a_later_epoch_is_beyond_every_mark_before_it() -> None:
    """A tick of a later epoch reaches the marks of earlier ones; a new run's heartbeat replaces the old one's."""
    b = caught_up()
    b.beat(A=900)
    b.read(A, 1, epoch=2)
    assert b.lag.judge(b.now + 1).behind_s == 0
    b.beat_of("main", 2, B=50)
    b.beat_of("main", 3, A=0)
    assert b.lag.judge(b.now + 1).behind_s == 0
    b.beat_of("main", 2, B=50)
    assert b.lag.judge(b.now + 1).behind_s == 0


def test_a_log_that_has_nothing_for_us() -> None:
    """Nothing read for 5 s below a mark: read again once, wait 5 s more, then answer, and stay with it."""
    b = caught_up()
    b.stall(A=6)
    assert b.rereads == 1
    assert not b.open()
    verdicts = []
    for _ in range(20):
        b.beat(A=6)
        verdicts += b.passes(1)
    assert b.rereads == 1
    opened = verdicts.index(True)
    assert STALL_S - 1 < opened / 10 < STALL_S + 1
    assert all(verdicts[opened:])


def test_a_log_that_is_lost_while_the_market_goes_on() -> None:
    """Marks that run on while nothing is read do not close what has given up on them; a tick that is read does."""
    b = caught_up()
    verdicts = []
    for seq in range(6, 40):
        b.beat(A=seq)
        verdicts += b.passes(1)
    assert b.rereads == 1
    assert all(verdicts[-200:])
    b.read(A, 20)
    b.beat(A=60)
    assert not b.passes(BEHIND_S + 0.2)[-1]


def test_reading_again_helps() -> None:
    """A log made anew is read from the past, and what is reached then opens without anything waived."""
    b = caught_up()
    b.stall(A=9)
    assert b.rereads == 1
    b.read(A, 9)
    b.beat(A=9)
    assert b.open()
    assert b.lag.waived == 0


def test_entries_that_come_hold_off_reading_again() -> None:
    """As long as anything is read, known or not, reading does not begin again."""
    b = caught_up()
    b.beat(A=6)
    for _ in range(10):
        b.passes(STALL_S - 0.5)
        b.lag.on_read(b.now)
    assert b.rereads == 0


def test_no_producer() -> None:
    """Without any heartbeat the log's end is all there is: 2 s after connecting, 1 s after the last entry."""
    b = Bench()
    b.lag.on_connected(b.now)
    assert not any(b.passes(UNHEARD_S - 1))
    b.read(A, 5)
    assert not any(b.passes(QUIET_S - 0.1))
    assert b.passes(0.3)[-1]
    assert all(b.passes(60))
    b.beat(A=6)
    b.read(A, 6)
    assert b.open()


def test_a_producer_that_died_while_we_were_behind() -> None:
    """Marks of a producer that is gone are not waited for longer than a log without heartbeats."""
    b = caught_up()
    b.beat(A=9)
    b.passes(BEHIND_S + 0.1)
    assert not b.open()
    verdicts = b.passes(STALL_S + UNHEARD_S + 1)
    assert verdicts[-1]
    assert verdicts[verdicts.index(True) :] == [True] * (len(verdicts) - verdicts.index(True))


def test_a_lost_connection() -> None:
    """A connection that is gone for more than 3 s closes, and opening needs a heartbeat that came after it."""
    b = caught_up()
    b.lag.on_lost(b.now)
    assert all(b.passes(BEHIND_S - 0.1))
    b.lag.on_lost(b.now)
    assert not b.passes(0.3)[-1]
    assert b.lag.judge(b.now).reason is Reason.NOT_CONNECTED
    b.lag.on_connected(b.now)
    assert not b.open()
    b.beat(A=5)
    assert b.open()


def test_a_short_loss_changes_nothing() -> None:
    """A connection that comes back within 3 s leaves the desk open."""
    b = caught_up()
    b.lag.on_lost(b.now)
    b.passes(1)
    b.lag.on_connected(b.now)
    assert b.open()
