"""The keys in a document: which are used, which are left out, which documents are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwk

from gateway.admission.keyset import DOCUMENT_BYTES, MOST_KEYS, NAME_CHARACTERS, BadKeys, Keys, parse_keys
from tests.issuer import Issuer, encoded, made_key

ALL = ("ES256", "EdDSA", "RS256", "HS256")
PUBLIC = ("ES256", "EdDSA", "RS256")
EVERY = Issuer({name: (name, 0) for name in ALL})


def _set(*entries: Any) -> bytes:
    return json.dumps({"keys": entries}).encode()


def _names(keys: Keys) -> list[tuple[str, str | None]]:
    return sorted((key.algorithm, key.name) for key in keys)


def _pem(algorithm: str, number: int = 0) -> bytes:
    key = made_key(algorithm, number)
    assert not isinstance(key, jwk.OctKey)
    return key.as_pem()


def test_a_set_has_a_key_of_each_type() -> None:
    """Each type of key verifies its one algorithm, under its name."""
    keys = parse_keys(EVERY.document(), ALL)

    assert _names(keys) == [("ES256", "ES256"), ("EdDSA", "EdDSA"), ("HS256", "HS256"), ("RS256", "RS256")]
    assert all(keys.find(name, name) is not None for name in ALL)
    assert keys.find("ES256", "RS256") is None


def test_only_configured_algorithms() -> None:
    """Keys of other algorithms are left out, secrets among them."""
    assert _names(parse_keys(EVERY.document(), PUBLIC)) == [(name, name) for name in ("ES256", "EdDSA", "RS256")]
    assert _names(parse_keys(EVERY.document(), ("EdDSA",))) == [("EdDSA", "EdDSA")]


def test_a_pem_file() -> None:
    """A PEM file may have one public key of each algorithm, with any text around; they have no names."""
    document = b"# ours\n" + b"\n".join(_pem(name) for name in PUBLIC)

    keys = parse_keys(document, PUBLIC)

    assert _names(keys) == [("ES256", None), ("EdDSA", None), ("RS256", None)]
    assert keys.find("ES256", "whatever") is keys.find("ES256", None) is not None


def test_which_key_is_found() -> None:
    """A named key wins over a nameless one, which serves other names only where it is alone."""
    named, nameless = EVERY.public("ES256"), {**EVERY.public("ES256"), "kid": None}
    del nameless["kid"]

    both = parse_keys(_set(named, nameless), ALL)
    assert (found := both.find("ES256", "ES256")) is not None
    assert found.name == "ES256"
    assert (found := both.find("ES256", "other")) is not None
    assert found.name is None
    assert both.find("ES256", None) is None

    two = parse_keys(_set(nameless, nameless), ALL)
    assert two.find("ES256", None) is two.find("ES256", "other") is None


def test_what_a_newer_set_may_have() -> None:
    """A name that is in the set, or that a nameless key serves, is not lacking; no name never is."""
    keys = parse_keys(EVERY.document("ES256"), ALL)

    assert keys.lacks("ES256", "new")
    assert not keys.lacks("ES256", "ES256")
    assert not keys.lacks("RS256", "ES256")
    assert not keys.lacks("RS256", None)
    assert not parse_keys(_pem("ES256"), ALL).lacks("ES256", "new")


@pytest.mark.parametrize(
    "change",
    [
        {"use": "enc"},
        {"alg": "RS512"},
        {"alg": "HS256"},
        {"alg": None},
        {"key_ops": ["sign"]},
        {"key_ops": "verify"},
        {"kty": "rsa"},
        {"kty": None},
        {"kty": ["RSA"]},
        {"kty": "AKP"},
        {"crv": "P-256"},
        {"kid": ""},
        {"kid": 7},
        {"kid": "k" * (NAME_CHARACTERS + 1)},
        {"n": ""},
        {"n": "AQAB"},
        {"n": encoded(b"\1" * 255)},
        {"n": encoded(b"\0" * 64 + b"\xff" * 200)},
        {"n": encoded(b"\xff" * 2_000)},
        {"n": "no base64!"},
        {"n": "é"},
        {"n": 5},
        {"n": None},
        {"e": "AA"},
        {"e": ""},
        {"e": []},
    ],
)
def test_unusable_keys_are_left_out(change: dict[str, Any]) -> None:
    """A key for something else, too weak or damaged does no harm to the others, and alone it is an error."""
    broken = {**EVERY.public("RS256"), **change}

    assert _names(parse_keys(_set(broken, EVERY.public("ES256")), ALL)) == [("ES256", "ES256")]
    with pytest.raises(BadKeys, match="no key verifies ES256 or EdDSA or RS256"):
        parse_keys(_set(broken), PUBLIC)


@pytest.mark.parametrize(
    "entry",
    [
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {**EVERY.public("ES256"), "x": EVERY.public("ES256")["y"]},
        {**EVERY.public("ES256"), "crv": "P-384"},
        {**EVERY.public("ES256"), "crv": "secp256k1"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
        {"kty": "OKP", "crv": "X25519", "x": encoded(bytes(32))},
        {"kty": "OKP", "crv": "Ed448", "x": encoded(bytes(57))},
        {"kty": "oct", "k": encoded(bytes(31))},
        {"kty": "oct", "k": ""},
        {"kty": "oct"},
        {"kty": "oct", "k": encoded(_pem("RS256"))},
        {"kty": "oct", "k": encoded(_pem("ES256"))},
        {},
        [],
        None,
        "key",
    ],
)
def test_other_unusable_keys_are_left_out(entry: Any) -> None:
    """Points off their curve, other curves, short secrets, and public keys posing as secrets are left out."""
    assert _names(parse_keys(_set(entry, EVERY.public("RS256")), ALL)) == [("RS256", "RS256")]


def test_strange_members_do_no_harm() -> None:
    """Members of a key that nobody reads may be whatever they are."""
    entry = {**EVERY.public("ES256"), "x5u": 5, "x5c": "?", "x5t": [], "ext": True, "kty2": {}}

    assert _names(parse_keys(_set(entry), ALL)) == [("ES256", "ES256")]


@pytest.mark.parametrize("name", PUBLIC)
def test_private_keys_are_refused(name: str) -> None:
    """A private key, in a set or as PEM, is an error that says which one it is, and has nothing of it."""
    key = made_key(name, 0)
    assert not isinstance(key, jwk.OctKey)
    entry = {**key.as_dict(private=True), "kid": name}

    with pytest.raises(BadKeys, match="key 2 of the set is private") as caught:
        parse_keys(_set(EVERY.public("ES256"), entry), ALL)
    assert str(entry["d"])[:8] not in str(caught.value)
    with pytest.raises(BadKeys, match="PEM block 2 is a private key, but a gateway must have the public one only"):
        parse_keys(_pem("ES256") + key.as_pem(private=True), ALL)


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        (b"", "neither PEM nor a JSON Web Key set"),
        (b"\xff\xfe", "neither PEM nor"),
        (b"<html>", "neither PEM nor"),
        (b"[" * 5_000, "neither PEM nor"),
        (b"[]", "neither PEM nor"),
        (b'{"keys":{}}', "neither PEM nor"),
        (b'{"keys":[]}', "no key verifies ES256 or"),
        (json.dumps(EVERY.public("ES256")).encode(), "neither PEM nor"),
        (b" " * (DOCUMENT_BYTES + 1), "262,145 bytes long, but may have 262,144"),
        (_set(*[{}] * (MOST_KEYS + 1)), "has 65 keys, but may have 64"),
        (_pem("ES256") * (MOST_KEYS + 1), "has 65 whole PEM blocks, but must have 1 to 64"),
        (_pem("ES256")[:-5], "has 0 whole PEM blocks"),
        (_pem("ES256", 0) + _pem("ES256", 1), "2 PEM keys are for ES256"),
        (_pem("ES256").replace(b"MF", b"AA"), "PEM block 1 cannot be read"),
        (_pem("ES256").replace(b"PUBLIC KEY", b"CERTIFICATE"), "is a CERTIFICATE, but must be a PUBLIC KEY"),
        (jwk.ECKey.generate_key("P-384").as_pem(), "PEM block 1 must be a P-256 or Ed25519 key, or RSA"),
        (jwk.OKPKey.generate_key("Ed448").as_pem(), "PEM block 1 must be"),
    ],
)
def test_documents_that_are_refused(document: bytes, fault: str) -> None:
    """A document that has no usable key, is too large or something else says what is wrong."""
    with pytest.raises(BadKeys, match=fault):
        parse_keys(document, PUBLIC)


def test_a_short_rsa_key_is_refused() -> None:
    """A PEM key of RSA with less than 2,048 bits says what it must be."""
    short = rsa.generate_private_key(65_537, 1_024).public_key()  # noqa: S505 - it is to be refused

    with pytest.raises(BadKeys, match="RSA of 2,048 to 8,192 bits"):
        parse_keys(short.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), ALL)


def test_a_key_does_not_show_itself() -> None:
    """The representation of a secret has its algorithm and name only."""
    key = parse_keys(EVERY.document("HS256"), ALL).find("HS256", "HS256")

    assert repr(key) == "Key(algorithm='HS256', name='HS256')"


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_noise(document: bytes) -> None:
    """Any document has keys or is refused; nothing else is raised."""
    with pytest.raises(BadKeys):
        parse_keys(document, ALL)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.sampled_from(ALL), st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "n", "e", "k", "use"]), _JSON)
)
def test_changed_members(name: str, change: dict[str, Any]) -> None:
    """A key with any members changed is used or left out; nothing else is raised."""
    entry = {**EVERY.public(name), **change}

    assert len(parse_keys(_set(entry, EVERY.public("EdDSA")), ALL)) in (1, 2)
