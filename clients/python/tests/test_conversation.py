"""What a client says next, and what frames do to it: without a socket."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scripted import LIMITS, frame, snapshot, subscribed, tick, ticks, welcome
from tickwire_client.commands import Commands, shown
from tickwire_client.conversation import FIRST_PINGS, PING_S, RETRY_S, Conversation, Malformed
from tickwire_client.cursor import Position
from tickwire_client.events import Complaint, Rejection, TokenWanted, Violation
from tickwire_client.tick import Tick


def _connected(**limits: object) -> Conversation:
    conversation = Conversation()
    conversation.connected()
    conversation.take(welcome(limits={**LIMITS, **limits}), 0, 0)
    return conversation


def _said(conversation: Conversation, now: float = 0.0) -> list[dict[str, Any]]:
    commands = [json.loads(text) for text in conversation.commands(now, 0)[0]]
    return [command for command in commands if command["op"] != "ping"]


def _reconnect(conversation: Conversation) -> None:
    conversation.disconnected()
    conversation.connected()
    conversation.take(welcome(), 0, 0)


def test_one_command_for_all_that_is_alike() -> None:
    """Symbols with the same rate go into one command; nothing is asked twice."""
    conversation = _connected()
    for symbol, rate in (("A", None), ("B", 5.0), ("C", None)):
        conversation.follows.want(symbol, rate)

    commands = [{**command, "id": 0} for command in _said(conversation)]
    assert commands == [
        {"op": "subscribe", "id": 0, "symbols": ["A", "C"]},
        {"op": "subscribe", "id": 0, "symbols": ["B"], "max_rate": 5.0},
    ]
    assert _said(conversation, 100) == []


def test_resume_in_few_commands() -> None:
    """Cursors go into as few commands as the gateway's limit of bytes allows."""
    conversation = _connected(message_bytes=4096)
    symbols = [f"SYMBOL{n:03}" for n in range(150)]
    for symbol in symbols:
        conversation.follows.want(symbol, None)
    identities = [command["id"] for command in _said(conversation)]
    for identity in identities:
        conversation.take(subscribed(identity, {}, **dict.fromkeys(symbols)), 0, 0)
    conversation.take(snapshot(1795391604618, *(tick(symbol, 5) for symbol in symbols)), 0, 0)
    conversation.disconnected()
    conversation.connected()
    conversation.take(welcome(limits={**LIMITS, "message_bytes": 4096}), 0, 0)
    texts = conversation.commands(0, 0)[0]
    commands = [json.loads(text) for text in texts if "subscribe" in text]

    assert max(map(len, texts)) <= 4096
    assert len(commands) == 3
    assert [symbol for command in commands for symbol in command["symbols"]] == symbols
    assert commands[0]["resume"]["SYMBOL000"] == {"epoch": 1795391604618, "seq": 5}


def test_rate_changes_live() -> None:
    """A new rate of a symbol that is followed is one more subscribe, without a position."""
    conversation = _connected()
    conversation.follows.want("A", 5.0)
    (first,) = _said(conversation)
    conversation.take(subscribed(first["id"], {}, A=(7, 1)), 0, 0)
    conversation.follows.want("A", None)

    (second,) = _said(conversation)
    assert second == {"op": "subscribe", "id": second["id"], "symbols": ["A"]}


def test_nothing_of_an_ended_subscription_reaches_the_next() -> None:
    """A symbol that is wanted again begins only after the gateway has ended it."""
    conversation = _connected()
    conversation.follows.want("A", None)
    (first,) = _said(conversation)
    conversation.take(subscribed(first["id"], {}, A=None), 0, 0)
    conversation.take(snapshot(7, tick("A", 5)), 0, 0)
    conversation.follows.leave("A")
    conversation.follows.want("A", None, start=Position(7, 2))
    (end,) = _said(conversation)
    assert (end["op"], end["symbols"]) == ("unsubscribe", ["A"])

    assert conversation.take(ticks(tick("A", 6)), 0, 0) == []
    assert _said(conversation) == []
    conversation.take(frame("unsubscribed", id=end["id"], symbols=["A"], reason=None), 0, 0)
    (again,) = _said(conversation)
    assert again["resume"] == {"A": {"epoch": 7, "seq": 2}}


def test_wanted_and_left_before_a_connection() -> None:
    """What was left before it was asked for is never said."""
    conversation = Conversation()
    conversation.follows.want("A", None)
    conversation.follows.leave("A")
    conversation.connected()
    conversation.take(welcome(), 0, 0)

    assert _said(conversation) == []


def test_feed_unavailable_is_asked_again() -> None:
    """A symbol that cannot be served now is asked for again after a while."""
    conversation = _connected()
    conversation.follows.want("A", None)
    (first,) = _said(conversation)

    assert conversation.take(subscribed(first["id"], {"A": "feed_unavailable"}), 100, 0) == []
    assert _said(conversation, 100 + RETRY_S / 2) == []
    assert len(_said(conversation, 100 + RETRY_S)) == 1


