"""The codec of revocations."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.broker.revocationlog import (
    MESSAGE_BYTES,
    NAME_CHARACTERS,
    check_name,
    decode_revocations,
    encode_revocations,
)
from services.broker.revocations import Revocation
from services.errors import BadInput, MalformedMessage

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=NAME_CHARACTERS)
TIMES = st.floats(0, 2**40, exclude_max=True, allow_subnormal=False)
REVOCATIONS = st.one_of(st.builds(Revocation, TIMES, subject=NAMES), st.builds(Revocation, TIMES, token_id=NAMES))


@given(st.lists(REVOCATIONS, max_size=20))
def test_round_trip(revocations: list[Revocation]) -> None:
    """What was encoded comes back, in order."""
    bodies = encode_revocations(revocations)
    assert [found for body in bodies for found in decode_revocations(body)] == revocations


def test_many_take_several_messages() -> None:
    """3,000 revocations travel in messages of at most 64 KiB, and none in none."""
    bodies = encode_revocations([Revocation(1.5, subject="x" * 36)] * 3_000)
    assert max(map(len, bodies)) <= MESSAGE_BYTES
    assert len(bodies) == 3
    assert sum(len(decode_revocations(body)) for body in bodies) == 3_000
    assert encode_revocations([]) == []


@pytest.mark.parametrize(
    "revocation",
    [
        Revocation(1.0),
        Revocation(1.0, "a", "b"),
        Revocation(1.0, subject=""),
        Revocation(1.0, token_id="x" * 257),
        Revocation(1.0, subject="\ud800"),
        Revocation(-1.0, subject="a"),
        Revocation(float("nan"), subject="a"),
        Revocation(float("inf"), subject="a"),
    ],
)
def test_what_no_token_can_match_is_not_written(revocation: Revocation) -> None:
    """A revocation of nobody, of two, or of a name that no token has, is refused before it is published."""
    with pytest.raises(BadInput):
        encode_revocations([revocation])


@pytest.mark.parametrize(
    "row",
    [
        {"at": 1.0},
        {"at": 1.0, "subject": "a", "token_id": "b"},
        {"at": 1.0, "subject": "a", "more": 1},
        {"at": "1", "subject": "a"},
        {"at": True, "subject": "a"},
        {"at": 2**40, "subject": "a"},
        {"at": 1.0, "subject": ""},
        {"at": 1.0, "subject": None},
        {"at": 1.0, "token_id": 7},
        {"at": 1.0, "token_id": "x" * 257},
    ],
)
def test_a_wrong_row_is_malformed(row: object) -> None:
    """A row with a field of another type, range or name is refused, and what it names is not repeated."""
    with pytest.raises(MalformedMessage, match=r"^revocations: ") as refused:
        decode_revocations(orjson.dumps([{"at": 1.0, "token_id": "good"}, row]))
    assert "xxx" not in str(refused.value)


@given(st.one_of(st.binary(max_size=40), st.sampled_from([b"{}", b"[[]]", b"[1]", b"null", b'["at"]'])))
def test_anything_else_is_malformed(body: bytes) -> None:
    """Bytes that are no list of rows are refused, never half read."""
    if body.strip() == b"[]":
        return
    with pytest.raises(MalformedMessage):
        decode_revocations(body)


def test_a_name_is_checked() -> None:
    """A name that a token may have is given back, another one is refused with what it is."""
    assert check_name("Zoë", "subject") == "Zoë"
    with pytest.raises(BadInput, match=r"^a token id is a text of 1 to 256 characters$"):
        check_name("", "a token id")
