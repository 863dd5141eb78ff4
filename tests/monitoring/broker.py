"""A RabbitMQ of the tests' own that shows its figures as the Compose stack's does."""

from __future__ import annotations

from typing import Final

from services.errors import MissingRequirement
from tests.brokers import LocalBroker, local_folder

STATISTICS_MS: Final = 10_000
"""RabbitMQ's `collect_statistics_interval`, as deploy/rabbitmq/rabbitmq.conf says."""


def watched_broker(port: int) -> LocalBroker:
    """Return a running RabbitMQ that shows its figures at *port*; who asked removes it.

    Raises:
        MissingRequirement: there is no RabbitMQ on this machine.
    """
    if (folder := local_folder()) is None:
        raise MissingRequirement("the tests of monitoring need rabbitmq-server (3.10 or later) on this machine")
    settings = (
        f"prometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = {port}\n"
        f"collect_statistics_interval = {STATISTICS_MS}\n"
    )
    broker = LocalBroker(folder, plugins=["rabbitmq_prometheus"], settings=settings)
    try:
        broker.start()
    except BaseException:
        broker.remove()
        raise
    return broker