def test_known_symbol_that_is_unknown_elsewhere() -> None:
    """A symbol that was served before is not misspelled: another gateway's no is asked again, from there."""
    conversation = _connected()
    conversation.follows.want("A", None)
    (first,) = _said(conversation)
    conversation.take(subscribed(first["id"], {}, A=None), 0, 0)
    conversation.take(snapshot(7, tick("A", 5)), 0, 0)
    _reconnect(conversation)
    (second,) = _said(conversation)

    assert conversation.take(subscribed(second["id"], {"A": "unknown_symbol"}), 0, 0) == []
    (third,) = _said(conversation, RETRY_S)
    assert third["resume"] == {"A": {"epoch": 7, "seq": 5}}


def test_delisted_is_asked_again() -> None:
    """What the gateway ended by itself is asked for again, from the position."""
    conversation = _connected()
    conversation.follows.want("A", None)
    (first,) = _said(conversation)
    conversation.take(subscribed(first["id"], {}, A=None), 0, 0)
    conversation.take(snapshot(7, tick("A", 5)), 0, 0)
    conversation.take(frame("unsubscribed", id=None, symbols=["A"], reason="delisted"), 0, 0)

    assert _said(conversation) == []
    (again,) = _said(conversation, RETRY_S)
    assert again["resume"] == {"A": {"epoch": 7, "seq": 5}}


def test_command_that_is_refused() -> None:
    """An error to a subscribe is a rejection of all its symbols; a bad resume is only told."""
    conversation = _connected()
    conversation.follows.want("A", None)
    (first,) = _said(conversation)

    complaint = Complaint("bad_resume", "why")
    assert conversation.take(frame("error", id=first["id"], code="bad_resume", message="why"), 0, 0) == [complaint]
    assert conversation.take(frame("error", id=first["id"], code="too_many_symbols", message="x"), 0, 0) == [
        Complaint("too_many_symbols", "x"),
        Rejection("A", "too_many_symbols"),
    ]


def test_beyond_the_limit() -> None:
    """What one connection cannot hold is rejected here, so that the rest of the command is obeyed."""
    conversation = _connected(symbols=2)
    for symbol in "ABC":
        conversation.follows.want(symbol, None)
    texts, rejected = conversation.commands(0, 0)

    assert rejected == [Rejection("C", "too_many_symbols")]
    assert json.loads(texts[0])["symbols"] == ["A", "B"]


def test_everything() -> None:
    """`*` takes up what the gateway names, also later, and resumes each of them by name."""
    conversation = _connected()
    conversation.follows.want("*", None)
    (first,) = _said(conversation)
    assert first["symbols"] == ["*"]
    conversation.take(subscribed(first["id"], {}, A=None), 0, 0)
    conversation.take(subscribed(first["id"], {}, B=None), 0, 0)
    brought = conversation.take(snapshot(7, tick("A", 5), tick("B", 2)), 0, 0)
    assert [item.symbol for item in brought if isinstance(item, Tick)] == ["A", "B"]
    assert _said(conversation) == []

    _reconnect(conversation)
    named, everything = _said(conversation)
    assert (named["symbols"], everything["symbols"]) == (["A", "B"], ["*"])
    assert named["resume"]["B"] == {"epoch": 7, "seq": 2}


def test_leaving_everything_but_one() -> None:
    """Who leaves `*` and still names a symbol gets that one again, from where it was."""
    conversation = _connected()
    conversation.follows.want("*", None)
    conversation.follows.want("A", None)
    for command in _said(conversation):
        conversation.take(subscribed(command["id"], {}, A=None), 0, 0)
    conversation.take(snapshot(7, tick("A", 5)), 0, 0)
    conversation.follows.leave("*")
    (end,) = _said(conversation)
    assert end["symbols"] == ["*"]
    conversation.take(frame("unsubscribed", id=end["id"], symbols=["A"], reason=None), 0, 0)

    (again,) = _said(conversation)
    assert (again["symbols"], again["resume"]) == (["A"], {"A": {"epoch": 7, "seq": 5}})


def test_pings() -> None:
    """Four pings come at the start, then one every 30 s; each pong is a sample."""
    conversation = _connected()
    times, now = [], 0.0
    while now < 100:
        for text in conversation.commands(now, int(now * 1e6))[0]:
            times.append(now)
            conversation.take(
                frame("pong", id=json.loads(text)["id"], server_time=int(now * 1e6) + 5_000_000),
                now,
                int(now * 1e6) + 10,
            )
        now = max(conversation.due(now), now + 0.01)

    assert times[:FIRST_PINGS] == pytest.approx([0, 0.25, 0.5, 0.75])
    assert times[FIRST_PINGS] == pytest.approx(0.75 + PING_S)
    assert (conversation.clock.offset_us, conversation.clock.rtt_us) == (4_999_995, 10)


