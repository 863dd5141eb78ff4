"""Commands that are nearly right: only faults come out, they are short, and they repeat little."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.commands import Subscribe
from gateway.wires.native.faults import CommandFault, ErrorCode
from gateway.wires.native.parse import LARGEST, parse
from tests.hostile import NAMES, NO_NAMES, SCRAPS, nearly_commands

INPUTS: Final = 20_000
FAULT_CHARACTERS: Final = 2_000
"""Longest sentence: five entries of `resume`, each with 32 characters that repr makes ten of."""
REPEATED: Final = 40
"""Most characters in a row that come back."""
MESSAGE: Final = 64 * 1024
SLOWEST_S: Final = 0.5
"""For the worst message; 10 to 30 ms were measured."""

EVERY_KIND: Final = {
    ErrorCode.NOT_JSON,
    ErrorCode.NOT_AN_OBJECT,
    ErrorCode.MISSING_FIELD,
    ErrorCode.UNKNOWN_OP,
    ErrorCode.BAD_ID,
    ErrorCode.BAD_SYMBOLS,
    ErrorCode.BAD_SYMBOL,
    ErrorCode.BAD_MAX_RATE,
    ErrorCode.BAD_SNAPSHOT,
    ErrorCode.BAD_RESUME,
    ErrorCode.BAD_TOKEN,
}
"""That text can have, beside too many symbols."""

lookalikes = st.sampled_from([name for name in NAMES if name]) | st.text(max_size=400)
numbers = (
    st.integers() | st.integers(-(2**70), 2**70) | st.floats() | st.sampled_from([0, 1, LARGEST, LARGEST + 1])
)
values = st.recursive(
    st.none() | st.booleans() | numbers | lookalikes,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(lookalikes, inner, max_size=5),
    max_leaves=12,
)
fields = st.sampled_from(["op", "id", "symbols", "max_rate", "snapshot", "resume", "token", "x"])
pairs = st.lists(
    st.tuples(
        fields | lookalikes,
        st.sampled_from(["subscribe", "auth", ["A"], {"A": {"epoch": 1, "seq": 1}}, 1]) | values,
    ),
    max_size=12,
)


def judged(text: str) -> ErrorCode | None:
    """Parse *text*; check what must hold of any fault, and return its code."""
    try:
        command, fault = parse(text, max_symbols=100)
    except CommandFault as refused:
        fault = refused
    else:
        assert 1 <= command.id <= LARGEST
        if isinstance(command, Subscribe):
            assert all(name.isascii() and len(name) <= 16 for name in command.symbols)
        if fault is None:
            return None
    assert len(str(fault)) <= FAULT_CHARACTERS
    return fault.code


def strings(value: object) -> Iterator[str]:
    """Yield every string in *value*."""
    match value:
        case str():
            yield value
        case list():
            for item in value:
                yield from strings(item)
        case dict():
            for name, item in value.items():
                yield name
                yield from strings(item)


@given(pairs)
def test_repeated_fields_are_survived(found: list[tuple[str, Any]]) -> None:
    """An object with any fields in any order, some of them twice, is a command or a fault."""
    judged("{" + ",".join(f"{json.dumps(name)}:{json.dumps(value)}" for name, value in found) + "}")


@given(pairs)
def test_a_fault_repeats_little(found: list[tuple[str, Any]]) -> None:
    """Of a text of the client's at most 40 characters come back, as they were or as Python writes them."""
    command = {"id": 1, "op": "subscribe", **dict(found)}
    try:
        fault = parse(json.dumps(command), max_symbols=100).fault
    except CommandFault as refused:
        fault = refused
    said = "" if fault is None else str(fault)
    for text in strings(command):
        if len(text) > REPEATED:
            assert text[: REPEATED + 1] not in said
            assert repr(text[: REPEATED + 1])[1:-1] not in said


@given(st.sampled_from(SCRAPS), st.sampled_from(SCRAPS), st.integers(0, 60), st.integers(0, 60))
def test_scraps_anywhere_are_survived(one: str, other: str, at: int, to: int) -> None:
    """Two pieces of JSON, or of what is none, anywhere in a command leave a command or a fault."""
    text = '{"op":"subscribe","id":7,"symbols":["AAPL","BRK.B"],"max_rate":5}'
    judged(text[:at] + one + text[at:])
    judged(text[:at] + one + text[at:to] + other + text[to:])


@pytest.mark.parametrize("op", ["subscribe", "unsubscribe"])
def test_what_is_no_symbol_is_refused(op: str) -> None:
    """Wildcards, look-alikes, control characters and long names are refused, alone and beside a symbol."""
    for name in [*NAMES, *NO_NAMES]:
        for names in ([name], ["A", name], [name] * 50):
            code = judged(json.dumps({"op": op, "id": 1, "symbols": names}))
            assert code is ErrorCode.BAD_SYMBOL, repr(name)


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_what_is_no_symbol_resumes_nothing(name: str) -> None:
    """The same names in resume cost that entry, and the symbol beside it is subscribed."""
    resume = {name: {"epoch": 1, "seq": 1}, "A": {"epoch": 1, "seq": 1}}
    command, fault = parse(
        json.dumps({"op": "subscribe", "id": 1, "symbols": ["A"], "resume": resume}), max_symbols=9
    )
    assert isinstance(command, Subscribe)
    assert list(command.resume) == ["A"]
    assert fault is not None
    assert fault.code is ErrorCode.BAD_RESUME


@pytest.mark.parametrize("depth", [100, 900, 1_100, 100_000])
def test_any_depth_is_survived(depth: int) -> None:
    """Nesting neither overruns a stack nor passes for a command: at 100,000 brackets it is not JSON."""
    for opened, closed in (("[", "]"), ('{"a":', "}")):
        middle = "1" if opened != "[" else ""
        nest = opened * depth + middle + closed * depth
        assert judged(nest) in {ErrorCode.NOT_JSON, ErrorCode.NOT_AN_OBJECT, ErrorCode.MISSING_FIELD}
        assert judged(opened * depth) is ErrorCode.NOT_JSON
        inside = judged(f'{{"op":"subscribe","id":1,"symbols":[{nest}]}}')
        assert inside in {ErrorCode.NOT_JSON, ErrorCode.BAD_SYMBOL}


def test_the_worst_messages_are_quick() -> None:
    """A message of 64 KiB, whatever fills it, is judged in half a second."""
    many = ",".join(f'"{n:x}":1' for n in range(7_000))[: MESSAGE - 100].rpartition(",")[0]
    worst = [
        '{"op":"subscribe","id":1,"symbols":["A"],"resume":{' + many + "}}",
        '{"op":"subscribe","id":1,"symbols":[' + ",".join(['"A"'] * 16_000) + "]}",
        '{"op":"subscribe","id":1,"symbols":["' + "A" * 60_000 + '"]}',
        '{"op":"subscribe","id":1,"symbols":["A"],"max_rate":' + "9" * 60_000 + "}",
        '{"op":"' + "\\u0001" * 10_000 + '","id":1}',
        "{" + ",".join(['"id":1'] * 9_000) + "}",
        "[" * MESSAGE,
    ]
    for text in worst:
        began = time.perf_counter()
        judged(text)
        assert time.perf_counter() - began < SLOWEST_S, text[:60]


def test_nearly_commands_are_survived() -> None:
    """20,000 commands with a few things wrong are commands or faults, and every kind of fault is among them."""
    found = Counter(judged(text) for text in nearly_commands(INPUTS, seed=3))
    assert found.total() == INPUTS
    assert found[None] > INPUTS // 50  # it is near enough
    assert found.keys() >= EVERY_KIND
