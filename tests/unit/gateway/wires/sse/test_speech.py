"""What a stream says: events, and with each the place that it takes its client to."""

from __future__ import annotations

import json

import pytest

from gateway.frames import (
    Accepted,
    Epoch,
    Error,
    Frame,
    Gap,
    GapReason,
    Missing,
    NoSnapshot,
    Reconnect,
    Rejection,
    Snapshot,
    Status,
    Subscribed,
    Unsubscribed,
)
from gateway.frames import Session as Trading
from gateway.wires.sse import eventid, speech
from gateway.wires.sse.speech import EVENT_BYTES, LEAST_RETRY_MS, Speech
from services.market.directory import SessionState
from services.market.position import Position
from services.market.symbol import Symbol
from tests.listeners import line

AAPL, MSFT = Symbol("AAPL"), Symbol("MSFT")
BOTH = (AAPL, MSFT)
E = 1_795_000_000_000


def told(event: bytes) -> dict[str, str]:
    """Return the fields of one event."""
    assert event.endswith(b"\n\n")
    assert b"\n\n" not in event[:-2]
    fields = (part.partition(": ") for part in event.decode().splitlines() if part)
    return {name: value for name, _, value in fields}


def place(**seqs: int | None) -> str:
    """Return the id of these positions."""
    return eventid.encode(
        BOTH, {Symbol(s): Position(E, seq) for s, seq in seqs.items() if seq is not None}
    ).decode()


@pytest.fixture(name="words")
def _words() -> Speech:
    """A stream of two symbols, one of which is resumed."""
    return Speech(BOTH, {AAPL: Position(E, 9)})


def test_ticks(words: Speech) -> None:
    """Ticks in a row, grouped or not, are one event: an array with the very bytes, and where it ends."""
    words.places.move(MSFT, Position(E, 4))
    lines = [line("AAPL", 10), line("MSFT", 5), line("AAPL", 11), line("AAPL", 12)]

    (event,) = words.encode([lines[0], lines[1], b"\n".join(lines[2:])], 7)

    assert told(event) == {
        "event": "ticks",
        "id": place(AAPL=12, MSFT=5),
        "data": f"[{b','.join(lines).decode()}]",
    }


def test_each_event_has_its_own_place(words: Speech) -> None:
    """What one write says is several events; an id promises no more than was said before it."""
    accepted = {AAPL: Accepted(Position(E, 9), None), MSFT: Accepted(None, None)}
    entries: list[bytes | Frame] = [
        Subscribed(1, accepted, {}, 0),
        Snapshot(MSFT, E, line("MSFT", 4)),
        line("AAPL", 10),
        Gap(AAPL, E, 11, 15, GapReason.LOST),
        line("MSFT", 5),
        Epoch(AAPL, E + 5),
        line("AAPL", 1),
        Gap(MSFT, E, 6, None, GapReason.FORGOTTEN),
        Unsubscribed(None, (AAPL,), "delisted"),
    ]

    events = [told(event) for event in words.encode(entries, 7)]

    later = [{AAPL: Position(E + 5, seq), MSFT: Position(E, 5)} for seq in (0, 1)]
    assert [(event["event"], event["id"]) for event in events] == [
        ("subscribed", place(AAPL=9)),
        ("snapshot", place(AAPL=9, MSFT=4)),
        ("ticks", place(AAPL=10, MSFT=4)),
        ("gap", place(AAPL=15, MSFT=4)),
        ("ticks", place(AAPL=15, MSFT=5)),
        ("epoch", eventid.encode(BOTH, later[0]).decode()),
        ("ticks", eventid.encode(BOTH, later[1]).decode()),
        ("gap", eventid.encode(BOTH, {AAPL: Position(E + 5, 1)}).decode()),
        ("unsubscribed", place()),
    ]
    assert [json.loads(event["data"])["op"] for event in events if event["event"] != "ticks"] == [
        event["event"] for event in events if event["event"] != "ticks"
    ]


def test_no_place(words: Speech) -> None:
    """What moves no cursor has no id: after it a client still has the one of the event before."""
    entries: list[bytes | Frame] = [
        Status(live=False, since=5, shard="main"),
        Trading(AAPL, SessionState.HALTED, None, 5),
        Error(None, "too_many_symbols", "too many"),
    ]

    events = [told(event) for event in words.encode(entries, 7)]

    assert [event["event"] for event in events] == ["status", "session", "error"]
    assert all("id" not in event for event in events)


def test_missing(words: Speech) -> None:
    """A symbol without a snapshot is in a `snapshot` event without its tick, and stands nowhere."""
    (event,) = words.encode([Missing(MSFT, NoSnapshot.NEVER_TRADED)], 7)

    assert told(event)["id"] == place(AAPL=9)
    assert json.loads(told(event)["data"])["none"] == {"MSFT": "never_traded"}


def test_rejections(words: Speech) -> None:
    """Each symbol that is not followed has an error of its own; one that may come yet is kept in mind."""
    rejected = {AAPL: Rejection.FEED_UNAVAILABLE, MSFT: Rejection.UNKNOWN_SYMBOL}

    events = [told(event) for event in words.encode([Subscribed(1, {}, rejected, 0)], 7)]

    assert [event["event"] for event in events] == ["subscribed", "error", "error"]
    assert events[0]["id"] == place(AAPL=9)
    assert [(e["code"], e["symbol"]) for e in (json.loads(event["data"]) for event in events[1:])] == [
        ("feed_unavailable", "AAPL"),
        ("unknown_symbol", "MSFT"),
    ]
    assert (words.unavailable, words.resettled) == ([AAPL], True)


@pytest.mark.parametrize(("in_ms", "wait"), [(0, LEAST_RETRY_MS), (4_321, 4_321)])
def test_reconnect(words: Speech, in_ms: int, wait: int) -> None:
    """A client that shall go elsewhere is told in the field that browsers obey, too, and never 0."""
    assert not words.leaving

    (event,) = words.encode([Reconnect(in_ms, "restart")], 7)

    assert told(event)["retry"] == str(wait)
    assert words.leaving


def test_long_ticks(words: Speech) -> None:
    """An event holds at most 64 KiB of ticks, each with the place behind its last one."""
    lines = [line("AAPL", seq) for seq in range(10, 1_010)]

    events = [told(event) for event in words.encode([b"\n".join(lines)], 7)]

    parts = [json.loads(event["data"]) for event in events]
    assert [tick["seq"] for part in parts for tick in part] == list(range(10, 1_010))
    assert [event["id"] for event in events] == [place(AAPL=part[-1]["seq"]) for part in parts]
    assert len(events) == 3
    assert max(len(event["data"]) for event in events) <= EVENT_BYTES


def test_chunks() -> None:
    """For HTTP/1.1 each payload is a chunk, for HTTP/1.0 it is what it is."""
    chunked, plain = Speech(BOTH, {}), Speech(BOTH, {}, chunked=False)

    assert chunked.frame(chunked.heartbeat(7)) == b"e\r\n: keep-alive\n\n\r\n"
    assert chunked.end == b"0\r\n\r\n"
    assert plain.frame(plain.heartbeat(7)) == b": keep-alive\n\n"
    assert plain.end == b""


def test_words_past_the_outbox() -> None:
    """The time to wait, and errors about the whole stream, are blocks of their own."""
    assert speech.retry(1_500) == b"retry: 1500\n\n"
    assert json.loads(told(speech.error("busy", "full"))["data"]) == {
        "op": "error",
        "id": None,
        "code": "busy",
        "message": "full",
    }
