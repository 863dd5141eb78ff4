"""A small world around the real `gateway.recovery.Recovery`, for exploring every interleaving.

One symbol, one client, two gateways, one log.  Each action is one atomic step.  A world is a tuple, so it can be
remembered; a gateway's Recovery is thawed from it, driven, and frozen again.  Times are forgotten on freezing: a
deadline is an action that may happen whenever its clock has been started.

History may answer from any prefix of the log; or it is two replicas, which read at their own pace, restart from
somewhere in the log, forget their oldest ticks, and answer once they have joined.  The oracle is the client's side
of the promise, plus what only somebody who sees the log can say: that nothing was hidden, and that nothing was
called lost which the log has.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from gateway.admission.limits import TokenBucket
from gateway.follower import Follower, Mode
from gateway.frames import Epoch, Frame, Gap, GapReason, Missing, Snapshot
from gateway.outbox import Outbox
from gateway.questions import Asked
from gateway.recovery import (
    HISTORY_PATIENCE,
    MARK_GRACE,
    REPLAY_PATIENCE,
    Recovery,
)
from gateway.tally import Tally
from services.broker.history import Answer, Question
from services.market.position import Position
from services.market.symbol import Symbol

SYMBOL = Symbol("X")
_TALLY = Tally()
LATER = 3600.0
"""A turn that is not due yet."""

Pos = tuple[int, int]


class Budget(NamedTuple):
    """How many of each event the world may still see."""

    ticks: int = 0
    drop: int = 0
    """Live messages that a queue drops."""
    loss: int = 0
    """Connections to the broker that end."""
    epoch: int = 0
    """Producers replaced by a later one."""
    zombie: int = 0
    """Ticks that a replaced producer still publishes."""
    live_only: int = 0
    """Ticks that reach the live queues but never the log."""
    again: int = 0
    """Unconfirmed ticks that are published a second time."""
    lag: int = 0
    """Answers from an earlier state of the log."""
    forget: int = 0
    """Answers of a history that has dropped its oldest tick."""
    restart: int = 0
    """Replicas of history that begin anew, from somewhere in the log."""
    move: int = 0
    """Connections of the client that end."""
    slow: int = 0
    """Times that the client does not keep up."""
    deadline: int = 0
    """Deadlines that pass before anything else happens."""


class Client(NamedTuple):
    """What the client knows, and the first rule that was broken."""

    cursor: Pos | None = None
    told_null: bool = False
    """A gap to null came; the next tick is a snapshot."""
    forged: bool = False
    """The client resumes a position that nobody published."""
    error: str | None = None


class Replica(NamedTuple):
    """One process of history: it has read the log from *start* up to *read*."""

    start: int = 0
    read: int = 0
    joins: int = 0
    """It answers once it has read so far: up to the marks of a heartbeat after its start."""


class World(NamedTuple):
    """The whole state.  *gateways* and *follower* are frozen parts of Recovery."""

    producer: Pos
    zombie: Pos | None
    published: Pos | None
    """The largest position published."""
    void: tuple[Pos, ...]
    """Published by an old epoch after a newer one began: fenced, owed to nobody."""
    log: tuple[Pos, ...]
    queues: tuple[tuple[Pos, ...] | None, tuple[Pos, ...] | None]
    gateways: tuple[tuple[object, ...], tuple[object, ...]]
    at: int | None
    """The gateway that the client is connected to."""
    client: Client
    budget: Budget
    replicas: tuple[Replica, ...] = ()


class Rules(NamedTuple):
    """What a run explores with."""

    history: bool = True
    make: type[Recovery] = Recovery
    conflating: bool = False
    """The client asks for a `max_rate`."""
    allowance: int | None = None
    """Ticks of the past that each connection may ask for."""
    replicas: bool = False
    """History is two replicas instead of one that may answer from any prefix."""
    remembers: bool = True
    """A replica knows that it has not read what was before its first entry.  False: a defect, to be found out."""


# ------------------------------------------------------------------------------------------- freezing Recovery


def freeze(recovery: Recovery) -> tuple[object, ...]:
    """Return the state of *recovery* without its times."""
    follower = next(iter(recovery.followers), None)
    frozen = None
    if follower is not None:
        frozen = (
            follower.cursor,
            follower.floor,
            follower.mode,
            follower.interval,
            follower.slow,
            follower.turn_at > 0.0,
            follower.turn_due,
            follower.waiting_since is not None,
            follower.replay_since is not None,
            follower.doubt_since is not None,
            follower.told,
            follower.vouched,
            follower in recovery._troubled,
            follower.reprieved,
            follower.allowed(0.0),
        )
    return (
        recovery.tape.newest,
        tuple(recovery.tape.ring),
        recovery.open,
        recovery.mark,
        recovery.marked,
        recovery._mark_since is not None,
        recovery._mark_rebound,
        tuple((after, asked.in_flight) for after, asked in recovery.questions),
        frozen,
    )


def thaw(frozen: tuple[object, ...], rules: Rules) -> Recovery:
    """Return a Recovery in the state that was frozen, with every clock started at 0."""
    newest, ring, is_open, mark, marked, since, rebound, asked, follower = frozen
    recovery = rules.make(SYMBOL, _TALLY, history=rules.history)
    recovery.tape.newest = newest  # type: ignore[assignment]
    recovery.tape.ring = deque(ring)  # type: ignore[call-overload]
    recovery.tape.size = sum(map(len, recovery.tape.ring))
    recovery.open, recovery.mark, recovery.marked = is_open, mark, marked  # type: ignore[assignment]
    recovery._mark_since = 0.0 if since else None
    recovery._mark_rebound = rebound  # type: ignore[assignment]
    for after, in_flight in asked:  # type: ignore[attr-defined]
        recovery.questions.restore(after, Asked(in_flight=in_flight))
    if follower is not None:
        _thaw_follower(recovery, follower)  # type: ignore[arg-type]
    return recovery


def _thaw_follower(recovery: Recovery, frozen: tuple[object, ...]) -> None:
    cursor, floor, mode, interval, slow, later, due, waiting, replay, doubt, told, vouched, *rest = frozen
    troubled, spared, allowed = rest
    follower = new_follower(allowance=allowed)  # type: ignore[arg-type]
    follower.asked = allowed is not None
    follower.cursor, follower.floor, follower.mode = cursor, floor, mode  # type: ignore[assignment]
    follower.interval, follower.slow = interval, slow  # type: ignore[assignment]
    follower.turn_at = LATER if later else 0.0
    follower.reprieved = spared  # type: ignore[assignment]
    follower.told, follower.vouched = told, vouched  # type: ignore[assignment]
    follower.waiting_since = 0.0 if waiting else None
    follower.replay_since = 0.0 if replay else None
    follower.doubt_since = 0.0 if doubt else None
    recovery.followers[follower] = None
    if troubled:
        recovery._troubled[follower] = None
    if due:
        recovery._turns.schedule(follower, follower.turn_at)


def new_follower(*, conflating: bool = False, allowance: int | None = None) -> Follower:
    """A follower of the one client.  *allowance*: ticks of the past, with a question to history one less."""
    outbox = Outbox(None, [], lambda: None)
    if allowance is not None:
        outbox.allowance = TokenBucket(0.0, allowance, 0.0)
    return Follower(SYMBOL, outbox, 0, max_rate=1.0 / LATER if conflating else None)


def line(position: Pos) -> bytes:
    """A tick that carries nothing but its position."""
    return b"%d.%d}" % position


def _position(tick: bytes) -> tuple[Pos, int]:
    text, _, skipped = tick.rstrip(b"}").partition(b',"skipped":')
    epoch, _, seq = text.rstrip(b"}").partition(b".")
    return (int(epoch), int(seq)), int(skipped or 0)


# ------------------------------------------------------------------------------------------------- the oracle


def check(  # noqa: PLR0911 - one row of the table each
    world: World, client: Client, entry: bytes | Frame, *, conflates: bool
) -> Client:
    """The client reads one entry: move its cursor as the table says, or name the broken rule."""
    if client.error is not None:
        return client
    if isinstance(entry, bytes):
        for line in entry.split(b"\n"):
            client = _check_tick(client, line, conflates=conflates)
        return client
    if isinstance(entry, Snapshot):
        return _check_snapshot(client, _position(entry.tick)[0])
    if isinstance(entry, Gap):
        return _check_gap(world, client, entry)
    if isinstance(entry, Epoch):
        return _check_epoch(world, client, entry.epoch, conflates=conflates)
    if isinstance(entry, Missing):
        return client if client.cursor is None else client._replace(error=f"MISSING AT A CURSOR {entry}")
    return client._replace(error=f"UNEXPECTED {entry}")


def _check_tick(client: Client, entry: bytes, *, conflates: bool) -> Client:
    position, skipped = _position(entry)
    cursor = client.cursor
    if cursor is None or client.told_null:
        return client._replace(error=f"TICK WITHOUT SNAPSHOT {position} at {cursor}")
    if position[0] != cursor[0]:
        return client._replace(error=f"EPOCH NOT ANNOUNCED {position} at {cursor}")
    if position[1] != cursor[1] + 1 + skipped:
        return client._replace(error=f"UNEXPLAINED HOLE OR REPEAT {position} skipped {skipped} at {cursor}")
    if skipped and not conflates:
        return client._replace(error=f"SKIPPED FOR A CLIENT THAT KEEPS UP {position} {skipped}")
    return client._replace(cursor=position)


def _check_snapshot(client: Client, position: Pos) -> Client:
    if client.cursor is not None and not client.told_null:
        return client._replace(error=f"SNAPSHOT WITHOUT GAP {position} at {client.cursor}")
    if client.cursor is not None and position <= client.cursor and not client.forged:
        return client._replace(error=f"SNAPSHOT NOT ABOVE CURSOR {position} at {client.cursor}")
    return client._replace(cursor=position, told_null=False, forged=False)


def _check_gap(world: World, client: Client, gap: Gap) -> Client:
    cursor = client.cursor
    if cursor is None or client.told_null or gap.epoch != cursor[0] or gap.first != cursor[1] + 1:
        return client._replace(error=f"GAP NOT AT CURSOR {gap} at {cursor}")
    if gap.last is None:
        return client._replace(told_null=True)
    if gap.last < gap.first:
        return client._replace(error=f"EMPTY GAP {gap}")
    gone = {(gap.epoch, seq) for seq in range(gap.first, gap.last + 1)}
    if gap.reason is GapReason.LOST and gone & set(world.log):
        return client._replace(error=f"CALLED LOST BUT IN THE LOG {gap}")
    return client._replace(cursor=(gap.epoch, gap.last))


def _check_epoch(world: World, client: Client, epoch: int, *, conflates: bool) -> Client:
    cursor = client.cursor
    if cursor is None or client.told_null or epoch <= cursor[0]:
        return client._replace(error=f"EPOCH NOT LATER {epoch} at {cursor}")
    hidden = [p for p in world.log if p not in world.void and cursor < p < (epoch, 0)]
    if hidden and not conflates:
        return client._replace(error=f"HOLE HIDDEN BY EPOCH {hidden} at {cursor}")
    return client._replace(cursor=(epoch, 0))


# ------------------------------------------------------------------------------------------------ the actions


def start(budget: Budget, rules: Rules, *, forged: Pos | None = None) -> World:
    """The world before anything happened: gateway 0 has bound its queue."""
    bound, unbound = rules.make(SYMBOL, Tally(), history=rules.history), Recovery(SYMBOL, Tally(), history=False)
    bound.opened(0.0)
    client = Client(cursor=forged, forged=forged is not None)
    replicas = (Replica(), Replica()) if rules.replicas else ()
    gateways = (freeze(bound), freeze(unbound))
    return World((1, 1), None, None, (), (), ((), None), gateways, None, client, budget, replicas)


Step = Callable[[Recovery], None]
Driven = tuple[tuple[object, ...], tuple[bytes | Frame, ...], bool]
_driven: dict[tuple[object, ...], Driven] = {}
"""What became of a frozen Recovery by a step: most worlds differ elsewhere, so one in twenty is driven anew."""


def drive(world: World, gateway: int, rules: Rules, key: object, step: Step, *, conflates: bool = False) -> World:
    """Let *step* happen to a gateway's Recovery, and the client read what came of it.

    *key* names the step and its arguments.  *conflates*: the step itself makes the client conflate.
    """
    frozen = world.gateways[gateway]
    known = _driven.get((rules, frozen, key))
    if known is None:
        known = _driven[rules, frozen, key] = _drive(frozen, rules, step)
    after, entries, conflated = known
    client = world.client
    if world.at == gateway:
        for entry in entries:
            client = check(world, client, entry, conflates=conflates or conflated)
    gateways = (after, world.gateways[1]) if gateway == 0 else (world.gateways[0], after)
    return world._replace(gateways=gateways, client=client)


def _drive(frozen: tuple[object, ...], rules: Rules, step: Step) -> Driven:
    recovery = thaw(frozen, rules)
    before = next(iter(recovery.followers), None)
    conflated = before is not None and before.conflates
    step(recovery)
    follower = next(iter(recovery.followers), None) or before
    if follower is None:
        return freeze(recovery), (), False
    return freeze(recovery), tuple(follower.outbox.take()), conflated or follower.conflates


def forget_steps() -> None:
    """Start the next exploration with nothing remembered."""
    _driven.clear()


def spend(world: World, **used: int) -> World:
    """Take *used* out of the budget."""
    budget = world.budget
    return world._replace(budget=budget._replace(**{k: getattr(budget, k) - n for k, n in used.items()}))


def with_queue(world: World, gateway: int, queue: tuple[Pos, ...] | None) -> World:
    """Replace one gateway's queue."""
    queues = (queue, world.queues[1]) if gateway == 0 else (world.queues[0], queue)
    return world._replace(queues=queues)


