"""Who a signed token lets in, and every way to get in without one that must fail."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwk

from gateway.admission.authority import Reason, TokenRefused
from gateway.admission.entitlement import Entitlement
from gateway.admission.keyset import Keys, parse_keys
from gateway.admission.tokens import TOKEN_CHARACTERS, Token, read, verify
from tests.attempts import Attempts
from tests.issuer import AUDIENCE, ISSUER, POLICY, Issuer, encoded, made_key, signed

NOW: Final = 1_795_000_000.0
ALGORITHMS: Final = ("ES256", "EdDSA", "RS256", "HS256")
EVERY: Final = Issuer({"es": ("ES256", 0), "ed": ("EdDSA", 0), "rs": ("RS256", 0), "hs": ("HS256", 0)})
ONE: Final = Issuer()
CLAIMS: Final[Mapping[str, Any]] = {"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 600, "sub": "u", "symbols": ["*"]}


@pytest.fixture(scope="module", name="keys")
def _keys() -> Keys:
    """Every public key; the secret is none where HS256 is not configured."""
    return parse_keys(EVERY.document(), POLICY.algorithms)


def _refused(text: str, keys: Keys, now: float = NOW) -> Reason:
    with pytest.raises(TokenRefused) as caught:
        verify(text, keys, POLICY, now)
    return caught.value.reason


@pytest.mark.parametrize("name", EVERY.keys)
def test_each_algorithm_lets_in(name: str) -> None:
    """A token signed with a configured algorithm by a key of ours says what its bearer may do."""
    policy = replace(POLICY, algorithms=ALGORITHMS)
    keys = parse_keys(EVERY.document(), ALGORITHMS)

    found = verify(EVERY.token(NOW, name, jti="t", max_rate=2), keys, policy, NOW)

    assert found == Entitlement("u", "t", NOW, NOW + 600, prefixes=("",), max_rate=2.0)


def test_a_secret_counts_by_configuration_only(keys: Keys) -> None:
    """A token signed with HS256 is refused where HS256 is not configured, even by the issuer's own secret."""
    assert _refused(EVERY.token(NOW, "hs"), keys) is Reason.ALGORITHM


def test_the_audience_may_be_one_of_several(keys: Keys) -> None:
    """A token for several audiences lets in where ours is among them."""
    assert verify(EVERY.token(NOW, "es", aud=["other", AUDIENCE]), keys, POLICY, NOW).subject == "u"


def test_a_token_without_a_key_name() -> None:
    """A token that names no key is verified with the only key of its algorithm, or is refused."""
    token = ONE.token(NOW, header={"kid": None})
    two = Issuer({"one": ("ES256", 0), "two": ("ES256", 1)})

    assert verify(token, parse_keys(ONE.document(), POLICY.algorithms), POLICY, NOW).subject == "u"
    assert _refused(token, parse_keys(two.document(), POLICY.algorithms)) is Reason.UNKNOWN_KEY


def test_headers_that_name_other_keys_mean_nothing(keys: Keys) -> None:
    """Keys and addresses in a header, chains of certificates among them, change nothing for a good token."""
    header = {
        "jwk": made_key("ES256", 9).as_dict(private=False),
        "jku": "https://evil.example/keys",
        "x5u": "https://evil.example/chain",
        "x5c": ["M" * 4_000],
        "color": "red",
    }

    assert verify(EVERY.token(NOW, "es", header=header), keys, POLICY, NOW).subject == "u"


