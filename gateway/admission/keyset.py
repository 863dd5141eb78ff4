"""The keys that tokens are verified with, and the documents they come in.  Pure.

A key verifies exactly one algorithm, which its type says: a token that names another one finds no key.  So the
public key of an issuer can never be taken for the secret of `HS256`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from joserfc import jwk
from joserfc.errors import JoseError
from joserfc.util import urlsafe_b64decode

from services.errors import BadInput

DOCUMENT_BYTES: Final = 262_144
"""Largest document of keys; sets of known issuers have less than 10 KB."""
MOST_KEYS: Final = 64
"""Most keys in a document, usable or not."""
NAME_CHARACTERS: Final = 256
"""Longest name (`kid`) of a key: names that are not ours are remembered, too."""
RSA_BITS: Final = 2_048
"""Shortest modulus (RFC 7518, 3.3)."""
MOST_RSA_BITS: Final = 8_192
"""Longest modulus: the time to verify grows with it."""
SECRET_BYTES: Final = 32
"""Shortest secret of HS256 (RFC 7518, 3.2)."""

_PEM: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,64})-----.*?-----END \1-----", re.DOTALL)


class BadKeys(BadInput):
    """A document of keys that cannot be used; the sentence names what is wrong and what is allowed."""


@dataclass(frozen=True, slots=True)
class Key:
    """What verifies signatures of one algorithm."""

    algorithm: str
    name: str | None
    """Its `kid`; None: the document does not say."""
    material: jwk.Key = field(repr=False)


class Keys:
    """The keys of one document."""

    __slots__ = ("_by_algorithm", "names")

    def __init__(self, keys: Iterable[Key]) -> None:
        self._by_algorithm: dict[str, list[Key]] = {}
        for key in keys:
            self._by_algorithm.setdefault(key.algorithm, []).append(key)
        self.names = frozenset(key.name for key in self if key.name is not None)

    def __len__(self) -> int:
        return sum(map(len, self._by_algorithm.values()))

    def __iter__(self) -> Iterator[Key]:
        return chain.from_iterable(self._by_algorithm.values())

    def find(self, algorithm: str, name: str | None) -> Key | None:
        """Return the key that a token signed by *algorithm* with the key *name* is verified with.

        A token that names no key is verified with the only one of its algorithm.  A key without a name verifies
        every token of its algorithm whose key is not there, if it is the only such key.
        """
        fitting = self._by_algorithm.get(algorithm, [])
        if name is None:
            return _only(fitting)
        named = (key for key in fitting if key.name == name)
        return next(named, None) or _only([key for key in fitting if key.name is None])

    def lacks(self, algorithm: str, name: str | None) -> bool:
        """Whether a newer set may have the key *name* for *algorithm*, which this one has not."""
        return name is not None and name not in self.names and self.find(algorithm, name) is None


def _only(keys: list[Key]) -> Key | None:
    return keys[0] if len(keys) == 1 else None


def parse_keys(document: bytes, algorithms: Collection[str]) -> Keys:
    """Return the keys of *document*, PEM or a JSON Web Key set, that verify one of *algorithms*.

    In a set, keys for something else, too weak or damaged ones are left out.  Secrets count for `HS256` only, and
    come in a set only.

    Raises:
        BadKeys: no key is left, a key is private, or the document is too large or something else.
    """
    if len(document) > DOCUMENT_BYTES:
        raise BadKeys(f"the keys are {len(document):,} bytes long, but may have {DOCUMENT_BYTES:,}")
    read = _from_pem if b"-----BEGIN " in document else _from_set
    keys = Keys(key for key in read(document) if key.algorithm in algorithms)
    if not len(keys):
        raise BadKeys(f"no key verifies {' or '.join(algorithms)}")
    return keys


def _from_pem(document: bytes) -> Iterator[Key]:
    blocks = list(_PEM.finditer(document))
    if not 0 < len(blocks) <= MOST_KEYS:
        raise BadKeys(f"the file has {len(blocks)} whole PEM blocks, but must have 1 to {MOST_KEYS}")
    keys = [_pem_key(number, block[1].decode(), block[0]) for number, block in enumerate(blocks, 1)]
    for algorithm, count in Counter(key.algorithm for key in keys).items():
        if count > 1:
            raise BadKeys(
                f"{count} PEM keys are for {algorithm}: only in a JSON Web Key set can tokens name theirs"
            )
    yield from keys


def _pem_key(number: int, label: str, block: bytes) -> Key:
    if "PRIVATE" in label:
        raise BadKeys(f"PEM block {number} is a private key, but a gateway must have the public one only")
    if "PUBLIC KEY" not in label:
        raise BadKeys(f"PEM block {number} is a {label}, but must be a PUBLIC KEY")
    try:
        public = load_pem_public_key(block)
    except (ValueError, UnsupportedAlgorithm):
        raise BadKeys(f"PEM block {number} cannot be read") from None
    match public:
        case RSAPublicKey() if RSA_BITS <= public.key_size <= MOST_RSA_BITS:
            return Key("RS256", None, jwk.RSAKey.import_key(public))
        case EllipticCurvePublicKey() if isinstance(public.curve, SECP256R1):
            return Key("ES256", None, jwk.ECKey.import_key(public))
        case Ed25519PublicKey():
            return Key("EdDSA", None, jwk.OKPKey.import_key(public))
    raise BadKeys(
        f"PEM block {number} must be a P-256 or Ed25519 key, or RSA of {RSA_BITS:,} to {MOST_RSA_BITS:,} bits"
    )


def _from_set(document: bytes) -> Iterator[Key]:
    try:
        found = orjson.loads(document)
    except ValueError:
        found = None
    entries = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(entries, list):
        raise BadKeys('the keys are neither PEM nor a JSON Web Key set ({"keys": […]})')
    if len(entries) > MOST_KEYS:
        raise BadKeys(f"the set has {len(entries)} keys, but may have {MOST_KEYS}")
    for number, entry in enumerate(entries, 1):
        key = _set_key(number, entry) if isinstance(entry, dict) else None
        if key is not None:
            yield key


def _set_key(number: int, entry: Mapping[str, Any]) -> Key | None:
    """Return the key of *entry*; None: it is for something else, too weak or damaged."""
    if "d" in entry:
        raise BadKeys(f"key {number} of the set is private, but a gateway must have the public one only")
    rule = _RULES.get((str(entry.get("kty")), str(entry.get("crv", ""))))
    name = entry.get("kid")
    if rule is None or not _is_name(name) or not _verifies(entry, rule.algorithm):
        return None
    try:
        if not rule.fits(entry):
            return None
        # Only what the key consists of: nothing else of the entry can then make joserfc refuse it.
        return Key(
            rule.algorithm, name, rule.read({"kty": entry["kty"], **{part: entry[part] for part in rule.parts}})
        )
    except (JoseError, KeyError, TypeError, ValueError, UnsupportedAlgorithm):
        return None


def _is_name(name: object) -> bool:
    return name is None or (isinstance(name, str) and 0 < len(name) <= NAME_CHARACTERS)


def _verifies(entry: Mapping[str, Any], algorithm: str) -> bool:
    operations = entry.get("key_ops")
    return (
        entry.get("use", "sig") == "sig"
        and entry.get("alg", algorithm) == algorithm
        and (operations is None or (isinstance(operations, list) and "verify" in operations))
    )


@dataclass(frozen=True, slots=True)
class _Rule:
    """How a key of one type is read."""

    algorithm: str
    parts: tuple[str, ...]
    read: Callable[[Any], jwk.Key]
    fits: Callable[[Mapping[str, Any]], bool] = lambda _: True


def _decoded(part: object) -> bytes:
    if not isinstance(part, str):
        raise TypeError
    return urlsafe_b64decode(part.encode())


def _rsa_fits(entry: Mapping[str, Any]) -> bool:
    return RSA_BITS <= int.from_bytes(_decoded(entry["n"]), "big").bit_length() <= MOST_RSA_BITS


def _secret_fits(entry: Mapping[str, Any]) -> bool:
    return len(_decoded(entry["k"])) >= SECRET_BYTES


_RULES: Final[Mapping[tuple[str, str], _Rule]] = {
    ("RSA", ""): _Rule("RS256", ("n", "e"), jwk.RSAKey.import_key, _rsa_fits),
    ("EC", "P-256"): _Rule("ES256", ("crv", "x", "y"), jwk.ECKey.import_key),
    ("OKP", "Ed25519"): _Rule("EdDSA", ("crv", "x"), jwk.OKPKey.import_key),
    ("oct", ""): _Rule("HS256", ("k",), jwk.OctKey.import_key, _secret_fits),
}
"""By `kty` and `crv`."""
