"""Who waits without a request, and until when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.porch import REQUEST_BYTES, Overdue, Porch


def porch(most: int = 3) -> Porch[str]:
    """A porch of 5 s to the first byte and 10 s to the request."""
    return Porch(first_byte_s=5.0, request_s=10.0, most=most)


def test_silence_ends_after_the_first_deadline() -> None:
    """Who says nothing goes 5 s after he was connected; who said a byte, 10 s after he came."""
    waiting = porch()
    waiting.come("silent", 0.0)
    waiting.greet("silent", 1.0)
    waiting.come("slow", 0.5)
    waiting.greet("slow", 0.5)
    waiting.hear("slow", 1)
    assert list(waiting.overdue(5.9)) == []
    assert list(waiting.overdue(6.0)) == [("silent", Overdue.FIRST_BYTE)]
    assert list(waiting.overdue(10.5)) == [("slow", Overdue.REQUEST)]
    assert not waiting


def test_a_handshake_of_tls_has_the_time_of_the_request() -> None:
    """Who is not greeted yet owes no byte, but all of it must be over in 10 s."""
    waiting = porch()
    waiting.come("a", 0.0)
    assert list(waiting.overdue(9.0)) == []
    waiting.greet("a", 9.0)
    assert list(waiting.overdue(10.0)) == [("a", Overdue.REQUEST)]
    waiting.greet("a", 10.0)
    assert list(waiting.overdue(99.0)) == []


def test_the_oldest_goes() -> None:
    """Where three wait, a fourth takes the place of the first."""
    waiting = porch()
    assert [waiting.come(name, n) for n, name in enumerate("abc")] == [None] * 3
    assert waiting.come("d", 3.0) == "a"
    waiting.leave("c")
    assert waiting.come("e", 3.0) is None
    assert waiting.come("f", 3.0) == "b"


def test_a_second_request_waits_anew() -> None:
    """Who comes again goes to the end of the row, with a new time."""
    waiting = porch()
    waiting.come("a", 0.0)
    waiting.come("b", 1.0)
    assert waiting.come("a", 2.0) is None
    assert len(waiting) == 2
    assert list(waiting.overdue(11.0)) == [("b", Overdue.REQUEST)]


def test_a_request_without_end_goes() -> None:
    """Who has said over 64 KiB without an end of his request goes at the next look; who arrived may go on."""
    waiting = porch()
    for name in "abc":
        waiting.come(name, 0.0)
        waiting.hear(name, REQUEST_BYTES)
    waiting.hear("b", 1)
    waiting.hear("c", 1)
    waiting.leave("c")
    waiting.hear("c", REQUEST_BYTES)
    assert list(waiting.overdue(0.0)) == [("b", Overdue.LARGE)]
    assert list(waiting.overdue(0.0)) == []
    waiting.come("a", 1.0)
    waiting.hear("a", REQUEST_BYTES)
    assert list(waiting.overdue(1.0)) == []


def test_who_is_idle_is_told_apart() -> None:
    """Who had a request, and says nothing more, is idle; who begins with another one is as slow as anybody."""
    waiting = porch()
    for name in "ab":
        waiting.come(name, 0.0, again=True)
    waiting.hear("b", 1)
    assert dict(waiting.overdue(10.0)) == {"a": Overdue.IDLE, "b": Overdue.REQUEST}
    waiting.come("a", 10.0)
    assert dict(waiting.overdue(20.0)) == {"a": Overdue.REQUEST}


EVENTS = st.lists(
    st.tuples(st.sampled_from(["come", "greet", "hear", "leave", "look"]), st.integers(0, 6), st.floats(0, 4)),
    max_size=100,
)


@given(EVENTS)
def test_nobody_stays_longer_than_he_may(events: list[tuple[str, int, float]]) -> None:
    """Against a list that is searched: deadlines, the bound, the oldest."""
    waiting: Porch[int] = Porch(first_byte_s=5.0, request_s=10.0, most=3)
    model: dict[int, list[float | None]] = {}  # in order of coming: request's and first byte's deadline
    now = 0.0
    for what, guest, pause in events:
        now += pause
        if what == "come":
            model.pop(guest, None)
            crowded = next(iter(model)) if len(model) == 3 else None
            assert waiting.come(guest, now) == crowded
            if crowded is not None:
                del model[crowded]
            model[guest] = [now + 10.0, None]
        elif what == "greet":
            waiting.greet(guest, now)
            if guest in model:
                model[guest][1] = now + 5.0
        elif what == "hear":
            waiting.hear(guest, 1)
            if guest in model:
                model[guest][1] = None
        elif what == "leave":
            waiting.leave(guest)
            model.pop(guest, None)
        else:
            gone = dict(waiting.overdue(now))
            expected = {g for g, (request, byte) in model.items() if min(request or 0, byte or now + 1) <= now}
            assert gone.keys() == expected
            for g in gone:
                del model[g]
        assert len(waiting) == len(model) <= 3