@pytest.mark.parametrize(
    ("claims", "at", "reason"),
    [
        ({"exp": NOW}, NOW + 4.9, None),
        ({"exp": NOW}, NOW + 5, Reason.EXPIRED),
        ({"nbf": NOW + 5}, NOW, None),
        ({"nbf": NOW + 5.1}, NOW, Reason.NOT_YET),
        ({"iat": NOW + 5}, NOW, None),
        ({"iat": NOW + 5.1}, NOW, Reason.NOT_YET),
        ({"exp": NOW + 86_405}, NOW, None),
        ({"exp": NOW + 86_406}, NOW, Reason.LIVES_TOO_LONG),
    ],
)
def test_times_have_a_leeway(keys: Keys, claims: dict[str, Any], at: float, reason: Reason | None) -> None:
    """Each time of a token may be off by the leeway, and not by more."""
    token = EVERY.token(NOW, "es", **claims)

    if reason is None:
        assert verify(token, keys, POLICY, at).subject == "u"
    else:
        assert _refused(token, keys, at) is reason


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"aud": "other"}, Reason.AUDIENCE),
        ({"aud": ["other"]}, Reason.AUDIENCE),
        ({"aud": []}, Reason.AUDIENCE),
        ({"aud": AUDIENCE + " "}, Reason.AUDIENCE),
        ({"aud": [[AUDIENCE]]}, Reason.AUDIENCE),
        ({"aud": {AUDIENCE: 1}}, Reason.CLAIMS),
        ({"aud": None}, Reason.CLAIMS),
        ({"iss": "https://evil.example/"}, Reason.ISSUER),
        ({"iss": ISSUER.rstrip("/")}, Reason.ISSUER),
        ({"iss": ISSUER.upper()}, Reason.ISSUER),
        ({"iss": ""}, Reason.ISSUER),
        ({"iss": [ISSUER]}, Reason.CLAIMS),
        ({"iss": None}, Reason.CLAIMS),
        ({"exp": NOW - 6}, Reason.EXPIRED),
        ({"exp": 0}, Reason.EXPIRED),
        ({"exp": -1}, Reason.CLAIMS),
        ({"exp": None}, Reason.CLAIMS),
        ({"exp": str(NOW + 600)}, Reason.CLAIMS),
        ({"exp": True}, Reason.CLAIMS),
        ({"exp": [NOW + 600]}, Reason.CLAIMS),
        ({"exp": 2**63}, Reason.CLAIMS),
        ({"exp": 1e300}, Reason.CLAIMS),
        ({"exp": NOW + 86_400 * 365}, Reason.LIVES_TOO_LONG),
        ({"exp": float("nan")}, Reason.MALFORMED),
        ({"exp": float("inf")}, Reason.MALFORMED),
        ({"exp": 10**400}, Reason.MALFORMED),
        ({"nbf": NOW + 60}, Reason.NOT_YET),
        ({"nbf": "0"}, Reason.CLAIMS),
        ({"iat": NOW + 60}, Reason.NOT_YET),
        ({"iat": {}}, Reason.CLAIMS),
        ({"symbols": "AAPL"}, Reason.CLAIMS),
        ({"symbols": ["tick.#"]}, Reason.CLAIMS),
        ({"sub": 5}, Reason.CLAIMS),
        ({"sub": "u" * 257}, Reason.CLAIMS),
        ({"max_rate": 1_000}, Reason.CLAIMS),
    ],
)
def test_claims(keys: Keys, attempts: Attempts, claims: dict[str, Any], reason: Reason) -> None:
    """A well signed token with a wrong or lacking claim is refused for that claim."""
    token = EVERY.token(NOW, "es", **claims)

    assert attempts.refused("wrong or lacking claims", token, keys, POLICY, NOW) is reason


@pytest.mark.parametrize("name", ["none", "None", "nOnE", "NONE", "none ", "", None, 0, ["none"], {"none": 1}])
@pytest.mark.parametrize("tail", ["", "AAAA", "signature"])
def test_no_algorithm(keys: Keys, attempts: Attempts, name: object, tail: str) -> None:
    """A token that says it is not signed, in any spelling, is refused, also with something for a signature."""
    text = f"{encoded({'alg': name, 'kid': 'es'})}.{encoded(CLAIMS)}.{tail}"

    assert attempts.refused("no algorithm", text, keys, POLICY, NOW) is Reason.ALGORITHM


def test_no_algorithm_even_where_it_is_configured(keys: Keys, attempts: Attempts) -> None:
    """The algorithm `none` is refused even by a policy that names it."""
    text = f"{encoded({'alg': 'none'})}.{encoded(CLAIMS)}."

    reason = attempts.refused("no algorithm", text, keys, replace(POLICY, algorithms=("none",)), NOW)
    assert reason is Reason.ALGORITHM


