"""The certificate that clients are served with."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from structlog.testing import capture_logs

from gateway.tls import Certificate, Renewal, certificate
from services.errors import BadSettings
from tests.eventually import eventually
from tests.handshake import handshake


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
    assert certificate(None, None) is None


def test_a_pair_is_served(files: tuple[Path, Path]) -> None:
    """A certificate with its key is served from TLS 1.2 on."""
    found = certificate(*files)
    assert found is not None
    assert found.context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_half_a_pair_is_refused(files: tuple[Path, Path]) -> None:
    """One file without the other names the one that is lacking."""
    with pytest.raises(BadSettings, match="TICKWIRE_TLS_KEY is not set"):
        certificate(files[0], None)
    with pytest.raises(BadSettings, match="TICKWIRE_TLS_CERT is not set"):
        certificate(None, files[1])


def test_a_missing_file_is_named(files: tuple[Path, Path]) -> None:
    """A file that is not there is named with its variable."""
    with pytest.raises(BadSettings, match=r"TICKWIRE_TLS_KEY is .*gone.pem, which cannot be read: No such file"):
        certificate(files[0], files[0].with_name("gone.pem"))


def test_what_does_not_belong_together_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    """A key of another certificate, and files that are no PEM, are refused."""
    other = tmp_path / "other.pem"
    trustme.CA().issue_cert("localhost").private_key_pem.write_to_path(other)
    with pytest.raises(BadSettings, match="KEY_VALUES_MISMATCH"):
        certificate(files[0], other)
    other.write_text("nothing of the sort")
    with pytest.raises(BadSettings, match="no certificate and its key"):
        certificate(other, files[1])


def issue(cert: Path, key: Path, *, name: str = "localhost", not_after: datetime | None = None) -> Path:
    """Write another certificate and its key, and return the file of who trusts it."""
    authority = trustme.CA()
    issued = authority.issue_cert(name, not_after=not_after)
    issued.private_key_pem.write_to_path(key)
    issued.cert_chain_pems[0].write_to_path(cert)
    authority.cert_pem.write_to_path(trust := cert.with_suffix(".ca"))
    return trust


def served(cert: Certificate, trust: Path) -> bool:
    """Whether a newcomer that trusts *trust* only is served."""
    return handshake(ssl.create_default_context(cafile=trust), cert.context)


@pytest.fixture(name="pair")
def _pair(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Certificate, key, and who trusts it."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    return cert, key, issue(cert, key)


def test_a_new_pair_is_served_once_it_stands_still(pair: tuple[Path, Path, Path]) -> None:
    """Newcomers are served with new files after the second look at them; until when they hold is known."""
    cert, key, trust = pair
    now = Certificate(cert, key)
    assert now.not_after == datetime(3000, 1, 1, tzinfo=UTC).timestamp()
    old = trust.rename(trust.with_suffix(".old"))
    new = issue(cert, key, not_after=datetime(2031, 2, 3, tzinfo=UTC))
    now.look()
    assert served(now, old)
    now.look()
    assert served(now, new)
    assert not served(now, old)
    assert now.not_after == datetime(2031, 2, 3, tzinfo=UTC).timestamp()
    now.look()
    assert now.renewals == {Renewal.OK: 1, Renewal.FAILED: 0}


def test_a_new_pair_disturbs_nobody(pair: tuple[Path, Path, Path]) -> None:
    """A handshake that began before goes on with the context that it has."""
    cert, key, _ = pair
    now = Certificate(cert, key)
    before = now.context
    issue(cert, key)
    now.look()
    now.look()
    assert now.context is not before


def test_what_does_not_belong_together_changes_nothing(pair: tuple[Path, Path, Path], tmp_path: Path) -> None:
    """A broken pair is told and counted once per change, the one before is served on, and the next is tried."""
    cert, key, trust = pair
    now = Certificate(cert, key)
    whole = cert.read_bytes()
    with capture_logs() as lines:
        issue(tmp_path / "other.pem", key)
        for _ in range(5):
            now.look()
        assert served(now, trust)
        assert now.renewals[Renewal.FAILED] == 1
        cert.unlink()
        for _ in range(5):
            now.look()
        assert served(now, trust)
        assert now.renewals[Renewal.FAILED] == 2
        cert.write_bytes(whole)
        key.write_text("rubbish")
        for _ in range(5):
            now.look()
        assert now.renewals[Renewal.FAILED] == 3
        new = issue(cert, key)
        for _ in range(5):
            now.look()
    assert served(now, new)
    assert now.renewals == {Renewal.OK: 1, Renewal.FAILED: 3}
    assert [line["event"] for line in lines] == ["gateway.certificate_kept"] * 3 + ["gateway.certificate_renewed"]
    assert "PRIVATE" not in str(lines)


def test_a_swapped_link_is_a_change(tmp_path: Path) -> None:
    """A folder that a link leads to is followed when the link is swapped, as Kubernetes does with secrets."""
    trusts = []
    for version in ("one", "two"):
        (tmp_path / version).mkdir()
        trusts.append(issue(tmp_path / version / "tls.crt", tmp_path / version / "tls.key"))
    (tmp_path / "..data").symlink_to("one")
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).symlink_to(Path("..data") / name)
    now = Certificate(tmp_path / "tls.crt", tmp_path / "tls.key")
    assert served(now, trusts[0])
    (tmp_path / "..new").symlink_to("two")
    (tmp_path / "..new").rename(tmp_path / "..data")
    now.look()
    now.look()
    assert served(now, trusts[1])


def test_a_key_with_a_password_is_refused(pair: tuple[Path, Path, Path]) -> None:
    """A key that is encrypted is refused, instead of asking a terminal that nobody reads."""
    cert, key, _ = pair
    loaded = load_pem_private_key(key.read_bytes(), None)
    locked = BestAvailableEncryption(b"secret")
    key.write_bytes(loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
    with pytest.raises(BadSettings, match="no certificate and its key"):
        certificate(cert, key)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_old_versions_are_refused(pair: tuple[Path, Path, Path]) -> None:
    """A client that speaks TLS 1.1 at most is turned away; 1.2 and 1.3 are served."""
    cert, key, trust = pair
    now = Certificate(cert, key)
    for version, welcome in (
        (ssl.TLSVersion.TLSv1_1, False),
        (ssl.TLSVersion.TLSv1_2, True),
        (ssl.TLSVersion.TLSv1_3, True),
    ):
        client = ssl.create_default_context(cafile=trust)
        client.set_ciphers("DEFAULT@SECLEVEL=0")  # or this client would not even try
        client.minimum_version = client.maximum_version = version
        a, b, c, d = (ssl.MemoryBIO() for _ in range(4))
        visitor = client.wrap_bio(a, b, server_hostname="localhost")
        server = now.context.wrap_bio(c, d, server_side=True)
        with pytest.raises(ssl.SSLWantReadError):
            visitor.do_handshake()
        c.write(b.read())
        with pytest.raises(
            ssl.SSLWantReadError if welcome else ssl.SSLError, match=None if welcome else "PROTOCOL"
        ):
            server.do_handshake()


async def test_the_files_are_watched(pair: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch looks again and again until it is cancelled."""
    monkeypatch.setattr("gateway.tls.LOOK_S", 0.01)
    cert, key, _ = pair
    now = await asyncio.to_thread(Certificate, cert, key)
    watching = asyncio.create_task(now.watch())
    for count in (1, 2):
        new = issue(cert, key)
        await eventually(lambda count=count: now.renewals[Renewal.OK] == count)  # type: ignore[misc]
        assert served(now, new)
    watching.cancel()
