"""`tickwire dev-cert`: what it writes, what it refuses, and that the result is trusted."""

from __future__ import annotations

import shlex
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from gateway.tls import certificate
from services.errors import BadInput
from tests.handshake import handshake
from tickwire.cli import main
from tickwire.devcert import DAYS, make_certificate


def test_a_certificate_that_is_trusted(tmp_path: Path) -> None:
    """A gateway serves the files, and who trusts `ca.pem` accepts every name, but no other."""
    make_certificate(tmp_path / "certs", ["ticker.test", "10.1.2.3"], force=False)
    served = certificate(tmp_path / "certs" / "cert.pem", tmp_path / "certs" / "key.pem")
    assert served is not None
    trusting = ssl.create_default_context(cafile=tmp_path / "certs" / "ca.pem")
    for name in ("localhost", "127.0.0.1", "::1", "ticker.test", "10.1.2.3"):
        assert handshake(trusting, served.context, name)
    assert not handshake(trusting, served.context, "other.test")


def test_it_is_valid_for_thirty_days(tmp_path: Path) -> None:
    """The certificate begins an hour ago, for clocks that disagree, and ends after 30 days."""
    now = datetime(2026, 5, 1, 12, tzinfo=UTC)
    make_certificate(tmp_path, [], force=False, now=now)
    found = x509.load_pem_x509_certificate((tmp_path / "cert.pem").read_bytes())
    assert found.not_valid_before_utc == now - timedelta(hours=1)
    assert found.not_valid_after_utc == now + timedelta(days=DAYS)


def test_only_its_owner_reads_the_key(tmp_path: Path) -> None:
    """The key has mode 0600, and the authority's own key is in no file."""
    make_certificate(tmp_path, [], force=False)
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ca.pem", "cert.pem", "key.pem"]
    keys = [path.name for path in tmp_path.iterdir() if b"PRIVATE KEY" in path.read_bytes()]
    assert keys == ["key.pem"]


def test_it_replaces_nothing_unasked(tmp_path: Path) -> None:
    """Where a file is there already all are left alone, unless --force says otherwise."""
    (tmp_path / "key.pem").write_text("precious")
    with pytest.raises(BadInput, match=r"has key.pem already; --force replaces them"):
        make_certificate(tmp_path, [], force=False)
    assert [path.name for path in tmp_path.iterdir()] == ["key.pem"]
    assert (tmp_path / "key.pem").read_text() == "precious"
    make_certificate(tmp_path, [], force=True)
    assert "PRIVATE KEY" in (tmp_path / "key.pem").read_text()
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "name", ["", "a b", "https://ticker.test", "-x.test", "a..b", "x" * 300, "ticker.test:8443"]
)
def test_a_name_that_is_none(name: str, tmp_path: Path) -> None:
    """What no certificate can be for is named, and nothing is written."""
    with pytest.raises(BadInput, match="is no name for a certificate"):
        make_certificate(tmp_path, [name], force=False)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    """A folder that cannot be made is named."""
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be written"):
        make_certificate(tmp_path / "file" / "below", [], force=False)


def test_the_command_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints two lines for a shell, and how to watch; a second run is bad input."""
    folder = tmp_path / "my certs"
    assert main(["dev-cert", "--out", str(folder), "ticker.test"]) == 0
    told = capsys.readouterr().out
    exported = dict(line.removeprefix("export ").split("=", 1) for line in told.splitlines() if "export " in line)
    assert {name: shlex.split(value) for name, value in exported.items()} == {
        "TICKWIRE_TLS_CERT": [str(folder / "cert.pem")],
        "TICKWIRE_TLS_KEY": [str(folder / "key.pem")],
    }
    assert (
        f"tickwire watch AAPL --url wss://localhost:8080/v1/stream --ca {shlex.quote(str(folder / 'ca.pem'))}"
        in told
    )
    assert main(["dev-cert", "--out", str(folder)]) == 2
    assert "--force" in capsys.readouterr().err
    assert main(["dev-cert", "--out", str(folder), "--force"]) == 0
