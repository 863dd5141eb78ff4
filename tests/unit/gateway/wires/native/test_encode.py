"""Outbox entries as payloads of the native wire."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.frames import (
    Accepted,
    Epoch,
    Error,
    Following,
    Frame,
    Gap,
    GapReason,
    Missing,
    NoSnapshot,
    Pong,
    Reconnect,
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
from gateway.wires.native.encode import FRAME_BYTES, encode, heartbeat, welcome
from services.market.day import Day
from services.market.directory import Instrument, SessionState
from services.market.position import Position
from services.market.symbol import Symbol
from services.market.tick import Tick
from services.market.wire import encode_tick, splice_skipped

A, B = Symbol("A"), Symbol("BRK.B")


def line(seq: int, symbol: Symbol = A) -> bytes:
    """A tick's bytes."""
    return encode_tick(Tick(seq, 1795000000000000 + seq, symbol, 23015, 100, 23014, 23016, 3, 1, 1200345, 2))


def one(*entries: bytes | Frame) -> dict[str, Any]:
    """Encode *entries* into what must be one payload."""
    (payload,) = encode(list(entries), 5)
    decoded: dict[str, Any] = json.loads(payload)
    return decoded


def today(symbol: Symbol, day: Day | None) -> Today:
    """A symbol's figures."""
    return Today(Instrument(symbol, "x", "X", "USD", 2, 1, 26_850, SessionState.OPEN, 1), day)


def test_figures_of_newcomers_share_a_frame_behind_their_snapshots() -> None:
    """Snapshots and figures of symbols followed together are one frame each, prices with all their decimals."""
    day = Day(1, 26_850, 26_862, 26_800, 5_000, 2, Position(7, 9))
    entries: list[bytes | Frame] = [
        Snapshot(A, 7, line(9)),
        today(A, day),
        Snapshot(B, 7, line(9, B)),
        today(B, None),
    ]
    snapshots, days = encode(entries, 5)

    assert [tick["symbol"] for tick in json.loads(snapshots)["data"]] == [A, B]
    assert b'"previous_close":268.50,"epoch":7,"seq":9,"open":268.50,"high":268.62,"low":268.00,' in days
    unknown = dict.fromkeys(("epoch", "seq", "open", "high", "low", "volume"))
    assert json.loads(days)["data"][B] == {"session": "open", "previous_close": 268.5, **unknown}


def test_many_figures_are_split() -> None:
    """Figures of thousands of symbols come in frames of at most 64 KiB."""
    day = Day(1, 10**15, 10**15, 10**15, 10**15, 9, Position(10**15, 10**15))
    payloads = encode([today(Symbol(f"{n:016}"), day) for n in range(1000)], 5)

    assert all(len(payload) <= FRAME_BYTES for payload in payloads)
    assert sum(len(json.loads(payload)["data"]) for payload in payloads) == 1000


def test_ticks_of_one_message_share_an_entry() -> None:
    """Consecutive ticks with a newline between are ticks like others, also where a frame is cut among them."""
    assert encode([b"\n".join([line(1), line(2)]), line(3)], 7) == encode([line(1), line(2), line(3)], 7)
    many = [line(seq) for seq in range(1, 1500)]
    payloads = encode([b"\n".join(many[:1000]), b"\n".join(many[1000:])], 7)
    assert max(map(len, payloads)) <= FRAME_BYTES
    assert payloads == encode(many, 7)
    assert encode([Pong(1), b"\n".join(many)], 7)[1:] == encode(many, 7)


def test_ticks_share_a_frame_untouched() -> None:
    """Ticks in a row are one frame that holds their very bytes."""
    lines = [line(1), splice_skipped(line(5), 3), line(1, B)]
    (payload,) = encode(lines, 7)
    assert payload == b'{"op":"ticks","sent":7,"data":[' + b",".join(lines) + b"]}"
    assert json.loads(payload)["data"][1]["skipped"] == 3


def test_nothing_is_no_frame() -> None:
    """An empty outbox says nothing."""
    assert encode([], 1) == []


