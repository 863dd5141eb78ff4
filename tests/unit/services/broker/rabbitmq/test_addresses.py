"""The broker's addresses."""

from __future__ import annotations

import pytest

from services.broker.rabbitmq.addresses import parse_addresses, shown
from services.errors import BadSettings


def test_several_addresses_keep_their_order() -> None:
    """Addresses separated by commas come in order, with the default port of their scheme, heartbeat and name."""
    first, second = parse_addresses("amqp://u:p@a/, amqps://b:7/v?cafile=/x.pem", name="gateway")
    assert (shown(first), shown(second)) == ("a:5672", "b:7")
    assert (first.user, first.password) == ("u", "p")
    assert dict(first.query) == {"heartbeat": "5", "name": "gateway"}
    assert dict(second.query) == {"cafile": "/x.pem", "heartbeat": "5", "name": "gateway"}
    assert second.path == "/v"


def test_the_port_of_tls_is_its_own() -> None:
    """amqps:// without a port means 5671."""
    (only,) = parse_addresses("amqps://h", name="n")
    assert shown(only) == "h:5671"


def test_a_heartbeat_may_be_stated() -> None:
    """A heartbeat in the address stands."""
    (only,) = parse_addresses("amqp://h/?heartbeat=2", name="n")
    assert only.query["heartbeat"] == "2"


def test_a_heartbeat_that_is_given_stands() -> None:
    """A connection that needs a heartbeat of its own has it, whatever an address says."""
    found = parse_addresses("amqp://a/?heartbeat=30,amqp://b/", name="n", heartbeat=2)
    assert [url.query["heartbeat"] for url in found] == ["2", "2"]
    with pytest.raises(BadSettings, match="1 to 60 s"):
        parse_addresses("amqp://h/?heartbeat=0", name="n", heartbeat=2)


@pytest.mark.parametrize("text", ["", "http://h/", "amqp://", "h:5672", "amqp://h/,", "amqp://h:port/"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """A part that is not amqp:// or amqps:// with a host is named as such."""
    with pytest.raises(BadSettings, match="TICKWIRE_BROKER_URL"):
        parse_addresses(text, name="n")


@pytest.mark.parametrize("heartbeat", ["0", "61", "-1"])
def test_a_heartbeat_out_of_range_is_refused(heartbeat: str) -> None:
    """No heartbeat, or one above 60 s, is refused: nothing would notice a frozen broker in time."""
    with pytest.raises(BadSettings, match="1 to 60 s"):
        parse_addresses(f"amqp://h/?heartbeat={heartbeat}", name="n")


def test_a_refusal_never_shows_the_password() -> None:
    """The sentence about a wrong address holds nothing of it."""
    with pytest.raises(BadSettings) as caught:
        parse_addresses("amq://u:secret@h/", name="n")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "query",
    ["no_verify_ssl=1", "no_verify_ssl=0", "verify=0", "verify_ssl=false", "CAFILE=/x", "x", "cadata=eA=="],
)
@pytest.mark.parametrize("scheme", ["amqp", "amqps"])
def test_an_unknown_option_is_refused(scheme: str, query: str) -> None:
    """Whatever might turn verification off, or look as if it turned it on, is refused."""
    with pytest.raises(
        BadSettings, match=r"behind the \? of an address stand auth, cafile, .* is always verified"
    ):
        parse_addresses(f"{scheme}://h/?heartbeat=2&{query}", name="n")


def test_a_password_with_a_question_mark_is_not_shown() -> None:
    """What stands behind a ? may be the rest of a password that was not escaped, and is not repeated."""
    with pytest.raises(BadSettings) as caught:
        parse_addresses("amqp://user:amp?secret@host/", name="n")
    assert "secret" not in str(caught.value)
