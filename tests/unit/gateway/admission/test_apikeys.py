"""API keys and the file of their hashes."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.apikeys import (
    FILE_BYTES,
    KEY_BYTES,
    MOST_LINES,
    BadApiKeys,
    key_text,
    line,
    parse_api_keys,
    recognize,
)
from gateway.admission.authority import Reason, TokenRefused
from gateway.admission.entitlement import Entitlement
from services.errors import BadInput
from services.market.symbol import Symbol

KEY = key_text(bytes(range(KEY_BYTES)))
HASH = hashlib.sha256(KEY.encode()).hexdigest()
NOW = 1_795_000_000.0

SUBJECTS = st.from_regex(r"[A-Za-z0-9._@:+-]{1,40}", fullmatch=True)
CLAIMS = st.fixed_dictionaries(
    {},
    optional={
        "symbols": st.lists(st.from_regex(r"[A-Z0-9]{1,5}\*?|\*", fullmatch=True), max_size=5),
        "max_symbols": st.integers(1, 1_000_000),
        "max_rate": st.floats(0.1, 100),
        "max_connections": st.integers(1, 1_000),
        "delayed": st.booleans(),
        "exp": st.integers(1_795_000_001, 2**39),
        "iat": st.integers(0, 2**39),
    },
)


def _refused(key: str, document: str, now: float = NOW) -> Reason:
    with pytest.raises(TokenRefused) as caught:
        recognize(key, parse_api_keys(document.encode()), now)
    assert key not in str(caught.value) or len(key) < 10
    return caught.value.reason


def _faults(document: bytes) -> list[str]:
    with pytest.raises(BadApiKeys) as caught:
        parse_api_keys(document)
    return caught.value.faults


def test_a_key_lets_its_bearer_in() -> None:
    """A key of the file says who its bearer is and what they may do; its id is the beginning of its hash."""
    document = f'# keys\n\n  desk-7   sha256:{HASH}   {{"symbols":["AAPL","MS*"],"max_rate":5,"iat":3}}  \r\n'

    found = recognize(KEY, parse_api_keys(document.encode()), NOW)

    names = frozenset({Symbol("AAPL")})
    assert found == Entitlement("desk-7", HASH[:16], 3.0, names=names, prefixes=("MS",), max_rate=5.0)


def test_a_key_is_256_bits() -> None:
    """A key's text is a prefix and its 32 bytes, and different bytes are different keys."""
    assert KEY == "twk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
    assert len(key_text(b"\xff" * KEY_BYTES)) == 47


@given(st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES), SUBJECTS, CLAIMS)
def test_lines_are_read_as_written(random: bytes, subject: str, claims: dict[str, Any]) -> None:
    """A line that was written is read, and lets the bearer of its key in as its subject."""
    key = key_text(random)
    text = line(subject, key, claims)

    assert key not in text
    found = recognize(key, parse_api_keys(text.encode()), NOW)
    assert found.subject == subject
    assert found.max_rate == claims.get("max_rate")
    assert found.expires == claims.get("exp")
    assert found.names | set(found.prefixes) == {entry.rstrip("*") for entry in claims.get("symbols", [])}


@given(st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES).filter(lambda random: key_text(random) != KEY))
def test_other_keys_are_unknown(random: bytes) -> None:
    """A key that has no line is refused."""
    assert _refused(key_text(random), line("u", KEY, {})) is Reason.UNKNOWN_KEY


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("", Reason.MALFORMED),
        (KEY[:-1], Reason.MALFORMED),
        (KEY[1:], Reason.MALFORMED),
        (KEY.upper(), Reason.MALFORMED),
        (KEY[:-1] + "=", Reason.MALFORMED),
        (KEY[:-1] + "é", Reason.MALFORMED),
        (KEY[:-1] + "\ud800", Reason.MALFORMED),
        (KEY[:-1] + "9", Reason.UNKNOWN_KEY),
        (KEY + " ", Reason.TOO_LONG),
        (KEY * 3_000, Reason.TOO_LONG),
        (HASH[:47], Reason.MALFORMED),
        (f"twk_{HASH[:43]}", Reason.UNKNOWN_KEY),
    ],
)
def test_texts_that_are_no_key(key: str, reason: Reason) -> None:
    """A text that is no key, or nearly one, is refused; the hash is none."""
    assert _refused(key, line("u", KEY, {"symbols": ["*"]})) is reason


def test_a_key_ends() -> None:
    """A key with `exp` lets nobody in from then on."""
    document = line("u", KEY, {"exp": NOW})

    assert recognize(KEY, parse_api_keys(document.encode()), NOW - 0.1).expires == NOW
    assert _refused(KEY, document) is Reason.EXPIRED


