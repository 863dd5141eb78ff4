"""Whatever a gateway says that is legal, wherever connections end: no tick comes twice, none is missed silently.

The gateway of this model is the table of cursors and nothing else: at each turn it says any frame that is legal
there, or the connection ends.  It may lag behind what it showed before, lose resumes, and leave out what it likes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from scripted import frame, snapshot, subscribed, tick, ticks, welcome
from tickwire_client.conversation import Brought, Conversation
from tickwire_client.cursor import Position
from tickwire_client.events import Gap
from tickwire_client.tick import Tick

EPOCHS = {1: 12, 4: 9, 5: 15}
"""What was published: the last seq of each epoch."""
ALL = [Position(epoch, seq) for epoch, last in EPOCHS.items() for seq in range(1, last + 1)]
REASONS = ("lost", "forgotten", "unavailable", "unknown_position")


@dataclass
class World:
    """A conversation, the gateway's own cursor, and what came out."""

    conversation: Conversation = field(default_factory=Conversation)
    cursor: Position | None = None
    subscribed: bool = False
    brought: list[Brought] = field(default_factory=list)
    now: float = 0.0

    def hear(self, *frames: str) -> None:
        """The client gets *frames*."""
        for text in frames:
            self.brought += self.conversation.take(text, self.now, 0)

    def connect(self, *, keeps: bool) -> None:
        """A connection begins; the gateway *keeps* the position it is asked for, or says that it does not."""
        self.conversation.connected()
        self.hear(welcome())
        self.answer(keeps=keeps)

    def answer(self, *, keeps: bool) -> None:
        """Answer what the client asks now."""
        self.now += 10
        commands = [json.loads(text) for text in self.conversation.commands(self.now, 0)[0]]
        for command in commands:
            if command["op"] == "subscribe":
                self._subscribe(command, keeps=keeps)

    def _subscribe(self, command: dict[str, Any], *, keeps: bool) -> None:
        if not self.subscribed:
            asked = command.get("resume", {}).get("A")
            self.cursor = Position(**asked) if asked and keeps else None
            if asked and not keeps:
                self.hear(frame("error", id=command["id"], code="bad_resume", message=""))
        self.subscribed = True
        self.hear(subscribed(command["id"], {}, A=self.cursor))

    def disconnect(self) -> None:
        """The connection ends."""
        self.conversation.disconnected()
        self.subscribed, self.cursor = False, None

    def turn(self, kind: int, amount: int) -> None:
        """Say the legal frame that *kind* and *amount* choose, if there is one."""
        if self.cursor is None:
            position = ALL[(kind * 7 + amount) % len(ALL)]
            self.cursor = position
            self.hear(snapshot(position.epoch, tick("A", position.seq)))
            return
        epoch, seq = self.cursor
        left = EPOCHS[epoch] - seq
        if kind == 0 and amount % 3 == 0 and left:
            reason = REASONS[amount % 4]
            self.cursor = None
            self.hear(frame("gap", symbol="A", epoch=epoch, first=seq + 1, last=None, reason=reason))
        elif kind == 1 and left:
            self.cursor = Position(epoch, seq + 1 + amount % left)
            last = self.cursor.seq
            self.hear(frame("gap", symbol="A", epoch=epoch, first=seq + 1, last=last, reason="lost"))
        elif left:
            skipped = amount % left if kind == 2 else 0
            self.cursor = Position(epoch, seq + 1 + skipped)
            self.hear(ticks(tick("A", self.cursor.seq, skipped=skipped)))
        elif later := [one for one in EPOCHS if one > epoch]:
            self.cursor = Position(later[0], 0)
            self.hear(frame("epoch", symbol="A", epoch=later[0]))


def _covered(brought: list[Brought]) -> tuple[list[Position], set[Position]]:
    """Return the positions of the ticks, and all positions that ticks and gaps account for."""
    positions: list[Position] = []
    covered: set[Position] = set()
    opened: Position | None = None
    for item in brought:
        if isinstance(item, Tick):
            if opened is not None:
                covered |= {at for at in ALL if opened <= at <= item.position}
                opened = None
            positions.append(item.position)
            covered |= {Position(item.epoch, seq) for seq in range(item.seq - item.skipped, item.seq + 1)}
        elif isinstance(item, Gap):
            start = Position(item.epoch, item.first)
            if item.last is None:
                opened = start if opened is None else min(start, opened)
            else:
                covered |= {Position(item.epoch, seq) for seq in range(item.first, item.last + 1)}
    return positions, covered


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 50)),
        max_size=80,
    )
)
def test_no_tick_twice_and_none_missed_silently(steps: list[tuple[int, int]]) -> None:
    """Ticks come out in order and once, and each published one between them came, was skipped or is in a gap."""
    world = World()
    world.conversation.follows.want("A", None)
    world.connect(keeps=True)
    for kind, amount in steps:
        if kind == 9:
            world.disconnect()
            world.connect(keeps=amount % 5 != 0)
        elif kind == 8 and amount % 4 == 0:
            world.hear(frame("unsubscribed", id=None, symbols=["A"], reason="delisted"))
            world.subscribed, world.cursor = False, None
            world.answer(keeps=True)
        else:
            world.turn(kind, amount)

    positions, covered = _covered(world.brought)
    assert positions == sorted(set(positions))
    if positions:
        assert [at for at in ALL if positions[0] <= at <= positions[-1] and at not in covered] == []
    assert world.conversation.violations == 0
    _check_account(world, positions)


def _check_account(world: World, positions: list[Position]) -> None:
    """Where no gap crossed an epoch's end and the gateway has caught up, the account adds up."""
    follow = world.conversation.follows.get("A")
    assert follow is not None
    account = follow.account
    assert account.delivered == len(positions)
    reached = follow.cursor.position
    lags = follow._high is not None  # the gateway stands before what was accounted for already
    # After that reason ticks may come that were counted as missing before.
    lags |= any(isinstance(item, Gap) and item.reason == "unknown_position" for item in world.brought)
    if positions and reached is not None and not account.unknown and not lags:
        published = [at for at in ALL if positions[0] <= at <= reached]
        assert account.delivered + account.skipped + account.missing.total() == len(published)
