"""A gateway whose certificate is replaced while it serves (F27)."""

from __future__ import annotations

import asyncio
import ssl
import time
from pathlib import Path
from typing import Final

import pytest
import trustme

from tests.checker import Checker
from tests.faults.figures import Figures
from tests.stack import Stack, Tickwire
from tests.streamclient import StreamClient
from tests.witness import Record

SYMBOLS: Final = ("AAPL", "MSFT", "NVDA", "TSLA")
RATE: Final = 1_000
ROTATED_S: Final = 5.0
FAULT: Final = "F27 certificate rotation"

pytestmark = pytest.mark.timeout(120)


class Secret:
    """A folder as Kubernetes mounts a secret: files that are links into a folder that is a link itself."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._authority, self._version = folder, trustme.CA(), 0
        self.trust = ssl.create_default_context()
        self._authority.configure_trust(self.trust)
        self.replace()
        for name in ("tls.crt", "tls.key"):
            (folder / name).symlink_to(Path("..data") / name)

    @property
    def settings(self) -> dict[str, str]:
        """What a gateway is told."""
        return {"TLS_CERT": str(self._folder / "tls.crt"), "TLS_KEY": str(self._folder / "tls.key")}

    def replace(self, *, broken: bool = False) -> bytes:
        """Swap the folder for one with a new certificate, which is returned; *broken*: with another's key."""
        self._version += 1
        issued, other = (self._authority.issue_cert("127.0.0.1") for _ in range(2))
        here = self._folder / f"..{self._version}"
        here.mkdir()
        issued.cert_chain_pems[0].write_to_path(here / "tls.crt")
        (other if broken else issued).private_key_pem.write_to_path(here / "tls.key")
        (self._folder / "..next").symlink_to(here.name)
        (self._folder / "..next").rename(self._folder / "..data")
        return ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())


async def presented(gateway: Tickwire, secret: Secret) -> bytes:
    """Return the certificate that a newcomer is shown."""
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port, ssl=secret.trust)
    try:
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        writer.close()
    assert isinstance(shown, bytes)
    return shown


async def shows(gateway: Tickwire, secret: Secret, expected: bytes) -> float:
    """Return after how many seconds newcomers are shown *expected*."""
    began = time.monotonic()
    while await presented(gateway, secret) != expected:
        assert time.monotonic() - began < 2 * ROTATED_S, "still the one before"
        await asyncio.sleep(0.05)  # between two questions
    return time.monotonic() - began


async def refused(gateway: Tickwire, times: int) -> None:
    """Return once the gateway has refused that many changes."""
    began = time.monotonic()
    while await gateway.metric("tickwire_certificate_renewals_total", result="failed") < times:
        assert time.monotonic() - began < 2 * ROTATED_S, "the broken pair was not noticed"
        await asyncio.sleep(0.05)  # between two questions


async def test_a_rotation_drops_nobody(stack: Stack, figures: Figures, tmp_path: Path) -> None:
    """Newcomers see a new certificate within 5 s, never a broken one, and who is there misses no tick of it."""
    secret = Secret(tmp_path)
    async with Record(stack.broker_url) as record:
        producer, gateway = await stack.producer(RATE=RATE), await stack.gateway(**secret.settings)
        await gateway.ready()
        url = gateway.stream.replace("ws://", "wss://")
        one, two = (StreamClient(stack.http, Checker(name)) for name in ("one", "two"))
        async with one, two:
            for client in (one, two):
                await client.connect(url, ssl=secret.trust)
                assert await client.subscribe(*SYMBOLS) == {}
            longest = 0.0
            for _ in range(3):
                good = await asyncio.to_thread(secret.replace)
                longest = max(longest, await shows(gateway, secret, good))
            figures.within(FAULT, "newcomers see the new one", longest, ROTATED_S)

            await asyncio.to_thread(secret.replace, broken=True)
            await refused(gateway, 1)
            assert await presented(gateway, secret) == good
            newcomer = StreamClient(stack.http, Checker("newcomer"))
            async with newcomer:
                await newcomer.connect(url, ssl=secret.trust)

            good = await asyncio.to_thread(secret.replace)
            figures.within(FAULT, "after a broken one", await shows(gateway, secret, good), ROTATED_S)
            assert await gateway.metric("tickwire_certificate_renewals_total", result="ok") == 4
            assert await gateway.metric("tickwire_certificate_renewals_total", result="failed") == 1
            assert await gateway.metric("tickwire_certificate_not_after_seconds") > time.time()
            kept = [line for line in gateway.log if line.get("event") == "gateway.certificate_kept"]
            assert len(kept) == 1

            seen = one.checker.ticks
            await one.until(lambda: one.checker.ticks > seen + RATE / 10)
            await producer.stop()
            for client in (one, two):
                await client.until(lambda client=client: client.checker.settled(record.last))  # type: ignore[misc]
                assert client.close_code is None
                assert client.connected
                client.checker.finish(record.last, record.ends)
            figures.told(FAULT, "ticks on connections that stood", one.checker.ticks + two.checker.ticks)
