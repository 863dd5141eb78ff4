"""How many machines a demand takes, from measured figures: pure functions, and a command that prints a table.

    $ .venv/bin/python -m benchmarks.plan --clients 1000000 --symbols 10000 --ticks 20000
    $ .venv/bin/python -m benchmarks.plan --write          # the tables of docs/scaling.md, between its marks

The figures are those of `benchmarks/figures/plan.toml`, which says where each comes from.  A worker is a
gateway process; it takes one core.  All shares are from 0 to 1, all rates per second, all prices in one currency.
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from math import ceil, floor
from pathlib import Path
from typing import Any, Final

from benchmarks.queue_table import queue_table, read_rows

FIGURES: Final = Path(__file__).parent / "figures" / "plan.toml"
PAGE: Final = Path(__file__).parents[1] / "docs" / "scaling.md"
MONTH_S: Final = 730 * 3600
LEAST_NODES: Final = 3
"""A broker of fewer nodes does not outlive one."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured; see `benchmarks/figures/plan.toml`."""

    write_us: float
    """A gateway's CPU for one write to one client."""
    delivery_us: float
    """Its CPU for each tick in such a write."""
    ingest_us: float
    """Its CPU for each message from the broker, whoever follows."""
    client_kb: float
    """A gateway's memory per connection."""
    subscription_kb: float
    """And per symbol that a client follows."""
    worker_mb: float
    """Memory of a worker without clients."""
    tape_kb: float
    """Memory per symbol that a worker follows."""
    tick_bytes: float
    """Bytes per tick on a client's wire, with its share of the frame."""
    take_us: float
    """The broker's CPU to take a message in: route, confirm, write the log."""
    copy_us: float
    """The broker's CPU for each gateway that a message goes to."""
    queue_kb: float
    """The broker's memory per queue of one symbol, its binding included."""
    bucket_kb: float
    """The broker's memory per bucket."""
    binding_kb: float
    """The broker's memory per symbol bound to a bucket."""
    follow_ms: float
    """The broker's CPU to make, bind and consume a symbol's queue."""
    bind_ms: float
    """The broker's CPU to bind a symbol to a bucket."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked for, and what it is to run on."""

    clients: int = 1_000_000
    symbols: int = 10_000
    ticks: float = 20_000
    """Of all symbols together; one tick a message, which is the dear end."""
    each: int = 10
    """Symbols that a client follows."""
    deliveries: float = 20.0
    """Ticks that a client gets: its symbols' rate, or what `max_rate` leaves of it."""
    writes: float = 10.0
    """Writes to a client, at most its deliveries: a busy gateway flushes every `TICKWIRE_FLUSH_MS`, here 100."""
    kernel_kb: float = 16.0
    """The kernel's memory per connection."""
    busy: float = 0.6
    """Share of a core that is used at the peak."""
    spare: float = 0.25
    """Workers beside those needed: for deployments and failures."""
    cores: int = 8
    """Of a machine, gateways' and broker's alike."""
    memory_gb: float = 32.0
    """Of such a machine; a fifth of it is left to the system."""
    buckets: int = 0
    """Of each reader; 0: a queue per symbol."""
    sharing: int = 1
    """Workers that one reader of the broker feeds; 1: each reads for itself, and nothing else is built."""
    peak: float = 3.0
    """Peak over the month's average: traffic is paid by the average."""
    per_core: float = 15.0
    """Price of a core for a month."""
    per_gb: float = 2.0
    """Price of a GB of memory for a month."""
    per_tb: float = 20.0
    """Price of a TB sent to clients."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What it takes."""

    clients_per_worker: int
    workers: int
    machines: int
    """For workers; the broker's are apart."""
    memory_gb: float
    """Of all workers, clients included."""
    copies: float
    """Messages that the broker hands out."""
    queues: int
    bindings: int
    broker_cores: float
    """Used at the peak."""
    broker_gb: float
    """For queues and bindings, without messages."""
    nodes: int
    follow_s: float
    """CPU seconds of the broker when everything is bound anew."""
    gbit: float
    """To clients, at the peak."""
    tb: float
    """To clients, in a month."""
    machine_cost: float
    traffic_cost: float

    @property
    def cost(self) -> float:
        """Of a month."""
        return self.machine_cost + self.traffic_cost


