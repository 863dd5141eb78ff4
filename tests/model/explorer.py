"""Breadth-first exploration of `tests.model.world`, with a fault-free ending from every state."""

from __future__ import annotations

import gc
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.recovery import HISTORY_PATIENCE, MARK_GRACE
from services.market.position import Position
from tests.model.world import (
    LATER,
    Budget,
    Pos,
    Rules,
    World,
    actions,
    behind,
    bind,
    drained,
    drive,
    forget_steps,
    frozen_follower,
    hear,
    newest_mark,
    read,
    read_on,
    reply,
    reply_by,
    start,
    with_queue,
)


@dataclass
class Exploration:
    """What a run found."""

    states: int = 0
    complete: bool = False
    seconds: float = 0.0
    violations: dict[str, list[str]] = field(default_factory=dict)
    """The shortest trace to each kind of violation, its last line the violation itself."""

    def __str__(self) -> str:
        """Say it in one paragraph per violation."""
        head = f"{self.states} states, {'complete' if self.complete else 'cut off'}, {self.seconds:.1f} s"
        return "\n".join([head, *("\n  ".join(["", *trace]) for trace in self.violations.values())])


def explore(
    budget: Budget,
    rules: Rules | None = None,
    *,
    forged: Pos | None = None,
    seconds: float = 60.0,
    stop_at_first: bool = False,
) -> Exploration:
    """Visit every world that *budget* allows; from each one, end without further faults and look."""
    rules = rules or Rules()
    first = start(budget, rules, forged=forged)
    parents: dict[World, tuple[World, str] | None] = {first: None}
    endings: dict[World, str | None] = {}
    todo, found, begun = deque([first]), Exploration(), time.monotonic()
    forget_steps()
    gc.disable()  # nothing here is cyclic for long, and the collector would walk every world again and again
    while todo and time.monotonic() - begun < seconds:
        world = todo.popleft()
        found.states += 1
        broken = world.client.error or ending(world, rules, endings)
        if broken is not None:
            kind = " ".join(word for word in broken.split() if word.isupper())
            found.violations.setdefault(kind, [*trace(world, parents), f"** {broken}"])
            if stop_at_first:
                break
        if world.client.error is None:
            for label, following in actions(world, rules):
                if following not in parents:
                    parents[following] = (world, label)
                    todo.append(following)
    gc.enable()
    found.complete, found.seconds = not todo, time.monotonic() - begun
    return found


def trace(world: World, parents: dict[World, tuple[World, str] | None]) -> list[str]:
    """The shortest list of steps that leads to *world*."""
    steps = []
    while (parent := parents[world]) is not None:
        world, label = parent
        steps.append(label)
    return steps[::-1]


def ending(world: World, rules: Rules, known: dict[World, str | None]) -> str | None:
    """No more faults: queues are read, history answers in full, time passes.  Return what is wrong at the end."""
    world = world._replace(budget=Budget())
    path: list[World] = []
    for _ in range(80):
        if world in known:
            break
        path.append(world)
        following = settle(world, rules)
        if following is None:
            known[world] = verdict(world, rules)
            break
        world = following
        if world.client.error is not None:
            known[world] = f"{world.client.error} (after the last fault)"
            break
    else:
        known[world] = f"STUCK FOR EVER at {world.client.cursor}"
    for visited in path:
        known[visited] = known[world]
    return known[world]


def settle(world: World, rules: Rules) -> World | None:
    """The next fault-free step; None where nothing is left to happen."""
    at = world.at
    if at is None:
        return None
    following = _settle_feed(world, at, rules)
    if following is not None:
        return following
    follower, frozen = frozen_follower(world, at), world.gateways[at]
    if follower is not None and (follower[4] or follower[13]):
        return drive(world, at, rules, "drained", drained)
    for after, in_flight in frozen[7]:  # type: ignore[attr-defined]
        asking = world if in_flight else drive(world, at, rules, ("due", 0.05), lambda r: r.due(0.05))
        for following in _full_answers(asking, at, after, rules):
            if _moved(world, following, at):
                return following
    for pause in (0.05, MARK_GRACE, HISTORY_PATIENCE, LATER):
        later = drive(world, at, rules, ("due", pause), lambda r, pause=pause: r.due(pause))  # type: ignore[misc]
        if _moved(world, later, at):
            return later
    return None


def _full_answers(world: World, at: int, after: Position | None, rules: Rules) -> Iterator[World]:
    if not rules.replicas:
        yield reply(world, at, after, len(world.log), rules)
    for number in range(len(world.replicas)):
        yield reply_by(read_on(world, number, len(world.log)), at, after, number, rules)


def _settle_feed(world: World, at: int, rules: Rules) -> World | None:
    queue = world.queues[at]
    if queue is None:
        return bind(world, at, rules)
    if queue:
        return read(with_queue(world, at, queue[1:]), at, queue[0], rules)
    mark = newest_mark(world)
    heard = world if mark is None else hear(world, at, mark, rules)
    return heard if heard.gateways != world.gateways else None


def _moved(world: World, later: World, at: int) -> bool:
    """Whether time alone changed more than which question is on its way."""
    if later.client != world.client:
        return True
    before, after = world.gateways[at], later.gateways[at]
    asked_before = {position for position, _ in before[7]}  # type: ignore[attr-defined]
    asked_after = {position for position, _ in after[7]}  # type: ignore[attr-defined]
    return (before[:6], before[8]) != (after[:6], after[8]) or bool(asked_after - asked_before)


def verdict(world: World, rules: Rules) -> str | None:
    """What is wrong with a world in which nothing is left to happen."""
    if world.at is None:
        return None
    cursor = world.client.cursor
    if behind(world):
        return f"WAITS FOR EVER at {cursor}"
    newest = _newest(world, rules)
    if newest is None or world.client.told_null:
        return None
    if cursor is None or cursor < newest:
        return f"LAST TICK HIDDEN at {cursor}, newest is {newest}"
    return None


def _newest(world: World, rules: Rules) -> Pos | None:
    """The newest tick that anybody could still tell this client about, or that a heartbeat named."""
    owed = [p for p in world.log if p not in world.void] if rules.history else []
    newest, ring = world.gateways[world.at or 0][:2]
    if newest is not None and (ring or world.client.cursor is not None):
        owed.append(tuple(newest))  # type: ignore[arg-type]
    return max(owed, default=None)