def publish(world: World, position: Pos, *, to_log: bool = True, to_queues: bool = True) -> World:
    """A producer's message reaches the log and the live queues."""
    late = world.published is not None and world.published[0] > position[0]
    queues = tuple(q if q is None or not to_queues else (*q, position) for q in world.queues)
    return world._replace(
        published=max(world.published or position, position),
        void=(*world.void, position) if late else world.void,
        log=(*world.log, position) if to_log else world.log,
        queues=queues,  # type: ignore[arg-type]
    )


def actions(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    """Every step that can happen next."""
    here = None if world.budget.move else world.at
    for label, following in _producer_actions(world):
        yield label, _forget_other(following, here)
    for gateway in (0, 1) if here is None else (here,):
        yield from _gateway_actions(world, gateway, rules)
    yield from _replica_actions(world)
    for label, following in _client_actions(world, rules):
        yield label, _forget_other(following, None if following.budget.move else following.at)


def _forget_other(world: World, here: int | None) -> World:
    """Once the client cannot move any more, whatever the other gateway does makes no difference."""
    if here is None or world.gateways[1 - here] == ():
        return world
    gateways = (world.gateways[0], ()) if here == 0 else ((), world.gateways[1])
    return with_queue(world._replace(gateways=gateways), 1 - here, None)


def _producer_actions(world: World) -> Iterator[tuple[str, World]]:
    budget, (epoch, seq) = world.budget, world.producer
    if budget.ticks:
        after = spend(world, ticks=1)._replace(producer=(epoch, seq + 1))
        yield f"publish {(epoch, seq)}", publish(after, (epoch, seq))
        if budget.live_only:
            only = spend(after, live_only=1)
            yield f"publish {(epoch, seq)}, never in the log", publish(only, (epoch, seq), to_log=False)
    if budget.again and world.published is not None and world.published not in world.log:
        yield "publish again", publish(spend(world, again=1), world.published)
    if budget.epoch:
        after = spend(world, epoch=1)._replace(producer=(epoch + 1, 1))
        yield "a later producer", after._replace(zombie=world.producer if budget.zombie else None)
    if world.zombie is not None and budget.zombie:
        old = world.zombie
        after = spend(world, zombie=1)._replace(zombie=(old[0], old[1] + 1))
        yield f"the old producer publishes {old}", publish(after, old)


def _gateway_actions(world: World, gateway: int, rules: Rules) -> Iterator[tuple[str, World]]:
    queue, budget, name = world.queues[gateway], world.budget, f"gateway {gateway}"
    if queue is None:
        if world.at == gateway:
            yield f"{name} binds again", bind(world, gateway, rules)
        return
    if queue:
        rest = with_queue(world, gateway, queue[1:])
        yield f"{name} reads {queue[0]}", read(rest, gateway, queue[0], rules)
        if budget.drop:
            yield f"{name}'s queue drops {queue[0]}", spend(rest, drop=1)
    if budget.loss:
        lost = spend(with_queue(world, gateway, None), loss=1)
        yield f"{name} loses the broker", drive(lost, gateway, rules, "closed", Recovery.closed)
    mark = newest_mark(world)
    if world.at == gateway and mark is not None:
        yield f"{name} hears {mark}", hear(world, gateway, mark, rules)


def with_replica(world: World, number: int, replica: Replica) -> World:
    """Replace one replica."""
    replicas = list(world.replicas)
    replicas[number] = replica
    return world._replace(replicas=tuple(replicas))


def _replica_actions(world: World) -> Iterator[tuple[str, World]]:
    end, budget = len(world.log), world.budget
    for number, replica in enumerate(world.replicas):
        name = f"replica {number}"
        if replica.read < end:
            yield f"{name} reads {world.log[replica.read]}", read_on(world, number, replica.read + 1)
        if budget.forget and len(monotone(world.log[replica.start : replica.read])) > 1:
            older = with_replica(world, number, replica._replace(start=replica.start + 1))
            yield f"{name} forgets {world.log[replica.start]}", spend(older, forget=1)
        # It always finds the last entry: the last tick of a silent symbol is written again and again.
        for start in range(end) if budget.restart else ():
            fresh = with_replica(world, number, Replica(start, start, end))
            yield f"{name} restarts, from entry {start}", spend(fresh, restart=1)


def read_on(world: World, number: int, upto: int) -> World:
    """A replica reads the log up to entry *upto*."""
    return with_replica(world, number, world.replicas[number]._replace(read=upto))


def _client_actions(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    at, budget = world.at, world.budget
    if at is None:
        for gateway in (0, 1) if world.client.cursor is not None else (0,):
            bound = world if world.queues[gateway] is not None else bind(world, gateway, rules)
            yield f"the client comes to gateway {gateway}", attach(bound, gateway, rules)
        return
    if budget.move and world.client.cursor is not None:
        yield "the client's connection ends", leave(spend(world, move=1), at, rules)
    yield from _answers(world, at, rules)
    yield from _deadlines(world, at, rules)
    if budget.slow:
        yield "the client is slow", drive(spend(world, slow=1), at, rules, "slow", slow)
    follower = frozen_follower(world, at)
    if follower is not None and (follower[4] or follower[13]):
        yield "the client has drained", drive(world, at, rules, "drained", drained)


def _answers(world: World, at: int, rules: Rules) -> Iterator[tuple[str, World]]:
    for after, in_flight in world.gateways[at][7]:  # type: ignore[attr-defined]
        asking = world if in_flight else drive(world, at, rules, ("due", 0.05), lambda r: r.due(0.05))
        for number, replica in enumerate(world.replicas):
            if replica.read >= replica.joins:
                yield f"replica {number} answers after {after}", reply_by(asking, at, after, number, rules)
        for read_to in range(len(world.log), -1, -1) if not rules.replicas else ():
            if read_to < len(world.log) and not world.budget.lag:
                break
            then = asking if read_to == len(world.log) else spend(asking, lag=1)
            yield f"history, read to {read_to}, answers after {after}", reply(then, at, after, read_to, rules)
            if world.budget.forget and len(monotone(world.log[:read_to])) > 1:
                gone = spend(then, forget=1)
                yield (
                    f"history, read to {read_to}, forgot its first, answers after {after}",
                    reply(gone, at, after, read_to, rules, forgot=1),
                )


def _deadlines(world: World, at: int, rules: Rules) -> Iterator[tuple[str, World]]:
    if not world.budget.deadline:
        return
    follower, frozen = frozen_follower(world, at), world.gateways[at]
    if frozen[5]:
        passed = drive(spend(world, deadline=1), at, rules, ("due", MARK_GRACE), lambda r: r.due(MARK_GRACE))
        yield "the mark's grace is over", passed
    if follower is not None and (follower[7] or follower[9] or frozen[5]):
        passed = drive(
            spend(world, deadline=1), at, rules, ("due", HISTORY_PATIENCE), lambda r: r.due(HISTORY_PATIENCE)
        )
        yield "five seconds pass", passed
    if follower is not None and follower[8]:
        passed = drive(
            spend(world, deadline=1),
            at,
            rules,
            ("due", REPLAY_PATIENCE),
            lambda r: r.due(REPLAY_PATIENCE),
            conflates=True,
        )
        yield "thirty seconds pass", passed
    if follower is not None and follower[6]:
        yield "the turn is due", drive(world, at, rules, ("due", LATER), lambda r: r.due(LATER))


# ----------------------------------------------------------------------------------------- steps, one by one


def frozen_follower(world: World, at: int) -> tuple[object, ...] | None:
    """The follower of a gateway as `freeze` wrote it."""
    return world.gateways[at][8]  # type: ignore[return-value]


def bind(world: World, gateway: int, rules: Rules) -> World:
    """The gateway's queue is bound: ticks published from now on come."""
    return drive(with_queue(world, gateway, ()), gateway, rules, "opened", lambda r: r.opened(0.0))


def read(world: World, gateway: int, position: Pos, rules: Rules) -> World:
    """The gateway reads one live message."""
    epoch, seq = position
    return drive(
        world, gateway, rules, ("accept", position), lambda r: r.accept(epoch, seq, (line(position),), 0.0)
    )


def hear(world: World, gateway: int, mark: Pos, rules: Rules) -> World:
    """The gateway gets a heartbeat."""
    return drive(world, gateway, rules, ("heard", mark), lambda r: r.heard(Position(*mark), 0.0))


def attach(world: World, gateway: int, rules: Rules) -> World:
    """The client subscribes, or resumes where its cursor stands."""
    cursor = world.client.cursor
    resume = None if cursor is None or world.client.told_null else Position(*cursor)

    def step(recovery: Recovery) -> None:
        follower = new_follower(conflating=rules.conflating, allowance=rules.allowance)
        recovery.join(follower, resume=resume, snapshot=True)
        recovery.begin(follower, 0.0)

    if resume is None:  # the client asks for a snapshot: its cursor is null
        world = world._replace(client=world.client._replace(cursor=None, told_null=False))
    return drive(world._replace(at=gateway), gateway, rules, ("attach", resume), step)


def leave(world: World, gateway: int, rules: Rules) -> World:
    """The client's connection ends; what it was not sent yet it will resume."""

    def step(recovery: Recovery) -> None:
        recovery.leave(next(iter(recovery.followers)))

    return drive(world, gateway, rules, "leave", step)._replace(at=None)


def slow(recovery: Recovery) -> None:
    """The session reports a client that does not keep up."""
    recovery.slow(next(iter(recovery.followers)))


def drained(recovery: Recovery) -> None:
    """The session reports that everything was taken."""
    recovery.drained(next(iter(recovery.followers)), 0.0)


def monotone(log: tuple[Pos, ...]) -> list[Pos]:
    """What a history keeps of the log: positions at or below its newest are repeats or fenced."""
    kept: list[Pos] = []
    for position in log:
        if not kept or position > kept[-1]:
            kept.append(position)
    return kept


def reply(
    world: World, gateway: int, after: Position | None, read_to: int, rules: Rules, *, forgot: int = 0
) -> World:
    """History, having read *read_to* messages of the log, answers."""
    seen = monotone(world.log[:read_to])
    dropped, kept = seen[:forgot], seen[forgot:]
    return _answer(world, gateway, after, kept, forgot=dropped[-1] if dropped else None, rules=rules)


def reply_by(world: World, gateway: int, after: Position | None, number: int, rules: Rules) -> World:
    """A replica answers from what it has read.

    It did not read what is before its first entry, so nothing there may be called lost: it counts as forgotten.
    """
    start, upto, _ = world.replicas[number]
    kept = monotone(world.log[start:upto])
    forgot = (kept[0][0], kept[0][1] - 1) if start and kept and rules.remembers else None
    return _answer(world, gateway, after, kept, forgot=forgot, rules=rules)


def _answer(
    world: World, gateway: int, after: Position | None, kept: list[Pos], *, forgot: Pos | None, rules: Rules
) -> World:
    ticks = [p for p in kept if after is None or p > after]
    if after is None:
        ticks = ticks[-1:]
    answer = Answer(
        Question(SYMBOL, after),
        tuple((Position(*p), line(p)) for p in ticks),
        Position(*kept[-1]) if kept else None,
        None if forgot is None else Position(*forgot),
    )
    return drive(world, gateway, rules, answer, lambda r: r.answer(answer, 0.0))


def newest_mark(world: World) -> Pos | None:
    """The last position of the newest producer that has published, as its heartbeats name it."""
    return world.published


def behind(world: World) -> bool:
    """Whether the client's follower waits for ticks that it knows of."""
    follower = None if world.at is None else frozen_follower(world, world.at)
    return follower is not None and follower[2] is Mode.BEHIND