@pytest.mark.parametrize("form", ["pem", "der", "n", "jwk"])
@pytest.mark.parametrize("algorithms", [POLICY.algorithms, ALGORITHMS])
def test_public_key_as_secret(attempts: Attempts, form: str, algorithms: tuple[str, ...]) -> None:
    """A token signed by HS256 with the issuer's public RSA key as secret is refused, whatever is configured."""
    public = EVERY.key("rs")
    assert isinstance(public, jwk.RSAKey)
    secrets = {
        "pem": public.as_pem(),
        "der": public.as_der(),
        "n": str(public.as_dict(private=False)["n"]).encode(),
        "jwk": json.dumps(EVERY.public("rs")).encode(),
    }
    forger = jwk.OctKey(secrets[form], secrets[form])
    for keys in (parse_keys(EVERY.document("rs"), algorithms), parse_keys(public.as_pem(), algorithms)):
        for kid in ("rs", None, "other"):
            text = signed({"alg": "HS256", "kid": kid} if kid else {"alg": "HS256"}, CLAIMS, "HS256", forger)
            reason = attempts.refused(
                "public key as secret", text, keys, replace(POLICY, algorithms=algorithms), NOW
            )
            assert reason in (Reason.ALGORITHM, Reason.UNKNOWN_KEY)


def test_swapped_algorithms(keys: Keys, attempts: Attempts) -> None:
    """A signature of one algorithm under the name of another one is refused, whichever key is named."""
    for name in ("es", "ed", "rs", "hs"):
        for said in (*ALGORITHMS, "ES384", "PS256", "RS512", "HS512", "Ed25519", "RSA-OAEP", "dir"):
            for kid in ("es", "ed", "rs", "hs", None):
                if said == EVERY.keys[name][0] and (kid in (name, None)) and name != "hs":
                    continue  # that one is good
                header = {"alg": said, "kid": kid} if kid else {"alg": said}
                text = signed(header, CLAIMS, EVERY.keys[name][0], EVERY.key(name))
                reason = attempts.refused("swapped algorithms", text, keys, POLICY, NOW)
                assert reason in (Reason.ALGORITHM, Reason.SIGNATURE, Reason.UNKNOWN_KEY)


def test_own_key_in_the_header(keys: Keys, attempts: Attempts) -> None:
    """A token signed with the forger's own key, which its header carries or points to, is refused."""
    for algorithm, name in (("ES256", "es"), ("EdDSA", "ed"), ("RS256", "rs")):
        forger = made_key(algorithm, 7)
        public = forger.as_dict(private=False)
        for extra in (
            {"jwk": public},
            {"jwk": {**public, "kid": name}},
            {"jku": "https://evil.example/keys.json"},
            {"jku": "file:///etc/passwd"},
            {"x5u": "https://evil.example/chain.pem"},
            {"x5c": ["MIIB"]},
            {"jwk": "no key"},
            {},
        ):
            text = signed({"alg": algorithm, "kid": name, **extra}, CLAIMS, algorithm, forger)
            reason = attempts.refused("own key in the header", text, keys, POLICY, NOW)
            assert reason in (Reason.SIGNATURE, Reason.MALFORMED)


@pytest.mark.parametrize(
    "extra",
    [
        {"crit": ["exp"], "exp": NOW + 600},
        {"crit": []},
        {"crit": "b64"},
        {"crit": ["b64"], "b64": False},
        {"b64": False},
        {"b64": True},
        {"crit": ["unheard-of"]},
        {"kid": ""},
        {"kid": "k" * 257},
        {"kid": 5},
        {"kid": ["es"]},
        {"kid": {"es": 1}},
    ],
)
def test_headers(keys: Keys, attempts: Attempts, extra: dict[str, Any]) -> None:
    """A well signed token with an extension that must be understood, or a name that is none, is refused."""
    token = EVERY.token(NOW, "es", header=extra)

    assert attempts.refused("headers", token, keys, POLICY, NOW) is Reason.MALFORMED


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "/dev/null", "es\0", "\u0435s", "es/../es", "' OR 1=1 --", "\u202ees", "💥", "ES", "es "],
)
def test_key_names(keys: Keys, attempts: Attempts, name: str) -> None:
    """A key's name is compared and nothing else: paths, look-alikes and controls are names that nobody has."""
    token = EVERY.token(NOW, "es", header={"kid": name})

    assert attempts.refused("names of keys", token, keys, POLICY, NOW) is Reason.UNKNOWN_KEY


