"""The AsyncAPI document against the code that it describes, and against docs/protocol.md."""

from __future__ import annotations

import dataclasses
import json
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import commands, frames
from gateway.counters import Op
from gateway.wires.native.encode import encode
from gateway.wires.native.faults import CommandFault
from gateway.wires.native.parse import parse
from gateway.wires.native.stream import SUBPROTOCOL
from gateway.wires.spec import asyncapi as written
from gateway.wires.spec import samples
from gateway.wires.spec.asyncapi import asyncapi
from gateway.wires.spec.bounds import Bounds
from gateway.wires.spec.commands import commands as command_messages
from gateway.wires.spec.frames import frames as frame_messages
from services.market.symbol import Symbol
from tests.schemas import Strict, references, resolve, section

BOUNDS = Bounds(version="1.2.3", max_symbols=1000, tokens=True, tickets=True)
DOCUMENT = asyncapi(BOUNDS)
STRICT = Strict(DOCUMENT)
PAGE = (Path(__file__).parents[5] / "docs" / "protocol.md").read_text(encoding="utf-8")
COMMANDS = {message.name: message for message in command_messages(BOUNDS)}
FRAMES = {message.name: message for message in frame_messages()}


def _by_op(value: dict[str, Any]) -> list[str]:
    """Return what is wrong with *value* by each message of its op; nothing: one of them has it."""
    named = [m for m in DOCUMENT["components"]["messages"].values() if m["name"] == value["op"]]
    assert named, f"no message has the op {value['op']}"
    faults = [STRICT.faults(message["payload"], value) for message in named]
    return [] if [] in faults else [fault for found in faults for fault in found]


