"""What trouble is brought to: all processes, a RabbitMQ of their own, and a Prometheus like the Compose stack's.

Two producers, of which one stands by, a history, two gateways, a canary at the first one, the shipped rules with
the shipped intervals.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import yaml

from tests.brokers import LocalBroker, free_ports
from tests.monitoring.broker import watched_broker
from tests.monitoring.lookout import Lookout
from tests.monitoring.prometheus import Prometheus, configuration
from tests.stack import Stack, Tickwire

DEPLOY: Final = Path(__file__).parents[2] / "deploy" / "prometheus"
RATE: Final = 200
CANARY: Final = ("AAPL", "MSFT")
READY_S: Final = 60.0


class Scene:
    """All of it, from the entrance of the block to its end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (self._statistics,) = free_ports(1)
        self._open = AsyncExitStack()
        self.producers: list[Tickwire] = []
        self.gateways: list[Tickwire] = []
        self.history: Tickwire
        self.canary: Tickwire
        self.broker: LocalBroker
        self.stack: Stack
        self.prometheus: Prometheus
        self.lookout: Lookout

    async def __aenter__(self) -> Self:
        """Start everything; return once every target was scraped and nothing pages."""
        try:
            await self._begin()
        except BaseException:
            await self._open.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything."""
        await self._open.__aexit__(kind, error, trace)

    async def produce(self) -> None:
        """Start a producer and one that stands by, in the place of what was there, and have them scraped."""
        self.producers = await asyncio.gather(*(self.stack.producer(RATE=RATE, STANDBY=1) for _ in range(2)))

    async def watch(self) -> None:
        """Let Prometheus scrape the processes that there are now."""
        await self.prometheus.reload(self._watched())

    # ------------------------------------------------------------------------------------------------ inside

    async def _begin(self) -> None:
        self.broker = await asyncio.to_thread(watched_broker, self._statistics)
        self._open.callback(self.broker.remove)
        self.stack = await self._open.enter_async_context(Stack(self.broker.url))
        await self.produce()
        self.history = await self.stack.start("history", {})
        self.gateways = await asyncio.gather(*(self.stack.gateway() for _ in range(2)))
        self.canary = await self.stack.start("canary", {}, self.gateways[0].stream, *CANARY)
        for process in (self.history, *self.gateways, self.canary):
            await process.ready(deadline=READY_S)
        self.prometheus = await self._open.enter_async_context(
            Prometheus(self._folder / "prometheus", self._watched())
        )
        await self.prometheus.scraped()
        self.lookout = await self._open.enter_async_context(Lookout(self.prometheus))
        await self.lookout.calm(READY_S)

    def _watched(self) -> dict[str, Any]:
        """Return the shipped configuration with our targets."""
        shipped = yaml.safe_load((DEPLOY / "prometheus.yml").read_text(encoding="utf-8"))
        kinds = {
            "producer": self.producers,
            "gateway": self.gateways,
            "history": [self.history],
            "canary": [self.canary],
        }
        targets = {
            kind: [f"127.0.0.1:{process.ops_port}" for process in processes] for kind, processes in kinds.items()
        }
        found = configuration(
            {**targets, "rabbitmq": [f"127.0.0.1:{self._statistics}"]},
            rules=sorted((DEPLOY / "rules").glob("*.yml")),
        )
        found["global"] = shipped["global"]
        own = {job["job_name"]: job for job in shipped["scrape_configs"]}
        for job in found["scrape_configs"]:
            said = own.get(job["job_name"], {})
            job |= {key: said[key] for key in ("scrape_interval", "scrape_timeout") if key in said}
        return found
