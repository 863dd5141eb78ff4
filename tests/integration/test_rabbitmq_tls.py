"""TLS to a real RabbitMQ: who is believed, over every connection that there is, and what is said of who is not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
import trustme
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs
from yarl import URL

from services.broker.history import Answer, CandleAnswer, CandleQuestion, Question
from services.broker.metrics import BrokerMetrics
from services.broker.ports import LostReason
from services.broker.rabbitmq import (
    RabbitAdmission,
    RabbitDesk,
    RabbitHistory,
    RabbitLease,
    RabbitRevoker,
    RabbitSink,
    RabbitSource,
    RabbitTickLog,
)
from services.broker.rabbitmq.trust import trusting
from services.broker.revocations import Revocation
from services.errors import BrokerUnavailable, MissingRequirement
from services.runtime.clock import SystemClock
from tests.brokers import LocalBroker, free_ports, local_folder
from tests.contract.admissions import RevocationRecord
from tests.contract.test_lease import LeaseRecord
from tests.eventually import eventually
from tests.histories import LogRecord, running
from tests.listeners import SinkRecord, SourceRecord


class Silent:
    """Who answers no question, since none is asked."""

    def respond(self, question: Question) -> Answer:
        """Refuse."""
        raise NotImplementedError(question)

    def candles(self, question: CandleQuestion) -> CandleAnswer:
        """Refuse."""
        raise NotImplementedError(question)


CLOCK: Final = SystemClock()
Run = Callable[[str, BrokerMetrics], Coroutine[Any, Any, None]]
CONNECTIONS: Final[Mapping[str, Run]] = {
    "consume": lambda url, metrics: RabbitSource(url, name="t", clock=CLOCK, metrics=metrics).run(SourceRecord()),
    "publish": lambda url, metrics: RabbitSink(url, name="t", clock=CLOCK, metrics=metrics).run(SinkRecord()),
    "rpc": lambda url, metrics: RabbitHistory(url, name="t", clock=CLOCK, metrics=metrics).run(),
    "answer": lambda url, metrics: RabbitDesk(url, name="t", clock=CLOCK, metrics=metrics).run(Silent()),
    "log": lambda url, metrics: RabbitTickLog(url, name="t", clock=CLOCK, metrics=metrics).run(
        LogRecord(), keep_s=1.0
    ),
    "lease": lambda url, metrics: RabbitLease(url, shard="main", name="t", clock=CLOCK, metrics=metrics).run(
        LeaseRecord()
    ),
    "admission": lambda url, metrics: RabbitAdmission(url, name="t", clock=CLOCK, metrics=metrics).run(
        RevocationRecord()
    ),
}
"""Every connection that a process of ours keeps, by its role."""


class Site(NamedTuple):
    """A RabbitMQ with TLS: *authority* vouches for `localhost` and for nothing else."""

    broker: LocalBroker
    folder: Path
    authority: trustme.CA
    url: URL

    @property
    def ca(self) -> Path:
        """The certificate of the authority."""
        return self.folder / "ca.pem"

    def certify(self, authority: trustme.CA, **facts: Any) -> None:
        """Give the broker a certificate from *authority*, used from the next handshake on."""
        authority.issue_cert("localhost", **facts).private_key_and_cert_chain_pem.write_to_path(
            str(self.folder / "server.pem")
        )


@pytest.fixture(scope="module", name="site")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A broker of this module's own: in a container it would not see the certificates that change."""
    folder = local_folder()
    if folder is None:
        raise MissingRequirement("TLS to a RabbitMQ is tested with a local rabbitmq-server: install it")
    files, authority, (port,) = tmp_path_factory.mktemp("tls"), trustme.CA(), free_ports(1)
    authority.cert_pem.write_to_path(str(files / "ca.pem"))
    settings = (
        f"listeners.ssl.default = 127.0.0.1:{port}\n"
        f"ssl_options.cacertfile = {files / 'ca.pem'}\n"
        f"ssl_options.certfile = {files / 'server.pem'}\n"
        f"ssl_options.keyfile = {files / 'server.pem'}\n"
        "ssl_options.verify = verify_peer\n"
        "ssl_options.fail_if_no_peer_cert = false\n"
    )
    broker = LocalBroker(folder, settings=settings)
    site = Site(broker, files, authority, URL(f"amqps://guest:guest@localhost:{port}/"))
    site.certify(authority)
    try:
        broker.start()
        yield site
    finally:
        broker.remove()


