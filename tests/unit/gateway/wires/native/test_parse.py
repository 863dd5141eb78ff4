"""Text frames of the native wire as commands."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.commands import EVERYTHING, Auth, Command, List, Ping, Subscribe, Unsubscribe
from gateway.wires.native.faults import CommandFault, ErrorCode
from gateway.wires.native.parse import LARGEST, Parsed, parse
from services.market.position import Position
from services.market.symbol import Symbol

A, B = Symbol("A"), Symbol("BRK.B")


def read(**fields: Any) -> Parsed:
    """Parse *fields* as JSON."""
    return parse(json.dumps(fields), max_symbols=3)


def fault(**fields: Any) -> CommandFault:
    """Return what is wrong with *fields*."""
    with pytest.raises(CommandFault) as caught:
        read(**fields)
    return caught.value


def test_every_command() -> None:
    """Each op becomes its command."""
    assert read(op="subscribe", id=1, symbols=["A", "BRK.B"]).command == Subscribe(1, (A, B))
    assert read(op="unsubscribe", id=2, symbols=["A"]).command == Unsubscribe(2, (A,))
    assert read(op="list", id=3).command == List(3)
    assert read(op="ping", id=LARGEST).command == Ping(LARGEST)
    assert read(op="auth", id=5, token="t").command == Auth(5, "t")  # noqa: S106 - no secret


def test_options_of_subscribe() -> None:
    """max_rate, snapshot and resume are taken over."""
    parsed = read(
        op="subscribe",
        id=1,
        symbols=["A"],
        max_rate=5,
        snapshot=False,
        resume={"A": {"epoch": 17, "seq": 0}},
    )
    assert parsed == Parsed(Subscribe(1, (A,), 5.0, False, {A: Position(17, 0)}))


def test_duplicates_collapse() -> None:
    """A name twice is one symbol, in the order of first mention; only distinct ones count for the limit."""
    assert read(op="subscribe", id=1, symbols=["BRK.B", "A", "A", "BRK.B", "A"]).command == Subscribe(1, (B, A))


def test_everything_stands_alone() -> None:
    """The star alone is the whole directory, with any symbol to resume; beside others it is a fault."""
    resume = {"A": {"epoch": 1, "seq": 1}}
    assert read(op="subscribe", id=1, symbols=["*"], resume=resume).command == Subscribe(
        1, (EVERYTHING,), resume={A: Position(1, 1)}
    )
    assert read(op="unsubscribe", id=1, symbols=["*"]).command == Unsubscribe(1, (EVERYTHING,))
    assert fault(op="subscribe", id=1, symbols=["*", "A"]).code is ErrorCode.BAD_SYMBOL


def test_unknown_fields_are_ignored() -> None:
    """A newer client may say more."""
    assert read(op="list", id=3, colour="red").command == List(3)


@pytest.mark.parametrize("identity", [0, -1, LARGEST + 1, 2**64, 1.0, "1", None, True, [1]])
def test_bad_id(identity: object) -> None:
    """An id is an integer from 1 to 2^53 - 1, and a fault of it has no id to answer to."""
    found = fault(op="list", id=identity)
    assert (found.code, found.id) == (ErrorCode.BAD_ID, None)
    assert str(found).startswith("id ")


@pytest.mark.parametrize("rate", [0, 0.09, 100.1, -5, True, "5", [5], {}])
def test_bad_max_rate(rate: object) -> None:
    """A rate is a number from 0.1 to 100."""
    found = fault(op="subscribe", id=1, symbols=["A"], max_rate=rate)
    assert (found.code, found.id) == (ErrorCode.BAD_MAX_RATE, 1)
    assert "max_rate" in str(found)


@pytest.mark.parametrize("rate", [0.1, 1, 100, None])
def test_good_max_rate(rate: float | None) -> None:
    """The bounds themselves are allowed, and null means every tick."""
    command = read(op="subscribe", id=1, symbols=["A"], max_rate=rate).command
    assert isinstance(command, Subscribe)
    assert command.max_rate == rate


@pytest.mark.parametrize(
    ("fields", "code", "name"),
    [
        ({"id": 1}, ErrorCode.MISSING_FIELD, "op"),
        ({"op": "list"}, ErrorCode.MISSING_FIELD, "id"),
        ({"op": "unsubscribe", "id": 1}, ErrorCode.MISSING_FIELD, "symbols"),
        ({"op": "auth", "id": 1}, ErrorCode.MISSING_FIELD, "token"),
        ({"op": "auth", "id": 1, "token": ""}, ErrorCode.BAD_TOKEN, "token"),
        ({"op": 1, "id": 1}, ErrorCode.UNKNOWN_OP, "op"),
        ({"op": ["list"], "id": 1}, ErrorCode.UNKNOWN_OP, "op"),
        ({"op": "subscribe", "id": 1, "symbols": {}}, ErrorCode.BAD_SYMBOLS, "symbols"),
        ({"op": "subscribe", "id": 1, "symbols": []}, ErrorCode.BAD_SYMBOLS, "symbols"),
        ({"op": "subscribe", "id": 1, "symbols": ["A", None]}, ErrorCode.BAD_SYMBOL, "symbols"),
        ({"op": "subscribe", "id": 1, "symbols": ["tick.#"]}, ErrorCode.BAD_SYMBOL, "symbols"),
        ({"op": "subscribe", "id": 1, "symbols": ["A", "B", "C", "D"]}, ErrorCode.TOO_MANY_SYMBOLS, "symbols"),
        ({"op": "subscribe", "id": 1, "symbols": ["A"], "snapshot": None}, ErrorCode.BAD_SNAPSHOT, "snapshot"),
    ],
)
def test_faults_name_the_field(fields: dict[str, Any], code: ErrorCode, name: str) -> None:
    """Each fault has its code and names the field in its sentence."""
    found = fault(**fields)
    assert found.code is code
    assert name in str(found)
    assert found.id == fields.get("id")


@pytest.mark.parametrize(
    "resume",
    [
        None,
        [],
        "A",
        {"F": {"epoch": 1, "seq": 1}},
        {"a b": {"epoch": 1, "seq": 1}},
        {"A": None},
        {"A": {}},
        {"A": {"epoch": 0, "seq": 1}},
        {"A": {"epoch": 1, "seq": -1}},
        {"A": {"epoch": 1, "seq": 1.5}},
        {"A": {"epoch": True, "seq": 1}},
        {"A": {"epoch": LARGEST + 1, "seq": 1}},
    ],
)
def test_bad_resume_is_left_out(resume: object) -> None:
    """A resume that cannot be used costs only itself: the command stands without it and the fault is told."""
    parsed = read(op="subscribe", id=6, symbols=["A"], resume=resume)
    assert parsed.command == Subscribe(6, (A,))
    assert parsed.fault is not None
    assert (parsed.fault.code, parsed.fault.id) == (ErrorCode.BAD_RESUME, 6)
    assert "resume" in str(parsed.fault)


def test_a_fault_stays_short() -> None:
    """However much is wrong, and however long, the sentence is bounded."""
    resume = {f"X{n}": {"epoch": "y" * 1000, "seq": 1} for n in range(1000)}
    parsed = read(op="subscribe", id=6, symbols=["A"], resume=resume)
    assert len(str(parsed.fault)) < 600
    assert str(parsed.fault).endswith("and 995 more")
    assert len(str(fault(op="x" * 10_000, id=1))) < 200
    assert len(str(fault(op="subscribe", id=1, symbols=["x" * 10_000]))) < 200


def test_a_token_is_never_repeated() -> None:
    """The message about a wrong token does not hold it."""
    assert "12345" not in str(fault(op="auth", id=1, token=12345))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "op": st.sampled_from(["subscribe", "unsubscribe", "list", "ping", "auth"]) | JSON,
        "id": st.integers(1, 9) | JSON,
        "symbols": st.lists(st.sampled_from(["A", "B", "*", "a", "BRK.B"]) | JSON, max_size=5) | JSON,
        "max_rate": JSON,
        "snapshot": JSON,
        "token": JSON,
        "resume": st.dictionaries(
            st.sampled_from(["A", "B", "x"]),
            st.fixed_dictionaries({"epoch": JSON, "seq": JSON}) | JSON,
            max_size=3,
        )
        | JSON,
    },
)


def check(frame: str | bytes) -> None:
    """Parse *frame* and check what must hold of any outcome."""
    try:
        command, part = parse(frame, max_symbols=3)
    except CommandFault as found:
        refused = found
    else:
        check_parsed(command, part)
        return
    assert isinstance(refused.code, ErrorCode)
    assert str(refused)
    assert refused.id is None or 1 <= refused.id <= LARGEST


def check_parsed(command: Command, part: CommandFault | None) -> None:
    """Check what must hold of any command."""
    assert 1 <= command.id <= LARGEST
    assert part is None or part.code is ErrorCode.BAD_RESUME
    if isinstance(command, Subscribe):
        assert 1 <= len(command.symbols) == len(set(command.symbols)) <= 3
        assert command.symbols == (EVERYTHING,) or set(command.resume) <= set(command.symbols)


@given(st.text() | st.binary())
def test_anything_at_all(frame: str | bytes) -> None:
    """No frame whatever raises anything but a CommandFault."""
    check(frame)


@given(st.binary())
def test_any_bytes_as_text(frame: bytes) -> None:
    """Nor does text made of any bytes, even ones that are not UTF-8."""
    check(frame.decode(errors="surrogateescape"))
    check(frame.decode("latin-1"))


@given(FIELDS)
def test_anything_like_a_command(fields: dict[str, Any]) -> None:
    """Nor does an object that looks much like a command."""
    check(json.dumps(fields))


def test_deep_nesting() -> None:
    """Nesting that would overrun a parser's stack is not JSON."""
    check("[" * 60_000)
    check('{"id":1,"op":' * 5_000 + "1" + "}" * 5_000)
