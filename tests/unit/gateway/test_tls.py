"""The certificate that clients are served with."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from gateway.tls import server_context
from services.errors import BadSettings


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate and its key."""
    issued = trustme.CA().issue_cert("localhost")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    issued.private_key_pem.write_to_path(key)
    for blob in issued.cert_chain_pems:
        blob.write_to_path(cert, append=True)
    return cert, key


def test_none_is_no_tls() -> None:
    """Without files there is no TLS."""
    assert server_context(None, None) is None


def test_a_pair_is_served(files: tuple[Path, Path]) -> None:
    """A certificate with its key is served from TLS 1.2 on."""
    context = server_context(*files)
    assert context is not None
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_half_a_pair_is_refused(files: tuple[Path, Path]) -> None:
    """One file without the other names the one that is lacking."""
    with pytest.raises(BadSettings, match="TICKWIRE_TLS_KEY is not set"):
        server_context(files[0], None)
    with pytest.raises(BadSettings, match="TICKWIRE_TLS_CERT is not set"):
        server_context(None, files[1])


def test_a_missing_file_is_named(files: tuple[Path, Path]) -> None:
    """A file that is not there is named with its variable."""
    with pytest.raises(BadSettings, match=r"TICKWIRE_TLS_KEY is .*gone.pem, which cannot be read: No such file"):
        server_context(files[0], files[0].with_name("gone.pem"))


def test_what_does_not_belong_together_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    """A key of another certificate, and files that are no PEM, are refused."""
    other = tmp_path / "other.pem"
    trustme.CA().issue_cert("localhost").private_key_pem.write_to_path(other)
    with pytest.raises(BadSettings, match="KEY_VALUES_MISMATCH"):
        server_context(files[0], other)
    other.write_text("nothing of the sort")
    with pytest.raises(BadSettings, match="no certificate and its key"):
        server_context(other, files[1])
