"""Who is written out, and when."""

from __future__ import annotations

from collections.abc import Callable

from gateway.flush import Flush
from gateway.metrics import Counters, Stage
from services.market.symbol import Symbol
from services.market.tick import Tick
from services.market.wire import TickMessage, encode_tick


class Hands:
    """A clock whose wall time the test sets."""

    def __init__(self) -> None:
        self.now_us = 2_000_000

    def monotonic(self) -> float:
        """Seconds."""
        return self.now_us / 1e6

    def wall_us(self) -> int:
        """Microseconds."""
        return self.now_us


class Client:
    """A client that notes what is done with it."""

    def __init__(self, log: list[str], name: str, flushed: Callable[[], object] = lambda: None) -> None:
        self._log, self._name, self._flushed = log, name, flushed

    def flush(self, now: float, sent_us: int) -> None:
        """Note."""
        assert now == sent_us / 1e6
        self._log.append(f"flush {self._name}")
        self._flushed()

    def go_on(self) -> None:
        """Note."""
        self._log.append(f"go on {self._name}")


def message(*times: int) -> TickMessage:
    """A message with ticks of these times."""
    symbol = Symbol("A")
    lines = tuple(
        encode_tick(Tick(seq, ts, symbol, 1, 1, 1, 2, 1, 1, 1, 2)) for seq, ts in enumerate(times, start=1)
    )
    return TickMessage(symbol, 1, 1, times[-1], times[-1], lines)


def test_a_pass_writes_each_client_once() -> None:
    """A pass writes who was touched, and the loop's next turn finds nothing left."""
    soon: list[Callable[[], None]] = []
    log: list[str] = []
    flush = Flush(Hands(), Counters(), soon.append)
    flush.touch(Client(log, "a"))
    flush.touch(Client(log, "b"))
    flush.deliver([], 0)
    assert log == ["flush a", "flush b"]
    assert len(soon) == 1
    soon.pop()()
    assert log == ["flush a", "flush b"]


def test_outside_a_pass_all_are_written_in_one_turn() -> None:
    """What is touched by commands and timers waits for one turn of the loop, and is written together."""
    soon: list[Callable[[], None]] = []
    log: list[str] = []
    flush = Flush(Hands(), Counters(), soon.append)
    flush.touch(Client(log, "a"))
    flush.touch(Client(log, "b"))
    assert log == []
    assert len(soon) == 1
    soon.pop()()
    assert log == ["flush a", "flush b"]
    flush.touch(Client(log, "c"))
    assert len(soon) == 1


def test_the_feed_goes_on_outside_a_pass_only() -> None:
    """A client with room again is reported in the loop's next turn, never inside the feed's own pass."""
    soon: list[Callable[[], None]] = []
    log: list[str] = []
    flush = Flush(Hands(), Counters(), soon.append)
    client = Client(log, "a", lambda: flush.emptied(client))
    flush.touch(client)
    flush.deliver([], 0)
    assert log == ["flush a"]
    soon.pop(0)()
    assert log == ["flush a", "go on a"]
    assert soon == []


def test_latency_of_every_tick_of_a_group() -> None:
    """Each tick is observed with its own time, not with its group's last."""
    hands, counters = Hands(), Counters()
    flush = Flush(hands, counters, lambda _: None)
    hands.now_us = 2_000_300
    flush.deliver([message(1_990_000, 1_999_900), message(2_000_000)], 2_000_200)
    assert counters.latencies[Stage.BROKER].total == (10_200 + 300 + 200) / 1e6
    assert counters.latencies[Stage.TOTAL].total == (10_300 + 400 + 300) / 1e6
    assert counters.latencies[Stage.FANOUT].total == 3 * 100 / 1e6
    assert counters.latencies[Stage.FANOUT].buckets()[-1] == ("+Inf", 3.0)
