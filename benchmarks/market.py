"""The market: a producer, RabbitMQ and a gateway as processes, and hundreds of clients of several symbols each."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import trustme

from benchmarks.generator import Load, measured
from benchmarks.peers.peer import cpu_seconds, family
from benchmarks.row import Row, median_row
from benchmarks.scenarios import Market, Variant
from producer.pacing import default_interval_ms
from producer.sources.universe import load
from services.broker import topology
from tests.brokers import Broker
from tests.stack import Stack, Tickwire

SYMBOLS: Final = [str(listing.symbol) for listing in load(None)]


def subscriptions(clients: int, each: int) -> list[str]:
    """Return what each client says: *each* symbols, spread so that every symbol has as many clients."""
    wanted = [[SYMBOLS[(n * 7 + k * 11) % len(SYMBOLS)] for k in range(each)] for n in range(clients)]
    return [json.dumps({"op": "subscribe", "id": 1, "symbols": symbols}) for symbols in wanted]


@asynccontextmanager
async def certificate() -> AsyncIterator[dict[str, str]]:
    """Have a certificate for localhost, of an authority that nobody knows, as the gateway's settings."""
    with tempfile.TemporaryDirectory(prefix="tickwire-bench-") as folder:
        issued = trustme.CA().issue_cert("localhost", "127.0.0.1")
        issued.private_key_pem.write_to_path(Path(folder) / "key.pem")
        issued.cert_chain_pems[0].write_to_path(Path(folder) / "cert.pem")
        yield {"TLS_CERT": f"{folder}/cert.pem", "TLS_KEY": f"{folder}/key.pem"}


@asynccontextmanager
async def running(
    broker: Broker, rate: int, variant: Variant, **settings: object
) -> AsyncIterator[tuple[Tickwire, Tickwire]]:
    """Have a producer and a gateway, ready."""
    async with Stack(broker.url) as stack, certificate() as tls:
        producer = await stack.producer(RATE=rate, **variant.producer)
        await producer.ready()
        if not variant.log:
            broker.ctl("delete_queue", topology.LOG)
        given = {**settings, **(tls if variant.tls else {}), **variant.gateway}
        if variant.workers > 1:
            given["WORKERS"] = variant.workers
        gateway = await stack.gateway(**given)
        await gateway.ready()
        yield producer, gateway


async def market(scenario: Market, broker: Broker) -> list[Row]:
    """Run every variant *scenario.runs* times, in turns, and return the median run of each."""
    rows: dict[str, list[Row]] = {name: [] for name in scenario.variants}
    for _ in range(scenario.runs):
        for name, variant in scenario.variants.items():
            rows[name].append(await market_once(scenario, name, variant, broker))
    return [median_row(runs) for runs in rows.values()]


async def market_once(scenario: Market, name: str, variant: Variant, broker: Broker) -> Row:
    """Run one variant once."""
    async with running(broker, scenario.rate, variant) as (producer, gateway):
        pids = {"gateway": family(gateway.pid), "producer": [producer.pid]}
        if broker.pid is not None:
            pids["RabbitMQ"] = family(broker.pid)
        load = Load(
            gateway.port, scenario.clients, subscriptions(scenario.clients, scenario.each),
            warmup=scenario.warmup, seconds=scenario.seconds, tls=variant.tls,
            slow_share=variant.slow_share, slow_rate=variant.slow_rate,
        )  # fmt: skip
        before = gateway.memory()["Rss"]
        result, used = await measured(load, lambda: {who: cpu_seconds(pids[who]) for who in pids})
        grown = gateway.memory()["Rss"] - before
        samples = await gateway.metrics()
    pacing = float(variant.producer.get("PACING_MS", default_interval_ms(scenario.rate)))
    row = market_row(scenario, name, result, used, pacing)
    totals, grown_mb = _totals(samples), grown / 2**20
    detail = {**row.detail, "gateway_grew_mb": grown_mb, "gateway": totals}
    if not variant.slow_share:
        return replace(row, detail=detail)
    note = f"{row.note}; the gateway grew by {grown_mb:.1f} MB, {totals['evictions']:.0f} evicted"
    return replace(row, note=note, detail=detail)


def market_row(scenario: Market, name: str, result: dict[str, Any], used: dict[str, float], pacing: float) -> Row:
    """Return the line of a run."""
    seconds, deliveries = result["seconds"], max(1, result["deliveries"])
    wanted = scenario.rate * scenario.clients * scenario.each / len(SYMBOLS)
    shares = {who: round(spent / seconds, 2) for who, spent in used.items()}
    shares["load generator"] = round(result["cpu_s"] / seconds, 2)
    note = [
        f"{deliveries / seconds / wanted:.0%} of {wanted:,.0f} deliveries/s",
        f"{deliveries / max(1, result['frames']):.1f} ticks per frame",
        f"{result['conflated']:,} conflated, {result['missing']:,} missing, {result['gaps']:,} gaps",
        "cores: " + ", ".join(f"{who} {share:.2f}" for who, share in shares.items()),
    ]
    latency = {quantile: value / 1e3 for quantile, value in result["latency_us"].items() if quantile != "count"}
    return Row(
        scenario.name, f"Tickwire{', ' if name else ''}{name}", deliveries / seconds,
        used["gateway"] / deliveries * 1e6, latency["p50"], latency["p99"], latency["p99.9"],
        pacing_ms=pacing, holes=result["holes"], note="; ".join(note),
        detail={"generator": result, "cores": shares},
    )  # fmt: skip


def _totals(samples: dict[Any, float]) -> dict[str, float]:
    """Return sums over labels of what a run should be judged by."""
    names = {
        "evictions": "tickwire_evictions_total",
        "feed_holes": "tickwire_feed_holes_total",
        "slow_clients": "tickwire_slow_clients_total",
        "messages": "tickwire_messages_received_total",
        "flushes": "tickwire_flushes_total",
    }
    return {
        short: sum(value for (name, _), value in samples.items() if name == long) for short, long in names.items()
    }