def test_a_subject_may_have_several_keys() -> None:
    """Two keys of one subject both count, so that one can be replaced by the other."""
    other = key_text(bytes(KEY_BYTES))
    keys = parse_api_keys(f"{line('u', KEY, {})}\n{line('u', other, {})}".encode())

    assert recognize(KEY, keys, NOW).subject == recognize(other, keys, NOW).subject == "u"


def test_an_empty_file_lets_nobody_in() -> None:
    """A file without keys is a file: the last key can be taken out."""
    assert parse_api_keys(b"# none\n\n") == {}


def test_every_fault_is_named() -> None:
    """Each wrong line is named by its number, with what is wrong and what is allowed, and without what it says."""
    good = line("u", KEY, {})
    rows = [
        good,
        "desk-7",
        f"desk-7 {HASH}",
        f"desk-7 sha256:{HASH.upper()} {{}}",
        f"desk-7 {KEY} {{}}",
        f"{KEY} sha256:{HASH} {{}}",
        f"desk-7 sha256:{HASH}",
        f"desk-7 sha256:{HASH} []",
        f"desk-7 sha256:{HASH} {{'symbols': []}}",
        f'desk-7 sha256:{HASH} {{"symbol":["AAPL"]}}',
        f'desk-7 sha256:{HASH} {{"symbols":"AAPL"}}',
        f'desk-7 sha256:{HASH} {{"max_rate":0}}',
        f'desk-7 sha256:{HASH} {{"sub":"me"}}',
        good,
        "\xff",
    ]
    faults = _faults("\n".join(rows).encode("latin-1"))

    assert faults == [
        "line 2: after who has the key comes its hash: sha256: and 64 hexadecimal digits in lower case",
        "line 3: after who has the key comes its hash: sha256: and 64 hexadecimal digits in lower case",
        "line 4: after who has the key comes its hash: sha256: and 64 hexadecimal digits in lower case",
        "line 5: after who has the key comes its hash: sha256: and 64 hexadecimal digits in lower case",
        "line 6: who has the key is 1 to 256 characters, no space in them and no # first",
        "line 7: after the hash comes what the key entitles to, a JSON object",
        "line 8: after the hash comes what the key entitles to, a JSON object",
        "line 9: after the hash comes what the key entitles to, a JSON object",
        "line 10: it has another claim than symbols, max_symbols, max_rate, max_connections, delayed, exp, iat",
        "line 11: symbols is a list of at most 10,000 names, prefixes that end with *, or * itself",
        "line 12: max_rate is a number from 0.1 to 100.0",
        "line 13: it has another claim than symbols, max_symbols, max_rate, max_connections, delayed, exp, iat",
        "line 14: its key has another line before",
        "line 15: it is no UTF-8",
    ]


def test_faults_are_bounded() -> None:
    """A file of something else says 20 faults, not all of them."""
    assert len(_faults(b"what\n" * 1_000)) == 20


def test_files_are_bounded() -> None:
    """A file that is too large, or has too many keys, says so."""
    assert _faults(b" " * (FILE_BYTES + 1)) == ["the file has more than 4,194,304 bytes"]
    lines = "\n".join(f"u sha256:{n:064x} {{}}" for n in range(MOST_LINES + 1))
    assert _faults(lines.encode()) == ["the file has 10,001 keys, but may have 10,000"]


@pytest.mark.parametrize(
    ("subject", "claims", "fault"),
    [
        ("", {}, "who has the key is"),
        ("a b", {}, "who has the key is"),
        ("#a", {}, "who has the key is"),
        ("a\nb", {}, "who has the key is"),
        ("a\x7fb", {}, "who has the key is"),
        ("a" * 257, {}, "who has the key is"),
        (KEY, {}, "who has the key is"),
        ("a", {"max_rate": float("nan")}, "max_rate is a number from"),
        ("a", {"exp": float("inf")}, "exp is a number of seconds"),
        ("a", {"color": 1}, "it has another claim than"),
    ],
)
def test_lines_that_are_not_written(subject: str, claims: dict[str, Any], fault: str) -> None:
    """No line is written that could not be read."""
    with pytest.raises(BadInput, match=fault):
        line(subject, KEY, claims)


@given(
    st.binary(min_size=1, max_size=200)
    | st.text(min_size=1, max_size=200).map(lambda t: t.encode(errors="replace"))
    | st.text(max_size=60).map(lambda t: f"u sha256:{HASH} {json.dumps(t)}".encode())
)
def test_noise(document: bytes) -> None:
    """Any file of something else is refused with the numbers of its lines; nothing else is raised."""
    assert all(fault.startswith("line ") for fault in _faults(b"x" + document))
