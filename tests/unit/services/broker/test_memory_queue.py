"""`services.broker.memory.queue`."""

from __future__ import annotations

from services.broker.memory.queue import QUEUE_MESSAGES, QUEUE_TTL, LiveQueue
from services.market.symbol import Symbol
from services.market.wire import TickMessage


def message(seq: int) -> TickMessage:
    """A message of one tick."""
    return TickMessage(Symbol("A"), 1, seq, 1, 1, (b"",))


def test_a_full_queue_drops_its_oldest() -> None:
    """The message beyond the bound pushes the oldest out, and says that one went."""
    queue = LiveQueue()
    assert sum(queue.put(message(seq), 0.0) for seq in range(1, QUEUE_MESSAGES + 4)) == 3
    taken = queue.take()
    assert [m.first for m in taken if isinstance(m, TickMessage)] == list(range(4, QUEUE_MESSAGES + 4))
    assert queue.take() == []


def test_a_message_that_waited_too_long_expires() -> None:
    """What has waited longer than `QUEUE_TTL` goes, what has waited as long stays."""
    queue = LiveQueue()
    for seq, at in ((1, 0.0), (2, 1.0), (3, 2.0)):
        queue.put(message(seq), at)
    assert queue.expire(1.0 + QUEUE_TTL) == 1
    assert queue.take() == [message(2), message(3)]


def test_a_muted_queue_takes_nothing() -> None:
    """Once muted nothing comes in, what waits stays, and nothing counts as dropped."""
    queue = LiveQueue()
    queue.put(message(1), 0.0)
    queue.muted = True
    assert queue.put(message(2), 0.0) == 0
    assert queue.take() == [message(1)]
