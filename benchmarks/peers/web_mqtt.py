"""RabbitMQ without a gateway: its Web-MQTT plugin (rabbitmq.com, "Web MQTT Plugin"), clients that speak MQTT.

A broker of its own, with the plugin; clients subscribe with QoS 0.  Ticks are published over AMQP to the exchange
that the plugin binds its subscriptions to, a batch as one message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from benchmarks.metronome import Metronome
from benchmarks.peers.peer import SYMBOL, Schedule, Target, Unavailable, family
from services.broker import topology
from tests.brokers import LocalBroker, free_ports, server_folder

TOPIC: Final = f"tick/{SYMBOL}"
"""`tick.AAPL` to AMQP."""


class WebMqtt:
    """A RabbitMQ of its own, with the plugin."""

    name = "RabbitMQ Web-MQTT"
    how = "its plugin on an own node, QoS 0; the CPU is the whole node's; a batch is one message"

    def __init__(self) -> None:
        self._broker: LocalBroker | None = None
        self._metronome: Metronome | None = None

    async def start(self, schedule: Schedule, clients: int) -> Target:
        """See `Peer`."""
        del schedule
        folder = server_folder()
        if folder is None:
            raise Unavailable("rabbitmq-server (Debian: apt-get install rabbitmq-server)")
        mqtt, web = free_ports(2)
        settings = (
            f"mqtt.listeners.tcp.default = 127.0.0.1:{mqtt}\nmqtt.exchange = {topology.TICKS.name}\n"
            f"web_mqtt.tcp.listener = 127.0.0.1:{web}\n"
        )
        self._broker = LocalBroker(folder, plugins=["rabbitmq_web_mqtt"], settings=settings)
        await asyncio.to_thread(self._broker.start)
        self._metronome = Metronome(self._broker.url)
        await self._metronome.start()
        hello = [f"hex:{connect(f'bench-{n}').hex()}\thex:{subscribe(TOPIC).hex()}" for n in range(clients)]
        return Target(web, "/ws", "mqtt", hello)

    @property
    def pids(self) -> Sequence[int]:
        """See `Peer`."""
        return [] if self._broker is None or self._broker.pid is None else family(self._broker.pid)

    async def publish(self, schedule: Schedule) -> None:
        """See `Peer`."""
        assert self._metronome is not None
        await self._metronome.publish(schedule)

    async def stop(self) -> None:
        """See `Peer`."""
        if self._metronome is not None:
            await self._metronome.stop()
        if self._broker is not None:
            await asyncio.to_thread(self._broker.remove)


def connect(client: str) -> bytes:
    """Return MQTT 3.1.1's CONNECT of a clean session without keep-alive (section 3.1)."""
    return _packet(0x10, _text("MQTT") + bytes([4, 0x02]) + bytes(2) + _text(client))


def subscribe(topic: str) -> bytes:
    """Return SUBSCRIBE to one topic with QoS 0 (section 3.8)."""
    return _packet(0x82, b"\x00\x01" + _text(topic) + b"\x00")


def _packet(kind: int, rest: bytes) -> bytes:
    assert len(rest) < 128  # the remaining length fits into one byte
    return bytes([kind, len(rest)]) + rest


def _text(text: str) -> bytes:
    return len(text).to_bytes(2) + text.encode()
