"""The pages of `docs/` that the code writes: every metric, every setting; and every limit, into docs/security.md.

    python -m tickwire.reference [docs]

The metrics are those of a gateway and a producer that really run, for a second, on the in-memory broker: what a
scrape does not show is not in the page.  A unit test holds the committed pages against this module.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric

import gateway.app
import producer.app
import services.history.app
import tickwire.canary.app
from gateway.counters import Op
from gateway.settings import GatewaySettings
from gateway.wires.native.faults import ErrorCode
from producer.settings import ProducerSettings
from services.broker.memory import MemoryBroker
from services.broker.metrics import BrokerMetrics
from services.history.settings import HistorySettings
from services.market.symbol import parse_symbol
from services.runtime.clock import SystemClock
from services.runtime.settings import load, option_table
from services.telemetry import logs
from services.telemetry.build import Process
from services.telemetry.loop import LoopCollector
from tickwire.canary.settings import CanarySettings
from tickwire.limits import limits_table
from tickwire.processes import new_registry
from tickwire.watch import Target

PATIENCE_S: Final = 10.0
"""Seconds that the processes have to show every metric."""
LOOK_S: Final = 0.02
"""Seconds between two looks at what they show."""
LAST_METRIC: Final = "tickwire_feed_age_seconds"
"""Shows up with the first heartbeat, after all others."""
FOLLOWED: Final = "AAPL"
"""What the canary follows."""

_LATER: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("tickwire_commands_total", "op"): tuple(op.value for op in Op),
    ("tickwire_commands_total", "result"): ("ok", *(code.value for code in ErrorCode)),
}
"""Labels some of whose values show up with their first event only."""
_FACTS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "tickwire_build_info": {
        "process": tuple(process.value for process in Process),
        "version": ("that of Tickwire",),
        "python": ("that of Python",),
        "loop": ("uvloop", "asyncio"),
        "aiohttp": ("that of aiohttp",),
    },
    "python_info": dict.fromkeys(
        ("version", "implementation", "major", "minor", "patchlevel"), ("that of Python",)
    ),
}
"""Labels whose values are facts of one installation."""

_NOTE: Final = "<!-- Written by `python -m tickwire.reference`.  Change the code, then run it again. -->"
_LIMITS_BEGIN: Final = "<!-- limits: written by `python -m tickwire.reference` -->"
_LIMITS_END: Final = "<!-- /limits -->"
_METRICS: Final = """\
# Metrics

{note}

Each process serves these at `/metrics` on its operations port (gateway 9100, producer 9101, history 9102, canary
9103) in Prometheus' text format.  Times are seconds, sizes bytes.  Every label has a closed set of values, listed
here; no label names a client or a symbol.  A histogram `x` is exposed as `x_bucket`, `x_sum` and `x_count`.

The stages of `tickwire_latency_seconds`, one observation per tick and gateway, not per client:

| Stage | From | To |
|---|---|---|
| `broker` | the tick's `ts` | the gateway has read it from the broker's socket |
| `fanout` | that | the write to the last client's socket |
| `total` | the tick's `ts` | the write to the last client's socket |

`broker` and `total` compare two machines' clocks where producer and gateway run on two machines; what comes out
below zero counts as zero and in `tickwire_latency_invalid_total`.

The counts are plain integers until somebody scrapes.  A value that has to be looked for (bytes that wait, clients
that conflate) costs a scrape 0.2 µs per client, 1 µs more for one whose socket is full.  A gateway's answer is
47 KB and 4 ms of work, which is done in pieces of at most 1 ms, between which ticks pass.

## Gateway

{gateway}
## Producer

{producer}
## History

`tickwire_history_questions_total` is a gateway's: what it has asked.

{history}
## Canary

What `tickwire canary` sees of a gateway from outside.  The stages of `tickwire_canary_latency_seconds`, one
observation per tick of a `ticks` frame, ticks that a resume brings late among them, snapshots not:

