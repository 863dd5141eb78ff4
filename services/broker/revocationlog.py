"""The codec of revocations: the messages of the revocation log, in JSON (PURE)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import orjson

from services.broker.revocations import Revocation
from services.errors import BadInput, MalformedMessage

MESSAGE_BYTES: Final = 64 * 1024
"""Most bytes of one message of the revocation log, about 1,000 revocations."""
NAME_CHARACTERS: Final = 256
"""Longest subject and token id, as long as a token's own may be."""
_LATEST: Final = 2.0**40
_FIELDS: Final = ({"at", "subject"}, {"at", "token_id"})


def encode_revocations(revocations: Iterable[Revocation]) -> list[bytes]:
    """Return the bodies of messages that carry *revocations* in their order.

    Raises:
        BadInput: one names neither or both of subject and token id, or a text that no token has.
    """
    return list(_bodies(map(_row, revocations)))


def decode_revocations(body: bytes) -> tuple[Revocation, ...]:
    """Return the revocations in *body*.

    Raises:
        MalformedMessage: not a JSON list that `encode_revocations` could have written.
    """
    try:
        return tuple(map(_revocation, _rows(body)))
    except (ValueError, TypeError, BadInput) as error:
        # Not the body: a token id has no business in a log line.
        raise MalformedMessage(f"revocations: {error}") from error


def check_name(name: object, what: str) -> str:
    """Return *name*, a subject or a token id as tokens may have one; *what* names it in the error.

    Raises:
        BadInput: it is none.
    """
    if not isinstance(name, str) or not 0 < len(name) <= NAME_CHARACTERS or not _is_unicode(name):
        raise BadInput(f"{what} is a text of 1 to {NAME_CHARACTERS} characters")
    return name


def _row(revocation: Revocation) -> bytes:
    subject, token_id = revocation.subject, revocation.token_id
    if (subject is None) == (token_id is None):
        raise BadInput("a revocation names either a subject or a token id")
    if subject is not None:
        return orjson.dumps({"at": _time(revocation.at), "subject": check_name(subject, "subject")})
    return orjson.dumps({"at": _time(revocation.at), "token_id": check_name(token_id, "token_id")})


def _rows(body: bytes) -> list[Any]:
    rows = orjson.loads(body)
    if not isinstance(rows, list):
        raise TypeError(f"a list was expected, not {type(rows).__name__}")
    return rows


def _revocation(row: Any) -> Revocation:
    if not isinstance(row, dict) or row.keys() not in _FIELDS:
        raise TypeError("a revocation has at and either subject or token_id")
    at = _time(row["at"])
    if "subject" in row:
        return Revocation(at, subject=check_name(row["subject"], "subject"))
    return Revocation(at, token_id=check_name(row["token_id"], "token_id"))


def _time(at: object) -> float:
    if isinstance(at, bool) or not isinstance(at, int | float) or not 0 <= at < _LATEST:
        raise BadInput("at is a number of seconds since 1970")
    return float(at)


def _is_unicode(text: str) -> bool:
    """Whether no half of a surrogate pair stands in *text*, as the shell's arguments may have."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _bodies(rows: Iterator[bytes]) -> Iterator[bytes]:
    held, size = list[bytes](), 2
    for row in rows:
        if held and size + len(row) + 1 > MESSAGE_BYTES:
            yield _joined(held)
            held, size = [], 2
        held.append(row)
        size += len(row) + 1
    if held:
        yield _joined(held)


def _joined(rows: Sequence[bytes]) -> bytes:
    return b"[" + b",".join(rows) + b"]"
