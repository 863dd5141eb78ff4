"""An answer: what it says, how long that holds, its name (`ETag`), and whether the client has it already.  Pure.

An ETag is strong: a hash of the content, so that the same content has the same one on every gateway.  Compressed
it is another representation and has another one (RFC 9110 section 8.8.3).
"""

from __future__ import annotations

import zlib
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from hashlib import blake2b
from typing import Final, NamedTuple

from gateway.wires.http.query import Form

GZIP_BYTES: Final = 1_024
"""Least bytes of an answer that are compressed: below it all fits one packet anyway."""
LOOP_BYTES: Final = 65_536
"""Most bytes that are hashed and compressed on the loop, which takes 0.07 and 0.14 ms; more are in a thread."""
LEVEL: Final = 1
"""Of zlib: ticks shrink to 16 % in 4 ms a megabyte; level 6 makes them 11 % in 16 ms."""
DIGEST_BYTES: Final = 12
"""Of the hash in an ETag."""

_TYPES: Final = {Form.JSON: "application/json", Form.CSV: "text/csv; charset=utf-8; header=present"}
_GZIPPED: Final = "-gz"
_WINDOW: Final = 31
"""zlib's word for: 32 KiB, with the header and end of gzip; its time is 0, so the same input has one output."""


class Content(NamedTuple):
    """What is answered, before anybody looks at what the client has."""

    pieces: tuple[bytes, ...]
    form: Form
    name: str
    """Of a file that a browser may make of it, without its ending."""
    keep_s: int = 0
    """Seconds that caches may answer with it; 0: they ask each time."""
    link: str | None = None
    """Query of the next page."""

    @property
    def size(self) -> int:
        """Its bytes."""
        return sum(map(len, self.pieces))


class Where(StrEnum):
    """Where an answer is hashed, and compressed if the client takes that: a metric label."""

    LOOP = "loop"
    THREAD = "thread"


class Pressed(NamedTuple):
    """A representation; *body* None: the client has it."""

    etag: str
    body: bytes | None
    gzip: bool


def place(size: int) -> Where:
    """Return where *size* bytes are made ready."""
    return Where.LOOP if size <= LOOP_BYTES else Where.THREAD


def press(pieces: Sequence[bytes], gzip: bool, if_none_match: str | None) -> Pressed:  # noqa: FBT001 - for threads
    """Return the representation of *pieces*; its body only where *if_none_match* does not name it."""
    etag = make_etag(pieces, gzip=gzip)
    if if_none_match is not None and names(if_none_match, etag):
        return Pressed(etag, None, gzip)
    return Pressed(etag, compress(pieces) if gzip else b"".join(pieces), gzip)


def make_etag(pieces: Iterable[bytes], *, gzip: bool) -> str:
    """Return the strong ETag of *pieces* as they are sent."""
    hashed = blake2b(digest_size=DIGEST_BYTES)
    for piece in pieces:
        hashed.update(piece)
    return f'"{urlsafe_b64encode(hashed.digest()).decode()}{_GZIPPED if gzip else ""}"'


def names(if_none_match: str, etag: str) -> bool:
    """Whether the header names *etag*, by the weak comparison of RFC 9110 section 13.1.2."""
    tags = (tag.strip().removeprefix("W/") for tag in if_none_match.split(","))
    return any(tag in ("*", etag) for tag in tags)


def compress(pieces: Iterable[bytes]) -> bytes:
    """Return *pieces* as gzip."""
    machine = zlib.compressobj(LEVEL, zlib.DEFLATED, _WINDOW)
    return b"".join([*map(machine.compress, pieces), machine.flush()])


def headers(
    content: Content, pressed: Pressed, *, path: str, private: bool, shared: Mapping[str, str]
) -> dict[str, str]:
    """Return the headers of an answer with this representation, and of a 304 (RFC 9110 section 15.4.5).

    *private*: only its own client's cache may keep it, since a token was needed.  *shared*: what CORS says.
    """
    varies = ["Accept", "Accept-Encoding", *(["Authorization"] if private else []), shared.get("Vary", "")]
    found = {
        **shared,
        "ETag": pressed.etag,
        "Cache-Control": f"{'private' if private else 'public'}, {_kept(content.keep_s)}",
        "Vary": ", ".join(filter(None, varies)),
    }
    if content.link is not None:
        found["Link"] = f'<{path}?{content.link}>; rel="next"'
    if pressed.body is not None:
        found["Content-Type"] = _TYPES[content.form]
        if content.form is Form.CSV:
            found["Content-Disposition"] = f'inline; filename="{content.name}.csv"'
        if pressed.gzip:
            found["Content-Encoding"] = "gzip"
    return found


def _kept(seconds: int) -> str:
    return f"max-age={seconds}" if seconds else "no-cache"
