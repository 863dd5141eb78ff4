"""Whether a producer leads: by example, and against every order of events."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from producer.leadership import PATIENCE_S, Leadership, Stage


def leader(epoch: int = 10, *, standby: bool = False) -> Leadership:
    """A producer whose run has begun."""
    leadership = Leadership(standby=standby)
    leadership.asked(0.0)
    leadership.held(epoch - 1)
    assert leadership.begin(epoch)
    return leadership


def test_a_run_begins_with_the_lease() -> None:
    """Without the lease no run begins; with it one does, under an epoch above the lease's."""
    leadership = Leadership(standby=False)
    assert not leadership.begin(5)
    leadership.asked(0.0)
    assert leadership.waits
    assert not leadership.begin(5)
    leadership.held(7)
    assert (leadership.stage, leadership.known, leadership.waits) == (Stage.TAKING, 7, False)
    assert not leadership.begin(7)
    assert leadership.begin(8)
    assert (leadership.stage, leadership.epoch) == (Stage.LEADING, 8)


def test_a_lease_that_was_lost_before_the_run_began() -> None:
    """What was prepared for a lease that is gone begins nothing."""
    leadership = Leadership(standby=True)
    leadership.held(0)
    leadership.lost()
    assert leadership.stage is Stage.WAITING
    assert not leadership.begin(5)


def test_a_run_goes_on_under_its_own_epoch() -> None:
    """A leader that lost its lease publishes nothing until the lease is back with its own epoch."""
    leadership = leader(10)
    leadership.lost()
    assert leadership.stage is Stage.SUSPENDED
    leadership.asked(1.0)
    assert leadership.stage is Stage.SUSPENDED
    leadership.held(10)
    assert (leadership.stage, leadership.epoch) == (Stage.LEADING, 10)


@pytest.mark.parametrize("known", [11, 9, 0])
@pytest.mark.parametrize("suspended", [True, False])
def test_another_epoch_in_the_lease_ends_the_run(known: int, suspended: bool) -> None:  # noqa: FBT001
    """A later epoch means that another one led, an earlier one that nobody knows: the next run is a new one."""
    leadership = leader(10)
    if suspended:
        leadership.lost()
    leadership.held(known)
    assert leadership.stage is Stage.OVER
    leadership.ended()
    assert (leadership.stage, leadership.epoch) == (Stage.TAKING, 0)


@pytest.mark.parametrize("standby", [True, False])
def test_somebody_else_holds_the_lease(standby: bool) -> None:  # noqa: FBT001
    """After ten seconds in vain a standby waits on, and ends a run that it had; another producer is denied."""
    for leadership in (Leadership(standby=standby), leader(standby=standby)):
        begun = bool(leadership.epoch)
        leadership.lost()
        leadership.asked(5.0)
        assert leadership.patience(5.0) == (None if standby and not begun else PATIENCE_S)
        stages = []
        for now in (5.0 + PATIENCE_S - 0.1, 5.0 + PATIENCE_S):
            leadership.due(now)
            stages.append(leadership.stage)
        before = Stage.SUSPENDED if begun else Stage.WAITING
        in_vain = Stage.OVER if begun else Stage.WAITING
        assert stages == [before, in_vain if standby else Stage.DENIED]


def test_an_absent_broker_is_waited_for() -> None:
    """While no connection stands nobody else is known to hold the lease, however long that lasts."""
    for leadership in (Leadership(standby=False), leader()):
        leadership.asked(0.0)
        leadership.lost()
        assert leadership.patience(1e6) is None
        leadership.due(1e6)
        assert leadership.stage in (Stage.WAITING, Stage.SUSPENDED)


class Machine(RuleBasedStateMachine):
    """Producers of one shard and a broker that gives the lease to one of them, at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.producers = [Leadership(standby=True) for _ in range(3)]
        self.lease = 0
        self.holder: Leadership | None = None
        self.now = 0.0
        self.begun: list[int] = []

    @precondition(lambda self: self.holder is None)
    @rule(number=st.integers(0, 2))
    def give(self, number: int) -> None:
        """The broker gives the lease to one."""
        self.holder = self.producers[number]
        self.holder.held(self.lease)

    @rule(told=st.booleans())
    def take_away(self, told: bool) -> None:  # noqa: FBT001
        """The broker takes it away; a frozen holder is told later, or never."""
        if self.holder is not None and told:
            self.holder.lost()
            self.holder.asked(self.now)
        self.holder = None

    @rule(number=st.integers(0, 2))
    def reconnect(self, number: int) -> None:
        """A connection ends and another stands."""
        producer = self.producers[number]
        if self.holder is producer:
            self.holder = None
        producer.lost()
        producer.asked(self.now)

    @rule(number=st.integers(0, 2), ahead=st.integers(1, 3))
    def begin(self, number: int, ahead: int) -> None:
        """A run begins where the broker takes the epoch into the lease."""
        producer = self.producers[number]
        if producer.stage is Stage.TAKING and self.holder is producer:
            epoch = max(self.lease, producer.known) + ahead
            self.lease = epoch
            assert producer.begin(epoch)
            self.begun.append(epoch)

    @rule(seconds=st.floats(0.1, 12.0))
    def later(self, seconds: float) -> None:
        """Time passes, and runs that are over end."""
        self.now += seconds
        for producer in self.producers:
            producer.due(self.now)
            if producer.stage is Stage.OVER:
                producer.ended()

    @invariant()
    def each_epoch_is_later(self) -> None:
        """Epochs rise, no two runs share one, and who holds the lease and leads has the latest."""
        assert self.begun == sorted(set(self.begun))
        if self.holder is not None and self.holder.stage is Stage.LEADING:
            assert self.holder.epoch == self.lease
        for producer in self.producers:
            assert (producer.epoch > 0) == (producer.stage in (Stage.LEADING, Stage.SUSPENDED, Stage.OVER))


Machine.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestLeadership = Machine.TestCase
