"""The hub, with a manual clock and a broker that answers when the test says so."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterable

import pytest

from gateway.admission.entitlement import Entitlement
from gateway.client import Client
from gateway.commands import EVERYTHING, List, Subscribe, Unsubscribe
from gateway.frames import (
    Accepted,
    Error,
    Following,
    Frame,
    Gap,
    GapReason,
    Missing,
    NoSnapshot,
    Rejection,
    Session,
    Snapshot,
    Status,
    Subscribed,
    Subscription,
    Subscriptions,
    Today,
    Unsubscribed,
)
from gateway.hub import STALE, Hub
from gateway.intents import Ask, Close, Open, Probe, Rebind
from gateway.line import IDLE_GRACE, RETAIN, RETRY, Stage
from gateway.outbox import Outbox
from gateway.recovery import HISTORY_PATIENCE
from gateway.request import GATHER, PATIENCE
from gateway.wires.native.parse import parse
from services.broker.history import Answer
from services.market.control import Heartbeat
from services.market.day import Day
from services.market.directory import Instrument, SessionState, split
from services.market.position import Position
from services.market.symbol import Symbol
from services.market.wire import TickMessage

A, B, C = Symbol("AAPL"), Symbol("BRK.B"), Symbol("CAT")


def instrument(symbol: Symbol, session: SessionState = SessionState.OPEN) -> Instrument:
    """What the directory says of *symbol*."""
    return Instrument(symbol, f"{symbol} Inc.", "XNAS", "USD", 2, 1, 10_000, session, 1)


def tick(symbol: Symbol, seq: int) -> bytes:
    """A tick that carries nothing but its name and number."""
    return f"{symbol}.{seq}}}".encode()


class Floor:
    """A hub with one client, and its intents."""

    def __init__(
        self, *, known: Iterable[Symbol] = (A, B, C), connected: bool = True, history: bool = False
    ) -> None:
        self.now = 50.0
        self.hub = Hub(history=history)
        self.client, self.outbox = self.newcomer()
        if connected:
            self.hub.lines.connect(self.now)
        if known:
            self.learn(*map(instrument, known))

    def newcomer(self, max_symbols: int = 1000) -> tuple[Client, Outbox]:
        """Another client."""
        outbox = Outbox(None, [], lambda: None)
        return self.hub.join(outbox, max_symbols=max_symbols), outbox

    def learn(self, *instruments: Instrument, version: int = 1) -> None:
        """A whole directory comes."""
        for part in split("main", version, instruments):
            self.hub.learn(part, self.now)

    def subscribe(self, *symbols: Symbol, command_id: int = 1, **options: object) -> None:
        """The client subscribes."""
        command = Subscribe(command_id, symbols, **options)  # type: ignore[arg-type]
        self.hub.subscribe(self.client, command, self.now)

    def unsubscribe(self, *symbols: Symbol, command_id: int = 2) -> None:
        """The client unsubscribes."""
        self.hub.unsubscribe(self.client, Unsubscribe(command_id, symbols), self.now)

    def open(self) -> list[Symbol]:
        """The broker binds whatever it is asked for; return what that was."""
        intents = [intent for intent in self.hub.intents() if isinstance(intent, Open)]
        for intent in intents:
            self.hub.lines.opened(intent, self.now)
        return [intent.symbol for intent in intents]

    def live(self, symbol: Symbol, first: int, count: int = 1) -> None:
        """A live message comes."""
        lines = tuple(tick(symbol, seq) for seq in range(first, first + count))
        self.hub.accept([TickMessage(symbol, 1, first, 1, 1, lines)], self.now)

    def beat(self, marks: dict[Symbol, int] | None = None, epoch: int = 1) -> None:
        """The shard's heartbeat comes."""
        self.hub.heard(Heartbeat("main", epoch, 777, epoch, marks or {}, full=False), self.now)

    def later(self, seconds: float) -> None:
        """Time passes; every deadline is looked after when it is due."""
        end = self.now + seconds
        while (at := self.hub.next_due) is not None and at <= end:
            self.now = max(self.now, at)
            self.hub.due(self.now)
        self.now = end

    def said(self) -> list[bytes | Frame]:
        """What the client was told since the last call, without the day's figures."""
        return [entry for entry in self.outbox.take() if not isinstance(entry, Today)]

    def stage(self, symbol: Symbol) -> Stage | None:
        """Where a symbol's line stands; None: there is none."""
        line = self.hub.lines.get(symbol)
        return line.stage if line else None


def nowhere(max_rate: float | None = None) -> Accepted:
    """A subscription whose cursor is null."""
    return Accepted(None, max_rate)