def test_half_a_surrogate(keys: Keys, attempts: Attempts) -> None:
    """A name or subject with half a pair of surrogates, which no log could write, is malformed."""
    for header, payload in (
        (b'{"alg":"ES256","kid":"\\ud800"}', json.dumps(CLAIMS).encode()),
        (b'{"alg":"ES256","kid":"es"}', json.dumps(CLAIMS).replace('"u"', '"\\ud800"').encode()),
    ):
        text = signed(header, payload, "ES256", EVERY.key("es"))
        assert attempts.refused("JSON of another kind", text, keys, POLICY, NOW) is Reason.MALFORMED


@pytest.mark.parametrize(
    "payload",
    [
        json.dumps(CLAIMS)[:-1].encode() + b',"aud":"other"}',
        json.dumps(CLAIMS)[:-1].encode() + b',"exp":1}',
        b'{"a":{"b":1,"b":2},' + json.dumps(CLAIMS)[1:].encode(),
        json.dumps(CLAIMS).encode("utf-16"),
        b"\xef\xbb\xbf" + json.dumps(CLAIMS).encode(),
        json.dumps(CLAIMS).replace("u", "\xfc").encode("latin-1"),
        json.dumps([CLAIMS]).encode(),
        json.dumps(json.dumps(CLAIMS)).encode(),
        b"null",
        b"1",
        b" ",
        b"[" * 9_000,
        b'{"a":' * 2_000 + b"1" + b"}" * 2_000,
        b'{"a":' * 1_000 + b"1" + b"}" * 1_000,
        b'{"exp":' + b"9" * 5_000 + b"}",
    ],
)
def test_payloads(keys: Keys, attempts: Attempts, payload: bytes) -> None:
    """A well signed payload that is no JSON object, or says something twice, is malformed."""
    text = signed({"alg": "ES256", "kid": "es"}, payload, "ES256", EVERY.key("es"))

    assert attempts.refused("JSON of another kind", text, keys, POLICY, NOW) is Reason.MALFORMED


@pytest.mark.parametrize(
    "header",
    [
        b'{"alg":"none","alg":"ES256","kid":"es"}',
        b'{"alg":"ES256","kid":"es","kid":"rs"}',
        b"[" * 9_000,
        b'{"alg":' * 1_500,
        b"[]",
        b'"ES256"',
        b"{}" * 2,
        b"\xff\xfe",
    ],
)
def test_broken_headers(keys: Keys, attempts: Attempts, header: bytes) -> None:
    """A header that is no JSON object, or says something twice, is malformed."""
    text = signed(header, CLAIMS, "ES256", EVERY.key("es"))

    assert attempts.refused("JSON of another kind", text, keys, POLICY, NOW) is Reason.MALFORMED


def test_nested_tokens(keys: Keys, attempts: Attempts) -> None:
    """A token inside a token, and an encrypted one, are malformed."""
    inner = EVERY.token(NOW, "es")
    nested = signed({"alg": "ES256", "kid": "es", "cty": "JWT"}, inner.encode(), "ES256", EVERY.key("es"))
    encrypted = ".".join((encoded({"alg": "RSA-OAEP", "enc": "A256GCM"}), "key", "iv", "text", "tag"))

    for text in (nested, encrypted, f"{inner}.{inner}", f'{{"payload":"{inner}"}}'):
        assert attempts.refused("nested", text, keys, POLICY, NOW) is Reason.MALFORMED


def test_shapes(keys: Keys, attempts: Attempts) -> None:
    """A token with empty, lacking or further parts, spaces or another alphabet is refused."""
    head, body, tail = EVERY.token(NOW, "es").split(".")
    shapes = [
        *("", ".", "..", "...", f"..{tail}", f".{body}.{tail}", f"{head}..{tail}", f"{head}.{body}", head),
        *(f"{head}.{body}.{tail}.", f".{head}.{body}.{tail}", f"{head}.{body}.{tail}.{tail}"),
        *(
            f" {head}.{body}.{tail}",
            f"{head}.{body}.{tail}\n",
            f"{head} .{body}.{tail}",
            f"{head}.{body}.{tail}\0",
        ),
        *(f"{head}.{body}.{tail}=", f"{head}.{body}+.{tail}", f"{head}.{body}/.{tail}", f"{head}.{body}.{tail}é"),
        *(f"Bearer {head}.{body}.{tail}", f"{head}=.{body}.{tail}", f"{head},{body},{tail}", "\ud800", "💥" * 9),
    ]
    for text in shapes:
        assert attempts.refused("shapes", text, keys, POLICY, NOW) is Reason.MALFORMED
    assert attempts.refused("shapes", f"{head}.{body}.", keys, POLICY, NOW) is Reason.SIGNATURE