def _examples_of_the_page() -> Iterator[dict[str, Any]]:
    for block in re.findall(r"^```json\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE):
        yield from (found for line in block.splitlines() if "op" in (found := json.loads(line)))


def test_every_reference_leads_somewhere() -> None:
    """Each `$ref` of the document names a part of it."""
    found = list(references(DOCUMENT))

    assert len(found) > 50
    for reference in found:
        assert resolve(DOCUMENT, reference), reference


def test_commands_and_frames_of_the_code() -> None:
    """Every command that a gateway obeys, and every frame that it may say, is a message; there are no others."""
    assert {message.op for message in COMMANDS.values()} == {op.value for op in Op if op is not Op.INVALID}
    assert {type(frame) for kind in samples.SAID.values() for frame in kind if not isinstance(frame, bytes)} == {
        *typing.get_args(frames.Frame)
    }
    assert set(FRAMES) == {*samples.SAID, "welcome", "heartbeat"}


def test_messages_and_sections_of_the_page() -> None:
    """docs/protocol.md has a section for each message, and no other."""
    for heading, messages in (("## Commands", COMMANDS), ("## What the gateway says", FRAMES)):
        named = set(re.findall(r"^### (\w+)$", section(PAGE, heading), re.MULTILINE))
        assert named == {message.op for message in messages.values()}


def test_examples_of_the_page() -> None:
    """Every example of docs/protocol.md is one that its message's schema takes, without a field too many."""
    examples = list(_examples_of_the_page())

    assert len(examples) > 30
    for example in examples:
        assert _by_op(example) == [], example


@pytest.mark.parametrize("message", [*COMMANDS.values(), *FRAMES.values()], ids=lambda m: m.name)
def test_examples_of_the_document(message: Any) -> None:
    """Each message has an example, and each of its examples is one by its own schema."""
    assert message.examples
    for example in message.examples:
        assert STRICT.faults(message.schema, example) == []


def test_examples_are_obeyed() -> None:
    """What the document shows as a command is one to the parser, which reads each of its fields."""
    for message in COMMANDS.values():
        kinds = {type(parse(json.dumps(example), max_symbols=1000).command) for example in message.examples}
        (kind,) = kinds
        names = {field.name for field in dataclasses.fields(kind)}
        names = {"candles" if name == "step" else name for name in names}
        assert set(message.schema["properties"]) == {"op", *names}, message.name


@pytest.mark.parametrize(
    "bad",
    [
        {"op": "subscribe", "symbols": ["AAPL"]},
        {"op": "subscribe", "id": 0, "symbols": ["AAPL"]},
        {"op": "subscribe", "id": 2**53, "symbols": ["AAPL"]},
        {"op": "subscribe", "id": "1", "symbols": ["AAPL"]},
        {"op": "subscribe", "id": 1, "symbols": []},
        {"op": "subscribe", "id": 1, "symbols": "AAPL"},
        {"op": "subscribe", "id": 1, "symbols": ["aapl"]},
        {"op": "subscribe", "id": 1, "symbols": ["*", "AAPL"]},
        {"op": "subscribe", "id": 1, "symbols": [f"S{n}" for n in range(1001)]},
        {"op": "subscribe", "id": 1, "symbols": ["AAPL"], "max_rate": 0.05},
        {"op": "subscribe", "id": 1, "symbols": ["AAPL"], "max_rate": 101},
        {"op": "subscribe", "id": 1, "symbols": ["AAPL"], "snapshot": 1},
        {"op": "subscribe", "id": 1, "symbols": ["AAPL"], "candles": "5m"},
        {"op": "subscribe", "id": 1, "symbols": ["AAPL"], "candles": 60},
        {"op": "subscribe", "id": 1, "symbols": ["*"], "candles": "1s"},
        {"op": "subscribe", "id": 1, "symbols": ["AAPL"], "candles": "1s", "history": 501},
        {"op": "unsubscribe", "id": 1, "symbols": ["AAPL"], "candles": "5m"},
        {"op": "unsubscribe", "id": 1},
        {"op": "list"},
        {"op": "ping", "id": 1.5},
        {"op": "auth", "id": 1, "token": ""},
        {"op": "auth", "id": 1},
    ],
    ids=json.dumps,
)
def test_what_the_parser_refuses(bad: dict[str, Any]) -> None:
    """A command that the parser refuses is none by the document either."""
    with pytest.raises(CommandFault):
        parse(json.dumps(bad), max_symbols=1000)
    assert _by_op(bad)


def test_bad_resume() -> None:
    """A resume that the parser complains of is none by the document either."""
    for entry in ({"epoch": 0, "seq": 1}, {"epoch": 1, "seq": -1}, {"seq": 1}, 5):
        bad = {"op": "subscribe", "id": 1, "symbols": ["AAPL"], "resume": {"AAPL": entry}}
        assert parse(json.dumps(bad), max_symbols=1000).fault is not None
        assert _by_op(bad)


def test_split_answers() -> None:
    """The parts of an answer that is too long for one frame are ones by the document."""
    names = tuple(Symbol(f"S{number}") for number in range(3500))
    entries: list[bytes | frames.Frame] = [
        frames.Unsubscribed(1, names, None),
        frames.Subscriptions(2, {name: frames.Subscription(None, None, frames.Following.LIVE) for name in names}),
    ]
    said = [json.loads(payload) for payload in encode(entries, samples.MOMENT.us)]

    assert len(said) > 4
    assert [fault for frame in said for fault in _by_op(frame)] == []


def _cells(heading: str) -> dict[str, list[str]]:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section(PAGE, heading).splitlines()]
    return {row[0].strip("`"): row for row in rows if re.fullmatch(r"`.*`|\d+", row[0])}


@pytest.mark.parametrize("name", ["error codes", "rejections", "gap reasons", "no snapshot"])
def test_closed_lists(name: str) -> None:
    """The closed lists have the values and the sentences of docs/protocol.md."""
    of_page = {value: row[1] for value, row in _cells(f"### {name.capitalize()}").items()}

    assert {entry["value"]: entry["meaning"] for entry in DOCUMENT["x-closed-lists"][name]} == of_page


def test_close_codes() -> None:
    """The close codes have the sentences of docs/protocol.md."""
    of_page = {int(code): tuple(row[1:]) for code, row in _cells("### Close codes").items()}
    codes = DOCUMENT["channels"]["stream"]["x-close-codes"]

    assert {
        close["code"]: (close["reason"], "yes" if close["reconnect"] else "no", close["when"]) for close in codes
    } == of_page


def test_subprotocol() -> None:
    """The subprotocol is the one that the gateway speaks."""
    assert written.SUBPROTOCOL == SUBPROTOCOL


def test_without_tokens() -> None:
    """A gateway that asks for no token has a document that asks for none."""
    document = asyncapi(BOUNDS._replace(tokens=False))

    assert "security" not in document["servers"]["gateway"]
    assert DOCUMENT["servers"]["gateway"]["security"]


def test_commands_have_every_dataclass() -> None:
    """Every dataclass of a command has a message."""
    kinds = {type(parse(json.dumps(e), max_symbols=9).command) for m in COMMANDS.values() for e in m.examples}

    assert kinds == set(typing.get_args(commands.Command))
