"""Which pages may connect: a table of tricks, and what is meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.origin import allowed, parse_origins
from services.errors import BadSettings

LIST = parse_origins(
    [
        "https://good.com",
        "https://good.com:8443",
        "http://localhost:8080",
        "capacitor://localhost",
        "https://kite.io",
    ]
)

ATTACKS = [
    "null",
    "",
    " ",
    "*",
    "good.com",
    "//good.com",
    "https:good.com",
    "https:/good.com",
    "https:///good.com",
    "http://good.com",  # another scheme
    "wss://good.com",
    "ws://good.com",
    "ftp://good.com",
    "file://",
    "javascript://good.com",
    "data:text/html,good.com",
    "https://good.com.evil.com",
    "https://evil.com/https://good.com",
    "https://evil.com?https://good.com",
    "https://evil.com#https://good.com",
    "https://good.com@evil.com",
    "https://good.com:x@evil.com",
    "https://user@good.com",
    "https://good.com%2eevil.com",
    "https://good.com%00.evil.com",
    "https://good.com\x00.evil.com",
    "https://good.com\n",
    "https://good.com\r\nOrigin: https://evil.com",
    " https://good.com",
    "https://good.com ",
    "https://good.com\t",
    "https://good.com, https://evil.com",
    "https://evil.com, https://good.com",
    "https://good.com https://evil.com",
    "https://good.com/",
    "https://good.com/path",
    "https://good.com?x",
    "https://good.com#x",
    "https://good.com\\",
    "https://good.com\\@evil.com",
    "https:\\\\good.com",
    "https://good.com.",
    "https://.good.com",
    "https://www.good.com",
    "https://agood.com",
    "https://good.comm",
    "https://good.co",
    "https://good-com",
    "https://goodxcom",
    "https://good.com-evil.com",
    "https://good.com_evil.com",
    "https://good.com:444",
    "https://good.com:8444",
    "https://good.com:08443",
    "https://good.com:0",
    "https://good.com:",
    "https://good.com:443:443",
    "https://good.com:99999999",
    "https://good.com:443@evil.com",
    "https://good.com:\u0664\u0664\u0663",  # 443 in Arabic digits
    "https://g\u043e\u043ed.com",  # Cyrillic o
    "https://xn--gd-5ja.com",
    "https://\uff47ood.com",  # full width g, which IDNA maps to g
    "https://good\u3002com",  # an ideographic full stop, which IDNA maps to a dot
    "https://good.com\u200b",  # a space of no width
    "https://\u212aite.io",  # the sign of the Kelvin, whose lower case is k
    "http\u017f://good.com",  # a long s, whose upper case is S
    "https://[::1]",
    "https://[good.com]",
    "https://127.0.0.1",
    "http://localhost",
    "http://localhost:80",
    "http://localhost:8081",
    "http://127.0.0.1:8080",
    "http://localhost.:8080",
    "chrome-extension://good.com",
    "https://" + "a" * 5_000 + ".good.com",
    "https://good.com" * 100,
]


@pytest.mark.parametrize("origin", ATTACKS)
def test_a_trick(origin: str) -> None:
    """What is not exactly an origin of the list stays outside, however much it looks like one."""
    assert not allowed(origin, "good.com", secure=True, origins=LIST)


def test_the_table_is_long() -> None:
    """At least 70 tricks are tried, each once."""
    assert len(set(ATTACKS)) == len(ATTACKS) >= 70


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "https://good.com",
        "https://good.com:443",
        "HTTPS://GOOD.COM",
        "https://good.com:8443",
        "http://localhost:8080",
        "capacitor://localhost",
    ],
)
def test_who_is_meant(origin: str | None) -> None:
    """Origins of the list come in, with or without a default port, in any case; so does who states none."""
    assert allowed(origin, "elsewhere", secure=True, origins=LIST)


@pytest.mark.parametrize(
    ("origin", "host", "secure", "verdict"),
    [
        ("https://good.com", "good.com", True, True),
        ("https://good.com", "good.com:443", True, True),
        ("https://good.com:8443", "good.com:8443", True, True),
        ("http://127.0.0.1:8080", "127.0.0.1:8080", False, True),
        ("http://[::1]:8080", "[::1]:8080", False, True),
        ("http://Good.com", "gOOD.com:80", False, True),
        ("http://good.com", "good.com", True, False),
        ("https://good.com", "good.com", False, False),
        ("https://good.com", "good.com:8443", True, False),
        ("https://evil.com", "good.com", True, False),
        ("https://good.com.evil.com", "good.com", True, False),
        ("https://good.com", "good.com.", True, False),
        ("https://good.com", "", True, False),
        ("https://good.com", "x@good.com", True, False),
        ("https://good.com/x", "good.com/x", True, False),
        ("null", "null", True, False),
        ("https://", "", True, False),
        ("", "", True, False),
        ("http://good.com:8080", "good.com:8080, evil.com", False, False),
    ],
)
def test_without_a_list(origin: str, host: str, secure: bool, verdict: bool) -> None:  # noqa: FBT001
    """Only a page of the host that is asked for comes in, by the scheme that the client came by."""
    assert allowed(origin, host, secure=secure, origins=frozenset()) is verdict


@given(st.text(max_size=30), st.text(max_size=30), st.booleans())
def test_nothing_but_the_list_comes_in(before: str, after: str, secure: bool) -> None:  # noqa: FBT001
    """Text before or after an origin of the list never makes another one that is let in."""
    origin = f"{before}https://good.com{after}"
    in_list = origin.lower() in {"https://good.com", "https://good.com:443", "https://good.com:8443"}
    assert allowed(origin, "good.com", secure=secure, origins=LIST) is in_list


@pytest.mark.parametrize(
    "entry",
    ["*", "https://*.good.com", "good.com", "https://good.com/", "null", "https://good.com.", "https://ü.de"],
)
def test_an_entry_that_is_no_origin(entry: str) -> None:
    """A list with something else in it is refused, and the entry named."""
    with pytest.raises(BadSettings, match=r"TICKWIRE_ORIGINS has .*scheme://host") as caught:
        parse_origins(["https://good.com", entry, entry])
    assert len(caught.value.faults) == 2