def test_subscribed_follows_the_binding() -> None:
    """`subscribed` is said only once the broker has bound the symbol, and before anything of it."""
    floor = Floor()
    floor.subscribe(A)
    floor.live(A, 1)
    assert floor.said() == []
    assert floor.open() == [A]

    assert floor.said() == [Subscribed(1, {A: nowhere()}, {}, 0), Snapshot(A, 1, tick(A, 1))]
    floor.live(A, 2)
    assert floor.said() == [tick(A, 2)]


def test_figures_follow_the_snapshot() -> None:
    """After its snapshot a client is told the day's figures, with what the directory knows; once, not per tick."""
    floor = Floor(history=True)
    floor.subscribe(A)
    floor.live(A, 1)
    floor.open()
    (asked,) = [intent for intent in floor.hub.intents() if isinstance(intent, Ask)]
    assert Snapshot(A, 1, tick(A, 1)) in floor.outbox.take()

    day = Day(1, 100, 120, 90, 5_000, 2, Position(1, 1))
    floor.hub.lines.answer(Answer(asked.question, (), day.at, None, day), floor.now)
    floor.live(A, 2)

    assert floor.outbox.take() == [Today(instrument(A), day), tick(A, 2)]


def test_without_history_the_directory_is_told() -> None:
    """Where nobody answers questions, the figures come with the snapshot, and name the previous close only."""
    floor = Floor()
    floor.subscribe(A)
    floor.live(A, 1)
    floor.open()

    assert floor.outbox.take()[1:] == [Snapshot(A, 1, tick(A, 1)), Today(instrument(A), None)]


def test_history_that_returns_is_asked_for_snapshots() -> None:
    """Who was told that there is no snapshot gets one as soon as somebody answers questions."""
    floor = Floor()
    floor.subscribe(A)
    floor.open()
    assert floor.said() == [Subscribed(1, {A: nowhere()}, {}, 0), Missing(A, NoSnapshot.UNAVAILABLE)]

    floor.hub.lines.tell_history(True, floor.now)
    (asked,) = [intent for intent in floor.hub.intents() if isinstance(intent, Ask)]
    ticks = ((Position(1, 7), tick(A, 7)),)
    floor.hub.lines.answer(Answer(asked.question, ticks, Position(1, 7), None), floor.now)

    assert floor.said() == [Snapshot(A, 1, tick(A, 7))]


def test_absent_history_is_asked_nothing() -> None:
    """Once history has gone nothing is asked again; who waits is told at its deadline."""
    floor = Floor(history=True)
    floor.subscribe(A)
    floor.open()
    (asked,) = [intent for intent in floor.hub.intents() if isinstance(intent, Ask)]
    floor.hub.lines.unanswered(asked.question, floor.now)
    floor.said()

    floor.hub.lines.tell_history(False, floor.now)
    floor.later(HISTORY_PATIENCE)

    assert not [intent for intent in floor.hub.intents() if isinstance(intent, Ask)]
    assert floor.said() == [Missing(A, NoSnapshot.UNAVAILABLE)]


def test_unknown_symbol_is_rejected_by_name() -> None:
    """A symbol that the directory lacks is rejected, the others go on, and the broker is not asked for it."""
    floor = Floor()
    floor.subscribe(Symbol("ZZZZ"), A)
    assert floor.open() == [A]
    said = floor.said()

    assert said[0] == Subscribed(1, {A: nowhere()}, {Symbol("ZZZZ"): Rejection.UNKNOWN_SYMBOL}, 0)
    assert floor.hub.lines.tally.rejections == {**dict.fromkeys(Rejection, 0), Rejection.UNKNOWN_SYMBOL: 1}
    assert floor.hub.lines.get(Symbol("ZZZZ")) is None


def test_an_older_runs_directory_rejects_nothing() -> None:
    """While a living run's directory is still to come, a name that an older one lacks waits for it."""
    floor = Floor(known=(B,))
    floor.beat(epoch=2)
    floor.subscribe(A)
    floor.later(GATHER)
    assert not [frame for frame in floor.said() if isinstance(frame, Subscribed)]

    floor.learn(instrument(A), instrument(B), version=2)
    assert floor.open() == [A]
    assert Subscribed(1, {A: nowhere()}, {}, 0) in floor.said()

    floor.subscribe(C, command_id=2)
    assert Subscribed(2, {}, {C: Rejection.UNKNOWN_SYMBOL}, 0) in floor.said()


def test_before_the_directory_subscriptions_wait() -> None:
    """Without a directory a subscription waits, and is placed when one arrives."""
    floor = Floor(known=())
    floor.subscribe(A)
    assert floor.open() == []
    floor.learn(instrument(A))

    assert floor.open() == [A]
    assert isinstance(floor.said()[0], Subscribed)


