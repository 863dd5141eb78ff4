"""Every interleaving of small worlds, driven through `gateway.recovery` itself.

The rules were first checked in a model; here the same faults meet the code.  Each mutant below takes one rule away
and must be found out, so that a green exploration means something.
"""

from __future__ import annotations

import pytest

from gateway.follower import Follower
from gateway.frames import GapReason
from gateway.recovery import QUESTION_TICKS, Recovery
from services.market.position import Position
from tests.model.explorer import explore
from tests.model.world import Budget, Rules

pytestmark = pytest.mark.timeout(240)

_CAREFUL = Budget(ticks=3, drop=1, move=1)
_MIXES = {
    "the log lacks a tick": (_CAREFUL._replace(live_only=1, again=1, deadline=1), Rules()),
    "the old producer goes on": (Budget(ticks=3, drop=1, epoch=1, zombie=1, deadline=1), Rules()),
    "slow client, later epoch": (Budget(ticks=3, drop=1, slow=1, epoch=1, deadline=1), Rules()),
    "history forgets": (_CAREFUL._replace(forget=1, epoch=1), Rules()),
    "two replicas, one restarts": (_CAREFUL._replace(restart=1), Rules(replicas=True)),
    "two replicas, one restarts, a later epoch": (
        Budget(ticks=2, drop=1, epoch=1, restart=1, forget=1, deadline=1),
        Rules(replicas=True),
    ),
    "two replicas, both restart": (Budget(ticks=2, drop=1, restart=2), Rules(replicas=True)),
    "two drops": (Budget(ticks=4, drop=2, move=1, deadline=1), Rules()),
    "no history": (_CAREFUL._replace(epoch=1, loss=1, deadline=1), Rules(history=False)),
    "nothing of the past": (_CAREFUL._replace(ticks=4, epoch=1, deadline=1), Rules(allowance=0)),
    "a tick of the past": (_CAREFUL._replace(ticks=4, epoch=1, deadline=1), Rules(allowance=1)),
    "a page and two ticks of the past": (_CAREFUL._replace(ticks=4, epoch=1), Rules(allowance=QUESTION_TICKS + 2)),
    "max_rate": (Budget(ticks=3, drop=1, epoch=1, deadline=1), Rules(conflating=True)),
    "max_rate without history": (
        Budget(ticks=3, drop=1, epoch=1, deadline=1),
        Rules(history=False, conflating=True),
    ),
}


def test_every_interleaving() -> None:
    """No interleaving of 4 ticks, drop, lost connection, later epoch, lag and move breaks the promise."""
    found = explore(Budget(ticks=4, drop=1, loss=1, epoch=1, lag=1, move=1), seconds=200)

    assert found.complete, found
    assert not found.violations, found
    assert found.states > 100_000


@pytest.mark.parametrize("mix", _MIXES)
def test_fault_mix(mix: str) -> None:
    """No interleaving of this mix breaks the promise."""
    budget, rules = _MIXES[mix]
    found = explore(budget, rules, seconds=100)

    assert found.complete, found
    assert not found.violations, found


def test_replica_that_forgets_where_it_began_is_found_out() -> None:
    """A replica that calls lost what was before its first entry breaks the promise in some interleaving."""
    budget = Budget(ticks=3, drop=1, restart=1)
    found = explore(budget, Rules(replicas=True, remembers=False), seconds=60, stop_at_first=True)

    assert "CALLED LOST BUT IN THE LOG" in found.violations, found


def test_position_that_nobody_published() -> None:
    """A client that resumes a position of no producer is told so and goes on with a snapshot."""
    found = explore(Budget(ticks=3, drop=1, deadline=1), forged=(9, 9))

    assert found.complete, found
    assert not found.violations, found


class WithoutMarks(Recovery):
    """Rule 5 taken away: heartbeats tell nothing."""

    def heard(self, mark: Position, now: float) -> None:
        """Ignore the mark."""


class WithoutHoles(Recovery):
    """Rule 2 taken away: a hole is not noticed."""

    def _fall_behind(self, follower: Follower, cursor: Position, now: float) -> None:  # noqa: ARG002 - as given
        """Go on from the ring as if nothing were missing."""
        newest = self.tape.newest
        if newest is not None and self.tape.ring:
            follower.tick(newest, self.tape.ring[-1])


class WithoutEpochQuestions(Recovery):
    """Rule 3 taken away: a later epoch is passed on without asking how the old one ended."""

    def _fall_behind(self, follower: Follower, cursor: Position, now: float) -> None:
        """Announce the epoch at once."""
        newest = self.tape.newest
        if newest is not None and newest.epoch > cursor.epoch:
            follower.epoch(newest.epoch)
            cursor = Position(newest.epoch, 0)
            if self.tape.reaches(cursor):
                self._replay(follower, cursor, newest, now)
                return
        super()._fall_behind(follower, cursor, now)


class WithoutNaming(Recovery):
    """Rule 5 taken away: what a mark covers and nobody has is not named."""

    def _pass_mark(self, reason: GapReason, now: float) -> None:  # noqa: ARG002 - the signature is given
        """Let it be."""
        self._mark_since = None


class WithoutFilter(Recovery):
    """Rule 1 taken away: ticks at or below a client's cursor are sent."""

    def _advance(self, follower: Follower, now: float) -> None:
        """Send newest whatever the cursor says."""
        newest, cursor = self.tape.newest, follower.cursor
        if newest is not None and cursor is not None and cursor >= newest and self.tape.ring:
            follower.tick(newest, self.tape.ring[-1])
            return
        super()._advance(follower, now)


@pytest.mark.parametrize(
    ("mutant", "budget"),
    [
        (WithoutMarks, Budget(ticks=2, drop=1)),
        (WithoutHoles, Budget(ticks=3, drop=1)),
        (WithoutEpochQuestions, Budget(ticks=3, drop=1, epoch=1)),
        (WithoutNaming, Budget(ticks=3, drop=1, live_only=1)),
        (WithoutFilter, Budget(ticks=3, drop=1, move=1)),
    ],
)
def test_missing_rule_is_found_out(mutant: type[Recovery], budget: Budget) -> None:
    """A Recovery without this rule breaks the promise in some interleaving."""
    found = explore(budget, Rules(make=mutant), seconds=60, stop_at_first=True)

    assert found.violations, f"{mutant.__doc__} was not found out: {found}"