def lost(metrics: BrokerMetrics, role: str) -> dict[LostReason, float]:
    """How often the connection was lost, or not made, for which reasons."""
    counts = {reason: metrics.reconnects.labels(role, reason.value)._value.get() for reason in LostReason}
    return {reason: count for reason, count in counts.items() if count}


async def refused(role: str, url: str) -> None:
    """See that the connection is refused for TLS, twice in a row, and that one line says so."""
    metrics = BrokerMetrics(CollectorRegistry())
    with capture_logs() as lines:
        async with running(CONNECTIONS[role](url, metrics)):
            await eventually(lambda: lost(metrics, role).get(LostReason.TLS, 0) >= 2, deadline=15)
    assert lost(metrics, role).keys() == {LostReason.TLS}
    assert metrics.connected.labels(role)._value.get() == 0
    said = [(line["event"], line["reason"]) for line in lines if line.get("role") == role]
    assert said == [("broker.unreachable", "tls")]


@pytest.mark.parametrize("role", CONNECTIONS)
async def test_the_right_authority_is_believed(site: Site, role: str) -> None:
    """Each connection stands where the broker's certificate leads to TICKWIRE_BROKER_CA and names its host."""
    metrics = BrokerMetrics(CollectorRegistry())
    async with running(CONNECTIONS[role](trusting(str(site.url), site.ca), metrics)) as task:
        await eventually(lambda: metrics.connected.labels(role)._value.get() or task.done(), deadline=30)
    assert lost(metrics, role).keys() <= {LostReason.CLOSED}  # a stream made anew may answer 541 once


@pytest.mark.parametrize("role", CONNECTIONS)
async def test_another_authority_is_not_believed(site: Site, role: str, tmp_path: Path) -> None:
    """A certificate that leads to somebody else is refused as `tls`; so is one that the system does not know."""
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    await refused(role, trusting(str(site.url), other))
    await refused(role, str(site.url))


@pytest.mark.parametrize("role", CONNECTIONS)
async def test_another_host_is_not_believed(site: Site, role: str) -> None:
    """A certificate that does not name the host of the address is refused as `tls`."""
    await refused(role, trusting(str(site.url.with_host("127.0.0.1")), site.ca))


@pytest.mark.parametrize("role", CONNECTIONS)
async def test_a_port_of_tls_is_told_from_silence(site: Site, role: str) -> None:
    """amqp:// to the port of TLS is refused as `tls`."""
    await refused(role, str(site.url.with_scheme("amqp").with_port(site.url.port)))


async def test_an_expired_certificate_is_not_believed(site: Site) -> None:
    """A certificate whose time is over is refused as `tls` by each connection; with a new one they stand."""
    url = trusting(str(site.url), site.ca)
    now = datetime.now(UTC)
    site.certify(site.authority, not_before=now - timedelta(days=2), not_after=now - timedelta(days=1))
    await asyncio.to_thread(site.broker.ctl, "eval", "ssl:clear_pem_cache().")
    try:
        for role in CONNECTIONS:
            await refused(role, url)
    finally:
        site.certify(site.authority)
        await asyncio.to_thread(site.broker.ctl, "eval", "ssl:clear_pem_cache().")
    await RabbitRevoker(url, name="t", clock=CLOCK).revoke([Revocation(1.0, subject="alice")])


async def test_who_we_are_is_shown(site: Site, tmp_path: Path) -> None:
    """A certificate of ours is shown where the address names it; one that the broker does not trust is `tls`."""
    ours, strangers = tmp_path / "ours.pem", tmp_path / "strangers.pem"
    site.authority.issue_cert("gateway").private_key_and_cert_chain_pem.write_to_path(str(ours))
    trustme.CA().issue_cert("gateway").private_key_and_cert_chain_pem.write_to_path(str(strangers))
    trusted = URL(trusting(str(site.url), site.ca))
    shown, hidden = (str(trusted.update_query(certfile=str(pem), keyfile=str(pem))) for pem in (ours, strangers))
    await RabbitRevoker(shown, name="t", clock=CLOCK).revoke([Revocation(1.0, subject="alice")])
    await refused("consume", hidden)


async def test_the_revoker_says_what_is_wrong(site: Site) -> None:
    """`tickwire revoke` names TLS as what is wrong, too."""
    with pytest.raises(BrokerUnavailable, match=r"^localhost:\d+: tls, "):
        await RabbitRevoker(str(site.url), name="t", clock=CLOCK).revoke([Revocation(1.0, subject="alice")])