def test_without_any_directory_the_feed_is_unavailable() -> None:
    """Without a directory nobody knows the symbol: after 10 s it is `feed_unavailable`, never unknown."""
    floor = Floor(known=())
    floor.subscribe(A)
    floor.later(PATIENCE)

    assert floor.said() == [Subscribed(1, {}, {A: Rejection.FEED_UNAVAILABLE}, 0)]


def test_unbound_symbol_is_rejected_after_ten_seconds() -> None:
    """A symbol that the broker does not bind within 10 s is rejected, and nobody waits for it any more."""
    floor = Floor(connected=False)
    floor.subscribe(A)
    floor.later(PATIENCE - 0.1)
    assert floor.said() == []
    floor.later(0.2)

    assert floor.said() == [Subscribed(1, {}, {A: Rejection.FEED_UNAVAILABLE}, 0)]
    assert not floor.hub.lines[A].wanted


def test_long_lists_are_answered_in_parts() -> None:
    """A long list is answered in frames of at most 200 symbols, each saying how many are left."""
    names = tuple(Symbol(f"S{n}") for n in range(450))
    floor = Floor(known=names)
    floor.subscribe(*names)
    floor.open()
    parts = [frame for frame in floor.said() if isinstance(frame, Subscribed)]

    assert [len(part.symbols) for part in parts] == [200, 200, 50]
    assert [part.pending for part in parts] == [250, 50, 0]


def test_slow_bindings_are_gathered() -> None:
    """What is bound while others are still awaited is answered after 50 ms, in one frame."""
    floor = Floor()
    floor.subscribe(A, B, C)
    opens = [intent for intent in floor.hub.intents() if isinstance(intent, Open)]
    floor.hub.lines.opened(opens[0], floor.now)
    floor.later(GATHER / 2)
    floor.hub.lines.opened(opens[1], floor.now)
    assert floor.said() == []
    floor.later(GATHER)
    assert floor.said()[0] == Subscribed(1, {A: nowhere(), B: nowhere()}, {}, 1)
    floor.hub.lines.opened(opens[2], floor.now)

    assert floor.said()[0] == Subscribed(1, {C: nowhere()}, {}, 0)


def test_subscribing_again_changes_only_the_rate() -> None:
    """A second `subscribe` keeps the cursor, ignores resume and sets the rate."""
    floor = Floor()
    floor.subscribe(A)
    floor.open()
    floor.live(A, 1)
    floor.said()
    floor.subscribe(A, command_id=5, max_rate=2.0, resume={A: Position(9, 9)})

    assert floor.said() == [Subscribed(5, {A: Accepted(Position(1, 1), 2.0)}, {}, 0)]
    assert floor.hub.intents() == []


def test_commands_on_one_symbol_take_effect_in_order() -> None:
    """Two subscribes that wait for one binding are answered in their order, and the second's rate holds."""
    floor = Floor()
    floor.subscribe(A, B, command_id=1)
    floor.subscribe(A, command_id=2, max_rate=2.0)
    opens = [intent for intent in floor.hub.intents() if isinstance(intent, Open)]
    floor.hub.lines.opened(opens[0], floor.now)
    answers = [frame for frame in floor.said() if isinstance(frame, Subscribed)]

    assert [(frame.id, list(frame.symbols)) for frame in answers] == [(1, [A]), (2, [A])]
    assert floor.client.followers[A].max_rate == 2.0


def test_unsubscribing_cancels_what_is_pending() -> None:
    """`unsubscribe` of a pending symbol answers both commands, and nothing of it follows."""
    floor = Floor()
    floor.subscribe(A)
    floor.unsubscribe(A)
    assert floor.said() == [
        Subscribed(1, {}, {A: Rejection.CANCELLED}, 0),
        Unsubscribed(2, (A,), None),
    ]
    floor.open()
    floor.live(A, 1)

    assert floor.said() == []


def test_nothing_follows_unsubscribed() -> None:
    """After `unsubscribed` no tick of the symbol is said."""
    floor = Floor()
    floor.subscribe(A)
    floor.open()
    floor.live(A, 1)
    floor.said()
    floor.unsubscribe(A)
    floor.live(A, 2)

    assert floor.said() == [Unsubscribed(2, (A,), None)]