def test_commands_within_the_limit() -> None:
    """However much changes, commands are sent no faster than the gateway allows."""
    conversation = _connected(commands_per_s=10, command_burst=10)
    sent = []
    for n in range(200):
        conversation.follows.want("A", 1.0 + n)
        sent += conversation.commands(n / 1000, 0)[0]

    assert len(sent) <= 10
    assert conversation.due(0.2) > 0.2


def test_token_wanted() -> None:
    """A gateway that asks for a token gets it in an `auth`, and only pings besides until it is satisfied."""
    conversation = Conversation()
    conversation.connected()
    conversation.follows.want("A", None)

    assert TokenWanted(required=True) in conversation.take(welcome(auth="required"), 0, 0)
    assert _said(conversation) == []
    assert conversation.due(1) >= 1
    conversation.authorize("x")
    (command,) = _said(conversation)
    assert command == {"op": "auth", "id": command["id"], "token": "x"}
    assert _said(conversation) == []
    conversation.take(frame("authorized", id=command["id"], expires=1, limits={}), 0, 0)
    assert [command["op"] for command in _said(conversation)] == ["subscribe"]


def test_token_expires() -> None:
    """A gateway that says that the token expires gets another one, and its limits are the new ones."""
    conversation = _connected()

    wanted = conversation.take(frame("authorized", expires=1, limits={"symbols": 1}), 0, 0)

    assert wanted == [TokenWanted()]
    conversation.follows.want("A", None)
    conversation.follows.want("B", None)
    assert conversation.commands(0, 0)[1] == [Rejection("B", "too_many_symbols")]


@pytest.mark.parametrize("reason", ["not_entitled", "delayed_unavailable"])
def test_not_entitled(reason: str) -> None:
    """What the token does not allow, or allows no longer, is told once and never asked for again."""
    conversation = _connected()
    conversation.follows.want("A", None)
    conversation.follows.want("B", None)
    (first,) = _said(conversation)

    refused = conversation.take(subscribed(first["id"], {"B": reason}, A=(7, 5)), 0, 0)
    conversation.take(ticks(tick("A", 6)), 0, 0)
    shrunk = conversation.take(frame("unsubscribed", id=None, symbols=["A"], reason=reason), 0, 0)

    assert refused == [Rejection("B", reason)]
    assert shrunk == [Rejection("A", reason)]
    assert _said(conversation, 10 * RETRY_S) == []
    _reconnect(conversation)
    assert _said(conversation, 10 * RETRY_S) == []


def test_command_as_recorded() -> None:
    """A command is recorded as it was sent, but for the token."""
    commands = Commands()

    assert json.loads(shown(commands.auth("secret")[1])) == {"op": "auth", "id": 1, "token": "…"}
    text = commands.unsubscribe(["A"])[1]
    assert shown(text) == text


def test_hole_is_a_violation() -> None:
    """A tick that does not follow is told as a violation and handed out."""
    conversation = _connected()
    conversation.follows.want("A", None)
    (first,) = _said(conversation)
    conversation.take(subscribed(first["id"], {}, A=(7, 5)), 0, 0)
    violation, found = conversation.take(ticks(tick("A", 9)), 0, 0)

    assert violation == Violation("A", "ticks", "seq 9")
    assert isinstance(found, Tick)
    assert conversation.violations == 1


def test_strangers_are_ignored() -> None:
    """Frames of a later gateway and symbols of nobody change nothing."""
    conversation = _connected()
    for text in (
        frame("fireworks", colour="red"),
        ticks(tick("IBM", 1)),
        snapshot(7, tick("IBM", 1)),
        frame("gap", symbol="IBM", epoch=1, first=1, last=2, reason="lost"),
        frame("epoch", symbol="IBM", epoch=1),
        frame("session", symbol="IBM", state="open"),
        frame("day", data={"IBM": None}),
        frame("heartbeat", sent=1),
    ):
        assert conversation.take(text, 0, 0) == []


@pytest.mark.parametrize("text", ["", "[", "{}", "[]", '{"op":"ticks"}', "7", '{"op":"welcome","protocol":2}'])
def test_malformed_frames(text: str) -> None:
    """What is no frame of this protocol raises the documented error."""
    with pytest.raises(Malformed):
        _connected().take(text, 0, 0)


def test_first_frame_must_be_welcome() -> None:
    """A server whose first frame is another one is none of ours."""
    conversation = Conversation()
    conversation.connected()

    with pytest.raises(Malformed, match="not welcome"):
        conversation.take(frame("heartbeat", sent=1), 0, 0)