def plan(figures: Figures, demand: Demand) -> Plan:
    """Return what *demand* takes.

    Raises:
        ValueError: a worker cannot carry one client.
    """
    per_worker = clients_per_worker(figures, demand)
    needed = ceil(demand.clients / per_worker)
    workers = ceil(needed * (1 + demand.spare))
    readers = ceil(workers / demand.sharing)
    followed = min(demand.symbols, min(demand.clients, per_worker * demand.sharing) * demand.each)
    machines = ceil(workers / demand.cores)
    copies = demand.ticks * readers * followed / demand.symbols
    queues = readers * (min(demand.buckets, followed) or followed)
    bindings = readers * followed
    broker_us = demand.ticks * figures.take_us + copies * figures.copy_us
    broker_cores = broker_us / 1e6 / demand.busy
    broker_gb = _broker_kb(figures, demand, queues, bindings) / 1e6
    nodes = max(
        LEAST_NODES, ceil(broker_cores / demand.cores), ceil(broker_gb / (demand.memory_gb * _BROKER_SHARE))
    )
    gbit = demand.clients * demand.deliveries * figures.tick_bytes * 8 / 1e9
    tb = gbit / 8 / 1e3 * MONTH_S / demand.peak
    return Plan(
        clients_per_worker=per_worker, workers=workers, machines=machines,
        memory_gb=_gateways_kb(figures, demand, workers, followed) / 1e6,
        copies=copies, queues=queues, bindings=bindings,
        broker_cores=broker_cores, broker_gb=broker_gb, nodes=nodes,
        follow_s=bindings * (figures.bind_ms if demand.buckets else figures.follow_ms) / 1e3,
        gbit=gbit, tb=tb,
        machine_cost=(machines + nodes) * (demand.cores * demand.per_core + demand.memory_gb * demand.per_gb),
        traffic_cost=tb * demand.per_tb,
    )  # fmt: skip


_BROKER_SHARE: Final = 0.2
"""Of a node's memory for queues and bindings: the alarm is at 0.4 to 0.6, and messages need the rest."""
_FREE: Final = 0.8
"""Of a machine's memory for its workers."""


def clients_per_worker(figures: Figures, demand: Demand) -> int:
    """Return how many clients a worker carries, by its core and its share of a machine's memory.

    What it reads from the broker grows with its clients until they follow every symbol.

    Raises:
        ValueError: not one.
    """
    client_us = min(demand.writes, demand.deliveries) * figures.write_us + demand.deliveries * figures.delivery_us
    budget, ingest = demand.busy * 1e6, demand.ticks * figures.ingest_us
    by_core = (budget - ingest) / client_us
    if by_core * demand.each < demand.symbols:
        by_core = budget / (client_us + ingest * demand.each / demand.symbols)
    client_kb = _client_kb(figures, demand)
    room_kb = demand.memory_gb * 1e6 * _FREE / demand.cores - figures.worker_mb * 1e3
    by_memory = (room_kb - demand.symbols * figures.tape_kb) / client_kb
    found = floor(min(by_core, by_memory))
    if found < 1:
        raise ValueError(f"a worker cannot carry one client: by its core {by_core:.2f}, by memory {by_memory:.2f}")
    return found


def _client_kb(figures: Figures, demand: Demand) -> float:
    return figures.client_kb + demand.kernel_kb + demand.each * figures.subscription_kb


def _gateways_kb(figures: Figures, demand: Demand, workers: int, followed: int) -> float:
    return demand.clients * _client_kb(figures, demand) + workers * (
        figures.worker_mb * 1e3 + followed * figures.tape_kb
    )


def _broker_kb(figures: Figures, demand: Demand, queues: int, bindings: int) -> float:
    if demand.buckets:
        return queues * figures.bucket_kb + bindings * figures.binding_kb
    return queues * figures.queue_kb


# ----------------------------------------------------------------------------------------------- as tables

