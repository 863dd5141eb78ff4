"""When a client that takes nothing is slow, and when it is stuck."""

from __future__ import annotations

from gateway.backlog import SLOW_S, Backlog, Verdict
from gateway.outbox import ROOM_BYTES


def test_waits_at_first() -> None:
    """A full socket alone means nothing yet."""
    assert Backlog(0.0, 100).look(0.1, 100, 0, stuck_s=10) is Verdict.WAIT


def test_slow_by_bytes_once() -> None:
    """More than 64 KiB in socket and outbox together make a client slow, and that is said once."""
    backlog = Backlog(0.0, 100)
    assert backlog.look(0.1, 100, ROOM_BYTES - 100, stuck_s=10) is Verdict.WAIT
    assert backlog.look(0.1, 100, ROOM_BYTES - 99, stuck_s=10) is Verdict.SLOW
    assert backlog.look(0.2, 100, ROOM_BYTES, stuck_s=10) is Verdict.WAIT


def test_slow_by_time() -> None:
    """500 ms make a client slow, however little waits."""
    backlog = Backlog(5.0, 1)
    assert backlog.look(5.0 + SLOW_S - 0.01, 1, 0, stuck_s=10) is Verdict.WAIT
    assert backlog.look(5.0 + SLOW_S, 1, 0, stuck_s=10) is Verdict.SLOW


def test_slow_is_not_repeated_in_the_next_spell() -> None:
    """A client that is known to be slow is not reported again."""
    assert Backlog(0.0, 1, slow=True).look(1.0, 1, ROOM_BYTES, stuck_s=10) is Verdict.WAIT


def test_drained() -> None:
    """An empty buffer is neither slow nor stuck, however long it took."""
    assert Backlog(0.0, 100).look(20.0, 0, ROOM_BYTES, stuck_s=10) is Verdict.WAIT


def test_stuck_only_without_progress() -> None:
    """A reader that takes a byte now and then is never stuck; one that takes none for ten seconds is."""
    backlog = Backlog(0.0, 1000, slow=True)
    for second in range(1, 100):
        assert backlog.look(float(second), 1000 - second, 0, stuck_s=10) is Verdict.WAIT
    assert backlog.look(108.9, 901, 0, stuck_s=10) is Verdict.WAIT
    assert backlog.look(109.0, 901, 0, stuck_s=10) is Verdict.STUCK


def test_growth_is_no_progress() -> None:
    """A buffer that grew by a pong was not read from."""
    backlog = Backlog(0.0, 100, slow=True)
    assert backlog.look(9.0, 102, 0, stuck_s=10) is Verdict.WAIT
    assert backlog.look(10.0, 102, 0, stuck_s=10) is Verdict.STUCK


def test_what_the_client_acknowledges_is_progress() -> None:
    """A reader so slow that the kernel takes no more from us is not stuck while it acknowledges what was sent."""
    backlog = Backlog(0.0, 1000 + 50_000, slow=True)
    for second in range(1, 100):
        queued = 50_000 - 100 * second
        assert backlog.look(float(second), 1000, 0, queued=queued, stuck_s=10) is Verdict.WAIT
    assert backlog.look(109.0, 1000, 0, queued=50_000 - 9_900, stuck_s=10) is Verdict.STUCK


def test_what_moves_into_the_kernel_is_no_progress() -> None:
    """Bytes that go from the transport to a kernel whose other end acknowledges nothing do not count."""
    backlog = Backlog(0.0, 10_000, slow=True)
    assert backlog.look(9.0, 2_000, 0, queued=8_000, stuck_s=10) is Verdict.WAIT
    assert backlog.look(10.0, 2_000, 0, queued=8_000, stuck_s=10) is Verdict.STUCK
