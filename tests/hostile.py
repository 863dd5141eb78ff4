"""What hostile clients send: names that are no symbols, nearly right commands, streams with wrong bytes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, Final

import orjson
from websockets.frames import Opcode

WILDCARDS: Final = ["#", "*.*", "tick.#", "tick.*", "#.A", "A.#", "*A", "A*", "last.#", "tick.A", ">", "A.>"]
"""What brokers read as patterns."""
NAMES: Final = [
    *WILDCARDS,
    "amq.gen",
    "amq.gen-JzTY20BRgKO-HjmUJj0wLg",
    "amq.default",
    "tickwire.log",
    "tickwire.history",
    "",
    " ",
    "A B",
    " A",
    "A ",
    "A\n",
    "A\r\nX: y",
    "A\x00",
    "\x00",
    "\x7f",
    "a",
    "aapl",
    "\u0410\u0410PL",  # Cyrillic
    "\uff21\uff21\uff30\uff2c",  # fullwidth
    "A\u0391PL",  # Greek
    "AAP\u2160",  # a Roman numeral
    "\u00c4",
    "A\u0301",  # a combining accent
    "AA\u200bPL",  # zero width
    "\ufeffA",
    "A\u00ad",
    "\u202eLPAA",  # right to left
    "A\u2028",
    "\U0001d400",  # a mathematical letter
    "\U0001f4c8",
    "\u0661",  # an Arabic digit
    "A/../B",
    "../A",
    "%41",
    "A%00",
    "A;B",
    "A'B",
    'A"B',
    "A\\B",
    "$A",
    "^A",
    "A$",
    "{A}",
    "<A>",
    "-A",
    ".A",
    "..",
    "A" * 17,
    "A" * 255,
    "A" * 300,
    "\u0410" * 300,
]
"""Each is to be refused, and to reach no broker."""
NO_NAMES: Final[list[Any]] = [None, True, 0, 1.5, [], ["A"], {}, {"A": 1}]
"""Nor are these."""

SEEDS: Final[list[dict[str, Any]]] = [
    {"op": "subscribe", "id": 7, "symbols": ["AAPL", "BRK.B"]},
    {"op": "subscribe", "id": 1, "symbols": ["*"], "max_rate": 5, "snapshot": False},
    {"op": "subscribe", "id": 9, "symbols": ["A"], "resume": {"A": {"epoch": 17, "seq": 1041}}},
    {"op": "unsubscribe", "id": 2**53 - 1, "symbols": ["A", "B", "C"]},
    {"op": "list", "id": 3},
    {"op": "ping", "id": 4},
    {"op": "auth", "id": 5, "token": "e30.e30.e30"},
]
"""One command of each kind, and the options."""
VALUES: Final = [
    *("null", "true", "-0", "0", "1e-400", "9" * 300, "0." + "1" * 400, '""', "[]", "{}", "[[[[]]]]", "1.0"),
    *("18446744073709551616", "-9223372036854775809", "9007199254740992", "9007199254740991", "100.1", "0.1"),
    *('"\\u0000"', '["A"]', '"*"', '["*","A"]', '["*"]', '[["A"]]', '{"A":{"epoch":1,"seq":0}}', '{"A":1}'),
    *('"' + "x" * 5_000 + '"', '"list"', '"ping"', '"auth"', '"subscribe"', "[" * 900 + "]" * 900),
    *(orjson.dumps(name).decode() for name in NAMES),
]
"""Whole values."""
SCRAPS: Final = [
    *VALUES,
    *(
        "NaN",
        "Infinity",
        "-Infinity",
        "1e400",
        "[" * 2_000,
        "]" * 50,
        '{"a":' * 500,
        '"\\ud800"',
        '"\\udfff\\ud800"',
    ),
    *('"\\', "\\", '"', ",", "\ufeff", "\u202e", "\u2028", "\x00", "\x1f"),
    *('"op":"list",', '"id":8,', '"symbols":["*"],', '"resume":{"A":{}},', '"max_rate":-1,', '"snapshot":0,'),
]
"""Pieces of JSON, and of what is none, to be put anywhere."""


def nearly_commands(count: int, seed: int) -> Iterator[str]:
    """Yield *count* texts that began as commands; the same ones for each *seed*.

    Two of three are still JSON, with one to three fields that are wrong, missing or there twice.
    """
    dice = random.Random(seed)
    for _ in range(count):
        fields = [(name, orjson.dumps(value).decode()) for name, value in dice.choice(SEEDS).items()]
        for _ in range(dice.choice([1, 1, 2, 3])):
            _spoil(fields, dice)
        text = "{" + ",".join(f'"{name}":{value}' for name, value in fields) + "}"
        match dice.randrange(100):
            case 0:
                yield dice.choice(VALUES)
            case chance if chance < 33:
                yield _spoiled(text, dice)
            case _:
                yield text


def _spoil(fields: list[tuple[str, str]], dice: random.Random) -> None:
    """Make one of *fields* a wrong one."""
    at = dice.randrange(len(fields))
    name, value = fields[at]
    match dice.randrange(6):
        case 0 if len(fields) > 1:
            del fields[at]
        case 1:
            fields.insert(dice.randrange(len(fields)), (name, dice.choice(VALUES)))
        case 2:
            fields[at] = (dice.choice(["op", "id", "symbols", "resume", "max_rate", "snapshot", "token"]), value)
        case 3:
            fields[at] = ("symbols", f"[{dice.choice(VALUES)},{dice.choice(VALUES)}]")
        case _:
            fields[at] = (name, dice.choice(VALUES))


def _spoiled(text: str, dice: random.Random) -> str:
    """Return *text* with something wrong anywhere."""
    at, to = sorted(dice.randrange(len(text) + 1) for _ in range(2))
    match dice.randrange(5):
        case 0:
            return text[:at] + text[to:]
        case 1:
            return text[:at] + dice.choice(SCRAPS) + text[at:]
        case 2:
            return text[:at] + text[at:to] * dice.randrange(2, 50) + text[to:]
        case 3:
            return text[:at] + chr(dice.choice([dice.randrange(128), dice.randrange(0xD800)])) + text[at + 1 :]
    return text.replace(dice.choice('"[]{}:,'), dice.choice('"[]{}:,'), 1)


def masked(opcode: int, data: bytes = b"", *, fin: bool = True, reserved: int = 0) -> bytes:
    """Return a frame as a client writes it, or as none may; the mask is zero, which is as good as any."""
    size = len(data)
    if size < 126:
        length = bytes((0x80 | size,))
    elif size < 2**16:
        length = b"\xfe" + size.to_bytes(2, "big")
    else:
        length = b"\xff" + size.to_bytes(8, "big")
    return bytes((fin << 7 | reserved | opcode,)) + length + bytes(4) + data


def wrong_streams(count: int, seed: int) -> Iterator[list[bytes]]:
    """Yield *count* streams of frames with a few wrong bytes, each in pieces; the same ones for each *seed*."""
    dice = random.Random(seed)
    for _ in range(count):
        data = bytearray(b"".join(_frame(dice) for _ in range(dice.randrange(1, 8))))
        for _ in range(dice.randrange(4)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        if dice.random() < 0.2:
            del data[dice.randrange(len(data)) :]
        cuts = sorted(dice.randrange(len(data) + 1) for _ in range(dice.randrange(5)))
        yield [bytes(data[a:b]) for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def _frame(dice: random.Random) -> bytes:
    opcode = dice.choice([Opcode.TEXT, Opcode.TEXT, Opcode.CONT, Opcode.BINARY, Opcode.PING, Opcode.PONG])
    if dice.random() < 0.02:
        opcode = Opcode.CLOSE
    size = dice.choice([0, 0, 1, 20, 100, 125, 126, 127, 900, 1_001, 70_000])
    reserved = dice.choice([0x10, 0x20, 0x40]) if dice.random() < 0.02 else 0
    return masked(opcode, b"e" * size, fin=dice.random() < 0.8, reserved=reserved)
