"""`services.broker.memory.log`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.broker.memory.log import KEEP_CANDLES, KEEP_MESSAGES, KEEP_SECONDS, Log
from services.broker.memory.queue import Item
from services.errors import MalformedMessage
from services.market.candle import Candle
from services.market.symbol import Symbol
from services.market.wire import TickMessage

A, B = Symbol("A"), Symbol("B")


def message(epoch: int, first: int, symbol: Symbol = A) -> TickMessage:
    """A message of one line."""
    return TickMessage(symbol, epoch, first, 1, 1, (b"x",))


def test_entries_come_back_in_the_order_written() -> None:
    """Whatever was written is read, also repeats and what no codec of ours wrote."""
    log, error = Log(), MalformedMessage("no")
    entries: list[Item] = [message(2, 1), error, message(1, 9), message(2, 1)]
    for entry in entries:
        log.write(entry, 0.0)
    assert log.read(0, 9) == (entries, 4)
    assert log.read(1, 2) == (entries[1:3], 3)
    assert log.read(4, 9) == ([], 4)


def test_old_entries_are_dropped() -> None:
    """Entries go after `KEEP_SECONDS`, and the oldest of more than `KEEP_MESSAGES`; numbers stay."""
    log = Log()
    log.write(message(1, 1), 0.0)
    log.write(message(1, 2), KEEP_SECONDS + 1)
    assert log.read(0, 9) == ([message(1, 2)], 2)
    for seq in range(KEEP_MESSAGES):
        log.write(message(2, seq), KEEP_SECONDS + 1)
    assert log.read(0, 1) == ([message(2, 0)], 3)


@given(st.lists(st.floats(0, 10), max_size=20), st.floats(-1, 30))
def test_reading_begins_at_a_time(pauses: list[float], time: float) -> None:
    """The number for a time is that of the first entry written then or later."""
    log, now, written = Log(), 0.0, list[float]()
    for pause in pauses:
        now += pause
        written.append(now)
        log.write(message(1, len(written)), now)
    assert log.since(time) == sum(1 for at in written if at < time)


def test_candles_have_a_log_of_their_own() -> None:
    """Candles come back from a number on, the newest `KEEP_CANDLES` of them."""
    log = Log()
    candles = [Candle(A, 60, n, 0, 1, 1, 1, 1, 1, 1, 1, 2) for n in range(KEEP_CANDLES + 1)]
    log.store(candles[:2])
    assert (log.candles(0), log.candles(1), log.candles(2), log.stored) == (candles[:2], candles[1:2], [], 2)
    log.store(candles[2:])
    assert log.candles(0) == candles[1:]


def test_a_log_made_anew_counts_from_nothing() -> None:
    """After `clear` the first entry written has number 0, and no epoch is known."""
    log = Log()
    log.write(message(5, 1), 0.0)
    log.clear()
    assert log.newest_epoch([A]) is None
    log.write(message(1, 7), 0.0)
    assert log.read(0, 9) == ([message(1, 7)], 1)


def test_the_newest_epoch() -> None:
    """The newest epoch is the largest one written of the symbols asked for."""
    log = Log()
    for entry in (message(3, 1), message(2, 5), message(5, 1, B)):
        log.write(entry, 0.0)
    assert log.newest_epoch([A]) == 3
    assert log.newest_epoch([A, B, Symbol("C")]) == 5
    assert log.newest_epoch([Symbol("C")]) is None
    assert log.newest_epoch([]) is None
