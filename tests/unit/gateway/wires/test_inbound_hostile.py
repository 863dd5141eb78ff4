"""Frames with wrong bytes, of any size and number: events or one violation, and never much memory."""

from __future__ import annotations

from collections import Counter
from typing import Final

import pytest
from websockets.frames import Opcode

from gateway.wires.inbound import PIECES, Event, Farewell, Inbound, Message, Ping, Pong, Violation
from tests.hostile import masked, wrong_streams

STREAMS: Final = 10_000
MAX: Final = 1_000
OVERHEAD: Final = 14 + 125
"""Bytes of a frame's header, and of a control frame in the midst of a message."""
MILLION: Final = 1_000_000


def held(inbound: Inbound) -> int:
    """Return how many bytes *inbound* keeps."""
    return len(inbound._reader.buffer) + sum(map(len, inbound._pieces))


def ended(events: list[Event]) -> bool:
    """Whether nothing more counts."""
    return any(isinstance(event, Violation | Farewell) for event in events)


def test_wrong_streams_are_survived() -> None:
    """10,000 streams with a few wrong bytes, in pieces: each kind of event and violation comes, and nothing else.

    At most a message of the allowed size is kept between two pieces; after the end no more than one piece.
    """
    found: Counter[object] = Counter()
    for pieces in wrong_streams(STREAMS, seed=7):
        inbound, events = Inbound(MAX), list[Event]()
        for piece in pieces:
            events += inbound.feed(piece)
            assert ended(events) or held(inbound) <= MAX + OVERHEAD
        assert held(inbound) <= MAX + OVERHEAD + max(map(len, pieces))
        assert not ended(events[:-1])
        found.update(event.code if isinstance(event, Violation) else type(event) for event in events)
    assert found.keys() == {Message, Ping, Pong, Farewell, 1002, 1007, 1009}


@pytest.mark.parametrize("size", [MAX + 1, 2**31, 2**32, 2**62, 2**63 - 1, 2**63, 2**64 - 1])
@pytest.mark.parametrize("mask", [0x80, 0])
def test_a_huge_header_is_refused_before_its_payload(size: int, mask: int) -> None:
    """A header that announces too much is a violation at once: nothing of the payload is waited for."""
    inbound = Inbound(MAX)
    (event,) = inbound.feed(bytes((0x81, mask | 127)) + size.to_bytes(8, "big"))
    assert event in {Violation(1009), Violation(1002)}
    assert list(inbound.feed(b"x" * 100_000)) == []
    assert held(inbound) == 0


@pytest.mark.parametrize("size", [0, 1])
def test_a_million_fragments_end_early(size: int) -> None:
    """A message of a million fragments is a violation after its first thousand, of which nothing is kept."""
    inbound = Inbound(MILLION)
    assert list(inbound.feed(masked(Opcode.TEXT, fin=False))) == []
    fragment = masked(Opcode.CONT, b"x" * size, fin=False) * 100
    fed = 1
    while not (events := list(inbound.feed(fragment))):
        fed += 100
        assert fed <= PIECES
    assert events == [Violation(1002)]
    assert list(inbound.feed(fragment)) == []
    assert held(inbound) <= PIECES


@pytest.mark.parametrize("bit", [0x40, 0x20, 0x10])
@pytest.mark.parametrize("opcode", [Opcode.TEXT, Opcode.BINARY, Opcode.PING, Opcode.CLOSE])
def test_reserved_bits_are_a_violation(bit: int, opcode: Opcode) -> None:
    """No extension was agreed on, so that a compressed frame is none: a deflate bomb is never blown up."""
    assert list(Inbound(MAX).feed(masked(opcode, reserved=bit))) == [Violation(1002)]
