"""Whom to trust at the broker's addresses."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from services.broker.rabbitmq.addresses import parse_addresses
from services.broker.rabbitmq.trust import trusting
from services.errors import BadSettings


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    """An authority's certificate, in a file whose name is hard to write into an address."""
    path = tmp_path / "my, own & best.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    return path


def test_without_an_authority_nothing_changes() -> None:
    """Addresses stay as they are where the system's authorities are to be trusted."""
    assert trusting("amqp://a/, amqps://b/", None) == "amqp://a/, amqps://b/"


def test_each_address_trusts_the_authority(ca: Path) -> None:
    """Every address gets the file, behind what it says already; one with a file of its own keeps that."""
    setting = "amqps://u:p@a/, amqps://b/v?heartbeat=2, amqps://c/?cafile=/x.pem"
    first, second, third = parse_addresses(trusting(setting, ca), name="n")
    assert [url.query["cafile"] for url in (first, second, third)] == [str(ca), str(ca), "/x.pem"]
    assert (first.password, second.query["heartbeat"], second.path) == ("p", "2", "/v")


@pytest.mark.parametrize("setting", ["amqp://u:secret@a/", "amqps://a/,amqp://u:secret@b/"])
def test_an_address_without_tls_is_refused(ca: Path, setting: str) -> None:
    """An authority where nothing is verified is a mistake, which is named without the address."""
    with pytest.raises(
        BadSettings, match=r"^TICKWIRE_BROKER_CA is set, but an address .* is not amqps://$"
    ) as error:
        trusting(setting, ca)
    assert "secret" not in str(error.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A file that cannot be read is named with the reason."""
    with pytest.raises(BadSettings, match=r"^TICKWIRE_BROKER_CA is .*no\.pem, which cannot be read: No such file"):
        trusting("amqps://a/", tmp_path / "no.pem")


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n"]
)
def test_a_file_without_a_certificate_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file that holds no certificate is named as such."""
    (tmp_path / "bad.pem").write_bytes(content)
    with pytest.raises(BadSettings, match=r"^TICKWIRE_BROKER_CA is .*bad\.pem, which is no PEM file"):
        trusting("amqps://a/", tmp_path / "bad.pem")