| Stage | From | To |
|---|---|---|
| `feed` | the tick's `ts` | the frame's `sent`, by the gateway's clock |
| `wire` | the frame's `sent` | the canary has read it; the two clocks' offset is taken out |
| `total` | the tick's `ts` | the canary has read it; the offset to the gateway is taken out |

The offset is estimated from pings every 5 s and wrong by half a round trip at most.  That of the producer's clock
to the gateway's is not known here: it stays in `feed` and `total`.

What the rules of `tickwire_canary_violations_total` mean is said in `tickwire/canary/verdict.py`: all but
`malformed` and `welcome` are the table of [cursors](protocol.md#cursors).  That each cursor reaches the producer's
last position within 8 s cannot be seen from one connection; `tickwire_canary_tick_age_seconds` says for how long
nothing came.

The canary never ends by itself.  A connection that is lost or not made is tried again after at most 10 s, or as
late as the gateway asks for, at most 60 s.  A refusal (`token_refused`, `tls`, `refused` in
`tickwire_canary_state`) and a rejected symbol are tried again every 10 s.  The canary is ready while connected,
with every symbol followed, and a tick, snapshot or heartbeat not older than 20 s.

Once a minute another client comes in and goes, with the same token: for `tickwire_canary_handshake_seconds` and
the certificate, and because who is connected does not notice that nobody else is let in.  A certificate that is
refused is not read: `tickwire_canary_certificate_not_after_seconds` stays at the last good one.

{canary}
## Connections to RabbitMQ

Of each process that speaks to RabbitMQ.  A gateway fills the roles `consume` and `rpc` (it asks history), a
producer `publish`, `lease` and `rpc`, a history `log`, `answer` and `publish` (finished candles).  What a producer
reads of the log at its start counts as `log`, too.  The demo has no RabbitMQ and does not show them.

{broker}
## The process itself

Of every process, the demo too, whose three registries all show it.  `process_*` and `python_*` are those of the
Prometheus client for Python, on Linux.

{process}"""
_SETTINGS: Final = """\
# Settings

{note}

Each setting is an environment variable, and a flag of the command: `TICKWIRE_OPS_PORT` is `--ops-port`; the flag
wins.  An empty variable counts as not set.  All faults are reported at once, before anything is opened, and the
process exits with 2.  `tickwire settings` prints this table.

`tickwire demo` reads all of them except `TICKWIRE_BROKER_URL` and those of the canary alone;
there `TICKWIRE_OPS_PORT` is the gateway's, producer and history take the next two, and `TICKWIRE_RATE` is 200
unless set.

{table}"""


class Described(NamedTuple):
    """One metric as the page shows it."""

    name: str
    kind: str
    labels: Mapping[str, tuple[str, ...]]
    meaning: str


def settings_page() -> str:
    """Return the page of settings."""
    return _SETTINGS.format(
        note=_NOTE, table=option_table(GatewaySettings, ProducerSettings, HistorySettings, CanarySettings)
    )


def with_limits(page: str) -> str:
    """Return *page* with the table of limits as it is now between its two marks.

    Raises:
        ValueError: a mark is missing.
    """
    before, begin, rest = page.partition(_LIMITS_BEGIN)
    _, end, after = rest.partition(_LIMITS_END)
    if not begin or not end:
        raise ValueError(f"the page needs the marks {_LIMITS_BEGIN} and {_LIMITS_END}")
    return f"{before}{begin}\n{limits_table()}{end}{after}"


async def metrics_page() -> str:
    """Return the page of metrics.

    Raises:
        TimeoutError: the processes did not come up in time.
    """
    names = ("gateway", "producer", "history", "canary", "broker")
    registries = {name: CollectorRegistry() for name in names}
    BrokerMetrics(registries["broker"])
    async with _running(
        registries["gateway"], registries["producer"], registries["history"], registries["canary"]
    ):
        tables = {name: _table(_described(registry.collect())) for name, registry in registries.items()}
    return _METRICS.format(note=_NOTE, process=await _process_table(), **tables)


async def _process_table() -> str:
    """Return what every process shows of itself."""
    LoopCollector(tasks := CollectorRegistry())
    registry = new_registry(Process.DEMO)
    # It reads /proc, which a thread may; of the loop's tasks a thread knows nothing.
    described = await asyncio.to_thread(lambda: [*_described(registry.collect())])
    return _table([*described, *_described(tasks.collect())])


async def write(folder: Path) -> None:
    """Write both pages into *folder*, and the table of limits into its security.md."""
    pages = {"metrics.md": await metrics_page(), "settings.md": settings_page()}
    for name, page in pages.items():
        await asyncio.to_thread((folder / name).write_text, page, encoding="utf-8")
    security = folder / "security.md"
    page = with_limits(await asyncio.to_thread(security.read_text, encoding="utf-8"))
    await asyncio.to_thread(security.write_text, page, encoding="utf-8")


@asynccontextmanager
async def _running(
    front: CollectorRegistry, back: CollectorRegistry, past: CollectorRegistry, beside: CollectorRegistry
) -> AsyncIterator[None]:
    """Run a gateway, a producer, a history and a canary in this context; they show up in these registries."""
    clock, stop = SystemClock(), asyncio.Event()
    broker = MemoryBroker(clock=clock)
    local = {"broker_url": "memory://", "ops_host": "127.0.0.1", "ops_port": 0, "drain_s": 1}
    serving = load(GatewaySettings, {**local, "host": "127.0.0.1", "port": 0})
    making, remembering = load(ProducerSettings, local), load(HistorySettings, local)
    source, sink, history = broker.source("gateway"), broker.sink("producer"), broker.history()
    async with asyncio.TaskGroup() as tasks:
        ports: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        tasks.create_task(
            gateway.app.run(
                serving,
                source,
                history,
                clock=clock,
                registry=front,
                stop=stop,
                started=lambda port, _: ports.set_result(port),
            )
        )
        log, desk = broker.tick_log("history"), broker.desk("history")
        tasks.create_task(services.history.app.run(remembering, log, desk, clock=clock, registry=past, stop=stop))
        tasks.create_task(producer.app.run(making, sink, clock=clock, registry=back, stop=stop))
        try:
            async with asyncio.timeout(PATIENCE_S):
                target = Target(f"ws://127.0.0.1:{await ports}/v1/stream")
                following = load(CanarySettings, {"ops_host": "127.0.0.1", "ops_port": 0})
                symbols = (parse_symbol(FOLLOWED),)
                tasks.create_task(
                    tickwire.canary.app.run(following, target, symbols, clock=clock, registry=beside, stop=stop)
                )
                while LAST_METRIC not in {metric.name for metric in front.collect()}:  # noqa: ASYNC110 - a metric says nothing
                    await asyncio.sleep(LOOK_S)
                while not beside.get_sample_value("tickwire_canary_connected"):  # noqa: ASYNC110 - nor does this one
                    await asyncio.sleep(LOOK_S)
            yield
        finally:
            stop.set()


def _described(metrics: Iterable[Metric]) -> Iterator[Described]:
    for metric in metrics:
        name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        values: dict[str, dict[str, None]] = {}
        for sample in metric.samples:
            for label, value in sample.labels.items():
                values.setdefault(label, {})[value] = None
        values.pop("le", None)
        facts = _FACTS.get(name, {})
        labels = {
            label: _LATER.get((name, label), facts.get(label, tuple(found))) for label, found in values.items()
        }
        yield Described(name, metric.type, labels, metric.documentation.rstrip(".") + ".")


def _table(metrics: Iterable[Described]) -> str:
    rows = ["| Metric | Type | Labels | Meaning |", "|---|---|---|---|"]
    for metric in sorted(metrics):
        labels = "; ".join(f"`{label}`: {', '.join(values)}" for label, values in metric.labels.items())
        rows.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.meaning} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    logs.configure("warning", "auto")
    asyncio.run(write(Path(*sys.argv[1:2] or ["docs"])))
