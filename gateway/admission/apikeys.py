"""API keys, and the file that has their hashes.  Pure.

A key is 256 random bits.  So one round of SHA-256 hides it: nobody can try 2**256 keys, and slow hashes are for
what people make up.  A key is looked up by its hash, which who shows a key cannot steer towards that of another.

A line of the file: who, the hash of the key in hexadecimal, what its bearer may do as JSON (the claims of
`gateway.admission.entitlement`, `exp` and `iat` among them):

    desk-7 sha256:9f86d0…0a08 {"symbols":["AAPL","MSFT*"],"max_rate":5,"exp":1795000000}
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from gateway.admission.authority import Reason, TokenRefused
from gateway.admission.entitlement import SUBJECT_CHARACTERS, Entitlement, parse_entitlement
from services.errors import BadInput

KEY_BYTES: Final = 32
"""Random bytes of a key."""
FILE_BYTES: Final = 4_194_304
"""Largest file of keys."""
MOST_LINES: Final = 10_000
"""Most keys in a file."""
_ID_DIGITS: Final = 16
"""Hexadecimal digits of a key's hash that are its token id, for `tickwire revoke`."""
CLAIMS: Final = ("symbols", "max_symbols", "max_rate", "max_connections", "delayed", "exp", "iat")
"""What a line may say of a key."""

_KEY: Final = re.compile(r"twk_[A-Za-z0-9_-]{43}")
_HASH: Final = re.compile(r"sha256:([0-9a-f]{64})")
_SUBJECT: Final = re.compile(rf"[^\s#]\S{{0,{SUBJECT_CHARACTERS - 1}}}")
_FAULTS: Final = 20
"""Most faults of a file that are said."""

ApiKeys = Mapping[str, Entitlement]
"""What the bearer of each key may do, by the key's hash."""


class BadApiKeys(BadInput):
    """A file of keys that cannot be used.

    Attributes:
        faults: one sentence per wrong line, with its number; 20 at most.
    """

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


def key_text(random: bytes) -> str:
    """Return the key that consists of *random*, `KEY_BYTES` bytes."""
    return "twk_" + base64.urlsafe_b64encode(random).decode().rstrip("=")


def line(subject: str, key: str, claims: Mapping[str, Any]) -> str:
    """Return the line of a file, without its end, that lets the bearer of *key* in as *subject*.

    Raises:
        BadInput: *subject* or *claims* may not stand in a file.
    """
    _check_subject(subject)
    parse_entitlement(claims)  # before they are JSON, which has no NaN and would say null
    text = f"{subject} sha256:{_digest(key)} {orjson.dumps(claims).decode()}"
    _read(text)
    return text


def parse_api_keys(document: bytes) -> ApiKeys:
    """Return the keys in *document*.  Empty lines, and those that begin with `#`, mean nothing.

    Raises:
        BadApiKeys: a line is something else, a key has two lines, or there are too many.
    """
    if len(document) > FILE_BYTES:
        raise BadApiKeys([f"the file has more than {FILE_BYTES:,} bytes"])
    found: dict[str, Entitlement] = {}
    faults = []
    for number, raw in enumerate(document.splitlines(), 1):
        if not raw.strip() or raw.lstrip().startswith(b"#"):
            continue
        try:
            digest, entitlement = _read(raw.decode().strip())
        except UnicodeDecodeError:
            faults.append(f"line {number}: it is no UTF-8")
        except BadInput as error:
            faults.append(f"line {number}: {error}")
        else:
            if digest in found:
                faults.append(f"line {number}: its key has another line before")
            found[digest] = entitlement
    if len(found) > MOST_LINES:
        faults.append(f"the file has {len(found):,} keys, but may have {MOST_LINES:,}")
    if faults:
        raise BadApiKeys(faults[:_FAULTS])
    return found


def recognize(key: str, keys: ApiKeys, now: float) -> Entitlement:
    """Return what the bearer of *key* may do, *now* (seconds since 1970).

    Raises:
        TokenRefused: it lets nobody in.
    """
    if len(key) > len(key_text(bytes(KEY_BYTES))):
        raise TokenRefused(Reason.TOO_LONG)
    if _KEY.fullmatch(key) is None:
        raise TokenRefused(Reason.MALFORMED)
    found = keys.get(_digest(key))
    if found is None:
        raise TokenRefused(Reason.UNKNOWN_KEY)
    if found.expires is not None and found.expires <= now:
        raise TokenRefused(Reason.EXPIRED)
    return found


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _read(text: str) -> tuple[str, Entitlement]:
    """Return hash and entitlement of one line.

    Raises:
        BadInput: its sentence says what is wrong, and nothing that might be a key.
    """
    subject, _, rest = text.partition(" ")
    digest, _, claims = rest.strip().partition(" ")
    _check_subject(subject)
    matched = _HASH.fullmatch(digest)
    if matched is None:
        raise BadInput("after who has the key comes its hash: sha256: and 64 hexadecimal digits in lower case")
    entitlement = _entitlement(claims)
    return matched[1], replace(entitlement, subject=subject, token_id=matched[1][:_ID_DIGITS])


def _check_subject(subject: str) -> None:
    if _SUBJECT.fullmatch(subject) is None or not subject.isprintable() or _KEY.fullmatch(subject):
        raise BadInput(f"who has the key is 1 to {SUBJECT_CHARACTERS} characters, no space in them and no # first")


def _entitlement(text: str) -> Entitlement:
    try:
        claims = orjson.loads(text)
    except ValueError:
        claims = None
    if not isinstance(claims, dict):
        raise BadInput("after the hash comes what the key entitles to, a JSON object")
    if not claims.keys() <= set(CLAIMS):
        raise BadInput(f"it has another claim than {', '.join(CLAIMS)}")
    return parse_entitlement(claims)
