"""Answers: their ETag, what is compressed, and their headers."""

from __future__ import annotations

import gzip

from hypothesis import given
from hypothesis import strategies as st

from gateway.wires.http.answer import (
    LOOP_BYTES,
    Content,
    Pressed,
    Where,
    compress,
    headers,
    make_etag,
    names,
    place,
    press,
)
from gateway.wires.http.query import Form

_PIECES = st.lists(st.binary(max_size=50), max_size=5)


@given(_PIECES)
def test_compressed(pieces: list[bytes]) -> None:
    """What is compressed is what was there, and the same each time: an ETag is of the bytes that are sent."""
    assert gzip.decompress(compress(pieces)) == b"".join(pieces)
    assert compress(pieces) == compress(pieces)


@given(_PIECES, _PIECES)
def test_etag(one: list[bytes], other: list[bytes]) -> None:
    """Two contents have the same ETag where they are the same, however they are cut."""
    same = b"".join(one) == b"".join(other)
    assert (make_etag(one, gzip=False) == make_etag(other, gzip=False)) is same
    assert make_etag(one, gzip=True) != make_etag(one, gzip=False)


@given(_PIECES, st.booleans())
def test_unchanged(pieces: list[bytes], takes: bool) -> None:  # noqa: FBT001 - by chance
    """Who has the content is not sent it again; who has another representation is."""
    first = press(pieces, takes, None)
    assert first.body is not None
    assert press(pieces, takes, first.etag) == Pressed(first.etag, None, takes)
    assert press(pieces, takes, f'"other", W/{first.etag}').body is None
    assert press(pieces, takes, make_etag(pieces, gzip=not takes)).body == first.body


def test_any_etag() -> None:
    """A star names everything, and a part of an ETag nothing."""
    assert names("*", '"a"')
    assert not names('"', '"a"')
    assert not names("a", '"a"')
    assert not names("", '"a"')


def test_place() -> None:
    """What takes long is made in a thread."""
    assert place(LOOP_BYTES) is Where.LOOP
    assert place(LOOP_BYTES + 1) is Where.THREAD


def test_headers() -> None:
    """An answer says its type, how long it holds and for whom, and what it depends on."""
    content = Content((b"x",), Form.CSV, "quotes", 1, "after=1-2")
    found = headers(
        content, Pressed('"e"', b"x", True), path="/v1/quotes", private=False, shared={"Vary": "Origin"}
    )
    assert found == {
        "ETag": '"e"',
        "Cache-Control": "public, max-age=1",
        "Vary": "Accept, Accept-Encoding, Origin",
        "Link": '</v1/quotes?after=1-2>; rel="next"',
        "Content-Type": "text/csv; charset=utf-8; header=present",
        "Content-Disposition": 'inline; filename="quotes.csv"',
        "Content-Encoding": "gzip",
    }


def test_headers_of_a_304_behind_a_token() -> None:
    """Without a body nothing is said of it; what a token opens is for its own client's cache only."""
    content = Content((b"x",), Form.JSON, "quotes")
    found = headers(content, Pressed('"e"', None, True), path="/", private=True, shared={})
    assert found == {
        "ETag": '"e"',
        "Cache-Control": "private, no-cache",
        "Vary": "Accept, Accept-Encoding, Authorization",
    }