PLANS: Final = (
    ("10,000 clients", Demand(10_000, symbols=1_000, ticks=5_000, spare=1.0)),
    ("100,000 clients", Demand(100_000, symbols=5_000, ticks=10_000, buckets=64)),
    ("1 million clients", Demand(buckets=64)),
    ("1 million, a queue per symbol", Demand()),
    ("1 million, a reader for 8 workers (not built)", Demand(buckets=64, sharing=8)),
    ("1 million, 3 symbols, `max_rate` 1", Demand(each=3, deliveries=3, writes=3, buckets=64)),
)
"""The plans of docs/scaling.md."""
_ROWS: Final = (
    ("clients", "clients", ",.0f"),
    ("symbols", "symbols", ",.0f"),
    ("ticks a second, all symbols", "ticks", ",.0f"),
    ("ticks a second to each client", "deliveries", ",g"),
    ("writes a second to each client", "writes", ",g"),
    ("clients per worker", "clients_per_worker", ",.0f"),
    ("workers (one core each), spare ones included", "workers", ",.0f"),
    ("gateway machines", "machines", ",.0f"),
    ("memory of all workers, GB", "memory_gb", ",.0f"),
    ("messages a second from the broker", "copies", ",.0f"),
    ("live queues", "queues", ",.0f"),
    ("bindings", "bindings", ",.0f"),
    ("broker: cores", "broker_cores", ",.1f"),
    ("broker: memory of queues and bindings, GB", "broker_gb", ",.1f"),
    ("broker: nodes", "nodes", ",.0f"),
    ("broker: CPU seconds when all is bound anew", "follow_s", ",.0f"),
    ("to clients at the peak, Gbit/s", "gbit", ",.1f"),
    ("to clients in a month, TB", "tb", ",.0f"),
    ("machines, a month", "machine_cost", ",.0f"),
    ("traffic, a month", "traffic_cost", ",.0f"),
    ("all, a month", "cost", ",.0f"),
)


def table(figures: Figures, plans: Sequence[tuple[str, Demand]]) -> str:
    """Return a Markdown table with a column per plan."""
    columns = [(name, asdict(demand) | _values(plan(figures, demand))) for name, demand in plans]
    head = "| | " + " | ".join(name for name, _ in columns) + " |\n|---|" + "---:|" * len(columns) + "\n"
    rows = (f"| {what} | " + " | ".join(format(c[key], style) for _, c in columns) for what, key, style in _ROWS)
    return head + "".join(f"{row} |\n" for row in rows)


def _values(found: Plan) -> dict[str, float]:
    return asdict(found) | {"cost": found.cost}


def read_figures(path: Path = FIGURES) -> Figures:
    """Return the figures of a file; every one must be there, and above 0."""
    values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))["figures"]
    return Figures(**{name: float(value) for name, value in values.items()})


def between(page: str, mark: str, text: str) -> str:
    """Return *page* with *text* between `<!-- mark -->` and `<!-- /mark -->`.

    Raises:
        ValueError: the marks are not there.
    """
    before, start, rest = page.partition(f"<!-- {mark} -->\n")
    _, end, after = rest.partition(f"<!-- /{mark} -->")
    if not start or not end:
        raise ValueError(f"no marks of {mark!r}")
    return f"{before}{start}{text}{end}{after}"


def main() -> None:
    """Print the plan of the demand that is given, or write those of the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for field in fields(Demand):
        kind = type(field.default)
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, default=field.default)
    parser.add_argument("--figures", type=Path, default=FIGURES)
    parser.add_argument("--write", action="store_true", help="write the tables of docs/scaling.md instead")
    given = vars(parser.parse_args())
    figures, write = read_figures(given.pop("figures")), given.pop("write")
    if write:
        page = between(PAGE.read_text(encoding="utf-8"), "plan", table(figures, PLANS))
        PAGE.write_text(between(page, "queues", queue_table(read_rows())), encoding="utf-8")
    else:
        print(table(figures, [("plan", replace(Demand(), **given))]))


if __name__ == "__main__":
    main()
