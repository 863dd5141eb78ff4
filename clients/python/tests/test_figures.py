"""Small parts that decide: the clock's offset, the wait before an attempt, the allowance, endings, the day."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tickwire_client.allowance import SHARE, Allowance
from tickwire_client.backoff import BASE_S, CAP_S, TOLD_CAP_S, Backoff
from tickwire_client.closing import final_code, final_status, retry_after
from tickwire_client.day import Diary
from tickwire_client.offset import KEPT, ClockOffset


def test_offset_of_the_shortest_round_trip() -> None:
    """The estimate is that of the sample with the least round trip among the last sixteen."""
    clock = ClockOffset()
    clock.add(sent=0, server=1_000_900, received=2_000)
    clock.add(sent=0, server=1_000_100, received=200)
    clock.add(sent=0, server=1_009_000, received=9_000)
    assert (clock.offset_us, clock.rtt_us) == (1_000_000, 200)

    for _ in range(KEPT):
        clock.add(sent=0, server=500, received=1_000)
    assert (clock.offset_us, clock.rtt_us) == (0, 1_000)
    clock.forget()
    assert clock.offset_us is None


def test_backoff() -> None:
    """The longest wait doubles from 0.1 s to 10 s, begins anew after a success, and yields to the gateway's."""
    longest = Backoff(lambda _, most: most)
    waits = [longest.wait(-1.0) for _ in range(9)]

    assert waits[:3] == [BASE_S, 2 * BASE_S, 4 * BASE_S]
    assert waits[-1] == CAP_S
    assert longest.wait(0.3) == 0.3
    assert longest.wait(600.0) == TOLD_CAP_S
    longest.succeeded()
    assert longest.wait(-1.0) == BASE_S
    assert longest.wait(-1.0, busy=5.0) == 5.0 + 2 * BASE_S
    assert longest.wait(-1.0, busy=-5.0) == 4 * BASE_S
    assert longest.wait(-1.0, busy=3600.0) == TOLD_CAP_S + 8 * BASE_S


@pytest.mark.parametrize(
    ("text", "seconds"), [("5", 5.0), (None, 0.0), ("", 0.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0), ("-1", 0.0)]
)
def test_retry_after(text: str | None, seconds: float) -> None:
    """A `Retry-After` in seconds counts; a date, or nonsense, is as none."""
    assert retry_after(text) == seconds


def test_allowance() -> None:
    """After the burst commands are sent as fast as the gateway refills, both with a reserve."""
    allowance = Allowance(per_s=10, burst=5, now=0)

    assert [allowance.take(0) for _ in range(5)] == [True] * 4 + [False]
    assert allowance.due(0) == pytest.approx(1 / (10 * SHARE))
    assert not allowance.take(0.1)
    assert allowance.take(0.126)


@pytest.mark.parametrize(
    ("code", "final"),
    [
        (1000, False),
        (1002, True),
        (1006, False),
        (1008, True),
        (1009, True),
        (1011, False),
        (1012, False),
        (1013, False),
        (4401, False),
        (4408, False),
        (4429, False),
        (4501, True),
        (4503, True),
        (None, False),
    ],
)
def test_close_codes(code: int | None, final: bool) -> None:  # noqa: FBT001 - a table
    """Coming back is pointless exactly where the protocol's table says no."""
    assert final_code(code) is final


@pytest.mark.parametrize(
    ("status", "final"),
    [(200, True), (404, True), (401, True), (408, False), (429, False), (500, False), (503, False)],
)
def test_statuses(status: int, final: bool) -> None:  # noqa: FBT001 - a table
    """An HTTP status of the client's own making is final, one that passes is not."""
    assert final_status(status) is final


def _tick(seq: int, price: str, volume: int, size: int = 5) -> dict[str, object]:
    return {"seq": seq, "price": price, "size": size, "volume": volume}


def test_day_of_which_nothing_is_known() -> None:
    """Null figures are filled by the trades that follow; without a previous close there is no change."""
    diary = Diary(dict.fromkeys(("previous_close", "open", "high", "low", "volume", "epoch", "seq")))
    diary.take(_tick(1, "10.00", 7, size=0), 7)
    diary.take(_tick(2, "10.50", 12), 7)
    diary.take(_tick(3, "10.20", 15), 7)
    day = diary.show()

    assert (day.open, day.high, day.low) == (Decimal("10.50"), Decimal("10.50"), Decimal("10.20"))
    assert (day.volume, day.change, day.change_percent) == (15, None, None)


def test_day_ahead_of_the_ticks() -> None:
    """Ticks that the gateway's figures hold already change nothing but the last price."""
    said = {"previous_close": "9", "open": "10", "high": "12", "low": "8", "volume": 50, "epoch": 7, "seq": 5}
    diary = Diary(said)
    diary.take(_tick(4, "11.00", 40), 7)
    assert (diary.show().volume, diary.show().last) == (50, Decimal("11.00"))
    diary.take(_tick(6, "13.00", 60), 7)

    assert (diary.show().high, diary.show().volume) == (Decimal("13.00"), 60)


def test_new_day() -> None:
    """A smaller volume begins a new day, whose previous close is the last price before it."""
    said = {"previous_close": "9", "open": "10", "high": "12", "low": "8", "volume": 50, "epoch": 7, "seq": 5}
    diary = Diary(said)
    diary.take(_tick(6, "11.00", 60), 7)
    diary.take(_tick(7, "11.50", 5), 7)
    day = diary.show()

    assert (day.previous_close, day.open, day.high, day.low) == tuple(
        map(Decimal, ("11.00", "11.50", "11.50", "11.50"))
    )


def test_a_command_about_many_names_uses_more_up() -> None:
    """What a command counts as beside itself is taken from the same allowance, and must be made up for."""
    allowance = Allowance(per_s=10, burst=10, now=0)
    assert allowance.take(0)
    allowance.spend(9)

    assert not allowance.take(0)
    assert allowance.due(0) == 3 / (10 * SHARE)
    assert allowance.take(allowance.due(0) + 1e-9)