def test_too_many_symbols_change_nothing() -> None:
    """A command beyond the limit is refused whole; what is followed goes on."""
    floor = Floor()
    floor.client, floor.outbox = floor.newcomer(max_symbols=2)
    floor.subscribe(A)
    floor.open()
    floor.subscribe(B, C, command_id=7)
    said = floor.said()

    assert isinstance(said[-1], Error)
    assert (said[-1].id, said[-1].code) == (7, "too_many_symbols")
    assert list(floor.client.followers) == [A]


def test_everything_follows_what_joins() -> None:
    """`*` follows the whole directory, and what joins it later."""
    floor = Floor(known=(A, B))
    floor.subscribe(EVERYTHING)
    assert floor.open() == [A, B]
    floor.said()
    floor.learn(*map(instrument, (A, B, C)), version=2)
    assert floor.open() == [C]

    assert Subscribed(1, {C: nowhere()}, {}, 0) in floor.said()
    floor.unsubscribe(EVERYTHING)
    assert not floor.client.followers


def test_everything_before_any_directory_is_answered_once() -> None:
    """`*` before the first directory is answered at once, not again at the deadline, and follows what comes."""
    floor = Floor(known=())
    floor.subscribe(EVERYTHING)
    assert floor.said() == [Subscribed(1, {}, {}, 0)]
    floor.later(PATIENCE + 1.0)
    assert floor.said() == []
    floor.learn(instrument(A))

    assert floor.open() == [A]


def test_answered_request_leaves_no_deadline() -> None:
    """A request that was answered at once is not kept until its deadline."""
    floor = Floor()
    floor.subscribe(A)
    floor.open()
    floor.later(PATIENCE + 1.0)
    for command_id in range(2, 50):
        floor.subscribe(A, command_id=command_id)

    assert floor.hub.next_due is None


def test_delisted_symbol_is_unsubscribed() -> None:
    """A symbol that leaves the directory is unsubscribed by the gateway, with a reason."""
    floor = Floor()
    floor.subscribe(A)
    floor.open()
    floor.said()
    floor.learn(instrument(B), version=2)

    assert floor.said() == [Unsubscribed(None, (A,), "delisted")]


def test_session_change_is_told() -> None:
    """A change of a symbol's trading session reaches its followers and nobody else."""
    floor = Floor(known=(A, B))
    floor.subscribe(A)
    floor.open()
    floor.said()
    halted = instrument(A, SessionState.HALTED), instrument(B, SessionState.HALTED)
    floor.learn(*halted, version=2)

    assert floor.said() == [Session(A, SessionState.HALTED, None, 1)]


def test_list_names_the_subscriptions() -> None:
    """`list` states cursor, rate and state of each subscription."""
    floor = Floor()
    floor.subscribe(A)
    floor.subscribe(B, command_id=2, max_rate=5.0)
    floor.open()
    floor.live(A, 1, 3)
    floor.said()
    floor.hub.enumerate(floor.client, List(9))

    (answer,) = floor.said()
    assert answer == Subscriptions(
        9,
        {
            A: Subscription(Position(1, 3), None, Following.LIVE),
            B: Subscription(None, 5.0, Following.CONFLATING),
        },
    )


def test_idle_line_closes_after_its_grace() -> None:
    """The last follower's leave closes the line only after 30 s, and the tape is kept for 60 s more."""
    floor = Floor()
    floor.subscribe(A)
    floor.open()
    floor.unsubscribe(A)
    floor.later(IDLE_GRACE - 0.1)
    assert (floor.stage(A), floor.hub.intents()) == (Stage.IDLE, [])
    floor.later(0.2)
    (intent,) = floor.hub.intents()
    assert isinstance(intent, Close)
    floor.hub.lines.closed(intent, floor.now)
    floor.later(RETAIN - 0.1)
    assert floor.stage(A) is Stage.CLOSED
    floor.later(0.2)

    assert floor.stage(A) is None


def test_return_within_the_grace_asks_the_broker_nothing() -> None:
    """A follower that comes back to an idle line is served at once."""
    floor = Floor()
    floor.subscribe(A)
    floor.open()
    floor.live(A, 1)
    floor.unsubscribe(A)
    floor.later(IDLE_GRACE / 2)
    floor.said()
    floor.subscribe(A, command_id=3)

    assert floor.said() == [Subscribed(3, {A: nowhere()}, {}, 0), Snapshot(A, 1, tick(A, 1))]
    floor.later(IDLE_GRACE)
    assert floor.stage(A) is Stage.OPEN