def test_longest(keys: Keys, attempts: Attempts) -> None:
    """A token of 100 KB is refused for its length alone, and one of the longest that may be is read."""
    head, body, tail = EVERY.token(NOW, "es").split(".")
    for text in (f"{head}.{body}{'A' * 100_000}.{tail}", "." * 100_000, "A" * (TOKEN_CHARACTERS + 1)):
        assert attempts.refused("too long", text, keys, POLICY, NOW) is Reason.TOO_LONG

    long = EVERY.token(NOW, "es", filler="x" * (TOKEN_CHARACTERS * 3 // 4 - 400))
    assert TOKEN_CHARACTERS - 400 < len(long) <= TOKEN_CHARACTERS
    assert verify(long, keys, POLICY, NOW).subject == "u"


@pytest.mark.parametrize("name", ["es", "ed", "rs"])
def test_truncated(keys: Keys, attempts: Attempts, name: str) -> None:
    """A token that is cut off anywhere, at either end, is refused."""
    token = EVERY.token(NOW, name)
    for at in range(len(token)):
        attempts.refused("truncated", token[:at], keys, POLICY, NOW)
        if at:
            attempts.refused("truncated", token[at:], keys, POLICY, NOW)


@pytest.mark.parametrize("name", ["es", "ed", "rs"])
def test_flipped(keys: Keys, attempts: Attempts, name: str) -> None:
    """A token of which one bit is flipped, wherever, is refused."""
    token = EVERY.token(NOW, name)
    for at, character in enumerate(token):
        for bit in range(7):
            text = token[:at] + chr(ord(character) ^ 1 << bit) + token[at + 1 :]
            attempts.refused("one bit flipped", text, keys, POLICY, NOW)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.data())
def test_mixed(keys: Keys, attempts: Attempts, data: st.DataObject) -> None:
    """Parts of good tokens, put together anew, are no token."""
    tokens = [
        EVERY.token(NOW, "es"),
        EVERY.token(NOW, "es", sub="v"),
        EVERY.token(NOW, "ed"),
        EVERY.token(NOW, "rs"),
    ]
    parts = data.draw(st.permutations(range(3)) | st.lists(st.integers(0, 2), min_size=1, max_size=5))
    sources = [data.draw(st.sampled_from(tokens)) for _ in parts]
    text = ".".join(source.split(".")[part] for source, part in zip(sources, parts, strict=True))
    if text not in tokens:
        attempts.refused("parts of good tokens", text, keys, POLICY, NOW)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=500)
@given(st.text(max_size=200) | st.from_regex(r"[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*", fullmatch=True))
def test_noise(keys: Keys, attempts: Attempts, text: str) -> None:
    """Text that nobody signed is refused, and nothing but a refusal is raised."""
    attempts.refused("noise", text, keys, POLICY, NOW)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(
    st.dictionaries(
        st.sampled_from(["alg", "kid", "typ", "cty", "jwk", "x5c", "enc", "zip"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(max_size=9)
        | st.lists(st.text(max_size=3), max_size=3),
    ),
    st.dictionaries(
        st.sampled_from(["iss", "aud", "exp", "nbf", "iat", "sub", "symbols"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=9)
        | st.lists(st.text(max_size=3), max_size=3),
    ),
)
def test_signed_noise(keys: Keys, attempts: Attempts, header: dict[str, Any], claims: dict[str, Any]) -> None:
    """Whatever header and claims a signed token has, it lets in or is refused; nothing else is raised."""
    text = signed({"alg": "ES256", "kid": "es", **header}, claims, "ES256", EVERY.key("es"))

    attempts.refused("signed noise", text, keys, POLICY, NOW)


def test_a_token_does_not_show_itself() -> None:
    """The representation of a token has its algorithm and its key's name, but not its text."""
    token = read(ONE.token(NOW), POLICY.algorithms)

    assert isinstance(token, Token)
    assert repr(token) == "Token(algorithm='ES256', key_name='one')"
