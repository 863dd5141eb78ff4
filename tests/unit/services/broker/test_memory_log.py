"""`services.broker.memory.log`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.broker.history import PAGE_BYTES, Question
from services.broker.memory.log import KEEP_SECONDS, KEEP_TICKS, Log, SymbolLog
from services.market.position import Position
from services.market.symbol import Symbol
from services.market.wire import TickMessage

A = Symbol("A")


def message(epoch: int, first: int, count: int = 1, *, size: int = 10, symbol: Symbol = A) -> TickMessage:
    """*count* ticks from *first*, each of *size* bytes."""
    return TickMessage(symbol, epoch, first, 1, 1, tuple(b"%0*d" % (size, first + i) for i in range(count)))


def positions(log: SymbolLog, after: Position | None, read: int | None = None) -> list[Position]:
    """The positions in the answer of *log*."""
    answer = log.answer(Question(A, after), log.count if read is None else read)
    return [position for position, _ in answer.ticks]


START = Position(0, 0)


def test_the_log_keeps_positions_ascending() -> None:
    """Repeats and positions below the newest are dropped, even from the middle of a message."""
    log = SymbolLog()
    for m in (message(1, 1, 2), message(1, 2, 2), message(1, 1), message(2, 1), message(1, 9)):
        log.write(m, 0.0)
    assert positions(log, START) == [(1, 1), (1, 2), (1, 3), (2, 1)]
    assert log.count == len(log) == 4
    assert log.newest == (2, 1)
    assert log.forgot is None


def test_an_answer_holds_what_follows_the_position() -> None:
    """An answer starts behind the position asked for, be that in the log or not, and `top` is the newest."""
    log = SymbolLog()
    for m in (message(1, 1, 3), message(3, 2)):
        log.write(m, 0.0)
    assert positions(log, Position(1, 2)) == [(1, 3), (3, 2)]
    assert positions(log, Position(2, 7)) == [(3, 2)]
    beyond = log.answer(Question(A, Position(3, 5)), log.count)
    assert (beyond.ticks, beyond.top, beyond.forgot) == ((), (3, 2), None)


def test_no_position_asks_for_the_last_tick() -> None:
    """`after` None is answered by the newest tick alone; by nothing where nothing was written."""
    log = SymbolLog()
    empty = log.answer(Question(A, None), 0)
    assert (empty.ticks, empty.top, empty.forgot) == ((), None, None)
    log.write(message(1, 1, 3), 0.0)
    last = log.answer(Question(A, None), log.count)
    assert last.ticks == (((1, 3), b"0000000003"),)
    assert last.top == (1, 3)


def test_a_tick_that_is_too_old_is_forgotten() -> None:
    """A tick goes after `KEEP_SECONDS`, and `forgot` names the largest that went; the newest never goes."""
    log = SymbolLog()
    for seq in (1, 2, 3):
        log.write(message(1, seq), float(seq))
    log.expire(KEEP_SECONDS + 2.5)
    assert positions(log, START) == [(1, 3)]
    assert log.forgot == (1, 2)
    log.expire(KEEP_SECONDS * 10)
    assert positions(log, None) == [(1, 3)]
    assert log.forgot == (1, 2)


def test_writing_forgets_what_is_too_old() -> None:
    """The bound in seconds holds without anybody asking."""
    log = SymbolLog()
    log.write(message(1, 1), 0.0)
    log.write(message(1, 2), KEEP_SECONDS + 1)
    assert len(log) == 1
    assert log.forgot == (1, 1)


def test_the_log_is_bounded_in_ticks() -> None:
    """Of more than `KEEP_TICKS` ticks the newest stay, and the list behind them stays bounded too."""
    log = SymbolLog()
    for first in range(1, KEEP_TICKS + 5_001, 100):
        log.write(message(1, first, 100), 0.0)
    assert len(log) == KEEP_TICKS
    assert log.forgot == (1, 5_000)
    assert log.newest == (1, KEEP_TICKS + 5_000)
    assert len(log._entries) <= KEEP_TICKS + 1_124
    assert positions(log, Position(1, KEEP_TICKS + 4_999)) == [(1, KEEP_TICKS + 5_000)]


def test_everything_may_be_forgotten() -> None:
    """A log that forgot all says so, and goes on above it."""
    log = SymbolLog()
    log.write(message(1, 1, 3), 0.0)
    log.forget(9)
    answer = log.answer(Question(A, START), log.count)
    assert (answer.ticks, answer.top, answer.forgot) == ((), (1, 3), (1, 3))
    log.write(message(1, 3, 2), 0.0)
    assert positions(log, START) == [(1, 4)]


def test_a_page_is_cut_at_its_bound() -> None:
    """Ticks beyond `PAGE_BYTES` wait for the next question, and `top` is the last tick that is in."""
    log = SymbolLog()
    log.write(message(1, 1, 100, size=1_000), 0.0)
    after, pages = START, list[int]()
    while after < Position(1, 100):
        answer = log.answer(Question(A, after), log.count)
        assert sum(len(line) for _, line in answer.ticks) <= PAGE_BYTES
        assert answer.top == answer.ticks[-1][0]
        pages.append(len(answer.ticks))
        after = answer.top
    assert pages == [PAGE_BYTES // 1_000, 100 - PAGE_BYTES // 1_000]


def test_a_tick_above_the_bound_is_a_page_of_its_own() -> None:
    """A page holds at least one tick, or a question would never get beyond it."""
    log = SymbolLog()
    log.write(message(1, 1, 2, size=PAGE_BYTES + 1), 0.0)
    assert positions(log, START) == [(1, 1)]
    assert positions(log, Position(1, 1)) == [(1, 2)]


def test_a_reader_behind_sees_an_earlier_log() -> None:
    """An answer for a reader that lags lacks the newest ticks, in `top` and in `after` None too."""
    log = SymbolLog()
    log.write(message(1, 1, 5), 0.0)
    assert positions(log, START, read=3) == [(1, 1), (1, 2), (1, 3)]
    assert log.answer(Question(A, START), 3).top == (1, 3)
    assert positions(log, None, read=3) == [(1, 3)]
    assert log.answer(Question(A, START), 0).top is None
    log.forget(4)
    assert log.answer(Question(A, START), 2).ticks == ()
    assert log.answer(Question(A, START), 2).top == (1, 4)


def test_symbols_are_kept_apart() -> None:
    """A log of several symbols knows each one's ticks, counts and epoch."""
    log, b = Log(), Symbol("B")
    log.write(message(3, 1), 0.0)
    log.write(message(5, 1, 2, symbol=b), 0.0)
    assert log.counts() == {"A": 1, "B": 2}
    assert log.of("B").newest == (5, 2)
    assert log.of("C").newest is None
    assert log.newest_epoch(["A"]) == 3
    assert log.newest_epoch(["A", "B", "C"]) == 5
    assert log.newest_epoch(["C"]) is None
    assert log.newest_epoch([]) is None


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 30), st.integers(1, 5), st.floats(0, 2)), max_size=30),
    st.builds(Position, st.integers(0, 4), st.integers(0, 40)),
    st.integers(0, 200),
)
def test_an_answer_is_complete_up_to_top(
    written: list[tuple[int, int, int, float]], after: Position, behind: int
) -> None:
    """Whatever was written, an answer has every accepted position above the question's or `forgot`, to `top`."""
    log, now = SymbolLog(keep_s=5.0, keep_ticks=12), 0.0
    accepted: list[Position] = []
    for epoch, first, count, pause in written:
        now += pause
        log.write(message(epoch, first, count), now)
        for seq in range(first, first + count):
            if not accepted or Position(epoch, seq) > accepted[-1]:
                accepted.append(Position(epoch, seq))
    answer = log.answer(Question(A, after), max(0, log.count - behind))
    assert log.count == len(accepted)
    assert len(log) <= 12
    lowest = max(after, answer.forgot or after)
    due = [p for p in accepted if p > lowest and answer.top is not None and p <= answer.top]
    assert [p for p, _ in answer.ticks] == due
    if answer.top is not None:
        assert answer.top in accepted
