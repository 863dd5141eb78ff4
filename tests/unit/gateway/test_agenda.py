"""The agenda."""

from __future__ import annotations

from gateway.agenda import Agenda


def test_actions_come_in_time_order() -> None:
    """Actions are done when their time has come, those of one time in the order in which they were added."""
    agenda, done = Agenda(), list[str]()
    for at, name in ((3.0, "c"), (1.0, "a"), (1.0, "b"), (9.0, "d")):
        agenda.at(at, lambda _, name=name: done.append(name))  # type: ignore[misc]
    assert agenda.next == 1.0
    agenda.due(0.5)
    assert done == []
    agenda.due(5.0)

    assert done == ["a", "b", "c"]
    assert agenda.next == 9.0


def test_action_may_add_another() -> None:
    """What an action adds for now is done at once, and each is told the time."""
    agenda, times = Agenda(), list[float]()
    agenda.at(1.0, lambda now: agenda.at(now, times.append))
    agenda.due(2.0)

    assert times == [2.0]
    assert agenda.next is None
