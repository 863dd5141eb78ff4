"""One-time tickets: what they carry, and that nobody can make or change one."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwk

from gateway.admission.authority import Reason, TokenRefused
from gateway.admission.entitlement import ANYBODY, Entitlement
from gateway.admission.keyset import parse_keys
from gateway.admission.ticket import TICKET_CHARACTERS, TicketTooLong, make, read
from gateway.admission.tokens import verify
from services.broker.tickets import TICKET_S
from services.market.symbol import Symbol
from tests.issuer import POLICY, encoded, signed

NOW: Final = 1_795_000_000.0
SECRET: Final = "of more than 32 characters".rjust(40, "x")
NAME: Final = "0123456789abcdef" * 2
SYMBOLS: Final = st.from_regex(r"[A-Z0-9][A-Z0-9.\-]{0,15}", fullmatch=True)
ENTITLEMENTS: Final = st.builds(
    Entitlement,
    subject=st.none() | st.text(min_size=1, max_size=20),
    token_id=st.none() | st.text(min_size=1, max_size=20),
    issued=st.none() | st.floats(0, NOW),
    expires=st.none() | st.floats(NOW + 1, 2.0**39),
    names=st.frozensets(SYMBOLS.map(Symbol), max_size=20),
    prefixes=st.lists(SYMBOLS.map(lambda text: text[:15]) | st.just(""), max_size=10, unique=True).map(tuple),
    max_symbols=st.none() | st.integers(1, 10**9),
    max_rate=st.none() | st.floats(0.1, 100),
    max_connections=st.none() | st.integers(1, 10**6),
    delayed=st.booleans(),
)
FULL: Final = Entitlement(
    "u", "t", NOW - 9, NOW + 20, frozenset({Symbol("AAPL")}), ("MS", ""), 3, 0.5, 2, delayed=True
)


def _refused(text: str, secret: str = SECRET, now: float = NOW) -> Reason:
    with pytest.raises(TokenRefused) as caught:
        read(text, secret, now)
    return caught.value.reason


@given(ENTITLEMENTS)
def test_round_trip(entitlement: Entitlement) -> None:
    """A ticket says all that its entitlement said, the end of the original token among it."""
    text = make(entitlement, SECRET, NAME, NOW)

    assert read(text, SECRET, NOW) == (NAME, entitlement)


def test_a_ticket_is_made_for_an_address() -> None:
    """A ticket has no character that an address would need to escape, and nothing of the secret."""
    text = make(FULL, SECRET, NAME, NOW)

    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
    assert SECRET.encode() not in base64.urlsafe_b64decode(text[4:].partition(".")[0] + "==")


def test_it_holds_for_30_s() -> None:
    """A ticket holds until 30 s after it was made, and not longer than its token."""
    text = make(ANYBODY, SECRET, NAME, NOW)
    assert read(text, SECRET, NOW + TICKET_S - 0.001) == (NAME, ANYBODY)
    assert _refused(text, now=NOW + TICKET_S) is Reason.EXPIRED

    short = make(FULL, SECRET, NAME, NOW)
    assert read(short, SECRET, NOW + 19.9) == (NAME, FULL)
    assert _refused(short, now=NOW + 20) is Reason.EXPIRED


def test_another_secret() -> None:
    """A ticket of gateways with another secret is refused."""
    assert _refused(make(FULL, SECRET, NAME, NOW), SECRET + "!") is Reason.SIGNATURE


def test_every_bit_counts() -> None:
    """A ticket of which one bit is flipped, wherever, is refused."""
    text = make(FULL, SECRET, NAME, NOW)
    for at, character in enumerate(text):
        for bit in range(8):
            changed = text[:at] + chr(ord(character) ^ 1 << bit) + text[at + 1 :]
            assert _refused(changed) in (Reason.MALFORMED, Reason.SIGNATURE)


def test_cut_and_glued() -> None:
    """A ticket that is cut off anywhere, doubled, or made of two is refused."""
    text, other = make(FULL, SECRET, NAME, NOW), make(ANYBODY, SECRET, NAME, NOW)
    for at in range(len(text)):
        assert _refused(text[:at]) in (Reason.MALFORMED, Reason.SIGNATURE)
    for wrong in (
        text + text,
        text + " ",
        text + "=",
        f"{text.partition('.')[0]}.{other.partition('.')[2]}",
        text.replace("twt_", "twt_twt_"),
        text[4:],
    ):
        assert _refused(wrong) in (Reason.MALFORMED, Reason.SIGNATURE)
    assert _refused("twt_" + "A" * 100_000) is Reason.TOO_LONG


def test_it_is_no_token_of_an_issuer() -> None:
    """A ticket is no token and a token no ticket, even where an issuer signs with the same secret."""
    issuer = jwk.OctKey.import_key(SECRET)
    claims = {
        "iss": POLICY.issuer,
        "aud": POLICY.audience,
        "exp": NOW + 60,
        "name": NAME,
        "until": NOW + 30,
        "for": {},
    }
    token = signed({"alg": "HS256"}, claims, "HS256", issuer)
    document = json.dumps({"keys": [{"kty": "oct", "k": encoded(SECRET.encode())}]}).encode()

    for text in (token, "twt_" + token, "twt_" + token.partition(".")[2]):
        assert _refused(text) in (Reason.MALFORMED, Reason.SIGNATURE)
    with pytest.raises(TokenRefused) as caught:
        verify(make(FULL, SECRET, NAME, NOW), parse_keys(document, ("HS256",)), POLICY, NOW)
    assert caught.value.reason is Reason.MALFORMED


def test_the_secret_itself_signs_nothing() -> None:
    """A payload signed with the secret as it is, not with what is derived from it, is refused."""
    signed_part = make(FULL, SECRET, NAME, NOW).partition(".")[0]
    forged = hmac.digest(SECRET.encode(), signed_part.encode(), "sha256")

    assert _refused(f"{signed_part}.{encoded(forged)}") is Reason.SIGNATURE


def test_too_many_symbols() -> None:
    """An entitlement that no ticket has room for is an error that says what to do."""
    many = Entitlement(names=frozenset(Symbol(f"SYM{n}") for n in range(2_000)))

    with pytest.raises(
        TicketTooLong, match=r"for 2000 symbols has [\d,]+ characters, but may have 4,096: connect"
    ):
        make(many, SECRET, NAME, NOW)
    most = Entitlement(names=frozenset(Symbol(f"SYM{n}") for n in range(250)))
    assert len(make(most, SECRET, NAME, NOW)) <= TICKET_CHARACTERS


@pytest.mark.parametrize("name", ["", "0" * 31, "G" * 32, "0" * 33, "0123456789ABCDEF" * 2])
def test_a_name_is_32_digits(name: str) -> None:
    """A signed ticket whose name is none is refused."""
    assert _refused(make(FULL, SECRET, name, NOW)) is Reason.CLAIMS


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=100) | st.from_regex(r"twt_[A-Za-z0-9_-]{1,60}\.[A-Za-z0-9_-]{43}", fullmatch=True))
def test_noise(text: str) -> None:
    """Text that nobody signed is refused, and nothing but a refusal is raised."""
    assert _refused(text) in (Reason.MALFORMED, Reason.SIGNATURE)