def test_follower_in_closing_waits_for_a_fresh_opening() -> None:
    """Transitions never overlap: who comes while the line closes is served by a new opening."""
    floor = Floor()
    floor.subscribe(A)
    floor.open()
    floor.unsubscribe(A)
    floor.later(IDLE_GRACE + 0.1)
    (closing,) = floor.hub.intents()
    assert isinstance(closing, Close)
    assert floor.hub.lines.begin(closing, floor.now)
    floor.subscribe(A, command_id=3)
    assert floor.hub.intents() == []
    floor.hub.lines.closed(closing, floor.now)

    assert floor.open() == [A]


def test_lost_connection_keeps_clients_and_opens_again() -> None:
    """After a lost connection every wanted line opens anew; an answer of the old connection counts nothing."""
    floor = Floor()
    floor.subscribe(A, B)
    opens = [intent for intent in floor.hub.intents() if isinstance(intent, Open)]
    floor.hub.lines.opened(opens[0], floor.now)
    floor.hub.lines.disconnect(floor.now)
    floor.hub.lines.opened(opens[1], floor.now)
    assert floor.stage(B) is Stage.CLOSED
    floor.hub.lines.connect(floor.now)

    assert sorted(floor.open()) == [A, B]


def test_refused_opening_is_tried_again() -> None:
    """A line that the broker refuses is asked for again after half a second."""
    floor = Floor()
    floor.subscribe(A)
    (intent,) = floor.hub.intents()
    assert isinstance(intent, Open)
    floor.hub.lines.refused(intent, floor.now)
    floor.later(RETRY - 0.1)
    assert floor.open() == []
    floor.later(0.2)

    assert floor.open() == [A]


def test_flow_that_the_broker_ended_opens_again() -> None:
    """A symbol whose queue was deleted is opened again at once; others are not touched."""
    floor = Floor()
    floor.subscribe(A, B)
    floor.open()
    floor.hub.lines.unfollowed(A, floor.now)

    assert floor.open() == [A]
    assert floor.stage(B) is Stage.OPEN


def test_feed_goes_stale_and_live_again() -> None:
    """Three seconds without a heartbeat make a shard stale, once; the next one makes it live."""
    floor = Floor()
    floor.beat()
    assert floor.said() == [Status(live=True, since=777, shard="main")]
    for _ in range(5):
        floor.later(1.0)
        floor.beat()
    assert floor.said() == []
    floor.later(STALE + 0.1)
    assert floor.said() == [Status(live=False, since=777, shard="main")]
    assert floor.hub.intents() == [Probe("main")]
    floor.later(60.0)
    assert floor.said() == []
    floor.beat()

    assert floor.said() == [Status(live=True, since=777, shard="main")]


def test_of_two_producers_the_newer_one_speaks() -> None:
    """While a later epoch lives, an older one's directory and heartbeats change nothing; afterwards they count."""
    floor = Floor()
    floor.subscribe(A)
    floor.open()
    floor.learn(instrument(A), instrument(B), version=8)
    floor.beat(epoch=8)
    floor.said()

    floor.learn(instrument(C), version=7)
    for _ in range(6):
        floor.later(0.5)
        floor.beat(epoch=7)
    assert set(floor.hub.directory) == {A, B}
    assert [frame.live for frame in floor.said() if isinstance(frame, Status)] == [False, True]

    floor.learn(instrument(C), version=7)
    assert set(floor.hub.directory) == {C}


def test_marks_are_remembered_for_those_who_come() -> None:
    """A mark that came before anybody followed still reveals what is missing."""
    floor = Floor()
    floor.beat({A: 4})
    floor.said()
    floor.subscribe(A, resume={A: Position(1, 2)})
    floor.open()
    floor.said()
    floor.later(1.0)

    assert floor.said() == [Gap(A, 1, 3, 4, GapReason.UNAVAILABLE)]


def test_symbol_that_never_traded() -> None:
    """A symbol of which a full heartbeat knows no tick is said to have never traded."""
    floor = Floor()
    floor.beat({A: 0})
    floor.said()
    floor.subscribe(A)
    floor.open()

    assert floor.said()[1:] == [Missing(A, NoSnapshot.NEVER_TRADED)]


def test_leaving_client_leaves_nothing_behind() -> None:
    """A client that goes takes its followers and requests with it."""
    floor = Floor()
    floor.subscribe(A)
    floor.open()
    floor.subscribe(B, command_id=2)
    floor.hub.leave(floor.client, floor.now)

    assert not floor.hub.clients
    assert not any(line.wanted for line in floor.hub.lines)
    floor.later(IDLE_GRACE + RETAIN + PATIENCE)
    for _ in range(2):  # one line was open, the other was still being opened
        for intent in floor.hub.intents():
            if isinstance(intent, Open):
                floor.hub.lines.opened(intent, floor.now)
            elif isinstance(intent, Close):
                floor.hub.lines.closed(intent, floor.now)
        floor.later(IDLE_GRACE + RETAIN)
    for intent in floor.hub.intents():
        assert isinstance(intent, Close)
        floor.hub.lines.closed(intent, floor.now)
    floor.later(RETAIN + 0.1)
    assert len(floor.hub.lines) == 0


