"""Everything that is watched, really running: RabbitMQ with its figures, Tickwire's processes, and a Prometheus.

    async with Stage(folder) as stage, Load(stage):
        await stage.prometheus.query(…)

Two producers (one stands by), two histories, two gateways: the first lets anybody in, the second wants an API key
and speaks TLS; and a canary at the second.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import trustme
import yaml

from gateway.admission.apikeys import KEY_BYTES, key_text, line
from tests.brokers import LocalBroker, free_ports
from tests.monitoring.broker import watched_broker
from tests.monitoring.prometheus import Prometheus, configuration
from tests.stack import Stack, Tickwire

SCRAPE_S: Final = 5
RABBITMQ_S: Final = 15
"""Between two scrapes, as deploy/prometheus/prometheus.yml says."""
RATE: Final = 400
SYMBOLS: Final = [f"W{n:02}" for n in range(20)]
QUIET: Final = [f"Q{n:02}" for n in range(40)]
"""Symbols that trade a tenth as often, and that only those follow who come and go: they are bound and unbound."""
RULES: Final = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules"


class Stage:
    """The processes; *kinds* has them by kind, *key* lets a client into the second gateway."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = key_text(secrets.token_bytes(KEY_BYTES))
        self.trusting = ssl.create_default_context()
        """Trusts the second gateway."""
        self.kinds: dict[str, list[Tickwire]] = {"producer": [], "history": [], "gateway": [], "canary": []}
        (self._statistics,) = free_ports(1)
        self._open = AsyncExitStack()
        self.broker: LocalBroker
        self.stack: Stack
        self.prometheus: Prometheus

    async def __aenter__(self) -> Self:
        """Start all, and return once each process is ready and each target was scraped."""
        try:
            await self._begin()
        except BaseException:
            await self._open.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all."""
        await self._open.__aexit__(kind, error, trace)

    @property
    def anybodys(self) -> Tickwire:
        """The gateway that lets anybody in."""
        return self.kinds["gateway"][0]

    @property
    def guarded(self) -> Tickwire:
        """The gateway that wants a key."""
        return self.kinds["gateway"][1]

    @property
    def secure(self) -> str:
        """The address of the guarded gateway's stream."""
        return self.guarded.stream.replace("ws://", "wss://")

    # ------------------------------------------------------------------------------------------------ inside

    async def _begin(self) -> None:
        self.broker = await asyncio.to_thread(watched_broker, self._statistics)
        self._open.callback(self.broker.remove)
        self.stack = await self._open.enter_async_context(Stack(self.broker.url))
        await self._start("producer", RATE=RATE, SEED=7, SYMBOLS=self._symbols())
        await self._start("producer", RATE=RATE, SEED=7, SYMBOLS=self._symbols(), STANDBY=1)
        for _ in range(2):
            await self._start("history")
        await self._start("gateway")
        await self._start("gateway", AUTH="keys", KEYS_FILE=self._keys(), **self._certificate())
        await self._canary()
        for kind in ("history", "gateway", "canary"):
            for process in self.kinds[kind]:
                await process.ready()
        prometheus = Prometheus(self.folder / "prometheus", self._watched())
        self.prometheus = await self._open.enter_async_context(prometheus)
        await self.prometheus.scraped()

    async def _start(self, kind: str, *arguments: str, **settings: object) -> None:
        self.kinds[kind].append(await self.stack.start(kind, settings, *arguments))

    async def _canary(self) -> None:
        """Let a canary follow two symbols at the gateway that wants a key."""
        shown = self.folder / "canary-key"
        shown.write_text(self.key)
        authority = self.folder / "authority.pem"
        await self._start("canary", self.secure, *SYMBOLS[:2], CA=authority, TOKEN_FILE=shown)

    def _watched(self) -> dict[str, Any]:
        places = {
            kind: [f"127.0.0.1:{process.ops_port}" for process in processes]
            for kind, processes in self.kinds.items()
        }
        targets = {**places, "rabbitmq": [f"127.0.0.1:{self._statistics}"]}
        config = configuration(targets, rules=self._rules(), scrape_s=SCRAPE_S, evaluation_s=SCRAPE_S)
        config["scrape_configs"][-1] |= {"scrape_interval": f"{RABBITMQ_S}s"}
        return config

    def _rules(self) -> Iterable[Path]:
        """Return copies of all rules that are evaluated at each scrape: a test lasts two of their minutes."""
        for file in sorted(RULES.glob("*.yml")):
            groups: Mapping[str, Any] = yaml.safe_load(file.read_text())
            for group in groups["groups"]:
                group.pop("interval", None)
            copy = self.folder / file.name
            copy.write_text(yaml.safe_dump(groups))
            yield copy

    def _symbols(self) -> Path:
        file = self.folder / "symbols.csv"
        weights = {**dict.fromkeys(SYMBOLS, 10), **dict.fromkeys(QUIET, 1)}
        rows = (f"{symbol},{symbol} Inc.,100.00,0.3,1.0,{weight}" for symbol, weight in weights.items())
        file.write_text("\n".join(["symbol,name,price,volatility,beta,weight", *rows]) + "\n")
        return file

    def _keys(self) -> Path:
        file = self.folder / "keys"
        file.write_text(line("desk", self.key, {"symbols": ["*"]}) + "\n")
        return file

    def _certificate(self) -> dict[str, str]:
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1")
        authority.configure_trust(self.trusting)
        authority.cert_pem.write_to_path(self.folder / "authority.pem")
        issued.private_key_pem.write_to_path(self.folder / "key.pem")
        issued.cert_chain_pems[0].write_to_path(self.folder / "cert.pem")
        return {"TLS_CERT": str(self.folder / "cert.pem"), "TLS_KEY": str(self.folder / "key.pem")}
