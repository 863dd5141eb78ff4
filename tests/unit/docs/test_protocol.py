"""docs/protocol.md against the enums and tables of the code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

import pytest

from gateway.closing import OTHER, SEEN, TABLE, Close
from gateway.counters import Op
from gateway.frames import GapReason, NoSnapshot, Rejection
from gateway.settings import GatewaySettings
from gateway.wires.native.encode import FRAME_BYTES, HEARTBEAT_S
from gateway.wires.native.faults import ErrorCode

PAGE = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text(encoding="utf-8")

SAID = {
    *("welcome", "authorized", "subscribed", "unsubscribed", "subscriptions", "snapshot", "ticks", "gap", "epoch"),
    *("day", "candles", "session", "status", "heartbeat", "reconnect", "pong", "error"),
}


def _section(heading: str) -> str:
    """Return what stands under *heading*, up to the next heading of its level or a higher one."""
    level = heading.index(" ")
    found = re.search(rf"^{re.escape(heading)}\n(.*?)(?=^#{{1,{level}}} |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None, f"{heading} is missing"
    return found[1]


def _rows(text: str) -> list[list[str]]:
    """Return the cells of every table row whose first cell is code or a number."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    return [row for row in rows if re.fullmatch(r"`.*`|\d+", row[0])]


@pytest.mark.parametrize(
    ("heading", "values"),
    [
        ("### Error codes", ErrorCode),
        ("### Rejections", Rejection),
        ("### Gap reasons", GapReason),
        ("### No snapshot", NoSnapshot),
    ],
)
def test_closed_lists(heading: str, values: type[StrEnum]) -> None:
    """Each closed list has exactly the values of its enum, in their order."""
    assert [row[0].strip("`") for row in _rows(_section(heading))] == [value.value for value in values]


def test_close_codes() -> None:
    """The close codes, their words, and who comes back, are those of `gateway.closing`, in its order."""
    rows = _rows(_section("### Close codes"))

    assert [tuple(row[:3]) for row in rows] == [_row(c) for c in (*TABLE, *SEEN) if c is not OTHER]


def _row(close: Close) -> tuple[str, str, str]:
    return str(close.code), close.reason, "yes" if close.reconnect else "no"


def test_commands_and_frames() -> None:
    """Every command and every frame has a section with an example of its own `op`."""
    commands = {op.value for op in Op if op is not Op.INVALID}

    assert _described("## Commands") == commands
    assert _described("## What the gateway says") == SAID


def _described(heading: str) -> set[str]:
    names = re.findall(r"^### (\w+)$", _section(heading), re.MULTILINE)
    for name in names:
        examples = list(_examples(_section(f"### {name}")))
        assert examples, f"{name} has no example"
        assert {example["op"] for example in examples} == {name}
    return set(names)


def _examples(text: str) -> Iterable[dict[str, object]]:
    for block in re.findall(r"^```json\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        yield from map(json.loads, block.splitlines())


def test_numbers() -> None:
    """The limits that the page states are the code's."""
    limits = {row[0]: row[1] for row in map(_cells, _section("## Limits").splitlines()) if len(row) > 1}
    settings = GatewaySettings()

    assert limits["bytes of one message from a client"] == f"{settings.message_bytes:,}"
    assert limits["bytes of one frame from the gateway"] == f"{FRAME_BYTES:,}"
    assert f"after {HEARTBEAT_S} s" in _section("## Connecting")


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]