@pytest.mark.parametrize("order", [(A, B), (B, A)])
def test_ticks_of_several_symbols_share_a_pass(order: tuple[Symbol, Symbol]) -> None:
    """Messages of one pass reach an outbox in their order."""
    floor = Floor()
    floor.subscribe(A, B)
    floor.open()
    for symbol in (A, B):
        floor.live(symbol, 1)
    floor.said()
    messages = [TickMessage(s, 1, 2, 1, 1, (tick(s, 2),)) for s in order]
    floor.hub.accept(messages, floor.now)

    assert floor.said() == [tick(s, 2) for s in order]


# --------------------------------------------------------------------------------------------- entitlements

ONLY_A = Entitlement(names=frozenset({A}))


def entitled(floor: Floor, entitlement: Entitlement) -> None:
    """The client shows another token."""
    floor.hub.entitle(floor.client, entitlement, floor.now)


def test_what_a_token_does_not_name_is_rejected() -> None:
    """A symbol outside the entitlement is rejected by name, known or not, and the broker is not asked for it."""
    floor = Floor()
    entitled(floor, ONLY_A)
    floor.subscribe(A, B, Symbol("ZZZZ"))

    assert floor.open() == [A]
    floor.later(GATHER)
    said = [frame for frame in floor.said() if isinstance(frame, Subscribed)]
    assert {s for frame in said for s in frame.symbols} == {A}
    assert {s: r for frame in said for s, r in frame.rejected.items()} == {
        B: Rejection.NOT_ENTITLED,
        Symbol("ZZZZ"): Rejection.NOT_ENTITLED,
    }


def test_delayed_data_is_not_to_be_had() -> None:
    """A token for delayed data is told that this version has none, symbol by symbol."""
    floor = Floor()
    entitled(floor, Entitlement(prefixes=("",), delayed=True))
    floor.subscribe(A)

    assert floor.said() == [Subscribed(1, {}, {A: Rejection.DELAYED_UNAVAILABLE}, 0)]
    assert floor.open() == []


def test_everything_is_what_may_be_followed() -> None:
    """`*` follows the part of the directory that the token names, now and later."""
    floor = Floor()
    entitled(floor, Entitlement(prefixes=("A", "C")))
    floor.subscribe(EVERYTHING)

    assert floor.open() == [A, C]
    floor.learn(*map(instrument, (A, B, C, Symbol("CX"), Symbol("DX"))), version=2)
    assert floor.open() == [Symbol("CX")]


def test_a_wider_token_widens_everything() -> None:
    """Who follows `*` gets what a new token adds."""
    floor = Floor()
    entitled(floor, ONLY_A)
    floor.subscribe(EVERYTHING)
    assert floor.open() == [A]

    entitled(floor, Entitlement(prefixes=("",)))
    assert floor.open() == [B, C]


def test_a_smaller_token_ends_what_it_does_not_name() -> None:
    """What a new token does not name is ended and said, pending or followed; the rest goes on undisturbed."""
    floor = Floor()
    floor.subscribe(A, B)
    floor.open()
    floor.live(A, 1)
    floor.live(B, 1)
    floor.subscribe(C, command_id=2)
    floor.said()
    entitled(floor, ONLY_A)

    assert floor.said() == [
        Subscribed(2, {}, {C: Rejection.NOT_ENTITLED}, 0),
        Unsubscribed(None, (B,), "not_entitled"),
    ]
    floor.live(A, 2)
    floor.live(B, 2)
    assert floor.said() == [tick(A, 2)]


def test_a_smaller_number_ends_the_newest() -> None:
    """With a smaller number of symbols the ones that were followed first stay."""
    floor = Floor()
    floor.subscribe(A)
    floor.open()
    floor.subscribe(B, C, command_id=2)
    floor.open()
    floor.later(GATHER)
    floor.said()
    entitled(floor, Entitlement(prefixes=("",), max_symbols=2))

    assert floor.said() == [Unsubscribed(None, (C,), "not_entitled")]
    floor.subscribe(C, command_id=3)
    assert floor.said() == [Error(3, "too_many_symbols", "symbols: at most 2 on one connection")]