@pytest.mark.parametrize("mixed", [False, True])
def test_many_ticks_are_split(mixed: bool) -> None:  # noqa: FBT001 - a parameter of the table above
    """Ticks of more than 64 KiB come in several frames, complete and in order, whether frames follow or not."""
    lines: list[bytes | Frame] = [line(seq) for seq in range(1, 2001)]
    payloads = encode([*lines, Pong(1)] if mixed else lines, 7)
    assert all(len(payload) <= FRAME_BYTES for payload in payloads)
    ticks = [json.loads(payload) for payload in payloads[: -1 if mixed else None]]
    assert [tick["seq"] for frame in ticks for tick in frame["data"]] == list(range(1, 2001))
    assert len(ticks) == -(-sum(len(entry) + 1 for entry in lines if isinstance(entry, bytes)) // FRAME_BYTES)


def test_order_is_kept() -> None:
    """A frame between ticks separates them."""
    payloads = encode([line(1), Epoch(A, 18), line(1), line(2), Pong(3)], 7)
    assert [json.loads(payload)["op"] for payload in payloads] == ["ticks", "epoch", "ticks", "pong"]


def test_snapshots_of_one_epoch_share_a_frame() -> None:
    """Snapshots and missing ones in a row are one frame while the epoch stays."""
    payloads = encode(
        [
            Snapshot(A, 17, line(9)),
            Missing(Symbol("IBM"), NoSnapshot.NEVER_TRADED),
            Snapshot(B, 17, line(4, B)),
            Snapshot(Symbol("F"), 18, line(1, Symbol("F"))),
        ],
        7,
    )
    first, second = map(json.loads, payloads)
    assert (first["op"], first["epoch"], first["none"]) == ("snapshot", 17, {"IBM": "never_traded"})
    assert [tick["symbol"] for tick in first["data"]] == ["A", "BRK.B"]
    assert (second["epoch"], len(second["data"]), second["none"]) == (18, 1, {})


def test_a_symbol_stands_once_in_a_snapshot() -> None:
    """A first tick that follows its own `none` comes in a frame after it, or the order would be lost."""
    payloads = encode([Missing(A, NoSnapshot.UNAVAILABLE), Snapshot(A, 17, line(1))], 7)
    first, second = map(json.loads, payloads)
    assert (first["epoch"], first["data"], first["none"]) == (None, [], {"A": "unavailable"})
    assert (second["epoch"], second["none"]) == (17, {})


def test_subscribed() -> None:
    """Each symbol has position (or nulls) and rate; rejections are named."""
    frame = Subscribed(
        7,
        {A: Accepted(Position(17, 1041), 5.0), B: Accepted(None, None)},
        {Symbol("ZZZZ"): Rejection.UNKNOWN_SYMBOL},
        3,
    )
    assert one(frame) == {
        "op": "subscribed",
        "id": 7,
        "symbols": {
            "A": {"epoch": 17, "seq": 1041, "max_rate": 5.0},
            "BRK.B": {"epoch": None, "seq": None, "max_rate": None},
        },
        "rejected": {"ZZZZ": "unknown_symbol"},
        "pending": 3,
    }


@pytest.mark.parametrize(
    ("frame", "fields"),
    [
        (Unsubscribed(1, (A,), None), {"op": "unsubscribed", "id": 1, "symbols": ["A"], "reason": None}),
        (
            Unsubscribed(None, (A,), "gone"),
            {"op": "unsubscribed", "id": None, "symbols": ["A"], "reason": "gone"},
        ),
        (
            Subscriptions(
                2,
                {
                    A: Subscription(Position(17, 3), 5.0, Following.BEHIND),
                    B: Subscription(None, None, Following.LIVE),
                },
            ),
            {
                "op": "subscriptions",
                "id": 2,
                "symbols": {
                    "A": {"cursor": {"epoch": 17, "seq": 3}, "max_rate": 5.0, "state": "behind"},
                    "BRK.B": {"cursor": None, "max_rate": None, "state": "live"},
                },
            },
        ),
        (
            Gap(A, 17, 4, 6, GapReason.LOST),
            {"op": "gap", "symbol": "A", "epoch": 17, "from": 4, "to": 6, "reason": "lost"},
        ),
        (
            Gap(A, 17, 4, None, GapReason.FORGOTTEN),
            {"op": "gap", "symbol": "A", "epoch": 17, "from": 4, "to": None, "reason": "forgotten"},
        ),
        (Epoch(A, 18), {"op": "epoch", "symbol": "A", "epoch": 18}),
        (
            Session(A, SessionState.HALTED, "news", 8),
            {"op": "session", "symbol": "A", "state": "halted", "reason": "news", "since": 8},
        ),
        (
            Status(live=False, since=8, shard="us"),
            {"op": "status", "feed": "stale", "since": 8, "shard": "us"},
        ),
        (
            Status(live=True, since=8, shard="us"),
            {"op": "status", "feed": "live", "since": 8, "shard": "us"},
        ),
        (Reconnect(250, "restart"), {"op": "reconnect", "in_ms": 250, "reason": "restart"}),
        (Pong(9), {"op": "pong", "id": 9, "server_time": 5}),
        (
            Error(None, "not_json", 'say "x"'),
            {"op": "error", "id": None, "code": "not_json", "message": 'say "x"'},
        ),
    ],
)
def test_every_frame(frame: Frame, fields: dict[str, Any]) -> None:
    """Each frame has its words, `op` first."""
    assert one(frame) == fields
    assert next(iter(one(frame))) == "op"


def test_long_lists_are_split() -> None:
    """Answers about very many symbols come in frames of at most 64 KiB that count what is left."""
    position = Position(2**53 - 1, 2**53 - 1)
    names = [Symbol(f"{n:A>16}") for n in range(10_000)]
    listed = Subscriptions(1, {n: Subscription(position, 33.333333333333336, Following.CONFLATING) for n in names})
    for frame in (listed, Unsubscribed(1, tuple(names), "directory")):
        payloads = encode([frame], 1)
        assert all(len(payload) <= FRAME_BYTES for payload in payloads)
        answers = list(map(json.loads, payloads))
        assert [name for answer in answers for name in answer["symbols"]] == names
        left = len(names)
        for answer in answers:
            left -= len(answer["symbols"])
            assert answer.get("pending", 0) == left


def test_welcome_and_heartbeat() -> None:
    """The two payloads that come without an outbox."""
    assert json.loads(welcome("s", sent_us=5, live=True, auth="none", limits={"symbols": 3}, heartbeat_s=15)) == {
        "op": "welcome",
        "protocol": 1,
        "session": "s",
        "server_time": 5,
        "heartbeat": 15,
        "limits": {"symbols": 3},
        "feed": "live",
        "auth": "none",
    }
    assert json.loads(heartbeat(6)) == {"op": "heartbeat", "sent": 6}


SYMBOLS = st.sampled_from([A, B, Symbol("IBM"), Symbol("X" * 16)])
ENTRIES = st.one_of(
    st.builds(line, st.integers(1, 10**15), SYMBOLS),
    st.builds(lambda seq, symbol: splice_skipped(line(seq, symbol), 7), st.integers(1, 10**9), SYMBOLS),
    st.builds(
        lambda symbol, epoch, seq: Snapshot(symbol, epoch, line(seq, symbol)),
        SYMBOLS,
        st.integers(1, 3),
        st.integers(1, 9),
    ),
    st.builds(Missing, SYMBOLS, st.sampled_from(NoSnapshot)),
    st.builds(Pong, st.integers(1, 9)),
    st.builds(Error, st.none(), st.just("bad_id"), st.text(max_size=100)),
)


@settings(max_examples=50)
@given(st.lists(st.tuples(ENTRIES, st.sampled_from([1, 1, 1, 400])), max_size=6), st.integers(1, 2**53))
def test_all_is_said_in_order(runs: list[tuple[bytes | Frame, int]], sent_us: int) -> None:
    """Whatever waits, each payload is JSON of at most 64 KiB, and they say it all, per symbol in order."""
    entries = [entry for entry, times in runs for _ in range(times)]
    said: list[tuple[str, str, object]] = []
    for payload in encode(entries, sent_us):
        assert len(payload) <= FRAME_BYTES
        frame = json.loads(payload)
        match frame["op"]:
            case "ticks":
                assert frame["sent"] == sent_us
                said += [("tick", tick["symbol"], tick["seq"]) for tick in frame["data"]]
            case "snapshot":
                names = [tick["symbol"] for tick in frame["data"]] + list(frame["none"])
                assert len(names) == len(set(names))
                said += [("snapshot", tick["symbol"], (frame["epoch"], tick["seq"])) for tick in frame["data"]]
                said += [("none", symbol, reason) for symbol, reason in frame["none"].items()]
            case op:
                said.append((op, "", frame["id"]))
    for symbol in ("A", "BRK.B", "IBM", "X" * 16, ""):
        assert [entry for entry in said if entry[1] == symbol] == [
            entry for entry in map(meaning, entries) if entry[1] == symbol
        ]


@cache
def meaning(entry: bytes | Frame) -> tuple[str, str, object]:
    """Kind, symbol and content of *entry*."""
    match entry:
        case bytes():
            tick = json.loads(entry)
            return "tick", tick["symbol"], tick["seq"]
        case Snapshot(symbol, epoch, tick):
            return "snapshot", symbol, (epoch, json.loads(tick)["seq"])
        case Missing(symbol, reason):
            return "none", symbol, reason.value
        case Pong(command_id):
            return "pong", "", command_id
    return "error", "", None