def test_a_rate_is_bounded_by_the_token() -> None:
    """The rate in force is the smaller one of what is asked for and what the token allows, also afterwards."""
    floor = Floor()
    entitled(floor, Entitlement(prefixes=("",), max_rate=5))
    floor.subscribe(A)
    floor.subscribe(B, command_id=2, max_rate=2)
    floor.open()
    said = [frame for frame in floor.said() if isinstance(frame, Subscribed)]
    assert {s: accepted.max_rate for frame in said for s, accepted in frame.symbols.items()} == {A: 5, B: 2}

    entitled(floor, Entitlement(prefixes=("",), max_rate=1))
    assert {symbol: f.max_rate for symbol, f in floor.client.followers.items()} == {A: 1, B: 1}


def test_a_closing_that_waits_is_called_off() -> None:
    """Who comes before the broker was asked to close gets the symbol at once, and it stays open."""
    floor = Floor()
    floor.subscribe(A)
    floor.open()
    floor.unsubscribe(A)
    floor.later(IDLE_GRACE + 0.1)
    (closing,) = floor.hub.intents()
    assert isinstance(closing, Close)
    floor.said()
    floor.subscribe(A, command_id=3)

    assert floor.stage(A) is Stage.OPEN
    assert floor.said()[0] == Subscribed(3, {A: nowhere()}, {}, 0)
    assert not floor.hub.lines.begin(closing, floor.now)
    assert floor.hub.intents() == []
    floor.live(A, 1)
    assert floor.said() == [Snapshot(A, 1, tick(A, 1))]


def test_an_opening_that_waits_is_called_off() -> None:
    """Where nobody wants a symbol any more by the time the broker could be asked, it is not."""
    floor = Floor()
    floor.subscribe(A)
    (opening,) = floor.hub.intents()
    floor.unsubscribe(A)
    assert isinstance(opening, Open)
    assert not floor.hub.lines.begin(opening, floor.now)

    assert floor.stage(A) is Stage.CLOSED
    floor.later(RETAIN + 1)
    assert floor.stage(A) is None
    floor.subscribe(A, command_id=3)
    assert floor.open() == [A]


def test_a_transition_is_begun_once() -> None:
    """An intent of an earlier attempt, or one that was begun already, is not carried out."""
    floor = Floor()
    floor.subscribe(A)
    (opening,) = floor.hub.intents()
    assert isinstance(opening, Open)
    assert floor.hub.lines.begin(opening, floor.now)
    assert not floor.hub.lines.begin(opening, floor.now)
    floor.hub.lines.disconnect(floor.now)
    floor.hub.lines.connect(floor.now)
    assert not floor.hub.lines.begin(opening, floor.now)
    (again,) = floor.hub.intents()
    assert isinstance(again, Open)
    assert floor.hub.lines.begin(again, floor.now)
    assert not floor.hub.lines.begin(Rebind(A), floor.now)
    floor.hub.lines.opened(again, floor.now)
    assert floor.hub.lines.begin(Rebind(A), floor.now)
    assert not floor.hub.lines.begin(Rebind(B), floor.now)


def test_an_opening_is_for_whoever_waits() -> None:
    """It names the client that asked, then another one until it is begun, and nobody where there are followers."""
    floor = Floor()
    other, _ = floor.newcomer()
    floor.subscribe(A)
    floor.hub.subscribe(other, Subscribe(1, (A,)), floor.now)
    first, second = floor.hub.intents()
    assert isinstance(first, Open)
    assert isinstance(second, Open)
    assert (first, first.who, second.who) == (second, floor.client, other)
    assert floor.hub.lines.begin(second, floor.now)
    floor.hub.subscribe(floor.newcomer()[0], Subscribe(1, (A,)), floor.now)
    assert floor.hub.intents() == []
    floor.hub.lines.opened(second, floor.now)

    floor.hub.lines.disconnect(floor.now)
    floor.hub.lines.connect(floor.now)
    (again,) = floor.hub.intents()
    assert isinstance(again, Open)
    assert again.who is None


def test_unknown_names_leave_nothing_behind() -> None:
    """Ten thousand well-formed names that nobody knows are rejected, and the gateway is as small as before."""
    floor = Floor()
    sizes = []
    tracemalloc.start()
    for batch in range(50):
        names = [f"X{batch}.{n}" for n in range(200)]
        for op in ("subscribe", "unsubscribe"):
            text = json.dumps({"op": op, "id": 1, "symbols": names})
            command = parse(text, max_symbols=1000).command
            if isinstance(command, Subscribe):
                floor.hub.subscribe(floor.client, command, floor.now)
                (answer,) = floor.said()
                assert isinstance(answer, Subscribed)
                assert answer.rejected == dict.fromkeys(map(Symbol, names), Rejection.UNKNOWN_SYMBOL)
            elif isinstance(command, Unsubscribe):
                floor.hub.unsubscribe(floor.client, command, floor.now)
                floor.said()
        del names, text, command, answer
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()

    assert (len(floor.hub.lines), len(floor.hub.directory), floor.hub.intents()) == (0, 3, [])
    assert not floor.client.requests
    assert sizes[-1] - sizes[5] < 10_000


def test_coming_and_going_leaves_nothing_behind() -> None:
    """Following everything and nothing, ten thousand times in a second, adds nothing to remember or to look at."""
    floor = Floor()
    floor.subscribe(EVERYTHING)
    floor.open()
    for _ in range(10_000):
        floor.unsubscribe(EVERYTHING)
        floor.now += 0.0001
        floor.subscribe(EVERYTHING)
        floor.said()

    assert floor.hub.intents() == []
    assert len(floor.hub.lines) == 3
    assert len(floor.hub._agenda) < 50
    floor.unsubscribe(EVERYTHING)
    floor.later(IDLE_GRACE - 0.1)
    assert {floor.stage(symbol) for symbol in (A, B, C)} == {Stage.IDLE}
    floor.later(0.2)
    assert {floor.stage(symbol) for symbol in (A, B, C)} == {Stage.CLOSING}


def test_asking_and_calling_off_leaves_nothing_behind() -> None:
    """Asking for what is not bound yet, and calling it off, ten thousand times: as little as that."""
    floor = Floor()
    for _ in range(10_000):
        floor.subscribe(A, B, C)
        for intent in floor.hub.intents():
            assert isinstance(intent, Open)
        floor.unsubscribe(A, B, C)
        for symbol in (A, B, C):
            line = floor.hub.lines[symbol]
            assert not floor.hub.lines.begin(Open(symbol, line.attempt), floor.now)
        floor.said()

    assert len(floor.hub._agenda) < 50
    assert not floor.client.requests
    floor.later(RETAIN + 1)
    assert len(floor.hub.lines) == 0


def test_each_request_has_its_own_deadline() -> None:
    """Of two that wait, the older one is rejected after 10 s, and the newer one in its turn."""
    floor = Floor()
    floor.subscribe(A)
    floor.later(PATIENCE / 2)
    floor.subscribe(B, command_id=2)
    floor.later(PATIENCE / 2)
    assert floor.said() == [Subscribed(1, {}, {A: Rejection.FEED_UNAVAILABLE}, 0)]
    floor.later(PATIENCE / 2 - 0.1)
    assert floor.said() == []
    floor.later(0.2)
    assert floor.said() == [Subscribed(2, {}, {B: Rejection.FEED_UNAVAILABLE}, 0)]


def test_a_client_that_resumes_has_one_allowance() -> None:
    """Ticks of the past count for all symbols of a client, from its first resume on; of another's they do not."""
    floor = Floor()
    floor.hub = Hub(history=False, replay_ticks=60)
    floor.client, floor.outbox = floor.newcomer()
    other, _ = floor.newcomer()
    floor.hub.lines.connect(floor.now)
    floor.learn(instrument(A), instrument(B))
    floor.hub.subscribe(other, Subscribe(1, (A, B)), floor.now)
    floor.open()
    for symbol in (A, B):
        floor.live(symbol, 1, 50)
    floor.subscribe(C)
    assert floor.outbox.allowance is None

    floor.subscribe(A, command_id=3, resume={A: Position(1, 10)})
    floor.subscribe(B, command_id=4, resume={B: Position(1, 10)})
    assert [entry for entry in floor.said() if isinstance(entry, Gap)] == [
        Gap(B, 1, 31, None, GapReason.UNAVAILABLE)
    ]
    assert other.outbox.allowance is None


def test_a_glance() -> None:
    """Without following a symbol one sees what is known of it: its tape, whether ticks come, the newest mark."""
    floor = Floor()
    glance = floor.hub.lines.glance(A)
    assert (glance.bound, glance.newest, glance.mark, glance.current) == (False, None, None, False)
    floor.beat({A: 4})
    assert floor.hub.lines.glance(A).mark == Position(1, 4)
    floor.subscribe(A)
    floor.open()
    floor.live(A, 3)
    glance = floor.hub.lines.glance(A)
    assert (glance.bound, glance.newest, glance.current) == (True, (Position(1, 3), tick(A, 3)), False)
    floor.live(A, 4)
    assert floor.hub.lines.glance(A).current
    floor.hub.lines.disconnect(floor.now)
    glance = floor.hub.lines.glance(A)
    assert (glance.bound, glance.newest, glance.current) == (False, (Position(1, 4), tick(A, 4)), False)
